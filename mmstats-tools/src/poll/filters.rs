//! Selecting files by their labels and values (`--where`).

use crate::options::poll::Match;
use crate::render::number::Scale;
use crate::scraper::{OwnedValue, WriterSample};

/// Conditions that a file must match.
pub(super) struct Filters {
    conditions: Vec<Condition>,
    required: Match,
}

struct Condition {
    /// The start of a label, or `LABEL=VALUE`, with and without the prefix. One of them must match.
    texts: Vec<String>,
}

impl Filters {
    pub(super) fn new(filters: &[String], prefix: &str, required: Match) -> Filters {
        let conditions = filters.iter().map(|filter| {
            let mut texts = super::selector::prefixed_labels(prefix, filter);
            texts.push(filter.clone());
            Condition { texts }
        });
        Filters { conditions: conditions.collect(), required }
    }

    pub(super) fn accept(&self, sample: &WriterSample) -> bool {
        let matches =
            |condition: &Condition| condition.texts.iter().any(|text| matches(sample, text));
        match self.required {
            Match::Any => self.conditions.is_empty() || self.conditions.iter().any(matches),
            Match::All => self.conditions.iter().all(matches),
        }
    }
}

/// Returns `true` if a file has a label that starts with the text, or a label with the value after
/// `=`. Labels may also contain `=`.
fn matches(sample: &WriterSample, text: &str) -> bool {
    sample.fields.iter().any(|field| field.label.starts_with(text))
        || text.match_indices('=').any(|(at, _)| has_value(sample, &text[..at], &text[at + 1..]))
}

/// Returns `true` if a field with this label, with or without a prefix, has the value.
fn has_value(sample: &WriterSample, label: &str, value: &str) -> bool {
    if label.is_empty() {
        return false;
    }
    let identity = sample.identity_fields();
    let mut values = sample
        .fields
        .iter()
        .zip(&sample.values)
        .filter(|(field, _)| identity.match_label(&field.label, label).is_some());
    values.any(|(field, stored)| {
        let scale = Scale::from_field(field);
        let shown = match stored {
            Ok(OwnedValue::Bool(value)) => if *value { "True" } else { "False" }.to_owned(),
            Ok(OwnedValue::Unsigned(value)) => scale.unsigned(*value).to_string(),
            Ok(OwnedValue::Signed(value)) => scale.signed(*value).to_string(),
            Ok(OwnedValue::Float(value)) => scale.float(*value).to_string(),
            Ok(OwnedValue::Text(text)) => return **text == *value,
            Ok(OwnedValue::Histogram(_)) | Err(_) => return false,
        };
        shown == value
    })
}
