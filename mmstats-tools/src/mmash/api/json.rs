//! Values as JSON, with the same keys as in [`crate::render::json`].

use mmstats_core::Type;
use mmstats_std::read::Field;
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use crate::render::distribution::QUANTILES;
use crate::render::number::{Scale, ScaledNumber};
use crate::scraper::OwnedValue;
use crate::series::HistogramSnapshot;

/// A number. JSON has only finite numbers, so others are written as strings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Float(pub(crate) f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            ScaledNumber::NotFinite(self.0).serialize(serializer)
        }
    }
}

/// A value in its base unit.
#[derive(Clone, Copy)]
pub(crate) struct DisplayValue<'s> {
    /// The stored value.
    pub(crate) stored: &'s OwnedValue,
    /// The scale from the stored value to the base unit.
    pub(crate) scale: Scale,
    /// The values that a histogram recorded in the last interval, if requested; `Some(None)` if
    /// they are unknown.
    pub(crate) interval: Option<Option<&'s HistogramSnapshot>>,
}

impl<'s> DisplayValue<'s> {
    /// Creates a value; of a histogram, without the last interval.
    pub(crate) fn new(stored: &'s OwnedValue, scale: Scale) -> Self {
        DisplayValue { stored, scale, interval: None }
    }
}

impl Serialize for DisplayValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.stored {
            OwnedValue::Bool(value) => serializer.serialize_bool(*value),
            OwnedValue::Unsigned(value) => self.scale.unsigned(*value).serialize(serializer),
            OwnedValue::Signed(value) => self.scale.signed(*value).serialize(serializer),
            OwnedValue::Float(value) if self.scale.is_none() => Float(*value).serialize(serializer),
            OwnedValue::Float(value) => self.scale.float(*value).serialize(serializer),
            OwnedValue::Text(text) => serializer.serialize_str(text),
            OwnedValue::Histogram(buckets) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("count", &buckets.count())?;
                map.serialize_entry("sum", &self.scale.unsigned(buckets.sum))?;
                serialize_quantiles(&mut map, buckets, self.scale)?;
                map.serialize_entry("buckets", &BucketObjects(buckets, self.scale))?;
                if let Some(interval) = self.interval {
                    map.serialize_entry(
                        "interval",
                        &interval
                            .filter(|increase| increase.count() > 0)
                            .map(|increase| Quantiles(increase, self.scale)),
                    )?;
                }
                map.end()
            }
        }
    }
}

fn serialize_quantiles<M: SerializeMap>(
    map: &mut M,
    buckets: &HistogramSnapshot,
    scale: Scale,
) -> Result<(), M::Error> {
    for (name, fraction) in QUANTILES {
        map.serialize_entry(name, &buckets.quantile(fraction).map(|value| scale.unsigned(value)))?;
    }
    Ok(())
}

struct Quantiles<'b>(&'b HistogramSnapshot, Scale);

impl Serialize for Quantiles<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(QUANTILES.len()))?;
        serialize_quantiles(&mut map, self.0, self.1)?;
        map.end()
    }
}

struct BucketObjects<'b>(&'b HistogramSnapshot, Scale);

impl Serialize for BucketObjects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Object {
            from: ScaledNumber,
            to: Option<ScaledNumber>,
            count: u64,
        }
        let show = |value| self.1.unsigned(value);
        let object = |bucket: &crate::series::Bucket| Object {
            from: show(bucket.low),
            to: bucket.high.map(show),
            count: bucket.count,
        };
        serializer.collect_seq(self.0.filled.iter().map(object))
    }
}

/// The values that a histogram recorded in an interval, with buckets as `[from, to, count]`.
pub(crate) struct HistogramJson<'b>(pub(crate) &'b HistogramSnapshot, pub(crate) Scale);

impl Serialize for HistogramJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct BucketTriples<'b>(&'b HistogramSnapshot, Scale);
        impl Serialize for BucketTriples<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let show = |value| self.1.unsigned(value);
                let mut all = serializer.serialize_seq(Some(self.0.filled.len()))?;
                for bucket in &self.0.filled {
                    all.serialize_element(&(
                        show(bucket.low),
                        bucket.high.map(show),
                        bucket.count,
                    ))?;
                }
                all.end()
            }
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("count", &self.0.count())?;
        serialize_quantiles(&mut map, self.0, self.1)?;
        map.serialize_entry("buckets", &BucketTriples(self.0, self.1))?;
        map.end()
    }
}

/// Returns the type of a field, or of the buckets of a histogram, as in Python's `struct`.
pub(crate) fn type_code(field: &Field) -> String {
    let letter = char::from(field.location.ty.letter());
    match field.location.ty {
        Type::Text | Type::Pascal => format!("{}{letter}", field.location.size),
        _ => letter.into(),
    }
}

/// Returns the power of ten and the divisor that scale the stored value; `None` if without effect.
pub(crate) fn scaling(field: &Field) -> (Option<i8>, Option<u32>) {
    let is_number = !matches!(field.location.ty, Type::Bool | Type::Text | Type::Pascal);
    (
        Some(field.scale).filter(|power| is_number && *power != 0),
        Some(field.divisor).filter(|divisor| is_number && *divisor > 1),
    )
}

/// Serializes an object as JSON.
pub(crate) fn bytes(object: &impl Serialize) -> Vec<u8> {
    // Writing to memory cannot fail, and all keys are strings.
    serde_json::to_vec(object).unwrap_or_default()
}
