//! This reader and the other implementation read stats that C programs publish with `mmstats.h`.
#![recursion_limit = "256"] // of `json!`

use mmstats_tests::c::{COMPILERS, compile, example, source, try_compile};
use mmstats_tests::independent::{assert_reads, dump};
use mmstats_tests::programs::directory;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The program's variants: where its directory is, and how wide its words are.
const VARIANTS: [&[&str]; 4] =
    [&[], &["-DIN_RAM"], &["-DMMSTATS_WORD=4"], &["-DMMSTATS_WORD=4", "-DIN_RAM"]];

/// Compiles and runs the program, and returns the fields that it published.
fn every_field(compiler: (&str, &str), arguments: &[&str]) -> Vec<Json> {
    let directory = directory();
    let (program, file) = (directory.path().join("program"), directory.path().join("file"));
    compile(compiler, &source("every_field.c"), arguments, &program);
    let output = Command::new(&program).arg(&file).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler:?} {arguments:?}: {errors}");
    let fields = dump(&file);
    assert_reads(&file, &fields);
    fields
}

/// The last value of every field, histograms aside.
fn expected_values() -> Json {
    json!({
        "c.counter32": 7,
        "c.http{method=\"GET\"}": 0x0102_0304_0506_0708_u64,
        "c.flag": true,
        "c.gauge_i8": -127,
        "c.gauge_u8": 255,
        "c.gauge_i16": -216,
        "c.gauge_u16": 0xfe02,
        "c.gauge_i32": i32::MIN + 3300,
        "c.gauge_u32": 0xff01_0204_u32,
        "c.most_i8": i8::MIN,
        "c.least_u8": u8::MAX,
        "c.most_i64": i64::MIN,
        "c.least_u64": u64::MAX,
        "c.most_f32": "-inf",
        "c.least_f32": "inf",
        "c.most_f64": "-inf",
        "c.least_f64": "inf",
        "c.gauge_i64": i64::MAX,
        "c.gauge_u64": u64::MAX,
        "c.gauge_f32": f64::from(1_f32 / 3. + 2.),
        "c.gauge_f64": 1_353_442_620.125,
        "c.text": "exactly 13 ",
        "c.letter": "x",
        "c.shared_counter32": 0,
        "c.shared_counter64": 0x0102_0304_0506_0709_u64,
        "c.shared_i8": -127,
        "c.shared_u8": 255,
        "c.shared_i16": -216,
        "c.shared_u16": 0xfe02,
        "c.shared_i32": i32::MIN + 3300,
        "c.shared_u32": 0xff01_0204_u32,
        "c.shared_i64": i64::MAX,
        "c.shared_u64": u64::MAX,
        "c.shared_f32": f64::from(1_f32 / 3. + 2.),
        "c.shared_f64": 1_353_442_620.125,
        "c.shared_text": "shorter",
        "c.constant_flag": true,
        "c.constant_i8": i8::MIN,
        "c.constant_u8": u8::MAX,
        "c.constant_i16": -0x0102,
        "c.constant_u16": 0x0102,
        "c.constant_i32": -0x0102_0304,
        "c.constant_u32": 0x0102_0304,
        "c.constant_i64": -0x0102_0304_0506_0708_i64,
        "c.constant_u64": u64::MAX,
        "c.constant_f32": -0.5,
        "c.constant_f64": 2.5e-308,
        "c.version": "1.2é",
    })
}

/// Checks each bucket against the values that the program records.
fn assert_counts(histogram: &Json) {
    let recorded: Vec<u64> =
        (0..64).flat_map(|power| [(1 << power) - 1, 1 << power, u64::MAX >> power]).collect();
    let sum = recorded.iter().fold(0_u64, |sum, value| sum.wrapping_add(*value));
    assert_eq!(histogram["sum"], sum, "{histogram}");
    assert_eq!(histogram["count"], recorded.len(), "{histogram}");
    for bucket in histogram["buckets"].as_array().unwrap() {
        let (low, high) = (bucket[0].as_u64().unwrap(), bucket[1].as_u64().unwrap_or(u64::MAX));
        let count = recorded.iter().filter(|value| (low..=high).contains(value)).count();
        assert_eq!(bucket[2], count, "{bucket} of {histogram}");
    }
}

fn assert_expected(fields: &[Json]) {
    let expected = expected_values();
    let mut values = BTreeMap::new();
    for field in fields {
        let (label, value) = (field["label"].as_str().unwrap(), &field["value"]);
        if field["kind"] == "histogram" {
            assert_counts(value);
        } else {
            assert_eq!(*value, expected[label], "{label}");
            values.insert(label, value);
        }
    }
    assert_eq!(values.len(), expected.as_object().unwrap().len());
}

#[test]
fn every_field_of_every_compiler_is_read_alike() {
    // Every pair would take a minute. Sanitizers run all variants.
    for (compiler, variant) in COMPILERS.into_iter().zip(VARIANTS.into_iter().cycle()) {
        assert_expected(&every_field(compiler, &[variant, &["-O2"]].concat()));
    }
}

#[test]
fn sanitizers_find_nothing_in_any_variant() {
    let sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover"];
    for variant in VARIANTS {
        assert_expected(&every_field(("gcc", "c99"), &[variant, &sanitizers].concat()));
    }
}

#[test]
fn readers_know_the_options_of_a_field() {
    let mut found = BTreeMap::new();
    for field in every_field(("gcc", "c99"), &[]) {
        let aggregation = field["aggregation"].as_str().unwrap_or_default().to_owned();
        let is_kept = field["kept"] == true;
        if !aggregation.is_empty() || is_kept {
            found.insert(field["label"].as_str().unwrap().to_owned(), (aggregation, is_kept));
        }
    }
    let expected = [
        ("c.gauge_f32", "mean", false),
        ("c.gauge_i16", "", true),
        ("c.gauge_i32", "min", true),
        ("c.gauge_i64", "last", false),
        ("c.gauge_u16", "max", false),
        ("c.least_f32", "min", false),
        ("c.least_f64", "min", false),
        ("c.least_u64", "min", false),
        ("c.least_u8", "min", false),
        ("c.letter", "", true),
        ("c.most_f32", "max", false),
        ("c.most_f64", "max", false),
        ("c.most_i64", "max", false),
        ("c.most_i8", "max", false),
    ];
    let expected = expected
        .map(|(label, aggregation, is_kept)| (label.to_owned(), (aggregation.to_owned(), is_kept)));
    assert_eq!(found, expected.into());
}

#[test]
fn the_example_in_the_header_is_a_program() {
    let directory = directory();
    let (code, program) = (directory.path().join("example.c"), directory.path().join("example"));
    fs::write(&code, example("mmstats.h")).unwrap();
    for compiler in COMPILERS {
        compile(compiler, &code, &[], &program);
        assert!(Command::new(&program).status().unwrap().success());
    }
}

/// Returns the messages about a program with this row, for which there is too little memory if
/// `limit` is small.
fn messages(code: &Path, row: &str, limit: usize) -> Result<(), String> {
    let text = format!(
        "#define MMSTATS_MAX_BYTES {limit}
        #include \"mmstats.h\"
        #define ROWS(F, M) MMSTATS_FIELD(F, M, counter32, a, \"a\", MMSTATS_NO_UNIT, 0, \"\") {row}
        MMSTATS_MODEL(model, ROWS);
        MMSTATS_REGION(model, ROWS, stats);
        int main(void) {{ mmstats_publish(&stats_descriptor); }}"
    );
    fs::write(code, text).unwrap();
    try_compile(("gcc", "c11"), code, &[], &code.with_extension("out"))
}

#[test]
fn mistakes_do_not_compile_and_the_error_says_why() {
    let directory = directory();
    let code = directory.path().join("mistake.c");
    let text = |length| "x".repeat(length);
    let field = |label: &str, unit: &str, options: &str, help: &str| {
        format!("MMSTATS_FIELD(F, M, gauge_u8, b, \"{label}\", {unit}, {options}, \"{help}\")")
    };
    let none = "MMSTATS_NO_UNIT";
    let histogram = |p, n| format!("MMSTATS_HISTOGRAM(F, M, {p}, {n}, b, \"b\", {none}, 0, \"\")");
    let mistakes = [
        (field("", none, "0", ""), "a label has at least one byte"),
        (field(&text(65536), none, "0", ""), "a label has at most 65535 bytes"),
        (field("b", none, "0", &text(65536)), "a help text has at most 65535 bytes"),
        (
            field("b", &format!("MMSTATS_UNIT(\"{}\", 0)", text(256)), "0", ""),
            "a unit has at most 255 bytes",
        ),
        (field("b", "MMSTATS_UNIT(\"volts\", 128)", "0", ""), "a scale is from -128 to 127"),
        (field("b", none, "MMSTATS_LAST + 1", ""), "options are one aggregation"),
        (field("b", none, "16", ""), "options are one aggregation"),
        (histogram(3, 3), "a histogram has P below N"),
        (histogram(2, 65), "N up to 64"),
        (
            "MMSTATS_CONSTANT_TEXT(F, M, 262117, b, \"b\", \"\")".into(),
            "an entry has at most 262144 bytes",
        ),
        ("MMSTATS_FIELD(F, M, gauge_u8, a, \"b\", MMSTATS_NO_UNIT, 0, \"\")".into(), "duplicate"),
    ];
    assert_eq!(messages(&code, &field("b", none, "15 & MMSTATS_LAST", ""), 48), Ok(()));
    for (row, expected) in mistakes {
        let found = messages(&code, &row, 1 << 30).unwrap_err();
        assert!(found.contains(expected), "{expected}: {}", &found[..found.len().min(2000)]);
    }
    let found = messages(&code, "", 47).unwrap_err();
    assert!(found.contains("the region is too small"), "{found}");
}

#[test]
fn a_shared_field_is_not_updated_as_if_it_had_one_owner() {
    let directory = directory();
    let code = directory.path().join("mistake.c");
    for (row, update) in [
        (
            "MMSTATS_FIELD(F, M, shared_counter32, x, \"x\", MMSTATS_NO_UNIT, 0, \"\")",
            "counter32_add(&stats.x, 1)",
        ),
        ("MMSTATS_SHARED_TEXT(F, M, 8, x, \"x\", 0, \"\")", "text_set(&stats.x, \"\")"),
        (
            "MMSTATS_SHARED_HISTOGRAM(F, M, 1, 8, x, \"x\", MMSTATS_NO_UNIT, 0, \"\")",
            "histogram_record(&stats.x, 1)",
        ),
    ] {
        for (prefix, compiles) in [("mmstats_shared_", true), ("mmstats_", false)] {
            let text = format!(
                "#include \"mmstats.h\"
                #define ROWS(F, M) {row}
                MMSTATS_MODEL(model, ROWS);
                MMSTATS_REGION(model, ROWS, stats);
                unsigned long mmstats_enter_critical(void) {{ return 0; }}
                void mmstats_exit_critical(unsigned long before) {{ (void)before; }}
                int main(void) {{ {prefix}{update}; return 0; }}"
            );
            fs::write(&code, text).unwrap();
            let result = try_compile(("gcc", "c99"), &code, &[], &code.with_extension("out"));
            assert_eq!(result.is_ok(), compiles, "{prefix}{update}: {result:?}");
        }
    }
}
