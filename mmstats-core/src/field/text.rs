use super::{Field, builder};
use crate::cell::TextCell;
use crate::format::layout::ValueLayout;
use crate::format::{Format, V2};
use crate::kind::{Kind, Type, Unit};
use crate::writer::{AddError, Allocator, SlotIter};
use core::marker::PhantomData;

/// Text of up to `N` bytes of UTF-8.
///
/// ```
/// use mmstats_core::{Borrowed, Region, Text, Writer};
/// let mut memory = [0; 32];
/// let mut writer = Writer::<Borrowed>::new(Region::new(&mut memory))?;
/// let drink: Text<4, _> = writer.add(Text::builder("drink").initial("tea"))?;
/// drink.set("café");
/// assert_eq!(drink.get(), "caf"); // cut at a character boundary
/// # Ok::<(), mmstats_core::AddError>(())
/// ```
pub struct Text<const N: usize, F: Format = V2> {
    text: F::Text<N>,
    _format: PhantomData<F>,
}

impl<const N: usize, F: Format> super::Sealed for Text<N, F> {}

impl<const N: usize, F: Format> Field for Text<N, F> {
    type Format = F;
    type In<G: Format> = Text<N, G>;
    type Initial<'i> = &'i str;
    const LAYOUTS: &'static [ValueLayout] = &[ValueLayout {
        suffix: "",
        kind: Kind::Info,
        ty: Type::Text,
        unit: Unit::NONE,
        access: <F::Text<N> as TextCell>::ACCESS,
        value_size: N,
        size: <F::Text<N> as TextCell>::SIZE,
        align: <F::Text<N> as TextCell>::ALIGN,
        grouping_power: 0,
        max_power: 0,
    }];

    fn attach<S: Allocator>(
        slots: &mut SlotIter<'_, S>,
        initial: Option<&str>,
    ) -> Result<Self, AddError> {
        const { assert!(N > 0, "a text has room for no byte at all") };
        let resuming = slots.resuming();
        let text = Text { text: F::Text::new(slots.slot()?), _format: PhantomData };
        if resuming || initial.is_some() {
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

    /// Sets it; what is too long is cut at a character boundary, and what is behind a NUL is not
    /// shown by readers.
    #[inline]
    pub fn set(&self, text: &str) {
        self.text.set(cut(text, N));
    }

    /// What it is.
    #[must_use]
    pub fn get(&self) -> heapless::String<N> {
        let mut bytes = [0; N];
        self.text.get(&mut bytes);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(N);
        let text = core::str::from_utf8(&bytes[..end]).unwrap_or_default();
        // It fits: it has at most N bytes.
        heapless::String::try_from(text).unwrap_or_default()
    }
}

/// As many whole characters as fit into `room` bytes.
#[inline(always)]
pub(super) fn cut(text: &str, room: usize) -> &[u8] {
    let bytes = text.as_bytes();
    if bytes.len() <= room {
        return bytes;
    }
    let mut end = room;
    // A byte 0b10xxxxxx continues a character.
    while end > 0 && bytes[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &bytes[..end]
}
