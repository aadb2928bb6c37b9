//! Writes the exposition formats: Prometheus' text format 0.0.4, and OpenMetrics 1.0.
//!
//! [`per_writer`] renders a [`Scrape`] with separate series for each writer; [`Totals`] aggregates
//! over writers.
//!
//! ```text
//! # HELP web_stats_status_2XX_total Responses with a 2xx status.
//! # TYPE web_stats_status_2XX_total counter
//! web_stats_status_2XX_total{file="/dev/shm/web-42-43.mmstats"} 7
//! ```
//!
//! **Types** are those of the fields: counter, gauge, histogram. Nothing is guessed: a number
//! without a kind, like all numbers of version 1, is `untyped` (in OpenMetrics `unknown`). Booleans
//! are gauges of 0 and 1. Prometheus has no texts: a text or a constant becomes an info metric,
//! whose value is always 1, with the labels `value` and `unit`. A text that changes often creates
//! many series, so exclude it by its label.
//!
//! **Names** are labels with everything but ASCII letters, digits and `_` replaced by `_`, and a
//! `_` before a leading digit. The base unit is appended unless it is there already
//! (`_timestamp_seconds` for `unixtime`), then `_total` for counters or `_info`. The suffix
//! `.histogram` of a histogram becomes `_distribution`: types do not belong in names, and a timer's
//! mean has the name without it. Dimensions, as in `http{method="GET"}`, become labels; dimensions
//! named `file`, `textfile`, `le`, `quantile` (for infos also `value` and `unit`) get the prefix
//! `exported_`. If the braces of a label hold no dimensions, they belong to the name.
//!
//! **Collisions** are never merged: of two families with one name, the first in alphabetical order
//! of labels is shown, and the other is a [`DroppedField`]. So are duplicate series, and counters
//! that are negative or NaN.
//!
//! **Values** that do not exist yet, of a minimum or maximum that was never set, have no sample.
//!
//! **Numbers** are in base units. Unscaled integers are exact; floats are written in the shortest
//! form that parses to the same value.
//!
//! **Histograms** have a bound per power of two, independent of the recorded values.
//!
//! **Writers**: series differ only by `file`, the path (of a region in memory, its source and
//! address). It stays the same when a thread adopts the file of another one, or when a program
//! restarts with the same file name. Everything else stands once per writer in
//! `mmstats_writer_info` (`pid`, `thread`, `uid`, …), to be joined: `web_stats_status_2XX_total *
//! on(file) group_left(pid) mmstats_writer_info`. Stats of dead processes are shown while their
//! files exist; `mmstats_writer_alive` is 1, 0, or absent if that cannot be determined, and
//! [`Settings::live`] excludes dead writers. In a file for node_exporter, all series also have the
//! label `textfile`, its name without the extension, as other files may describe the same writers.
//!
//! **Health**: `mmstats_writers` counts the writers that were read, by liveness;
//! `mmstats_read_failures` those that could not be read. Also `mmstats_dropped_fields`,
//! `mmstats_scrape_duration_seconds`, and `mmstats_target_halt_seconds` if devices were halted.

mod encoder;
mod escape;
mod families;
mod family;
mod health;
mod histogram;
mod identity;
mod name;
mod name_conflicts;
mod number;
mod sum;
mod totals;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use mmstats_std::liveness::Liveness;

use crate::escape::{EscapedPath, lossless_path};
use crate::labels::Labels;
use crate::scraper::Scrape;
use encoder::{Encoder, Layout, SeriesValues};
use families::Families;
use health::Health;
use identity::Identity;
pub use totals::{Sums, Totals};

/// An exposition format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    #[default]
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Returns the HTTP content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Options of a page.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The exposition format.
    pub format: Format,
    /// The fields to include. Identity fields become labels of `mmstats_writer_info`.
    pub labels: Labels,
    /// Include only writers that are known to be alive.
    pub live: bool,
    /// The name of the file that the page is written to: a label of all series, so that pages in
    /// one directory have no series in common.
    pub textfile: Option<String>,
}

/// A page in an exposition format.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The complete text.
    pub text: String,
    /// Fields that are missing from it.
    pub dropped: Vec<DroppedField>,
}

/// A field that cannot be exported. Displays as `FILE: LABEL: REASON`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedField {
    /// The file, or the first of several; `None` for sums.
    pub file: Option<PathBuf>,
    /// The label.
    pub label: String,
    /// The reason, for people.
    pub reason: String,
}

impl fmt::Display for DroppedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", EscapedPath::new(file))?;
        }
        write!(f, "{}: {}", self.label, self.reason)
    }
}

/// Renders separate series for each writer. `duration` is the time that the scrape took.
#[must_use]
pub fn per_writer(scrape: &Scrape, duration: Duration, settings: &Settings) -> Page {
    let mut layouts: Vec<Layout<'_>> = Vec::new();
    let mut layout_indices = HashMap::new();
    let (mut names, mut dropped) = (HashSet::new(), Vec::new());
    let mut health = Health::new(scrape, duration);
    for sample in scrape
        .samples
        .iter()
        .filter(|sample| !settings.live || sample.verdict.liveness == Liveness::Alive)
    {
        let mut labels = String::new();
        escape::push_label(&mut labels, "file", &lossless_path(&sample.writer_id.name));
        if !names.insert(labels.clone()) {
            let reason = "dropped: the name of another file is displayed the same way".to_owned();
            dropped.push(DroppedField {
                file: Some(sample.writer_id.name.clone()),
                label: "file".to_owned(),
                reason,
            });
            continue;
        }
        let index = *layout_indices.entry(sample.fields.as_ptr()).or_insert_with(|| {
            layouts.push(Layout {
                fields: &sample.fields,
                identity: Identity::find(&sample.fields),
                writers: Vec::new(),
            });
            layouts.len() - 1
        });
        let layout = &mut layouts[index];
        let identity = layout.identity.labels(sample, &settings.labels, &mut dropped);
        health.add_writer(&labels, &identity, sample.verdict.liveness);
        layout.writers.push(SeriesValues {
            path: Some(&sample.writer_id.name),
            labels,
            values: &sample.values,
        });
    }
    write(&layouts, dropped, health, settings)
}

fn write(
    layouts: &[Layout<'_>],
    mut dropped: Vec<DroppedField>,
    mut health: Health,
    settings: &Settings,
) -> Page {
    let mut families = Families::new(layouts, &settings.labels, &Health::families());
    dropped.append(&mut families.dropped);
    let samples = layouts.iter().map(|layout| layout.fields.len() * layout.writers.len()).sum();
    let mut encoder = Encoder::new(settings, dropped, samples);
    encoder.write_families(&families, layouts);
    health.set_dropped(encoder.dropped_count());
    health.write(&mut encoder);
    encoder.finish()
}
