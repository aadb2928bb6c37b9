//! What was seen in the last minutes: a ring of looks that is bounded in time and in bytes.
//!
//! Only numbers are in it, and what distributions recorded from one look to the next; besides,
//! labels and such for as long as a look has their writer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mmstats_core::reader::ValueProblem;
use mmstats_std::identity::unix_seconds;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;

use super::retained::Retained;
use super::sampling::{Snapshot, Step};
use crate::buckets::{Bucket, Buckets};
use crate::sampler::{Origin, Seen, Stored};

/// The ring.
pub(super) struct History {
    span: Duration,
    most: usize,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    looks: VecDeque<Arc<Past>>,
    /// Of these alone.
    bytes: usize,
    retained: Retained,
}

/// A look of the past.
pub(super) struct Past {
    /// Ascending by one.
    pub(super) number: u64,
    /// In Unix seconds.
    pub(super) time: f64,
    elapsed: Duration,
    /// The writers, by their numbers.
    pub(super) writers: Vec<PastWriter>,
    bytes: usize,
}

/// A writer in it.
pub(super) struct PastWriter {
    /// Which one.
    pub(super) origin: Arc<Origin>,
    /// Its fields.
    pub(super) fields: Arc<[Field]>,
    /// Whether it ran.
    pub(super) liveness: Liveness,
    points: Box<[Point]>,
}

/// A value; as small as possible, for there are many.
#[derive(Clone, Debug)]
struct Point {
    value: Kept,
    /// Not a number if it is not known.
    rate: f64,
}

#[derive(Clone, Debug)]
enum Kept {
    Nothing,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Recorded(Box<Buckets>),
}

impl History {
    /// Remembers as much as this, and no more bytes.
    pub(super) fn new(span: Duration, most: usize) -> Self {
        History { span, most, ring: Mutex::default() }
    }

    /// Adds a look, and forgets others.
    pub(super) fn push(&self, snapshot: &Snapshot) {
        // Made before it is locked: nobody is to wait for this.
        let past = Arc::new(Past::new(snapshot));
        let mut ring = self.lock();
        let now = past.elapsed;
        ring.push(past);
        while ring.looks.front().is_some_and(|first| {
            ring.size() > self.most || now.saturating_sub(first.elapsed) > self.span
        }) {
            ring.pop();
        }
    }

    /// All looks since a time, the later the later. After the clock was set back, those that were
    /// later by it are left out.
    pub(super) fn since(&self, time: f64) -> Vec<Arc<Past>> {
        let ring = self.lock();
        let (mut looks, mut later) = (Vec::new(), f64::INFINITY);
        for past in ring.looks.iter().rev() {
            if past.time < later {
                later = past.time;
                looks.push(past.clone());
            }
        }
        looks.retain(|past| past.time >= time);
        looks.reverse();
        looks
    }

    /// Those of these looks, by their numbers, that are not forgotten.
    pub(super) fn those(&self, numbers: &[u64]) -> Vec<Arc<Past>> {
        self.lock()
            .looks
            .iter()
            .filter(|past| numbers.binary_search(&past.number).is_ok())
            .cloned()
            .collect()
    }

    /// How many looks there are, and how many bytes they take.
    pub(super) fn size(&self) -> (usize, usize) {
        let ring = self.lock();
        (ring.looks.len(), ring.size())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, past: Arc<Past>) {
        self.bytes += past.bytes;
        self.retained.add(past.number, past.shared());
        self.looks.push_back(past);
    }

    fn pop(&mut self) {
        if let Some(past) = self.looks.pop_front() {
            self.bytes -= past.bytes;
            self.retained.remove(past.shared());
        }
    }

    fn size(&self) -> usize {
        self.bytes + self.retained.bytes()
    }
}

impl Past {
    fn new(snapshot: &Snapshot) -> Self {
        let mut writers: Vec<PastWriter> = snapshot
            .look
            .seen
            .iter()
            .zip(&snapshot.steps)
            .map(|(seen, steps)| PastWriter::new(seen, steps))
            .collect();
        writers.sort_unstable_by_key(|writer| writer.origin.id);
        let bytes = size_of::<Past>() + writers.iter().map(PastWriter::bytes).sum::<usize>();
        Past {
            number: snapshot.number,
            time: unix_seconds(snapshot.look.time),
            elapsed: snapshot.look.elapsed,
            writers,
            bytes,
        }
    }

    /// What it shares with other looks.
    fn shared(&self) -> impl Iterator<Item = (&Arc<Origin>, &Arc<[Field]>)> {
        self.writers.iter().map(|writer| (&writer.origin, &writer.fields))
    }

    /// The writer with this number.
    pub(super) fn writer(&self, id: u64) -> Option<&PastWriter> {
        let at = self.writers.binary_search_by_key(&id, |writer| writer.origin.id).ok()?;
        self.writers.get(at)
    }
}

impl PastWriter {
    fn new(seen: &Seen, steps: &[Step]) -> Self {
        let points = seen.values.iter().zip(steps).map(|(value, step)| Point::new(value, step));
        PastWriter {
            origin: seen.origin.clone(),
            fields: seen.fields.clone(),
            liveness: seen.verdict.liveness,
            points: points.collect(),
        }
    }

    /// A field's value, or what it recorded since the look before, and its rate.
    pub(super) fn get(&self, index: usize) -> Option<(Stored, Option<f64>)> {
        let point = self.points.get(index)?;
        let value = match &point.value {
            Kept::Nothing => return None,
            Kept::Bool(value) => Stored::Bool(*value),
            Kept::Unsigned(value) => Stored::Unsigned(*value),
            Kept::Signed(value) => Stored::Signed(*value),
            Kept::Float(value) => Stored::Float(*value),
            Kept::Recorded(buckets) => Stored::Histogram(buckets.clone()),
        };
        Some((value, Some(point.rate).filter(|rate| !rate.is_nan())))
    }

    fn bytes(&self) -> usize {
        let recorded = |point: &Point| match &point.value {
            Kept::Recorded(buckets) => {
                size_of::<Buckets>() + buckets.filled.capacity() * size_of::<Bucket>()
            }
            _ => 0,
        };
        size_of::<PastWriter>()
            + size_of_val(&*self.points)
            + self.points.iter().map(recorded).sum::<usize>()
    }
}

impl Point {
    fn new(value: &Result<Stored, ValueProblem>, step: &Step) -> Self {
        let value = match value {
            Ok(Stored::Bool(value)) => Kept::Bool(*value),
            Ok(Stored::Unsigned(value)) => Kept::Unsigned(*value),
            Ok(Stored::Signed(value)) => Kept::Signed(*value),
            Ok(Stored::Float(value)) => Kept::Float(*value),
            Ok(Stored::Histogram(_)) => {
                step.grown.as_ref().map_or(Kept::Nothing, |grown| Kept::Recorded(grown.clone()))
            }
            Ok(Stored::Text(_)) | Err(_) => Kept::Nothing,
        };
        Point { value, rate: step.rate.unwrap_or(f64::NAN) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::retained::fields_bytes;
    use super::*;
    use crate::sampler::Look;
    use mmstats_core::reader::{Place, Storage};
    use mmstats_core::{Kind, Type};
    use mmstats_std::liveness::{Reason, Verdict};
    use std::path::PathBuf;
    use std::time::{Instant, SystemTime};

    /// A writer of so many numbers.
    fn writer(fields: usize) -> Seen {
        let place = Place {
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
            place,
        };
        let origin =
            Origin { id: 1, name: PathBuf::from("f"), version: 2, pid: None, is_new: false };
        Seen {
            origin: Arc::new(origin),
            fields: vec![field; fields].into(),
            values: vec![Ok(Stored::Unsigned(7)); fields],
            verdict: Verdict::from(Reason::Runs),
        }
    }

    /// A look at it, so many seconds after the first.
    fn snapshot(second: u64, writer: &Seen) -> Snapshot {
        let elapsed = Duration::from_secs(second);
        let steps = vec![vec![Step::default(); writer.values.len()]];
        let look = Look {
            time: SystemTime::UNIX_EPOCH + elapsed,
            elapsed,
            seen: vec![writer.clone()],
            problems: Vec::new(),
            halted: None,
        };
        Snapshot {
            number: second + 1,
            look,
            took: Duration::ZERO,
            taken: Instant::now(),
            steps,
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
            snapshot.look.time = SystemTime::UNIX_EPOCH + Duration::from_secs(clock);
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
        let (looks, bytes) = history.size();
        assert!(looks > 10 && bytes > 90_000, "{looks} looks in {bytes} bytes");
        // One that is too large alone.
        history.push(&snapshot(200, &writer(10_000)));
        assert_eq!(history.size(), (0, 0));
    }
}
