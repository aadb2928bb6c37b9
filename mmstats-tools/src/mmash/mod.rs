//! `mmash`: serves all stats to browsers, to Prometheus and to programs.
//!
//! - `server` accepts connections, checks requests and limits what clients cost;
//! - `live` scrapes repeatedly, remembers the last minutes and streams them as events;
//! - `page` and `static` are for people; `api`, `legacy_api` and `exporter` are for programs;
//! - `demo` publishes something to show.

mod api;
mod demo;
mod exporter;
mod legacy_api;
mod live;
pub mod page;
mod server;

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
    if let Some(directory) = &options.demo_crash {
        return to_status(demo::publish_until_killed(directory), console);
    }
    let address = options.address();
    if !address.ip().to_canonical().is_loopback() && !options.allow_remote {
        console.report(format_args!(
            "other machines can reach {} and could read all stats; pass --allow-remote to allow it",
            address.ip()
        ));
        return ExitCode::from(USAGE);
    }
    // Its files are removed at the end of this function.
    let _demo = match options.demo.then(Demo::start).transpose() {
        Ok(demo) => demo.inspect(|demo| options.selection.files.push(demo.directory().to_owned())),
        Err(why) => return to_status(Err(why), console),
    };
    let sources = match command::open_sources(&options.selection, console) {
        Ok(sources) => sources,
        Err(status) => return status,
    };
    let end = match options.textfile.clone() {
        Some(path) => exporter::textfile::run(&path, options, sources, console),
        None => {
            let named = options
                .selection
                .files
                .iter()
                .filter(|path| !sources.is_memory(path) && !path.is_dir())
                .cloned()
                .collect();
            report_unreadable(named, sources, console);
            server::listener::run(&options, console)
        }
    };
    to_status(end, console)
}

/// Reports which of these files cannot be read. `mmash` continues without them: they may appear
/// later, or become readable.
fn report_unreadable(files: Vec<PathBuf>, sources: Sources, console: &mut Console<'_>) {
    // A scraper without files would search for all of them.
    if !files.is_empty() {
        Scraper::new(files, sources)
            .scrape()
            .errors
            .iter()
            .for_each(|error| console.report_path(&error.name, &error.what));
    }
}

fn to_status(end: Result<(), String>, console: &mut Console<'_>) -> ExitCode {
    match end {
        Ok(()) => status(&Ok(())),
        Err(why) => {
            console.report(why);
            ExitCode::FAILURE
        }
    }
}
