//! `pollstats`: prints how chosen stats change.
//!
//! A look goes through here: it is taken, or read from a recording (`scrapes`); files that do not
//! pass the `filters` are left out; the `columns` learn what there is; the `delta_table` computes
//! changes; and a `table`, or `lines` for programs, are made of that.

mod cell;
mod columns;
mod delta_table;
mod filters;
mod group;
mod input;
mod lines;
mod news;
mod pace;
mod recording;
mod statistic;
mod table;
mod width;
mod words;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::command::{self, Stop, finish, status};
use crate::console::Console;
use crate::options::poll::Options;
use crate::scraper::{Scrape, WriterSample};
use crate::shutdown::Shutdown;
use columns::Columns;
use delta_table::DeltaTable;
use filters::Filters;
use input::{Record, ScrapeSource};
use news::News;
use table::Table;

/// Runs the command. The first argument is its name, as in `std::env::args_os`.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    let words = words::separate_filters(args.into_iter().collect(), &Options::command());
    let options: Options = match command::parse(words, console) {
        Ok(options) => options,
        Err(status) => return status,
    };
    // Before anything is connected to, which leaves signals to whoever has them. What was recorded
    // is shown at once, or waited for in vain: nothing is lost if that is cut off.
    let shutdown =
        match if options.replay.is_some() { Ok(Shutdown::immediate()) } else { Shutdown::new() } {
            Ok(shutdown) => shutdown,
            Err(error) => {
                console.report(format_args!("signals: {error}"));
                return ExitCode::FAILURE;
            }
        };
    let scrapes = match ScrapeSource::new(&options, console) {
        Ok(scrapes) => scrapes,
        Err(status) => return status,
    };
    Poll::new(options, console).run(scrapes, &shutdown)
}

/// A run over looks.
struct Poll<'s, 'c> {
    options: Options,
    filters: Filters,
    columns: Columns,
    delta_table: DeltaTable,
    table: Table,
    news: News,
    console: &'s mut Console<'c>,
    /// Whether names stand above the columns as they are.
    is_headed: bool,
    /// Whether anything went wrong.
    failed: bool,
}

impl<'s, 'c> Poll<'s, 'c> {
    fn new(options: Options, console: &'s mut Console<'c>) -> Self {
        Poll {
            filters: Filters::new(&options.filter, &options.prefix, options.r#match),
            columns: Columns::new(&options.fields.0, &options.prefix),
            delta_table: DeltaTable::new(&options),
            table: Table::new(&options, console.is_terminal, console.colour),
            news: News::new(options.verbose),
            is_headed: false,
            failed: false,
            options,
            console,
        }
    }

    fn run(mut self, scrapes: ScrapeSource, shutdown: &Shutdown) -> ExitCode {
        let end = self.poll(scrapes, shutdown);
        if end.is_ok() {
            self.failed |= self.news.end(&self.columns, self.console);
        }
        if self.failed { ExitCode::FAILURE } else { status(&end) }
    }

    fn poll(&mut self, mut scrapes: ScrapeSource, shutdown: &Shutdown) -> Result<(), Stop> {
        let mut record = match self
            .options
            .record
            .as_deref()
            .map(|path| Record::new(path).map_err(|error| (path, error)))
        {
            None => None,
            Some(Ok(record)) => Some(record),
            Some(Err((path, error))) => {
                self.console.report_path(path, error);
                return Err(Stop::Failed);
            }
        };
        let mut left = self.options.count;
        let mut is_first = true;
        loop {
            let scrape = scrapes.next();
            // A look that was interrupted is none.
            if shutdown.requested() {
                return if is_first { Err(Stop::Interrupted) } else { Ok(()) };
            }
            let mut scrape = match scrape {
                Ok(Some(scrape)) => scrape,
                Ok(None) => return Ok(()),
                Err(what) => {
                    self.console
                        .report_path(self.options.replay.as_deref().unwrap_or("-".as_ref()), what);
                    return Err(Stop::Failed);
                }
            };
            if let Some(record) = &mut record {
                if let Err(error) = record.scrape(&scrape) {
                    self.console.report_path(&record.path, error);
                    return Err(Stop::Failed);
                }
            }
            let all = scrape.samples.len();
            let (sample, others) =
                scrape.samples.into_iter().partition(|sample| self.filters.accept(sample));
            scrape.samples = sample;
            self.is_headed &= !self.columns.learn(&scrape);
            self.failed |=
                self.news.scrape(&scrape, all, scrapes.searched(), &self.columns, self.console);
            let shows = !(is_first && self.options.no_total);
            is_first = false;
            self.print(scrape, others, shows)?;
            left = left.map(|left| left - u64::from(shows));
            if left == Some(0) {
                return Ok(());
            }
            scrapes.wait(shutdown);
            if shutdown.requested() {
                return Ok(());
            }
        }
    }

    fn print(
        &mut self,
        scrape: Scrape,
        others: Vec<WriterSample>,
        shows: bool,
    ) -> Result<(), Stop> {
        let rows = self.delta_table.rows(scrape, others, &self.columns);
        if !shows {
            return Ok(());
        }
        let names = self.columns.names();
        let by = self.options.by;
        let is_table = !self.options.json && !self.options.csv;
        if names.is_empty() && is_table {
            // Nothing has matched yet.
            return Ok(());
        }
        for row in &rows {
            let mut output = Vec::new();
            if self.options.json {
                finish(lines::json(row, &names, by).map(|line| output = line), self.console)?;
            } else if self.options.csv {
                if !self.is_headed {
                    output.extend(lines::csv_header(&names, by).into_bytes());
                }
                output.extend(lines::csv(row, by).into_bytes());
            } else {
                if !self.is_headed {
                    self.table.change();
                }
                output.extend(self.table.row(row, &names, screen_width).into_bytes());
            }
            self.is_headed = true;
            // In one piece, so that there is no half of a line if this ends.
            let written =
                self.console.out.write_all(&output).and_then(|()| self.console.out.flush());
            finish(written, self.console)?;
        }
        Ok(())
    }
}

/// How many characters the terminal has in a line.
fn screen_width() -> usize {
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| size.ws_col);
    if columns == 0 { USUAL_WIDTH } else { columns.into() }
}

/// Of terminals that do not tell.
const USUAL_WIDTH: usize = 80;
