//! Encodes families and their samples.

use std::path::{Path, PathBuf};

use mmstats_core::reader::ValueError;
use mmstats_std::read::Field;

use super::escape::push_label;
use super::families::{Families, FamilyMember};
use super::family::{Family, Type};
use super::identity::{Identity, words};
use super::number::MetricValue;
use super::{DroppedField, Format, Page, Settings};
use crate::render::number::Scale;
use crate::scraper::OwnedValue;
use crate::series::{Number, has_value};

/// A set of fields and all writers that have it.
pub(super) struct Layout<'l> {
    pub(super) fields: &'l [Field],
    pub(super) identity: Identity,
    pub(super) writers: Vec<SeriesValues<'l>>,
}

impl Layout<'_> {
    /// Returns the name of the first writer.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.writers.first().and_then(|writer| writer.path).map(Path::to_owned)
    }
}

/// The values of one writer, or of sums.
pub(super) struct SeriesValues<'l> {
    /// `None` for sums.
    pub(super) path: Option<&'l Path>,
    /// Rendered as labels.
    pub(super) labels: String,
    pub(super) values: &'l [Result<OwnedValue, ValueError>],
}

/// Encodes a page.
pub(super) struct Encoder {
    format: Format,
    /// The labels of all series.
    common: String,
    page: Page,
}

impl Encoder {
    pub(super) fn new(settings: &Settings, dropped: Vec<DroppedField>, samples: usize) -> Self {
        let mut common = String::new();
        if let Some(name) = &settings.textfile {
            push_label(&mut common, "textfile", name);
        }
        // A line has about 96 bytes; growing the page would copy it.
        let text = String::with_capacity(samples * 96);
        Encoder { format: settings.format, common, page: Page { text, dropped } }
    }

    /// Writes all families.
    pub(super) fn write_families(&mut self, families: &Families, layouts: &[Layout<'_>]) {
        for (family, members) in &families.families {
            self.write_family(family, |encoder, names| {
                for member in members {
                    let Some(layout) = layouts.get(member.layout) else { continue };
                    let Some(field) = layout.fields.get(member.field) else { continue };
                    for writer in &layout.writers {
                        let sample = (family.ty, names, member);
                        if let Err(reason) = encoder.write_sample(sample, field, writer) {
                            let (file, label) =
                                (writer.path.map(Path::to_owned), field.label.clone());
                            encoder.page.dropped.push(DroppedField { file, label, reason });
                        }
                    }
                }
            });
        }
    }

    /// Writes a family about the page itself from labels and values.
    pub(super) fn write_own_family(&mut self, family: &Family, samples: &[(String, MetricValue)]) {
        self.write_family(family, |encoder, [name, ..]| {
            for (labels, value) in samples {
                encoder.write_line(name, [labels, "", ""], |to| value.push(to));
            }
        });
    }

    /// Writes the metadata of a family, and its samples if there are any.
    fn write_family(
        &mut self,
        family: &Family,
        write_samples: impl FnOnce(&mut Self, &[String; 3]),
    ) {
        let start = self.page.text.len();
        family.push_metadata(&mut self.page.text, self.format);
        let metadata_end = self.page.text.len();
        write_samples(self, &family.sample_names());
        if self.page.text.len() == metadata_end {
            self.page.text.truncate(start);
        }
    }

    /// Returns the number of fields dropped so far.
    pub(super) fn dropped_count(&self) -> usize {
        self.page.dropped.len()
    }

    /// Completes the page.
    pub(super) fn finish(mut self) -> Page {
        if self.format == Format::OpenMetrics {
            self.page.text.push_str("# EOF\n");
        }
        self.page
    }

    fn write_sample(
        &mut self,
        (ty, [name, sum_name, count_name], member): (Type, &[String; 3], &FamilyMember),
        field: &Field,
        writer: &SeriesValues<'_>,
    ) -> Result<(), String> {
        let value = match writer.values.get(member.field) {
            Some(Ok(value)) if has_value(field, value) => value,
            Some(Err(error)) => return Err(error.to_string()),
            // A sample that is absent means just this: there is no value yet.
            Some(Ok(_)) | None => return Ok(()),
        };
        let labels = [&member.dimensions[..], &writer.labels];
        match (ty, value) {
            (Type::Histogram, OwnedValue::Histogram(buckets)) => {
                let (sum, mut count) = (
                    MetricValue::scale(
                        Number::Integer(buckets.sum.into()),
                        Scale::from_field(field),
                    ),
                    0,
                );
                for (bound, below) in member.bounds.cumulate(buckets) {
                    count = below;
                    self.write_line(name, [labels[0], labels[1], bound], |to| {
                        MetricValue::count(below).push(to);
                    });
                }
                self.write_line(sum_name, [labels[0], labels[1], ""], |to| sum.push(to));
                self.write_line(count_name, [labels[0], labels[1], ""], |to| {
                    MetricValue::count(count).push(to);
                });
            }
            (Type::Info, value) => {
                let mut label = String::new();
                if let Some(value) = words(value, Scale::from_field(field)) {
                    push_label(&mut label, "value", &value);
                }
                if !field.unit.is_empty() {
                    push_label(&mut label, "unit", &field.unit);
                }
                self.write_line(name, [labels[0], labels[1], &label], |to| to.push('1'));
            }
            (ty, value) => {
                let Some(shown) = MetricValue::new(value, Scale::from_field(field)) else {
                    return Err("not a number".to_owned());
                };
                if ty == Type::Counter && !shown.is_valid_count() {
                    return Err(shown.invalid_count_error());
                }
                self.write_line(name, [labels[0], labels[1], ""], |to| shown.push(to));
            }
        }
        Ok(())
    }

    #[inline]
    fn write_line(&mut self, name: &str, labels: [&str; 3], value: impl FnOnce(&mut String)) {
        let to = &mut self.page.text;
        to.push_str(name);
        let mut separator = '{';
        let labels = labels.into_iter().chain([&self.common[..]]);
        for label in labels.filter(|label| !label.is_empty()) {
            to.push(separator);
            to.push_str(label);
            separator = ',';
        }
        to.push_str(if separator == ',' { "} " } else { " " });
        value(to);
        to.push('\n');
    }
}
