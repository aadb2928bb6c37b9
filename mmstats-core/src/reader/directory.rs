//! What bytes are, and the walk over their entries.

use super::entry::Entry;
use super::error::{EntryError, FormatError};
use super::{v1, v2};
use crate::bytes::ByteOrder;
use crate::format::MAGIC;
use crate::format::v2::{EXTERNAL_DIRECTORY, Header};

/// A region's directory, in a copy of its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'b> {
    bytes: &'b [u8],
    kind: DirectoryKind<'b>,
}

#[derive(Clone, Copy, Debug)]
enum DirectoryKind<'b> {
    V1 {
        order: ByteOrder,
    },
    V2 {
        header: Header,
        order: ByteOrder,
    },
    /// Version 2 with its entries outside.
    External {
        header: Header,
        order: ByteOrder,
        entries: &'b [u8],
    },
}

impl<'b> Directory<'b> {
    /// Tells what `bytes` are; they begin where a region does, and may go on behind it.
    ///
    /// # Errors
    /// If they are no stats that can be read.
    pub fn open(bytes: &'b [u8]) -> Result<Self, FormatError> {
        Self::open_with(bytes, bytes, None)
    }

    /// The same with what one knows: the bytes as they were a moment before (`published` counts as
    /// it was then), and the byte order of version 1, which its bytes do not tell.
    ///
    /// # Errors
    /// If they are no stats that can be read.
    pub fn open_with(
        bytes: &'b [u8],
        before: &[u8],
        order: Option<ByteOrder>,
    ) -> Result<Self, FormatError> {
        Self::open_all(bytes, before, order, &[])
    }

    /// The same for a region whose directory is outside, and known: `entries` are the bytes at the
    /// address that [`FormatError::ExternalDirectory`] tells, or more. Of any other region they do not
    /// matter.
    ///
    /// # Errors
    /// If they are no stats that can be read, or the entries are not this region's.
    pub fn open_external(
        bytes: &'b [u8],
        before: &[u8],
        entries: &'b [u8],
    ) -> Result<Self, FormatError> {
        Self::open_all(bytes, before, None, entries)
    }

    fn open_all(
        bytes: &'b [u8],
        before: &[u8],
        order: Option<ByteOrder>,
        entries: &'b [u8],
    ) -> Result<Self, FormatError> {
        let kind = match version(before)? {
            1 => DirectoryKind::V1 { order: order.unwrap_or_else(|| v1::guess_order(bytes)) },
            _ => {
                let (mut header, order) = v2::header(bytes)?;
                let (earlier, _) = v2::header(before)?;
                // Both from before: `layout` is stored first, so it may be ahead of `published`,
                // never behind it.
                header.published = earlier.published;
                if header.flags & EXTERNAL_DIRECTORY != 0 {
                    v2::check_external(&header, entries)?;
                    DirectoryKind::External {
                        header,
                        order,
                        entries: &entries[..header.published as usize],
                    }
                } else {
                    DirectoryKind::V2 { header, order }
                }
            }
        };
        Ok(Directory { bytes, kind })
    }

    /// The format's version.
    #[must_use]
    pub fn version(&self) -> u8 {
        match self.kind {
            DirectoryKind::V1 { .. } => 1,
            DirectoryKind::V2 { .. } | DirectoryKind::External { .. } => 2,
        }
    }

    /// The writer's byte order; in version 1 it is guessed.
    #[must_use]
    pub fn byte_order(&self) -> ByteOrder {
        match self.kind {
            DirectoryKind::V1 { order }
            | DirectoryKind::V2 { order, .. }
            | DirectoryKind::External { order, .. } => order,
        }
    }

    /// Version 2's header, in this machine's byte order.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        match &self.kind {
            DirectoryKind::V1 { .. } => None,
            DirectoryKind::V2 { header, .. } | DirectoryKind::External { header, .. } => {
                Some(header)
            }
        }
    }

    /// The entries, and what is wrong with them.
    #[must_use]
    pub fn entries(&self) -> Entries<'b> {
        Entries(match self.kind {
            DirectoryKind::V1 { order } => EntriesKind::V1(v1::Walk::new(self.bytes, order)),
            DirectoryKind::V2 { header, order } => {
                EntriesKind::V2(v2::Walk::new(self.bytes, header, order))
            }
            DirectoryKind::External { header, order, entries } => {
                EntriesKind::V2(v2::Walk::external(entries, self.bytes.len(), header, order))
            }
        })
    }

    /// The bytes that one layout has in common with others of the same: in version 2, the entries.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        match &self.kind {
            DirectoryKind::V1 { .. } => self.bytes,
            DirectoryKind::V2 { header, .. } => v2::entries(self.bytes, header),
            DirectoryKind::External { entries, .. } => entries,
        }
    }
}

/// The walk over a directory. It ends behind the first entry that hides where the next one is.
#[derive(Clone, Debug)]
pub struct Entries<'b>(EntriesKind<'b>);

#[derive(Clone, Debug)]
enum EntriesKind<'b> {
    V1(v1::Walk<'b>),
    V2(v2::Walk<'b>),
}

impl<'b> Iterator for Entries<'b> {
    type Item = Result<Entry<'b>, EntryError<'b>>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            EntriesKind::V1(walk) => walk.next(),
            EntriesKind::V2(walk) => walk.next(),
        }
    }
}

/// The version that bytes begin with (FORMAT.md, "Telling what one has").
fn version(bytes: &[u8]) -> Result<u8, FormatError> {
    let Some(&first) = bytes.first() else {
        return Err(FormatError::CutShort { length: 0, needed: 1 });
    };
    let Some(&start) = bytes.first_chunk::<8>() else {
        return match first {
            0 => Err(FormatError::Uninitialised),
            1 => Ok(1),
            _ if MAGIC.starts_with(bytes) => {
                Err(FormatError::CutShort { length: bytes.len(), needed: Header::SIZE })
            }
            3..=8 => Err(FormatError::UnknownVersion { found: first }),
            _ => Err(FormatError::NotStats {
                found: core::array::from_fn(|i| bytes.get(i).copied().unwrap_or(0)),
            }),
        };
    };
    match first {
        2 if start == MAGIC => Ok(2),
        0 => Err(FormatError::Uninitialised),
        _ if start[1..] == MAGIC[1..] => Err(FormatError::UnknownVersion { found: first }),
        1 => Ok(1),
        3..=8 => Err(FormatError::UnknownVersion { found: first }),
        _ => Err(FormatError::NotStats { found: start }),
    }
}
