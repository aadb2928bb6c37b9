//! What a page tells of the writers themselves, and of how it was made.

use std::time::Duration;

use mmstats_std::liveness::Liveness;

use super::escape::push_label;
use super::family::{Family, Type};
use super::number::DisplayValue;
use super::page::Pen;
use crate::scraper::Scrape;

/// The names, units and help texts of these families; all begin with `mmstats.`.
const WRITER: (&str, &str) = ("mmstats.writer", "Who writes a file.");
const ALIVE: (&str, &str) =
    ("mmstats.writer.alive", "Whether a file's writer runs; not there if that cannot be seen.");
const WRITERS: (&str, &str) = (
    "mmstats.writers",
    "Files and regions that were read, by whether their writer runs; those of dead writers are stale.",
);
const FAILURES: (&str, &str) =
    ("mmstats.read_failures", "Files and regions that could not be read, or not wholly.");
const LEFT_OUT: (&str, &str) =
    ("mmstats.left_out", "Fields that cannot be shown, or whose names collide.");
const DURATION: (&str, &str) = ("mmstats.scrape_duration", "How long it took to read everything.");
const HALTED: (&str, &str) = ("mmstats.halted", "For how long devices stood still to be read.");

/// What is told of this look.
pub(super) struct Health {
    writers: Vec<String>,
    alive: Vec<(String, DisplayValue)>,
    counts: [(&'static str, u64); 3],
    failures: u64,
    took: Duration,
    halted: Option<Duration>,
}

impl Health {
    pub(super) fn new(scrape: &Scrape, took: Duration) -> Self {
        let count = |liveness| {
            scrape.samples.iter().filter(|sample| sample.verdict.liveness == liveness).count()
                as u64
        };
        let counts =
            [("alive", Liveness::Alive), ("dead", Liveness::Dead), ("unknown", Liveness::Unknown)];
        Health {
            writers: Vec::new(),
            alive: Vec::new(),
            counts: counts.map(|(name, liveness)| (name, count(liveness))),
            failures: scrape.errors.len() as u64,
            took,
            halted: scrape.halted,
        }
    }

    /// Adds a writer, by the label that its series have, and what else is known of it.
    pub(super) fn writer(&mut self, label: &str, identity: String, liveness: Liveness) {
        if !identity.is_empty() {
            self.writers.push(format!("{label},{identity}"));
        }
        if liveness != Liveness::Unknown {
            self.alive.push((
                label.to_owned(),
                DisplayValue::Unsigned((liveness == Liveness::Alive).into()),
            ));
        }
    }

    /// All families that there can be.
    pub(super) fn families() -> [Family; 7] {
        let gauge = |(name, help), unit| Family::new(name, Type::Gauge, unit, help);
        [
            Family::new(WRITER.0, Type::Info, "", WRITER.1),
            gauge(ALIVE, ""),
            gauge(WRITERS, ""),
            gauge(FAILURES, ""),
            gauge(LEFT_OUT, ""),
            gauge(DURATION, "seconds"),
            gauge(HALTED, "seconds"),
        ]
    }

    pub(super) fn write(&self, pen: &mut Pen) {
        let [writer, alive, writers, failures, left_out, duration, halted] = Self::families();
        pen.own(&writer, self.writers.iter().map(|labels| (labels, DisplayValue::Unsigned(1))));
        pen.own(&alive, self.alive.iter().map(|(label, value)| (label, *value)));
        pen.own(
            &writers,
            self.counts
                .iter()
                .map(|(name, count)| (liveness(name), DisplayValue::Unsigned(*count))),
        );
        pen.own(&failures, [("", DisplayValue::Unsigned(self.failures))]);
        let count = pen.left_out() as u64;
        pen.own(&left_out, [("", DisplayValue::Unsigned(count))]);
        pen.own(&duration, [("", DisplayValue::Float(self.took.as_secs_f64()))]);
        pen.own(&halted, self.halted.map(|halted| ("", DisplayValue::Float(halted.as_secs_f64()))));
    }
}

fn liveness(name: &str) -> String {
    let mut label = String::new();
    push_label(&mut label, "liveness", name);
    label
}
