//! What several writers have in one field, added up.

use mmstats_core::reader::Storage;
use mmstats_std::read::Field;

use super::family::Type;
use super::number::DisplayValue;
use super::rivals::Key;
use crate::render::number::Scale;
use crate::render::text::scale;
use crate::scraper::OwnedValue;
use crate::series::aggregation::{is_averaged, is_timestamp};
use crate::series::delta::{Number, delta, is_cumulative};
use crate::series::histogram::HistogramSnapshot;

/// Why something is not added: a sum that is full would go back, or stay infinite for ever.
const TOO_MUCH: &str = "with it, the sum would be more than can be counted";

/// A sum.
pub(super) struct Sum {
    pub(super) key: Key,
    /// The names that it takes in a page.
    pub(super) names: Vec<String>,
    /// One of the fields that are added up.
    field: Field,
    ty: Type,
    value: Value,
    /// Whether something else has its name now, so that it begins anew when a writer of it comes.
    has_given_way: bool,
}

enum Value {
    Amounts {
        /// Integers and floats of each scale are apart, so that those of integers stay exact, and
        /// that each is rounded as it was when others come: then their sum does not go back. There
        /// is seldom more than one.
        parts: Vec<(Scale, Number)>,
        values: u32,
    },
    Distribution(HistogramSnapshot),
}

impl Value {
    fn nothing(ty: Type) -> Self {
        if ty == Type::Histogram {
            Value::Distribution(HistogramSnapshot::default())
        } else {
            Value::Amounts { parts: Vec::new(), values: 0 }
        }
    }
}

impl Sum {
    /// Nothing added yet.
    pub(super) fn new(key: Key, field: &Field, ty: Type) -> Self {
        Sum {
            names: key.names(),
            key,
            field: field.clone(),
            ty,
            value: Value::nothing(ty),
            has_given_way: false,
        }
    }

    /// Makes room for another writer's field. The one with the most bounds tells of all.
    pub(super) fn widen(&mut self, field: &Field) {
        if let (
            Storage::Histogram { max_power: n, .. },
            Storage::Histogram { max_power: most, .. },
        ) = (field.location.storage, self.field.location.storage)
        {
            if n > most {
                self.field.location = field.location;
            }
        }
    }

    /// What is no count is only of one look.
    pub(super) fn forget_present(&mut self) {
        if !matches!(self.ty, Type::Counter | Type::Histogram) {
            self.value = Value::nothing(self.ty);
        }
    }

    /// Forgets what was counted, for its name means something else now.
    pub(super) fn give_way(&mut self) {
        self.value = Value::nothing(self.ty);
        self.has_given_way = true;
    }

    /// Whether it stays when its last writer is gone.
    pub(super) fn lasts(&self) -> bool {
        matches!(self.ty, Type::Counter | Type::Histogram) && !self.has_given_way
    }

    /// Adds what a writer has in a field, of what it counts only what is new since `before`.
    pub(super) fn add(
        &mut self,
        field: &Field,
        before: &mut Option<OwnedValue>,
        now: &OwnedValue,
        has_ended: bool,
    ) -> Result<(), String> {
        self.has_given_way &= has_ended;
        if self.has_given_way {
            *before = Some(now.clone());
            return Ok(());
        }
        let is_timestamp = is_timestamp(&self.field);
        match (&mut self.value, now) {
            (Value::Distribution(sum), OwnedValue::Histogram(buckets)) => {
                let grown = match before {
                    Some(OwnedValue::Histogram(before)) => buckets.since(before, field.location.ty),
                    _ => (**buckets).clone(),
                };
                if !sum.has_room_for(&grown) {
                    return Err(TOO_MUCH.to_owned());
                }
                sum.add(&grown);
                *before = Some(now.clone());
            }
            (Value::Amounts { parts, .. }, now) if self.ty == Type::Counter => {
                if let Some(shown) =
                    DisplayValue::new(now, scale(field)).filter(|shown| !shown.is_valid_count())
                {
                    return Err(shown.invalid_count_error());
                }
                if let Some(grown) = delta(field, before.as_ref(), now) {
                    let part = part(parts, scale(field), grown);
                    let more = *part + grown;
                    if !more.as_f64().is_finite() {
                        return Err(TOO_MUCH.to_owned());
                    }
                    *part = more;
                }
                *before = Some(now.clone());
            }
            // What counts up without saying so is as it was left.
            (Value::Amounts { parts, values }, now)
                if !has_ended || is_cumulative(field) && !is_timestamp =>
            {
                if let Some(now) = Number::of(now) {
                    let part = part(parts, scale(field), now);
                    *part = if is_timestamp { latest(*part, now) } else { *part + now };
                    *values = values.saturating_add(1);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// As a field and its value; `None` if there is nothing.
    pub(super) fn get(&self) -> Option<(Field, OwnedValue)> {
        let (parts, values) = match &self.value {
            _ if self.has_given_way => return None,
            Value::Distribution(sum) => {
                return Some((self.field.clone(), OwnedValue::Histogram(Box::new(sum.clone()))));
            }
            Value::Amounts { parts, values } => (parts, *values),
        };
        let (of, sum) = match &parts[..] {
            [] => return None,
            [(of, sum)] => (*of, OwnedValue::from(*sum)),
            several => {
                let shown = several
                    .iter()
                    .filter_map(|(of, sum)| DisplayValue::new(&OwnedValue::from(*sum), *of))
                    .map(DisplayValue::as_f64);
                (
                    Scale::NONE,
                    OwnedValue::Float(if is_timestamp(&self.field) {
                        shown.fold(f64::MIN, f64::max)
                    } else {
                        shown.sum()
                    }),
                )
            }
        };
        let mean = Number::of(&sum).filter(|_| values > 1 && is_averaged(&self.field));
        let sum = mean.map_or(sum, |sum| OwnedValue::Float(sum.as_f64() / f64::from(values)));
        Some((Field { scale: of.power, divisor: of.divisor, ..self.field.clone() }, sum))
    }
}

/// The sum of those that have this scale, and are integers or floats as this one.
fn part(parts: &mut Vec<(Scale, Number)>, of: Scale, like: Number) -> &mut Number {
    let is_integer = |amount: &Number| matches!(amount, Number::Integer(_));
    let at = parts
        .iter()
        .position(|(scale, part)| *scale == of && is_integer(part) == is_integer(&like))
        .unwrap_or_else(|| {
            parts.push((of, if is_integer(&like) { Number::ZERO } else { Number::Float(0.0) }));
            parts.len() - 1
        });
    &mut parts[at].1
}

fn latest(one: Number, other: Number) -> Number {
    if other.as_f64() > one.as_f64() { other } else { one }
}
