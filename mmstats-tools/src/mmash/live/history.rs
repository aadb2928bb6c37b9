//! What was seen in the last minutes: a ring of looks that is bounded in time and in bytes.
//!
//! Only numbers are in it, and what distributions recorded from one look to the next; besides,
//! labels and such for as long as a look has their writer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mmstats_core::reader::ValueError;
use mmstats_std::clock::unix_seconds;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;

use crate::mmash::live::history_overhead::Retained;
use crate::mmash::live::scrape_loop::{Delta, Snapshot};
use crate::scraper::{OwnedValue, WriterId, WriterSample};
use crate::series::histogram::{Bucket, HistogramSnapshot};

/// The ring.
pub(crate) struct History {
    span: Duration,
    most: usize,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    scrapes: VecDeque<Arc<StoredScrape>>,
    /// Of these alone.
    bytes: usize,
    retained: Retained,
}

/// A look of the past.
pub(crate) struct StoredScrape {
    /// Ascending by one.
    pub(crate) number: u64,
    /// In Unix seconds.
    pub(crate) time: f64,
    elapsed: Duration,
    /// The writers, by their numbers.
    pub(crate) writers: Vec<StoredWriter>,
    bytes: usize,
}

/// A writer in it.
pub(crate) struct StoredWriter {
    /// Which one.
    pub(crate) writer_id: Arc<WriterId>,
    /// Its fields.
    pub(crate) fields: Arc<[Field]>,
    /// Whether it ran.
    pub(crate) liveness: Liveness,
    points: Box<[StoredPoint]>,
}

/// A value; as small as possible, for there are many.
#[derive(Clone, Debug)]
struct StoredPoint {
    value: StoredValue,
    /// Not a number if it is not known.
    rate: f64,
}

#[derive(Clone, Debug)]
enum StoredValue {
    Nothing,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Recorded(Box<HistogramSnapshot>),
}

impl History {
    /// Remembers as much as this, and no more bytes.
    pub(crate) fn new(span: Duration, most: usize) -> Self {
        History { span, most, ring: Mutex::default() }
    }

    /// Adds a look, and forgets others.
    pub(crate) fn push(&self, snapshot: &Snapshot) {
        // Made before it is locked: nobody is to wait for this.
        let past = Arc::new(StoredScrape::new(snapshot));
        let mut ring = self.lock();
        let now = past.elapsed;
        ring.push(past);
        while ring.scrapes.front().is_some_and(|first| {
            ring.size() > self.most || now.saturating_sub(first.elapsed) > self.span
        }) {
            ring.pop();
        }
    }

    /// All looks since a time, the later the later. After the clock was set back, those that were
    /// later by it are left out.
    pub(crate) fn since(&self, time: f64) -> Vec<Arc<StoredScrape>> {
        let ring = self.lock();
        let (mut scrapes, mut later) = (Vec::new(), f64::INFINITY);
        for past in ring.scrapes.iter().rev() {
            if past.time < later {
                later = past.time;
                scrapes.push(past.clone());
            }
        }
        scrapes.retain(|past| past.time >= time);
        scrapes.reverse();
        scrapes
    }

    /// Those of these looks, by their numbers, that are not forgotten.
    pub(crate) fn those(&self, numbers: &[u64]) -> Vec<Arc<StoredScrape>> {
        self.lock()
            .scrapes
            .iter()
            .filter(|past| numbers.binary_search(&past.number).is_ok())
            .cloned()
            .collect()
    }

    /// How many looks there are, and how many bytes they take.
    pub(crate) fn size(&self) -> (usize, usize) {
        let ring = self.lock();
        (ring.scrapes.len(), ring.size())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, past: Arc<StoredScrape>) {
        self.bytes += past.bytes;
        self.retained.add(past.number, past.shared());
        self.scrapes.push_back(past);
    }

    fn pop(&mut self) {
        if let Some(past) = self.scrapes.pop_front() {
            self.bytes -= past.bytes;
            self.retained.remove(past.shared());
        }
    }

    fn size(&self) -> usize {
        self.bytes + self.retained.bytes()
    }
}

impl StoredScrape {
    fn new(snapshot: &Snapshot) -> Self {
        let mut writers: Vec<StoredWriter> = snapshot
            .scrape
            .samples
            .iter()
            .zip(&snapshot.deltas)
            .map(|(sample, deltas)| StoredWriter::new(sample, deltas))
            .collect();
        writers.sort_unstable_by_key(|writer| writer.writer_id.id);
        let bytes =
            size_of::<StoredScrape>() + writers.iter().map(StoredWriter::bytes).sum::<usize>();
        StoredScrape {
            number: snapshot.number,
            time: unix_seconds(snapshot.scrape.time),
            elapsed: snapshot.scrape.elapsed,
            writers,
            bytes,
        }
    }

    /// What it shares with other looks.
    fn shared(&self) -> impl Iterator<Item = (&Arc<WriterId>, &Arc<[Field]>)> {
        self.writers.iter().map(|writer| (&writer.writer_id, &writer.fields))
    }

    /// The writer with this number.
    pub(crate) fn writer(&self, id: u64) -> Option<&StoredWriter> {
        let at = self.writers.binary_search_by_key(&id, |writer| writer.writer_id.id).ok()?;
        self.writers.get(at)
    }
}

impl StoredWriter {
    fn new(sample: &WriterSample, deltas: &[Delta]) -> Self {
        let points =
            sample.values.iter().zip(deltas).map(|(value, step)| StoredPoint::new(value, step));
        StoredWriter {
            writer_id: sample.writer_id.clone(),
            fields: sample.fields.clone(),
            liveness: sample.verdict.liveness,
            points: points.collect(),
        }
    }

    /// A field's value, or what it recorded since the look before, and its rate.
    pub(crate) fn get(&self, index: usize) -> Option<(OwnedValue, Option<f64>)> {
        let point = self.points.get(index)?;
        let value = match &point.value {
            StoredValue::Nothing => return None,
            StoredValue::Bool(value) => OwnedValue::Bool(*value),
            StoredValue::Unsigned(value) => OwnedValue::Unsigned(*value),
            StoredValue::Signed(value) => OwnedValue::Signed(*value),
            StoredValue::Float(value) => OwnedValue::Float(*value),
            StoredValue::Recorded(buckets) => OwnedValue::Histogram(buckets.clone()),
        };
        Some((value, Some(point.rate).filter(|rate| !rate.is_nan())))
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
    fn new(value: &Result<OwnedValue, ValueError>, step: &Delta) -> Self {
        let value = match value {
            Ok(OwnedValue::Bool(value)) => StoredValue::Bool(*value),
            Ok(OwnedValue::Unsigned(value)) => StoredValue::Unsigned(*value),
            Ok(OwnedValue::Signed(value)) => StoredValue::Signed(*value),
            Ok(OwnedValue::Float(value)) => StoredValue::Float(*value),
            Ok(OwnedValue::Histogram(_)) => step
                .grown
                .as_ref()
                .map_or(StoredValue::Nothing, |grown| StoredValue::Recorded(grown.clone())),
            Ok(OwnedValue::Text(_)) | Err(_) => StoredValue::Nothing,
        };
        StoredPoint { value, rate: step.rate.unwrap_or(f64::NAN) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mmash::live::history_overhead::fields_bytes;
    use crate::scraper::Scrape;
    use mmstats_core::reader::{Storage, ValueLocation};
    use mmstats_core::{Kind, Type};
    use mmstats_std::liveness::{Reason, Verdict};
    use std::path::PathBuf;
    use std::time::{Instant, SystemTime};

    /// A writer of so many numbers.
    fn writer(fields: usize) -> WriterSample {
        let location = ValueLocation {
            offset: 0,
            size: 8,
            ty: Type::U64,
            storage: Storage::Word,
            swapped: false,
            word: 8,
        };
        let field = Field {
            label: "n".into(),
            unit: String::new(),
            help: String::new(),
            kind: Kind::Counter,
            scale: 0,
            divisor: 1,
            location,
        };
        let writer_id =
            WriterId { id: 1, name: PathBuf::from("f"), version: 2, pid: None, is_new: false };
        WriterSample {
            writer_id: Arc::new(writer_id),
            fields: vec![field; fields].into(),
            values: vec![Ok(OwnedValue::Unsigned(7)); fields],
            verdict: Verdict::from(Reason::Runs),
        }
    }

    /// A look at it, so many seconds after the first.
    fn snapshot(second: u64, writer: &WriterSample) -> Snapshot {
        let elapsed = Duration::from_secs(second);
        let deltas = vec![vec![Delta::default(); writer.values.len()]];
        let scrape = Scrape {
            time: SystemTime::UNIX_EPOCH + elapsed,
            elapsed,
            samples: vec![writer.clone()],
            errors: Vec::new(),
            halted: None,
        };
        Snapshot {
            number: second + 1,
            scrape,
            took: Duration::ZERO,
            taken: Instant::now(),
            deltas,
            sums: None,
            searched: Vec::new(),
        }
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let history = History::new(Duration::from_secs(10), 1 << 20);
        let writer = writer(3);
        (0..100).for_each(|second| history.push(&snapshot(second, &writer)));
        let times: Vec<f64> = history.since(0.0).iter().map(|past| past.time).collect();
        assert_eq!(times, (89..100).map(f64::from).collect::<Vec<_>>());
        assert_eq!(history.since(98.0).len(), 2);
    }

    #[test]
    fn after_the_clock_was_set_back_only_what_is_past_by_it_is_told() {
        let history = History::new(Duration::from_secs(1000), 1 << 20);
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
        assert_eq!(history.those(&numbers).len(), 3);
    }

    #[test]
    fn labels_of_writers_that_are_gone_are_counted() {
        let history = History::new(Duration::from_secs(1000), 100_000);
        for second in 0..100 {
            let mut writer = writer(1);
            writer.fields =
                vec![Field { help: "a".repeat(20_000), ..writer.fields[0].clone() }].into();
            history.push(&snapshot(second, &writer));
            assert!(history.size().1 <= 100_000);
        }
        // The latest one's are the sampler's, too.
        assert_eq!(history.size().0, 5);
    }

    #[test]
    fn labels_that_many_looks_share_are_counted_once() {
        let history = History::new(Duration::from_secs(1000), 1 << 20);
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
    fn it_takes_no_more_bytes_than_it_may() {
        let history = History::new(Duration::from_secs(1000), 100_000);
        let usual = writer(100);
        for second in 0..200 {
            history.push(&snapshot(second, &usual));
            assert!(history.size().1 <= 100_000);
        }
        let (scrapes, bytes) = history.size();
        assert!(scrapes > 10 && bytes > 90_000, "{scrapes} looks in {bytes} bytes");
        // One that is too large alone.
        history.push(&snapshot(200, &writer(10_000)));
        assert_eq!(history.size(), (0, 0));
    }
}
