//! The exact output and errors of the tools: `tests/snapshots/*.trycmd`. `TRYCMD=overwrite` in the
//! environment overwrites them.

use mmstats_tests::cli::program;
use mmstats_tests::programs::directory;
use trycmd::TestCases;

#[test]
fn the_tools_print_the_recorded_output() {
    let cases = TestCases::new();
    for name in ["slurpstats", "pollstats", "topstats", "cleanstats", "mmash"] {
        cases.register_bin(name, program("--bin", name));
    }
    let nothing = directory();
    let glob = nothing.path().join("*").to_str().unwrap().to_owned();
    for (name, value) in [("NO_COLOR", "1"), ("COLUMNS", "100"), ("MMSTATS_GLOB", &*glob)] {
        cases.env(name, value);
    }
    cases.case("snapshots/*.trycmd").run();
}
