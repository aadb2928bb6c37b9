//! One writer over time.

use std::collections::HashMap;
use std::sync::Arc;

use mmstats_core::reader::ValueError;
use mmstats_std::liveness::{Liveness, Verdict};
use mmstats_std::read::Field;

use crate::scraper::{OwnedValue, WriterId, WriterSample};
use crate::series::HistogramSnapshot;
use crate::series::{Number, delta};

/// What one writer publishes, and published at the look before.
pub(crate) struct Writer {
    pub(crate) writer_id: Arc<WriterId>,
    pub(crate) fields: Arc<[Field]>,
    pub(crate) verdict: Verdict,
    /// Whether the last look could read it.
    pub(crate) is_seen: bool,
    now: Vec<Result<OwnedValue, ValueError>>,
    steps: Vec<Step>,
}

/// How a field came to its value.
#[derive(Clone, Default)]
struct Step {
    /// The last value that could be read before.
    before: Option<OwnedValue>,
    /// Whether it is known what there was before the value: another one, or nothing.
    is_known: bool,
    grown: Option<Number>,
    /// The first value and all that it grew by; it does not go back, as the value does that wraps
    /// or begins anew.
    total: Option<Number>,
}

impl Writer {
    pub(super) fn new(sample: WriterSample) -> Self {
        let steps = vec![
            Step { is_known: sample.writer_id.is_new, ..Step::default() };
            sample.fields.len()
        ];
        let WriterSample { writer_id, fields, values, verdict } = sample;
        let mut writer = Writer { writer_id, fields, verdict, is_seen: true, now: values, steps };
        writer.step();
        writer
    }

    /// Before a look.
    pub(super) fn begin(&mut self) {
        self.is_seen = false;
    }

    pub(super) fn see(&mut self, sample: WriterSample) {
        self.is_seen = true;
        self.verdict = sample.verdict;
        for (step, value) in self.steps.iter_mut().zip(std::mem::take(&mut self.now)) {
            if let Ok(value) = value {
                (step.before, step.is_known) = (Some(value), true);
            }
        }
        if !Arc::ptr_eq(&self.fields, &sample.fields) {
            self.carry_over(sample.fields);
        }
        self.now = sample.values;
        self.step();
    }

    /// Fields have come or gone. Those that came had counted nothing before.
    fn carry_over(&mut self, fields: Arc<[Field]>) {
        let mut known = HashMap::new();
        for (field, step) in self.fields.iter().zip(std::mem::take(&mut self.steps)) {
            known.insert((field.label.clone(), field.kind as u8), step);
        }
        let new = Step { is_known: true, ..Step::default() };
        let step = |field: &Field| {
            known.remove(&(field.label.clone(), field.kind as u8)).unwrap_or(new.clone())
        };
        self.steps = fields.iter().map(step).collect();
        self.fields = fields;
    }

    fn step(&mut self) {
        for ((field, step), now) in self.fields.iter().zip(&mut self.steps).zip(&self.now) {
            let Ok(now) = now else {
                step.grown = None;
                continue;
            };
            step.grown = if step.is_known { delta(field, step.before.as_ref(), now) } else { None };
            step.total = match (step.total, step.grown) {
                (Some(total), Some(grown)) => Some(total + grown),
                (None, _) => delta(field, None, now),
                (total, None) => total,
            };
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.verdict.liveness == Liveness::Dead
    }

    /// A field's value, if it could be read.
    pub(crate) fn value(&self, index: usize) -> Option<&OwnedValue> {
        self.now.get(index)?.as_ref().ok().filter(|_| self.is_seen)
    }

    /// By how much a field grew since the look before; `None` if that is not known.
    pub(crate) fn grown(&self, index: usize) -> Option<Number> {
        self.steps.get(index)?.grown.filter(|_| self.is_seen)
    }

    /// All that a counter has counted, through wraps and new beginnings.
    pub(crate) fn total(&self, index: usize) -> Option<Number> {
        self.steps.get(index)?.total
    }

    /// What a histogram recorded since the look before.
    pub(super) fn recorded_lately(&self, index: usize) -> Option<HistogramSnapshot> {
        let (step, OwnedValue::Histogram(now)) = (self.steps.get(index)?, self.value(index)?)
        else {
            return None;
        };
        match &step.before {
            Some(OwnedValue::Histogram(before)) => {
                Some(now.since(before, self.fields.get(index)?.location.ty))
            }
            _ if step.is_known => Some(now.as_ref().clone()),
            _ => None,
        }
    }

    /// The command that its file is named after, by default `{CMD}-{PID}-{TID}.mmstats`, or what
    /// the system calls the process.
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
