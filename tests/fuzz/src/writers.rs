//! Scrapes of writers that never existed, with any texts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mmstats_core::{Aggregation, Kind, Type};
use mmstats_std::liveness::{Reason, Verdict};
use mmstats_std::read::Field;
use mmstats_tools::scraper::{OwnedValue, Scrape, ScrapeError, WriterId, WriterSample};

/// Splits an input into texts, each up to a byte that no UTF-8 has.
pub fn texts(data: &[u8]) -> impl Iterator<Item = String> {
    data.split(|byte| *byte == 0xff).map(|text| String::from_utf8_lossy(text).into_owned())
}

/// Returns a field of a kind, and a value that fits: a counter, a gauge, a text or a number of an
/// unknown kind, which may state how writers are combined and that it is kept.
#[must_use]
pub fn field(kind: u8, label: &str, unit: &str, help: &str) -> (Field, OwnedValue) {
    let (aggregation, kept) = (Aggregation::from_number(kind >> 2 & 7), kind >> 5 & 1 != 0);
    let (kind, ty) = match kind % 4 {
        0 => (Kind::Counter, Type::U64),
        1 => (Kind::Gauge, Type::U64),
        2 => (Kind::Info, Type::Text),
        _ => (Kind::Untyped, Type::U64),
    };
    let value = match ty {
        Type::Text => OwnedValue::Text(help.into()),
        _ => OwnedValue::Unsigned(7),
    };
    let (unit, help) = (unit.to_owned(), help.to_owned());
    (Field { unit, help, aggregation, kept, ..Field::new(label, kind, ty) }, value)
}

/// Returns a scrape with a writer for each of these names.
#[must_use]
pub fn scrape(names: &[&str], fields: &[(Field, OwnedValue)], error: &str) -> Scrape {
    let (fields, values): (Vec<_>, Vec<_>) =
        fields.iter().cloned().map(|(field, value)| (field, Ok(value))).unzip();
    let fields: Arc<[Field]> = fields.into();
    let sample = |(id, name): (usize, &&str)| {
        let (id, name) = (id as u64, PathBuf::from(name));
        let writer_id = WriterId { id, name, version: 2, ..WriterId::default() };
        WriterSample {
            writer_id: Arc::new(writer_id),
            fields: fields.clone(),
            values: values.clone(),
            verdict: Verdict::from(Reason::NoPid),
        }
    };
    Scrape {
        samples: names.iter().enumerate().map(sample).collect(),
        errors: vec![ScrapeError { name: error.into(), what: error.to_owned(), is_new: true }],
        ..Scrape::new(SystemTime::UNIX_EPOCH, Duration::ZERO)
    }
}
