//! All series of the process, and their descriptions.

use super::counter::CounterSeries;
use super::gauge::GaugeSeries;
use super::histogram::HistogramSeries;
use super::label::{self, Label};
use super::{lock_index, state, unit, warn_once};
use crate::memory::LeakedList;
use crate::registry::table::ArenaIndex;
use metrics::{Key, Unit};
use mmstats_core::{Field, FieldBuilder};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// The names and index of a series.
#[derive(Debug)]
pub(super) struct Series {
    kind: Kind,
    /// The name of its metric.
    pub(super) name: Box<str>,
    /// The name in its label, which no metric of another kind has.
    published_name: Box<str>,
    pub(super) label: Box<str>,
    /// The index of its field in each thread.
    pub(super) index: ArenaIndex,
}

impl Series {
    /// Returns the field of a counter or gauge that is updated for the first time in a thread or
    /// process.
    pub(super) fn number<H: Field>(&self) -> FieldBuilder<'_, H> {
        let (unit, help) = lock_index().definition(self);
        FieldBuilder::new(&self.name).unit(unit::number_unit(unit)).help(help)
    }

    /// Returns the field of a histogram that is updated for the first time in a thread, and the
    /// number of its steps in one of the metric's unit.
    pub(super) fn histogram<H: Field>(&self) -> (FieldBuilder<'_, H>, f64) {
        let (unit, help) = lock_index().definition(self);
        let (unit, steps) = unit::histogram_unit(unit);
        (FieldBuilder::new(&self.name).unit(unit).help(help), steps)
    }
}

/// A series of one kind.
pub(super) trait SeriesKind: Send + Sync + Sized + 'static {
    const KIND: Kind;
    fn new(series: Series) -> Self;
    fn series(&self) -> &Series;
    /// Returns the list from which a forked child makes its index.
    fn list() -> &'static SeriesList<Self>;
    fn by_kind(index: &mut Index) -> &mut ByKind<Self>;
}

/// Series with their keys. The one that stands for others has none.
pub(super) type SeriesList<S> = LeakedList<(Option<Key>, Arc<S>)>;

/// The series of one kind, by their keys and labels.
pub(super) struct ByKind<S> {
    by_key: HashMap<Key, Arc<S>, BuildKeyHasher>,
    by_label: HashMap<Box<str>, Arc<S>>,
}

impl<S> Default for ByKind<S> {
    fn default() -> Self {
        ByKind { by_key: HashMap::default(), by_label: HashMap::new() }
    }
}

/// The description of a metric.
#[derive(Debug, PartialEq, Eq)]
struct Description {
    kind: Kind,
    name: Box<str>,
    unit: Option<Unit>,
    help: Box<str>,
}

static DESCRIPTIONS: LeakedList<Description> = LeakedList::new();

/// All series of this process.
pub(super) struct Index {
    pub(super) counters: ByKind<CounterSeries>,
    pub(super) gauges: ByKind<GaugeSeries>,
    pub(super) histograms: ByKind<HistogramSeries>,
    /// The kind to which each published name belongs, and the number of its series.
    names: HashMap<Box<str>, (Kind, usize)>,
    descriptions: HashMap<Box<str>, Vec<&'static Description>>,
    /// The units of the series that have been updated, by label.
    units: HashMap<Box<str>, Option<Unit>>,
}

impl Default for Index {
    /// Creates the index of a process, with all series of the process that it was forked from.
    fn default() -> Self {
        let mut index = Index {
            counters: ByKind::default(),
            gauges: ByKind::default(),
            histograms: ByKind::default(),
            names: HashMap::new(),
            descriptions: HashMap::new(),
            units: HashMap::new(),
        };
        index.inherit::<CounterSeries>();
        index.inherit::<GaugeSeries>();
        index.inherit::<HistogramSeries>();
        let mut descriptions: Vec<_> = DESCRIPTIONS.iter().collect();
        descriptions.reverse();
        descriptions.into_iter().for_each(|description| index.add_description(description));
        index
    }
}

impl Index {
    fn inherit<S: SeriesKind>(&mut self) {
        for (key, series) in S::list().iter() {
            self.add(key.clone(), series.clone());
        }
    }

    fn add<S: SeriesKind>(&mut self, key: Option<Key>, series: Arc<S>) {
        let Series { published_name, label, .. } = series.series();
        let of_label = S::by_kind(self).by_label.insert(label.clone(), series.clone());
        if of_label.is_none() {
            self.names.entry(published_name.clone()).or_insert((S::KIND, 0)).1 += 1;
        }
        if let Some(key) = key {
            S::by_kind(self).by_key.insert(key, series);
        }
    }

    fn add_description(&mut self, description: &'static Description) {
        let of_name = self.descriptions.entry(description.name.clone()).or_default();
        of_name.retain(|other| other.kind != description.kind);
        of_name.push(description);
    }

    /// Returns the series of a key and the key as it is stored, or no key if it is not stored.
    pub(super) fn series<S: SeriesKind>(&mut self, key: &Key) -> (Option<Key>, Arc<S>) {
        if let Some((key, series)) = S::by_kind(self).by_key.get_key_value(key) {
            return (Some(key.clone()), series.clone());
        }
        let valid_name = label::valid_name(key.name());
        let name = self.published_name(&valid_name, S::KIND);
        let count = self.names.get(&*name).map_or(0, |(_, count)| *count);
        let is_full = count >= state().max_series && key.labels().len() > 0;
        let Label { text, is_changed } = label::label(key, &name, is_full);
        if is_full {
            static WARNED: AtomicBool = AtomicBool::new(false);
            let (name, max, text) =
                (label::short(key.name()), state().max_series, label::short(&text));
            warn_once(&WARNED, format_args!("{name}: more than {max} series; counted as {text}"));
        }
        let is_changed = is_changed || *valid_name != *key.name();
        if is_changed {
            static WARNED: AtomicBool = AtomicBool::new(false);
            let name = label::short(key.name());
            warn_once(
                &WARNED,
                format_args!(
                    "{name:?}: invalid name or label of a metric (a name without {{}} and NUL, \
                     distinct label names without white space, NUL and {{}}\",=\\, and at most \
                     60000 bytes expected); it is changed"
                ),
            );
        }
        let known = S::by_kind(self).by_label.get(text.as_str()).cloned();
        let is_new = known.is_none();
        // Any number of keys may share the series of a full metric, or a label that is changed.
        let stored = (!is_full && (is_new || !is_changed)).then(|| key.to_retained());
        let series = known.unwrap_or_else(|| {
            let index = ArenaIndex::new(S::by_kind(self).by_label.len());
            Arc::new(S::new(Series {
                kind: S::KIND,
                name: key.name().into(),
                published_name: name.into(),
                label: text.into(),
                index,
            }))
        });
        if stored.is_some() || is_new {
            S::list().push((stored.clone(), series.clone()));
            self.add(stored.clone(), series.clone());
        }
        (stored, series)
    }

    /// Returns the name under which a metric is published: the first one of `name`, `name.kind`,
    /// `name.kind.kind` … that no other kind has.
    fn published_name<'n>(&self, valid_name: &'n str, kind: Kind) -> Cow<'n, str> {
        let mut name = Cow::from(valid_name);
        while let Some((owner, _)) = self.names.get(&*name).filter(|(owner, _)| *owner != kind) {
            static WARNED: AtomicBool = AtomicBool::new(false);
            let next = format!("{name}.{}", kind.name());
            let (shown, owner, kind) = (label::short(&name), owner.name(), kind.name());
            warn_once(
                &WARNED,
                format_args!(
                    "{shown:?} is a {owner} and a {kind}; the {kind} is published as \
                     \"{shown}.{kind}\""
                ),
            );
            name = next.into();
        }
        name
    }

    /// Describes a metric.
    pub(super) fn describe(&mut self, kind: Kind, name: &str, unit: Option<Unit>, help: &str) {
        let (name, help) = (name.into(), label::help(help).into());
        let description = Description { kind, name, unit, help };
        if self.description(kind, &description.name) != Some(&description) {
            self.add_description(DESCRIPTIONS.push(description));
        }
    }

    fn description(&self, kind: Kind, name: &str) -> Option<&'static Description> {
        self.descriptions.get(name)?.iter().find(|one| one.kind == kind).copied()
    }

    /// Returns the unit, which stays from the first call on, and the help of a series.
    fn definition(&mut self, series: &Series) -> (Option<Unit>, &'static str) {
        let description = self.description(series.kind, &series.name);
        let unit = *self.units.entry(series.label.clone()).or_insert_with(|| {
            let described = description.and_then(|description| description.unit);
            described.or_else(|| match series.kind {
                Kind::Histogram => unit::parse_unit_suffix(&series.name),
                Kind::Counter | Kind::Gauge => None,
            })
        });
        (unit, description.map_or("", |description| &description.help))
    }
}

/// Builds [`KeyHasher`]s.
pub(super) type BuildKeyHasher = BuildHasherDefault<KeyHasher>;

/// Passes on the hash that a key holds.
#[derive(Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
