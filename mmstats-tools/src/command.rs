//! Argument parsing and exit statuses that all commands share.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::console::Console;
use crate::escape::Escaped;
use crate::generate;
use crate::options::Selection;
use crate::source::Sources;

/// The exit status for invalid arguments.
pub(crate) const USAGE: u8 = 2;

/// Parses arguments, of which the first is the command's name. Prints help, the version, errors,
/// or what `--generate` asks for.
///
/// # Errors
/// The exit status, if there is nothing else to do.
pub(crate) fn parse<O: Parser>(
    args: impl IntoIterator<Item = OsString>,
    console: &mut Console<'_>,
) -> Result<O, ExitCode> {
    let mut command = generate::add_option(O::command());
    let matches =
        command.try_get_matches_from_mut(args).map_err(|error| print_usage(&error, console))?;
    if let Some(text) = generate::generate(&O::command(), &matches) {
        let written = text.and_then(|text| console.out.write_all(&text));
        let written = written.and_then(|()| console.out.flush());
        return Err(status(&finish(written, console)));
    }
    O::from_arg_matches(&matches).map_err(|error| print_usage(&error.format(&mut command), console))
}

fn print_usage(answer: &clap::Error, console: &mut Console<'_>) -> ExitCode {
    let text = answer.render();
    if answer.use_stderr() {
        // It quotes arguments: names that a shell's pattern matches may have control characters.
        for line in text.to_string().lines() {
            let _ = writeln!(console.err, "{}", Escaped(line));
        }
        return ExitCode::from(USAGE);
    }
    let text = if console.colour { text.ansi().to_string() } else { text.to_string() };
    let written = console.out.write_all(text.as_bytes()).and_then(|()| console.out.flush());
    status(&finish(written, console))
}

/// Opens the sources that the arguments name.
///
/// # Errors
/// The exit status, after the error has been reported.
pub(crate) fn open_sources(
    selection: &Selection,
    console: &mut Console<'_>,
) -> Result<Sources, ExitCode> {
    let sources = Sources::new(selection.sources.clone()).map_err(|(path, error)| {
        console.report_path(&path, error);
        ExitCode::FAILURE
    })?;
    if selection.files.is_empty() && sources.is_memory(Path::new("")) {
        console.report("--region-address, --elf and --load-address need a FILE or device URL");
        return Err(ExitCode::from(USAGE));
    }
    Ok(sources)
}

/// Why a command stops printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The reader of the output has closed it.
    BrokenPipe,
    /// A signal interrupted the first scrape.
    Interrupted,
    /// Writing failed, which has been reported.
    Failed,
}

/// Reports a failed write, unless the reader has closed the output.
///
/// # Errors
/// Why printing stops.
pub(crate) fn finish(written: io::Result<()>, console: &mut Console<'_>) -> Result<(), Stop> {
    written.map_err(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            return Stop::BrokenPipe;
        }
        console.report(format_args!("standard output: {error}"));
        Stop::Failed
    })
}

/// Returns the exit status of a command whose printing ended this way and that met no other error.
#[must_use]
pub(crate) fn status(end: &Result<(), Stop>) -> ExitCode {
    if matches!(end, Err(Stop::Failed)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
