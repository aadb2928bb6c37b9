//! The scrapes of the last minutes: a ring that is bounded in time and in bytes.
//!
//! It holds numbers, and the values that histograms recorded between two scrapes. Labels, units and
//! help texts are shared with the scraper while their writer exists; after that, the ring counts
//! them as its own.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mmstats_core::reader::ValueError;
use mmstats_std::clock::unix_seconds;
use mmstats_std::identity::ProcessId;
use mmstats_std::liveness::Verdict;
use mmstats_std::read::Field;

use crate::mmash::live::snapshot::{Delta, Snapshot};
use crate::scraper::{OwnedValue, WriterId, WriterSample};
use crate::series::{Bucket, HistogramSnapshot};

/// The ring, shared between threads.
pub(crate) struct ScrapeHistory {
    max_age: Duration,
    max_bytes: usize,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    scrapes: VecDeque<RingEntry>,
    bytes: usize,
}

/// A scrape in the ring.
struct RingEntry {
    scrape: Arc<StoredScrape>,
    /// Its own size, and that of the fields of writers that end with it.
    bytes: usize,
}

/// A scrape of the past.
pub(crate) struct StoredScrape {
    /// The number of the scrape: 1, 2, …
    pub(crate) number: u64,
    /// The time, in Unix seconds.
    pub(crate) time: f64,
    elapsed: Duration,
    /// The writers, ordered by their IDs.
    pub(crate) writers: Vec<StoredWriter>,
}

/// A writer in a scrape of the past.
pub(crate) struct StoredWriter {
    /// Its identity.
    pub(crate) writer_id: Arc<WriterId>,
    /// Its fields.
    pub(crate) fields: Arc<[Field]>,
    /// Whether its process was running, and its thread.
    pub(crate) verdict: Verdict,
    points: Box<[StoredPoint]>,
}

/// A value and its rate; as small as possible, as there are many.
#[derive(Clone, Debug)]
struct StoredPoint {
    value: StoredValue,
    /// NaN if it is unknown.
    rate: f64,
}

#[derive(Clone, Debug)]
enum StoredValue {
    None,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// The values that a histogram recorded since the previous scrape.
    Recorded(Box<HistogramSnapshot>),
}

impl ScrapeHistory {
    /// Creates an empty history with these limits.
    pub(crate) fn new(max_age: Duration, max_bytes: usize) -> Self {
        ScrapeHistory { max_age, max_bytes, ring: Mutex::default() }
    }

    /// Adds a scrape, and drops those that exceed the limits.
    pub(crate) fn push(&self, snapshot: &Snapshot) {
        // Built before locking, so that no request waits for it.
        let stored = StoredScrape::new(snapshot);
        let now = stored.elapsed;
        let mut ring = self.lock();
        ring.push(stored);
        while ring.scrapes.front().is_some_and(|first| {
            ring.bytes > self.max_bytes || now.saturating_sub(first.scrape.elapsed) > self.max_age
        }) {
            ring.pop();
        }
    }

    /// Returns all scrapes since a time, in ascending order. After the clock was set back, those
    /// with a later time than now are left out.
    pub(crate) fn since(&self, time: f64) -> Vec<Arc<StoredScrape>> {
        let ring = self.lock();
        let (mut scrapes, mut next_time) = (Vec::new(), f64::INFINITY);
        for RingEntry { scrape, .. } in ring.scrapes.iter().rev() {
            if scrape.time < next_time {
                next_time = scrape.time;
                scrapes.push(scrape.clone());
            }
        }
        scrapes.retain(|scrape| scrape.time >= time);
        scrapes.reverse();
        scrapes
    }

    /// Returns those of the scrapes with these numbers, in ascending order, that are still stored.
    pub(crate) fn get(&self, numbers: &[u64]) -> Vec<Arc<StoredScrape>> {
        let ring = self.lock();
        let scrapes = ring.scrapes.iter().map(|entry| &entry.scrape);
        scrapes.filter(|scrape| numbers.binary_search(&scrape.number).is_ok()).cloned().collect()
    }

    /// Returns the number of scrapes, and their size in bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let ring = self.lock();
        (ring.scrapes.len(), ring.bytes)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, scrape: StoredScrape) {
        if let Some(last) = self.scrapes.back_mut() {
            let released = last.scrape.bytes_without(&scrape);
            last.bytes += released;
            self.bytes += released;
        }
        let bytes = scrape.bytes();
        self.bytes += bytes;
        self.scrapes.push_back(RingEntry { scrape: Arc::new(scrape), bytes });
    }

    fn pop(&mut self) {
        if let Some(first) = self.scrapes.pop_front() {
            self.bytes -= first.bytes;
        }
    }
}

impl StoredScrape {
    fn new(snapshot: &Snapshot) -> Self {
        let samples = snapshot.scrape.samples.iter().zip(&snapshot.deltas);
        let mut writers: Vec<StoredWriter> =
            samples.map(|(sample, deltas)| StoredWriter::new(sample, deltas)).collect();
        writers.sort_unstable_by_key(|writer| writer.writer_id.id);
        StoredScrape {
            number: snapshot.number,
            time: unix_seconds(snapshot.scrape.time),
            elapsed: snapshot.scrape.elapsed,
            writers,
        }
    }

    /// Returns the writer with this ID.
    pub(crate) fn writer(&self, id: u64) -> Option<&StoredWriter> {
        let at = self.writers.binary_search_by_key(&id, |writer| writer.writer_id.id).ok()?;
        self.writers.get(at)
    }

    /// Returns the size in bytes, without what it shares with the scraper.
    fn bytes(&self) -> usize {
        size_of::<StoredScrape>() + self.writers.iter().map(StoredWriter::bytes).sum::<usize>()
    }

    /// Returns the size of the identities and fields that the next scrape, and so the scraper, does
    /// not have any more. Writers can share fields.
    fn bytes_without(&self, next: &StoredScrape) -> usize {
        let mut shared: HashSet<*const u8> =
            next.writers.iter().flat_map(StoredWriter::shared_addresses).collect();
        let ended = |writer: &StoredWriter| {
            let [writer_id, fields] = writer.shared_addresses();
            let mut bytes = 0;
            if shared.insert(writer_id) {
                bytes += writer_id_bytes(&writer.writer_id);
            }
            if shared.insert(fields) {
                bytes += fields_bytes(&writer.fields);
            }
            bytes
        };
        self.writers.iter().map(ended).sum()
    }
}

impl StoredWriter {
    fn new(sample: &WriterSample, deltas: &[Delta]) -> Self {
        let points =
            sample.values.iter().zip(deltas).map(|(value, delta)| StoredPoint::new(value, delta));
        StoredWriter {
            writer_id: sample.writer_id.clone(),
            fields: sample.fields.clone(),
            verdict: sample.verdict,
            points: points.collect(),
        }
    }

    /// Returns the value of a field, or what it recorded since the previous scrape, and its rate.
    pub(crate) fn get(&self, index: usize) -> Option<(OwnedValue, Option<f64>)> {
        let point = self.points.get(index)?;
        let value = match &point.value {
            StoredValue::None => return None,
            StoredValue::Bool(value) => OwnedValue::Bool(*value),
            StoredValue::Unsigned(value) => OwnedValue::Unsigned(*value),
            StoredValue::Signed(value) => OwnedValue::Signed(*value),
            StoredValue::Float(value) => OwnedValue::Float(*value),
            StoredValue::Recorded(buckets) => OwnedValue::Histogram(buckets.clone()),
        };
        Some((value, Some(point.rate).filter(|rate| !rate.is_nan())))
    }

    fn shared_addresses(&self) -> [*const u8; 2] {
        [Arc::as_ptr(&self.writer_id).cast(), self.fields.as_ptr().cast()]
    }

    fn bytes(&self) -> usize {
        let recorded = |point: &StoredPoint| match &point.value {
            StoredValue::Recorded(buckets) => {
                size_of::<HistogramSnapshot>() + buckets.filled.capacity() * size_of::<Bucket>()
            }
            _ => 0,
        };
        size_of::<StoredWriter>()
            + size_of_val(&*self.points)
            + self.points.iter().map(recorded).sum::<usize>()
    }
}

impl StoredPoint {
    fn new(value: &Result<OwnedValue, ValueError>, delta: &Delta) -> Self {
        let value = match value {
            Ok(OwnedValue::Bool(value)) => StoredValue::Bool(*value),
            Ok(OwnedValue::Unsigned(value)) => StoredValue::Unsigned(*value),
            Ok(OwnedValue::Signed(value)) => StoredValue::Signed(*value),
            Ok(OwnedValue::Float(value)) => StoredValue::Float(*value),
            Ok(OwnedValue::Histogram(_)) => delta
                .increase
                .as_ref()
                .map_or(StoredValue::None, |increase| StoredValue::Recorded(increase.clone())),
            Ok(OwnedValue::Text(_)) | Err(_) => StoredValue::None,
        };
        StoredPoint { value, rate: delta.rate.unwrap_or(f64::NAN) }
    }
}

/// Returns the size of a writer's identity, in bytes.
pub(crate) fn writer_id_bytes(writer_id: &WriterId) -> usize {
    let boot_id = writer_id.process.as_ref().and_then(ProcessId::boot_id).map_or(0, str::len);
    size_of::<WriterId>() + writer_id.name.capacity() + boot_id
}

/// Returns the size of fields, in bytes.
pub(crate) fn fields_bytes(fields: &[Field]) -> usize {
    let texts =
        |field: &Field| field.label.capacity() + field.unit.capacity() + field.help.capacity();
    size_of_val(fields) + fields.iter().map(texts).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scraper::Scrape;

    use mmstats_core::{Kind, Type};
    use mmstats_std::liveness::Reason;
    use std::path::PathBuf;
    use std::time::{Instant, SystemTime};

    /// Returns a writer with this many numbers.
    fn writer(fields: usize) -> WriterSample {
        let field = Field::new("n", Kind::Counter, Type::U64);
        let name = PathBuf::from("f");
        let writer_id = WriterId { id: 1, name, version: 2, ..WriterId::default() };
        WriterSample {
            writer_id: Arc::new(writer_id),
            fields: vec![field; fields].into(),
            values: vec![Ok(OwnedValue::Unsigned(7)); fields],
            verdict: Verdict::from(Reason::Runs),
        }
    }

    /// Returns a scrape of it, this many seconds after the first.
    fn snapshot(second: u64, writer: &WriterSample) -> Snapshot {
        let elapsed = Duration::from_secs(second);
        let deltas = vec![vec![Delta::default(); writer.values.len()]];
        let scrape = Scrape {
            samples: vec![writer.clone()],
            ..Scrape::new(SystemTime::UNIX_EPOCH + elapsed, elapsed)
        };
        Snapshot {
            number: second + 1,
            scrape,
            duration: Duration::ZERO,
            finished: Instant::now(),
            deltas,
            sums: None,
            searched: Vec::new(),
        }
    }

    #[test]
    fn old_scrapes_are_dropped() {
        let history = ScrapeHistory::new(Duration::from_secs(10), 1 << 20);
        let writer = writer(3);
        (0..100).for_each(|second| history.push(&snapshot(second, &writer)));
        let times: Vec<f64> = history.since(0.0).iter().map(|past| past.time).collect();
        assert_eq!(times, (89..100).map(f64::from).collect::<Vec<_>>());
        assert_eq!(history.since(98.0).len(), 2);
    }

    #[test]
    fn after_the_clock_was_set_back_scrapes_in_its_future_are_left_out() {
        let history = ScrapeHistory::new(Duration::from_secs(1000), 1 << 20);
        let writer = writer(3);
        for (second, clock) in (0..).zip([100, 101, 102, 103, 50, 51, 52]) {
            let mut snapshot = snapshot(second, &writer);
            snapshot.scrape.time = SystemTime::UNIX_EPOCH + Duration::from_secs(clock);
            history.push(&snapshot);
        }
        let times = |since| history.since(since).iter().map(|past| past.time).collect::<Vec<_>>();
        assert_eq!(times(0.0), [50.0, 51.0, 52.0]);
        assert_eq!(times(51.0), [51.0, 52.0]);
        assert_eq!(times(60.0), [0.0; 0]);
        let numbers: Vec<u64> = history.since(0.0).iter().map(|past| past.number).collect();
        assert_eq!(history.get(&numbers).len(), 3);
    }

    #[test]
    fn labels_of_removed_writers_are_counted() {
        let history = ScrapeHistory::new(Duration::from_secs(1000), 100_000);
        for second in 0..100 {
            let mut writer = writer(1);
            writer.fields =
                vec![Field { help: "a".repeat(20_000), ..writer.fields[0].clone() }].into();
            history.push(&snapshot(second, &writer));
            assert!(history.size().1 <= 100_000);
        }
        // The latest ones are shared with the scraper.
        assert_eq!(history.size().0, 5);
    }

    #[test]
    fn labels_that_scrapes_share_are_counted_once() {
        let history = ScrapeHistory::new(Duration::from_secs(1000), 1 << 20);
        let ended = writer(100);
        (0..50).for_each(|second| history.push(&snapshot(second, &ended)));
        let (_, alive) = history.size();
        history.push(&snapshot(50, &writer(0)));
        let (labels, dead) = (fields_bytes(&ended.fields), history.size().1);
        assert!(
            (labels..labels + 1000).contains(&(dead - alive)),
            "{alive} and {labels} make {dead}"
        );
    }

    #[test]
    fn the_memory_limit_holds() {
        let history = ScrapeHistory::new(Duration::from_secs(1000), 100_000);
        let usual = writer(100);
        for second in 0..200 {
            history.push(&snapshot(second, &usual));
            assert!(history.size().1 <= 100_000);
        }
        let (scrapes, bytes) = history.size();
        assert!(scrapes > 10 && bytes > 90_000, "{scrapes} scrapes in {bytes} bytes");
        // A scrape that exceeds the limit alone.
        history.push(&snapshot(200, &writer(10_000)));
        assert_eq!(history.size(), (0, 0));
    }
}
