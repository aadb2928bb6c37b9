//! How the reading core reads: as anybody does who sees the memory.

use mmstats_core::View;
use mmstats_core::reader::{Images, Place, Plan, Value, read};

/// How often a read is tried before it is given up as contended.
const ATTEMPTS: u32 = 128;

/// Reads the values of a region, which are unsigned numbers.
pub(crate) struct Reader<'a, const VALUES: usize> {
    view: &'a View<'a>,
    images: Images<'a>,
    places: [Place; VALUES],
    plan: Plan,
    retried: u32,
}

impl<'a, const VALUES: usize> Reader<'a, VALUES> {
    /// Waits until the values are published, and remembers where they are.
    pub(crate) fn new(view: &'a View<'a>, mut images: Images<'a>) -> Self {
        let places: [Place; VALUES] = loop {
            let Ok((directory, _)) = read(view, &mut images) else { continue };
            let mut places = directory.entries().flatten().map(|entry| entry.place);
            if places.clone().count() == VALUES {
                break core::array::from_fn(|_| places.next().expect("they have been counted"));
            }
        };
        let plan = places.iter().fold(Plan::default(), |plan, place| plan.with(place));
        Reader { view, images, places, plan, retried: 0 }
    }

    /// The values at one time; `None` if they were being written in every attempt.
    pub(crate) fn read(&mut self) -> Option<[u64; VALUES]> {
        for _ in 0..ATTEMPTS {
            let Ok(whole) = self.images.sample(self.view, &self.plan);
            let snapshot = self.images.snapshot();
            if whole
                && snapshot.is_steady()
                && !self.places.iter().any(|place| snapshot.is_contended(place))
            {
                return Some(self.places.map(|place| match snapshot.value(&place) {
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
