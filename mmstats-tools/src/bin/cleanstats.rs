//! Removes the stats files that dead processes left. The code is in [`mmstats_tools::clean`].

use std::env;
use std::process::ExitCode;

use mmstats_tools::clean;
use mmstats_tools::console::Console;

fn main() -> ExitCode {
    clean::run(env::args_os(), &mut Console::standard("cleanstats"))
}
