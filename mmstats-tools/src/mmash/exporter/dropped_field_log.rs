//! Which labels without a metric have been logged.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::render::metrics::DroppedField;

/// The number of labels without a metric that are logged.
const MAX_LABELS: usize = 100;

/// The labels that have been logged because they are missing from the metrics.
#[derive(Default)]
pub(crate) struct DroppedFieldLog(Mutex<HashSet<String>>);

impl DroppedFieldLog {
    /// Returns messages about fields that have not been logged yet.
    pub(crate) fn new_messages(&self, dropped: &[DroppedField]) -> Vec<String> {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut messages = Vec::new();
        for field in dropped {
            if logged.len() < MAX_LABELS && logged.insert(field.label.clone()) {
                messages.push(format!("not in the metrics: {field}"));
                if logged.len() == MAX_LABELS {
                    messages.push(format!(
                        "not in the metrics: more than {MAX_LABELS} labels; \
                         mmstats_dropped_fields counts them"
                    ));
                }
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_is_logged_once_and_not_too_many() {
        let dropped = |label: usize| DroppedField {
            file: None,
            label: format!("x{label}"),
            reason: "dropped".to_owned(),
        };
        let log = DroppedFieldLog::default();
        assert_eq!(
            log.new_messages(&[dropped(1), dropped(1), dropped(2)]),
            ["not in the metrics: x1: dropped", "not in the metrics: x2: dropped"]
        );
        assert_eq!(
            log.new_messages(&[dropped(2), dropped(3)]),
            ["not in the metrics: x3: dropped"]
        );
        let rest: usize = (0..3)
            .map(|_| log.new_messages(&(0..1000).map(dropped).collect::<Vec<_>>()).len())
            .sum();
        assert_eq!(rest, MAX_LABELS - 3 + 1);
    }
}
