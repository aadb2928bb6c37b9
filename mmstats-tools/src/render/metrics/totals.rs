//! Sums over writers that do not decrease when writers end.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use mmstats_core::reader::ValueError;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;

use super::encoder::{Layout, SeriesValues};
use super::family::Type;
use super::health::Health;
use super::identity::Identity;
use super::name_conflicts::{SumKey, UsedNames};
use super::sum::Sum;
use super::{DroppedField, Page, Settings, write};
use crate::scraper::{OwnedValue, Scrape, WriterId, WriterSample};
use crate::series::Contributor;

/// Sums over all writers, kept from one scrape to the next.
///
/// Values are combined by the rules of [`series`](crate::series). Counters and histograms are what
/// each writer has counted so far, including writers that have ended since; everything else is the
/// state of the last scrape. Texts and constants have no sum.
///
/// Counters do not decrease while these sums are kept. They are in memory only, so new ones do not
/// include writers whose files are gone. A moved file is another writer, so its counters are added
/// again; a file that its running process created again is not.
///
/// Where two sums cannot stand in one page (a counter became a gauge, a histogram has another
/// scale, or a field states another aggregation), that of running writers is shown, and what only
/// dead ones have counted is dropped.
///
/// Counters of writers that have ended stay, so that writers which come with new labels again and
/// again would fill the memory of a program that runs for long: see [`Totals::with_max_bytes`].
#[derive(Default)]
pub struct Totals {
    /// In the order of their first fields.
    sums: BTreeMap<usize, Sum>,
    last: usize,
    by_key: HashMap<SumKey, usize>,
    /// The memory of the sums.
    bytes: usize,
    max_bytes: Option<usize>,
    /// The sums that fields add to, by the address of the fields.
    layouts: HashMap<usize, Targets>,
    /// By the ids of writers.
    writers: HashMap<u64, CountedWriter>,
    dropped: Vec<DroppedField>,
}

/// The sums after a scrape was added.
pub struct Sums {
    fields: Vec<Field>,
    values: Vec<Result<OwnedValue, ValueError>>,
    dropped: Vec<DroppedField>,
}

impl Sums {
    /// Renders a page with the health of that scrape, which took this long.
    #[must_use]
    pub fn page(&self, scrape: &Scrape, duration: Duration, settings: &Settings) -> Page {
        // Identity fields are not added.
        let writers =
            vec![SeriesValues { path: None, labels: String::new(), values: &self.values }];
        let layout = Layout { fields: &self.fields, identity: Identity::default(), writers };
        write(&[layout], self.dropped.clone(), Health::new(scrape, duration), settings)
    }
}

struct Targets {
    /// Does not keep them alive, but keeps their address from being used for others.
    fields: Weak<[Field]>,
    sums: Arc<[Option<usize>]>,
    /// The number of fields without a sum because the memory is used up, and the label of one.
    without_memory: Option<(usize, String)>,
}

/// A writer, and the last values that could be read.
struct CountedWriter {
    writer_id: Arc<WriterId>,
    has_ended: bool,
    fields: Arc<[Field]>,
    values: Vec<Option<OwnedValue>>,
}

impl Totals {
    /// Creates sums without writers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates sums whose memory is bounded: fields that would need more are dropped, and reported
    /// once for each writer.
    #[must_use]
    pub fn with_max_bytes(bytes: usize) -> Self {
        Totals { max_bytes: Some(bytes), ..Self::default() }
    }

    /// Adds what has been counted since the last scrape, which has to be of the same
    /// [`Scraper`](crate::scraper::Scraper). With `live`, writers count only once they were alive
    /// in a scrape.
    pub fn add(&mut self, scrape: &Scrape, live: bool) {
        self.dropped.clear();
        for sum in self.sums.values_mut() {
            sum.begin_scrape();
        }
        for sample in &scrape.samples {
            if !live
                || sample.verdict.liveness == Liveness::Alive
                || self.writers.contains_key(&sample.writer_id.id)
            {
                self.add_writer(sample);
            }
        }
        let present: HashSet<u64> =
            scrape.samples.iter().map(|sample| sample.writer_id.id).collect();
        let unread = scrape.unread_writers();
        self.writers
            .retain(|id, known| present.contains(id) || unread.may_return(&known.writer_id));
        self.retire_conflicting();
        let layouts = self.layouts.len();
        self.layouts.retain(|_, targets| targets.fields.strong_count() > 0);
        if self.layouts.len() < layouts {
            self.remove_unused();
            // Memory may be free now.
            self.layouts.retain(|_, targets| targets.without_memory.is_none());
        }
    }

    /// Retires the sums of dead writers whose names mean something else to other writers.
    fn retire_conflicting(&mut self) {
        let layouts: HashSet<usize> = self
            .writers
            .values()
            .filter(|known| !known.has_ended)
            .map(|known| address(&known.fields))
            .collect();
        let targets = layouts.iter().filter_map(|address| self.layouts.get(address));
        let current: HashSet<usize> =
            targets.flat_map(|targets| targets.sums.iter().copied().flatten()).collect();
        let (current, dead): (Vec<_>, Vec<_>) =
            self.sums.iter().partition(|(at, _)| current.contains(at));
        if dead.is_empty() {
            return;
        }
        let used = UsedNames::from_sums(current.iter().map(|(_, sum)| (&sum.key, &sum.names[..])));
        let dead = dead.into_iter().filter(|(_, sum)| used.conflicts_with(&sum.key, &sum.names));
        for at in dead.map(|(at, _)| *at).collect::<Vec<_>>() {
            if let Some(sum) = self.sums.get_mut(&at) {
                sum.retire();
            }
        }
    }

    /// Removes sums of gauges whose last writer is gone.
    fn remove_unused(&mut self) {
        let used: HashSet<usize> = self
            .layouts
            .values()
            .flat_map(|targets| targets.sums.iter().copied().flatten())
            .collect();
        self.sums.retain(|at, sum| sum.persists() || used.contains(at));
        self.bytes = self.sums.values().map(Sum::bytes).sum();
        self.by_key.retain(|_, at| self.sums.contains_key(at));
    }

    /// Returns the sums.
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

    /// Renders a page of them; see [`Sums::page`].
    #[must_use]
    pub fn page(&self, scrape: &Scrape, duration: Duration, settings: &Settings) -> Page {
        self.sums().page(scrape, duration, settings)
    }

    fn add_writer(&mut self, sample: &WriterSample) {
        let targets = self.targets(&sample.fields);
        let without_memory = self
            .layouts
            .get(&address(&sample.fields))
            .and_then(|targets| targets.without_memory.as_ref());
        if let (Some((fields, label)), Some(max_bytes)) = (without_memory, self.max_bytes) {
            let reason = format!("dropped, as {fields} in all: all sums have {max_bytes} bytes");
            let (file, label) = (Some(sample.writer_id.name.clone()), label.clone());
            self.dropped.push(DroppedField { file, label, reason });
        }
        let known =
            self.writers.entry(sample.writer_id.id).or_insert_with(|| CountedWriter::new(sample));
        known.update_fields(&sample.fields);
        let writer = Contributor::new(&sample.writer_id, sample.verdict);
        known.has_ended = writer.has_ended;
        for (index, (field, value)) in sample.fields.iter().zip(&sample.values).enumerate() {
            let (Some(sum), Some(before)) = (
                targets.get(index).copied().flatten().and_then(|at| self.sums.get_mut(&at)),
                known.values.get_mut(index),
            ) else {
                continue;
            };
            let added = match value {
                Ok(value) => sum.add(field, before, value, writer),
                Err(error) => Err(error.to_string()),
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

    /// Returns the sum that each of these fields adds to; `None` for those without a sum.
    fn targets(&mut self, fields: &Arc<[Field]>) -> Arc<[Option<usize>]> {
        let address = address(fields);
        if let Some(targets) = self.layouts.get(&address) {
            return targets.sums.clone();
        }
        let identity = Identity::find(fields);
        let mut without_memory = None;
        let target = |(index, field): (usize, &Field)| {
            let ty = Type::from_field(field);
            if ty == Type::Info || identity.contains(index) {
                return None;
            }
            let target = self.target(field, ty);
            if target.is_none() {
                without_memory.get_or_insert_with(|| (0, field.label.clone())).0 += 1;
            }
            target
        };
        let sums: Arc<[_]> = fields.iter().enumerate().map(target).collect();
        let targets =
            Targets { fields: Arc::downgrade(fields), sums: sums.clone(), without_memory };
        self.layouts.insert(address, targets);
        sums
    }

    /// Returns the sum that a field adds to; `None` if the memory for a new one is used up.
    fn target(&mut self, field: &Field, ty: Type) -> Option<usize> {
        let key = SumKey::from_field(field, ty);
        if let Some(at) = self.by_key.get(&key) {
            self.sums.get_mut(at)?.merge_bounds(field);
            return Some(*at);
        }
        let sum = Sum::new(key.clone(), field, ty);
        if self.max_bytes.is_some_and(|max_bytes| self.bytes + sum.bytes() > max_bytes) {
            return None;
        }
        self.bytes += sum.bytes();
        self.last += 1;
        self.by_key.insert(key, self.last);
        self.sums.insert(self.last, sum);
        Some(self.last)
    }
}

fn address(fields: &Arc<[Field]>) -> usize {
    fields.as_ptr().addr()
}

impl CountedWriter {
    fn new(sample: &WriterSample) -> Self {
        CountedWriter {
            writer_id: sample.writer_id.clone(),
            has_ended: false,
            fields: sample.fields.clone(),
            values: vec![None; sample.fields.len()],
        }
    }

    /// Keeps the values of the fields that are still there.
    fn update_fields(&mut self, fields: &Arc<[Field]>) {
        if Arc::ptr_eq(&self.fields, fields) {
            return;
        }
        // Several fields may have one label; their order does not change.
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
