//! `slurpstats`: prints stats files one after another, or one scrape of all of them in an
//! exposition format.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use mmstats_std::discover::{FoundFile, discover};
use mmstats_std::liveness::Liveness;
use mmstats_std::read::{FileError, Reader, Sample};
use mmstats_std::template::Environment;

use crate::command::{self, Stop, finish, status};
use crate::console::Console;
use crate::options::slurp::{Exposition, Options};
use crate::render;
use crate::render::metrics::{self, Format, Settings, Totals};
use crate::render::text::{FieldValue, TextStyle};
use crate::scraper::Scraper;
use crate::shutdown::Shutdown;
use crate::source::{Opened, Sources, may_hold_regions};

/// Runs the command. The first argument is the program's name, as in `std::env::args_os`.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    let options: Options = match command::parse(args, console) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let _shutdown = Shutdown::immediate();
    match command::open_sources(&options.selection, console) {
        Ok(sources) => match options.prometheus {
            Some(exposition) => print_exposition(exposition, options, sources, console),
            None => Slurp::new(options, sources, console).run(),
        },
        Err(status) => status,
    }
}

/// Prints an exposition format.
fn print_exposition(
    exposition: Exposition,
    options: Options,
    sources: Sources,
    console: &mut Console<'_>,
) -> ExitCode {
    let format = match exposition {
        Exposition::Text => Format::Text,
        Exposition::Openmetrics => Format::OpenMetrics,
    };
    let settings = Settings { format, labels: options.labels, live: options.live, textfile: None };
    let mut scraper = Scraper::new(options.selection.files, sources);
    let started = Instant::now();
    let scrape = scraper.scrape();
    let duration = started.elapsed();
    let page = if options.sum {
        let mut totals = Totals::new();
        totals.add(&scrape, options.live);
        totals.page(&scrape, duration, &settings)
    } else {
        metrics::per_writer(&scrape, duration, &settings)
    };
    let written = console.out.write_all(page.text.as_bytes()).and_then(|()| console.out.flush());
    let end = finish(written, console);
    for error in &scrape.errors {
        console.report_path(&error.name, &error.what);
    }
    for field in &page.dropped {
        console.report(field);
    }
    if let Some(halted) = scrape.halted {
        console.report(format_args!(
            "targets halted for {:.1} ms while reading",
            halted.as_secs_f64() * 1e3
        ));
    }
    if scrape.samples.is_empty() && scrape.errors.is_empty() {
        explain_no_files(scraper.searched(), console);
    }
    if scrape.errors.is_empty() && page.dropped.is_empty() {
        status(&end)
    } else {
        ExitCode::FAILURE
    }
}

/// One run of the command.
struct Slurp<'s, 'c> {
    options: Options,
    sources: Sources,
    style: TextStyle,
    console: &'s mut Console<'c>,
    /// Whether a file could not be read completely.
    failed: bool,
    /// Files that were printed.
    printed: usize,
    /// Files without a selected label.
    unmatched: usize,
    /// Files skipped because their writer is not alive.
    not_alive: usize,
}

impl<'s, 'c> Slurp<'s, 'c> {
    fn new(options: Options, sources: Sources, console: &'s mut Console<'c>) -> Self {
        let style = TextStyle {
            colour: console.colour,
            annotated: console.is_terminal || options.verbose,
            help: options.verbose,
        };
        Slurp {
            options,
            sources,
            style,
            console,
            failed: false,
            printed: 0,
            unmatched: 0,
            not_alive: 0,
        }
    }

    fn run(mut self) -> ExitCode {
        let end = self.print_all();
        let end = end.and_then(|()| finish(self.console.out.flush(), self.console));
        if self.failed { ExitCode::FAILURE } else { status(&end) }
    }

    fn print_all(&mut self) -> Result<(), Stop> {
        let environment = Environment::read();
        let named = std::mem::take(&mut self.options.selection.files);
        let mut reader = Reader::new();
        let mut searched = Vec::new();
        // One argument at a time, so that files are printed in the order of the arguments.
        let arguments: Vec<&[PathBuf]> =
            if named.is_empty() { vec![&[]] } else { named.chunks(1).collect() };
        for argument in arguments {
            if let Some(path) = argument.first().filter(|path| self.sources.is_memory(path)) {
                match self.sources.open(path) {
                    Ok(opened) => self.print_memory(&mut reader, path, &opened)?,
                    Err(error) => self.report_error(path, error),
                }
                continue;
            }
            let found = discover(&environment, argument);
            for error in &found.errors {
                self.report_error(&error.path, &error.error);
            }
            for file in &found.files {
                self.print_file(&mut reader, file)?;
            }
            searched.extend(found.searched);
        }
        self.explain_empty_output(&searched);
        Ok(())
    }

    fn print_file(&mut self, reader: &mut Reader, file: &FoundFile) -> Result<(), Stop> {
        let (path, is_named) = (file.path(), file.is_named());
        let sample = file.open().and_then(|file| reader.read_file(&file));
        if is_named && may_hold_regions(path, &sample) {
            let is_too_large = matches!(sample, Err(FileError::TooLarge { .. }));
            // The file may be a dump that holds regions among other memory.
            match self.sources.open(path) {
                Ok(opened) if opened.is_known || !opened.regions.is_empty() || is_too_large => {
                    return self.print_memory(reader, path, &opened);
                }
                Ok(_) => {}
                Err(error) => {
                    self.report_error(path, error);
                    return Ok(());
                }
            }
        }
        match sample {
            Ok(sample) => self.print_sample(path, &sample),
            Err(error) => {
                // A file that was found and is gone now was removed by its writer on exit.
                if is_named || file.status().is_ok() {
                    self.report_error(path, error);
                }
                Ok(())
            }
        }
    }

    fn print_memory(
        &mut self,
        reader: &mut Reader,
        path: &Path,
        opened: &Opened,
    ) -> Result<(), Stop> {
        for region in &opened.regions {
            let name = Path::new(&region.name);
            match region.read(reader) {
                Ok(sample) => self.print_sample(name, &sample)?,
                Err(failure) => self.report_error(name, failure),
            }
        }
        for (name, error) in &opened.errors {
            self.report_error(Path::new(name), error);
        }
        if opened.regions.is_empty() && opened.errors.is_empty() {
            self.report_error(path, &opened.why_nothing);
        }
        if let Some(halted) = opened.halted {
            self.console.report_path(
                path,
                format_args!(
                    "target halted for {:.1} ms while reading",
                    halted.as_secs_f64() * 1e3
                ),
            );
        }
        Ok(())
    }

    fn print_sample(&mut self, path: &Path, sample: &Sample<'_>) -> Result<(), Stop> {
        if self.options.live && sample.verdict().liveness != Liveness::Alive {
            self.not_alive += 1;
            return Ok(());
        }
        let rows: Vec<FieldValue<'_>> =
            sample.fields().filter(|(field, _)| self.options.labels.accept(&field.label)).collect();
        let layout = sample.layout();
        if rows.is_empty() && !layout.fields.is_empty() {
            self.unmatched += 1;
        } else if !layout.fields.is_empty() || layout.errors.is_empty() {
            self.printed += 1;
            let style = (!self.options.json).then_some(self.style);
            let written = render::write_file(&mut self.console.out, path, sample, &rows, style);
            finish(written, self.console)?;
        }
        for error in &layout.errors {
            self.report_error(path, error);
        }
        for (field, value) in &rows {
            if let Err(error) = value {
                self.report_error(path, format_args!("{}: {error}", field.label));
            }
        }
        Ok(())
    }

    fn report_error(&mut self, path: &Path, what: impl std::fmt::Display) {
        self.failed = true;
        self.console.report_path(path, what);
    }

    /// Reports why nothing was printed. As in `grep`, it is an error if nothing matches, but not if
    /// there are no files.
    fn explain_empty_output(&mut self, searched: &[PathBuf]) {
        if self.failed || self.printed > 0 {
            return;
        }
        if self.unmatched > 0 {
            self.failed = true;
            self.console.report(format_args!(
                "no label matches in {} (see --filter and --exclude)",
                files(self.unmatched)
            ));
        } else if self.not_alive > 0 {
            self.console
                .report(format_args!("no live writer in {} (see --live)", files(self.not_alive)));
        } else {
            explain_no_files(searched, self.console);
        }
    }
}

fn explain_no_files(searched: &[PathBuf], console: &mut Console<'_>) {
    let patterns: Vec<_> = searched.iter().map(|path| path.display().to_string()).collect();
    console.report(format_args!("no files found: searched {}", patterns.join(", ")));
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
