//! What the tools print, errors included, to the letter: `tests/snapshots/*.trycmd`. With
//! `TRYCMD=overwrite` in the environment they are written anew.

use mmstats_tests::cli::program;
use trycmd::TestCases;

#[test]
fn the_tools_print_what_they_printed() {
    let cases = TestCases::new();
    for name in ["slurpstats", "pollstats", "topstats", "cleanstats", "mmash"] {
        cases.register_bin(name, program("--bin", name));
    }
    for (name, value) in [("NO_COLOR", "1"), ("COLUMNS", "100"), ("MMSTATS_GLOB", "/nonexistent/*")]
    {
        cases.env(name, value);
    }
    cases.case("snapshots/*.trycmd").run();
}
