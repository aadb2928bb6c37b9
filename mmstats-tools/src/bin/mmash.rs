//! Serves all stats to browsers and to Prometheus. The code is in [`mmstats_tools::mmash`].

use std::env;
use std::process::ExitCode;

use mmstats_tools::console::Console;
use mmstats_tools::mmash;

fn main() -> ExitCode {
    mmash::run(env::args_os(), &mut Console::standard("mmash"))
}
