//! Sums over writers whose fields differ in kind, unit or buckets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mmstats_core::reader::Storage;
use mmstats_core::{Kind, Type};
use mmstats_std::liveness::{Reason, Verdict};
use mmstats_std::read::Field;
use mmstats_tools::render::metrics::{Format, Settings, Totals};
use mmstats_tools::scraper::{OwnedValue, Scrape, WriterId, WriterSample};
use mmstats_tools::series::{Bucket, HistogramSnapshot};

fn counter(label: &str, value: u64) -> (Field, OwnedValue) {
    (Field::new(label, Kind::Counter, Type::U64), OwnedValue::Unsigned(value))
}

fn gauge(label: &str, value: u64) -> (Field, OwnedValue) {
    (Field::new(label, Kind::Gauge, Type::U64), OwnedValue::Unsigned(value))
}

/// Returns a histogram of milliseconds, microseconds, …, up to 2^`n`.
fn histogram(scale: i8, n: u8, filled: &[(u64, Option<u64>, u64)]) -> (Field, OwnedValue) {
    let mut field = Field {
        scale,
        unit: "seconds".to_owned(),
        ..Field::new("latency", Kind::Histogram, Type::U64)
    };
    field.location.storage = Storage::Histogram { grouping_power: 0, max_power: n };
    let filled: Vec<_> =
        filled.iter().map(|&(low, high, count)| Bucket { low, high, count }).collect();
    let sum = filled.iter().map(|bucket| bucket.low * bucket.count).sum();
    (field, OwnedValue::Histogram(Box::new(HistogramSnapshot { sum, filled })))
}

/// Returns the sample of the writer with this number.
fn sample(id: u64, reason: Reason, fields: &[(Field, OwnedValue)]) -> WriterSample {
    let writer_id = WriterId {
        id,
        name: PathBuf::from(format!("{id}.mmstats")),
        version: 2,
        process: None,
        created: None,
        is_new: false,
        other_owner: None,
    };
    let (fields, values): (Vec<_>, Vec<_>) =
        fields.iter().cloned().map(|(field, value)| (field, Ok(value))).unzip();
    WriterSample {
        writer_id: Arc::new(writer_id),
        fields: fields.into(),
        values,
        verdict: Verdict { liveness: reason.liveness(), reason },
    }
}

/// Adds a scrape; returns all samples except the page's own, and the dropped fields.
fn add(totals: &mut Totals, samples: Vec<WriterSample>) -> (BTreeMap<String, String>, Vec<String>) {
    let scrape = Scrape { samples, ..Scrape::new(SystemTime::UNIX_EPOCH, Duration::ZERO) };
    totals.add(&scrape, false);
    let page = totals.page(
        &scrape,
        Duration::ZERO,
        &Settings { format: Format::OpenMetrics, ..Settings::default() },
    );
    let samples =
        page.text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("mmstats_"));
    let samples = samples
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    (samples, page.dropped.iter().map(ToString::to_string).collect())
}

fn samples(reported: &[(&str, &str)]) -> BTreeMap<String, String> {
    reported.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn assert_no_step_back(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) {
    let number = |text: &str| text.parse::<f64>().unwrap();
    for (name, value) in before {
        assert!(
            now.get(name).is_some_and(|now| number(now) >= number(value)),
            "{name} was {value}\n{now:#?}"
        );
    }
}

#[test]
fn buckets_do_not_decrease_when_a_writer_with_fewer_comes() {
    let long = |count| {
        histogram(-3, 8, &[(8, Some(15), 3 * count), (64, Some(127), count), (128, None, count)])
    };
    let short = histogram(-3, 3, &[(1, Some(1), 2), (4, None, 7)]);
    let mut totals = Totals::new();
    let (first, _) = add(&mut totals, vec![sample(1, Reason::Runs, &[long(10)])]);
    let at = |samples: &BTreeMap<String, String>, bound: &str| {
        samples[&format!("latency_seconds_bucket{{le=\"{bound}\"}}")].clone()
    };
    assert_eq!(
        ["0.007", "0.015", "0.127", "+Inf"].map(|bound| at(&first, bound)),
        ["0", "30", "40", "50"]
    );
    let (second, _) = add(
        &mut totals,
        vec![sample(1, Reason::Runs, &[long(10)]), sample(2, Reason::Runs, &[short])],
    );
    assert_no_step_back(&first, &second);
    assert_eq!(
        ["0.001", "0.007", "0.015", "0.127", "+Inf"].map(|bound| at(&second, bound)),
        ["2", "2", "32", "42", "59"]
    );
    let (third, _) = add(&mut totals, vec![sample(1, Reason::Runs, &[long(11)])]);
    assert_no_step_back(&second, &third);
}

/// Returns the fields of a program before and after a change.
fn versions() -> [Vec<(Field, OwnedValue)>; 2] {
    let before = vec![
        histogram(-3, 4, &[(4, Some(7), 10)]),
        counter("converted", 5),
        counter("old.name", 3),
    ];
    let after =
        vec![histogram(-6, 4, &[(4, Some(7), 7)]), gauge("converted", 70), counter("old_name", 1)];
    [before, after]
}

/// Returns the samples of the second version.
fn of_the_second(samples: &BTreeMap<String, String>) -> [&str; 3] {
    ["latency_seconds_bucket{le=\"7e-06\"}", "converted", "old_name_total"]
        .map(|name| samples.get(name).map_or("none", |value| value))
}

#[test]
fn the_current_meaning_is_shown_if_only_ended_writers_had_another() {
    let [before, after] = versions();
    // Its file is gone, or was left.
    for is_left in [false, true] {
        let mut totals = Totals::new();
        let (first, _) = add(&mut totals, vec![sample(1, Reason::Runs, &before)]);
        assert_eq!(
            (
                &first["latency_seconds_count"][..],
                &first["converted_total"][..],
                &first["old_name_total"][..]
            ),
            ("10", "5", "3")
        );
        for id in [2, 2, 3] {
            let mut writers = vec![sample(id, Reason::Runs, &after)];
            if is_left {
                writers.insert(0, sample(1, Reason::Ended, &before));
            }
            let (now, left_out) = add(&mut totals, writers);
            let counted = if id == 2 { ["7", "70", "1"] } else { ["14", "70", "2"] };
            assert_eq!((of_the_second(&now), &left_out[..]), (counted, &[][..]));
            assert!(!now.contains_key("converted_total"), "{now:#?}");
        }
        // When these have ended too, the earlier counts do not come back.
        let (last, _) = add(
            &mut totals,
            if is_left { vec![sample(1, Reason::Ended, &before)] } else { Vec::new() },
        );
        assert_eq!(
            (of_the_second(&last), last.contains_key("converted_total")),
            (["14", "none", "2"], false)
        );
        // A new writer with the earlier meaning is shown.
        let (again, left_out) = add(
            &mut totals,
            vec![sample(4, Reason::Runs, &[before.clone(), vec![counter("more", 1)]].concat())],
        );
        assert_eq!(left_out, [] as [&str; 0]);
        let shown = ["latency_seconds_bucket{le=\"0.007\"}", "converted_total", "old_name_total"]
            .map(|name| &again[name][..]);
        assert_eq!(shown, ["10", "5", "3"]);
    }
}

#[test]
fn while_both_run_the_hidden_one_is_reported_with_its_reason() {
    let [before, after] = versions();
    let mut totals = Totals::new();
    for _ in 0..2 {
        let (now, left_out) = add(
            &mut totals,
            vec![sample(1, Reason::Runs, &before), sample(2, Reason::NoPid, &after)],
        );
        assert_eq!(
            (
                &now["latency_seconds_count"][..],
                &now["converted_total"][..],
                &now["old_name_total"][..]
            ),
            ("10", "5", "3")
        );
        let expected = [
            "converted: dropped: as a gauge, it would be converted, which is taken by converted (a counter)",
            "latency: dropped: the exported histogram has another scale, so other bounds",
            "old_name: dropped: as a counter, it would be old_name, which is taken by old.name (a counter)",
        ];
        assert_eq!(left_out, expected);
    }
}

#[test]
fn the_order_of_dimensions_does_not_matter() {
    let mut totals = Totals::new();
    let one = sample(
        1,
        Reason::Runs,
        &[counter("requests{a=\"1\",b=\"2\"}", 5), counter("requests{a=\"2\",b=\"2\"}", 1)],
    );
    let other = sample(2, Reason::Runs, &[counter("requests{b=\"2\", a=\"1\"}", 70)]);
    for writers in [vec![one.clone()], vec![one, other.clone()], vec![other]] {
        let has_both = writers.iter().any(|samples| samples.writer_id.id == 2);
        let (now, left_out) = add(&mut totals, writers);
        let sum = if has_both { "75" } else { "5" };
        assert_eq!(
            now,
            samples(&[
                ("requests_total{a=\"1\",b=\"2\"}", sum),
                ("requests_total{a=\"2\",b=\"2\"}", "1")
            ])
        );
        assert_eq!(left_out, [] as [&str; 0]);
    }
}

#[test]
fn counters_never_decrease_with_any_scales() {
    let mut random = 2013_u64;
    let mut next = |below: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 11) % below
    };
    for _ in 0..300 {
        let (mut totals, mut writers, mut before) = (Totals::new(), Vec::new(), BTreeMap::new());
        for id in 0..6 {
            let scale = [-9, -6, -3, 0, 2][next(5) as usize];
            let divisor = [1, 1, 1, 3, 4096][next(5) as usize];
            let ty = [Type::U64, Type::U64, Type::F64][next(3) as usize];
            let digits = next(54);
            let value = next(1 << digits) * next(2);
            let field = Field {
                scale,
                divisor,
                unit: "seconds".to_owned(),
                ..Field::new("busy", Kind::Counter, ty)
            };
            writers.push((id, field, value));
            for (_, _, value) in &mut writers {
                *value += next(1000) * next(2) * next(2);
            }
            let stored = |field: &Field, value: u64| {
                if field.location.ty == Type::F64 {
                    OwnedValue::Float(value as f64 / 7.0)
                } else {
                    OwnedValue::Unsigned(value)
                }
            };
            let scrape = writers
                .iter()
                .map(|(id, field, value)| {
                    sample(*id, Reason::Runs, &[(field.clone(), stored(field, *value))])
                })
                .collect();
            let (now, _) = add(&mut totals, scrape);
            assert_no_step_back(&before, &now);
            before = now;
        }
    }
}

#[test]
fn gauges_and_timestamps_of_dead_writers_count_only_if_no_other_has_them() {
    let untyped = |label: &str, ty| Field::new(label, Kind::Untyped, ty);
    let fields = |value: u64| {
        [
            (untyped("hits", Type::U32), OwnedValue::Unsigned(value)),
            (untyped("load", Type::F64), OwnedValue::Float(value as f64 / 2.0)),
            (
                Field { unit: "unixtime".to_owned(), ..untyped("last", Type::U64) },
                OwnedValue::Unsigned(value),
            ),
        ]
    };
    let mut totals = Totals::new();
    let mut shown = |writers| add(&mut totals, writers).0;
    let both =
        shown(vec![sample(1, Reason::Runs, &fields(1)), sample(2, Reason::NoPid, &fields(7))]);
    assert_eq!(both, samples(&[("hits", "8"), ("load", "4"), ("last_timestamp_seconds", "7")]));
    let one =
        shown(vec![sample(1, Reason::Runs, &fields(1)), sample(2, Reason::Ended, &fields(7))]);
    assert_eq!(one, samples(&[("hits", "8"), ("load", "0.5"), ("last_timestamp_seconds", "1")]));
    let none =
        shown(vec![sample(1, Reason::Ended, &fields(1)), sample(2, Reason::Ended, &fields(7))]);
    assert_eq!(none, samples(&[("hits", "8"), ("load", "4"), ("last_timestamp_seconds", "7")]));
}
