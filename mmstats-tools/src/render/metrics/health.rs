//! Metrics about the writers and the scrape itself.

use std::time::Duration;

use mmstats_std::liveness::Liveness;

use super::encoder::Encoder;
use super::escape::push_label;
use super::family::{Family, Type};
use super::number::MetricValue;
use crate::scraper::Scrape;

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

/// The health of one scrape.
pub(super) struct Health {
    writers: Vec<String>,
    alive: Vec<(String, MetricValue)>,
    counts: [(&'static str, u64); 3],
    failures: u64,
    duration: Duration,
    halted: Option<Duration>,
}

impl Health {
    pub(super) fn new(scrape: &Scrape, duration: Duration) -> Self {
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
            duration,
            halted: scrape.halted,
        }
    }

    /// Adds a writer with the label of its series and its identity labels.
    pub(super) fn add_writer(&mut self, label: &str, identity: String, liveness: Liveness) {
        if !identity.is_empty() {
            self.writers.push(format!("{label},{identity}"));
        }
        if liveness != Liveness::Unknown {
            self.alive.push((
                label.to_owned(),
                MetricValue::Unsigned((liveness == Liveness::Alive).into()),
            ));
        }
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
        let [writer, alive, writers, failures, dropped, duration, halted] = Self::families();
        encoder.write_own_family(
            &writer,
            self.writers.iter().map(|labels| (labels, MetricValue::Unsigned(1))),
        );
        encoder.write_own_family(&alive, self.alive.iter().map(|(label, value)| (label, *value)));
        encoder.write_own_family(
            &writers,
            self.counts
                .iter()
                .map(|(name, count)| (liveness_label(name), MetricValue::Unsigned(*count))),
        );
        encoder.write_own_family(&failures, [("", MetricValue::Unsigned(self.failures))]);
        let count = encoder.dropped_count() as u64;
        encoder.write_own_family(&dropped, [("", MetricValue::Unsigned(count))]);
        encoder
            .write_own_family(&duration, [("", MetricValue::Float(self.duration.as_secs_f64()))]);
        encoder.write_own_family(
            &halted,
            self.halted.map(|halted| ("", MetricValue::Float(halted.as_secs_f64()))),
        );
    }
}

fn liveness_label(name: &str) -> String {
    let mut label = String::new();
    push_label(&mut label, "liveness", name);
    label
}
