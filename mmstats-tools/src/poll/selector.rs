//! The fields that a name on the command line stands for.

use mmstats_core::Kind;
use mmstats_core::field::HISTOGRAM_SUFFIX;
use mmstats_std::read::Field;

use super::statistic::Statistic;
use crate::dimensions::SplitLabel;
use crate::label_glob::Glob;
use crate::series::is_cumulative;

/// A choice of fields.
#[derive(Clone)]
pub(super) struct Selector {
    pub(super) labels: LabelMatcher,
    /// The statistic of these fields.
    pub(super) statistic: Option<Statistic>,
}

/// A choice of labels.
#[derive(Clone)]
pub(super) enum LabelMatcher {
    /// This one.
    Exact(String),
    /// Those of all series.
    Series(SeriesMatcher),
    /// Those that match.
    Pattern(Glob),
}

/// All labels with this base name and these dimensions, and any others. A dimension whose value is
/// empty may be missing.
#[derive(Clone)]
pub(super) struct SeriesMatcher {
    pub(super) base: String,
    pub(super) dimensions: Vec<(String, String)>,
}

impl Selector {
    /// Returns `true` if it selects this field.
    pub(super) fn matches(&self, field: &Field, split: &SplitLabel<'_>) -> bool {
        let is_selected = match &self.labels {
            LabelMatcher::Exact(label) => field.label == *label,
            LabelMatcher::Series(series) => series.matches(split),
            LabelMatcher::Pattern(pattern) => {
                let timer = self.statistic.and_then(|_| timer_of(&field.label));
                pattern.matches(&field.label) || timer.is_some_and(|timer| pattern.matches(&timer))
            }
        };
        is_selected && has_statistic(field, self.statistic)
    }

    /// Returns the label or pattern, with the kinds of fields that have the statistic.
    pub(super) fn describe(&self) -> String {
        let label = match &self.labels {
            LabelMatcher::Exact(label) => label,
            LabelMatcher::Series(series) => &series.base,
            LabelMatcher::Pattern(pattern) => pattern.as_str(),
        };
        match self.statistic {
            None => label.to_owned(),
            Some(Statistic::Rate) => format!("{label} (a counter or histogram)"),
            Some(_) => format!("{label} (a histogram)"),
        }
    }
}

impl SeriesMatcher {
    /// Returns all series that have the base name and the dimensions of a label.
    pub(super) fn like(label: &str) -> SeriesMatcher {
        let SplitLabel { base, dimensions } = SplitLabel::new(label);
        let dimensions = dimensions.into_iter().map(|found| (found.name.to_owned(), found.value));
        SeriesMatcher { base: base.to_owned(), dimensions: dimensions.collect() }
    }

    /// Returns `true` if a label is one of these.
    pub(super) fn matches(&self, split: &SplitLabel<'_>) -> bool {
        split.base == self.base
            && self.dimensions.iter().all(|(name, value)| split.value(name) == value)
    }
}

/// Returns the labels that a name can stand for.
pub(super) fn prefixed_labels(prefix: &str, name: &str) -> Vec<String> {
    let mut labels = vec![[prefix, name].concat()];
    if !prefix.is_empty() && !prefix.ends_with('.') {
        labels.push([prefix, ".", name].concat());
    }
    labels
}

/// Returns a name as it is, which is preferred, and without the statistic that follows its last
/// colon, if there is one. The statistics of a timer are those of its histogram.
pub(super) fn parse_statistic(name: &str) -> Vec<(&str, Option<Statistic>)> {
    let split = name
        .rsplit_once(':')
        .and_then(|(stem, statistic)| Some((stem, Some(Statistic::parse(statistic)?))));
    [(name, None)].into_iter().chain(split).collect()
}

/// Returns the label of a timer's histogram. Dimensions come after the suffix.
pub(super) fn histogram_of(timer: &str) -> String {
    let (label, dimensions) = split_dimensions(timer);
    [label, HISTOGRAM_SUFFIX, dimensions].concat()
}

/// Returns the label of the timer that has this histogram.
fn timer_of(histogram: &str) -> Option<String> {
    let (label, dimensions) = split_dimensions(histogram);
    Some([label.strip_suffix(HISTOGRAM_SUFFIX)?, dimensions].concat())
}

/// Splits a label where its timer's suffix is, before the first brace: `http` and
/// `{method="GET"}`.
fn split_dimensions(label: &str) -> (&str, &str) {
    let at = label.find('{').filter(|_| label.ends_with('}'));
    label.split_at(at.unwrap_or(label.len()))
}

/// Returns `true` if a field has this statistic.
pub(super) fn has_statistic(field: &Field, statistic: Option<Statistic>) -> bool {
    match statistic {
        None => true,
        Some(Statistic::Rate) => is_cumulative(field),
        Some(_) => field.kind == Kind::Histogram,
    }
}
