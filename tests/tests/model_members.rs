//! Arrays and models as members of models: in files of threads and of the process, as the
//! independent implementation reads them, and as `pollstats` adds them up or splits them.

use mmstats_std::{
    Counter, Format, Gauge, Histogram, Model, Options, Text, Timer, V1, V1Exact, V2, V2Narrow,
    model, publish,
};
use mmstats_tests::cli::{program, run};
use mmstats_tests::files::{Held, Values, all_values};
use mmstats_tests::independent::{assert_reads, beside, dump};
use mmstats_tests::programs::{Program, directory};
use mmstats_tests::regions::{bytes, leaked_region};
use serde_json::{Value as Json, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Returns the values of the one file with this label.
fn values_with(directory: &Path, label: &str) -> Values {
    let mut found: Vec<_> =
        all_values(directory).into_iter().filter(|values| values.0.contains_key(label)).collect();
    assert_eq!(found.len(), 1, "files with {label}");
    found.remove(0)
}

#[test]
fn the_next_thread_goes_on_with_arrays_and_models_and_the_process_shares_its_own() {
    let directory = directory();
    let directory = directory.path();
    let mut program = Program::start(env!("CARGO_BIN_EXE_model_members"), directory, &[]);
    for (name, rounds) in [("first", 1), ("second", 2)] {
        program.expect(name);
        let values = values_with(directory, "web.work.slots{index=\"2\"}");
        assert_eq!(values.count("web.work.slots{index=\"0\"}"), 0);
        assert_eq!(values.count("web.work.slots{index=\"2\"}"), 3 * rounds);
        assert_eq!(values.count("web.work.lane.jobs{lane=\"1\"}"), 2 * rounds);
        assert_eq!(values.count("web.work.urgent.depth"), 2, "a gauge belongs to its thread");
        assert_eq!(values.text("web.work.state{index=\"0\"}"), name);
        assert_eq!(values.text("web.work.state{index=\"1\"}"), "idle");
        assert_eq!(values.text("web.work.fault{index=\"1\"}"), name);
        let old = values_with(directory, "old.work.slots{index=\"2\"}");
        assert_eq!(old.count("old.work.slots{index=\"2\"}"), 3 * rounds);
        let open = values_with(directory, "process.open{lane=\"1\"}");
        assert_eq!(open.get("process.open{lane=\"1\"}"), &Held::Signed(2 * rounds as i64));
        assert_eq!(open.count("process.jobs"), 2 * rounds);
        program.go();
    }
    let end = program.end_without_files(directory);
    assert!(end.errors.is_empty(), "{}", end.errors);
}

model! {
    struct Axis in "axis/" {
        /// Steps made.
        steps: Counter [meters.e(-6)],
        load: [Gauge<f32>; 2] {phase} as max => -0.5,
        latency: Timer = "latency{path=\"/\"}",
    }
    struct Machine {
        slots: [Counter<u32>; 12],
        names: [Text<5>; 2] = "name{of=\"größe\"}" as kept => "ä",
        sizes: [[Histogram<2, 12, u32>; 1]; 2] {row, column} [bytes],
        left: Axis,
        right: Axis = "axes{side=\"r\"}",
        axes: [Axis; 2] {axis},
    }
}

fn fill<F: Format>(machine: &Machine<F>) {
    for (slot, count) in machine.slots.iter().zip(1..) {
        slot.add(count);
    }
    machine.names[1].set("ö");
    machine.sizes[1][0].record(700);
    machine.right.steps.add(1 << 40);
    machine.axes[1].load[1].set(0.25);
    machine.axes[0].latency.record(Duration::from_millis(3));
}

fn is_read_alike<F: Format>() {
    let directory = directory();
    let folder = directory.path().to_str().unwrap().to_owned().leak();
    let options = Options::new().directory(folder).file_name("all.mmstats");
    let published = publish::<Machine<F>>(&options).unwrap();
    fill(&*published);
    let theirs = dump(&published.path());
    let label = |label: &str| theirs.iter().filter(|field| field["label"] == label).count();
    assert_eq!(label("axes.axis/load{axis=\"1\",phase=\"1\"}"), 1, "{theirs:?}");
    assert_eq!(label("axes.axis/steps{side=\"r\"}"), 1, "{theirs:?}");
    assert_eq!(label("slots{index=\"11\"}"), 1, "{theirs:?}");
    assert_eq!(label("name{of=\"größe\",index=\"1\"}"), 1, "{theirs:?}");
    assert_reads(&published.path(), &theirs);
}

#[test]
fn the_independent_implementation_reads_arrays_and_models_alike_in_every_format() {
    is_read_alike::<V2>();
    is_read_alike::<V2Narrow>();
    is_read_alike::<V1>();
    is_read_alike::<V1Exact>();
}

#[test]
fn the_independent_implementation_reads_arrays_and_models_of_a_directory_in_flash_alike() {
    let directory = directory();
    let path = directory.path().join("flash.mmstats");
    let publisher = Machine::<V2>::publisher().directory_in_flash();
    let region = leaked_region(publisher.size() / 8);
    let view = region.view();
    fill(&publisher.publish(region).unwrap());
    fs::write(&path, bytes(&view)).unwrap();
    fs::write(beside(&path, ".directory"), Machine::<V2>::directory().entries).unwrap();
    let theirs = dump(&path);
    let fields: usize = Machine::<V2>::FIELDS.iter().map(|field| field.layouts.len()).sum();
    assert_eq!(theirs.len(), fields);
    assert_reads(&path, &theirs);
}

/// Polls the model in this format; `steps` is how many steps the right axis made.
fn is_polled<F: Format>(steps: &Json) {
    let directory = directory();
    let folder: &'static str = directory.path().to_str().unwrap().to_owned().leak();
    let options = Options::new().directory(folder).file_name("all.mmstats");
    let published = publish::<Machine<F>>(&options).unwrap();
    fill(&*published);
    let poll = |arguments: &[&str]| -> String {
        let mut command = Command::new(program("--bin", "pollstats"));
        run(command.args(["-c1", "--json"]).args(arguments).arg(folder)).out
    };
    let values = |out: &str| serde_json::from_str::<Json>(out).unwrap()["values"].clone();
    assert_eq!(values(&poll(&["slots"])), json!({ "slots": 78 }));
    let out = poll(&["slots", "--by", "index"]);
    for i in 0..12 {
        assert_eq!(values(&out)[format!("slots{{index=\"{i}\"}}")], json!(i + 1));
    }
    let places = (0..12).map(|i| out.find(&format!("{{index=\\\"{i}\\\"}}")).unwrap());
    assert!(places.is_sorted(), "{out}");
    let one = "slots{index=\"3\"}";
    assert_eq!(values(&poll(&[one])), json!({ one: 4 }));
    assert_eq!(
        values(&poll(&["axes.axis/steps", "--by", "axis,side"])),
        json!({
            "axes.axis/steps{axis=\"0\"}": 0,
            "axes.axis/steps{axis=\"1\"}": 0,
            "axes.axis/steps{side=\"r\"}": steps,
        })
    );
}

#[test]
fn pollstats_adds_up_the_elements_of_an_array_or_has_a_column_for_each_in_their_order() {
    is_polled::<V2>(&json!((1_u64 << 40) as f64 / 1e6));
    // Version 1 has no units.
    is_polled::<V1>(&json!(1_u64 << 40));
}
