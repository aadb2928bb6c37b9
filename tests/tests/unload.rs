//! A library that publishes can be unloaded.

use mmstats_tests::builds::plugin;
use mmstats_tests::programs::{Program, directory};
use std::os::unix::process::ExitStatusExt;

#[test]
fn a_library_that_was_unloaded_leaves_no_handlers_without_code() {
    let directory = directory();
    let library = plugin();
    let arguments = [library.to_str().unwrap(), &directory.path().join("empty").to_string_lossy()]
        .map(str::to_owned);
    let arguments = arguments.each_ref().map(String::as_str);
    let end =
        Program::start(env!("CARGO_BIN_EXE_loads_plugin"), directory.path(), &arguments).end();
    assert_eq!(end.lines, ["published", "forked"], "{end:?}");
    assert_eq!(end.status.signal(), Some(libc::SIGBUS), "{end:?}");
}
