//! What the columns are: names on the command line, and the labels that files have for them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use glob::Pattern;
use mmstats_core::Kind;
use mmstats_std::read::Field;

use super::statistic::Statistic;
use crate::labels;
use crate::scraper::Scrape;
use crate::series::is_cumulative;

/// A column.
pub(super) struct Column {
    /// A number that no other one has.
    pub(super) id: usize,
    /// What stands above it.
    pub(super) name: String,
    /// The labels that are meant, the first that there is.
    wanted: Vec<(String, Option<Statistic>)>,
    /// Whether any file had one.
    pub(super) is_found: bool,
}

/// Where a column's value is in a file, and what to make of it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Which column, counted from the left.
    pub(super) column: usize,
    /// Which field of the file.
    pub(super) at: usize,
    pub(super) statistic: Option<Statistic>,
}

/// That a column wants a label.
struct Wish {
    column: usize,
    /// How many others it would rather have.
    rank: usize,
    statistic: Option<Statistic>,
}

/// All columns.
pub(super) struct Columns {
    prefix: String,
    /// A part for each name on the command line.
    parts: Vec<Part>,
    /// Where columns are in files, by the addresses of these files' fields: no more than there are
    /// fields, however many columns other files have.
    places: HashMap<*const Field, Known>,
    last_id: usize,
}

struct Part {
    /// As it stood on the command line.
    text: String,
    /// Of a name with `*` and its like: all columns that it stands for, by name. Else the only one.
    columns: Vec<Column>,
    patterns: Vec<(Pattern, Option<Statistic>)>,
    /// The labels that the patterns have met, and whether with the statistic, of which a name has
    /// but one.
    met: HashSet<(String, bool)>,
}

struct Known {
    /// Keeps the address from becoming another's.
    _fields: Arc<[Field]>,
    places: Vec<Place>,
}

/// What is forgotten when there is so much: fields of files that are gone for long.
const MANY: usize = 4096;

/// The labels that a name can mean.
pub(super) fn with_prefix(prefix: &str, name: &str) -> Vec<String> {
    let mut labels = vec![[prefix, name].concat()];
    if !prefix.is_empty() && !prefix.ends_with('.') {
        labels.push([prefix, ".", name].concat());
    }
    labels
}

impl Columns {
    pub(super) fn new(names: &[String], prefix: &str) -> Columns {
        let mut columns = Columns {
            prefix: prefix.to_owned(),
            parts: Vec::new(),
            places: HashMap::new(),
            last_id: 0,
        };
        for name in names {
            let wanted = with_statistics(name);
            let part = Part {
                text: name.clone(),
                columns: Vec::new(),
                patterns: Vec::new(),
                met: HashSet::new(),
            };
            columns.parts.push(if name.contains(['*', '?', '[']) {
                columns.patterns(part, &wanted)
            } else {
                columns.exact(part, &wanted)
            });
            columns.last_id += 1;
        }
        columns
    }

    fn patterns(&self, part: Part, wanted: &[(&str, Option<Statistic>)]) -> Part {
        let escaped = Pattern::escape(&self.prefix);
        let joined = |(stem, statistic): &(&str, _)| {
            let mut globs = vec![[&escaped, *stem].concat()];
            if !self.prefix.is_empty() && !self.prefix.ends_with('.') {
                globs.push([&escaped, ".", *stem].concat());
            }
            globs
                .into_iter()
                .filter_map(|glob| Some((labels::parse(&glob).ok()?, *statistic)))
                .collect::<Vec<_>>()
        };
        Part { patterns: wanted.iter().flat_map(joined).collect(), ..part }
    }

    fn exact(&self, mut part: Part, wanted: &[(&str, Option<Statistic>)]) -> Part {
        let labels = |(stem, statistic): &(&str, _)| {
            with_prefix(&self.prefix, stem)
                .into_iter()
                .map(|label| (label, *statistic))
                .collect::<Vec<_>>()
        };
        let wanted = wanted.iter().flat_map(labels).collect();
        part.columns.push(Column {
            id: self.last_id,
            name: part.text.clone(),
            wanted,
            is_found: false,
        });
        part
    }

    /// Learns what the files of a look have. Tells whether there are more columns now.
    pub(super) fn learn(&mut self, scrape: &Scrape) -> bool {
        if self.places.len() > MANY.max(2 * scrape.samples.len()) {
            self.places.clear();
        }
        let new: Vec<&Arc<[Field]>> = scrape
            .samples
            .iter()
            .map(|sample| &sample.fields)
            .filter(|fields| !self.places.contains_key(&fields.as_ptr()))
            .collect();
        let mut has_more = false;
        for fields in &new {
            has_more |= self.find_more(fields);
        }
        if has_more {
            self.parts
                .iter_mut()
                .for_each(|part| part.columns.sort_by(|one, other| one.name.cmp(&other.name)));
            self.places.clear();
        }
        let fields = if has_more {
            scrape.samples.iter().map(|sample| &sample.fields).collect()
        } else {
            new
        };
        if !fields.is_empty() {
            self.find_places(fields);
        }
        has_more
    }

    fn find_more(&mut self, fields: &[Field]) -> bool {
        let mut has_more = false;
        for part in &mut self.parts {
            let matching = |(pattern, statistic): &(Pattern, Option<Statistic>)| -> Vec<(String, Option<Statistic>)> {
                let fits = |field: &&Field| pattern.matches(&field.label) && is_of(field, *statistic);
                fields.iter().filter(fits).map(|field| (field.label.clone(), *statistic)).collect()
            };
            for wanted in part
                .patterns
                .iter()
                .map(matching)
                .find(|found| !found.is_empty())
                .unwrap_or_default()
            {
                if !part.met.insert((wanted.0.clone(), wanted.1.is_some())) {
                    continue;
                }
                self.last_id += 1;
                let name = shown(&wanted, &self.prefix, &part.text);
                part.columns.push(Column {
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

    fn find_places(&mut self, all: Vec<&Arc<[Field]>>) {
        let mut wishes: HashMap<&str, Vec<Wish>> = HashMap::new();
        for (index, column) in self.parts.iter().flat_map(|part| &part.columns).enumerate() {
            for (rank, (label, statistic)) in column.wanted.iter().enumerate() {
                wishes.entry(label).or_default().push(Wish {
                    column: index,
                    rank,
                    statistic: *statistic,
                });
            }
        }
        let mut found = HashSet::new();
        for fields in all {
            self.places.entry(fields.as_ptr()).or_insert_with(|| {
                let places = places(fields, &wishes);
                found.extend(places.iter().map(|place| place.column));
                Known { _fields: fields.clone(), places }
            });
        }
        for (index, column) in self.parts.iter_mut().flat_map(|part| &mut part.columns).enumerate()
        {
            column.is_found |= found.contains(&index);
        }
    }

    /// All of them, from left to right.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Column> {
        self.parts.iter().flat_map(|part| &part.columns)
    }

    /// What stands above them.
    pub(super) fn names(&self) -> Vec<String> {
        self.iter().map(|column| column.name.clone()).collect()
    }

    /// Where columns' values are in a file with these fields, of a look that was learnt of.
    pub(super) fn places(&self, fields: &Arc<[Field]>) -> &[Place] {
        self.places.get(&fields.as_ptr()).map_or(&[], |known| &known.places)
    }

    /// What no file has had, as it stood on the command line, and the labels that were looked for.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        let missing =
            self.parts.iter().filter(|part| !part.columns.iter().any(|column| column.is_found));
        missing.map(|part| {
            let labels = part
                .columns
                .iter()
                .flat_map(|column| &column.wanted)
                .map(|(label, _)| label.as_str());
            let patterns = part.patterns.iter().map(|(pattern, _)| pattern.as_str());
            (part.text.as_str(), labels.chain(patterns).collect())
        })
    }
}

/// Where columns' values are among these fields: at the label that a column wants most, and at its
/// first field if there are several.
fn places(fields: &[Field], wishes: &HashMap<&str, Vec<Wish>>) -> Vec<Place> {
    let mut best: BTreeMap<usize, (usize, Place)> = BTreeMap::new();
    for (at, field) in fields.iter().enumerate() {
        for wish in wishes
            .get(field.label.as_str())
            .into_iter()
            .flatten()
            .filter(|wish| is_of(field, wish.statistic))
        {
            let place = Place { column: wish.column, at, statistic: wish.statistic };
            let known = best.entry(wish.column).or_insert((wish.rank, place));
            if wish.rank < known.0 {
                *known = (wish.rank, place);
            }
        }
    }
    best.into_values().map(|(_, place)| place).collect()
}

/// A name as it is, which goes first, and as that of a histogram with a statistic of it behind a
/// colon.
fn with_statistics(name: &str) -> Vec<(&str, Option<Statistic>)> {
    let split = name
        .rsplit_once(':')
        .and_then(|(stem, statistic)| Some((stem, Some(Statistic::parse(statistic)?))));
    [(name, None)].into_iter().chain(split).collect()
}

/// Whether there can be such a statistic of a field.
fn is_of(field: &Field, statistic: Option<Statistic>) -> bool {
    match statistic {
        None => true,
        Some(Statistic::Rate) => is_cumulative(field),
        Some(_) => field.kind == Kind::Histogram,
    }
}

/// A label's name where the prefix is known; with what stands behind the colon on the command line.
fn shown((label, statistic): &(String, Option<Statistic>), prefix: &str, text: &str) -> String {
    let rest = label.strip_prefix(prefix).unwrap_or(label);
    let rest = if prefix.is_empty() { rest } else { rest.strip_prefix('.').unwrap_or(rest) };
    match (statistic, text.rsplit_once(':')) {
        (Some(_), Some((_, behind))) => format!("{rest}:{behind}"),
        _ => rest.to_owned(),
    }
}
