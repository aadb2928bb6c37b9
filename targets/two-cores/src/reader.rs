//! How the reading core reads: as anybody does who sees the memory.

use mmstats_core::View;
use mmstats_core::reader::{ReadBuffers, ValueLocation, ReadPlan, Value, read};

/// How often a read is tried before it is given up as contended.
const ATTEMPTS: u32 = 128;

/// Reads the values of a region, which are unsigned numbers.
pub(crate) struct Reader<'a, const VALUES: usize> {
    view: &'a View<'a>,
    images: ReadBuffers<'a>,
    locations: [ValueLocation; VALUES],
    plan: ReadPlan,
    retried: u32,
}

impl<'a, const VALUES: usize> Reader<'a, VALUES> {
    /// Waits until the values are published, and remembers where they are.
    pub(crate) fn new(view: &'a View<'a>, mut images: ReadBuffers<'a>) -> Self {
        let locations: [ValueLocation; VALUES] = loop {
            let Ok((directory, _)) = read(view, &mut images) else { continue };
            let mut locations = directory.entries().flatten().map(|entry| entry.location);
            if locations.clone().count() == VALUES {
                break core::array::from_fn(|_| locations.next().expect("they have been counted"));
            }
        };
        let plan = locations.iter().fold(ReadPlan::default(), |plan, location| plan.with(location));
        Reader { view, images, locations, plan, retried: 0 }
    }

    /// The values at one time; `None` if they were being written in every attempt.
    pub(crate) fn read(&mut self) -> Option<[u64; VALUES]> {
        for _ in 0..ATTEMPTS {
            let Ok(whole) = self.images.sample(self.view, &self.plan);
            let snapshot = self.images.snapshot();
            if whole
                && snapshot.is_consistent()
                && !self.locations.iter().any(|location| snapshot.is_contended(location))
            {
                return Some(self.locations.map(|location| match snapshot.value(&location) {
                    Ok(Value::Unsigned(value)) => value,
                    other => {
                        panic!("an unsigned number was published, and this was read: {other:?}")
                    }
                }));
            }
            self.retried += 1;
        }
        None
    }

    /// Attempts that met a write, of all reads.
    pub(crate) fn retried(&self) -> u32 {
        self.retried
    }
}
