//! Which files take part.

use crate::options::poll::Match;
use crate::render::text::scale;
use crate::scraper::{OwnedValue, WriterSample};

/// What a file must hold.
pub(super) struct Filters {
    /// Each with what may stand before it.
    wanted: Vec<Wanted>,
    how_many: Match,
}

struct Wanted {
    /// A label's beginning, or `LABEL=VALUE`, in all the ways that it may be meant.
    texts: Vec<String>,
}

impl Filters {
    pub(super) fn new(filters: &[String], prefix: &str, how_many: Match) -> Filters {
        let wanted = filters.iter().map(|filter| {
            let mut texts = super::columns::with_prefix(prefix, filter);
            texts.push(filter.clone());
            Wanted { texts }
        });
        Filters { wanted: wanted.collect(), how_many }
    }

    pub(super) fn accept(&self, sample: &WriterSample) -> bool {
        let mut passes =
            self.wanted.iter().map(|wanted| wanted.texts.iter().any(|text| holds(sample, text)));
        match self.how_many {
            _ if self.wanted.is_empty() => true,
            Match::Any => passes.any(|passes| passes),
            Match::All => passes.all(|passes| passes),
        }
    }
}

/// Whether a file has a label that begins so, or a label with the value behind `=`. A label can
/// itself have `=` in it.
fn holds(sample: &WriterSample, text: &str) -> bool {
    sample.fields.iter().any(|field| field.label.starts_with(text))
        || text.match_indices('=').any(|(at, _)| has_value(sample, &text[..at], &text[at + 1..]))
}

fn has_value(sample: &WriterSample, label: &str, value: &str) -> bool {
    let is_it = |found: &str| {
        found == label || found.strip_suffix(label).is_some_and(|before| before.ends_with('.'))
    };
    let mut values = sample
        .fields
        .iter()
        .zip(&sample.values)
        .filter(|(field, _)| !label.is_empty() && is_it(&field.label));
    values.any(|(field, stored)| {
        let scale = scale(field);
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
