//! Programs that count by the crate `metrics` are published: nothing is lost, whatever threads,
//! forks, names and values there are.

use mmstats_std::read::Reader;
use mmstats_tests::cli::{program, run};
use mmstats_tests::files::Held::{self, Count, Number, Spread};
use mmstats_tests::files::{all_values, files, names};
use mmstats_tests::programs::{End, Program, directory};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

fn start(scene: &str, directory: &Path) -> Program {
    Program::start(env!("CARGO_BIN_EXE_facade"), directory, &[scene])
}

/// Ends a program, which removes its files.
fn end(mut program: Program, directory: &Path) -> End {
    program.go();
    program.end_without_files(directory)
}

/// The metrics of all files that `is_meant`, without the prefix, added up.
fn sums_if(directory: &Path, is_meant: impl Fn(u64) -> bool) -> BTreeMap<String, Held> {
    let mut sums = BTreeMap::new();
    for values in all_values(directory) {
        if !is_meant(values.count("web.sys.pid")) {
            continue;
        }
        for (label, value) in values.0 {
            let label = label.strip_prefix("web.").expect("the prefix").to_owned();
            if label.starts_with("sys.") {
                continue;
            }
            let sum = match (sums.get(&label), value) {
                (None, value) => value,
                (Some(Held::Count(a)), Held::Count(b)) => Held::Count(a + b),
                (Some(Held::Number(a)), Held::Number(b)) => Held::Number(a + b),
                (Some(Held::Spread { count, sum }), Held::Spread { count: n, sum: more }) => {
                    Held::Spread { count: count + n, sum: sum + more }
                }
                (a, b) => panic!("{label} is {a:?} and {b:?}"),
            };
            sums.insert(label, sum);
        }
    }
    sums
}

fn sums(directory: &Path) -> BTreeMap<String, Held> {
    sums_if(directory, |_| true)
}

fn expected<const N: usize>(values: [(&str, Held); N]) -> BTreeMap<String, Held> {
    values.into_iter().map(|(label, value)| (label.to_owned(), value)).collect()
}

/// Returns the metrics of a scene that pauses once, and the lines of its standard error.
fn metrics_of(scene: &str) -> (BTreeMap<String, Held>, Vec<String>) {
    let directory = directory();
    let directory = directory.path();
    let mut program = start(scene, directory);
    program.line();
    let sums = sums(directory);
    let errors = end(program, directory).errors;
    (sums, errors.lines().map(str::to_owned).collect())
}

#[test]
fn updates_of_many_threads_through_shared_handles_are_all_counted_and_survive_a_kill() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("threads", directory);
    program.expect("counted");
    let expected = expected([
        ("served", Count(80_000)),
        ("calls{thread=\"0\"}", Count(80_000)),
        ("calls{thread=\"1\"}", Count(80_000)),
        ("open", Number(8.0)),
        ("last", Number(7.0)),
        ("size_bytes", Spread { count: 80_000, sum: 280_000 }),
    ]);
    assert_eq!(sums(directory), expected);
    let has = |label: &str| {
        all_values(directory).iter().filter(|values| values.0.contains_key(label)).count()
    };
    assert_eq!((has("web.open"), has("web.last")), (1, 1), "gauges are the process's");
    assert!(has("web.served") <= 8);
    program.kill();
    assert_eq!(sums(directory), expected);
}

#[test]
fn the_next_thread_continues_the_files_of_one_that_has_ended() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("turns", directory);
    program.expect("counted");
    assert_eq!(
        sums(directory),
        expected([("served", Count(20)), ("size_bytes", Spread { count: 20, sum: 200 })])
    );
    assert!(files(directory).len() <= 2, "{:?}", names(directory));
    end(program, directory);
}

#[test]
fn a_counter_that_is_set_is_the_highest_value_of_all_threads() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("absolute", directory);
    for (line, value) in [("mirrored", 79_999), ("incremented", 80_002), ("raised", 80_010)] {
        program.expect(line);
        assert_eq!(sums(directory), expected([("mirrored", Count(value))]));
        if line != "raised" {
            program.go();
        }
    }
    assert_eq!(files(directory).len(), 1, "one field for all threads");
    end(program, directory);
}

#[test]
fn increments_before_a_counter_is_set_are_added() {
    assert_eq!(metrics_of("mixed").0, expected([("mixed", Count(16))]));
}

#[test]
fn a_series_is_known_by_its_labels_in_any_order() {
    let (sums, errors) = metrics_of("labels");
    let expected = expected([
        ("requests", Count(1)),
        ("requests{method=\"GET\"}", Count(2)),
        ("requests{method=\"PUT\"}", Count(3)),
        ("requests{code=\"200\",method=\"GET\"}", Count(9)),
        ("requests{method=\"a \\\"b\\\"\\\\\\n}\"}", Count(6)),
    ]);
    assert_eq!((sums, errors), (expected, vec![]));
}

#[test]
fn invalid_names_are_changed_and_reported_once() {
    let (sums, errors) = metrics_of("invalid");
    let cut = "x".repeat(512);
    let expected = expected([
        ("_", Count(1)),
        ("a_b", Count(1)),
        ("__", Count(1)),
        (&cut, Count(1)),
        ("a{_=\"\u{fffd}\",b_c=\"1\"}", Count(1)),
        ("b{x=\"2\"}", Count(1)),
        (&format!("c{{x=\"{cut}\"}}"), Number(1.0)),
        (&format!("{cut}.histogram"), Spread { count: 1, sum: 1_000_000 }),
        ("d", Count(1)),
    ]);
    assert_eq!(sums, expected);
    let [invalid, kind] = &errors[..] else { panic!("{errors:?}") };
    assert!(invalid.starts_with("mmstats: \"\": invalid name or label of a metric ("), "{invalid}");
    assert!(kind.contains("is a counter and a histogram"), "{kind}");
}

#[test]
fn a_name_of_several_kinds_has_a_label_for_each_and_one_warning() {
    let (sums, errors) = metrics_of("kinds");
    let expected = expected([
        ("name{x=\"1\"}", Count(2)),
        ("name.gauge{x=\"1\"}", Number(4.0)),
        ("name.histogram{x=\"1\"}", Spread { count: 2, sum: 2_000_000 }),
        ("name.gauge", Number(6.0)),
    ]);
    assert_eq!(sums, expected);
    assert_eq!(
        errors,
        ["mmstats: \"name\" is a counter and a gauge; the gauge is published as \"name.gauge\""]
    );
}

#[test]
fn no_label_belongs_to_two_kinds() {
    let (sums, _) = metrics_of("clashes");
    let expected = expected([
        ("jobs", Count(2)),
        ("jobs.histogram", Spread { count: 2, sum: 2_000_000 }),
        ("jobs.histogram.counter", Count(4)),
        ("a_b_", Count(6)),
        ("a_b_.gauge", Number(8.0)),
    ]);
    assert_eq!(sums, expected);
}

#[test]
fn labels_that_are_cut_to_one_take_bounded_memory() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("cut", directory);
    program.expect("bounded");
    program.expect("counted");
    let label = format!("a{{x=\"{}\"}}", "x".repeat(512));
    assert_eq!(sums(directory), expected([(&*label, Count(1000))]));
    end(program, directory);
}

#[test]
fn fields_of_the_process_are_published_once_the_system_has_descriptors_again() {
    let (sums, errors) = metrics_of("no descriptors");
    assert_eq!(sums, expected([("open", Number(7.0)), ("mirrored", Count(8))]));
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn series_beyond_the_maximum_share_a_marked_one_also_in_a_forked_child() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("full", directory);
    program.expect("child");
    let parent = u64::from(program.pid());
    let of_child = sums_if(directory, |pid| pid != parent);
    let values = [
        ("new", Count(1)),
        ("routes", Count(1)),
        ("routes{route=\"99\"}", Count(1)),
        ("routes{route=\"_other\"}", Count(1)),
    ];
    assert_eq!(of_child, expected(values));
    program.go();
    program.expect("counted");
    let of_parent = sums(directory);
    assert_eq!(of_parent.len(), 2 * 101 + 1);
    let others = (100..150).sum::<u64>();
    assert_eq!(of_parent["routes{route=\"_other\"}"], Count(2 * others));
    assert_eq!(of_parent["routes{route=\"99\"}"], Count(2 * 99));
    assert_eq!(of_parent["routes"], Count(2));
    assert_eq!(of_parent["open{route=\"_other\"}"], Number(100.0));
    let errors = end(program, directory).errors;
    assert_eq!(
        errors,
        "mmstats: routes: more than 100 series; counted as routes{route=\"_other\"}\n"
    );
}

/// Returns the unit, scale and help of each field with this label.
fn described(directory: &Path, label: &str) -> Vec<(String, i8, String)> {
    let mut reader = Reader::new();
    let mut found = Vec::new();
    for path in files(directory) {
        let sample = reader.read(&path).unwrap();
        for field in sample.layout().fields.iter().filter(|field| field.label == label) {
            found.push((field.unit.clone(), field.scale, field.help.clone()));
        }
    }
    found.sort();
    found
}

#[test]
fn descriptions_count_from_the_first_update_on_and_their_help_in_each_further_thread() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("described", directory);
    program.expect("described");
    let one = |unit: &str, scale, help: &str| vec![(unit.to_owned(), scale, help.to_owned())];
    assert_eq!(described(directory, "web.before"), one("bytes", 0, "Described before."));
    assert_eq!(
        described(directory, "web.registered"),
        one("seconds", 0, "Described after it was registered.")
    );
    assert_eq!(described(directory, "web.open"), one("seconds", -3, "The last one."));
    assert_eq!(described(directory, "web.late"), one("", -6, ""));
    program.go();
    program.expect("updated by another thread");
    let mut late = one("", -6, "");
    late.extend(one("", -6, "Described after its update."));
    assert_eq!(described(directory, "web.late"), late);
    assert_eq!(sums(directory)["late"], Spread { count: 3, sum: 12_000_000 });
    end(program, directory);
}

#[test]
fn values_of_histograms_are_whole_numbers_of_steps_of_the_unit() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("values", directory);
    program.expect("recorded");
    let sums = sums(directory);
    // The sum of 0, 2 and 40.
    let is = |label: &str, unit: &str, scale: i8, step: u64| {
        assert_eq!(sums[label], Spread { count: 3, sum: 42 * step }, "{label}");
        let found = described(directory, &format!("web.{label}"));
        assert_eq!(found, [(unit.to_owned(), scale, String::new())], "{label}");
    };
    is("count", "", 0, 1);
    is("percent", "ratio", -8, 1_000_000);
    is("seconds", "seconds", -9, 1_000_000_000);
    is("milliseconds", "seconds", -9, 1_000_000);
    is("microseconds", "seconds", -9, 1000);
    is("nanoseconds", "seconds", -9, 1);
    is("tebibytes", "bytes", 0, 1 << 40);
    is("gibibytes", "bytes", 0, 1 << 30);
    is("mebibytes", "bytes", 0, 1 << 20);
    is("kibibytes", "bytes", 0, 1 << 10);
    is("bytes", "bytes", 0, 1);
    is("terabits_per_second", "bits_per_second", 0, 1_000_000_000_000);
    is("gigabits_per_second", "bits_per_second", 0, 1_000_000_000);
    is("megabits_per_second", "bits_per_second", 0, 1_000_000);
    is("kilobits_per_second", "bits_per_second", 0, 1000);
    is("bits_per_second", "bits_per_second", 0, 1);
    is("count_per_second", "count_per_second", -6, 1_000_000);
    for (unit, base, scale) in [
        ("count", "", 0),
        ("percent", "ratio", -2),
        ("milliseconds", "seconds", -3),
        ("kibibytes", "kibibytes", 0),
        ("megabits_per_second", "bits_per_second", 6),
    ] {
        assert_eq!(sums[&format!("gauge.{unit}")], Number(1.5), "{unit}");
        let found = described(directory, &format!("web.gauge.{unit}"));
        assert_eq!(found, [(base.to_owned(), scale, String::new())], "{unit}");
    }
    assert_eq!(sums["none"], Spread { count: 1, sum: 1_500_000 });
    assert_eq!(sums["latency_seconds"], Spread { count: 1, sum: 1500 });
    assert_eq!(sums["size.bytes"], Spread { count: 1, sum: 1500 });
    for (label, unit, scale) in [("none", "", -6), ("latency_seconds", "seconds", -9)] {
        let found = described(directory, &format!("web.{label}"));
        assert_eq!(found, [(unit.to_owned(), scale, String::new())], "{label}");
    }
    end(program, directory);
}

#[test]
fn values_that_no_histogram_holds_count_as_the_nearest_and_are_reported_once() {
    let (sums, errors) = metrics_of("extremes");
    assert_eq!(sums["low"], Spread { count: 4, sum: 0 });
    assert_eq!(sums["high"], Spread { count: 3, sum: 3 << 53 });
    assert_eq!(sums["many"], Spread { count: 1000, sum: 2_000_000_000 });
    assert_eq!(sums["gauge"], Number(2.0));
    assert_eq!(
        errors,
        ["mmstats: low: value out of range: -1 (0 to 9.007199254740992e9 expected); recorded as 0"]
    );
}

#[test]
fn a_second_recorder_is_an_error() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("twice", directory);
    program.expect("this process has created a recorder already");
    program.expect("this process has created a recorder already");
    program.expect("invalid prefix of labels (at most 4096 bytes without NUL expected)");
    program.expect("counted");
    assert_eq!(sums(directory), expected([("still", Count(1))]));
    end(program, directory);
}

#[test]
fn a_forked_child_has_its_parent_s_handles_and_descriptions_and_values_of_its_own() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("fork", directory);
    program.expect("child");
    let parent = u64::from(program.pid());
    let of = |is_parent: bool| sums_if(directory, |pid| (pid == parent) == is_parent);
    let values = [
        ("served", Count(3)),
        ("new{of=\"child\"}", Count(7)),
        ("early", Count(8)),
        ("open", Number(2.0)),
        ("mirrored", Count(2)),
        ("latency", Spread { count: 1, sum: 1_000_000 }),
    ];
    assert_eq!(of(false), expected(values));
    let unit = ("seconds".to_owned(), -9, "Of the parent.".to_owned());
    assert_eq!(described(directory, "web.latency"), [unit.clone(), unit]);
    let before = of(true);
    assert_eq!((&before["served"], &before["mirrored"]), (&Count(3), &Count(3)));
    program.go();
    program.expect("parent");
    let after = of(true);
    assert_eq!((&after["served"], &after["mirrored"]), (&Count(7), &Count(7)));
    assert_eq!(after["open"], Number(7.0));
    assert_eq!(after["latency"], Spread { count: 1, sum: 3_000_000 });
    for i in 0..50 {
        assert_eq!(after[&format!("busy{{i=\"{i}\"}}")], Count(120));
        assert_eq!(after[&format!("busy.gauge{{i=\"{i}\"}}")], Number(120.0));
    }
    end(program, directory);
}

#[test]
fn handles_work_in_destructors_of_thread_local_variables() {
    let (sums, errors) = metrics_of("destructors");
    let expected = expected([
        ("served", Count(20 + 2 * 20 + 1)),
        ("open", Number(41.0)),
        ("size", Spread { count: 41, sum: 41_000_000 }),
        ("macro", Count(41)),
        ("mirrored", Count(9)),
    ]);
    assert_eq!((sums, errors), (expected, vec![]));
}

#[test]
fn removed_files_are_replaced_and_their_counts_go_on() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("lost", directory);
    program.expect("published");
    files(directory).iter().for_each(|path| fs::remove_file(path).unwrap());
    program.go();
    program.expect("published again");
    assert_eq!(sums(directory), expected([("served", Count(3)), ("open", Number(3.0))]));
    end(program, directory);
}

#[test]
fn tools_show_them_with_their_kinds_and_units() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("threads", directory);
    program.expect("counted");
    program.kill();
    let mut slurp = Command::new(self::program("--bin", "slurpstats"));
    let page = run(slurp.arg("--prometheus").arg("--sum").arg(directory)).out;
    for line in [
        "# TYPE web_served_total counter",
        "web_served_total 80000",
        "web_calls_total{thread=\"1\"} 80000",
        "# TYPE web_size_bytes histogram",
        "# TYPE web_open gauge",
        "web_size_bytes_sum 280000",
        "web_size_bytes_count 80000",
    ] {
        assert!(page.lines().any(|found| found == line), "{line:?} in {page}");
    }
}
