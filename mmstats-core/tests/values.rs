//! Values at the edges of what they can be.

mod common;

use common::{FieldValue, Stopped, region_in, shown, values};
use core::time::Duration;
use mmstats_core::format::histogram::{bounds, bucket_of, count, valid};
use mmstats_core::{
    ConstantText, Counter, Format, Gauge, Text, Timer, V1, V1Exact, V2, V2Narrow, Writer,
};

fn texts_of<const N: usize, F: Format>() {
    // Four bytes each, three, two, one: all ways to be cut.
    let long = "𝄞世éx".repeat(N);
    for start in (0..10).filter(|start| long.is_char_boundary(*start)) {
        for end in (start..start + 2 * N).filter(|end| long.is_char_boundary(*end)) {
            let text = &long[start..end];
            let fits = text
                .char_indices()
                .map(|(i, c)| i + c.len_utf8())
                .take_while(|end| *end <= N)
                .last()
                .unwrap_or(0);
            let mut memory = [u64::MAX; 64];
            let region = region_in(&mut memory);
            let view = region.view();
            let mut writer = Writer::<F>::new(region).unwrap();
            let field: Text<N, _> = writer.add(Text::builder("text").initial(text)).unwrap();
            writer
                .add::<ConstantText<N, _>>(ConstantText::builder("constant").initial(text))
                .unwrap();
            let is = |expected: &str| {
                assert_eq!(field.get(), expected);
                let expected = FieldValue::from(expected);
                assert_eq!(values(&shown(&view))[0], ("text", &expected));
            };
            is(&text[..fits]);
            field.set(&long);
            field.set("");
            is("");
            field.set(&"y".repeat(N));
            field.set(text);
            is(&text[..fits]);
            assert_eq!(values(&shown(&view))[1], ("constant", &FieldValue::from(&text[..fits])));
        }
    }
}

fn texts<F: Format>() {
    texts_of::<1, F>();
    texts_of::<2, F>();
    texts_of::<3, F>();
    texts_of::<4, F>();
    texts_of::<5, F>();
    texts_of::<7, F>();
    texts_of::<8, F>();
    texts_of::<9, F>();
    texts_of::<12, F>();
    texts_of::<16, F>();
    texts_of::<19, F>();
}

#[test]
fn texts_of_every_length_are_whole_or_cut_at_a_character() {
    texts::<V2>();
    texts::<V2Narrow>();
    texts::<V1>();
    texts::<V1Exact>();
}

#[test]
fn every_value_counts_in_the_one_bucket_whose_bounds_hold_it() {
    for (p, n) in (0..12).flat_map(|p| (p + 1..=64).map(move |n| (p, n))) {
        assert!(valid(p, n));
        let edges = (0..64)
            .flat_map(|bit| [-1, 0, 1].map(|more: i64| (1_u64 << bit).wrapping_add_signed(more)));
        let inside = (0..64).flat_map(|bit| {
            (0..1 << p)
                .step_by(1 << p.saturating_sub(2))
                .map(move |step: u64| ((1 << p) + step) << bit)
        });
        for value in edges.chain(inside).chain([u64::MAX, 0x5555_5555_5555_5555]) {
            let bucket = bucket_of(p, n, value);
            assert!(bucket < count(p, n));
            let (low, high) = bounds(p, n, bucket);
            assert!(
                low <= value && high.is_none_or(|high| value <= high),
                "{value} in {low} to {high:?} of {p}, {n}"
            );
            assert_eq!(high.is_none(), bucket + 1 == count(p, n));
            // FORMAT.md: values of 2^n and more are in the last one.
            assert!(value >> (n - 1) >> 1 == 0 || high.is_none());
        }
    }
    assert!(!valid(3, 3) && !valid(3, 65));
}

#[test]
fn buckets_lie_side_by_side_and_are_as_narrow_as_promised() {
    for (p, n) in [(0, 1), (0, 64), (2, 20), (3, 40), (5, 40), (5, 64), (7, 9)] {
        let mut next = 0;
        for bucket in 0..count(p, n) {
            let (low, high) = bounds(p, n, bucket);
            assert_eq!(low, next, "bucket {bucket} of {p}, {n}");
            let Some(high) = high else {
                assert_eq!(bucket + 1, count(p, n));
                break;
            };
            assert_eq!((bucket_of(p, n, low), bucket_of(p, n, high)), (bucket, bucket));
            assert!(u128::from(high - low) << p <= u128::from(low), "wider than {low} / 2^{p}");
            next = high + 1;
        }
    }
}

fn wraps<F: Format>() {
    let mut memory = [0; 64];
    let mut writer = Writer::<F>::new(region_in(&mut memory)).unwrap();
    let narrow: Counter<u32, _> = writer.add(Counter::builder("narrow").initial(u32::MAX)).unwrap();
    let wide: Counter<u64, _> = writer.add(Counter::builder("wide").initial(u64::MAX)).unwrap();
    let gauge: Gauge<i8, _> = writer.add(Gauge::builder("gauge").initial(127)).unwrap();
    narrow.incr();
    wide.add(2);
    gauge.add(1);
    assert_eq!((narrow.get(), wide.get(), gauge.get()), (0, 1, -128));
    gauge.sub(1);
    wide.set(9);
    assert_eq!((wide.get(), gauge.get()), (9, 127));
}

#[test]
fn integers_wrap() {
    wraps::<V2>();
    wraps::<V2Narrow>();
    wraps::<V1>();
    wraps::<V1Exact>();
}

fn mean_of_durations<F: Format>() {
    let mut memory = [0; 1024];
    let region = region_in(&mut memory);
    let view = region.view();
    let mut writer = Writer::<F>::new(region).unwrap();
    let timer: Timer<Stopped, 4, F> = writer.add(Timer::builder("timer")).unwrap();
    let is = |expected: f64| {
        assert_eq!(timer.get(), expected);
        assert_eq!(values(&shown(&view))[0], ("timer", &FieldValue::from(expected)));
    };
    is(0.0);
    timer.record(Duration::from_nanos(7));
    is(7e-9);
    timer.record(Duration::from_nanos(8));
    is(7.5e-9);
    for _ in 0..9 {
        timer.record(Duration::MAX);
    }
    is(u64::MAX as f64 / 1e9);
    timer.record(Duration::ZERO);
    is(0.75 * u64::MAX as f64 / 1e9);
    for nanoseconds in [1, 2, 3, 4] {
        timer.record(Duration::from_nanos(nanoseconds));
    }
    is(2.5e-9);
}

#[test]
fn a_timers_mean_is_exact_also_of_centuries_and_after_them() {
    mean_of_durations::<V2>();
    mean_of_durations::<V2Narrow>();
    mean_of_durations::<V1>();
    mean_of_durations::<V1Exact>();
}
