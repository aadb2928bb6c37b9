//! Why a field cannot be added.

use crate::format::layout;
use core::fmt;

/// Why a field cannot be added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AddError {
    /// The region is full.
    Full {
        /// Bytes of the region.
        length: usize,
    },
    /// There is a field of this label.
    DuplicateLabel {
        /// Its beginning.
        label: Excerpt,
    },
    /// A field needs a label.
    EmptyLabel,
    /// The label with its prefix is longer than 65 535 bytes.
    LabelTooLong {
        /// Bytes.
        length: usize,
    },
    /// The help text is longer than 65 535 bytes, or the unit's name than 255.
    TextTooLong {
        /// Bytes.
        length: usize,
    },
    /// A label, unit or help text contains a NUL, which ends texts.
    Nul,
    /// What the region holds from before is not these fields.
    LayoutDiffers,
}

/// The beginning of a label, for messages.
pub type Excerpt = heapless::String<40>;

pub(super) fn excerpt(text: &[&str]) -> Excerpt {
    let mut excerpt = Excerpt::new();
    let mut characters = text.iter().flat_map(|part| part.chars());
    while characters.next().is_some_and(|c| excerpt.push(c).is_ok()) {}
    excerpt
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddError::Full { length } => write!(f, "the region of {length} bytes is too small"),
            AddError::DuplicateLabel { label } => write!(f, "there is a field {label:?} already"),
            AddError::EmptyLabel => write!(f, "a field has an empty label"),
            AddError::LabelTooLong { length } => {
                write!(
                    f,
                    "a label of {length} bytes is too long ({} at most)",
                    layout::MAX_LABEL_BYTES
                )
            }
            AddError::TextTooLong { length } => {
                write!(
                    f,
                    "a text of {length} bytes is too long (help: {} at most, unit: {})",
                    layout::MAX_HELP_BYTES,
                    layout::MAX_UNIT_BYTES
                )
            }
            AddError::Nul => write!(f, "a label, unit or help text contains a NUL"),
            AddError::LayoutDiffers => write!(f, "the region holds other fields from before"),
        }
    }
}

impl core::error::Error for AddError {}
