//! Shows all stats live on the whole screen, as top does. The code is in [`mmstats_tools::top`].

use std::env;
use std::process::ExitCode;

use mmstats_tools::console::Console;
use mmstats_tools::top;

fn main() -> ExitCode {
    top::run(env::args_os(), &mut Console::standard("topstats"))
}
