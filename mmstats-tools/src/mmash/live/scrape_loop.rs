//! Scrapes repeatedly, in a thread of its own, independently of clients.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::mmash::live::history::ScrapeHistory;
use crate::mmash::live::snapshot::{Delta, Snapshot};
use crate::options::mmash::Options;
use crate::render::metrics::{Sums, Totals};
use crate::scraper::{Scrape, Scraper, WriterSample};
use crate::source::Sources;

/// How long the end of the thread is waited for. Only a device that does not answer takes any time.
const END_TIMEOUT: Duration = Duration::from_millis(200);

/// The results of the thread, for all others.
#[derive(Clone)]
pub(crate) struct Latest {
    /// The latest scrape.
    pub(crate) snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
    /// The scrapes before it.
    pub(crate) history: Arc<ScrapeHistory>,
}

/// The thread that scrapes.
pub(crate) struct ScrapeLoop {
    latest: Latest,
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl ScrapeLoop {
    /// Starts the thread, which leaves `spare_descriptors` for other uses than files.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn start(options: &Options, spare_descriptors: usize) -> io::Result<ScrapeLoop> {
        let (sender, snapshot) = watch::channel(None);
        let (stop, stopped) = mpsc::channel();
        let history = Arc::new(ScrapeHistory::new(options.history, options.history_bytes));
        let latest = Latest { snapshot, history };
        let (selection, interval, totals, shared) = (
            options.selection.clone(),
            options.interval,
            LiveTotals::from_options(options),
            latest.clone(),
        );
        let work = move || {
            // A scraper cannot move to another thread. The caller has opened the sources before, so
            // this does not fail.
            let Ok(sources) = Sources::new(selection.sources) else { return };
            let mut scrapes = SnapshotSource::new(
                Scraper::new(selection.files, sources).with_spare_descriptors(spare_descriptors),
                totals,
            );
            let mut next = Instant::now();
            loop {
                let snapshot = scrapes.scrape();
                shared.history.push(&snapshot);
                sender.send_replace(Some(snapshot));
                // Missed ticks are skipped.
                next = (next + interval).max(Instant::now());
                if stopped.recv_timeout(next.saturating_duration_since(Instant::now()))
                    != Err(RecvTimeoutError::Timeout)
                {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("scraper".to_owned()).spawn(work)?;
        Ok(ScrapeLoop { latest, stop, thread })
    }

    /// Returns the results.
    pub(crate) fn latest(&self) -> Latest {
        self.latest.clone()
    }

    /// Stops the thread, and waits briefly for its end.
    pub(crate) fn stop(self) {
        drop(self.stop);
        let deadline = Instant::now() + END_TIMEOUT;
        while !self.thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The memory of all sums, in bytes.
const MAX_SUM_BYTES: usize = 64 << 20;

/// Sums over writers, as chosen by the options.
pub(crate) struct LiveTotals {
    totals: Totals,
    live: bool,
}

impl LiveTotals {
    /// Returns empty sums if `--sum` is given.
    pub(crate) fn from_options(options: &Options) -> Option<Self> {
        let totals = || Totals::with_max_bytes(MAX_SUM_BYTES);
        options.sum.then(|| LiveTotals { totals: totals(), live: options.live })
    }

    fn add(&mut self, scrape: &Scrape) -> Sums {
        self.totals.add(scrape, self.live);
        self.totals.sums()
    }
}

/// A scraper, and its latest result.
pub(crate) struct SnapshotSource {
    scraper: Scraper,
    totals: Option<LiveTotals>,
    previous: Option<Arc<Snapshot>>,
}

impl SnapshotSource {
    /// Creates a source that has not scraped yet.
    pub(crate) fn new(scraper: Scraper, totals: Option<LiveTotals>) -> Self {
        SnapshotSource { scraper, totals, previous: None }
    }

    /// Scrapes all writers.
    pub(crate) fn scrape(&mut self) -> Arc<Snapshot> {
        let start = Instant::now();
        let scrape = self.scraper.scrape();
        let duration = start.elapsed();
        let (number, elapsed) = self
            .previous
            .as_ref()
            .map_or((0, Duration::ZERO), |previous| (previous.number, previous.scrape.elapsed));
        let seconds = scrape.elapsed.saturating_sub(elapsed).as_secs_f64();
        let previous: HashMap<u64, &WriterSample> = self
            .previous
            .iter()
            .flat_map(|previous| &previous.scrape.samples)
            .map(|sample| (sample.writer_id.id, sample))
            .collect();
        let deltas = scrape
            .samples
            .iter()
            .map(|sample| {
                Delta::of_fields(sample, previous.get(&sample.writer_id.id).copied(), seconds)
            })
            .collect();
        let sums = self.totals.as_mut().map(|totals| totals.add(&scrape));
        let snapshot = Arc::new(Snapshot {
            sums,
            number: number + 1,
            scrape,
            duration,
            finished: Instant::now(),
            deltas,
            searched: self.scraper.searched().to_vec(),
        });
        self.previous = Some(snapshot.clone());
        snapshot
    }
}
