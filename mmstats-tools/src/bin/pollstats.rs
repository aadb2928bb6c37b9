//! Prints how chosen stats change, line by line, as vmstat does. The code is in
//! [`mmstats_tools::poll`].

use std::env;
use std::process::ExitCode;

use mmstats_tools::console::Console;
use mmstats_tools::poll;

fn main() -> ExitCode {
    poll::run(env::args_os(), &mut Console::standard("pollstats"))
}
