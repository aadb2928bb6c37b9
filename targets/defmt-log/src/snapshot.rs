//! Logs the stats of a region at one time.

use crate::SIZE;
use mmstats_core::View;
use mmstats_core::reader::{Directory, ReadBuffers, Snapshot, read};

/// Logs all stats of a region.
pub fn log(region: &View<'_>) {
    let mut memory = [0; ReadBuffers::words(SIZE)];
    match read(region, &mut ReadBuffers::new(&mut memory)) {
        Ok((directory, snapshot)) => log_all(&directory, &snapshot),
        Err(error) => defmt::error!("{}", error),
    }
}

fn log_all(directory: &Directory<'_>, snapshot: &Snapshot<'_>) {
    for entry in directory.entries() {
        match entry {
            Ok(entry) => match snapshot.value(&entry.location) {
                Ok(value) => defmt::info!("{}: {}", entry, value),
                Err(error) => defmt::error!("{}: {}", entry, error),
            },
            Err(error) => defmt::error!("{}", error),
        }
    }
}

/// Logs the stats of a dump that is cut off: labels are at the beginning of a region, values at its
/// end.
pub fn log_cut_off(region: &View<'_>) {
    let mut memory = [0; ReadBuffers::words(SIZE)];
    let mut buffers = ReadBuffers::new(&mut memory);
    let Ok(bytes) = buffers.read_all(region, SIZE / 4 * 3);
    match Directory::open(bytes) {
        Ok(directory) => log_all(&directory, &Snapshot::from_static_bytes(bytes)),
        Err(error) => defmt::error!("{}", error),
    }
}
