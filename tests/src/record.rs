//! Fields as a reader sees them, in the JSON of `independent.py`.

use mmstats_core::reader::{ByteOrder, Directory, Entry, Lossy, Snapshot, Storage, Value};
use mmstats_core::{Aggregation, Type};
use mmstats_std::read::{Field, Sample};
use serde_json::{Value as Json, json};

/// Returns all fields of a [`Sample`].
///
/// # Panics
/// If a field is damaged.
#[must_use]
pub fn from_sample(sample: &Sample<'_>) -> Vec<Json> {
    let layout = sample.layout();
    assert_eq!(layout.errors, [""; 0]);
    sample
        .fields()
        .map(|(field, value)| record(layout.version, layout.byte_order, field, &value.unwrap()))
        .collect()
}

/// Returns all valid fields of a [`Directory`] and a [`Snapshot`] of static bytes.
#[must_use]
pub fn from_directory(directory: &Directory<'_>, bytes: &[u8]) -> Vec<Json> {
    let record = |entry: Entry<'_>| {
        record(
            directory.version(),
            directory.byte_order(),
            &Field::from(&entry),
            &Snapshot::from_static_bytes(bytes).value(&entry.location).unwrap(),
        )
    };
    directory.entries().flatten().map(record).collect()
}

fn record(version: u8, order: ByteOrder, field: &Field, value: &Value<'_>) -> Json {
    let (location, letter) = (field.location, char::from(field.location.ty.letter()));
    let mut record = json!({
        "label": field.label,
        "version": version,
        "byte_order": if order == ByteOrder::Little { "little" } else { "big" },
        "type": if version == 1 && matches!(location.ty, Type::Text | Type::Pascal) { format!("{}{letter}", location.size) } else { letter.into() },
        "value": shown(value, letter),
    });
    if version == 2 {
        record["kind"] = field.kind.name().into();
        record["access"] = match location.storage {
            Storage::Constant | Storage::PlacedConstant => "constant",
            Storage::Word | Storage::Histogram { .. } => "word",
            Storage::Latched => "latched",
            Storage::Single | Storage::Double => "of version 1",
            other => panic!("{other:?}"),
        }
        .into();
        record["unit"] = field.unit.as_str().into();
        record["scale"] = field.scale.into();
        record["divisor"] = field.divisor.into();
        record["help"] = field.help.as_str().into();
        record["size"] = location.size.into();
        if field.aggregation != Aggregation::Unspecified {
            record["aggregation"] = field.aggregation.name().into();
        }
        if field.kept {
            record["kept"] = true.into();
        }
    }
    record
}

fn shown(value: &Value<'_>, letter: char) -> Json {
    match *value {
        Value::Bool(value) => value.into(),
        Value::Unsigned(value) => value.into(),
        Value::Signed(value) => value.into(),
        Value::Float(value) if value.is_nan() => "nan".into(),
        Value::Float(value) if value.is_infinite() => {
            if value > 0.0 { "inf" } else { "-inf" }.into()
        }
        Value::Float(value) => value.into(),
        Value::Text(bytes) => Lossy(bytes).to_string().into(),
        Value::Histogram(distribution) => {
            let (p, n) = (distribution.grouping_power(), distribution.max_power());
            let buckets: Vec<_> = distribution
                .buckets()
                .map(|(low, high, count)| json!([low, high, count]))
                .collect();
            json!({ "sum": distribution.sum, "count": distribution.count(), "p": p, "n": n, "type": letter.to_string(), "buckets": buckets })
        }
    }
}
