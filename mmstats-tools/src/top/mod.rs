//! `topstats`: shows all stats live, on the whole screen.
//!
//! - `model` is what all looks together tell: rows over writers, their rates and histories.
//! - `settings`, `filter` and `list` make the lines of it that a user wants to see; `show` writes
//!   values.
//! - `app` is the state of the screen, `keys` changes it, `view` draws it.
//! - `session` is the loop of looks, keys and frames; `screen` and `signals` see to it that the
//!   terminal is given back. `batch` prints instead.

mod app;
mod batch;
mod filter;
mod keys;
mod list;
mod model;
mod screen;
mod session;
mod settings;
mod show;
mod signals;
mod view;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::command::{self, USAGE, status};
use crate::console::Console;
use crate::options::top::Options;
use crate::scraper::Scraper;
use app::App;
use keys::Clicks;
use screen::Screen;
use session::{End, Session};
use settings::Settings;
use signals::Signals;
use view::Palette;

/// Runs the command. The first argument is its name, as in `std::env::args_os`.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    let options: Options = match command::parse(args, console) {
        Ok(options) => options,
        Err(status) => return status,
    };
    if !options.batch && !console.is_terminal {
        console.report("standard output is no terminal (-b prints a table)");
        return ExitCode::from(USAGE);
    }
    let sources = match command::open_sources(&options.selection, console) {
        Ok(sources) => sources,
        Err(status) => return status,
    };
    let settings = Settings::new(options.group, options.sort, options.filter, options.hide_zeros);
    let app = App::new(settings, options.interval);
    if options.batch {
        let scraper = Scraper::new(options.selection.files, sources);
        return batch::run(app, scraper, options.count, console);
    }
    // Before anything is looked at, for that may be a device that has to be put back first.
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(console, &error),
    };
    let scraper = Scraper::new(options.selection.files, sources);
    let session = Session {
        app,
        scraper,
        signals,
        palette: Palette::new(console.colour),
        clicks: Clicks::default(),
    };
    let end = Screen::new(!options.no_mouse).and_then(|mut screen| session.run(&mut screen));
    match end {
        Ok(End::Quit) => status(&Ok(())),
        Ok(End::Signal(signal)) => {
            signals::obey(signal);
            ExitCode::FAILURE
        }
        Err(error) => fail(console, &error),
    }
}

fn fail(console: &mut Console<'_>, error: &std::io::Error) -> ExitCode {
    console.report(format_args!("the terminal: {error}"));
    ExitCode::FAILURE
}
