//! Command-line options of the tools, and the environment variables that they read.

// The docs of options are printed as help, where brackets stand for themselves.
#![allow(rustdoc::broken_intra_doc_links)]

pub mod clean;
pub mod duration;
pub mod mmash;
pub mod poll;
pub mod slurp;
pub mod sources;
pub mod top;

use std::path::PathBuf;

pub use sources::SourceOptions;

/// The stats to read: arguments and options of all tools that read values.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Selection {
    /// Files, directories (every *.mmstats in them), dumps or devices.
    ///
    /// Dumps and cores are scanned for stats: raw images (also the memory of a running device that
    /// is a file), ELF cores, Intel HEX, S-records. A device is gdb://HOST:PORT, which is halted
    /// for some milliseconds, or qmp://HOST:PORT or qmp:///SOCKET of a QEMU on this machine, which
    /// is not halted.
    ///
    /// Default: $MMSTATS_GLOB, then $MMSTATS_PATH, then /dev/shm and the temporary directory.
    #[arg(value_name = "FILE|DIR|URL")]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub sources: SourceOptions,
}

/// The last line of every tool's help.
pub(crate) const COLOURS: &str =
    "Colours are for terminals; NO_COLOR=1 turns them off, CLICOLOR_FORCE=1 on.";

/// Environment variables that the tools read.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    ("MMSTATS_GLOB", "The files to read if none are named: a pattern of paths."),
    (
        "MMSTATS_PATH",
        "The directory of the files to read if none are named and MMSTATS_GLOB is not set. Default: /dev/shm and the temporary directory.",
    ),
    ("NO_COLOR", "Turns colours off."),
    ("CLICOLOR_FORCE", "Turns colours on even if the output is not a terminal."),
];

#[cfg(test)]
mod tests {
    use clap::{Args, CommandFactory};

    use super::*;

    #[test]
    fn only_source_options_stand_under_the_heading_of_memory() {
        let sources = SourceOptions::augment_args(clap::Command::new("sources"));
        let is_source = |id: &clap::Id| sources.get_arguments().any(|one| one.get_id() == id);
        for command in [
            slurp::Options::command(),
            poll::Options::command(),
            clean::Options::command(),
            top::Options::command(),
            mmash::Options::command(),
        ] {
            for argument in command.get_arguments() {
                let is_memory = argument.get_help_heading() == Some(sources::HEADING);
                let name = (command.get_name(), argument.get_id());
                assert_eq!(is_memory, is_source(argument.get_id()), "{name:?}");
            }
        }
    }
}
