//! Reads like any reader of the memory.

use mmstats_core::View;
use mmstats_core::reader::{ReadBuffers, ReadPlan, Value, ValueLocation, read};

/// Attempts of a read before it is reported as contended.
const ATTEMPTS: u32 = 128;

/// Reads the values of a region, all of them unsigned numbers.
pub(crate) struct Reader<'a, const VALUES: usize> {
    view: &'a View<'a>,
    buffers: ReadBuffers<'a>,
    locations: [ValueLocation; VALUES],
    plan: ReadPlan,
    retried: u32,
}

impl<'a, const VALUES: usize> Reader<'a, VALUES> {
    /// Waits until the values are published, and keeps their locations.
    pub(crate) fn new(view: &'a View<'a>, mut buffers: ReadBuffers<'a>) -> Self {
        let locations: [ValueLocation; VALUES] = loop {
            let Ok((directory, _)) = read(view, &mut buffers) else { continue };
            let mut locations = directory.entries().flatten().map(|entry| entry.location);
            if locations.clone().count() == VALUES {
                break core::array::from_fn(|_| locations.next().expect("they have been counted"));
            }
        };
        let plan = locations.iter().fold(ReadPlan::default(), |plan, location| plan.with(location));
        Reader { view, buffers, locations, plan, retried: 0 }
    }

    /// Returns the values at one time; `None` if every attempt met a write.
    pub(crate) fn read(&mut self) -> Option<[u64; VALUES]> {
        for _ in 0..ATTEMPTS {
            let Ok(whole) = self.buffers.sample(self.view, &self.plan);
            let snapshot = self.buffers.snapshot();
            if whole
                && snapshot.is_consistent()
                && !self.locations.iter().any(|location| snapshot.is_contended(location))
            {
                return Some(self.locations.map(|location| match snapshot.value(&location) {
                    Ok(Value::Unsigned(value)) => value,
                    other => panic!("not an unsigned number: {other:?}"),
                }));
            }
            self.retried += 1;
        }
        None
    }

    /// Returns the attempts that met a write, of all reads.
    pub(crate) fn retried(&self) -> u32 {
        self.retried
    }
}
