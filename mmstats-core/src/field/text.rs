use super::definition::{Field, Sealed, builder, debug_value};
use crate::add_error::AddError;
use crate::allocator::{Allocator, SlotIter};
use crate::cell::TextCell;
use crate::format::layout::ValueLayout;
use crate::format_types::{Format, V2};
use crate::kind::{Kind, Type};
use crate::text_buf::TextBuf;

/// Text of up to `N` bytes of UTF-8.
///
/// ```
/// use mmstats_core::{StaticRegion, Text, Writer};
/// static REGION: StaticRegion<256> = StaticRegion::new();
/// let mut writer: Writer = Writer::new(REGION.take()?)?;
/// let drink: Text<4> = writer.add(Text::builder("drink").initial("tea"))?;
/// drink.set("café");
/// assert_eq!(drink.get(), "caf"); // cut at a character boundary
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
pub struct Text<const N: usize, F: Format = V2> {
    text: F::Text<N>,
}

impl<const N: usize, F: Format> Sealed for Text<N, F> {}

impl<const N: usize, F: Format> Field for Text<N, F> {
    type Format = F;
    type In<G: Format> = Text<N, F::In<G>>;
    type Initial<'i> = &'i str;
    const LAYOUTS: &'static [ValueLayout] = &[ValueLayout {
        size: <F::Text<N> as TextCell<N>>::SIZE,
        align: <F::Text<N> as TextCell<N>>::ALIGN,
        ..ValueLayout::new(Kind::Info, Type::Text, <F::Text<N> as TextCell<N>>::ACCESS, N)
    }];

    #[inline(always)]
    fn attach<A: Allocator>(
        slots: &mut SlotIter<'_, A>,
        initial: Option<&str>,
    ) -> Result<Self, AddError> {
        const { assert!(N > 0, "a text needs at least one byte") };
        let (keeping, resuming) = (slots.keeping(), slots.resuming());
        let text = Text { text: F::Text::new(slots.next()?) };
        if !keeping && (resuming || initial.is_some()) {
            text.set(initial.unwrap_or_default());
        }
        Ok(text)
    }

    fn reset_transient(&self) {
        self.set("");
    }
}

impl<const N: usize, F: Format> Text<N, F> {
    builder!();

    /// Sets the text. A longer one is cut at a character boundary; readers show it up to the first
    /// NUL.
    #[inline]
    pub fn set(&self, text: &str) {
        self.text.set(cut(text, N));
    }

    /// Returns the text.
    #[must_use]
    pub fn get(&self) -> TextBuf<N> {
        TextBuf::from_stored(self.text.get())
    }
}

debug_value!([const N: usize, F: Format] Text<N, F>, "Text");

/// Returns as many whole characters as fit into `size` bytes.
#[inline(always)]
pub(super) fn cut(text: &str, size: usize) -> &[u8] {
    let bytes = text.as_bytes();
    if bytes.len() <= size {
        return bytes;
    }
    let mut end = size;
    // A byte 0b10xxxxxx continues a character.
    while end > 0 && bytes[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &bytes[..end]
}
