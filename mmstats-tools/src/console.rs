//! A command's output: results and messages.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};

use crate::escape::{Escaped, EscapedPath};

/// The name of a command and its output streams.
pub struct Console<'c> {
    /// The command's name, printed before each message.
    pub name: &'c str,
    /// Receives results.
    pub out: Box<dyn Write + 'c>,
    /// Receives messages.
    pub err: Box<dyn Write + 'c>,
    /// Whether results go to a terminal.
    pub is_terminal: bool,
    /// Whether results are coloured.
    pub colour: bool,
}

impl<'c> Console<'c> {
    /// Creates a console on this process's standard output and error. Terminals get colours;
    /// `NO_COLOR` and `CLICOLOR_FORCE` override that.
    #[must_use]
    pub fn standard(name: &'c str) -> Self {
        let out = io::stdout();
        Console {
            name,
            is_terminal: out.is_terminal(),
            colour: AutoStream::choice(&out) != ColorChoice::Never,
            out: Box::new(out),
            err: Box::new(io::stderr()),
        }
    }

    /// Prints a message, escaped, after flushing the results printed so far. Ignores errors.
    pub fn report(&mut self, message: impl fmt::Display) {
        let _ = self.out.flush();
        let _ = writeln!(self.err, "{}: {}", self.name, Escaped(&message.to_string()));
    }

    /// Prints a message about a file.
    pub fn report_path(&mut self, path: &Path, message: impl fmt::Display) {
        self.report(format_args!("{}: {message}", EscapedPath::new(path)));
    }
}
