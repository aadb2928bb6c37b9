//! Publishes the metrics of the crate [`metrics`]: every `counter!`, `gauge!` and `histogram!` of a
//! program and its libraries.
//!
//! ```
//! use metrics::{Unit, counter, describe_histogram, gauge, histogram};
//! use std::time::Duration;
//!
//! mmstats_std::recorder::install()?;
//!
//! describe_histogram!("http.latency", Unit::Seconds, "Time from request to response.");
//! counter!("http.requests", "method" => "GET").increment(1); // http.requests{method="GET"}
//! gauge!("http.open").set(3.0);
//! histogram!("http.latency").record(Duration::from_millis(15));
//! # Ok::<(), mmstats_std::recorder::InstallError>(())
//! ```
//!
//! The files are those of a [`Registry`]: they stay if the process is killed, they grow, and the
//! next thread continues those of a thread that has ended. A forked child has files of its own;
//! handles and descriptions stay valid in it. A metric is published by its first update.
//!
//! # Counters
//!
//! Each thread has its own, which only it writes; readers add them up. `absolute` cannot work like
//! that: from its first call on, the counter is one field in the process's file, which all threads
//! update atomically and which does not go down. Increments before that call stay in the threads'
//! files, and readers add them to it, so use either increments or `absolute` for a counter.
//!
//! # Gauges
//!
//! They are in one file of the process, and all threads update them atomically.
//!
//! # Histograms
//!
//! Each thread has its own, with 32 buckets for each power of two: the error of a value is below
//! 3.2 %, and that of the sum below half a step for each value. Values are stored as whole numbers
//! of steps:
//!
//! | unit of the description | step | largest value |
//! |---|---|---|
//! | `Seconds`, `Milliseconds`, `Microseconds`, `Nanoseconds` | 1 ns | 104 days |
//! | `Bytes`, `Kibibytes`, `Mebibytes`, `Gibibytes`, `Tebibytes` | 1 byte | 8 PiB |
//! | `Count` | 1 | 9.0 × 10^15 |
//! | `BitsPerSecond` … `TerabitsPerSecond` | 1 bit/s | 9.0 × 10^15 bit/s |
//! | `Percent` | 0.000 001 % | 9.0 × 10^9 % |
//! | `CountPerSecond`, or none | 0.000 001 | 9.0 × 10^9 |
//!
//! A histogram without a unit has the one that its name ends in, after a `_` or a `.`:
//! `http_latency_seconds`. A larger value counts as the largest, a negative one as 0, and a NaN not
//! at all; the first such value of the process is reported on standard error.
//!
//! # Descriptions
//!
//! A field's unit and help are written when it is created, by its first update in each thread, and
//! not when it is registered. A description that comes later gives its help to the fields of
//! further threads; the unit of a series stays that of its first update in the process.
//!
//! # Names
//!
//! A metric's labels become the dimensions of its series, sorted by name; of two labels with one
//! name, the last counts. Characters that a name cannot have are replaced by `_`, and those that a
//! value cannot have by U+FFFD. A name of more than 4096 bytes is cut, and so are all values if a
//! name and its dimensions have more than about 60 000 bytes. If a name belongs to a counter, a
//! gauge of this name is published as `name.gauge`, and so on. Each of these is reported once.
//!
//! Series are kept until the process ends. To bound their memory, a metric has at most 10 000
//! series, or [as many as set](Builder::max_series). All further ones count in one, in which the
//! value of each dimension is `_other`.
//!
//! # Full disks
//!
//! As long as a file cannot be created, its fields count in private memory. Updates try again about
//! once a second.

mod counter;
mod gauge;
mod histogram;
mod index;
mod label;
mod thread;
mod unit;

use super::chain::Chain;
use super::{CHECKED, MAX_PREFIX_BYTES, Registry};
use crate::dimensions::contains;
use crate::file_region::Publication;
use crate::memory::ProcessLocal;
use crate::options::Options;
use crate::warning;
use counter::CounterSeries;
use gauge::GaugeSeries;
use histogram::HistogramSeries;
use index::{Index, Kind, Series};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use mmstats_core::{Field, Format, V2};
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The `{MODEL}` of templates.
const NAME: &str = "metrics";
/// The most series of a metric, if no other number is set.
const DEFAULT_MAX_SERIES: usize = 10_000;

/// Makes this the recorder of the process, with the default options.
///
/// # Errors
/// If the process has a recorder.
pub fn install() -> Result<(), InstallError> {
    builder().install()
}

/// Returns a builder, to set options.
///
/// ```
/// use mmstats_std::{Options, recorder};
/// recorder::builder().options(Options::new().label_prefix("web.")).install()?;
/// # Ok::<(), mmstats_std::recorder::InstallError>(())
/// ```
pub fn builder() -> Builder {
    Builder { options: Options::new(), max_series: DEFAULT_MAX_SERIES }
}

/// Returns the files of the process and of this thread, or why they have none; nothing if no metric
/// has been updated.
///
/// If a file has been removed by somebody else, or the operating system refused to create it, this
/// creates a new one, in which the counts go on.
pub fn publications() -> Vec<Publication> {
    let Some(state) = STATE.get() else { return Vec::new() };
    let of_process = {
        let chain = process_chain();
        chain.ensure_files();
        chain.publications()
    };
    of_process.into_iter().chain(state.threads.publications()).collect()
}

/// Sets the options of a recorder; created by [`builder`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Builder {
    options: Options,
    max_series: usize,
}

impl Builder {
    /// Sets the options of the files: the prefix of all labels, the directory, whether files are
    /// kept, and so on.
    pub fn options(mut self, options: Options) -> Builder {
        self.options = options;
        self
    }

    /// Sets the most series that a metric has; the default is 10 000.
    pub fn max_series(mut self, max_series: usize) -> Builder {
        self.max_series = max_series;
        self
    }

    /// Makes this the recorder of the process.
    ///
    /// # Errors
    /// If the process has a recorder, or the prefix of labels is invalid.
    pub fn install(self) -> Result<(), InstallError> {
        let recorder = self.build()?;
        metrics::set_global_recorder(recorder).map_err(|_| InstallError(Cause::OtherRecorder))
    }

    /// Creates the recorder without installing it, for a layer around it. A process can do that
    /// once.
    ///
    /// # Errors
    /// If the process has created a recorder, or the prefix of labels is invalid.
    pub fn build(self) -> Result<Recorder, InstallError> {
        let prefix = self.options.label_prefix;
        if prefix.len() > MAX_PREFIX_BYTES || contains(prefix, b"\0") {
            return Err(InstallError(Cause::InvalidPrefix));
        }
        let state = State {
            threads: Registry::new(NAME).options(self.options),
            process: Registry::new(NAME).options(self.options.per_process()),
            max_series: self.max_series,
        };
        STATE.set(state).map_err(|_| InstallError(Cause::SecondRecorder))?;
        Ok(Recorder(()))
    }
}

/// Publishes the metrics of the crate [`metrics`]; created by [`Builder::build`].
#[derive(Clone, Copy, Debug)]
pub struct Recorder(());

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        lock_index().describe(Kind::Counter, key.as_str(), unit, &description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        lock_index().describe(Kind::Gauge, key.as_str(), unit, &description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        lock_index().describe(Kind::Histogram, key.as_str(), unit, &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        thread::get_or_register(
            key,
            |thread| &thread.counter_handles,
            Counter::from_arc::<CounterSeries>,
        )
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        thread::get_or_register(key, |thread| &thread.gauge_handles, Gauge::from_arc::<GaugeSeries>)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        thread::get_or_register(
            key,
            |thread| &thread.histogram_handles,
            Histogram::from_arc::<HistogramSeries>,
        )
    }
}

/// Why a recorder could not be created or installed.
#[derive(Debug)]
pub struct InstallError(Cause);

#[derive(Debug)]
enum Cause {
    SecondRecorder,
    OtherRecorder,
    InvalidPrefix,
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cause::SecondRecorder => {
                f.write_str("this process has created a recorder already (one expected)")
            }
            Cause::OtherRecorder => {
                f.write_str("this process has installed another recorder (none expected)")
            }
            Cause::InvalidPrefix => write!(
                f,
                "invalid prefix of labels (at most {MAX_PREFIX_BYTES} bytes without NUL expected)"
            ),
        }
    }
}

impl Error for InstallError {}

/// The only recorder of the process.
struct State {
    /// The fields of each thread.
    threads: Registry,
    /// The options of the fields of the process.
    process: Registry,
    max_series: usize,
}

static STATE: OnceLock<State> = OnceLock::new();

/// Returns the state of the recorder, without which there are no handles.
fn state() -> &'static State {
    STATE.get().expect("set before the recorder exists")
}

/// The regions of the process.
struct ProcessFields(Mutex<Chain>);

impl Default for ProcessFields {
    fn default() -> Self {
        ProcessFields(Mutex::new(Chain::new(&state().process)))
    }
}

/// Returns the regions of the process, in which a forked child has none yet.
fn process_chain() -> MutexGuard<'static, Chain> {
    static PROCESS: ProcessLocal<ProcessFields> = ProcessLocal::new();
    PROCESS.get().0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a region of the process waits for its file. Relaxed: a thread that does
/// not see it yet leaves the next attempt to another one.
static AWAITS_FILE: AtomicBool = AtomicBool::new(false);

/// Adds a field of the process.
fn add_to_process<H: Field<Format: Format<Base = V2>>>(series: &Series) -> H {
    let chain = process_chain();
    let field = chain.add(&series.label, series.number()).expect(CHECKED);
    AWAITS_FILE.store(chain.awaits_file(), Ordering::Relaxed);
    field
}

/// Tries about once a second to create the files that the process has not got yet.
#[inline(always)]
fn ensure_process_files() {
    #[cold]
    #[inline(never)]
    fn create() {
        AWAITS_FILE.store(process_chain().awaits_file(), Ordering::Relaxed);
    }
    if AWAITS_FILE.load(Ordering::Relaxed) {
        create();
    }
}

fn lock_index() -> MutexGuard<'static, Index> {
    static INDEX: ProcessLocal<Mutex<Index>> = ProcessLocal::new();
    INDEX.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints a warning, once for each `warned`.
fn warn_once(warned: &AtomicBool, message: fmt::Arguments<'_>) {
    warning::warn_once(&state().threads.options, warned, message);
}
