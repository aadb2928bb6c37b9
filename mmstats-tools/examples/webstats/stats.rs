//! The stats of the server.

use mmstats_std::{Counter, Gauge, Options, Text, Timer, V1, model, per_thread};

model! {
    /// The stats of one thread of the web server.
    pub(crate) struct WebStats {
        /// Responses with a 2xx status.
        status2xx: Counter = "status.2XX",
        /// Responses with a 3xx status.
        status3xx: Counter = "status.3XX",
        /// Responses with a 4xx status.
        status4xx: Counter = "status.4XX",
        /// Responses with a 5xx status.
        status5xx: Counter = "status.5XX",
        /// Time of the last request.
        last_hit: Gauge<f64> = "timers.last_hit" [unixtime],
        /// Time from a request to the end of its response.
        latency: Timer = "timers.latency",
        /// State of the thread: waiting, reading, or the request it answers.
        worker: Text<64> = "worker.state" => "waiting",
    }
}

/// The labels of the counters, without their prefix.
pub(crate) const STATUS_LABELS: [&str; 4] =
    ["status.2XX", "status.3XX", "status.4XX", "status.5XX"];

per_thread! {
    /// Each thread has its own stats, in its own file, so that counting needs no lock.
    pub(crate) static STATS: WebStats = Options::new().label_prefix("web.stats.");
    /// The same in version 1, for the Python tools; only the type parameter differs.
    pub(crate) static V1_STATS: WebStats<V1> = Options::new().label_prefix("web.stats.");
}
