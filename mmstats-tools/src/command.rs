//! What all commands do alike: read their arguments, and end.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::console::Console;
use crate::options::Selection;
use crate::source::Sources;

/// For what was asked in a wrong way.
pub const USAGE: u8 = 2;

/// Reads arguments, of which the first is the command's name. Help, the version, or what is wrong
/// with them has been printed if there is nothing to do.
///
/// # Errors
/// The exit status.
pub fn parse<O: Parser>(
    args: impl IntoIterator<Item = OsString>,
    console: &mut Console<'_>,
) -> Result<O, ExitCode> {
    O::try_parse_from(args).map_err(|answer| print_usage(&answer, console))
}

fn print_usage(answer: &clap::Error, console: &mut Console<'_>) -> ExitCode {
    let text = answer.render();
    if answer.use_stderr() {
        let _ = write!(console.err, "{text}");
        return ExitCode::from(USAGE);
    }
    let text = if console.colour { text.ansi().to_string() } else { text.to_string() };
    let written = console.out.write_all(text.as_bytes()).and_then(|()| console.out.flush());
    status(&finish(written, console))
}

/// Opens what helps to find stats in memory.
///
/// # Errors
/// The exit status; why was said.
pub fn open_sources(selection: &Selection, console: &mut Console<'_>) -> Result<Sources, ExitCode> {
    let sources = Sources::new(selection.sources.clone()).map_err(|(path, error)| {
        console.tell_of(&path, error);
        ExitCode::FAILURE
    })?;
    if selection.files.is_empty() && sources.is_memory(Path::new("")) {
        console.tell(
            "which memory? name its file, or a device, beside --at, --elf and --load-address",
        );
        return Err(ExitCode::from(USAGE));
    }
    Ok(sources)
}

/// Why no more is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Whoever read the output has seen enough.
    Unread,
    /// It cannot be written.
    Failed,
}

/// What became of output. That it cannot be written is said, unless it is only that nobody reads
/// any more.
///
/// # Errors
/// Why there is no sense in writing more.
pub fn finish(written: io::Result<()>, console: &mut Console<'_>) -> Result<(), Stop> {
    written.map_err(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            return Stop::Unread;
        }
        console.tell(format_args!("standard output: {error}"));
        Stop::Failed
    })
}

/// The exit status of a command that ended so, and has nothing else to complain about.
#[must_use]
pub fn status(end: &Result<(), Stop>) -> ExitCode {
    if matches!(end, Err(Stop::Failed)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
