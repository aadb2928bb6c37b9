//! Pages of random fields are valid for Prometheus' parsers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mmstats_core::reader::{Storage, ValueError, ValueLocation};
use mmstats_core::{Aggregation, Kind, Type};
use mmstats_std::liveness::{Reason, Verdict};
use mmstats_std::read::Field;
use mmstats_tools::render::metrics::{Format, Settings, Totals, per_writer};
use mmstats_tools::scraper::{OwnedValue, Scrape, WriterId, WriterSample};
use mmstats_tools::series::{Bucket, HistogramSnapshot, has_value};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[path = "../metrics/check.rs"]
mod check;

/// Labels that often collide or are invalid as names.
fn label() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => "[ab][._][ab]",
        2 => prop::sample::select(vec!["a", "a_total", "a.total", "a_bucket", "a_sum", "a.created", "a_info", "a_seconds", "mmstats_writers", "sys.pid", "2", "h.histogram"])
            .prop_map(str::to_owned),
        1 => ".{1,12}",
        1 => "[\\x00-\\x7f]{1,12}",
    ];
    let dimension = ("[a-cL_ 1:]{1,2}|le|file|value|.{1,3}", text()).prop_map(|(name, value)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("{name}=\"{value}\"")
    });
    (word, prop::collection::vec(dimension, 0..3), prop::bool::weighted(0.4)).prop_map(
        |(word, dimensions, has)| {
            if has { format!("{word}{{{}}}", dimensions.join(",")) } else { word }
        },
    )
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,3}", ".{0,10}", "[\\x00-\\x7f]{0,10}", "[\\\\\"\n{}#=, ]{0,6}"]
}

fn value() -> impl Strategy<Value = (OwnedValue, Type, Storage)> {
    let float = prop_oneof![
        any::<f64>(),
        prop::sample::select(vec![
            0.0,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            5e-324,
            0.1
        ])
    ];
    let bucket = (0..5_u32, prop_oneof![0..5_u64, Just(u64::MAX)]);
    let filled = |buckets: Vec<(u32, u64)>| {
        let mut filled: Vec<_> = buckets
            .into_iter()
            .map(|(i, count)| Bucket { low: 1 << i, high: (i < 4).then(|| (2 << i) - 1), count })
            .collect();
        filled.sort_by_key(|bucket| bucket.low);
        filled.dedup_by_key(|bucket| bucket.low);
        filled
    };
    prop_oneof![
        any::<bool>().prop_map(|value| (OwnedValue::Bool(value), Type::Bool, Storage::Word)),
        any::<u64>().prop_map(|value| (OwnedValue::Unsigned(value), Type::U64, Storage::Word)),
        (0..9_u64).prop_map(|value| (OwnedValue::Unsigned(value), Type::U32, Storage::Word)),
        any::<i64>().prop_map(|value| (OwnedValue::Signed(value), Type::I64, Storage::Word)),
        float.prop_map(|value| (OwnedValue::Float(value), Type::F64, Storage::Word)),
        text().prop_map(|text| (OwnedValue::Text(text.into()), Type::Text, Storage::Latched)),
        (prop::collection::vec(bucket, 0..6), any::<u64>()).prop_map(move |(buckets, sum)| {
            (
                OwnedValue::Histogram(Box::new(HistogramSnapshot { sum, filled: filled(buckets) })),
                Type::U64,
                Storage::Histogram { grouping_power: 0, max_power: 5 },
            )
        }),
    ]
}

fn field() -> impl Strategy<Value = (Field, Result<OwnedValue, ValueError>)> {
    let unit = prop_oneof![3 => Just(String::new()), 2 => prop::sample::select(vec!["seconds", "unixtime", "ratio", "total", "%", "info"]).prop_map(str::to_owned), 1 => text()];
    let scale =
        prop_oneof![3 => Just((0, 1)), 1 => (any::<i8>(), 1..=u32::MAX), 1 => (-9..9_i8, Just(1))];
    let kind = prop::sample::select(vec![Kind::Untyped, Kind::Counter, Kind::Gauge, Kind::Info]);
    let stated = prop_oneof![3 => Just(Aggregation::Unspecified), 1 => prop::sample::select(Aggregation::ALL.to_vec())];
    let properties = (stated, any::<bool>());
    let hidden = prop::bool::weighted(0.02);
    (label(), unit, text(), kind, scale, value(), properties, hidden).prop_map(
        |(
            label,
            unit,
            help,
            kind,
            (scale, divisor),
            (value, ty, storage),
            (aggregation, kept),
            hidden,
        )| {
            let kind =
                if matches!(storage, Storage::Histogram { .. }) { Kind::Histogram } else { kind };
            let location =
                ValueLocation { offset: 0, size: 8, ty, storage, swapped: false, word: 8 };
            let field = Field {
                unit,
                help,
                scale,
                divisor,
                aggregation,
                kept,
                location,
                ..Field::new(label, kind, ty)
            };
            (field, if hidden { Err(ValueError::Contended) } else { Ok(value) })
        },
    )
}

fn scrape() -> impl Strategy<Value = Scrape> {
    let reason = prop::sample::select(vec![Reason::Runs, Reason::Ended, Reason::NoPid]);
    let writer = (text(), prop::collection::vec(field(), 0..12), reason);
    prop::collection::vec(writer, 1..4).prop_map(|writers| {
        let samples = writers.into_iter().enumerate().map(|(id, (name, fields, reason))| {
            let (fields, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
            let (id, name) = (id as u64, PathBuf::from(name));
            let writer_id = WriterId { id, name, version: 2, ..WriterId::default() };
            WriterSample {
                writer_id: Arc::new(writer_id),
                fields: fields.into(),
                values,
                verdict: Verdict { liveness: reason.liveness(), reason },
            }
        });
        Scrape {
            samples: samples.collect(),
            halted: Some(Duration::from_micros(1)),
            ..Scrape::new(SystemTime::UNIX_EPOCH, Duration::ZERO)
        }
    })
}

fn scrapes(count: usize) -> Vec<Scrape> {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    (0..count)
        .map(|_| scrape().new_tree(&mut runner).expect("there is always one").current())
        .collect()
}

fn pages(scrape: &Scrape, format: Format) -> [String; 2] {
    let settings = Settings { format, ..Settings::default() };
    let mut totals = Totals::new();
    totals.add(scrape, false);
    [
        per_writer(scrape, Duration::from_millis(1), &settings).text,
        totals.page(scrape, Duration::ZERO, &settings).text,
    ]
}

#[test]
fn the_strict_parser_accepts_random_fields() {
    let pages: Vec<String> =
        scrapes(400).iter().flat_map(|scrape| pages(scrape, Format::OpenMetrics)).collect();
    let families: usize = check::strict(&pages).iter().map(Vec::len).sum();
    assert!(families > 400 * 10, "{families}");
}

#[test]
fn promtool_accepts_random_fields() {
    for scrape in scrapes(100) {
        for page in pages(&scrape, Format::Text) {
            check::promtool(&page);
        }
    }
}

/// The families that every page has.
const OWN: [&str; 7] = [
    "mmstats_writer_info",
    "mmstats_writer_alive",
    "mmstats_writers",
    "mmstats_read_failures",
    "mmstats_dropped_fields",
    "mmstats_scrape_duration_seconds",
    "mmstats_target_halt_seconds",
];

/// A field that has a value but is neither in a page nor reported would be lost.
#[test]
fn a_field_is_shown_or_reported() {
    for scrape in scrapes(200) {
        for (writer, field) in scrape
            .samples
            .iter()
            .flat_map(|samples| (0..samples.fields.len()).map(move |field| (samples, field)))
        {
            let alone = WriterSample {
                fields: [writer.fields[field].clone()].into(),
                values: vec![writer.values[field].clone()],
                ..writer.clone()
            };
            // A writer's identity is a label, not a series.
            let is_identity = alone.fields[0].label == "sys.pid"
                && !matches!(alone.values[0], Ok(OwnedValue::Histogram(_)) | Err(_));
            let page = per_writer(
                &Scrape { samples: vec![alone], ..scrape.clone() },
                Duration::ZERO,
                &Settings::default(),
            );
            let samples = page.text.split('\n').filter(|line| {
                !line.is_empty()
                    && !line.starts_with('#')
                    && !OWN.contains(&line.split(['{', ' ']).next().unwrap_or_default())
            });
            let each = match &writer.values[field] {
                // A histogram has samples for its bounds, infinity, sum and count.
                Ok(OwnedValue::Histogram(_)) => 5 + 3,
                Ok(value) => usize::from(has_value(&writer.fields[field], value)),
                Err(_) => 1,
            };
            let elsewhere = page.dropped.len() + usize::from(is_identity);
            assert_eq!(
                samples.count() + each * elsewhere,
                each,
                "{:?}\n{}",
                page.dropped,
                page.text
            );
        }
    }
}
