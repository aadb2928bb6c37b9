//! The state of writers between scrapes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use mmstats_std::clock::{ClockReading, unix_seconds};
use mmstats_std::identity::ProcessId;
use mmstats_std::liveness::{Evidence, Liveness, Reason, Verdict, liveness};
use mmstats_std::read::Sample;

use super::quota::MAX_FIELDS;
use super::scrape::{OwnedValue, WriterId, WriterSample};
use super::{Fields, ScrapeBuilder, VERDICT_LIFETIME, too_many_fields};

/// The number of writers without a file that are remembered, with at most [`MAX_FIELDS`] in all.
const MAX_LOST: usize = 1024;

/// The maximum time between a file's creation time and its appearance in the directory.
const MAX_SETUP_SECONDS: f64 = 0.1;

/// All writers, by their names.
#[derive(Default)]
pub(super) struct WriterTracker {
    by_name: HashMap<PathBuf, TrackedName>,
    /// All fields in use, by their hash.
    fields: HashMap<u64, Vec<Fields>>,
    last_id: u64,
    now: Option<Instant>,
    round: u64,
}

/// The process that writes a file, and when it created it: not every file states a start time.
type WriterKey = (Option<ProcessId>, Option<u64>);

/// The writer of a name; its state is `None` until it has been read.
#[derive(Default)]
struct TrackedName {
    state: Option<WriterState>,
    /// The last scrape that found it.
    round: u64,
}

struct WriterState {
    writer_id: Arc<WriterId>,
    writer: WriterKey,
    fields: Fields,
    verdict: Verdict,
    verdict_time: Option<Instant>,
}

impl WriterState {
    /// Returns `true` if the writer's process runs, so that it may create its file again.
    fn may_return(&self) -> bool {
        let (process, created) = &self.writer;
        let evidence = Evidence { process: process.clone(), ..Evidence::default() };
        created.is_some() && liveness(&evidence).liveness == Liveness::Alive
    }
}

impl WriterTracker {
    pub(super) fn begin_round(&mut self, now: Instant) {
        self.now = Some(now);
        self.round += 1;
    }

    /// Forgets writers that the scrape did not find, except those whose process runs, and returns
    /// the IDs of these.
    pub(super) fn end_round(&mut self) -> Vec<u64> {
        let round = self.round;
        let (mut lost, mut fields) = (Vec::new(), 0);
        self.by_name.retain(|_, tracked| {
            let is_found = tracked.round == round;
            let state = tracked.state.as_ref().filter(|_| !is_found && lost.len() < MAX_LOST);
            let state = state.filter(|state| fields + state.fields.len() <= MAX_FIELDS);
            let state = state.filter(|state| state.may_return());
            lost.extend(state.map(|state| state.writer_id.id));
            fields += state.map_or(0, |state| state.fields.len());
            is_found || state.is_some()
        });
        self.fields.retain(|_, fields| {
            fields.retain(|fields| Arc::strong_count(fields) > 1);
            !fields.is_empty()
        });
        lost
    }

    /// Keeps a writer that exists but cannot be read.
    pub(super) fn retain(&mut self, name: &Path) {
        let round = self.round;
        self.by_name.entry(name.to_owned()).or_default().round = round;
    }

    /// Adds a writer's sample to the scrape. `is_other` is `true` if another file had this name
    /// before.
    pub(super) fn observe(
        &mut self,
        name: &Path,
        sample: &Sample<'_>,
        is_other: bool,
        builder: &mut ScrapeBuilder,
    ) {
        let layout = sample.layout();
        if layout.fields.len() > builder.quota.free().now {
            builder.fail(name, too_many_fields(layout.fields.len()));
            return self.retain(name);
        }
        let state =
            self.by_name.get(name).and_then(|tracked| tracked.state.as_ref()).filter(|_| !is_other);
        if state.is_some_and(|state| {
            !layout.errors.is_empty() && layout.fields.len() < state.fields.len()
        }) {
            // The rest of a file that was complete would look like a writer that lost its fields.
            layout.errors.iter().for_each(|error| builder.fail(name, error));
            return self.retain(name);
        }
        let writer: WriterKey = (sample.process_id(), sample.created().map(f64::to_bits));
        // In another file, it goes on counting after its file was removed.
        let is_identified = writer.0.is_some() && writer.1.is_some();
        let is_same = |tracked: &TrackedName| {
            tracked.state.as_ref().is_some_and(|state| state.writer == writer)
        };
        if (is_other && !is_identified) || !self.by_name.get(name).is_some_and(is_same) {
            self.on_new_writer(name, writer, sample, builder.before);
        }
        let (round, now) = (self.round, self.now);
        let Some(tracked) = self.by_name.get_mut(name) else { return };
        tracked.round = round;
        let Some(state) = &mut tracked.state else { return };
        if !Arc::ptr_eq(&state.fields, &layout.fields) && state.fields != layout.fields {
            state.fields = shared(&mut self.fields, sample);
        }
        let is_old = |verdict_time: Instant| {
            now.is_some_and(|now| now.duration_since(verdict_time) >= VERDICT_LIFETIME)
        };
        // Threads end and take files over more often than processes end.
        let thread_changed = state.verdict.liveness == Liveness::Alive
            && sample.thread_has_ended() != (state.verdict.reason == Reason::ThreadEnded);
        if state.verdict.liveness != Liveness::Dead
            && (state.verdict_time.is_none_or(is_old) || thread_changed)
        {
            (state.verdict, state.verdict_time) = (sample.verdict(), now);
        }
        let values =
            sample.fields().map(|(_, value)| value.map(|value| OwnedValue::from(&value))).collect();
        let sample = WriterSample {
            writer_id: state.writer_id.clone(),
            fields: state.fields.clone(),
            values,
            verdict: state.verdict,
        };
        builder.push(sample, &layout.errors);
    }

    /// Adds a writer that the last scrape, at the time `before`, did not find: under a new name, or
    /// in place of another.
    fn on_new_writer(
        &mut self,
        name: &Path,
        writer: WriterKey,
        sample: &Sample<'_>,
        before: Option<ClockReading>,
    ) {
        self.last_id += 1;
        let round = self.round;
        let previous = self.by_name.get(name).filter(|tracked| tracked.round + 1 >= round);
        // A file that could not be read before, or was moved here, may have counted for long.
        let was_read = previous.is_none_or(|tracked| tracked.state.is_some());
        let is_made_since = |before| {
            sample.created().map_or(previous.is_some(), |created| is_since(created, before))
        };
        let is_new = was_read && before.is_some_and(is_made_since);
        let writer_id = WriterId {
            id: self.last_id,
            name: name.to_owned(),
            version: sample.layout().version,
            process: sample.process_id(),
            created: sample.created(),
            is_new,
            other_owner: sample.other_owner(),
        };
        let fields = shared(&mut self.fields, sample);
        let state = WriterState {
            writer_id: Arc::new(writer_id),
            writer,
            fields,
            verdict: sample.verdict(),
            verdict_time: self.now,
        };
        self.by_name.insert(name.to_owned(), TrackedName { state: Some(state), round: self.round });
    }
}

/// Returns `true` if a file that was created at this Unix time was created since the last scrape,
/// by the clock as it was set then or as it is set now.
fn is_since(created: f64, before: ClockReading) -> bool {
    let elapsed = before.monotonic.elapsed().as_secs_f64();
    [before.wall, before.by_current_clock()].into_iter().any(|start| {
        let start = unix_seconds(start);
        (start - MAX_SETUP_SECONDS..=start + elapsed + MAX_SETUP_SECONDS).contains(&created)
    })
}

/// Returns the fields of a sample, shared with all writers that have the same ones.
fn shared(all: &mut HashMap<u64, Vec<Fields>>, sample: &Sample<'_>) -> Fields {
    let fields = &sample.layout().fields;
    let mut hasher = DefaultHasher::new();
    for field in &**fields {
        // Everything of which files can have many different values.
        (&field.label, &field.unit, &field.help).hash(&mut hasher);
        (field.scale, field.divisor, field.location.offset, field.location.size).hash(&mut hasher);
    }
    let alike = all.entry(hasher.finish()).or_default();
    if let Some(known) = alike.iter().find(|known| *known == fields) {
        return known.clone();
    }
    alike.push(fields.clone());
    fields.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_file_is_as_old_as_its_clock_says_even_if_that_was_set() {
        const SECOND: Duration = Duration::from_secs(1);
        let now = Instant::now();
        let (time, hour) = (SystemTime::now(), SECOND * 3600);
        let unix = unix_seconds(time);
        for wall in [time, time + hour, time - hour] {
            // The last scrape was 10 seconds ago, and the clock was set since.
            let last = unix_seconds(wall) - 10.0;
            let before = ClockReading { wall: wall - SECOND * 10, monotonic: now - SECOND * 10 };
            for created in [unix, unix - 9.0, last + 9.0, last, last - 0.05] {
                assert!(is_since(created, before), "{wall:?} {created}");
            }
            for created in [unix - 60.0, last - 60.0, unix - 1800.0, unix + 1800.0] {
                assert!(!is_since(created, before), "{wall:?} {created}");
            }
        }
    }
}
