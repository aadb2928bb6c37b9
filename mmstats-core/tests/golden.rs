//! Version 1 is what the original wrote: its files are read as it printed them, and `V1Exact`
//! writes them again byte for byte.

mod common;

use common::{FieldValue, dead, golden, region_in, swapped};
use mmstats_core::{
    Average, Constant, ConstantText, Counter, Flag, Gauge, Model, MovingAverage, Text, V1, V1Exact,
    Version, format::layout, model,
};
use zerocopy::IntoBytes;

#[test]
fn files_of_the_original_are_read_as_it_printed_them() {
    for name in ["kinds", "webstats"] {
        let (bytes, printed) = golden(name);
        let shown = dead(&bytes);
        assert_eq!(shown.len(), printed.len());
        for (field, (label, value)) in shown.iter().zip(&printed) {
            assert_eq!(&field.label, label);
            match &field.value {
                FieldValue::Bool(is) => assert_eq!(if *is { "True" } else { "False" }, value),
                FieldValue::Unsigned(number) => assert_eq!(&number.to_string(), value, "{label}"),
                FieldValue::Signed(number) => assert_eq!(&number.to_string(), value, "{label}"),
                FieldValue::Float(bits) => {
                    assert_eq!(f64::from_bits(*bits), value.parse::<f64>().unwrap(), "{label}");
                }
                FieldValue::Text(text) => assert_eq!(text, value, "{label}"),
                FieldValue::Histogram(..) => panic!("a histogram in version 1"),
            }
        }
    }
}

model! {
    /// The fields of `kinds.mmstats`.
    struct Kinds {
        a_byte: Gauge<i8>,
        a_short: Gauge<i16>,
        a_ushort: Gauge<u16>,
        an_int: Gauge<i32>,
        a_uint: Gauge<u32>,
        a_u64: Gauge<u64>,
        a_float: Gauge<f32>,
        a_double: Gauge<f64>,
        a_bool: Flag,
        a_text: Text<20>,
        an_avg: Average,
        a_moving: MovingAverage<2>,
        s_uint: Constant<u32> => 1,
        s_i64: Constant<i64> => i64::MIN,
        s_u64: Constant<u64> => u64::MAX,
        s_float: Constant<f32> => 0.5,
        s_double: Constant<f64> => 1e300,
        s_text: ConstantText<256> => "grüße",
    }

    /// The fields of `webstats.mmstats`.
    struct WebStats in "web.stats." {
        status2xx: Counter = "status.2XX",
        status3xx: Counter = "status.3XX",
        status4xx: Counter = "status.4XX",
        status5xx: Counter = "status.5XX",
        last_hit: Gauge<f64> = "timers.last_hit",
        pid: Constant<u32> = "sys.pid" => 4397,
        tid: Constant<i64> = "sys.tid" => 4397,
        uid: Constant<u64> = "sys.uid",
        gid: Constant<u64> = "sys.gid",
        python: ConstantText<256> = "org.python.version" => "3.11.7 (main, May  9 2026, 07:35:25) [GCC 12.2.0]",
        created: Constant<f64> = "sys.created" => 1_795_347_122.090_503,
    }
}

/// A file of the original, which ran on a little-endian machine, as it would have been written on
/// this one.
fn original(name: &str) -> Vec<u8> {
    let bytes = golden(name).0;
    if cfg!(target_endian = "little") { bytes } else { swapped(&bytes) }
}

#[test]
fn exact_version_1_writes_every_type_as_the_original_did() {
    let original = original("kinds");
    let mut page = [0; 512];
    let kinds = Kinds::<V1Exact>::publish(region_in(&mut page)).unwrap();
    kinds.a_byte.set(-128);
    kinds.a_short.set(i16::MIN);
    kinds.a_ushort.set(u16::MAX);
    kinds.an_int.set(i32::MIN);
    kinds.a_uint.set(u32::MAX);
    kinds.a_u64.set(u64::MAX);
    kinds.a_float.set(1.0 / 3.0);
    kinds.a_double.set(-0.1);
    kinds.a_bool.set(true);
    kinds.a_text.set("café café café café");
    for sample in [1.0, 2.0, 6.0] {
        kinds.an_avg.record(sample);
        kinds.a_moving.record(sample);
    }
    assert_eq!(page.as_bytes(), original);
}

#[test]
fn exact_version_1_writes_counters_and_prefixes_as_the_original_did() {
    let original = original("webstats");
    let mut page = [0; 512];
    let stats = WebStats::<V1Exact>::publish(region_in(&mut page)).unwrap();
    (0..7).for_each(|_| stats.status2xx.incr());
    stats.status4xx.add(3);
    stats.last_hit.set(1_353_442_620.125);
    let used = layout::size(Version::V1Exact, WebStats::<V1Exact>::FIELDS, 0);
    for (at, (ours, theirs)) in page.as_bytes().iter().zip(&original).enumerate() {
        assert_eq!(ours, theirs, "at byte {at} of {used}");
    }
}

#[test]
fn padded_version_1_differs_from_exact_only_in_types_and_buffers() {
    let mut page = [0; 512];
    let kinds = Kinds::<V1>::publish(region_in(&mut page)).unwrap();
    kinds.a_u64.set(5);
    kinds.a_text.set("there");
    let shown = dead(page.as_bytes());
    let original = dead(&golden("kinds").0);
    for (ours, theirs) in shown.iter().zip(&original) {
        assert_eq!((&ours.label, ours.ty), (&theirs.label, theirs.ty));
    }
    assert_eq!(shown.len(), original.len());
    assert_eq!(
        (&shown[5].value, &shown[9].value),
        (&FieldValue::Unsigned(5), &FieldValue::Text("there".into()))
    );
}
