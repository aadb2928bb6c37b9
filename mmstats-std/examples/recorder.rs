//! Counts by the crate `metrics` in several threads, and leaves the files.

use metrics::{Unit, counter, describe_histogram, gauge, histogram};
use mmstats_std::{Options, recorder};
use std::thread;
use std::time::Duration;

fn main() -> Result<(), recorder::InstallError> {
    recorder::builder().options(Options::new().label_prefix("web.").keep()).install()?;
    describe_histogram!("latency", Unit::Seconds, "Time from request to response.");
    let mirrored = counter!("mirrored");
    thread::scope(|scope| {
        for worker in 0..4 {
            let mirrored = mirrored.clone();
            scope.spawn(move || {
                for request in 0..1000 {
                    gauge!("open").increment(1.5);
                    counter!("requests", "worker" => worker.to_string()).increment(1);
                    histogram!("latency").record(Duration::from_micros(request));
                    mirrored.absolute(request);
                    gauge!("open").decrement(0.5);
                }
            });
        }
    });
    Ok(())
}
