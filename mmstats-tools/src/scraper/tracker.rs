//! What is known of writers from one look to the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use mmstats_std::clock::unix_seconds;
use mmstats_std::identity::ProcessId;
use mmstats_std::liveness::{Liveness, Verdict};
use mmstats_std::read::Sample;

use super::scrape::{OwnedValue, WriterId, WriterSample};
use super::{BELIEVED, Fields, ScrapeBuilder};

/// Fields are looked through for those that nobody has any more when there are so many.
const MANY: usize = 64;

/// Seconds from when a file says that it was made until it can be seen, at most.
const SETTING_UP: f64 = 0.1;

/// All writers, by their names.
#[derive(Default)]
pub(super) struct WriterTracker {
    by_name: HashMap<PathBuf, Track>,
    /// All fields in use, and perhaps some that are not any more.
    fields: Vec<Fields>,
    last_id: u64,
    now: Option<Instant>,
    round: u64,
}

/// The process that writes a file, and when it created it: not every file states a start time.
type Writer = (Option<ProcessId>, Option<u64>);

/// One writer. Before it was read for the first time, little is known of it.
#[derive(Default)]
struct Track {
    known: Option<Known>,
    /// The last look that found it.
    round: u64,
}

struct Known {
    writer_id: Arc<WriterId>,
    writer: Writer,
    fields: Fields,
    verdict: Verdict,
    judged: Option<Instant>,
}

impl WriterTracker {
    pub(super) fn begin(&mut self, now: Instant) {
        self.now = Some(now);
        self.round += 1;
    }

    /// Forgets what is there no more.
    pub(super) fn end(&mut self) {
        let round = self.round;
        self.by_name.retain(|_, track| track.round == round);
        if self.fields.len() > MANY {
            self.fields.retain(|fields| Arc::strong_count(fields) > 1);
        }
    }

    /// Keeps what is there and cannot be read.
    pub(super) fn keep(&mut self, name: &Path) {
        let round = self.round;
        self.by_name.entry(name.to_owned()).or_default().round = round;
    }

    /// Adds a writer to what a look found. `is_other` tells that it is in another file than the one
    /// of this name before.
    pub(super) fn see(
        &mut self,
        name: &Path,
        sample: &Sample<'_>,
        is_other: bool,
        builder: &mut ScrapeBuilder,
    ) {
        let layout = sample.layout();
        let known =
            self.by_name.get(name).and_then(|track| track.known.as_ref()).filter(|_| !is_other);
        if known.is_some_and(|known| {
            !layout.errors.is_empty() && layout.fields.len() < known.fields.len()
        }) {
            // It was whole, and what is left of it would look like a writer that lost its stats.
            layout.errors.iter().for_each(|problem| builder.fail(name, problem));
            return self.keep(name);
        }
        let writer: Writer = (sample.process_id(), sample.created().map(f64::to_bits));
        if is_other
            || !self.by_name.get(name).is_some_and(|track| {
                track.known.as_ref().is_some_and(|known| known.writer == writer)
            })
        {
            self.meet(name, writer, sample, builder.before);
        }
        let (round, now) = (self.round, self.now);
        let Some(track) = self.by_name.get_mut(name) else { return };
        track.round = round;
        let Some(known) = &mut track.known else { return };
        if known.fields[..] != layout.fields[..] {
            known.fields = shared(&mut self.fields, sample);
        }
        let is_old =
            |judged: Instant| now.is_some_and(|now| now.duration_since(judged) >= BELIEVED);
        if known.verdict.liveness != Liveness::Dead && known.judged.is_none_or(is_old) {
            (known.verdict, known.judged) = (sample.verdict(), now);
        }
        let values =
            sample.fields().map(|(_, value)| value.map(|value| OwnedValue::from(&value))).collect();
        let sample = WriterSample {
            writer_id: known.writer_id.clone(),
            fields: known.fields.clone(),
            values,
            verdict: known.verdict,
        };
        builder.push(sample, &layout.errors);
    }

    /// A writer that was not there at the look before, which was at this time: under a name that is
    /// new, or in the place of another.
    fn meet(
        &mut self,
        name: &Path,
        writer: Writer,
        sample: &Sample<'_>,
        before: Option<SystemTime>,
    ) {
        self.last_id += 1;
        let place = self.by_name.get(name);
        // One that could not be read before may have been there for long, and one that was moved
        // here may have counted for long.
        let was_read = place.is_none_or(|track| track.known.is_some());
        let is_made_since = |before| {
            sample
                .created()
                .map_or(place.is_some(), |created| created + SETTING_UP >= unix_seconds(before))
        };
        let is_new = was_read && before.is_some_and(is_made_since);
        let writer_id = WriterId {
            id: self.last_id,
            name: name.to_owned(),
            version: sample.layout().version,
            pid: sample.pid(),
            is_new,
        };
        let fields = shared(&mut self.fields, sample);
        let known = Known {
            writer_id: Arc::new(writer_id),
            writer,
            fields,
            verdict: sample.verdict(),
            judged: self.now,
        };
        self.by_name.insert(name.to_owned(), Track { known: Some(known), round: self.round });
    }
}

/// The fields of a sample, together with all others that have the same.
fn shared(all: &mut Vec<Fields>, sample: &Sample<'_>) -> Fields {
    let fields = &sample.layout().fields[..];
    match all.iter().find(|known| known[..] == *fields) {
        Some(known) => known.clone(),
        None => {
            let fields: Fields = fields.into();
            all.push(fields.clone());
            fields
        }
    }
}
