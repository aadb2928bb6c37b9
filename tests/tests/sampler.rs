//! A sampler publishes values that must be polled.

use mmstats_std::{Counter, Gauge, Options, Sampler, model};
use mmstats_tests::files::{files, only_file, values};
use mmstats_tests::programs::directory;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

model! { struct Pool { samples: Counter, idle: Gauge<u64> } }

const SHORT: Duration = Duration::from_millis(1);

fn options(directory: &Path) -> Options {
    Options::new().directory(directory.to_str().unwrap().to_owned().leak())
}

#[test]
fn values_are_sampled_from_the_start_until_the_sampler_is_dropped() {
    let directory = directory();
    let (sampled, samples) = channel();
    let sampler = Sampler::every(SHORT, &options(directory.path()), move |pool: &Pool| {
        pool.samples.incr();
        pool.idle.set(7);
        let _ = sampled.send(());
    });
    let sampler = sampler.unwrap();
    assert_eq!(sampler.path(), only_file(directory.path()));
    let found = values(sampler.path());
    assert!(found.count("samples") >= 1 && found.count("idle") == 7, "{found:?}");
    for _ in 0..10 {
        samples.recv().unwrap();
    }
    assert!(values(sampler.path()).count("samples") >= 10);
    drop(sampler);
    assert_eq!(files(directory.path()), [""; 0].map(Path::new));
    // Ends because the thread has ended, which had the sender.
    samples.into_iter().for_each(drop);
}

#[test]
fn a_sampler_with_a_long_interval_ends_at_once() {
    let directory = directory();
    let forever = Duration::MAX;
    drop(Sampler::every(forever, &options(directory.path()), |pool: &Pool| pool.idle.set(1)));
    assert_eq!(files(directory.path()).len(), 0);
}

#[test]
fn a_sampler_that_its_own_sample_drops_ends_after_it() {
    let directory = directory();
    let (sampled, samples) = channel();
    let own: Arc<Mutex<Option<Sampler>>> = Arc::default();
    let same = own.clone();
    let sampler = Sampler::every(SHORT, &options(directory.path()), move |pool: &Pool| {
        pool.samples.incr();
        let is_dropped = same.lock().unwrap().take().is_some();
        let _ = sampled.send(is_dropped);
    });
    *own.lock().unwrap() = Some(sampler.unwrap());
    drop(own);
    // Ends because the thread has ended, which had the sender.
    let dropped: Vec<bool> = samples.into_iter().collect();
    assert_eq!(dropped.iter().position(|is_dropped| *is_dropped), Some(dropped.len() - 1));
    assert_eq!(files(directory.path()).len(), 0);
}

#[test]
fn a_lost_file_is_replaced_at_the_next_sample() {
    let directory = directory();
    let (sampled, samples) = channel();
    let sample = move |pool: &Pool| {
        pool.samples.incr();
        let _ = sampled.send(());
    };
    let _sampler = Sampler::every(SHORT, &options(directory.path()), sample).unwrap();
    let lost = only_file(directory.path());
    fs::remove_file(&lost).unwrap();
    let before = samples.try_iter().count() as u64;
    // The second sample begins after the file was replaced.
    samples.iter().take(2).for_each(drop);
    assert!(values(&only_file(directory.path())).count("samples") >= before);
}

#[test]
fn a_panic_while_sampling_removes_the_file() {
    let directory = directory();
    let (ending, has_ended) = channel::<()>();
    let mut count = 0;
    let sample = move |_: &Pool| {
        let _held = &ending;
        count += 1;
        assert!(count < 3, "the third sample, on purpose");
    };
    let _sampler = Sampler::every(SHORT, &options(directory.path()), sample).unwrap();
    has_ended.recv().unwrap_err();
    let first = |_: &Pool| panic!("the first sample, on purpose");
    let start = AssertUnwindSafe(|| Sampler::every(SHORT, &options(directory.path()), first));
    panic::catch_unwind(start).unwrap_err();
    assert_eq!(files(directory.path()).len(), 0);
}

#[test]
fn a_directory_that_cannot_be_used_is_an_error() {
    let directory = directory();
    let missing = directory.path().join("file/below");
    fs::write(directory.path().join("file"), "").unwrap();
    let error = Sampler::every(SHORT, &options(&missing), |_: &Pool| ()).unwrap_err();
    assert!(error.to_string().contains("file/below"), "{error}");
}
