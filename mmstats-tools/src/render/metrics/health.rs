//! Metrics about the writers and the scrape itself.

use std::time::Duration;

use mmstats_std::liveness::Liveness;

use super::encoder::Encoder;
use super::escape::push_label;
use super::family::{Family, Type};
use super::number::MetricValue;
use crate::render::json::liveness_name;
use crate::scraper::{Scrape, WriterSample};

/// Names and help texts of these families; all names start with `mmstats.`.
const WRITER: (&str, &str) = ("mmstats.writer", "The writer of a file.");
const ALIVE: (&str, &str) = (
    "mmstats.writer.alive",
    "Whether the writer of a file runs; absent if that cannot be determined.",
);
const WRITERS: (&str, &str) = (
    "mmstats.writers",
    "Files and regions that were read, by liveness of their writer; those of dead writers are stale.",
);
const FAILURES: (&str, &str) =
    ("mmstats.read_failures", "Files and regions that could not be read completely.");
const DROPPED: (&str, &str) =
    ("mmstats.dropped_fields", "Fields that cannot be exported, or whose names collide.");
const DURATION: (&str, &str) = ("mmstats.scrape_duration", "Time that reading everything took.");
const HALTED: (&str, &str) =
    ("mmstats.target_halt", "Time that target devices were halted to be read.");

/// The health of one scrape: the samples of each of its families, with their labels.
pub(super) struct Health([Vec<(String, MetricValue)>; 7]);

impl Health {
    pub(super) fn new(scrape: &Scrape, duration: Duration) -> Self {
        let writers = [Liveness::Alive, Liveness::Dead, Liveness::Unknown].map(|liveness| {
            let is_counted = |sample: &&WriterSample| sample.verdict.liveness == liveness;
            let mut label = String::new();
            push_label(&mut label, "liveness", liveness_name(liveness));
            (label, count(scrape.samples.iter().filter(is_counted).count()))
        });
        let one = |value| vec![(String::new(), value)];
        let seconds = |time: Duration| one(MetricValue::seconds(time));
        Health([
            Vec::new(),
            Vec::new(),
            writers.into(),
            one(count(scrape.errors.len())),
            one(count(0)),
            seconds(duration),
            scrape.halted.map(seconds).unwrap_or_default(),
        ])
    }

    /// Adds a writer with the label of its series and its identity labels.
    pub(super) fn add_writer(&mut self, label: &str, identity: &str, liveness: Liveness) {
        let [writers, alive, ..] = &mut self.0;
        if !identity.is_empty() {
            writers.push((format!("{label},{identity}"), count(1)));
        }
        if liveness != Liveness::Unknown {
            alive.push((label.to_owned(), count((liveness == Liveness::Alive).into())));
        }
    }

    /// Sets the number of fields that the page lacks.
    pub(super) fn set_dropped(&mut self, fields: usize) {
        let [.., dropped, _, _] = &mut self.0;
        dropped.iter_mut().for_each(|(_, value)| *value = count(fields));
    }

    /// Returns all families that a page can have.
    pub(super) fn families() -> [Family; 7] {
        let gauge = |(name, help), unit| Family::new(name, Type::Gauge, unit, help);
        [
            Family::new(WRITER.0, Type::Info, "", WRITER.1),
            gauge(ALIVE, ""),
            gauge(WRITERS, ""),
            gauge(FAILURES, ""),
            gauge(DROPPED, ""),
            gauge(DURATION, "seconds"),
            gauge(HALTED, "seconds"),
        ]
    }

    pub(super) fn write(&self, encoder: &mut Encoder) {
        for (family, samples) in Self::families().iter().zip(&self.0) {
            encoder.write_own_family(family, samples);
        }
    }
}

fn count(number: usize) -> MetricValue {
    MetricValue::count(number as u64)
}
