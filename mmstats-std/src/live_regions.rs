//! The regions that the threads of this process use, so that the process can read them itself.

use crate::memory::ProcessLocal;
use crate::read::{FileError, Reader};
use mmstats_core::reader::{FormatError, Value, ValueError};
use mmstats_core::{Aggregation, Kind};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The addresses of the regions in use.
pub(crate) struct LiveRegions(ProcessLocal<Mutex<Vec<Range<usize>>>>);

impl LiveRegions {
    pub(crate) const fn new() -> Self {
        LiveRegions(ProcessLocal::new())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'static, Vec<Range<usize>>> {
        self.0.get().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a region until the result is dropped or cleared.
    pub(crate) fn add(&'static self, addresses: Range<usize>) -> LiveRegion {
        self.lock().push(addresses.clone());
        LiveRegion { regions: self, addresses: Cell::new(Some(addresses)) }
    }
}

/// A region in the list.
pub(crate) struct LiveRegion {
    regions: &'static LiveRegions,
    addresses: Cell<Option<Range<usize>>>,
}

impl LiveRegion {
    /// Removes it from the list.
    pub(crate) fn clear(&self) {
        if let Some(addresses) = self.addresses.take() {
            self.regions.lock().retain(|one| *one != addresses);
        }
    }
}

impl Drop for LiveRegion {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The maximum number of attempts to read a region whose values are being written.
const MAX_ATTEMPTS: usize = 1000;

/// Adds up the fields of regions of this process, by their labels without this prefix.
pub(crate) fn sums(
    regions: impl IntoIterator<Item = Range<usize>>,
    prefix: &str,
) -> Result<BTreeMap<String, f64>, FileError> {
    // The threads write meanwhile, and only the kernel may read what another thread writes in
    // words of another size.
    let memory = File::open("/proc/self/mem")?;
    let mut reader = Reader::new();
    let mut sums = BTreeMap::new();
    for region in regions {
        for (label, value) in numbers(&mut reader, &memory, &region)? {
            *sums.entry(label.strip_prefix(prefix).unwrap_or(&label).to_owned()).or_default() +=
                value;
        }
    }
    Ok(sums)
}

/// Returns the fields of a region that can be added up.
fn numbers(
    reader: &mut Reader,
    memory: &File,
    region: &Range<usize>,
) -> Result<Vec<(String, f64)>, FileError> {
    for _ in 0..MAX_ATTEMPTS {
        let sample = match reader.read_at(memory, region.start as u64, region.len() as u64) {
            // Its thread has just removed it.
            Err(FileError::Format(FormatError::Uninitialised)) => return Ok(Vec::new()),
            sample => sample?,
        };
        let identity = sample.layout().identity();
        let fields = sample.fields().enumerate().filter(|(index, (field, _))| {
            let is_added = match field.kind {
                Kind::Counter | Kind::Histogram => true,
                Kind::Gauge => {
                    matches!(field.aggregation, Aggregation::Unspecified | Aggregation::Sum)
                }
                _ => false,
            };
            is_added && identity.field_at(*index).is_none()
        });
        let numbers = fields.map(|(_, (field, value))| {
            let number = match value? {
                Value::Histogram(distribution) => Some(distribution.count() as f64),
                other => other.as_f64(),
            };
            Ok((field.label.clone(), number.unwrap_or(0.0)))
        });
        match numbers.collect() {
            Err(ValueError::Contended) => {}
            numbers => return numbers.map_err(|error| io::Error::other(error).into()),
        }
    }
    let message = format!("a value was being written in all of {MAX_ATTEMPTS} attempts to read it");
    Err(io::Error::new(io::ErrorKind::WouldBlock, message).into())
}
