//! `pollstats`: prints how selected stats change.
//!
//! A scrape is made at each tick of the `ticker`, or read from a `recording` (`input`); `filters`
//! select files; `columns` bind names on the command line to fields, which a `selector` chooses;
//! the `delta_table` computes changes; a `table`, or `lines` for programs, prints them;
//! `diagnostics` reports everything else.

mod cell;
mod columns;
mod delta_table;
mod diagnostics;
mod filters;
mod group;
mod input;
mod lines;
mod recording;
mod selector;
mod statistic;
mod table;
mod ticker;
mod width;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::command::{self, Stop, finish, status};
use crate::console::Console;
use crate::options::poll::Options;
use crate::scraper::{Scrape, WriterSample};
use crate::shutdown::Shutdown;
use columns::FieldColumns;
use delta_table::DeltaTable;
use diagnostics::Diagnostics;
use filters::Filters;
use input::{Record, ScrapeSource};
use table::TablePrinter;

/// Runs the command. The first argument is its name, as in `std::env::args_os`.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let options = match Options::parse_like_original(&args) {
        Some(options) => options,
        None => match command::parse(args, console) {
            Ok(options) => options,
            Err(status) => return status,
        },
    };
    // Handlers are installed before a device is connected, which keeps existing ones. A replay
    // loses nothing if a signal kills it.
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

/// One run of the command.
struct Poll<'s, 'c> {
    options: Options,
    filters: Filters,
    columns: FieldColumns,
    delta_table: DeltaTable,
    table: TablePrinter,
    diagnostics: Diagnostics,
    console: &'s mut Console<'c>,
    /// Whether a header with the current columns was printed.
    is_headed: bool,
    /// Whether there was an error.
    failed: bool,
}

impl<'s, 'c> Poll<'s, 'c> {
    fn new(options: Options, console: &'s mut Console<'c>) -> Self {
        Poll {
            filters: Filters::new(&options.filter, &options.prefix, options.r#match),
            columns: FieldColumns::new(&options.fields.0, &options.prefix, &options.by),
            delta_table: DeltaTable::new(&options),
            table: TablePrinter::new(&options, console.is_terminal, console.colour),
            diagnostics: Diagnostics::new(options.verbose),
            is_headed: false,
            failed: false,
            options,
            console,
        }
    }

    fn run(mut self, scrapes: ScrapeSource, shutdown: &Shutdown) -> ExitCode {
        let end = self.poll(scrapes, shutdown);
        if end.is_ok() {
            self.failed |= self.diagnostics.report_end(&self.columns, self.console);
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
            // Discards an interrupted scrape.
            if shutdown.requested() {
                return if is_first { Err(Stop::Interrupted) } else { Ok(()) };
            }
            let mut scrape = match scrape {
                Ok(Some(scrape)) => scrape,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.console
                        .report_path(self.options.replay.as_deref().unwrap_or("-".as_ref()), error);
                    return Err(Stop::Failed);
                }
            };
            if let Some(record) = &mut record {
                if let Err(error) = record.write(&scrape) {
                    self.console.report_path(&record.path, error);
                    return Err(Stop::Failed);
                }
            }
            let all = scrape.samples.len();
            let (accepted, others) =
                scrape.samples.into_iter().partition(|sample| self.filters.accept(sample));
            scrape.samples = accepted;
            self.is_headed &= !self.columns.update(&scrape);
            self.failed |= self.diagnostics.report_scrape(
                &scrape,
                all,
                scrapes.searched(),
                &self.columns,
                self.console,
            );
            let shows = !(is_first && self.options.omit_first);
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
            if is_abandoned() {
                return Err(Stop::BrokenPipe);
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
        let by = self.options.group_by;
        let is_table = !self.options.json && !self.options.csv;
        if names.is_empty() && is_table {
            // No pattern has matched a label yet.
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
                    self.table.reset();
                }
                output.extend(self.table.format_row(row, &names, screen_width).into_bytes());
            }
            self.is_headed = true;
            // In one write, so that a killed process leaves no partial line.
            let written =
                self.console.out.write_all(&output).and_then(|()| self.console.out.flush());
            finish(written, self.console)?;
        }
        Ok(())
    }
}

/// Returns `true` if the other end of standard error, a terminal or pipe, is closed: nobody waits
/// for a result that goes to a file.
fn is_abandoned() -> bool {
    let stderr = std::io::stderr();
    let mut polled = [PollFd::new(&stderr, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::default())).is_ok()
        && polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Returns the columns of the terminal.
fn screen_width() -> usize {
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| size.ws_col);
    if columns == 0 { DEFAULT_WIDTH } else { columns.into() }
}

/// The columns of terminals that do not report them.
const DEFAULT_WIDTH: usize = 80;
