//! Prints stats files. The code is in [`mmstats_tools::slurp`].

use std::env;
use std::process::ExitCode;

use mmstats_tools::console::Console;
use mmstats_tools::slurp;

fn main() -> ExitCode {
    slurp::run(env::args_os(), &mut Console::standard("slurpstats"))
}
