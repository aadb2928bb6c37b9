//! Sums over writers that do not go backwards when writers end.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mmstats_core::reader::Storage;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;

use super::family::Type;
use super::health::Health;
use super::identity::Identity;
use super::number::Shown;
use super::page::{Layout, Writer};
use super::{LeftOut, Page, Settings, write};
use crate::buckets::Buckets;
use crate::growth::{Amount, growth};
use crate::measures::is_measure;
use crate::render::number::Scale;
use crate::render::text::scale;
use crate::sampler::{Look, Origin, Seen, Stored};

/// Why something is not added: a sum that is full would go back, or stay infinite for ever.
const TOO_MUCH: &str = "with it, the sum would be more than can be counted";

/// Sums over all writers, kept from one look to the next.
///
/// Counters and histograms are the sums of what each writer has counted so far, those that have ended since included. A gauge is the sum over those that are not
/// known to be dead; but measures (temperatures, ratios, …) are averaged, and of dates (`unixtime`) the latest counts. Numbers of unknown kind are added up over all files that are there. Texts and
/// constants have no sum. A file that is moved is another writer where it comes to be: what it had counted is counted again.
#[derive(Default)]
pub struct Totals {
    /// By numbers that ascend.
    sums: BTreeMap<usize, Sum>,
    last: usize,
    by_key: HashMap<Key, usize>,
    /// Which sum each of these fields adds to, by where they are.
    layouts: HashMap<usize, Targets>,
    /// By the number that no other writer has.
    writers: HashMap<u64, Known>,
    left_out: Vec<LeftOut>,
}

/// Fields that agree in this are added up. Distributions have to agree in their scale too, or their buckets would not.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    label: String,
    ty: Type,
    unit: String,
    scale: Option<(i8, u32)>,
}

struct Targets {
    /// They are others' to keep; but as long as this is here, no others can come to lie in the same place.
    fields: Weak<[Field]>,
    sums: Arc<[Option<usize>]>,
}

struct Sum {
    /// One of those that are added up.
    field: Field,
    ty: Type,
    value: Value,
}

enum Value {
    /// By scale, so that sums of integers stay exact. There is seldom more than one.
    Amounts {
        by_scale: Vec<(Scale, Amount)>,
        values: u32,
    },
    Distribution(Buckets),
}

/// A writer, and what was last read of what it counts.
struct Known {
    origin: Arc<Origin>,
    fields: Arc<[Field]>,
    values: Vec<Option<Stored>>,
}

impl Totals {
    /// Nothing added yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what has been counted since the look before, which has to be of the same [`Sampler`](crate::sampler::Sampler). With `live`, writers count only from
    /// when they were seen alive.
    pub fn add(&mut self, look: &Look, live: bool) {
        self.left_out.clear();
        for sum in self.sums.values_mut() {
            sum.forget_present();
        }
        for seen in &look.seen {
            if !live || seen.verdict.liveness == Liveness::Alive || self.writers.contains_key(&seen.origin.id) {
                self.add_writer(seen);
            }
        }
        // Writers that cannot be read for a while come back as the same.
        let seen: HashSet<u64> = look.seen.iter().map(|seen| seen.origin.id).collect();
        let hidden: HashSet<&Path> = look.problems.iter().map(|problem| problem.name.as_path()).collect();
        self.writers.retain(|id, known| seen.contains(id) || hidden.contains(known.origin.name.as_path()));
        let layouts = self.layouts.len();
        self.layouts.retain(|_, targets| targets.fields.strong_count() > 0);
        if self.layouts.len() < layouts {
            self.forget_unused();
        }
    }

    /// Of what does not count, nothing stays when its last writer is gone.
    fn forget_unused(&mut self) {
        let used: HashSet<usize> = self.layouts.values().flat_map(|targets| targets.sums.iter().copied().flatten()).collect();
        self.sums.retain(|at, sum| matches!(sum.ty, Type::Counter | Type::Histogram) || used.contains(at));
        self.by_key.retain(|_, at| self.sums.contains_key(at));
    }

    /// A page of the sums, with the health of the look that was added last. `took` is how long that took.
    #[must_use]
    pub fn page(&self, look: &Look, took: Duration, settings: &Settings) -> Page {
        let (fields, values): (Vec<_>, Vec<_>) = self.sums.values().filter_map(Sum::get).map(|(field, value)| (field, Ok(value))).unzip();
        // Who writes what is not added up in the first place.
        let writers = vec![Writer { path: None, labels: String::new(), values: &values }];
        let layout = Layout { fields: &fields, identity: Identity::default(), writers };
        write(&[layout], self.left_out.clone(), &Health::new(look, took), settings)
    }

    fn add_writer(&mut self, seen: &Seen) {
        let targets = self.targets(&seen.fields);
        let known = self.writers.entry(seen.origin.id).or_insert_with(|| Known::new(seen));
        known.follow(&seen.fields);
        let is_dead = seen.verdict.liveness == Liveness::Dead;
        for (index, (field, value)) in seen.fields.iter().zip(&seen.values).enumerate() {
            let (Some(sum), Some(before)) =
                (targets.get(index).copied().flatten().and_then(|at| self.sums.get_mut(&at)), known.values.get_mut(index))
            else {
                continue;
            };
            let added = match value {
                Ok(value) => sum.add(field, before, value, is_dead),
                Err(problem) => Err(problem.to_string()),
            };
            if let Err(why) = added {
                self.left_out.push(LeftOut { file: Some(seen.origin.name.clone()), label: field.label.clone(), why });
            }
        }
    }

    /// Which sum each of these fields adds to; none for those that have no sum.
    fn targets(&mut self, fields: &Arc<[Field]>) -> Arc<[Option<usize>]> {
        let address = fields.as_ptr().addr();
        if let Some(targets) = self.layouts.get(&address) {
            return targets.sums.clone();
        }
        let identity = Identity::of(fields);
        let target = |(index, field): (usize, &Field)| {
            let ty = Type::of(field);
            (ty != Type::Info && !identity.contains(index)).then(|| self.target(field, ty))
        };
        let sums: Arc<[_]> = fields.iter().enumerate().map(target).collect();
        self.layouts.insert(address, Targets { fields: Arc::downgrade(fields), sums: sums.clone() });
        sums
    }

    fn target(&mut self, field: &Field, ty: Type) -> usize {
        let of_distribution = (ty == Type::Histogram).then_some((field.scale, field.divisor));
        let key = Key { label: field.label.clone(), ty, unit: field.unit.clone(), scale: of_distribution };
        let at = *self.by_key.entry(key).or_insert_with(|| {
            self.last += 1;
            self.last
        });
        let sum = self.sums.entry(at).or_insert_with(|| Sum::new(field, ty));
        // The one with the most bounds tells of all.
        if let (Storage::Histogram { n, .. }, Storage::Histogram { n: most, .. }) = (field.place.storage, sum.field.place.storage) {
            if n > most {
                sum.field.place = field.place;
            }
        }
        at
    }
}

impl Known {
    fn new(seen: &Seen) -> Self {
        Known { origin: seen.origin.clone(), fields: seen.fields.clone(), values: vec![None; seen.fields.len()] }
    }

    /// A writer may add fields.
    fn follow(&mut self, fields: &Arc<[Field]>) {
        if Arc::ptr_eq(&self.fields, fields) {
            return;
        }
        // Several fields may have one label; their order stays.
        let mut old: HashMap<&str, VecDeque<(&Field, Option<Stored>)>> = HashMap::new();
        for (field, value) in self.fields.iter().zip(self.values.drain(..)) {
            old.entry(&field.label).or_default().push_back((field, value));
        }
        let mut next = |label: &str| old.get_mut(label)?.pop_front();
        let same = |field: &Field| next(&field.label).filter(|(old, _)| old.kind == field.kind && old.place.ty == field.place.ty);
        self.values = fields.iter().map(same).map(|old| old.and_then(|(_, value)| value)).collect();
        self.fields = fields.clone();
    }
}

impl Sum {
    fn new(field: &Field, ty: Type) -> Self {
        let value = if ty == Type::Histogram { Value::Distribution(Buckets::default()) } else { Value::Amounts { by_scale: Vec::new(), values: 0 } };
        Sum { field: field.clone(), ty, value }
    }

    /// What is no count is only of one look.
    fn forget_present(&mut self) {
        if let (Value::Amounts { by_scale, values }, false) = (&mut self.value, self.ty == Type::Counter) {
            by_scale.clear();
            *values = 0;
        }
    }

    /// Adds what a writer has in a field, of what it counts only what is new since `before`.
    fn add(&mut self, field: &Field, before: &mut Option<Stored>, now: &Stored, is_dead: bool) -> Result<(), String> {
        let is_date = self.is_date();
        match (&mut self.value, now) {
            (Value::Distribution(sum), Stored::Histogram(buckets)) => {
                let grown = match before {
                    Some(Stored::Histogram(before)) => buckets.since(before, field.place.ty),
                    _ => (**buckets).clone(),
                };
                if !sum.has_room_for(&grown) {
                    return Err(TOO_MUCH.to_owned());
                }
                sum.add(&grown);
                *before = Some(now.clone());
            }
            (Value::Amounts { by_scale, .. }, now) if self.ty == Type::Counter => {
                if let Some(shown) = Shown::new(now, scale(field)).filter(|shown| !shown.counts()) {
                    return Err(shown.no_count());
                }
                if let Some(grown) = growth(field, before.as_ref(), now) {
                    let sum = amount(by_scale, scale(field));
                    let more = *sum + grown;
                    if !more.as_f64().is_finite() {
                        return Err(TOO_MUCH.to_owned());
                    }
                    *sum = more;
                }
                *before = Some(now.clone());
            }
            (Value::Amounts { by_scale, values }, now) if !is_dead || self.ty == Type::Unknown => {
                if let Some(now) = Amount::of(now) {
                    let sum = amount(by_scale, scale(field));
                    *sum = if is_date { latest(*sum, now) } else { *sum + now };
                    *values = values.saturating_add(1);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn is_date(&self) -> bool {
        self.field.unit == "unixtime" && self.ty != Type::Counter
    }

    /// As a field and its value; `None` if there is nothing.
    fn get(&self) -> Option<(Field, Stored)> {
        let (by_scale, values) = match &self.value {
            Value::Distribution(sum) => return Some((self.field.clone(), Stored::Histogram(Box::new(sum.clone())))),
            Value::Amounts { by_scale, values } => (by_scale, *values),
        };
        let (of, sum) = match &by_scale[..] {
            [] => return None,
            [(of, sum)] => (*of, Stored::from(*sum)),
            several => {
                let shown = several.iter().map(|(of, sum)| of.approximate(sum.as_f64()));
                (Scale::NONE, Stored::Float(if self.is_date() { shown.fold(f64::MIN, f64::max) } else { shown.sum() }))
            }
        };
        let mean = Amount::of(&sum).filter(|_| values > 1 && is_measure(&self.field));
        let sum = mean.map_or(sum, |sum| Stored::Float(sum.as_f64() / f64::from(values)));
        Some((Field { scale: of.power, divisor: of.divisor, ..self.field.clone() }, sum))
    }
}

/// The sum of what has this scale.
fn amount(amounts: &mut Vec<(Scale, Amount)>, of: Scale) -> &mut Amount {
    let at = amounts.iter().position(|(scale, _)| *scale == of).unwrap_or_else(|| {
        amounts.push((of, Amount::ZERO));
        amounts.len() - 1
    });
    &mut amounts[at].1
}

fn latest(one: Amount, other: Amount) -> Amount {
    if other.as_f64() > one.as_f64() { other } else { one }
}
