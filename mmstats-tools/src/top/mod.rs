//! `topstats`: shows all stats live, on the whole screen.
//!
//! - `model` turns scrapes into rows over writers, with rates and histories.
//! - `settings` and `list` select, sort and group rows into lines; `format` formats their values.
//! - `app` is the state of the user interface, `keys` changes it, `view` draws it.
//! - `session` is the main loop over scrapes, input and frames; `screen` sets the terminal up and
//!   restores it. `batch` prints plain text instead.

mod app;
mod batch;
mod format;
mod keys;
mod list;
mod model;
mod screen;
mod session;
mod settings;
mod view;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

use crate::command::{self, USAGE, status};
use crate::console::Console;
use crate::options::top::Options;
use crate::scraper::Scraper;
use crate::shutdown::{self, Shutdown};
use app::App;
use keys::Clicks;
use screen::Screen;
use session::{End, UiSession};
use settings::ViewSettings;
use view::Palette;

/// Runs the command. The first argument is its name, as in `std::env::args_os`.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    let options: Options = match command::parse(args, console) {
        Ok(options) => options,
        Err(status) => return status,
    };
    if !options.batch && !console.is_terminal {
        console.report("standard output is not a terminal (-b prints a table)");
        return ExitCode::from(USAGE);
    }
    if !options.batch && env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
        console.report("the terminal cannot show a screen: TERM is dumb (-b prints a table)");
        return ExitCode::from(USAGE);
    }
    let sources = match command::open_sources(&options.selection, console) {
        Ok(sources) => sources,
        Err(status) => return status,
    };
    let settings =
        ViewSettings::new(options.group_by, options.sort, options.filter, options.hide_zeros);
    let app = App::new(settings, options.interval);
    if options.batch {
        let _shutdown = Shutdown::immediate();
        let scraper = Scraper::new(options.selection.files, sources);
        return batch::run(app, scraper, options.count, console);
    }
    // The terminal is restored before any of these takes effect.
    let shutdown = match Shutdown::on(&[SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP]) {
        Ok(shutdown) => shutdown.with_cleanup(screen::restore),
        Err(error) => return fail(console, &error),
    };
    let scraper = Scraper::new(options.selection.files, sources);
    let session = UiSession {
        app,
        scraper,
        shutdown,
        palette: Palette::new(console.colour),
        clicks: Clicks::default(),
    };
    let end = Screen::new(!options.no_mouse).and_then(|mut screen| session.run(&mut screen));
    match end {
        Ok(End::Quit) => status(&Ok(())),
        Ok(End::Signal(signal)) => {
            shutdown::obey(signal);
            ExitCode::FAILURE
        }
        Err(error) => fail(console, &error),
    }
}

fn fail(console: &mut Console<'_>, error: &std::io::Error) -> ExitCode {
    console.report(format_args!("terminal: {error}"));
    ExitCode::FAILURE
}
