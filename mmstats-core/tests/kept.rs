//! Properties of fields: kept values survive a reset, and the directory states how the values of
//! several writers are combined.

mod common;

use common::{FieldValue, Stopped, dead_outside, region_in, shown, values};
use core::time::Duration;
use mmstats_core::model::Recovery;
use mmstats_core::{
    AddError, Aggregation, Average, Counter, Flag, Format, Gauge, Highest, Lowest, Model,
    MovingAverage, Shared, StaticRegion, Text, Timer, V1, V1Exact, V2, V2Narrow, Writer, model,
};

model! {
    struct Board {
        boots: Counter<u32> as kept,
        panic: Text<20> as kept,
        fault_address: Gauge<u64> as kept => 1,
        state: Text<8> => "idle",
        load: Gauge<f32> => 0.5,
        overheated: Flag as kept max,
        peak: Highest<i32> as kept,
        recent_peak: Highest<i32>,
        reserve: Lowest<u16> as kept,
        mean: Average as kept,
    }
}

/// Publishes the model as after a reset, and writes each field once in a while.
fn run<F: Format>(memory: &mut [u64], write: impl FnOnce(&Board<F>)) -> Recovery {
    let (board, recovery) = Board::<F>::publisher().recover(region_in(memory)).unwrap();
    board.boots.incr();
    write(&board);
    recovery
}

fn kept_values_survive<F: Format>() {
    let mut memory = [u64::MAX; 400];
    let fresh = run::<F>(&mut memory, |board| {
        assert_eq!((board.fault_address.get(), board.peak.get()), (1, i32::MIN));
        assert_eq!((board.recent_peak.get(), board.reserve.get()), (i32::MIN, u16::MAX));
        board.panic.set("out of memory");
        board.fault_address.set(0xdead_beef_0000);
        board.state.set("busy");
        board.load.set(0.75);
        board.overheated.set(true);
        board.peak.record(-3);
        board.peak.record(-4);
        board.recent_peak.record(9);
        board.reserve.record(7);
        board.reserve.record(8);
        board.mean.record(2.5);
    });
    assert_eq!(fresh, Recovery::Fresh);
    let resumed = run::<F>(&mut memory, |board| {
        assert_eq!(board.boots.get(), 2);
        assert_eq!(board.panic.get(), "out of memory");
        assert_eq!(board.fault_address.get(), 0xdead_beef_0000);
        assert_eq!((board.state.get().as_str(), board.load.get()), ("idle", 0.5));
        assert!(board.overheated.get());
        assert_eq!((board.peak.get(), board.recent_peak.get()), (-3, i32::MIN));
        assert_eq!((board.reserve.get(), board.mean.get()), (7, 2.5));
        board.peak.record(12);
        board.panic.set("again");
    });
    assert_eq!(resumed, Recovery::Resumed);
    run::<F>(&mut memory, |board| {
        assert_eq!((board.peak.get(), board.panic.get().as_str()), (12, "again"));
        // The end of the owner, as of a thread.
        board.reset_transient();
        assert_eq!((board.boots.get(), board.peak.get(), board.reserve.get()), (3, 12, 7));
        assert_eq!((board.panic.get().as_str(), board.state.get().as_str()), ("again", ""));
        assert_eq!((board.recent_peak.get(), board.load.get()), (i32::MIN, 0.0));
    });
}

#[test]
fn kept_values_survive_a_reset_and_the_end_of_their_owner() {
    kept_values_survive::<V2>();
    kept_values_survive::<V2Narrow>();
    kept_values_survive::<V1>();
    kept_values_survive::<V1Exact>();
}

#[test]
fn kept_values_survive_a_reset_if_the_directory_is_in_flash() {
    let mut memory = [u64::MAX; 100];
    let mut start = || {
        let region = region_in(&mut memory);
        Board::<V2>::publisher().directory_in_flash().recover(region).unwrap()
    };
    let (board, recovery) = start();
    assert_eq!((recovery, board.fault_address.get()), (Recovery::Fresh, 1));
    board.panic.set("stack overflow");
    board.state.set("busy");
    let (board, recovery) = start();
    assert_eq!(recovery, Recovery::Resumed);
    assert_eq!(
        (board.panic.get().as_str(), board.state.get().as_str()),
        ("stack overflow", "idle")
    );
}

model! {
    struct Samples {
        mean: Average,
        recent: MovingAverage<3>,
        latency: Timer<Stopped>,
    }
}

#[test]
fn the_samples_of_an_owner_that_has_ended_are_not_in_the_means_of_the_next() {
    let mut memory = [0; 400];
    let samples: Samples = Samples::publish(region_in(&mut memory)).unwrap();
    let record = |value: f64| {
        samples.mean.record(value);
        samples.recent.record(value);
        samples.latency.record(Duration::from_secs_f64(value));
        (samples.mean.get(), samples.recent.get(), samples.latency.get())
    };
    assert_eq!([record(1.0), record(3.0)], [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0)]);
    samples.reset_transient();
    assert_eq!((samples.mean.get(), samples.recent.get(), samples.latency.get()), (0.0, 0.0, 0.0));
    assert_eq!(samples.latency.last(), None);
    for value in [8.0, 8.0, 8.0, 8.0] {
        assert_eq!(record(value), (8.0, 8.0, 8.0));
    }
}

model! {
    struct Combined {
        count: Counter as max,
        plain: Gauge<u32>,
        sum: Gauge<f64> as sum,
        mean: Gauge<f64> as mean,
        min: Gauge<f64> as min kept,
        max: Gauge<f64> as kept max,
        last: Text<4> as last,
        highest: Highest<u32>,
        lowest: Lowest<u32>,
        average_of_highest: Highest<u32> as mean,
        latency: Timer<Stopped> as max,
    }
}

/// The label, aggregation and kept mark of each field.
const STATED: [(&str, Aggregation, bool); 12] = [
    ("count", Aggregation::Unspecified, false),
    ("plain", Aggregation::Unspecified, false),
    ("sum", Aggregation::Sum, false),
    ("mean", Aggregation::Mean, false),
    ("min", Aggregation::Min, true),
    ("max", Aggregation::Max, true),
    ("last", Aggregation::Last, false),
    ("highest", Aggregation::Max, false),
    ("lowest", Aggregation::Min, false),
    ("average_of_highest", Aggregation::Mean, false),
    ("latency", Aggregation::Max, false),
    ("latency.histogram", Aggregation::Unspecified, false),
];

fn stated(fields: &[common::Shown]) -> Vec<(&str, Aggregation, bool)> {
    fields.iter().map(|field| (field.label.as_str(), field.aggregation, field.kept)).collect()
}

#[test]
fn a_directory_states_how_the_values_of_several_writers_are_combined() -> Result<(), AddError> {
    let mut memory = vec![0; Combined::SIZE / 8];
    let region = region_in(&mut memory);
    let view = region.view();
    let _combined = Combined::publish(region)?;
    assert_eq!(stated(&shown(&view)), STATED);

    static REGION: StaticRegion<{ Combined::publisher().directory_in_flash().size() }> =
        StaticRegion::new();
    let _combined = Combined::publisher().directory_in_flash().publish(&REGION)?;
    let directory = Combined::<V2>::directory();
    let bytes = common::copy(&REGION.view());
    let fields = dead_outside(zerocopy::IntoBytes::as_bytes(&bytes[..]), directory.entries);
    assert_eq!(stated(&fields), STATED);

    let region = region_in(vec![0; 64].leak());
    let view = region.view();
    let mut writer: Writer = Writer::new(region)?;
    let max: Gauge<u8> = writer.add(Gauge::builder("max").aggregation(Aggregation::Max))?;
    let kept: Highest<u8, Shared> = writer.add_shared(Highest::builder("kept").kept())?;
    max.set(1);
    kept.record(3);
    let fields = shown(&view);
    assert_eq!(
        stated(&fields),
        [("max", Aggregation::Max, false), ("kept", Aggregation::Max, true)]
    );
    assert_eq!(
        values(&fields),
        [("max", &FieldValue::Unsigned(1)), ("kept", &FieldValue::Unsigned(3))]
    );
    Ok(())
}
