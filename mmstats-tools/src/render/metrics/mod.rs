//! Pages for Prometheus: its text format 0.0.4, and OpenMetrics 1.0.
//!
//! [`per_writer`] makes one of a [`Scrape`], with series of their own for each writer; [`Totals`]
//! adds writers up.
//!
//! ```text
//! # HELP web_stats_status_2XX_total Responses with a 2xx status.
//! # TYPE web_stats_status_2XX_total counter
//! web_stats_status_2XX_total{file="/dev/shm/web-42-43.mmstats"} 7
//! ```
//!
//! **Types** are those that fields tell: a counter, a gauge, a histogram. Nothing is guessed: what
//! has no kind, as all numbers of version 1, is `untyped` (in OpenMetrics `unknown`). Truth values
//! are gauges of 0 and 1. Prometheus has no texts: a text, and a constant too, becomes an info,
//! whose value is always 1 and whose label `value` tells (and `unit`, where there is one). A text
//! that changes often makes many series, so leave it out by its label.
//!
//! **Names** are labels with everything but ASCII letters, digits and `_` replaced by `_`, and one
//! before a digit that would be the first. The base unit follows, unless it is there already,
//! `_timestamp_seconds` for `unixtime`; then `_total` for counters, and `_info`. (A histogram's
//! `.histogram` at the end becomes `_distribution`: types do not belong into names, and a timer's
//! mean has the name without.) Dimensions, as in `http{method="GET"}`, become labels; `file`, `le`,
//! `quantile`, and for infos `value` and `unit`, are given `exported_` if a dimension has such a
//! name. A label whose braces hold no dimensions is all name.
//!
//! **Collisions** are never merged: of two families with one name, the one whose label comes first
//! in the alphabet is shown, and the other is [`LeftOut`]. So is all else that a page cannot have:
//! the same series twice, or a counter that is negative or no number.
//!
//! **Numbers** are in base units; integers that are not scaled are exact, floats are the shortest
//! that are read back as the same.
//!
//! **Histograms** have a bound for each doubling, whatever was recorded.
//!
//! **Writers**: series differ by `file`, the path (of a region in memory, its source and address),
//! and nothing else, because it stays when a thread hands its file on to the next, or when a
//! program begins anew in a file of the same name. What else is known stands once for each in
//! `mmstats_writer_info` (`pid`, `thread`, `uid`, …), to be joined: `web_stats_status_2XX_total *
//! on(file) group_left(pid) mmstats_writer_info`. What dead processes left is shown as long as its
//! file is there, and `mmstats_writer_alive` tells (1, 0, or nothing if that cannot be seen);
//! [`Settings::live`] leaves it out.
//!
//! **Health**: `mmstats_writers` tells how many were read, alive, dead (stale) or unknown;
//! `mmstats_read_failures` how many could not be read; `mmstats_left_out`,
//! `mmstats_scrape_duration_seconds`, and `mmstats_halted_seconds` where devices were halted.

mod catalogue;
mod escape;
mod family;
mod health;
mod histogram;
mod identity;
mod name;
mod number;
mod page;
mod rivals;
mod sum;
mod totals;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use mmstats_std::liveness::Liveness;

use crate::labels::Labels;
use crate::render::escape::{EscapedPath, lossless_path};
use crate::scraper::Scrape;
use catalogue::Catalogue;
use health::Health;
use identity::Identity;
use page::{Layout, Pen, Writer};
pub use totals::{Sums, Totals};

/// How a page is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    #[default]
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// What HTTP calls it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What is wanted of a page.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How it is written.
    pub format: Format,
    /// Which fields are in it. Those that tell who a writer is are the labels of
    /// `mmstats_writer_info`.
    pub labels: Labels,
    /// Only writers that are known to be alive.
    pub live: bool,
}

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// All of it.
    pub text: String,
    /// What is not in it and should be.
    pub left_out: Vec<LeftOut>,
}

/// A field that cannot be shown. It displays as `FILE: LABEL: WHY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The file, or the first one if there are several; `None` for sums.
    pub file: Option<PathBuf>,
    /// Its label.
    pub label: String,
    /// In words.
    pub why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", EscapedPath::new(file))?;
        }
        write!(f, "{}: {}", self.label, self.why)
    }
}

/// A page with series of their own for each writer. `took` is how long the look took.
#[must_use]
pub fn per_writer(scrape: &Scrape, took: Duration, settings: &Settings) -> Page {
    let mut layouts: Vec<Layout<'_>> = Vec::new();
    let mut places = HashMap::new();
    let (mut names, mut left_out) = (HashSet::new(), Vec::new());
    let mut health = Health::new(scrape, took);
    for sample in scrape
        .samples
        .iter()
        .filter(|sample| !settings.live || sample.verdict.liveness == Liveness::Alive)
    {
        let mut labels = String::new();
        escape::push_label(&mut labels, "file", &lossless_path(&sample.writer_id.name));
        if !names.insert(labels.clone()) {
            let why = "left out: another file's name looks the same".to_owned();
            left_out.push(LeftOut {
                file: Some(sample.writer_id.name.clone()),
                label: "file".to_owned(),
                why,
            });
            continue;
        }
        let place = *places.entry(sample.fields.as_ptr()).or_insert_with(|| {
            layouts.push(Layout {
                fields: &sample.fields,
                identity: Identity::of(&sample.fields),
                writers: Vec::new(),
            });
            layouts.len() - 1
        });
        let layout = &mut layouts[place];
        let identity = layout.identity.labels(sample, &settings.labels, &mut left_out);
        health.writer(&labels, identity, sample.verdict.liveness);
        layout.writers.push(Writer {
            path: Some(&sample.writer_id.name),
            labels,
            values: &sample.values,
        });
    }
    write(&layouts, left_out, &health, settings)
}

fn write(
    layouts: &[Layout<'_>],
    mut left_out: Vec<LeftOut>,
    health: &Health,
    settings: &Settings,
) -> Page {
    let mut catalogue = Catalogue::new(layouts, &settings.labels, &Health::families());
    left_out.append(&mut catalogue.left_out);
    let samples = layouts.iter().map(|layout| layout.fields.len() * layout.writers.len()).sum();
    let mut pen = Pen::new(settings.format, left_out, samples);
    pen.families(&catalogue, layouts);
    health.write(&mut pen);
    pen.finish()
}
