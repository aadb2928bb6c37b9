//! What can be written behind the commands' names.
//!
//! Only that, and nothing of what they do: the build includes these files to make man pages and
//! completions of them.

// The docs of options are printed as help, where brackets stand for themselves.
#![allow(rustdoc::broken_intra_doc_links)]

pub mod clean;
pub mod mmash;
pub mod poll;
pub mod seconds;
pub mod slurp;
pub mod sources;
pub mod top;

use std::path::PathBuf;

use clap::{Command, CommandFactory};

pub use sources::SourceOptions;

/// Which stats to read; the same words for all tools.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Selection {
    /// Files, directories whose *.mmstats files are meant, and devices.
    ///
    /// A file may also hold regions among other memory, where they are found by how they begin: a
    /// raw image (of a device that runs, too), an ELF core, Intel HEX, S-records. A device is
    /// gdb://HOST:PORT, which halts it for a moment, or qmp://HOST:PORT or qmp:///SOCKET of a QEMU
    /// on this machine, which does not.
    ///
    /// Without any, these are the files that match $MMSTATS_GLOB, else those in $MMSTATS_PATH, else
    /// those in /dev/shm and in the temporary directory.
    #[arg(value_name = "FILE|DIR|URL")]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub sources: SourceOptions,
}

/// What all commands say about colours.
pub(crate) const COLOURS: &str =
    "Colours are for terminals; NO_COLOR=1 turns them off, CLICOLOR_FORCE=1 on.";

/// The variables of the environment that the commands heed.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    ("MMSTATS_GLOB", "Which files to read if none are named: a pattern of paths."),
    (
        "MMSTATS_PATH",
        "The directory of the files to read if none are named, and there is no MMSTATS_GLOB. Without both, these are /dev/shm and the temporary directory.",
    ),
    ("NO_COLOR", "No colours, if it is set."),
    ("CLICOLOR_FORCE", "Colours even where the output is no terminal, if it is set."),
];

/// All commands.
#[must_use]
pub fn commands() -> Vec<Command> {
    let mut commands =
        vec![slurp::Options::command(), poll::Options::command(), clean::Options::command()];
    if cfg!(feature = "tui") {
        commands.push(top::Options::command());
    }
    if cfg!(feature = "web") {
        commands.push(mmash::Options::command());
    }
    commands
}
