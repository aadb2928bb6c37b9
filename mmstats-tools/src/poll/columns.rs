//! Columns: the names on the command line, and the fields that they stand for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::slice;
use std::sync::Arc;

use glob::Pattern;
use mmstats_std::read::Field;

use super::selector::{
    LabelMatcher, Selector, SeriesMatcher, has_statistic, histogram_of, parse_statistic,
    prefixed_labels,
};
use super::statistic::Statistic;
use crate::dimensions::{SplitLabel, compare_names};
use crate::label_glob;
use crate::scraper::Scrape;

/// The number of field layouts after which unused ones are dropped.
const MAX_CACHED_LAYOUTS: usize = 4096;

/// A column.
pub(super) struct Column {
    /// Unique among columns.
    pub(super) id: usize,
    pub(super) name: String,
    /// The fields in order of preference; no patterns.
    wanted: Vec<Selector>,
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

/// A column that fields could be bound to.
struct ColumnCandidate<'c> {
    column: usize,
    /// The number of choices that the column prefers to this one.
    rank: usize,
    statistic: Option<Statistic>,
    /// The series that are bound, instead of the field with the label.
    series: Option<&'c SeriesMatcher>,
}

/// All columns.
pub(super) struct FieldColumns {
    prefix: String,
    /// The dimensions that split columns: each combination of their values has its own.
    by: Vec<SplitDimension>,
    specs: Vec<ColumnSpec>,
    /// Bindings by the address of a file's fields. Files without a bound field take little memory,
    /// however many columns there are.
    bindings: HashMap<*const Field, CachedBindings>,
    last_id: usize,
}

/// A dimension that splits columns.
struct SplitDimension {
    name: String,
    /// Whether any field had it.
    is_found: bool,
}

/// One name on the command line.
struct ColumnSpec {
    text: String,
    /// The only column of a name that is not split; otherwise one for each value or label, by name.
    columns: Vec<Column>,
    /// The fields that get columns, in order of preference.
    selectors: Vec<Selector>,
    /// The names of the columns of `selectors`, each with whether it has a statistic.
    matched: HashSet<(String, bool)>,
}

struct CachedBindings {
    /// Keeps the address, which is the key, in use.
    _fields: Arc<[Field]>,
    bindings: Vec<FieldBinding>,
}

impl FieldColumns {
    pub(super) fn new(names: &[String], prefix: &str, by: &[String]) -> FieldColumns {
        let by = by.iter().map(|name| SplitDimension { name: name.clone(), is_found: false });
        let mut columns = FieldColumns {
            prefix: prefix.to_owned(),
            by: by.collect(),
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
        let selectors = parse_statistic(text).into_iter().flat_map(|(stem, statistic)| {
            let globs = prefixed_labels(&prefix, stem).into_iter();
            globs.filter_map(move |glob| {
                let labels = LabelMatcher::Pattern(label_glob::parse(&glob).ok()?);
                Some(Selector { labels, statistic })
            })
        });
        ColumnSpec::new(text, Vec::new(), selectors.collect())
    }

    /// A name stands for the field with this label, or for all series with its base name and
    /// dimensions.
    fn plain_spec(&self, text: &str) -> ColumnSpec {
        let mut labels = Vec::new();
        for (stem, statistic) in parse_statistic(text) {
            let mut all = prefixed_labels(&self.prefix, stem);
            if statistic.is_some() {
                all.extend(prefixed_labels(&self.prefix, &histogram_of(stem)));
            }
            labels.extend(all.into_iter().map(|label| (label, statistic)));
        }
        let series: Vec<_> = labels
            .iter()
            .map(|(label, statistic)| {
                let labels = LabelMatcher::Series(SeriesMatcher::like(label));
                Selector { labels, statistic: *statistic }
            })
            .collect();
        if !self.by.is_empty() {
            return ColumnSpec::new(text, Vec::new(), series);
        }
        let labels = labels
            .into_iter()
            .map(|(label, statistic)| Selector { labels: LabelMatcher::Exact(label), statistic });
        let wanted = labels.chain(series).collect();
        let column = Column { id: self.last_id, name: text.to_owned(), wanted, is_found: false };
        ColumnSpec::new(text, vec![column], Vec::new())
    }

    /// Binds columns to the fields of a scrape. Returns `true` if there are more columns: for
    /// labels that match a pattern, or for values of dimensions.
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
            self.specs.iter_mut().for_each(|spec| {
                spec.columns.sort_by(|one, other| compare_names(&one.name, &other.name));
            });
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

    /// Adds columns for fields that are selected for the first time.
    fn add_matching(&mut self, fields: &[Field]) -> bool {
        let FieldColumns { prefix, by, specs, last_id, .. } = self;
        if specs.iter().all(|spec| spec.selectors.is_empty()) {
            return false;
        }
        let fields: Vec<_> =
            fields.iter().map(|field| (field, SplitLabel::new(&field.label))).collect();
        let mut has_more = false;
        let mut found_dimensions = HashSet::new();
        for ColumnSpec { text, columns, selectors, matched } in specs {
            let selected = |selector: &Selector| -> Vec<_> {
                fields.iter().filter(|(field, split)| selector.matches(field, split)).collect()
            };
            let mut found = selectors.iter().map(|selector| (selector, selected(selector)));
            let Some((selector, found)) = found.find(|(_, found)| !found.is_empty()) else {
                continue;
            };
            let statistic = selector.statistic;
            for (field, split) in found {
                found_dimensions.extend(split.dimensions.iter().map(|dimension| dimension.name));
                let (name, wanted) = if by.is_empty() {
                    exact_column(selector, &field.label, prefix)
                } else {
                    split_column(text, selectors, selector, split, prefix, by)
                };
                if !matched.insert((name.clone(), statistic.is_some())) {
                    continue;
                }
                *last_id += 1;
                let name = with_statistic(name, statistic, text);
                columns.push(Column { id: *last_id, name, wanted, is_found: false });
                has_more = true;
            }
        }
        for dimension in by {
            dimension.is_found |= found_dimensions.contains(&*dimension.name);
        }
        has_more
    }

    fn bind(&mut self, all: Vec<&Arc<[Field]>>) {
        let mut candidates: HashMap<&str, Vec<ColumnCandidate<'_>>> = HashMap::new();
        for (index, column) in self.specs.iter().flat_map(|spec| &spec.columns).enumerate() {
            for (rank, selector) in column.wanted.iter().enumerate() {
                let (key, series) = match &selector.labels {
                    LabelMatcher::Exact(label) => (label, None),
                    LabelMatcher::Series(series) => (&series.base, Some(series)),
                    LabelMatcher::Pattern(_) => continue,
                };
                candidates.entry(key).or_default().push(ColumnCandidate {
                    column: index,
                    rank,
                    statistic: selector.statistic,
                    series,
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
            let wanted = spec.columns.iter().flat_map(|column| &column.wanted);
            // Series stand for labels that are in the list already.
            let labels = wanted.filter(|wanted| matches!(wanted.labels, LabelMatcher::Exact(_)));
            let searched = labels.chain(&spec.selectors).map(Selector::describe);
            (spec.text.as_str(), searched.collect())
        })
    }

    /// Returns the dimensions by which columns are split, but which none of their fields has had.
    pub(super) fn missing_dimensions(&self) -> impl Iterator<Item = &str> {
        let has_columns = self.iter().any(|column| column.is_found);
        let missing = self.by.iter().filter(move |dimension| has_columns && !dimension.is_found);
        missing.map(|dimension| &*dimension.name)
    }
}

impl ColumnSpec {
    fn new(text: &str, columns: Vec<Column>, selectors: Vec<Selector>) -> ColumnSpec {
        ColumnSpec { text: text.to_owned(), columns, selectors, matched: HashSet::new() }
    }
}

/// Returns the name, without the statistic, of a pattern's column for one label, and what the
/// column shows.
fn exact_column(selector: &Selector, label: &str, prefix: &str) -> (String, Vec<Selector>) {
    let labels = LabelMatcher::Exact(label.to_owned());
    let wanted = Selector { labels, statistic: selector.statistic };
    (without_prefix(label, prefix), vec![wanted])
}

/// Returns the name, without the statistic, of the column for the values of dimensions that a
/// label has, and what the column shows. `selector`, one of those of `text`, has found the label.
fn split_column(
    text: &str,
    selectors: &[Selector],
    selector: &Selector,
    split: &SplitLabel<'_>,
    prefix: &str,
    by: &[SplitDimension],
) -> (String, Vec<Selector>) {
    let (base, mut dimensions, bases) = match &selector.labels {
        LabelMatcher::Series(series) => {
            let stem = match (selector.statistic, text.rsplit_once(':')) {
                (Some(_), Some((stem, _))) => stem,
                _ => text,
            };
            (SplitLabel::new(stem).base.to_owned(), series.dimensions.clone(), selectors)
        }
        LabelMatcher::Exact(_) | LabelMatcher::Pattern(_) => {
            (without_prefix(split.base, prefix), Vec::new(), slice::from_ref(selector))
        }
    };
    for SplitDimension { name, .. } in by {
        if dimensions.iter().all(|(other, _)| other != name) {
            dimensions.push((name.clone(), split.value(name).to_owned()));
        }
    }
    // An empty value is as good as none, and is in the same column.
    let texts = dimensions.iter().filter_map(|(name, _)| {
        let mut found = split.dimensions.iter();
        found.find(|dimension| dimension.name == name && !dimension.value.is_empty())
    });
    let texts: Vec<_> = texts.map(|dimension| dimension.text).collect();
    let name = if texts.is_empty() { base } else { format!("{base}{{{}}}", texts.join(",")) };
    let wanted = bases.iter().map(|selector| {
        let base = match &selector.labels {
            LabelMatcher::Series(series) => &series.base,
            LabelMatcher::Exact(_) | LabelMatcher::Pattern(_) => split.base,
        };
        let labels = LabelMatcher::Series(SeriesMatcher {
            base: base.to_owned(),
            dimensions: dimensions.clone(),
        });
        Selector { labels, statistic: selector.statistic }
    });
    (name, wanted.collect())
}

/// Binds each column to the label, or the series, that it prefers. If a file has a label twice, the
/// first field counts.
fn bind_fields(
    fields: &[Field],
    candidates: &HashMap<&str, Vec<ColumnCandidate<'_>>>,
) -> Vec<FieldBinding> {
    let mut best: BTreeMap<usize, (usize, Vec<FieldBinding>)> = BTreeMap::new();
    let mut bound = HashSet::new();
    for (field_index, field) in fields.iter().enumerate() {
        let (label, split) = (&*field.label, SplitLabel::new(&field.label));
        let with_key = |key| candidates.get(key).into_iter().flatten();
        let of_label = with_key(label).filter(|candidate| candidate.series.is_none());
        let of_series = with_key(split.base)
            .filter(|candidate| candidate.series.is_some_and(|series| series.matches(&split)));
        for candidate in of_label.chain(of_series) {
            let ColumnCandidate { column, rank, statistic, .. } = *candidate;
            if !has_statistic(field, statistic) || !bound.insert((column, rank, label)) {
                continue;
            }
            let binding = FieldBinding { column, field_index, statistic };
            let (best_rank, bindings) = best.entry(column).or_insert((rank, Vec::new()));
            if rank < *best_rank {
                (*best_rank, *bindings) = (rank, Vec::new());
            }
            if rank == *best_rank {
                bindings.push(binding);
            }
        }
    }
    best.into_values().flat_map(|(_, bindings)| bindings).collect()
}

/// Returns the name of a pattern's column: the label without the prefix.
fn without_prefix(label: &str, prefix: &str) -> String {
    let name = label.strip_prefix(prefix).unwrap_or(label);
    let name = if prefix.is_empty() { name } else { name.strip_prefix('.').unwrap_or(name) };
    name.to_owned()
}

/// Appends the statistic as it is spelled on the command line.
fn with_statistic(name: String, statistic: Option<Statistic>, text: &str) -> String {
    match (statistic, text.rsplit_once(':')) {
        (Some(_), Some((_, statistic))) => format!("{name}:{statistic}"),
        _ => name,
    }
}
