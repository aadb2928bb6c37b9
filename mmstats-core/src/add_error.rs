//! Why a field cannot be added.

use crate::format::layout;
use crate::format::v2::EntryHeader;
use crate::region::RegionError;
use crate::text_buf::TextBuf;
use core::fmt;

/// Why a field cannot be added or a model cannot be published.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AddError {
    /// There is no region.
    Region(RegionError),
    /// The region is full.
    Full {
        /// Length of the region in bytes.
        length: usize,
    },
    /// The region has a field of this label.
    DuplicateLabel {
        /// The beginning of the label.
        label: TextBuf<40>,
    },
    /// The label is empty.
    EmptyLabel,
    /// The label with its prefix is longer than 65 535 bytes.
    LabelTooLong {
        /// Length in bytes.
        length: usize,
    },
    /// The help text is longer than 65 535 bytes, or the unit's name than 255.
    TextTooLong {
        /// Length in bytes.
        length: usize,
    },
    /// The texts and the constant of an entry of version 2 are longer than readers accept.
    EntryTooLong {
        /// Length of the entry in bytes.
        length: usize,
    },
    /// A label, unit or help text contains a NUL, which ends texts.
    Nul,
    /// A dimension's name is empty, has a character that separates dimensions, or occurs twice.
    InvalidDimension {
        /// The beginning of the name.
        name: TextBuf<40>,
    },
    /// The region holds other fields than those that are resumed.
    LayoutDiffers,
}

impl From<RegionError> for AddError {
    fn from(error: RegionError) -> Self {
        AddError::Region(error)
    }
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddError::Region(error) => error.fmt(f),
            AddError::Full { length } => write!(f, "the region of {length} bytes is too small"),
            AddError::DuplicateLabel { label } => write!(f, "duplicate label: {label:?}"),
            AddError::EmptyLabel => f.write_str("a field has an empty label"),
            AddError::LabelTooLong { length } => {
                write!(f, "label too long: {length} bytes (at most {})", layout::MAX_LABEL_BYTES)
            }
            AddError::TextTooLong { length } => write!(
                f,
                "text too long: {length} bytes (help: at most {}, unit: at most {})",
                layout::MAX_HELP_BYTES,
                layout::MAX_UNIT_BYTES
            ),
            AddError::EntryTooLong { length } => write!(
                f,
                "entry too long: {length} bytes with its constant (at most {})",
                EntryHeader::MAX_BYTES
            ),
            AddError::Nul => f.write_str("a label, unit or help text contains a NUL"),
            AddError::InvalidDimension { name } => write!(
                f,
                "invalid name of a dimension: {name:?} (distinct names without {{ }} \" , = and \
                 surrounding white space expected)"
            ),
            AddError::LayoutDiffers => f.write_str("the region holds other fields"),
        }
    }
}

impl core::error::Error for AddError {}
