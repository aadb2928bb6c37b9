//! `mmash`: serves all stats to browsers, to Prometheus and to programs.
//!
//! - `sampling` looks at everything again and again, in a thread of its own, for all clients
//!   together; `history` remembers it.
//! - `serve` listens and ends; `guard` is what every request passes first: who may ask, for what,
//!   and how often. `server` is what all requests share.
//! - `page` is what people see; `api`, `events`, `query` and `metrics` are for programs; `original`
//!   answers as the original did.
//! - `stats` chooses fields, `total` makes one value of several writers', `json` writes them,
//!   `parameters` reads what was asked, `reply` makes answers of it all.
//! - What clients cost is bounded: `limits` is how many there may be, `room` is the memory of
//!   answers that are not read yet, `pace` how slowly they may be read, `retained` what the past
//!   keeps.
//! - `textfile` writes metrics into a file instead; `told` is what is said of metrics that are not
//!   complete; `demo` publishes something to look at; `signals` end it all.

mod api;
mod demo;
mod events;
mod guard;
mod history;
mod json;
mod legacy_api;
mod limits;
mod metrics;
mod pace;
pub mod page;
mod parameters;
mod query;
mod reply;
mod retained;
mod room;
mod sampling;
mod serve;
mod server;
mod signals;
mod stats;
mod textfile;
mod told;
mod total;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::command::{self, USAGE, status};
use crate::console::Console;
use crate::options::mmash::Options;
use crate::scraper::Scraper;
use crate::source::Sources;
use demo::Demo;

/// Runs the command. The first argument is its name, as in `std::env::args_os`.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    let mut options: Options = match command::parse(args, console) {
        Ok(options) => options,
        Err(status) => return status,
    };
    if let Some(directory) = &options.demo_casualty {
        return ended(demo::publish_until_killed(directory), console);
    }
    let address = options.address();
    if !address.ip().to_canonical().is_loopback() && !options.allow_remote {
        console.tell(format_args!("{} can be reached from other machines, which could read all stats: --allow-remote allows it", address.ip()));
        return ExitCode::from(USAGE);
    }
    // Until the end of this function: then its files go.
    let _demo = match options.demo.then(Demo::start).transpose() {
        Ok(demo) => demo.inspect(|demo| options.selection.files.push(demo.directory().to_owned())),
        Err(why) => return ended(Err(why), console),
    };
    let sources = match command::open_sources(&options.selection, console) {
        Ok(sources) => sources,
        Err(status) => return status,
    };
    let end = match options.textfile.clone() {
        Some(path) => textfile::run(&path, options, sources, console),
        None => {
            let named = options
                .selection
                .files
                .iter()
                .filter(|path| !sources.is_memory(path) && !path.is_dir())
                .cloned()
                .collect();
            tell_of_named(named, sources, console);
            serve::run(&options, console)
        }
    };
    ended(end, console)
}

/// Tells which of these files cannot be read. Those that are not there may come later, and the
/// others become better.
fn tell_of_named(files: Vec<PathBuf>, sources: Sources, console: &mut Console<'_>) {
    // Without any, all that are found would be looked at.
    if !files.is_empty() {
        Scraper::new(files, sources)
            .scrape()
            .errors
            .iter()
            .for_each(|problem| console.tell_of(&problem.name, &problem.what));
    }
}

fn ended(end: Result<(), String>, console: &mut Console<'_>) -> ExitCode {
    match end {
        Ok(()) => status(&Ok(())),
        Err(why) => {
            console.tell(why);
            ExitCode::FAILURE
        }
    }
}
