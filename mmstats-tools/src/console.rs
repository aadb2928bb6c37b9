//! Where a command's output goes.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};

use crate::render::escape::{Escaped, EscapedPath};

/// A command's name and its two outputs.
pub struct Console<'c> {
    /// The command, to begin messages with.
    pub name: &'c str,
    /// For results.
    pub out: Box<dyn Write + 'c>,
    /// For messages.
    pub err: Box<dyn Write + 'c>,
    /// Whether a person looks at the results.
    pub is_terminal: bool,
    /// Whether results are to have colours.
    pub colour: bool,
}

impl<'c> Console<'c> {
    /// The standard output and error of this process. Colours are for terminals; `NO_COLOR` and
    /// `CLICOLOR_FORCE` are obeyed.
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

    /// Tells something. That it cannot be told is no reason to stop.
    pub fn tell(&mut self, what: impl fmt::Display) {
        // What was shown before is to stand before it.
        let _ = self.out.flush();
        let _ = writeln!(self.err, "{}: {}", self.name, Escaped(&what.to_string()));
    }

    /// Tells something about a file.
    pub fn tell_of(&mut self, path: &Path, what: impl fmt::Display) {
        self.tell(format_args!("{}: {what}", EscapedPath::new(path)));
    }
}
