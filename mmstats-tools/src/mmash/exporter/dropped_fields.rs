//! What is not in the metrics, told once for each label.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::render::metrics::DroppedField;

/// Labels that are told of; nobody reads more.
const MOST: usize = 100;

/// The labels that were told of.
#[derive(Default)]
pub(crate) struct DroppedFields(Mutex<HashSet<String>>);

impl DroppedFields {
    /// What is to be told now that these are left out.
    pub(crate) fn news(&self, left_out: &[DroppedField]) -> Vec<String> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = Vec::new();
        for one in left_out {
            if told.len() < MOST && !told.contains(&one.label) {
                told.insert(one.label.clone());
                news.push(format!("not in the metrics: {one}"));
                if told.len() == MOST {
                    news.push(format!("not in the metrics: these {MOST}, and maybe more, which mmstats_dropped_fields counts"));
                }
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_is_told_once_and_not_too_many() {
        let left_out = |label: usize| DroppedField {
            file: None,
            label: format!("x{label}"),
            reason: "left out".to_owned(),
        };
        let told = DroppedFields::default();
        assert_eq!(
            told.news(&[left_out(1), left_out(1), left_out(2)]),
            ["not in the metrics: x1: left out", "not in the metrics: x2: left out"]
        );
        assert_eq!(told.news(&[left_out(2), left_out(3)]), ["not in the metrics: x3: left out"]);
        let rest: usize =
            (0..3).map(|_| told.news(&(0..1000).map(left_out).collect::<Vec<_>>()).len()).sum();
        assert_eq!(rest, MOST - 3 + 1);
    }
}
