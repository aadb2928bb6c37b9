//! Sums over writers that do not go backwards when writers end.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mmstats_core::reader::ValueError;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;

use super::encoder::{Layout, Writer};
use super::family::Type;
use super::health::Health;
use super::identity::Identity;
use super::rivals::{Key, Taken};
use super::sum::Sum;
use super::{DroppedField, Page, Settings, write};
use crate::scraper::{OwnedValue, Scrape, WriterId, WriterSample};

/// Sums over all writers, kept from one look to the next.
///
/// Counters and histograms are the sums of what each writer has counted so far, those that have
/// ended since included. A gauge, and a float of unknown kind, is the sum over those that are not
/// known to be dead; but measures (temperatures, ratios, …) are averaged, and of dates (`unixtime`)
/// the latest counts. Integers of unknown kind are added up over all files that are there. Texts
/// and constants have no sum.
///
/// No counter goes back as long as these sums are kept, which is in memory only: new ones know
/// nothing of writers whose files are gone. A file that is moved is another writer where it comes
/// to be: what it had counted is counted again.
///
/// Where two sums cannot stand in one page (a counter became a gauge, or a histogram has another
/// scale), that of writers that run stands: what only ended ones have counted is forgotten then.
#[derive(Default)]
pub struct Totals {
    /// By numbers that ascend.
    sums: BTreeMap<usize, Sum>,
    last: usize,
    by_key: HashMap<Key, usize>,
    /// Which sum each of these fields adds to, by where they are.
    layouts: HashMap<usize, Targets>,
    /// By the number that no other writer has.
    writers: HashMap<u64, Known>,
    dropped: Vec<DroppedField>,
}

/// What sums were after one look was added.
pub struct Sums {
    fields: Vec<Field>,
    values: Vec<Result<OwnedValue, ValueError>>,
    dropped: Vec<DroppedField>,
}

impl Sums {
    /// A page of them, with the health of that look. `took` is how long that took.
    #[must_use]
    pub fn page(&self, scrape: &Scrape, took: Duration, settings: &Settings) -> Page {
        // Who writes what is not added up in the first place.
        let writers = vec![Writer { path: None, labels: String::new(), values: &self.values }];
        let layout = Layout { fields: &self.fields, identity: Identity::default(), writers };
        write(&[layout], self.dropped.clone(), &Health::new(scrape, took), settings)
    }
}

struct Targets {
    /// They are others' to keep; but as long as this is here, no others can come to lie in the same
    /// place.
    fields: Weak<[Field]>,
    sums: Arc<[Option<usize>]>,
}

/// A writer, and what was last read of what it counts.
struct Known {
    writer_id: Arc<WriterId>,
    has_ended: bool,
    fields: Arc<[Field]>,
    values: Vec<Option<OwnedValue>>,
}

impl Totals {
    /// Nothing added yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what has been counted since the look before, which has to be of the same
    /// [`Scraper`](crate::sampler::Sampler). With `live`, writers count only from when they were
    /// seen alive.
    pub fn add(&mut self, scrape: &Scrape, live: bool) {
        self.dropped.clear();
        for sum in self.sums.values_mut() {
            sum.forget_present();
        }
        for sample in &scrape.samples {
            if !live
                || sample.verdict.liveness == Liveness::Alive
                || self.writers.contains_key(&sample.writer_id.id)
            {
                self.add_writer(sample);
            }
        }
        // Writers that cannot be read for a while come back as the same.
        let sample: HashSet<u64> =
            scrape.samples.iter().map(|sample| sample.writer_id.id).collect();
        let hidden: HashSet<&Path> =
            scrape.errors.iter().map(|problem| problem.name.as_path()).collect();
        self.writers.retain(|id, known| {
            sample.contains(id) || hidden.contains(known.writer_id.name.as_path())
        });
        self.give_way();
        let layouts = self.layouts.len();
        self.layouts.retain(|_, targets| targets.fields.strong_count() > 0);
        if self.layouts.len() < layouts {
            self.forget_unused();
        }
    }

    /// What only writers that have ended have counted is no longer shown where others mean
    /// something else by its name.
    fn give_way(&mut self) {
        let layouts: HashSet<usize> = self
            .writers
            .values()
            .filter(|known| !known.has_ended)
            .map(|known| address(&known.fields))
            .collect();
        let targets = layouts.iter().filter_map(|address| self.layouts.get(address));
        let current: HashSet<usize> =
            targets.flat_map(|targets| targets.sums.iter().copied().flatten()).collect();
        let (current, ended): (Vec<_>, Vec<_>) =
            self.sums.iter().partition(|(at, _)| current.contains(at));
        if ended.is_empty() {
            return;
        }
        let taken = Taken::by(current.iter().map(|(_, sum)| (&sum.key, &sum.names[..])));
        let ended = ended.into_iter().filter(|(_, sum)| taken.excludes(&sum.key, &sum.names));
        for at in ended.map(|(at, _)| *at).collect::<Vec<_>>() {
            if let Some(sum) = self.sums.get_mut(&at) {
                sum.give_way();
            }
        }
    }

    /// Of what does not count, nothing stays when its last writer is gone.
    fn forget_unused(&mut self) {
        let used: HashSet<usize> = self
            .layouts
            .values()
            .flat_map(|targets| targets.sums.iter().copied().flatten())
            .collect();
        self.sums.retain(|at, sum| sum.lasts() || used.contains(at));
        self.by_key.retain(|_, at| self.sums.contains_key(at));
    }

    /// What the sums are now.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let (fields, values) = self
            .sums
            .values()
            .filter_map(Sum::get)
            .map(|(field, value)| (field, Ok(value)))
            .unzip();
        Sums { fields, values, dropped: self.dropped.clone() }
    }

    /// A page of them; see [`Sums::page`].
    #[must_use]
    pub fn page(&self, scrape: &Scrape, took: Duration, settings: &Settings) -> Page {
        self.sums().page(scrape, took, settings)
    }

    fn add_writer(&mut self, sample: &WriterSample) {
        let targets = self.targets(&sample.fields);
        let known = self.writers.entry(sample.writer_id.id).or_insert_with(|| Known::new(sample));
        known.follow(&sample.fields);
        known.has_ended = sample.verdict.liveness == Liveness::Dead;
        let has_ended = known.has_ended;
        for (index, (field, value)) in sample.fields.iter().zip(&sample.values).enumerate() {
            let (Some(sum), Some(before)) = (
                targets.get(index).copied().flatten().and_then(|at| self.sums.get_mut(&at)),
                known.values.get_mut(index),
            ) else {
                continue;
            };
            let added = match value {
                Ok(value) => sum.add(field, before, value, has_ended),
                Err(problem) => Err(problem.to_string()),
            };
            if let Err(reason) = added {
                self.dropped.push(DroppedField {
                    file: Some(sample.writer_id.name.clone()),
                    label: field.label.clone(),
                    reason,
                });
            }
        }
    }

    /// Which sum each of these fields adds to; none for those that have no sum.
    fn targets(&mut self, fields: &Arc<[Field]>) -> Arc<[Option<usize>]> {
        let address = address(fields);
        if let Some(targets) = self.layouts.get(&address) {
            return targets.sums.clone();
        }
        let identity = Identity::of(fields);
        let target = |(index, field): (usize, &Field)| {
            let ty = Type::from_field(field);
            (ty != Type::Info && !identity.contains(index)).then(|| self.target(field, ty))
        };
        let sums: Arc<[_]> = fields.iter().enumerate().map(target).collect();
        self.layouts
            .insert(address, Targets { fields: Arc::downgrade(fields), sums: sums.clone() });
        sums
    }

    fn target(&mut self, field: &Field, ty: Type) -> usize {
        let key = Key::of(field, ty);
        let at = *self.by_key.entry(key.clone()).or_insert_with(|| {
            self.last += 1;
            self.last
        });
        self.sums.entry(at).or_insert_with(|| Sum::new(key, field, ty)).widen(field);
        at
    }
}

fn address(fields: &Arc<[Field]>) -> usize {
    fields.as_ptr().addr()
}

impl Known {
    fn new(sample: &WriterSample) -> Self {
        Known {
            writer_id: sample.writer_id.clone(),
            has_ended: false,
            fields: sample.fields.clone(),
            values: vec![None; sample.fields.len()],
        }
    }

    /// A writer may add fields.
    fn follow(&mut self, fields: &Arc<[Field]>) {
        if Arc::ptr_eq(&self.fields, fields) {
            return;
        }
        // Several fields may have one label; their order stays.
        let mut old: HashMap<&str, VecDeque<(&Field, Option<OwnedValue>)>> = HashMap::new();
        for (field, value) in self.fields.iter().zip(self.values.drain(..)) {
            old.entry(&field.label).or_default().push_back((field, value));
        }
        let mut next = |label: &str| old.get_mut(label)?.pop_front();
        let same = |field: &Field| {
            next(&field.label)
                .filter(|(old, _)| old.kind == field.kind && old.location.ty == field.location.ty)
        };
        self.values = fields.iter().map(same).map(|old| old.and_then(|(_, value)| value)).collect();
        self.fields = fields.clone();
    }
}
