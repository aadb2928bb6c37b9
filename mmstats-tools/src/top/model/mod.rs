//! What all looks together tell: the writers, and rows of what they publish.
//!
//! A [`Writer`] keeps its last two sets of values, and by how much they grew. A [`Table`] adds them
//! up to rows: one for each label over all writers, and, while somebody wants to see that, one for
//! each label of each file or process.

mod history;
mod row;
mod table;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use mmstats_std::liveness::Liveness;

use crate::scraper::{OwnedValue, Scrape, ScrapeError};
use crate::series::HistogramSnapshot;
pub(crate) use history::History;
pub(crate) use row::{Aggregation, Class, Row};
pub(crate) use table::{Scope, Table};
pub(crate) use writer::Writer;

/// How many looks a history reaches back.
pub(crate) const LOOKS: usize = 240;

/// Everything that is known.
pub(crate) struct Model {
    writers: BTreeMap<u64, Writer>,
    all: Table,
    /// By file or process, while that is wanted.
    split: Option<Table>,
    /// When the last looks were made.
    pub(crate) times: History<f64>,
    last: Option<Duration>,
    /// When the last look was made, by the clock on the wall.
    pub(crate) time: SystemTime,
    /// What the last look could not read.
    pub(crate) errors: Vec<ScrapeError>,
    /// For how long devices stood still.
    pub(crate) halted: Option<Duration>,
}

/// How many writers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) alive: usize,
    pub(crate) dead: usize,
    pub(crate) unknown: usize,
    pub(crate) fields: usize,
}

/// What has been recorded in histograms.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recorded {
    /// Since the look before.
    pub(crate) lately: HistogramSnapshot,
    /// Since the beginning.
    pub(crate) ever: HistogramSnapshot,
}

/// What one writer contributes to a row.
pub(crate) struct Part<'m> {
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

    /// Takes a look in.
    pub(crate) fn take(&mut self, scrape: Scrape) {
        let passed = self.last.map(|last| scrape.elapsed.saturating_sub(last).as_secs_f64());
        self.last = Some(scrape.elapsed);
        self.times.push(scrape.elapsed.as_secs_f64());
        (self.time, self.errors, self.halted) = (scrape.time, scrape.errors, scrape.halted);
        self.writers.values_mut().for_each(Writer::begin);
        for sample in scrape.samples {
            match self.writers.get_mut(&sample.writer_id.id) {
                Some(writer) => writer.see(sample),
                None => {
                    self.writers.insert(sample.writer_id.id, Writer::new(sample));
                }
            }
        }
        let gone = self.take_out_gone();
        for table in [Some(&mut self.all), self.split.as_mut()].into_iter().flatten() {
            table.update(&self.writers, &gone, passed);
        }
    }

    /// Writers that are there no more. One that only could not be read this time stays, so that it
    /// goes on where it was.
    fn take_out_gone(&mut self) -> Vec<Writer> {
        let unreadable: HashSet<&Path> =
            self.errors.iter().map(|problem| problem.name.as_path()).collect();
        let is_gone = |writer: &Writer| {
            !writer.is_seen && !unreadable.contains(writer.writer_id.name.as_path())
        };
        let gone: Vec<u64> = self
            .writers
            .values()
            .filter(|writer| is_gone(writer))
            .map(|writer| writer.writer_id.id)
            .collect();
        gone.iter().filter_map(|id| self.writers.remove(id)).collect()
    }

    /// The rows of this scope, if it is the one that was wanted.
    pub(crate) fn table(&self) -> &Table {
        self.split.as_ref().unwrap_or(&self.all)
    }

    /// Has rows of this scope from now on.
    pub(crate) fn set_scope(&mut self, scope: Scope) {
        if scope == self.table().scope {
            return;
        }
        self.split = (scope != Scope::All).then(|| {
            let mut table = Table::new(scope);
            // Without time that passed there are no rates yet.
            table.update(&self.writers, &[], None);
            table
        });
    }

    pub(crate) fn census(&self) -> Census {
        let mut census = Census::default();
        for writer in self.writers.values() {
            census.fields += writer.fields.len();
            match writer.verdict.liveness {
                Liveness::Alive => census.alive += 1,
                Liveness::Dead => census.dead += 1,
                Liveness::Unknown => census.unknown += 1,
            }
        }
        census
    }

    /// Seconds between the last two looks.
    fn passed(&self) -> Option<f64> {
        let mut last = self.times.iter().rev();
        let (now, before) = (last.next()?, last.next()?);
        Some(now - before).filter(|passed| *passed > 0.0)
    }

    /// The writers of a row.
    pub(crate) fn parts(&self, row: &Row) -> Vec<Part<'_>> {
        let passed = self.passed();
        let part = |(writer, index): (&u64, usize)| {
            let writer = self.writers.get(writer)?;
            let grown = writer.grown(index).filter(|_| row.class.is_counting());
            let rate = grown.and_then(|grown| Some(grown.as_f64() / passed?));
            Some(Part { writer, value: writer.value(index), rate })
        };
        self.table().links(row).filter_map(part).collect()
    }

    /// What the histograms of a row recorded.
    pub(crate) fn recorded(&self, row: &Row) -> Recorded {
        let mut recorded = Recorded::default();
        for (id, index) in self.table().links(row) {
            let Some(writer) = self.writers.get(id) else { continue };
            if let Some(OwnedValue::Histogram(now)) = writer.value(index) {
                recorded.ever.add(now);
                if let Some(lately) = writer.recorded_lately(index) {
                    recorded.lately.add(&lately);
                }
            }
        }
        recorded
    }
}
