//! `cleanstats`: removes the files of dead processes.
//!
//! A file is inspected twice: when it is found, and right before it is removed. It is removed only
//! if it is a regular file in one of mmstats' formats, if it names a process that is known to be
//! dead, and if both inspections saw the same file.

mod entry;
mod inspector;
mod mapped;
mod report;

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use mmstats_std::discover::{FoundDirectory, FoundFile, discover};
use mmstats_std::liveness::Reason;
use mmstats_std::template::Environment;

use crate::command::{self, Stop, status};
use crate::console::Console;
use crate::escape::EscapedPath;
use crate::options::clean::Options;
use crate::render;
use crate::shutdown::Shutdown;
use crate::source::Url;
use entry::Entry;
use inspector::{FileState, Inspection, Inspector, Stats, pid_of_unfinished};
use report::{FileAction, FileCounts, Report, ReportOptions};

/// Runs the command. The first argument is the program's name, as in `std::env::args_os`.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    let options: Options = match command::parse(args, console) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let watch = match Watch::new(options.interval) {
        Ok(watch) => watch,
        Err(error) => {
            console.report(error);
            return ExitCode::FAILURE;
        }
    };
    Clean::new(options, watch, console).run()
}

/// One run of the command: rounds over all files.
struct Clean<'s, 'c> {
    options: Options,
    environment: Environment,
    watch: Watch,
    inspector: Inspector,
    report: Report<'s, 'c>,
    /// Removals of all rounds, and the other counts of the last round.
    total: FileCounts,
    /// Files named as arguments that existed once.
    known: HashSet<PathBuf>,
}

impl<'s, 'c> Clean<'s, 'c> {
    fn new(options: Options, watch: Watch, console: &'s mut Console<'c>) -> Self {
        let report_options = ReportOptions {
            json: options.json,
            quiet: options.quiet,
            repeats: options.interval.is_some(),
            dry_run: options.dry_run,
            has_min_age: options.min_age.is_some(),
        };
        let inspector =
            Inspector::new(options.min_age.unwrap_or_default(), options.assume_same_pid_namespace);
        let report = Report::new(console, report_options);
        Clean {
            options,
            environment: Environment::read(),
            watch,
            inspector,
            report,
            total: FileCounts::default(),
            known: HashSet::new(),
        }
    }

    fn run(mut self) -> ExitCode {
        let end = self.rounds();
        // `cleanstats | head -1` does not mean that one removal is enough.
        if end == Err(Stop::BrokenPipe) && !self.options.dry_run {
            self.report.console.report(
                "standard output was closed: the remaining files are kept (-q removes silently)",
            );
            self.report.failed = true;
        }
        let end = end.and_then(|()| self.report.print_summary(&self.total));
        if self.report.failed { ExitCode::FAILURE } else { status(&end) }
    }

    fn rounds(&mut self) -> Result<(), Stop> {
        loop {
            self.report.begin_round();
            self.inspector.begin_round();
            let end = self.round();
            let counts = self.report.counts;
            self.total = FileCounts { removed: self.total.removed + counts.removed, ..counts };
            end?;
            if self.watch.is_endless() && counts.removed > 0 {
                self.report.print_summary(&counts)?;
            }
            if !self.watch.wait() {
                return Ok(());
            }
        }
    }

    fn round(&mut self) -> Result<(), Stop> {
        let named = self.options.files.clone();
        let mut done = HashSet::new();
        // One argument at a time, so that files are reported in the order of the arguments.
        let arguments: Vec<&[PathBuf]> =
            if named.is_empty() { vec![&[]] } else { named.chunks(1).collect() };
        for argument in arguments {
            if let Some(device) =
                argument.first().filter(|path| path.to_str().is_some_and(Url::is_meant))
            {
                self.report.report_error(device, "a device: only files can be removed")?;
                continue;
            }
            let found = discover(&self.environment, argument);
            for search_error in &found.errors {
                self.report.report_error(&search_error.path, &search_error.error)?;
            }
            let unfinished: Vec<_> = found.directories.iter().flat_map(unfinished).collect();
            for file in found.files.iter().chain(&unfinished) {
                if self.watch.is_over() {
                    return Ok(());
                }
                if done.insert(file.path().to_owned()) {
                    self.clean(file)?;
                }
            }
        }
        Ok(())
    }

    fn clean(&mut self, found: &FoundFile) -> Result<(), Stop> {
        let (path, is_named) = (found.path(), found.is_named());
        let mut final_values = Vec::new();
        let (entry, inspection) = match Entry::new(found) {
            Ok(entry) => {
                let inspection = self.inspector.inspect(&entry, |sample| {
                    if self.options.print_removed {
                        let rows: Vec<_> = sample.fields().collect();
                        let style = (!self.options.json).then(|| self.report.style());
                        // Writing to a `Vec` cannot fail.
                        let _ = render::write_file(&mut final_values, path, sample, &rows, style);
                    }
                });
                (Some(entry), inspection)
            }
            Err(error) => (None, Inspection::from(error)),
        };
        let is_there = !matches!(inspection, Inspection::Gone);
        // A file that existed before was removed by its writer, which exited, or by this command.
        let is_missing = !is_there && is_named && !self.known.contains(path);
        if is_there && is_named {
            self.known.insert(path.to_owned());
        }
        let file = EscapedPath::new(path);
        match (inspection, entry) {
            (Inspection::Stats(stats), Some(entry)) => match stats.state {
                FileState::Dead(reason) => self.remove(&entry, &stats, reason, &final_values),
                _ => self.report.report(path, &stats, FileAction::Kept, None),
            },
            (Inspection::Link, _) => self.report.report_skipped(
                path,
                format!("{file} is a symbolic link, skipping."),
                "is a symbolic link",
                false,
            ),
            (Inspection::Changed, _) => {
                self.report.report_skipped(path, changed(path), CHANGED, false)
            }
            (Inspection::Invalid(why), _) => {
                self.report.report_skipped(path, format!("Invalid file: {file}"), &why, is_named)
            }
            (Inspection::NoPid, _) => self.report.report_skipped(
                path,
                format!("File has no sys.pid entry: {file}"),
                "has no sys.pid",
                is_named,
            ),
            (Inspection::Unreadable(error), _) if error.kind() == ErrorKind::PermissionDenied => {
                self.report.report_skipped(
                    path,
                    format!("Permission denied: {file}"),
                    &error.to_string(),
                    true,
                )
            }
            (Inspection::Unreadable(error), _) => self.report.report_error(path, error),
            (Inspection::Gone, _) if is_missing => {
                self.report.report_error(path, "No such file or directory")
            }
            (Inspection::Gone | Inspection::Ignored | Inspection::Stats(_), _) => Ok(()),
        }
    }

    /// Removes the file of a dead process if a second inspection sees the same file.
    fn remove(
        &mut self,
        entry: &Entry,
        stats: &Stats,
        reason: Reason,
        final_values: &[u8],
    ) -> Result<(), Stop> {
        let path = &entry.path;
        self.report.announce(path, stats, reason, final_values)?;
        if self.options.dry_run {
            return self.report.report(path, stats, FileAction::WouldRemove, None);
        }
        let removed = match self.inspector.inspect(entry, |_| {}) {
            Inspection::Stats(now)
                if now.is_same(stats) && matches!(now.state, FileState::Dead(_)) =>
            {
                entry.remove(&now.opened)
            }
            _ => Ok(false),
        };
        match removed {
            Ok(true) => self.report.report(path, stats, FileAction::Removed, None),
            Ok(false) => self.report.report_skipped(path, changed(path), CHANGED, false),
            Err(error) => {
                self.report.report(path, stats, FileAction::Failed, Some(error.to_string()))
            }
        }
    }
}

const CHANGED: &str = "has changed meanwhile";

fn changed(path: &Path) -> String {
    format!("{} {CHANGED}, skipping.", EscapedPath::new(path))
}

/// Returns the temporary files of a directory that processes create before they rename them.
fn unfinished(directory: &FoundDirectory) -> Vec<FoundFile> {
    // `discover` has already reported a directory that cannot be listed.
    let files = directory.files(|name| pid_of_unfinished(Path::new(name)).is_some());
    let mut files: Vec<_> = files.into_iter().flatten().flatten().collect();
    files.sort_unstable_by(|one, other| one.path().cmp(other.path()));
    files
}

/// Rounds until SIGINT or SIGTERM, or a single one.
enum Watch {
    Once,
    Every(Duration, Shutdown),
}

impl Watch {
    /// Repeats at an interval if there is one; the signals then end the loop, not the process.
    ///
    /// # Errors
    /// If the signal handler cannot be installed.
    fn new(interval: Option<Duration>) -> io::Result<Watch> {
        Ok(match interval {
            Some(interval) => Watch::Every(interval, Shutdown::new()?),
            None => Watch::Once,
        })
    }

    fn is_endless(&self) -> bool {
        matches!(self, Watch::Every(..))
    }

    /// Returns `true` if the command should end, even in the middle of a round.
    fn is_over(&self) -> bool {
        matches!(self, Watch::Every(_, shutdown) if shutdown.requested())
    }

    /// Waits for the next round; returns `false` if there is none.
    fn wait(&self) -> bool {
        matches!(self, Watch::Every(interval, shutdown) if !shutdown.wait(*interval))
    }
}
