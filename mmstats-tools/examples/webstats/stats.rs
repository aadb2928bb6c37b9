//! What the server publishes.

use mmstats_std::{Counter, Gauge, Options, Text, Timer, V1, model, per_thread};

model! {
    /// What one thread of the web server does.
    pub(crate) struct WebStats {
        /// Responses with a 2xx status.
        status2xx: Counter = "status.2XX",
        /// Responses with a 3xx status.
        status3xx: Counter = "status.3XX",
        /// Responses with a 4xx status.
        status4xx: Counter = "status.4XX",
        /// Responses with a 5xx status.
        status5xx: Counter = "status.5XX",
        /// When the last request came.
        last_hit: Gauge<f64> = "timers.last_hit" [unixtime],
        /// From a request to the end of its response.
        latency: Timer = "timers.latency",
        /// What the thread is doing: waiting, reading a request, or answering the one named.
        worker: Text<64> = "worker.state" => "waiting",
    }
}

/// Labels of the counters, without their prefix.
pub(crate) const STATUS: [&str; 4] = ["status.2XX", "status.3XX", "status.4XX", "status.5XX"];

per_thread! {
    /// Each thread has its own, in a file of its own, so that counting needs no lock.
    pub(crate) static STATS: WebStats = Options::new().label_prefix("web.stats.");
    /// The same for fleets that still run the Python tools: the type parameter is all that differs.
    pub(crate) static OLD_STATS: WebStats<V1> = Options::new().label_prefix("web.stats.");
}
