//! Directories of both versions, and the iterator over their entries.

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
        /// The entries of an external directory.
        external: Option<&'b [u8]>,
    },
}

impl<'b> Directory<'b> {
    /// Opens the directory of the region that begins with `bytes`, which may be longer.
    ///
    /// # Errors
    /// If the bytes are not a valid region.
    pub fn open(bytes: &'b [u8]) -> Result<Self, FormatError> {
        Self::open_with(bytes, bytes, None)
    }

    /// Opens the directory of a live region: takes `published` from `before`, an earlier copy of
    /// the bytes. `order` is the byte order in version 1, which does not record it; `None` guesses.
    ///
    /// # Errors
    /// If the bytes are not a valid region.
    pub fn open_with(
        bytes: &'b [u8],
        before: &[u8],
        order: Option<ByteOrder>,
    ) -> Result<Self, FormatError> {
        Self::open_all(bytes, before, order, &[])
    }

    /// Opens the directory of a region that may have an external one: `entries` are the bytes at
    /// the address in [`FormatError::ExternalDirectory`] or [`FormatError::UnloadedDirectory`], or
    /// more. They are ignored for other
    /// regions.
    ///
    /// # Errors
    /// If the bytes are not a valid region, or the entries are not those of this region.
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
                // A writer stores `layout` before `published`. With `published` of the earlier
                // copy, `layout` may be ahead of it but is never older.
                header.published = earlier.published;
                let mut external = None;
                if header.flags & EXTERNAL_DIRECTORY != 0 {
                    v2::check_external(&header, entries)?;
                    external = Some(&entries[..header.published as usize]);
                }
                DirectoryKind::V2 { header, order, external }
            }
        };
        Ok(Directory { bytes, kind })
    }

    /// Returns the version of the format.
    #[must_use]
    pub fn version(&self) -> u8 {
        match self.kind {
            DirectoryKind::V1 { .. } => 1,
            DirectoryKind::V2 { .. } => 2,
        }
    }

    /// Returns the writer's byte order; in version 1, the given or guessed one.
    #[must_use]
    pub fn byte_order(&self) -> ByteOrder {
        match self.kind {
            DirectoryKind::V1 { order } | DirectoryKind::V2 { order, .. } => order,
        }
    }

    /// Returns the header of version 2, in this machine's byte order.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        match &self.kind {
            DirectoryKind::V1 { .. } => None,
            DirectoryKind::V2 { header, .. } => Some(header),
        }
    }

    /// Returns the entries and their errors.
    #[must_use]
    pub fn entries(&self) -> Entries<'b> {
        Entries(match self.kind {
            DirectoryKind::V1 { order } => EntriesKind::V1(v1::Walk::new(self.bytes, order)),
            DirectoryKind::V2 { header, order, external } => {
                EntriesKind::V2(v2::Walk::new(self.bytes, header, order, external))
            }
        })
    }

    /// Returns the bytes of the directory: in version 2 the entries; in version 1 the whole region,
    /// because its values are between the labels.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        match &self.kind {
            DirectoryKind::V1 { .. } => self.bytes,
            DirectoryKind::V2 { external: Some(entries), .. } => entries,
            DirectoryKind::V2 { header, .. } => v2::entries(self.bytes, header),
        }
    }
}

/// The iterator over a directory. It ends after an error that hides where the next entry
/// begins.
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

/// Returns the version that bytes begin with (FORMAT.md, "Recognising the version").
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
