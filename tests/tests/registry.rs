//! Fields with labels and dimensions that are known at run time: separate for each thread, in
//! files that grow, never lost, and added in time that is proportional to their number.

use mmstats_core::{AddError, Counter, Region, V2, Writer};
use mmstats_std::{Family, Options, Registry, per_thread};
use mmstats_tests::files::{Held, Values, all_values, files, names};
use mmstats_tests::programs::{End, Program, command, directory};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const EXE: &str = env!("CARGO_BIN_EXE_series");

fn start(scene: &str, directory: &Path) -> Program {
    Program::start(EXE, directory, &[scene])
}

/// Ends a program, which removes its files.
fn end(mut program: Program, directory: &Path) -> End {
    program.go();
    program.end_without_files(directory)
}

/// Returns the values of all fields that are not about the process, summed over all files.
fn sums(directory: &Path) -> BTreeMap<String, u64> {
    sums_of(&all_values(directory))
}

fn sums_of(all: &[Values]) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for values in all {
        for label in values.0.keys().filter(|label| !label.contains("sys.")) {
            *sums.entry(label.clone()).or_default() += values.count(label);
        }
    }
    sums
}

fn request(route: &str, status: &str) -> String {
    format!("web.http.requests{{route=\"{route}\",status=\"{status}\"}}")
}

#[test]
fn threads_that_end_and_start_lose_nothing_and_share_their_files() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("threads", directory);
    let mut before = BTreeMap::new();
    while !program.has_said("done") {
        let now = sums(directory);
        for (label, count) in &before {
            assert!(now.get(label) >= Some(count), "{label}: {count} before {:?}", now.get(label));
        }
        before = now;
    }
    let sums = sums(directory);
    assert_eq!(sums.len(), 200);
    let of_status = |status: &str| -> u64 {
        let status = format!("status=\"{status}\"");
        sums.iter().filter(|(label, _)| label.contains(&status)).map(|(_, count)| count).sum()
    };
    assert_eq!((of_status("200"), of_status("404")), (400 * 50, 2 * 400 * 50));
    // 200 series take at most four regions.
    assert!(files(directory).len() <= 4 * 4, "{:?}", names(directory));
    assert!(all_values(directory).iter().all(|values| values.count("web.sys.tid") == 0));
    end(program, directory);
}

#[test]
fn the_next_thread_continues_counts_and_resets_gauges() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("turns", directory);
    let mut paths = Vec::new();
    for turn in 1..=2 {
        program.expect("running");
        let running = sums(directory);
        let expected = |open, peak, limit| {
            BTreeMap::from([
                (request("/", "200"), 3 * turn),
                ("web.open{route=\"/\"}".to_owned(), open),
                ("web.peak{route=\"/\"}".to_owned(), peak),
                ("web.plugins{name=\"a\"}".to_owned(), turn),
                ("web.limit".to_owned(), limit),
            ])
        };
        assert_eq!(running, expected(2, 2 * turn, 5 * turn));
        let tid = all_values(directory)[0].count("web.sys.tid");
        assert_ne!(tid, 0);
        program.go();
        program.expect("ended");
        assert_eq!(sums(directory), expected(0, 2 * turn, 5 * turn));
        assert_eq!(all_values(directory)[0].count("web.sys.tid"), 0);
        paths.push(files(directory));
        program.go();
    }
    assert_eq!(paths[0].len(), 1);
    assert_eq!(paths[0], paths[1]);
    let end = program.end();
    assert!(end.status.success(), "{end:?}");
}

#[test]
fn a_thread_with_many_series_has_several_files_and_the_next_thread_gets_all_of_them() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("grows", directory);
    program.expect("grown");
    let (first, paths) = (all_values(directory), files(directory));
    let mut sizes: Vec<_> = paths.iter().map(|path| fs::metadata(path).unwrap().len()).collect();
    sizes.sort_unstable();
    assert!(sizes.len() >= 6, "{sizes:?}");
    assert!(sizes.windows(2).all(|pair| pair[1] == 2 * pair[0]), "{sizes:?}");
    // One writer, as far as readers can tell.
    for label in ["web.sys.tid", "web.sys.pid", "web.sys.start"] {
        assert!(first.iter().all(|values| values.get(label) == first[0].get(label)), "{label}");
    }
    let expected = |turns: u64| {
        (0..5000).map(move |i| (request(&format!("/{i}"), "200"), i * turns)).collect()
    };
    assert_eq!(sums_of(&first), expected(1));
    program.go();
    program.expect("adopted");
    assert_eq!(sums(directory), expected(2));
    assert_eq!(files(directory), paths);
    end(program, directory);
}

#[test]
fn after_a_kill_all_series_are_left() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("grows", directory);
    program.expect("grown");
    let before = sums(directory);
    program.kill();
    assert_eq!(sums(directory), before);
    assert_eq!(before.len(), 5000);
}

#[test]
fn a_forked_child_has_series_of_its_own() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("fork", directory);
    program.expect("child");
    let parent = u64::from(program.pid());
    let of_parent = |is_parent| {
        let mut all = all_values(directory);
        all.retain(|values| (values.count("web.sys.pid") == parent) == is_parent);
        sums_of(&all)
    };
    let of = |pairs: &[(&str, u64)]| {
        pairs.iter().map(|(route, count)| (request(route, "200"), *count)).collect()
    };
    assert_eq!(of_parent(true), of(&[("/", 3), ("/parked", 7)]));
    assert_eq!(of_parent(false), of(&[("/", 1), ("/child", 1)]));
    program.go();
    program.expect("parent");
    assert_eq!(of_parent(true), of(&[("/", 7), ("/parked", 7)]));
    assert_eq!(of_parent(false), of(&[]));
    end(program, directory);
}

#[test]
fn values_beyond_the_maximum_share_a_marked_series_and_one_warning() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("overflow", directory);
    program.expect("counted");
    let few = |a: &str, b: &str| format!("web.few{{a=\"{a}\",b=\"{b}\"}}");
    let expected = [
        (few("0", "x"), 0),
        (few("1", "x"), 2),
        (few("2", "x"), 4),
        (few("_other", "_other"), 2 * (3..10).sum::<u64>() + 1000),
        ("none{a=\"_other\"}".to_owned(), 2),
    ];
    assert_eq!(sums(directory), BTreeMap::from(expected));
    let end = end(program, directory);
    assert_eq!(end.errors, "mmstats: few: more than 3 series in a thread; counted as \"_other\"\n");
}

#[test]
fn odd_values_are_escaped_and_impossible_ones_counted_together() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("odd", directory);
    program.expect("counted");
    let long = "x".repeat(60_000);
    let escaped = [
        "",
        r#"a\"b"#,
        r"a\\",
        r"a\nb",
        r#"\\\"\n"#,
        r#"{a=\"b\"}"#,
        ",",
        " ü€😀\u{fffd}\t",
        &long,
    ];
    let mut expected: BTreeMap<String, u64> =
        escaped.iter().map(|value| (format!("plain{{value=\"{value}\"}}"), 2)).collect();
    expected.insert("plain{value=\"_other\"}".to_owned(), 4);
    assert_eq!(sums(directory), expected);
    let end = end(program, directory);
    assert_eq!(
        end.errors,
        "mmstats: plain: values that no label holds: a label, unit or help text contains a NUL; \
         counted as \"_other\"\n"
    );
}

#[test]
fn fields_are_found_by_label_and_dimensions() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("fields", directory);
    for error in [
        "invalid name of a dimension: \"a b\" (",
        "invalid name of a dimension: \"a\" (",
        "a label, unit or help text contains a NUL",
        "a field has an empty label",
        "label too long: 70004 bytes (",
        "duplicate label: \"calls\"",
    ] {
        program.expect(error);
    }
    program.expect("added");
    let expected = [
        ("web.calls".to_owned(), 1),
        ("web.calls{name=\"a \\\"b\\\"\"}".to_owned(), 1),
        ("web.calls{name=\"a \\\"b\\\"\",kind=\"x\"}".to_owned(), 3),
    ];
    assert_eq!(sums(directory), BTreeMap::from(expected));
    assert_eq!(end(program, directory).errors, "");
}

#[test]
fn handles_that_outlive_their_thread_s_fields_neither_lose_counts_nor_files() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("held", directory);
    program.expect("counted");
    let expected = ["/", "/derived", "/held"].map(|route| (request(route, "200"), 20));
    assert_eq!(sums(directory), BTreeMap::from(expected));
    assert_eq!(files(directory).len(), 1);
    end(program, directory);
}

#[test]
fn removed_files_are_replaced_and_their_counts_go_on() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("lost", directory);
    program.expect("published");
    let found = files(directory);
    assert!(found.len() > 1);
    found.iter().for_each(|path| fs::remove_file(path).unwrap());
    program.go();
    program.expect("published again");
    let expected = (0..100).map(|i: u64| (request(&i.to_string(), "200"), 2 + u64::from(i == 0)));
    assert_eq!(sums(directory), expected.collect());
    end(program, directory);
}

#[test]
fn a_program_can_remove_its_files_while_it_uses_them() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("removes", directory);
    program.expect("left");
    assert_eq!(sums(directory), BTreeMap::from([(request("/", "200"), 1)]));
    program.go();
    program.expect("removed");
    assert_eq!(names(directory), [""; 0]);
    end(program, directory);
}

#[test]
fn without_a_directory_the_series_count_on_and_are_published_later() {
    let directory = directory();
    let missing = directory.path().join("missing");
    let mut program = Program::spawn(&mut command(EXE, &missing, &["refused"]));
    program.expect("published");
    // The thread that ended before had no file to leave.
    assert_eq!(sums(&missing), BTreeMap::from([(request("/", "200"), 3)]));
    let end = end(program, &missing);
    let [line] = &end.errors.lines().collect::<Vec<_>>()[..] else { panic!("{end:?}") };
    assert!(line.starts_with("mmstats: web is not published: "), "{line}");
}

#[test]
fn series_that_met_a_full_file_system_are_published_once_there_is_room() {
    let directory = directory();
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let script = "mount -t tmpfs -o size=64k tmpfs \"$MMSTATS_PATH\" && exec \"$@\"";
    command
        .args(["--mount", "sh", "-c", script, "sh", EXE, "freed"])
        .env("MMSTATS_PATH", directory.path())
        .env_remove("MMSTATS_FILES");
    let end = Program::spawn(&mut command).end();
    assert!(end.status.success(), "{end:?}");
    assert_eq!(end.lines, ["1 of 3", "201 published"], "{end:?}");
    assert_eq!(end.errors.lines().count(), 1, "{end:?}");
}

#[test]
fn the_dimensions_of_a_timer_come_after_its_suffix() {
    let directory = directory();
    let directory = directory.path();
    let mut program = start("timers", directory);
    program.expect("recorded");
    let all = all_values(directory);
    assert_eq!(all[0].get("web.latency{route=\"/\"}"), &Held::Number(3.0));
    assert_eq!(
        all[0].get("web.latency.histogram{route=\"/\"}"),
        &Held::Spread { count: 1, sum: 3_000_000_000 }
    );
    end(program, directory);
}

/// Returns the processor time of this thread, in nanoseconds.
#[allow(unsafe_code)]
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to `time` alone.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Asserts that 20 000 fields in one region or thread take about as long as in 16.
fn assert_is_linear(mut add: impl FnMut(usize)) {
    let mut time = |parts| {
        let start = processor_time();
        (0..parts).for_each(|_| add(20_000 / parts));
        processor_time() - start
    };
    time(16);
    let (parts, whole) = (time(16), time(1));
    assert!(whole < 5.0 * parts, "{whole} ns against {parts} ns");
}

#[test]
fn the_time_to_add_unique_fields_is_linear() {
    assert_is_linear(|fields| {
        let memory = vec![0; fields * 128 / 8].leak();
        let mut writer: Writer = Writer::new(Region::new(memory)).unwrap();
        for i in 0..fields {
            let field: Counter = writer
                .add_unique(&format!("http.requests.{i}"), Counter::builder("http.requests"))
                .unwrap();
            field.incr();
        }
    });
}

#[test]
fn a_unique_field_is_checked_except_for_its_label() {
    let mut writer: Writer<V2> = Writer::new(Region::new(vec![0; 64].leak())).unwrap();
    let mut add = |label: &str| writer.add_unique::<Counter>(label, Counter::builder("x"));
    assert!(add("a").is_ok());
    assert!(add("a").is_ok(), "the caller knows");
    assert_eq!(add("").unwrap_err(), AddError::EmptyLabel);
    assert_eq!(add("a\0").unwrap_err(), AddError::Nul);
    assert_eq!(add(&"x".repeat(70_000)).unwrap_err(), AddError::LabelTooLong { length: 70_000 });
    assert_eq!(add(&"x".repeat(600)).unwrap_err(), AddError::Full { length: 512 });
}

#[test]
fn the_time_to_add_series_is_linear() {
    static REGISTRY: Registry = Registry::new("linear")
        .options(Options::new().directory("/dev/shm").file_name("linear-{PID}.mmstats"));
    per_thread! {
        static SERIES: Family<Counter, 2> =
            Family::new("series", ["a", "b"]).max_series(20_000).registry(&REGISTRY);
    }
    assert_is_linear(|fields| {
        for i in 0..fields {
            SERIES.with([&i.to_string(), "x"], Counter::incr);
        }
        REGISTRY.remove();
    });
}
