//! Loops of updates.

use std::hint::black_box;

/// A loop of this many updates, a multiple of 8. It belongs to the thread that made it.
pub type Run = Box<dyn Fn(u64)>;

/// The kind of update of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Adds 1 to a counter, by a handle or a static.
    Counter,
    /// Adds 1 to the counter of two labels, which are looked up.
    Labelled,
    /// Sets a gauge.
    Gauge,
    /// Adds to a gauge that threads share.
    SharedGauge,
    /// Records a value of up to 1 ms in a histogram.
    Histogram,
    /// Reads the clock twice, and records the time between.
    Timer,
}

impl Work {
    pub const ALL: [Work; 6] = [
        Work::Counter,
        Work::Labelled,
        Work::Gauge,
        Work::SharedGauge,
        Work::Histogram,
        Work::Timer,
    ];

    pub const fn title(self) -> &'static str {
        match self {
            Work::Counter => "counter: add 1",
            Work::Labelled => "counter with two labels, looked up: add 1",
            Work::Gauge => "gauge: set",
            Work::SharedGauge => "gauge of all threads: add",
            Work::Histogram => "histogram: record a duration",
            Work::Timer => "timer: read the clock twice, record the difference",
        }
    }
}

/// One line of the table.
pub struct Case {
    pub work: Work,
    pub library: &'static str,
    pub call: &'static str,
    /// Makes the loop of a thread.
    pub make: fn() -> Run,
}

/// Makes cases. Each loop has eight updates in a row, so that the loop itself does not count.
#[macro_export]
macro_rules! cases {
    ($($work:ident, $library:literal, $call:literal: $name:ident = $new:expr, |$i:pat_param| $update:expr;)*) => {
        vec![$($crate::updates::Case {
            work: $crate::updates::Work::$work,
            library: $library,
            call: $call,
            make: || {
                let $name = $new;
                Box::new(move |count| {
                    for n in 0..count / 8 {
                        $crate::cases!(@each n, $i, $update, 0 1 2 3 4 5 6 7);
                    }
                })
            },
        }),*]
    };
    (@each $n:ident, $i:pat_param, $update:expr, $($k:literal)*) => { $( {
        let $i = 8 * $n + $k;
        $update;
    } )* };
}

/// Durations of up to 1 ms, in nanoseconds and in seconds.
pub struct Durations {
    nanoseconds: &'static [u64; 1024],
    seconds: &'static [f64; 1024],
}

impl Durations {
    pub fn new() -> Durations {
        let nanoseconds = std::array::from_fn(|i| i as u64 * 7919 * 7919 % 1_000_000);
        let seconds = nanoseconds.map(|value| value as f64 / 1e9);
        Durations {
            nanoseconds: black_box(Box::leak(Box::new(nanoseconds))),
            seconds: black_box(Box::leak(Box::new(seconds))),
        }
    }

    #[inline(always)]
    pub fn nanoseconds(&self, i: u64) -> u64 {
        self.nanoseconds[i as usize % 1024]
    }

    #[inline(always)]
    pub fn seconds(&self, i: u64) -> f64 {
        self.seconds[i as usize % 1024]
    }
}
