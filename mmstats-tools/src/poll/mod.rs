//! `pollstats`.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::command;
use crate::console::Console;
use crate::options::poll::Options;

/// Runs the command. The first argument is its name, as in `std::env::args_os`.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    let options: Options = match command::parse(args, console) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let _ = options;
    ExitCode::SUCCESS
}
