//! All scrapes together: the writers, and the rows of their fields.
//!
//! A [`Writer`] keeps its values of the last two scrapes and their deltas. A [`Table`] aggregates
//! them to rows: one for each label over all writers, and, if that is chosen, one for each label of
//! each file or process.

mod history;
mod row;
mod table;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, SystemTime};

use mmstats_std::liveness::Liveness;

use crate::scraper::{OwnedValue, Scrape, ScrapeError, UnreadWriters};
use crate::series::HistogramSnapshot;
pub(crate) use crate::series::{Aggregation, Class};
pub(crate) use history::History;
pub(crate) use row::Row;
pub(crate) use table::{Scope, Table};
pub(crate) use writer::Writer;

/// The number of scrapes in a history.
pub(crate) const HISTORY_SCRAPES: usize = 240;

/// The state of all writers and rows.
pub(crate) struct Model {
    writers: BTreeMap<u64, Writer>,
    all: Table,
    /// By file or process, while that is chosen.
    split: Option<Table>,
    /// The times of the last scrapes, in seconds since the first one.
    pub(crate) times: History<f64>,
    last: Option<Duration>,
    /// The time of the last scrape.
    pub(crate) time: SystemTime,
    /// The errors of the last scrape.
    pub(crate) errors: Vec<ScrapeError>,
    /// For how long devices were halted.
    pub(crate) halted: Option<Duration>,
}

/// The number of writers and fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) alive: usize,
    pub(crate) dead: usize,
    pub(crate) unknown: usize,
    pub(crate) fields: usize,
}

/// The values in the histograms of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recorded {
    /// Since the previous scrape.
    pub(crate) since_last_scrape: HistogramSnapshot,
    /// Since the writers' start.
    pub(crate) total: HistogramSnapshot,
}

/// The contribution of a writer to a row.
pub(crate) struct Contribution<'m> {
    pub(crate) writer: &'m Writer,
    /// Its value, if it could be read.
    pub(crate) value: Option<&'m OwnedValue>,
    /// Its change per second.
    pub(crate) rate: Option<f64>,
}

impl Model {
    pub(crate) fn new() -> Self {
        Model {
            writers: BTreeMap::new(),
            all: Table::new(Scope::All),
            split: None,
            times: History::new(),
            last: None,
            time: SystemTime::UNIX_EPOCH,
            errors: Vec::new(),
            halted: None,
        }
    }

    /// Applies a scrape.
    pub(crate) fn apply(&mut self, mut scrape: Scrape) {
        let passed = self.last.map(|last| scrape.elapsed.saturating_sub(last).as_secs_f64());
        self.last = Some(scrape.elapsed);
        self.times.push(scrape.elapsed.as_secs_f64());
        self.writers.values_mut().for_each(Writer::begin_scrape);
        for sample in mem::take(&mut scrape.samples) {
            match self.writers.get_mut(&sample.writer_id.id) {
                Some(writer) => writer.observe(sample),
                None => {
                    self.writers.insert(sample.writer_id.id, Writer::new(sample));
                }
            }
        }
        let gone = self.remove_gone(&scrape.unread_writers());
        (self.time, self.errors, self.halted) = (scrape.time, scrape.errors, scrape.halted);
        for table in [Some(&mut self.all), self.split.as_mut()].into_iter().flatten() {
            table.update(&self.writers, &gone, passed);
        }
    }

    /// Removes and returns writers that are gone. One that could not be read this time stays.
    fn remove_gone(&mut self, unread: &UnreadWriters<'_>) -> Vec<Writer> {
        let is_gone = |writer: &Writer| !writer.is_present && !unread.has_file(&writer.writer_id);
        let gone: Vec<u64> = self
            .writers
            .values()
            .filter(|writer| is_gone(writer))
            .map(|writer| writer.writer_id.id)
            .collect();
        gone.iter().filter_map(|id| self.writers.remove(id)).collect()
    }

    /// Returns the rows of the chosen scope.
    pub(crate) fn table(&self) -> &Table {
        self.split.as_ref().unwrap_or(&self.all)
    }

    /// Chooses the scope of rows.
    pub(crate) fn set_scope(&mut self, scope: Scope) {
        if scope == self.table().scope {
            return;
        }
        self.split = (scope != Scope::All).then(|| {
            let mut table = Table::new(scope);
            // There are no rates before the next scrape.
            table.update(&self.writers, &[], None);
            table
        });
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for writer in self.writers.values() {
            counts.fields += writer.fields.len();
            match writer.verdict.liveness {
                Liveness::Alive => counts.alive += 1,
                Liveness::Dead => counts.dead += 1,
                Liveness::Unknown => counts.unknown += 1,
            }
        }
        counts
    }

    /// Returns the seconds between the last two scrapes.
    fn passed(&self) -> Option<f64> {
        let mut last = self.times.iter().rev();
        let (now, before) = (last.next()?, last.next()?);
        Some(now - before).filter(|passed| *passed > 0.0)
    }

    /// Returns the contributions of all writers to a row.
    pub(crate) fn contributions(&self, row: &Row) -> Vec<Contribution<'_>> {
        let passed = self.passed();
        let contribution = |(writer, index): (&u64, usize)| {
            let writer = self.writers.get(writer)?;
            let delta = writer.delta(index).filter(|_| row.class.is_cumulative());
            let rate = delta.and_then(|delta| Some(delta.as_f64() / passed?));
            Some(Contribution { writer, value: writer.value(index), rate })
        };
        self.table().links(row).filter_map(contribution).collect()
    }

    /// Returns the values in the histograms of a row.
    pub(crate) fn recorded(&self, row: &Row) -> Recorded {
        let mut recorded = Recorded::default();
        for (id, index) in self.table().links(row) {
            let Some(writer) = self.writers.get(id) else { continue };
            if let Some(OwnedValue::Histogram(now)) = writer.value(index) {
                recorded.total.add(now);
                if let Some(recent) = writer.recorded_since_last_scrape(index) {
                    recorded.since_last_scrape.add(&recent);
                }
            }
        }
        recorded
    }
}
