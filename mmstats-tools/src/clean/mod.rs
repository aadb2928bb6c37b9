//! `cleanstats`: removes what dead processes left.
//!
//! A file is looked at twice: when it is found, and right before it is removed. Nothing is removed
//! but a regular file that reads as stats, names a process of which it is sure that it does not
//! run, and is the same in both looks.

mod entry;
mod inspector;
mod mapped;
mod report;
mod watch;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use mmstats_std::discover::discover;
use mmstats_std::liveness::Reason;
use mmstats_std::read::Sample;
use mmstats_std::template::Environment;

use crate::command::{self, Stop, USAGE, status};
use crate::console::Console;
use crate::options::clean::Options;
use crate::options::seconds;
use crate::render::escape::HarmlessPath;
use crate::render::text::{Row, TextStyle};
use crate::render::{json, text};
use crate::source::Url;
use entry::Entry;
use inspector::{Finding, Looker, State, Stats, pid_of_unfinished};
use report::{Action, Counts, Manner, Report};
use watch::Watch;

/// How often to look again if nothing is said about it.
const INTERVAL: Duration = Duration::from_secs(10);

/// Runs the command. The first argument is its name, as in `std::env::args_os`.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> ExitCode {
    let options: Options = match command::parse(args, console) {
        Ok(options) => options,
        Err(status) => return status,
    };
    if let Some(time) = mistaken_for_file(&options) {
        console.tell(format_args!(
            "{time}: No such file or directory (--watch={time} would look again so often)"
        ));
        return ExitCode::from(USAGE);
    }
    let watch = match Watch::new(options.watch.map(|interval| interval.unwrap_or(INTERVAL))) {
        Ok(watch) => watch,
        Err(error) => {
            console.tell(error);
            return ExitCode::FAILURE;
        }
    };
    Clean::new(options, watch, console).run()
}

/// What may have been meant as the time of `--watch`, which needs a `=` before it.
fn mistaken_for_file(options: &Options) -> Option<&str> {
    let is_missing = |path: &Path| {
        path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    let mut names =
        options.files.iter().filter(|path| is_missing(path)).filter_map(|path| path.to_str());
    options
        .watch
        .filter(Option::is_none)
        .and_then(|_| names.find(|name| seconds::parse_interval(name).is_ok()))
}

/// Rounds over files.
struct Clean<'s, 'c> {
    options: Options,
    environment: Environment,
    watch: Watch,
    looker: Looker,
    report: Report<'s, 'c>,
    /// All of the rounds before; of those alive and the like, the last one's.
    total: Counts,
    /// Files that were named, and there.
    met: HashSet<PathBuf>,
}

impl<'s, 'c> Clean<'s, 'c> {
    fn new(options: Options, watch: Watch, console: &'s mut Console<'c>) -> Self {
        let manner = Manner {
            json: options.json,
            quiet: options.quiet,
            once: options.watch.is_some(),
            dry_run: options.dry_run,
            has_age: options.min_age.is_some(),
        };
        let looker = Looker::new(options.min_age.unwrap_or_default(), options.same_namespace);
        let report = Report::new(console, manner);
        Clean {
            options,
            environment: Environment::read(),
            watch,
            looker,
            report,
            total: Counts::default(),
            met: HashSet::new(),
        }
    }

    fn run(mut self) -> ExitCode {
        let end = self.rounds();
        // A reader who has seen enough has not said that enough is removed.
        if end == Err(Stop::Unread) && !self.options.dry_run {
            self.report.console.tell("standard output was closed, so the rest is left as it is (-q removes without telling)");
            self.report.failed = true;
        }
        let end = end.and_then(|()| self.report.sum_up(&self.total));
        if self.report.failed { ExitCode::FAILURE } else { status(&end) }
    }

    fn rounds(&mut self) -> Result<(), Stop> {
        loop {
            self.report.begin();
            self.looker.begin();
            let end = self.round();
            let counts = self.report.counts;
            self.total = Counts { removed: self.total.removed + counts.removed, ..counts };
            end?;
            if self.watch.is_endless() && counts.removed > 0 {
                self.report.sum_up(&counts)?;
            }
            if !self.watch.wait() {
                return Ok(());
            }
        }
    }

    fn round(&mut self) -> Result<(), Stop> {
        let named = self.options.files.clone();
        let mut done = HashSet::new();
        // One by one, so that files come in the order of the arguments.
        let arguments: Vec<&[PathBuf]> =
            if named.is_empty() { vec![&[]] } else { named.chunks(1).collect() };
        for argument in arguments {
            if let Some(device) =
                argument.first().filter(|path| path.to_str().is_some_and(Url::is_meant))
            {
                self.report.complain(device, "a device: nothing to remove there")?;
                continue;
            }
            let found = discover(&self.environment, argument);
            for problem in &found.errors {
                self.report.complain(&problem.path, &problem.error)?;
            }
            let unfinished =
                found.searched.iter().filter_map(|pattern| pattern.parent()).flat_map(unfinished);
            for path in found.paths.iter().cloned().chain(unfinished) {
                if self.watch.is_over() {
                    return Ok(());
                }
                let is_named = argument.first() == Some(&path);
                if done.insert(path.clone()) {
                    self.clean(&path, is_named)?;
                }
            }
        }
        Ok(())
    }

    fn clean(&mut self, path: &Path, is_named: bool) -> Result<(), Stop> {
        let mut last_words = Vec::new();
        let (entry, finding) = match Entry::at(path) {
            Ok(entry) => {
                let finding = self.looker.scrape(&entry, |sample| {
                    if self.options.last_words {
                        last_words = render(path, sample, self.options.json, self.report.scrape());
                    }
                });
                (Some(entry), finding)
            }
            Err(refusal) => (None, Finding::from(refusal)),
        };
        let is_there = !matches!(finding, Finding::Gone);
        // A file that was there and is gone now was removed by its writer, which is how a writer
        // ends, or by us.
        let is_missing = !is_there && is_named && !self.met.contains(path);
        if is_there && is_named {
            self.met.insert(path.to_owned());
        }
        let file = HarmlessPath::new(path);
        match (finding, entry) {
            (Finding::Stats(stats), Some(entry)) => match stats.state {
                State::Dead(reason) => self.remove(&entry, &stats, reason, &last_words),
                _ => self.report.tell(path, &stats, Action::Kept, None),
            },
            (Finding::Link, _) => self.report.tell_odd(
                path,
                format!("{file} is a symbolic link, skipping."),
                "is a symbolic link",
                false,
            ),
            (Finding::Changed, _) => self.report.tell_odd(path, changed(path), CHANGED, false),
            (Finding::Invalid(why), _) => {
                self.report.tell_odd(path, format!("Invalid file: {file}"), &why, is_named)
            }
            (Finding::NoPid, _) => self.report.tell_odd(
                path,
                format!("File has no sys.pid entry: {file}"),
                "has no sys.pid",
                is_named,
            ),
            (Finding::Unreadable(error), _) if error.kind() == ErrorKind::PermissionDenied => self
                .report
                .tell_odd(path, format!("Permission denied: {file}"), &error.to_string(), true),
            (Finding::Unreadable(error), _) => self.report.complain(path, error),
            (Finding::Gone, _) if is_missing => {
                self.report.complain(path, "No such file or directory")
            }
            (Finding::Gone | Finding::Ignored | Finding::Stats(_), _) => Ok(()),
        }
    }

    /// Removes what a dead process left, if it is still that at a second look.
    fn remove(
        &mut self,
        entry: &Entry,
        stats: &Stats,
        reason: Reason,
        last_words: &[u8],
    ) -> Result<(), Stop> {
        let path = &entry.path;
        self.report.announce(path, stats, reason, last_words)?;
        if self.options.dry_run {
            return self.report.tell(path, stats, Action::WouldRemove, None);
        }
        let removed = match self.looker.scrape(entry, |_| {}) {
            Finding::Stats(now) if now.is_same(stats) && matches!(now.state, State::Dead(_)) => {
                entry.remove(&now.opened)
            }
            _ => Ok(false),
        };
        match removed {
            Ok(true) => self.report.tell(path, stats, Action::Removed, None),
            Ok(false) => self.report.tell_odd(path, changed(path), CHANGED, false),
            Err(error) => self.report.tell(path, stats, Action::Failed, Some(error.to_string())),
        }
    }
}

const CHANGED: &str = "has changed meanwhile";

fn changed(path: &Path) -> String {
    format!("{} {CHANGED}, skipping.", HarmlessPath::new(path))
}

/// What processes began to make in a directory, and perhaps will not end.
fn unfinished(directory: &Path) -> Vec<PathBuf> {
    // That it cannot be listed has been told already.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| pid_of_unfinished(path).is_some())
        .collect();
    paths.sort_unstable();
    paths
}

/// A file's stats, as `slurpstats` prints them.
fn render(path: &Path, sample: &Sample<'_>, json: bool, style: TextStyle) -> Vec<u8> {
    let rows: Vec<Row<'_>> = sample.fields().collect();
    if !json {
        let mut output = String::new();
        // A `String` takes everything.
        let _ = text::write_file(&mut output, path, sample.verdict(), &rows, style);
        return output.into_bytes();
    }
    let mut output = Vec::new();
    let file =
        json::File::new(path, sample.layout().version, sample.pid(), sample.verdict().liveness);
    for row in &rows {
        let _ = json::write_line(&mut output, &file, row);
    }
    output
}
