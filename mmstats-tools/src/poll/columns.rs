//! Columns: the names on the command line, and the labels that they stand for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use glob::Pattern;
use mmstats_core::Kind;
use mmstats_core::field::HISTOGRAM_SUFFIX;
use mmstats_std::read::Field;

use super::statistic::Statistic;
use crate::label_glob::{self, Glob};
use crate::scraper::Scrape;
use crate::series::is_cumulative;

/// The number of field layouts after which unused ones are dropped.
const MAX_CACHED_LAYOUTS: usize = 4096;

/// A column.
pub(super) struct Column {
    /// Unique among columns.
    pub(super) id: usize,
    pub(super) name: String,
    /// Labels in order of preference.
    wanted: Vec<(String, Option<Statistic>)>,
    /// Whether any file had one of them.
    pub(super) is_found: bool,
}

/// The field of a file that a column shows.
#[derive(Clone, Copy)]
pub(super) struct FieldBinding {
    /// The index of the column, from the left.
    pub(super) column: usize,
    /// The index of the field in its file.
    pub(super) field_index: usize,
    pub(super) statistic: Option<Statistic>,
}

/// A column that a label could be bound to.
struct ColumnCandidate {
    column: usize,
    /// The number of labels that the column prefers to this one.
    rank: usize,
    statistic: Option<Statistic>,
}

/// All columns.
pub(super) struct FieldColumns {
    prefix: String,
    specs: Vec<ColumnSpec>,
    /// Bindings by the address of a file's fields. Files without a bound field take little memory,
    /// however many columns there are.
    bindings: HashMap<*const Field, CachedBindings>,
    last_id: usize,
}

/// One name on the command line.
struct ColumnSpec {
    text: String,
    /// The columns of a pattern, by name; the only column of a plain name.
    columns: Vec<Column>,
    patterns: Vec<(Glob, Option<Statistic>)>,
    /// Labels that already have a column, and whether with the statistic; a name has at most one.
    matched: HashSet<(String, bool)>,
}

struct CachedBindings {
    /// Keeps the address, which is the key, in use.
    _fields: Arc<[Field]>,
    bindings: Vec<FieldBinding>,
}

/// Returns the labels that a name can stand for.
pub(super) fn prefixed_labels(prefix: &str, name: &str) -> Vec<String> {
    let mut labels = vec![[prefix, name].concat()];
    if !prefix.is_empty() && !prefix.ends_with('.') {
        labels.push([prefix, ".", name].concat());
    }
    labels
}

impl FieldColumns {
    pub(super) fn new(names: &[String], prefix: &str) -> FieldColumns {
        let mut columns = FieldColumns {
            prefix: prefix.to_owned(),
            specs: Vec::new(),
            bindings: HashMap::new(),
            last_id: 0,
        };
        for name in names {
            let spec = if name.contains(['*', '?', '[']) {
                columns.pattern_spec(name)
            } else {
                columns.plain_spec(name)
            };
            columns.specs.push(spec);
            columns.last_id += 1;
        }
        columns
    }

    fn pattern_spec(&self, text: &str) -> ColumnSpec {
        let prefix = Pattern::escape(&self.prefix);
        let patterns = parse_statistic(text).into_iter().flat_map(|(stem, statistic)| {
            let globs = prefixed_labels(&prefix, stem).into_iter();
            globs.filter_map(move |glob| Some((label_glob::parse(&glob).ok()?, statistic)))
        });
        ColumnSpec {
            text: text.to_owned(),
            columns: Vec::new(),
            patterns: patterns.collect(),
            matched: HashSet::new(),
        }
    }

    fn plain_spec(&self, text: &str) -> ColumnSpec {
        let mut wanted = Vec::new();
        for (stem, statistic) in parse_statistic(text) {
            let mut labels = prefixed_labels(&self.prefix, stem);
            if statistic.is_some() {
                labels.extend(prefixed_labels(&self.prefix, &histogram_of(stem)));
            }
            wanted.extend(labels.into_iter().map(|label| (label, statistic)));
        }
        let column = Column { id: self.last_id, name: text.to_owned(), wanted, is_found: false };
        ColumnSpec {
            text: text.to_owned(),
            columns: vec![column],
            patterns: Vec::new(),
            matched: HashSet::new(),
        }
    }

    /// Binds columns to the fields of a scrape. Returns `true` if a pattern matched new labels, so
    /// that there are more columns.
    pub(super) fn update(&mut self, scrape: &Scrape) -> bool {
        if self.bindings.len() > MAX_CACHED_LAYOUTS.max(2 * scrape.samples.len()) {
            self.bindings.clear();
        }
        let new: Vec<&Arc<[Field]>> = scrape
            .samples
            .iter()
            .map(|sample| &sample.fields)
            .filter(|fields| !self.bindings.contains_key(&fields.as_ptr()))
            .collect();
        let mut has_more = false;
        for fields in &new {
            has_more |= self.add_matching(fields);
        }
        if has_more {
            self.specs
                .iter_mut()
                .for_each(|spec| spec.columns.sort_by(|one, other| one.name.cmp(&other.name)));
            self.bindings.clear();
        }
        let fields = if has_more {
            scrape.samples.iter().map(|sample| &sample.fields).collect()
        } else {
            new
        };
        if !fields.is_empty() {
            self.bind(fields);
        }
        has_more
    }

    /// Adds columns for labels that patterns match for the first time.
    fn add_matching(&mut self, fields: &[Field]) -> bool {
        let mut has_more = false;
        for spec in &mut self.specs {
            let matching = |(pattern, statistic): &(Glob, Option<Statistic>)| -> Vec<_> {
                let is_match = |field: &&Field| {
                    let timer = statistic.and_then(|_| timer_of(&field.label));
                    (pattern.matches(&field.label)
                        || timer.is_some_and(|timer| pattern.matches(&timer)))
                        && has_statistic(field, *statistic)
                };
                let matching = fields.iter().filter(is_match);
                matching.map(|field| (field.label.clone(), *statistic)).collect()
            };
            for wanted in spec
                .patterns
                .iter()
                .map(matching)
                .find(|found| !found.is_empty())
                .unwrap_or_default()
            {
                if !spec.matched.insert((wanted.0.clone(), wanted.1.is_some())) {
                    continue;
                }
                self.last_id += 1;
                let name = column_name(&wanted, &self.prefix, &spec.text);
                spec.columns.push(Column {
                    id: self.last_id,
                    name,
                    wanted: vec![wanted],
                    is_found: false,
                });
                has_more = true;
            }
        }
        has_more
    }

    fn bind(&mut self, all: Vec<&Arc<[Field]>>) {
        let mut candidates: HashMap<&str, Vec<ColumnCandidate>> = HashMap::new();
        for (index, column) in self.specs.iter().flat_map(|spec| &spec.columns).enumerate() {
            for (rank, (label, statistic)) in column.wanted.iter().enumerate() {
                candidates.entry(label).or_default().push(ColumnCandidate {
                    column: index,
                    rank,
                    statistic: *statistic,
                });
            }
        }
        let mut found = HashSet::new();
        for fields in all {
            self.bindings.entry(fields.as_ptr()).or_insert_with(|| {
                let bindings = bind_fields(fields, &candidates);
                found.extend(bindings.iter().map(|binding| binding.column));
                CachedBindings { _fields: fields.clone(), bindings }
            });
        }
        for (index, column) in self.specs.iter_mut().flat_map(|spec| &mut spec.columns).enumerate()
        {
            column.is_found |= found.contains(&index);
        }
    }

    /// Returns all columns, from left to right.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Column> {
        self.specs.iter().flat_map(|spec| &spec.columns)
    }

    /// Returns the names of all columns, from left to right.
    pub(super) fn names(&self) -> Vec<String> {
        self.iter().map(|column| column.name.clone()).collect()
    }

    /// Returns the bindings of a file with these fields, which [`FieldColumns::update`] has seen.
    pub(super) fn bindings(&self, fields: &Arc<[Field]>) -> &[FieldBinding] {
        self.bindings.get(&fields.as_ptr()).map_or(&[], |cached| &cached.bindings)
    }

    /// Returns the names on the command line that no file has had, and the labels that they stand
    /// for, with the kinds of fields that have the statistic.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&str, Vec<String>)> {
        let missing =
            self.specs.iter().filter(|spec| !spec.columns.iter().any(|column| column.is_found));
        missing.map(|spec| {
            let describe = |label: &str, statistic: Option<Statistic>| match statistic {
                None => label.to_owned(),
                Some(Statistic::Rate) => format!("{label} (a counter or histogram)"),
                Some(_) => format!("{label} (a histogram)"),
            };
            let labels = spec
                .columns
                .iter()
                .flat_map(|column| &column.wanted)
                .map(|(label, statistic)| describe(label, *statistic));
            let patterns = spec
                .patterns
                .iter()
                .map(|(pattern, statistic)| describe(pattern.as_str(), *statistic));
            (spec.text.as_str(), labels.chain(patterns).collect())
        })
    }
}

/// Binds each column to the label that it prefers, and to its first field if several have it.
fn bind_fields(
    fields: &[Field],
    candidates: &HashMap<&str, Vec<ColumnCandidate>>,
) -> Vec<FieldBinding> {
    let mut best: BTreeMap<usize, (usize, FieldBinding)> = BTreeMap::new();
    for (field_index, field) in fields.iter().enumerate() {
        let candidates = candidates.get(field.label.as_str()).into_iter().flatten();
        for ColumnCandidate { column, rank, statistic } in
            candidates.filter(|candidate| has_statistic(field, candidate.statistic))
        {
            let binding = FieldBinding { column: *column, field_index, statistic: *statistic };
            let known = best.entry(*column).or_insert((*rank, binding));
            if *rank < known.0 {
                *known = (*rank, binding);
            }
        }
    }
    best.into_values().map(|(_, binding)| binding).collect()
}

/// Returns a name as it is, which is preferred, and without the statistic that follows its last
/// colon, if there is one. The statistics of a timer are those of its histogram.
fn parse_statistic(name: &str) -> Vec<(&str, Option<Statistic>)> {
    let split = name
        .rsplit_once(':')
        .and_then(|(stem, statistic)| Some((stem, Some(Statistic::parse(statistic)?))));
    [(name, None)].into_iter().chain(split).collect()
}

/// Returns the label of a timer's histogram. Dimensions come after the suffix.
fn histogram_of(timer: &str) -> String {
    let (label, dimensions) = split_dimensions(timer);
    [label, HISTOGRAM_SUFFIX, dimensions].concat()
}

/// Returns the label of the timer that has this histogram.
fn timer_of(histogram: &str) -> Option<String> {
    let (label, dimensions) = split_dimensions(histogram);
    Some([label.strip_suffix(HISTOGRAM_SUFFIX)?, dimensions].concat())
}

/// Splits a label from its dimensions: `http` and `{method="GET"}`.
fn split_dimensions(label: &str) -> (&str, &str) {
    let at = label.find('{').filter(|_| label.ends_with('}'));
    label.split_at(at.unwrap_or(label.len()))
}

fn has_statistic(field: &Field, statistic: Option<Statistic>) -> bool {
    match statistic {
        None => true,
        Some(Statistic::Rate) => is_cumulative(field),
        Some(_) => field.kind == Kind::Histogram,
    }
}

/// Returns the name of a pattern's column: the label without the prefix, with the statistic as it
/// is spelled on the command line.
fn column_name(
    (label, statistic): &(String, Option<Statistic>),
    prefix: &str,
    text: &str,
) -> String {
    let name = label.strip_prefix(prefix).unwrap_or(label);
    let name = if prefix.is_empty() { name } else { name.strip_prefix('.').unwrap_or(name) };
    match (statistic, text.rsplit_once(':')) {
        (Some(_), Some((_, statistic))) => format!("{name}:{statistic}"),
        _ => name.to_owned(),
    }
}
