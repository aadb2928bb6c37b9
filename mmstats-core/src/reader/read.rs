//! Reads a whole region.

use super::buffers::{ReadBuffers, ReadPlan, Source};
use super::directory::Directory;
use super::error::{FormatError, ReadError};
use super::snapshot::Snapshot;

/// Attempts to read a region that is initialised while it is read.
const ATTEMPTS: usize = if cfg!(loom) { 1 } else { 8 };

/// Reads a whole region once, of any version.
///
/// # Errors
/// If the source fails, the bytes are not a valid region, or the buffers are too small.
pub fn read<'i, S: Source>(
    source: &S,
    buffers: &'i mut ReadBuffers<'_>,
) -> Result<(Directory<'i>, Snapshot<'i>), ReadError<S::Error>> {
    read_external(source, buffers, &[])
}

/// Reads a region whose directory may be external, in `entries`. Another core of the same program
/// gets them from [`Model::directory`](crate::Model::directory).
///
/// # Errors
/// If the source fails, the bytes are not a valid region with these entries, or the buffers are too
/// small.
pub fn read_external<'i, S: Source>(
    source: &S,
    buffers: &'i mut ReadBuffers<'_>,
    entries: &'i [u8],
) -> Result<(Directory<'i>, Snapshot<'i>), ReadError<S::Error>> {
    let length = fill(source, buffers, entries)?;
    let Snapshot { header, pass1, pass2, pass3 } = buffers.snapshot();
    let [pass1, pass2, pass3] = [pass1, pass2, pass3].map(|pass| &pass[..length.min(pass.len())]);
    // In version 1 the header may be an earlier copy than the rest.
    let directory = Directory::open_external(
        pass1,
        if pass1.starts_with(&[1]) { pass1 } else { header },
        entries,
    )?;
    Ok((directory, Snapshot { header, pass1, pass2, pass3 }))
}

/// Fills the buffers with a consistent copy and returns how many bytes it has.
fn fill<S: Source>(
    source: &S,
    buffers: &mut ReadBuffers<'_>,
    entries: &[u8],
) -> Result<usize, ReadError<S::Error>> {
    for _ in 0..ATTEMPTS {
        let available = buffers.read_header(source).map_err(ReadError::Source)?;
        let head = &buffers.header()[..available];
        let capacity = buffers.capacity();
        let Some(header) = Directory::open_external(head, head, entries)?.header().copied() else {
            return buffers.read_all(source, capacity).map(<[u8]>::len).map_err(ReadError::Source);
        };
        let needed = header.length as usize;
        if needed > capacity {
            return Err(ReadError::TooLarge { length: needed, capacity });
        }
        let mut plan = ReadPlan::default();
        let bytes = buffers.read_all(source, needed).map_err(ReadError::Source)?;
        let length = bytes.len();
        if let Ok(directory) = Directory::open_external(bytes, bytes, entries) {
            plan =
                directory.entries().flatten().fold(plan, |plan, entry| plan.with(&entry.location));
        }
        buffers.verify(source, &plan).map_err(ReadError::Source)?;
        if buffers.snapshot().is_consistent() {
            return Ok(length);
        }
    }
    // Removed, or initialised in every attempt.
    let available = buffers.read_header(source).map_err(ReadError::Source)?;
    let header = &buffers.header()[..available];
    Directory::open_external(header, header, entries)?;
    Err(ReadError::Format(FormatError::Contended))
}
