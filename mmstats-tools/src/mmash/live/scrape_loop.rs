//! Looks at everything again and again, in a thread of its own, whatever clients do.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mmstats_std::read::Field;
use tokio::sync::watch;

use crate::mmash::live::history::History;
use crate::options::mmash::Options;
use crate::render::metrics::{Sums, Totals};
use crate::render::text::scale;
use crate::scraper::{OwnedValue, Scrape, Scraper, WriterSample};
use crate::series::delta::{delta, is_cumulative};
use crate::series::histogram::HistogramSnapshot;
use crate::source::Sources;

/// For how long the thread may take to end; only a device that does not answer takes any time at
/// all.
const PATIENCE: Duration = Duration::from_millis(200);

/// One look, and how it differs from the one before.
pub(crate) struct Snapshot {
    /// Ascending by one.
    pub(crate) number: u64,
    /// What there was.
    pub(crate) scrape: Scrape,
    /// How long it took to look.
    pub(crate) took: Duration,
    /// When that was over.
    pub(crate) taken: Instant,
    /// For each writer, for each field.
    pub(crate) deltas: Vec<Vec<Delta>>,
    /// Sums over writers up to this look, if they are wanted.
    pub(crate) sums: Option<Sums>,
    /// The patterns of files that were searched for.
    pub(crate) searched: Vec<PathBuf>,
}

/// How a field changed since the look before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delta {
    /// By how much a second, in its base unit; of a distribution, how many values were recorded.
    pub(crate) rate: Option<f64>,
    /// Of a distribution: what was recorded.
    pub(crate) grown: Option<Box<HistogramSnapshot>>,
}

/// What the thread gives to all others.
#[derive(Clone)]
pub(crate) struct Latest {
    /// The latest look.
    pub(crate) snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
    /// Those before.
    pub(crate) history: Arc<History>,
}

/// The thread.
pub(crate) struct ScrapeLoop {
    latest: Latest,
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl ScrapeLoop {
    /// Starts it. So many descriptors are left for others than files.
    ///
    /// # Errors
    /// If there can be no thread.
    pub(crate) fn start(options: &Options, spare: usize) -> io::Result<ScrapeLoop> {
        let (sender, snapshot) = watch::channel(None);
        let (stop, stopped) = mpsc::channel();
        let history = Arc::new(History::new(options.history, options.history_bytes));
        let latest = Latest { snapshot, history };
        let (selection, interval, totals, shared) =
            (options.selection.clone(), options.interval, LiveTotals::of(options), latest.clone());
        let work = move || {
            // A sampler stays in its thread, so it is made there. That what helps it to find stats
            // can be opened was seen before.
            let Ok(sources) = Sources::new(selection.sources) else { return };
            let mut scrapes = ScrapeSource::new(
                Scraper::new(selection.files, sources).with_spare_descriptors(spare),
                totals,
            );
            let mut next = Instant::now();
            loop {
                let snapshot = scrapes.scrape();
                shared.history.push(&snapshot);
                sender.send_replace(Some(snapshot));
                // What was missed is not made up for.
                next = (next + interval).max(Instant::now());
                if stopped.recv_timeout(next.saturating_duration_since(Instant::now()))
                    != Err(RecvTimeoutError::Timeout)
                {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("sampler".to_owned()).spawn(work)?;
        Ok(ScrapeLoop { latest, stop, thread })
    }

    /// What it gives.
    pub(crate) fn latest(&self) -> Latest {
        self.latest.clone()
    }

    /// Ends it; but it is not waited for longer than anybody would.
    pub(crate) fn end(self) {
        drop(self.stop);
        let deadline = Instant::now() + PATIENCE;
        while !self.thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Sums over writers, as options want them.
pub(crate) struct LiveTotals {
    totals: Totals,
    live: bool,
}

impl LiveTotals {
    /// If they are wanted.
    pub(crate) fn of(options: &Options) -> Option<Self> {
        options.sum.then(|| LiveTotals { totals: Totals::new(), live: options.live })
    }

    fn add(&mut self, scrape: &Scrape) -> Sums {
        self.totals.add(scrape, self.live);
        self.totals.sums()
    }
}

/// A sampler, and what it saw last.
pub(crate) struct ScrapeSource {
    scraper: Scraper,
    totals: Option<LiveTotals>,
    before: Option<Arc<Snapshot>>,
}

impl ScrapeSource {
    /// No look yet.
    pub(crate) fn new(scraper: Scraper, totals: Option<LiveTotals>) -> Self {
        ScrapeSource { scraper: scraper.without_links(), totals, before: None }
    }

    /// Looks at everything.
    pub(crate) fn scrape(&mut self) -> Arc<Snapshot> {
        let start = Instant::now();
        let scrape = self.scraper.scrape();
        let took = start.elapsed();
        let (number, elapsed) = self
            .before
            .as_ref()
            .map_or((0, Duration::ZERO), |before| (before.number, before.scrape.elapsed));
        let seconds = scrape.elapsed.saturating_sub(elapsed).as_secs_f64();
        let before: HashMap<u64, &WriterSample> = self
            .before
            .iter()
            .flat_map(|before| &before.scrape.samples)
            .map(|sample| (sample.writer_id.id, sample))
            .collect();
        let deltas = scrape
            .samples
            .iter()
            .map(|sample| deltas(sample, before.get(&sample.writer_id.id).copied(), seconds))
            .collect();
        let sums = self.totals.as_mut().map(|totals| totals.add(&scrape));
        let snapshot = Arc::new(Snapshot {
            sums,
            number: number + 1,
            scrape,
            took,
            taken: Instant::now(),
            deltas,
            searched: self.scraper.searched().to_vec(),
        });
        self.before = Some(snapshot.clone());
        snapshot
    }
}

fn deltas(sample: &WriterSample, before: Option<&WriterSample>, seconds: f64) -> Vec<Delta> {
    let step = |(index, field): (usize, &Field)| {
        let Some(Ok(now)) = sample.values.get(index).filter(|_| is_cumulative(field)) else {
            return Delta::default();
        };
        let earlier = match before.map(|before| value_before(before, sample, index)) {
            // What was not there has grown from zero, unless it may have been there for long.
            None if sample.writer_id.is_new => None,
            None | Some(Some(Err(_))) => return Delta::default(),
            Some(earlier) => earlier.and_then(|earlier| earlier.as_ref().ok()),
        };
        let grown = match (earlier, now) {
            (Some(OwnedValue::Histogram(earlier)), OwnedValue::Histogram(now)) => {
                Some(Box::new(now.since(earlier, field.location.ty)))
            }
            (None, OwnedValue::Histogram(now)) => Some(now.clone()),
            _ => None,
        };
        let delta = delta(field, earlier, now).map(|delta| match now {
            OwnedValue::Histogram(_) => delta.as_f64(),
            _ => scale(field).approximate(delta.as_f64()),
        });
        Delta { rate: delta.filter(|_| seconds > 0.0).map(|delta| delta / seconds), grown }
    };
    sample.fields.iter().enumerate().map(step).collect()
}

/// The value of the same field in an earlier look.
fn value_before<'b>(
    before: &'b WriterSample,
    sample: &WriterSample,
    index: usize,
) -> Option<&'b Result<OwnedValue, mmstats_core::reader::ValueError>> {
    if Arc::ptr_eq(&before.fields, &sample.fields) {
        return before.values.get(index);
    }
    before.value_at(index, &sample.fields[index].label)
}
