//! One writer over time.

use std::collections::HashMap;
use std::sync::Arc;

use mmstats_core::reader::ValueError;
use mmstats_std::liveness::{Liveness, Verdict};
use mmstats_std::read::Field;

use crate::scraper::{OwnedValue, WriterId, WriterSample};
use crate::series::HistogramSnapshot;
use crate::series::{Baseline, Contributor, Counted, Number, delta, has_value};

/// The values of one writer in the last scrape and in the previous one.
pub(crate) struct Writer {
    pub(crate) writer_id: Arc<WriterId>,
    pub(crate) fields: Arc<[Field]>,
    pub(crate) verdict: Verdict,
    /// Whether the last scrape could read it.
    pub(crate) is_present: bool,
    now: Vec<Result<OwnedValue, ValueError>>,
    states: Vec<FieldState>,
}

/// The earlier values of a field.
#[derive(Clone, Default)]
struct FieldState {
    /// The last value that could be read before.
    before: Option<OwnedValue>,
    /// Whether it is known what the field had counted before.
    is_known: bool,
    /// The increase since the previous scrape.
    delta: Option<Number>,
    /// The first value and all increases since. It does not decrease when the value wraps or the
    /// writer restarts.
    total: Option<Number>,
}

impl FieldState {
    fn baseline(&self) -> Baseline<'_> {
        match &self.before {
            _ if !self.is_known => Baseline::Unknown,
            Some(before) => Baseline::Value(before),
            None => Baseline::Zero,
        }
    }
}

impl Writer {
    pub(super) fn new(sample: WriterSample) -> Self {
        let states = vec![
            FieldState { is_known: sample.writer_id.is_new, ..FieldState::default() };
            sample.fields.len()
        ];
        let WriterSample { writer_id, fields, values, verdict } = sample;
        let mut writer =
            Writer { writer_id, fields, verdict, is_present: true, now: values, states };
        writer.update_states();
        writer
    }

    /// Begins a scrape.
    pub(super) fn begin_scrape(&mut self) {
        self.is_present = false;
    }

    pub(super) fn observe(&mut self, sample: WriterSample) {
        self.is_present = true;
        self.verdict = sample.verdict;
        for (state, value) in self.states.iter_mut().zip(std::mem::take(&mut self.now)) {
            if let Ok(value) = value {
                (state.before, state.is_known) = (Some(value), true);
            }
        }
        if !Arc::ptr_eq(&self.fields, &sample.fields) {
            self.replace_fields(sample.fields);
        }
        self.now = sample.values;
        self.update_states();
    }

    /// Keeps the states of fields that are still there. New ones have counted from zero.
    fn replace_fields(&mut self, fields: Arc<[Field]>) {
        let mut known = HashMap::new();
        for (field, state) in self.fields.iter().zip(std::mem::take(&mut self.states)) {
            known.insert((field.label.clone(), field.kind as u8), state);
        }
        let new = FieldState { is_known: true, ..FieldState::default() };
        let state = |field: &Field| {
            known.remove(&(field.label.clone(), field.kind as u8)).unwrap_or(new.clone())
        };
        self.states = fields.iter().map(state).collect();
        self.fields = fields;
    }

    fn update_states(&mut self) {
        for ((field, state), now) in self.fields.iter().zip(&mut self.states).zip(&self.now) {
            let Ok(now) = now else {
                state.delta = None;
                continue;
            };
            state.delta = state.baseline().delta(field, now);
            state.total = match (state.total, state.delta) {
                (Some(total), Some(delta)) => Some(total + delta),
                (None, _) => delta(field, None, now),
                (total, None) => total,
            };
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.verdict.writer_has_ended()
    }

    pub(super) fn contributor(&self) -> Contributor {
        Contributor::new(&self.writer_id, self.verdict)
    }

    /// Returns a field's value, if it exists and could be read.
    pub(crate) fn value(&self, index: usize) -> Option<&OwnedValue> {
        let (field, value) = (self.fields.get(index)?, self.now.get(index)?.as_ref().ok()?);
        Some(value).filter(|value| self.is_present && has_value(field, value))
    }

    /// Returns the increase of a field since the previous scrape; `None` if it is not known.
    pub(crate) fn delta(&self, index: usize) -> Option<Number> {
        self.states.get(index)?.delta.filter(|_| self.is_present)
    }

    /// Returns all that a counter has counted, through wraps and restarts.
    pub(crate) fn total(&self, index: usize) -> Option<Number> {
        self.states.get(index)?.total
    }

    /// Returns the values that a histogram recorded since the previous scrape.
    pub(super) fn recorded_since_last_scrape(&self, index: usize) -> Option<HistogramSnapshot> {
        let (field, now) = (self.fields.get(index)?, self.value(index)?);
        match self.states.get(index)?.baseline().counted(field, now)? {
            Counted::Histogram(recorded, _) => Some(recorded.into_owned()),
            Counted::Number(_) => None,
        }
    }

    /// Returns the command in the name of its file, by default `{CMD}-{PID}-{TID}.mmstats`, or else
    /// the one that the system knows.
    pub(crate) fn command(&self) -> Option<String> {
        let pid = self.writer_id.pid()?;
        let name = self.writer_id.name.file_name()?.to_string_lossy();
        let named = name
            .split_once(&format!("-{pid}"))
            .map(|(command, _)| command.to_owned())
            .filter(|command| !command.is_empty());
        let is_alive = self.verdict.liveness == Liveness::Alive;
        let known = || {
            std::fs::read_to_string(format!("/proc/{pid}/comm"))
                .ok()
                .map(|name| name.trim_end().to_owned())
        };
        named.or_else(|| if is_alive { known() } else { None })
    }
}
