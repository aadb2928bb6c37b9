//! Writes families and their samples.

use std::path::{Path, PathBuf};

use mmstats_core::reader::ValueError;
use mmstats_std::read::Field;

use super::catalogue::{Catalogue, Member};
use super::escape::push_label;
use super::family::{Family, Type};
use super::identity::{Identity, words};
use super::number::DisplayValue;
use super::{Format, LeftOut, Page};
use crate::render::text::scale;
use crate::scraper::OwnedValue;

/// Fields, and all writers that have them.
pub(super) struct Layout<'l> {
    pub(super) fields: &'l [Field],
    pub(super) identity: Identity,
    pub(super) writers: Vec<Writer<'l>>,
}

impl Layout<'_> {
    /// The first writer's name.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.writers.first().and_then(|writer| writer.path).map(Path::to_owned)
    }
}

/// Whose values are shown.
pub(super) struct Writer<'l> {
    /// `None` for sums.
    pub(super) path: Option<&'l Path>,
    /// As labels.
    pub(super) labels: String,
    pub(super) values: &'l [Result<OwnedValue, ValueError>],
}

/// A page while it is being written.
pub(super) struct Pen {
    format: Format,
    page: Page,
}

impl Pen {
    pub(super) fn new(format: Format, left_out: Vec<LeftOut>, samples: usize) -> Self {
        // A line is about so long; to grow a page would be to copy it.
        Pen { format, page: Page { text: String::with_capacity(samples * 96), left_out } }
    }

    /// Writes all families.
    pub(super) fn families(&mut self, catalogue: &Catalogue, layouts: &[Layout<'_>]) {
        for (family, members) in &catalogue.families {
            let begin = self.page.text.len();
            family.push_metadata(&mut self.page.text, self.format);
            let without = self.page.text.len();
            let names = Names::new(family);
            for member in members {
                let Some(layout) = layouts.get(member.layout) else { continue };
                let Some(field) = layout.fields.get(member.field) else { continue };
                for writer in &layout.writers {
                    if let Err(why) = self.sample(&names, member, field, writer) {
                        let file = writer.path.map(Path::to_owned);
                        self.page.left_out.push(LeftOut { file, label: field.label.clone(), why });
                    }
                }
            }
            if self.page.text.len() == without {
                self.page.text.truncate(begin);
            }
        }
    }

    /// Writes a family of this page's own, with the labels and values that it has.
    pub(super) fn own<L: AsRef<str>>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (L, DisplayValue)>,
    ) {
        let begin = self.page.text.len();
        family.push_metadata(&mut self.page.text, self.format);
        let without = self.page.text.len();
        for (labels, value) in samples {
            self.line(&family.sample(), [labels.as_ref(), "", ""], |to| value.push(to));
        }
        if self.page.text.len() == without {
            self.page.text.truncate(begin);
        }
    }

    /// How many fields could not be shown so far.
    pub(super) fn left_out(&self) -> usize {
        self.page.left_out.len()
    }

    /// Ends the page.
    pub(super) fn finish(mut self) -> Page {
        if self.format == Format::OpenMetrics {
            self.page.text.push_str("# EOF\n");
        }
        self.page
    }

    fn sample(
        &mut self,
        names: &Names,
        member: &Member,
        field: &Field,
        writer: &Writer<'_>,
    ) -> Result<(), String> {
        let value = match writer.values.get(member.field) {
            Some(Ok(value)) => value,
            Some(Err(problem)) => return Err(problem.to_string()),
            None => return Ok(()),
        };
        let labels = [&member.dimensions[..], &writer.labels];
        match (names.ty, value) {
            (Type::Histogram, OwnedValue::Histogram(buckets)) => {
                let (sum, mut count) = (DisplayValue::unsigned(buckets.sum, scale(field)), 0);
                for (bound, below) in member.bounds.cumulate(buckets) {
                    count = below;
                    self.line(&names.sample, [labels[0], labels[1], bound], |to| {
                        DisplayValue::Unsigned(below).push(to)
                    });
                }
                self.line(&names.sum, [labels[0], labels[1], ""], |to| sum.push(to));
                self.line(&names.count, [labels[0], labels[1], ""], |to| {
                    DisplayValue::Unsigned(count).push(to)
                });
            }
            (Type::Info, value) => {
                let mut label = String::new();
                if let Some(value) = words(value, scale(field)) {
                    push_label(&mut label, "value", &value);
                }
                if !field.unit.is_empty() {
                    push_label(&mut label, "unit", &field.unit);
                }
                self.line(&names.sample, [labels[0], labels[1], &label], |to| to.push('1'));
            }
            (ty, value) => {
                let Some(shown) = DisplayValue::new(value, scale(field)) else {
                    return Err("no number".to_owned());
                };
                if ty == Type::Counter && !shown.counts() {
                    return Err(shown.no_count());
                }
                self.line(&names.sample, [labels[0], labels[1], ""], |to| shown.push(to));
            }
        }
        Ok(())
    }

    #[inline]
    fn line(&mut self, name: &str, labels: [&str; 3], value: impl FnOnce(&mut String)) {
        let to = &mut self.page.text;
        to.push_str(name);
        let mut separator = '{';
        for label in labels.into_iter().filter(|label| !label.is_empty()) {
            to.push(separator);
            to.push_str(label);
            separator = ',';
        }
        to.push_str(if separator == ',' { "} " } else { " " });
        value(to);
        to.push('\n');
    }
}

/// The names of a family's samples.
struct Names {
    ty: Type,
    /// Of a histogram, the buckets'.
    sample: String,
    sum: String,
    count: String,
}

impl Names {
    fn new(family: &Family) -> Self {
        let sample = if family.ty == Type::Histogram {
            format!("{}_bucket", family.name)
        } else {
            family.sample()
        };
        Names {
            ty: family.ty,
            sample,
            sum: format!("{}_sum", family.name),
            count: format!("{}_count", family.name),
        }
    }
}
