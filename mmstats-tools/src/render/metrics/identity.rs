//! Who writes a file, as labels of one series instead of a series for each of these fields.

use mmstats_std::read::Field;

use super::DroppedField;
use super::escape::push_label;
use super::family::Type;
use crate::labels::Labels;
use crate::render::number::Scale;
use crate::render::text::scale;
use crate::scraper::{OwnedValue, WriterSample};

/// The ends of labels, and what the labels are called in a page.
const NAMES: [(&str, &str); 9] = [
    ("sys.pid", "pid"),
    ("sys.tid", "thread"),
    ("sys.uid", "uid"),
    ("sys.gid", "gid"),
    ("sys.created", "created"),
    ("sys.start", "start"),
    ("sys.boot_id", "boot_id"),
    ("sys.pid_namespace", "pid_namespace"),
    ("org.python.version", "python_version"),
];

/// Where these fields are; of several, the last, for a process's own stand behind the program's.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity([Option<usize>; NAMES.len()]);

impl Identity {
    pub(super) fn of(fields: &[Field]) -> Self {
        let tells = |field: &Field, name| {
            ends_in(&field.label, name) && Type::from_field(field) != Type::Histogram
        };
        Identity(NAMES.map(|(name, _)| fields.iter().rposition(|field| tells(field, name))))
    }

    /// Whether a field is one of these.
    pub(super) fn contains(&self, index: usize) -> bool {
        self.0.contains(&Some(index))
    }

    /// What they tell of a writer; nothing if none of them is wanted.
    pub(super) fn labels(
        &self,
        sample: &WriterSample,
        wanted: &Labels,
        dropped: &mut Vec<DroppedField>,
    ) -> String {
        let mut text = String::new();
        for (index, (_, name)) in self.0.iter().zip(NAMES) {
            let Some(index) = *index else { continue };
            let Some(field) = sample.fields.get(index).filter(|field| wanted.accept(&field.label))
            else {
                continue;
            };
            match sample.values.get(index) {
                Some(Ok(value)) => {
                    push_label(&mut text, name, &words(value, scale(field)).unwrap_or_default())
                }
                Some(Err(problem)) => {
                    dropped.push(DroppedField {
                        file: Some(sample.writer_id.name.clone()),
                        label: field.label.clone(),
                        reason: problem.to_string(),
                    });
                }
                None => {}
            }
        }
        if !text.is_empty() {
            push_label(&mut text, "format", &sample.writer_id.version.to_string());
        }
        text
    }
}

/// Whether a label is a name, or a name behind a prefix.
fn ends_in(label: &str, name: &str) -> bool {
    label
        .strip_suffix(name)
        .is_some_and(|prefix| !prefix.ends_with(|last: char| last.is_alphanumeric() || last == '_'))
}

/// A value as the value of a label; `None` for distributions.
pub(super) fn words(stored: &OwnedValue, scale: Scale) -> Option<String> {
    Some(match stored {
        OwnedValue::Bool(value) => value.to_string(),
        OwnedValue::Unsigned(value) => scale.unsigned(*value).to_string(),
        OwnedValue::Signed(value) => scale.signed(*value).to_string(),
        OwnedValue::Float(value) => scale.float(*value).to_string(),
        OwnedValue::Text(text) => text.to_string(),
        OwnedValue::Histogram(_) => return None,
    })
}
