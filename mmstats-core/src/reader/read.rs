//! A whole region, read once.

use super::buffers::{ReadBuffers, ReadPlan, Source};
use super::directory::Directory;
use super::error::{FormatError, ReadError};
use super::snapshot::Snapshot;

/// How often a region is read that is made anew meanwhile.
const TRIES: usize = if cfg!(loom) { 1 } else { 8 };

/// Reads a whole region once, of any version.
///
/// # Errors
/// If the source fails, the bytes are not stats, or the images are too small for them.
pub fn read<'i, S: Source>(
    source: &S,
    images: &'i mut ReadBuffers<'_>,
) -> Result<(Directory<'i>, Snapshot<'i>), ReadError<S::Error>> {
    read_external(source, images, &[])
}

/// The same for a region whose directory may be outside, in `entries`: another core of the same
/// program has it from [`Model::directory`](crate::Model::directory).
///
/// # Errors
/// If the source fails, the bytes are not stats or not of these entries, or the images are too
/// small for them.
pub fn read_external<'i, S: Source>(
    source: &S,
    images: &'i mut ReadBuffers<'_>,
    entries: &'i [u8],
) -> Result<(Directory<'i>, Snapshot<'i>), ReadError<S::Error>> {
    let length = read_images(source, images, entries)?;
    let Snapshot { header, pass1, pass2, pass3 } = images.snapshot();
    let [pass1, pass2, pass3] =
        [pass1, pass2, pass3].map(|image| &image[..length.min(image.len())]);
    // In version 1 the head may have been there before the rest.
    let directory = Directory::open_external(
        pass1,
        if pass1.starts_with(&[1]) { pass1 } else { header },
        entries,
    )?;
    Ok((directory, Snapshot { header, pass1, pass2, pass3 }))
}

/// Fills the images with a steady copy, and tells how many bytes of it there are.
fn read_images<S: Source>(
    source: &S,
    images: &mut ReadBuffers<'_>,
    entries: &[u8],
) -> Result<usize, ReadError<S::Error>> {
    for _ in 0..TRIES {
        let there = images.read_header(source).map_err(ReadError::Source)?;
        let head = &images.header()[..there];
        let capacity = images.capacity();
        let Some(header) = Directory::open_external(head, head, entries)?.header().copied() else {
            return images.read_all(source, capacity).map(<[u8]>::len).map_err(ReadError::Source);
        };
        let needed = header.length as usize;
        if needed > capacity {
            return Err(ReadError::TooLarge { length: needed, capacity });
        }
        let mut plan = ReadPlan::default();
        let bytes = images.read_all(source, needed).map_err(ReadError::Source)?;
        let length = bytes.len();
        if let Ok(directory) = Directory::open_external(bytes, bytes, entries) {
            plan =
                directory.entries().flatten().fold(plan, |plan, entry| plan.with(&entry.location));
        }
        images.verify(source, &plan).map_err(ReadError::Source)?;
        if images.snapshot().is_consistent() {
            return Ok(length);
        }
    }
    // Gone, or always made anew.
    let there = images.read_header(source).map_err(ReadError::Source)?;
    Directory::open_external(&images.header()[..there], &images.header()[..there], entries)?;
    Err(ReadError::Format(FormatError::Contended))
}
