//! `slurpstats`: prints stats files.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use glob::Pattern;
use mmstats_core::reader::ValueProblem;
use mmstats_std::discover::discover;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::{FileError, Reader, Sample};
use mmstats_std::template::Environment;

use crate::console::Console;
use crate::labels::{self, Labels};
use crate::render::text::{Look, Row};
use crate::render::{json, text};
use crate::source::{Opened, SourceOptions, Sources};

/// Prints what programs publish in their mmstats files: every field's label and value.
#[derive(Debug, Parser)]
#[command(name = "slurpstats", version, max_term_width = 100, after_help = STATUS, after_long_help = [EXAMPLES, STATUS].concat())]
struct Options {
    /// Files, directories whose *.mmstats files are meant, and devices.
    ///
    /// A file may also hold regions among other memory, where they are found by how they begin: a raw image (of a device that runs, too), an ELF core, Intel
    /// HEX, S-records. A device is gdb://HOST:PORT, which halts it for a moment, or qmp://HOST:PORT or qmp:///SOCKET of a QEMU on this machine, which does not.
    ///
    /// Without any, these are the files that match $MMSTATS_GLOB, else those in $MMSTATS_PATH, else those in /dev/shm and in the temporary directory.
    #[arg(value_name = "FILE|DIR|URL")]
    files: Vec<PathBuf>,

    /// Print JSON, one object per line for each field.
    ///
    /// Keys: label, value (null with a "problem" if it cannot be read), kind, type, unit, help, file (of a region in memory with @ and its address), version,
    /// pid, liveness (alive, dead, unknown); of a scaled number also raw, scale and divisor. Numbers that are not finite are the texts "NaN", "Infinity" and
    /// "-Infinity".
    #[arg(long)]
    json: bool,

    /// Only fields whose whole label matches: * is any text, ? any character, [abc] one of these. Can be repeated.
    #[arg(short, long, value_name = "GLOB", value_parser = labels::parse)]
    filter: Vec<Pattern>,

    /// No fields whose whole label matches, even if --filter takes them. Can be repeated.
    #[arg(short = 'x', long, value_name = "GLOB", value_parser = labels::parse)]
    exclude: Vec<Pattern>,

    /// Only files whose writer is alive.
    #[arg(long)]
    live: bool,

    /// Also units and help texts.
    #[arg(short, long)]
    verbose: bool,

    #[command(flatten)]
    sources: SourceOptions,
}

const STATUS: &str = "\
Exit status: 0 if all files could be read, even if there were none; 1 if not; 2 for wrong usage.
Colours are for terminals; NO_COLOR=1 turns them off, CLICOLOR_FORCE=1 on.";

const EXAMPLES: &str = "\
Examples:
  slurpstats                                       what runs on this machine
  slurpstats -f '*.2XX' --json /dev/shm            some of it, for programs
  slurpstats --elf fw.elf gdb://localhost:3333     a device, through a debug server
  slurpstats --elf fw.elf --load-address 0x20000000 ram.bin
                                                   a dump of its RAM
  slurpstats --elf app core                        a process that crashed

";

/// Runs the command. The first argument is its name, as in `std::env::args_os`.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    match Options::try_parse_from(args) {
        Ok(options) => {
            let sources = match Sources::new(options.sources.clone()) {
                Ok(sources) => sources,
                Err((path, error)) => {
                    console.tell_of(&path, error);
                    return ExitCode::FAILURE;
                }
            };
            if options.files.is_empty() && sources.is_memory(Path::new("")) {
                console.tell("which memory? name its file, or a device, beside --at, --elf and --load-address");
                return ExitCode::from(2);
            }
            Slurp::new(options, sources, console).run()
        }
        Err(answer) => print_usage(&answer, console),
    }
}

/// Help, the version, or what is wrong with the arguments.
fn print_usage(answer: &clap::Error, console: &mut Console<'_>) -> ExitCode {
    let text = answer.render();
    if answer.use_stderr() {
        let _ = write!(console.err, "{text}");
        return ExitCode::from(2);
    }
    let text = if console.colour { text.ansi().to_string() } else { text.to_string() };
    let written = console.out.write_all(text.as_bytes()).and_then(|()| console.out.flush());
    status(&finish(written, console))
}

/// Why no more is printed.
enum Stop {
    /// Whoever read the output has seen enough.
    Unread,
    /// It cannot be written.
    Failed,
}

fn finish(written: io::Result<()>, console: &mut Console<'_>) -> Result<(), Stop> {
    written.map_err(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            return Stop::Unread;
        }
        console.tell(format_args!("standard output: {error}"));
        Stop::Failed
    })
}

fn status(end: &Result<(), Stop>) -> ExitCode {
    if matches!(end, Err(Stop::Failed)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A run over files.
struct Slurp<'s, 'c> {
    options: Options,
    sources: Sources,
    labels: Labels,
    look: Look,
    console: &'s mut Console<'c>,
    /// Whether a file could not be read, or not all of it.
    failed: bool,
    /// Files that were printed.
    printed: usize,
    /// Files without a label that is wanted.
    unmatched: usize,
    /// Files left out because their writer is not alive.
    not_alive: usize,
}

impl<'s, 'c> Slurp<'s, 'c> {
    fn new(mut options: Options, sources: Sources, console: &'s mut Console<'c>) -> Self {
        let labels = Labels { include: std::mem::take(&mut options.filter), exclude: std::mem::take(&mut options.exclude) };
        let look = Look { colour: console.colour, annotated: console.is_terminal || options.verbose, help: options.verbose };
        Slurp { options, sources, labels, look, console, failed: false, printed: 0, unmatched: 0, not_alive: 0 }
    }

    fn run(mut self) -> ExitCode {
        let end = self.print_all();
        let end = end.and_then(|()| finish(self.console.out.flush(), self.console));
        if self.failed { ExitCode::FAILURE } else { status(&end) }
    }

    fn print_all(&mut self) -> Result<(), Stop> {
        let environment = Environment::read();
        let named = std::mem::take(&mut self.options.files);
        let mut reader = Reader::new();
        let mut searched = Vec::new();
        // One by one, so that files come in the order of the arguments.
        let arguments: Vec<&[PathBuf]> = if named.is_empty() { vec![&[]] } else { named.chunks(1).collect() };
        for argument in arguments {
            if let Some(path) = argument.first().filter(|path| self.sources.is_memory(path)) {
                match self.sources.open(path) {
                    Ok(opened) => self.print_memory(&mut reader, path, &opened)?,
                    Err(error) => self.fail(path, error),
                }
                continue;
            }
            let found = discover(&environment, argument);
            for problem in &found.problems {
                self.fail(&problem.path, &problem.error);
            }
            for path in &found.paths {
                let is_named = argument.first() == Some(path);
                self.print_file(&mut reader, path, is_named)?;
            }
            searched.extend(found.searched);
        }
        self.explain_nothing(&searched);
        Ok(())
    }

    fn print_file(&mut self, reader: &mut Reader, path: &Path, is_named: bool) -> Result<(), Stop> {
        let sample = reader.read(path);
        if is_named && may_hold_regions(path, &sample) {
            let is_too_large = matches!(sample, Err(FileError::TooLarge { .. }));
            // Regions among other memory, if there are any.
            match self.sources.open(path) {
                Ok(opened) if opened.is_known || !opened.regions.is_empty() || is_too_large => return self.print_memory(reader, path, &opened),
                Ok(_) => {}
                Err(error) => {
                    self.fail(path, error);
                    return Ok(());
                }
            }
        }
        match sample {
            Ok(sample) => self.print_sample(path, &sample),
            Err(error) => {
                // A file that was found and is gone now was removed by its writer, which is how a writer ends.
                if is_named || path.symlink_metadata().is_ok() {
                    self.fail(path, error);
                }
                Ok(())
            }
        }
    }

    fn print_memory(&mut self, reader: &mut Reader, path: &Path, opened: &Opened) -> Result<(), Stop> {
        for region in &opened.regions {
            let name = Path::new(&region.name);
            match region.read(reader) {
                Ok(sample) => self.print_sample(name, &sample)?,
                Err(failure) => self.fail(name, failure),
            }
        }
        for (name, problem) in &opened.problems {
            self.fail(Path::new(name), problem);
        }
        if opened.regions.is_empty() && opened.problems.is_empty() {
            self.fail(path, &opened.why_nothing);
        }
        if let Some(halted) = opened.halted {
            self.console.tell_of(path, format_args!("the target stood still for {:.1} ms", halted.as_secs_f64() * 1e3));
        }
        Ok(())
    }

    fn print_sample(&mut self, path: &Path, sample: &Sample<'_>) -> Result<(), Stop> {
        if self.options.live && sample.verdict().liveness != Liveness::Alive {
            self.not_alive += 1;
            return Ok(());
        }
        let rows: Vec<Row<'_>> = sample.fields().filter(|(field, _)| self.labels.accept(&field.label)).collect();
        let layout = sample.layout();
        if rows.is_empty() && !layout.fields.is_empty() {
            self.unmatched += 1;
        } else if !layout.fields.is_empty() || layout.problems.is_empty() {
            self.printed += 1;
            let output = self.render(path, sample, &rows);
            finish(self.console.out.write_all(&output), self.console)?;
        }
        for problem in &layout.problems {
            self.fail(path, problem);
        }
        for (field, value) in &rows {
            if let Err(fault) = value {
                self.fail_field(path, &field.label, *fault);
            }
        }
        Ok(())
    }

    fn render(&self, path: &Path, sample: &Sample<'_>, rows: &[Row<'_>]) -> Vec<u8> {
        if !self.options.json {
            let mut output = String::new();
            // A `String` takes everything.
            let _ = text::write_file(&mut output, path, sample.verdict(), rows, self.look);
            return output.into_bytes();
        }
        let mut output = Vec::new();
        let file = json::File::new(path, sample.layout().version, sample.pid(), sample.verdict().liveness);
        for row in rows {
            let _ = json::write_line(&mut output, &file, row);
        }
        output
    }

    fn fail(&mut self, path: &Path, what: impl std::fmt::Display) {
        self.failed = true;
        self.console.tell_of(path, what);
    }

    fn fail_field(&mut self, path: &Path, label: &str, fault: ValueProblem) {
        self.fail(path, format_args!("{label}: {fault}"));
    }

    /// Nothing to print is no error, but a user who sees nothing wants to know why.
    fn explain_nothing(&mut self, searched: &[PathBuf]) {
        if self.failed || self.printed > 0 {
            return;
        }
        if self.unmatched > 0 {
            self.console.tell(format_args!("no label matches in {} (see --filter and --exclude)", files(self.unmatched)));
        } else if self.not_alive > 0 {
            self.console.tell(format_args!("no writer is known to be alive of {} (see --live)", files(self.not_alive)));
        } else {
            let places: Vec<_> = searched.iter().map(|place| place.display().to_string()).collect();
            self.console.tell(format_args!("no files found: looked for {}", places.join(", ")));
        }
    }
}

/// Whether there may be regions further on in a file: it begins with nothing that is known, or goes on behind what it begins with.
fn may_hold_regions(path: &Path, sample: &Result<Sample<'_>, FileError>) -> bool {
    match sample {
        Ok(sample) => match sample.layout().region_length() {
            Some(length) => path.metadata().is_ok_and(|file| file.len() > length.into()),
            None => !sample.layout().problems.is_empty() || sample.layout().fields.is_empty(),
        },
        Err(FileError::Problem(_) | FileError::TooLarge { .. }) => true,
        Err(_) => false,
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
