//! A whole region, read once.

use super::directory::Directory;
use super::images::{ReadBuffers, ReadPlan, Source};
use super::problem::{FormatError, ReadError};
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
    read_outside(source, images, &[])
}

/// The same for a region whose directory may be outside, in `entries`: another core of the same
/// program has it from [`Model::directory`](crate::Model::directory).
///
/// # Errors
/// If the source fails, the bytes are not stats or not of these entries, or the images are too
/// small for them.
pub fn read_outside<'i, S: Source>(
    source: &S,
    images: &'i mut ReadBuffers<'_>,
    entries: &'i [u8],
) -> Result<(Directory<'i>, Snapshot<'i>), ReadError<S::Error>> {
    let length = read_images(source, images, entries)?;
    let Snapshot { head, before, now, after } = images.snapshot();
    let [before, now, after] = [before, now, after].map(|image| &image[..length.min(image.len())]);
    // In version 1 the head may have been there before the rest.
    let directory = Directory::open_outside(
        before,
        if before.starts_with(&[1]) { before } else { head },
        entries,
    )?;
    Ok((directory, Snapshot { head, before, now, after }))
}

/// Fills the images with a steady copy, and tells how many bytes of it there are.
fn read_images<S: Source>(
    source: &S,
    images: &mut ReadBuffers<'_>,
    entries: &[u8],
) -> Result<usize, ReadError<S::Error>> {
    for _ in 0..TRIES {
        let there = images.start(source).map_err(ReadError::Source)?;
        let head = &images.head()[..there];
        let room = images.room();
        let Some(header) = Directory::open_outside(head, head, entries)?.header().copied() else {
            return images.whole(source, room).map(<[u8]>::len).map_err(ReadError::Source);
        };
        let needed = header.length as usize;
        if needed > room {
            return Err(ReadError::TooLarge { length: needed, room });
        }
        let mut plan = ReadPlan::default();
        let bytes = images.whole(source, needed).map_err(ReadError::Source)?;
        let length = bytes.len();
        if let Ok(directory) = Directory::open_outside(bytes, bytes, entries) {
            plan =
                directory.entries().flatten().fold(plan, |plan, entry| plan.with(&entry.location));
        }
        images.finish(source, &plan).map_err(ReadError::Source)?;
        if images.snapshot().is_consistent() {
            return Ok(length);
        }
    }
    // Gone, or always made anew.
    let there = images.start(source).map_err(ReadError::Source)?;
    Directory::open_outside(&images.head()[..there], &images.head()[..there], entries)?;
    Err(ReadError::Format(FormatError::Contended))
}
