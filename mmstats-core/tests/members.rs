//! Arrays and models as members of models: their labels, dimensions, sizes and values, in every
//! format, in a region or with the directory in flash.

mod common;

use common::{FieldValue, Shown, Stopped, copy, dead_outside, region_in, shown, values};
use core::time::Duration;
use mmstats_core::format::layout;
use mmstats_core::model::Recovery;
use mmstats_core::{
    AddError, Aggregation, Constant, ConstantText, Counter, Format, Gauge, Model, Region, Shared,
    StaticRegion, Text, Timer, V1, V1Exact, V2, V2Narrow, Writer, model, units,
};
use zerocopy::IntoBytes;

model! {
    struct Pump {
        /// Grams moved.
        moved: Counter<u32> [grams],
    }

    struct Motor in "motor/" {
        /// Steps made.
        steps: Counter,
        /// Current of the winding.
        current: [Gauge<i16>; 2] {phase} [volts.e(-3)] as max => -7,
        latency: Timer<Stopped> = "latency{path=\"/\"}",
        state: Text<6> => "idle",
    }

    struct Machine in "mill." {
        /// Parts in each slot.
        slots: [Counter; 3],
        worker: [Text<6>; 2] = "who" as kept => "nobody",
        version: [Constant<u8>; 2] => 9,
        codes: [Counter<u32>; 2] = "http{method=\"GET\"}" {code},
        grid: [[Counter<u32>; 2]; 3] {row, column},
        none: [Counter; 0],
        left: Motor,
        right: Motor = "motor{side=\"r\"}",
        pump: Pump = "",
        axis: [Motor; 2] {axis},
    }

    /// Nested twice.
    struct Plant {
        r#mill: Machine = "a",
        mills: [Machine; 2] = "" {mill},
    }
}

/// The labels of a motor in another model.
fn motor(name: &str, dimensions: &str) -> Vec<String> {
    let label = |stem: &str, own: &str| {
        let all: Vec<&str> =
            [dimensions, own].into_iter().filter(|text| !text.is_empty()).collect();
        let all = if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) };
        format!("{name}motor/{stem}{all}")
    };
    vec![
        label("steps", ""),
        label("current", "phase=\"0\""),
        label("current", "phase=\"1\""),
        label("latency", "path=\"/\""),
        label("latency.histogram", "path=\"/\""),
        label("state", ""),
    ]
}

/// The labels of a machine in a model, after its name and with these dimensions.
fn machine(name: &str, dimensions: &str) -> Vec<String> {
    let outer = if dimensions.is_empty() { String::new() } else { format!("{dimensions},") };
    let bare = if dimensions.is_empty() { String::new() } else { format!("{{{dimensions}}}") };
    let mut labels = Vec::new();
    for (stem, count) in [("slots", 3), ("who", 2), ("version", 2)] {
        labels.extend((0..count).map(|i| format!("{name}mill.{stem}{{{outer}index=\"{i}\"}}")));
    }
    for i in 0..2 {
        labels.push(format!("{name}mill.http{{{outer}method=\"GET\",code=\"{i}\"}}"));
    }
    for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)] {
        labels.push(format!("{name}mill.grid{{{outer}row=\"{row}\",column=\"{column}\"}}"));
    }
    labels.extend(motor(&format!("{name}mill.left."), dimensions));
    labels.extend(motor(&format!("{name}mill.motor."), &format!("{outer}side=\"r\"")));
    labels.push(format!("{name}mill.moved{bare}"));
    for i in 0..2 {
        labels.extend(motor(&format!("{name}mill.axis."), &format!("{outer}axis=\"{i}\"")));
    }
    labels
}

fn labels(shown: &[Shown]) -> Vec<&str> {
    shown.iter().map(|field| field.label.as_str()).collect()
}

/// Returns the labels without those of histograms, which version 1 does not have.
fn in_format<F: Format>(labels: Vec<String>) -> Vec<String> {
    let is_there =
        |label: &String| F::VERSION == mmstats_core::Version::V2 || !label.contains(".histogram");
    labels.into_iter().filter(is_there).collect()
}

fn write<F: Format>(machine: &Machine<F>) {
    machine.slots[2].add(1 << 40);
    machine.slots.iter().for_each(Counter::incr);
    machine.worker[1].set("Ada");
    machine.codes[0].add(3);
    machine.grid[2][1].incr();
    machine.left.steps.add(4);
    machine.right.current[1].set(5);
    machine.right.latency.record(Duration::from_secs(2));
    machine.pump.moved.add(6);
    machine.axis[1].state.set("busy");
}

/// The written values, and some that stay as declared.
fn assert_written(shown: &[Shown]) {
    use FieldValue::{Signed, Unsigned};
    let value = |label: &str| {
        let mut found = shown.iter().filter(|field| field.label == label);
        let value = &found.next().unwrap_or_else(|| panic!("no {label}")).value;
        assert!(found.next().is_none(), "{label} is there once");
        value.clone()
    };
    for (label, expected) in [
        ("mill.slots{index=\"0\"}", Unsigned(1)),
        ("mill.slots{index=\"2\"}", Unsigned((1 << 40) + 1)),
        ("mill.who{index=\"0\"}", "nobody".into()),
        ("mill.who{index=\"1\"}", "Ada".into()),
        ("mill.version{index=\"1\"}", Unsigned(9)),
        ("mill.http{method=\"GET\",code=\"0\"}", Unsigned(3)),
        ("mill.grid{row=\"2\",column=\"1\"}", Unsigned(1)),
        ("mill.grid{row=\"1\",column=\"1\"}", Unsigned(0)),
        ("mill.left.motor/steps", Unsigned(4)),
        ("mill.left.motor/current{phase=\"1\"}", Signed(-7)),
        ("mill.motor.motor/current{side=\"r\",phase=\"0\"}", Signed(-7)),
        ("mill.motor.motor/current{side=\"r\",phase=\"1\"}", Signed(5)),
        ("mill.motor.motor/latency{side=\"r\",path=\"/\"}", 2.0.into()),
        ("mill.moved", Unsigned(6)),
        ("mill.axis.motor/state{axis=\"0\"}", "idle".into()),
        ("mill.axis.motor/state{axis=\"1\"}", "busy".into()),
    ] {
        assert_eq!(value(label), expected, "{label}");
    }
}

/// Publishes the model in exactly as many bytes as it needs.
fn published<M: Model<Format = F>, F: Format>() -> (M, mmstats_core::View<'static>) {
    let region = Region::new(vec![u64::MAX; M::SIZE / 8].leak());
    let view = region.view();
    let error = M::publish(Region::new(vec![0; M::SIZE / 8 - 1].leak())).err();
    assert_eq!(error, Some(AddError::Full { length: M::SIZE - 8 }));
    (M::publish(region).unwrap(), view)
}

fn are_published<F: Format>() {
    let (model, view) = published::<Machine<F>, F>();
    write(&model);
    let fields = shown(&view);
    assert_eq!(labels(&fields), in_format::<F>(machine("", "")));
    assert_written(&fields);

    let (plant, view) = published::<Plant<F>, F>();
    plant.mill.axis[1].steps.add(2);
    plant.mills[1].grid[1][0].add(3);
    let fields = shown(&view);
    let mut expected = machine("a.", "");
    expected.extend((0..2).flat_map(|i| machine("", &format!("mill=\"{i}\""))));
    assert_eq!(labels(&fields), in_format::<F>(expected));
    let set: Vec<_> = values(&fields)
        .into_iter()
        .filter(|(_, value)| matches!(value, FieldValue::Unsigned(2 | 3)))
        .collect();
    assert_eq!(
        set,
        [
            ("a.mill.axis.motor/steps{axis=\"1\"}", &FieldValue::Unsigned(2)),
            ("mill.grid{mill=\"1\",row=\"1\",column=\"0\"}", &FieldValue::Unsigned(3)),
        ]
    );
}

#[test]
fn arrays_and_models_are_published_with_dimensions_and_prefixes_in_every_format() {
    are_published::<V2>();
    are_published::<V2Narrow>();
    are_published::<V1>();
    are_published::<V1Exact>();
}

#[test]
fn a_further_prefix_comes_before_all_labels() {
    let publisher = Machine::publisher().label_prefix("hall-1/");
    let region = Region::new(vec![0; publisher.size() / 8].leak());
    let view = region.view();
    let _machine = publisher.publish(region).unwrap();
    let expected: Vec<String> =
        machine("", "").into_iter().map(|label| format!("hall-1/{label}")).collect();
    assert_eq!(labels(&shown(&view)), expected);
}

#[test]
fn units_help_and_properties_are_those_of_each_element() {
    let (_machine, view) = published::<Machine, V2>();
    let fields = shown(&view);
    let like = |start: &str| -> Vec<_> {
        let matching = fields.iter().filter(|field| field.label.starts_with(start));
        matching
            .map(|field| {
                let Shown { unit, scale, help, aggregation, kept, .. } = field;
                (unit.as_str(), *scale, help.as_str(), *aggregation, *kept)
            })
            .collect()
    };
    let unspecified = Aggregation::Unspecified;
    assert_eq!(like("mill.slots{"), vec![("", 0, "Parts in each slot.", unspecified, false); 3]);
    assert_eq!(like("mill.who{"), vec![("", 0, "", unspecified, true); 2]);
    let winding = ("volts", -3, "Current of the winding.", Aggregation::Max, false);
    assert_eq!(like("mill.left.motor/current{"), vec![winding; 2]);
    assert_eq!(like("mill.axis.motor/current{"), vec![winding; 4]);
    assert_eq!(like("mill.moved"), [(units::grams.name, 0, "Grams moved.", unspecified, false)]);
}

#[test]
fn a_directory_in_flash_has_the_same_labels_and_values() {
    const SIZE: usize = Machine::publisher().directory_in_flash().size();
    static REGION: StaticRegion<SIZE> = StaticRegion::new();
    let model = Machine::publisher().directory_in_flash().publish(&REGION).unwrap();
    write(&model);
    let directory = Machine::<V2>::directory();
    let fields = dead_outside(copy(&REGION.view()).as_bytes(), directory.entries);
    assert_eq!(labels(&fields), machine("", ""));
    assert_written(&fields);
}

#[test]
fn elements_and_models_survive_a_reset_and_the_end_of_their_owner_as_declared() {
    let mut memory = [u64::MAX; Machine::SIZE / 8];
    let mut start = || Machine::publisher().recover(region_in(&mut memory)).unwrap();
    let (machine, recovery) = start();
    assert_eq!(recovery, Recovery::Fresh);
    write(&machine);
    let (machine, recovery) = start();
    assert_eq!(recovery, Recovery::Resumed);
    let state = |machine: &Machine| {
        (
            machine.slots[2].get() & 7,
            machine.worker[1].get().as_str().to_owned(),
            machine.right.current[1].get(),
            machine.axis[1].state.get().as_str().to_owned(),
            machine.left.steps.get(),
        )
    };
    assert_eq!(state(&machine), (1, "Ada".into(), -7, "idle".into(), 4));
    machine.axis[1].state.set("busy");
    machine.reset_transient();
    assert_eq!(state(&machine), (1, "Ada".into(), 0, String::new(), 4));

    let mut memory = [u64::MAX; Machine::<V2>::SIZE_WITH_FLASH / 8];
    let mut start = || {
        let publisher = Machine::<V2>::publisher().directory_in_flash();
        publisher.recover(region_in(&mut memory)).unwrap()
    };
    write(&start().0);
    let (machine, recovery) = start();
    assert_eq!(recovery, Recovery::Resumed);
    assert_eq!(state(&machine), (1, "Ada".into(), -7, "idle".into(), 4));
}

model! {
    struct Workers {
        busy: [Gauge<i32>; 2],
        pump: Pump,
    }
    struct Mixed {
        own: Counter,
        all: Workers<Shared>,
        errors: [Counter<u32, Shared>; 2],
    }
}

#[test]
fn shared_arrays_and_models_are_written_by_several_threads() {
    static ALL: StaticRegion<{ Workers::<Shared>::SIZE }> = StaticRegion::new();
    static MIXED: StaticRegion<{ Mixed::SIZE }> = StaticRegion::new();
    let all = Workers::<Shared>::publish(&ALL).unwrap();
    let Mixed { own, all: inner, errors: [first, second] } = Mixed::publish(&MIXED).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    all.busy[1].add(2);
                    inner.busy[0].sub(1);
                    inner.pump.moved.incr();
                    second.incr();
                }
            });
        }
    });
    own.incr();
    assert_eq!((all.busy[0].get(), all.busy[1].get()), (0, 6000));
    assert_eq!((inner.busy[0].get(), inner.pump.moved.get()), (-3000, 3000));
    assert_eq!((own.get(), first.get(), second.get()), (1, 0, 3000));
    assert_eq!(
        labels(&shown(&MIXED.view())),
        [
            "own",
            "all.busy{index=\"0\"}",
            "all.busy{index=\"1\"}",
            "all.pump.moved",
            "errors{index=\"0\"}",
            "errors{index=\"1\"}"
        ]
    );
}

#[test]
fn a_model_with_members_is_added_to_other_fields_all_or_none() {
    let region = Region::new(vec![0; 100].leak());
    let view = region.view();
    let mut writer = Writer::<V2>::new(region).unwrap();
    let _taken: Counter = writer.add(Counter::builder("pump.moved")).unwrap();
    let error = writer.add_model::<Workers<V2>>().unwrap_err();
    assert_eq!(error.to_string(), "duplicate label: \"pump.moved\"");
    assert_eq!(labels(&shown(&view)), ["pump.moved"]);
    let mut writer = writer.label_prefix("second.");
    let workers: Workers<V2> = writer.add_model().unwrap();
    workers.busy[1].set(2);
    assert_eq!(values(&shown(&view))[2], ("second.busy{index=\"1\"}", &FieldValue::Signed(2)));
}

#[test]
fn many_elements_have_numbers_of_several_digits() {
    model! { struct Many { ports: [Counter<u32>; 300], versions: [ConstantText<3>; 2] => "1.2" } }
    let (many, view) = published::<Many, V2>();
    many.ports[299].add(7);
    let fields = shown(&view);
    for (i, field) in fields.iter().take(300).enumerate() {
        assert_eq!(field.label, format!("ports{{index=\"{i}\"}}"));
    }
    assert_eq!(fields[299].value, FieldValue::Unsigned(7));
    assert_eq!(fields[301].value, "1.2".into());
    assert_eq!(layout::size(V2::VERSION, Many::<V2>::FIELDS, 0), Many::SIZE);
}

model! {
    struct Conditional {
        #[cfg(any())]
        never: [NoSuchType; 2],
        /// Help.
        #[cfg(all())]
        sometimes: [Counter<u32>; 2],
        #[cfg(any())]
        other: NoSuchModel = "x",
        last: Pump,
    }
}

#[test]
fn arrays_and_models_may_depend_on_conditions() {
    let (conditional, view) = published::<Conditional, V2>();
    conditional.sometimes[0].incr();
    conditional.last.moved.incr();
    let fields = shown(&view);
    assert_eq!(labels(&fields), ["sometimes{index=\"0\"}", "sometimes{index=\"1\"}", "last.moved"]);
    assert_eq!(fields[1].help, "Help.");
}
