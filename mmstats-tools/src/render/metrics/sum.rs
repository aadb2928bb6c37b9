//! A sum over writers in the exposition formats.

use mmstats_core::reader::Storage;
use mmstats_std::read::Field;

use super::family::Type;
use super::name_conflicts::SumKey;
use super::number::MetricValue;
use crate::render::number::Scale;
use crate::scraper::OwnedValue;
use crate::series::{
    Aggregate, Aggregation, Baseline, Bucket, Contributor, CounterTotal, ScaledSum,
};

/// Why a value is not added: a sum that wraps would decrease, an infinite one would stay so.
const TOO_LARGE: &str = "dropped: with it, the sum would be more than can be counted";

/// A sum of all writers' fields that have the same key.
pub(super) struct Sum {
    pub(super) key: SumKey,
    /// The names that it takes in a page.
    pub(super) names: Vec<String>,
    /// One of the fields that are added.
    field: Field,
    value: SumValue,
    /// Whether something else has its name now. It starts again from zero when a writer that is not
    /// dead adds to it.
    is_retired: bool,
}

enum SumValue {
    /// The total of counters or histograms, kept from one scrape to the next.
    Counted(CounterTotal),
    /// The aggregate of other fields in one scrape.
    Current(Box<Aggregate>),
}

impl SumValue {
    fn new(field: &Field, ty: Type) -> Self {
        match ty {
            Type::Counter | Type::Histogram => SumValue::Counted(CounterTotal::default()),
            Type::Gauge | Type::Info | Type::Unknown => {
                SumValue::Current(Box::new(Aggregate::new(field)))
            }
        }
    }
}

impl Sum {
    /// Creates an empty sum.
    pub(super) fn new(key: SumKey, field: &Field, ty: Type) -> Self {
        Sum {
            names: key.names(),
            key,
            field: field.clone(),
            value: SumValue::new(field, ty),
            is_retired: false,
        }
    }

    /// Returns the approximate memory that it needs, in bytes.
    pub(super) fn bytes(&self) -> usize {
        /// Its entries in maps.
        const ENTRIES: usize = 256;
        let names: usize = self.names.iter().map(|name| size_of::<String>() + name.len()).sum();
        let texts = self.field.label.len() + self.field.unit.len() + self.field.help.len();
        // The key is stored twice, and a histogram's bucket with its bounds.
        let buckets = self.field.location.size as usize / size_of::<u32>() * size_of::<Bucket>();
        let is_histogram = matches!(self.field.location.storage, Storage::Histogram { .. });
        let value = match self.value {
            SumValue::Counted(_) if is_histogram => buckets,
            SumValue::Counted(_) => 0,
            SumValue::Current(_) => size_of::<Aggregate>(),
        };
        ENTRIES + size_of::<Sum>() + names + 3 * texts + value
    }

    /// Takes the bounds of another writer's histogram if it has more.
    pub(super) fn merge_bounds(&mut self, field: &Field) {
        if let (Storage::Histogram { max_power, .. }, Storage::Histogram { max_power: most, .. }) =
            (field.location.storage, self.field.location.storage)
        {
            if max_power > most {
                self.field.location = field.location;
            }
        }
    }

    /// Removes values that are valid for one scrape only.
    pub(super) fn begin_scrape(&mut self) {
        if let SumValue::Current(aggregate) = &mut self.value {
            aggregate.clear();
        }
    }

    /// Resets the sum, as its name means something else now.
    pub(super) fn retire(&mut self) {
        match &mut self.value {
            SumValue::Counted(total) => *total = CounterTotal::default(),
            SumValue::Current(aggregate) => aggregate.clear(),
        }
        self.is_retired = true;
    }

    /// Returns `true` if it stays when its last writer is gone.
    pub(super) fn persists(&self) -> bool {
        matches!(self.value, SumValue::Counted(_)) && !self.is_retired
    }

    /// Adds a writer's value of a field: of counters and histograms, only what was counted since
    /// `before`, which is replaced.
    pub(super) fn add(
        &mut self,
        field: &Field,
        before: &mut Option<OwnedValue>,
        now: &OwnedValue,
        writer: Contributor,
    ) -> Result<(), String> {
        self.is_retired &= writer.has_ended;
        if self.is_retired {
            *before = Some(now.clone());
            return Ok(());
        }
        let total = match &mut self.value {
            SumValue::Counted(total) => total,
            SumValue::Current(aggregate) => {
                aggregate.add(field, Ok(now), writer);
                return Ok(());
            }
        };
        let shown = MetricValue::new(now, Scale::from_field(field));
        if let Some(shown) = shown.filter(|shown| !shown.is_valid_count()) {
            return Err(shown.invalid_count_error());
        }
        let baseline = before.as_ref().map_or(Baseline::Zero, Baseline::Value);
        if let Some(counted) = baseline.counted(field, now) {
            if !total.has_room_for(&counted) {
                return Err(TOO_LARGE.to_owned());
            }
            total.add(&counted);
        }
        *before = Some(now.clone());
        Ok(())
    }

    /// Returns the sum as a field and its value; `None` if there is no value.
    pub(super) fn get(&self) -> Option<(Field, OwnedValue)> {
        let (scale, value) = match &self.value {
            _ if self.is_retired => return None,
            SumValue::Counted(total) => match total.histogram() {
                Some((sum, scale)) => (scale, OwnedValue::Histogram(Box::new(sum.clone()))),
                None => counter(total.numbers())?,
            },
            SumValue::Current(aggregate) => {
                let number = aggregate.combine(Aggregation::Auto)?;
                (number.scale, number.number.into())
            }
        };
        Some((Field { scale: scale.power, divisor: scale.divisor, ..self.field.clone() }, value))
    }
}

/// Returns the sum of all parts. Each part is rounded alone, so that the sum does not decrease when
/// another part comes.
fn counter(sum: &ScaledSum) -> Option<(Scale, OwnedValue)> {
    let mut parts = sum.parts();
    let first = parts.next()?;
    if parts.next().is_none() {
        return Some((first.scale, first.number.into()));
    }
    let shown = sum.parts().filter_map(|part| MetricValue::new(&part.number.into(), part.scale));
    Some((Scale::NONE, OwnedValue::Float(shown.map(MetricValue::as_f64).sum())))
}
