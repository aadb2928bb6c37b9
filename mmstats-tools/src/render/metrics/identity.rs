//! The identity of a file's writer, as labels of one series instead of a series for each field.

use mmstats_std::read::{Field, IdentityField, IdentityFields};

use super::DroppedField;
use super::escape::push_label;
use super::family::Type;
use crate::labels::Labels;
use crate::render::number::Scale;
use crate::scraper::{OwnedValue, WriterSample};

/// The names of the labels of identity fields, in the order of [`IdentityField::ALL`].
const NAMES: [&str; IdentityField::ALL.len()] =
    ["pid", "thread", "uid", "gid", "created", "start", "boot_id", "pid_namespace"];

/// The positions of the identity fields and of the Python version, with the names of their labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity(Vec<(usize, &'static str)>);

impl Identity {
    /// Finds the identity fields of a file.
    pub(super) fn find(fields: &[Field]) -> Self {
        let identity = IdentityFields::find(fields.iter().map(|field| field.label.as_str()));
        let index = |(field, name)| Some((identity.index(field)?, name));
        let mut found: Vec<_> =
            IdentityField::ALL.into_iter().zip(NAMES).filter_map(index).collect();
        let is_version = |field: &Field| {
            let rest = field.label.strip_prefix(identity.prefix()).unwrap_or(&field.label);
            rest == "org.python.version"
        };
        found.extend(fields.iter().rposition(is_version).map(|index| (index, "python_version")));
        found.retain(|(index, _)| Type::from_field(&fields[*index]) != Type::Histogram);
        Identity(found)
    }

    /// Returns `true` if a field is one of these.
    pub(super) fn contains(&self, index: usize) -> bool {
        self.0.iter().any(|(known, _)| *known == index)
    }

    /// Returns the labels of a writer; empty if no field is wanted.
    pub(super) fn labels(
        &self,
        sample: &WriterSample,
        wanted: &Labels,
        dropped: &mut Vec<DroppedField>,
    ) -> String {
        let mut text = String::new();
        for (index, name) in self.0.iter().copied() {
            let Some(field) = sample.fields.get(index).filter(|field| wanted.accept(&field.label))
            else {
                continue;
            };
            match sample.values.get(index) {
                Some(Ok(value)) => {
                    push_label(
                        &mut text,
                        name,
                        &words(value, Scale::from_field(field)).unwrap_or_default(),
                    );
                }
                Some(Err(error)) => {
                    dropped.push(DroppedField {
                        file: Some(sample.writer_id.name.clone()),
                        label: field.label.clone(),
                        reason: error.to_string(),
                    });
                }
                None => {}
            }
        }
        if let Some(owner) = sample.writer_id.other_owner {
            push_label(&mut text, "owner", &owner.to_string());
        }
        if !text.is_empty() {
            push_label(&mut text, "format", &sample.writer_id.version.to_string());
        }
        text
    }
}

/// Formats a value as the value of a label; returns `None` for histograms.
pub(super) fn words(stored: &OwnedValue, scale: Scale) -> Option<String> {
    match stored {
        OwnedValue::Bool(value) => Some(value.to_string()),
        OwnedValue::Text(text) => Some(text.to_string()),
        number => scale.number(number).map(|number| number.to_string()),
    }
}
