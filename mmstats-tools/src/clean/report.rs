//! Reports about files, as text or as JSON. Where the Python mmstats had a message, the text is the
//! same.

use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::path::Path;

use mmstats_std::liveness::Reason;
use serde::Serialize;

use super::inspector::{FileState, Stats};
use crate::command::{Stop, finish};
use crate::console::Console;
use crate::escape::{EscapedPath, lossless_path};
use crate::render::json;
use crate::render::text::TextStyle;

/// How to report.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReportOptions {
    pub(super) json: bool,
    /// Whether to print only errors.
    pub(super) quiet: bool,
    /// Whether rounds are repeated; then lines that the previous round reported are skipped.
    pub(super) repeats: bool,
    /// Whether nothing is removed.
    pub(super) dry_run: bool,
    /// Whether a minimum age is set.
    pub(super) has_min_age: bool,
}

/// Reports files and counts them.
pub(super) struct Report<'s, 'c> {
    pub(super) console: &'s mut Console<'c>,
    pub(super) options: ReportOptions,
    pub(super) counts: FileCounts,
    /// Whether anything failed, for the exit status.
    pub(super) failed: bool,
    /// Lines reported in the previous round, and in this one.
    reported: [HashSet<String>; 2],
}

/// Numbers of files by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct FileCounts {
    pub(super) removed: u64,
    pub(super) alive: u64,
    pub(super) unknown: u64,
    pub(super) failed: u64,
    /// Counted with a minimum age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) young: Option<u64>,
    /// Counted in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) would_remove: Option<u64>,
}

/// The action taken on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileAction {
    Removed,
    #[serde(rename = "would remove")]
    WouldRemove,
    Kept,
    Failed,
}

/// The JSON object of a file.
#[derive(Serialize)]
struct ReportLine<'l> {
    file: String,
    pid: Option<u32>,
    liveness: Option<&'static str>,
    reason: Option<&'l str>,
    action: FileAction,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl<'s, 'c> Report<'s, 'c> {
    pub(super) fn new(console: &'s mut Console<'c>, options: ReportOptions) -> Self {
        Report {
            console,
            options,
            counts: FileCounts::default(),
            failed: false,
            reported: Default::default(),
        }
    }

    /// Resets the counts for a new round.
    pub(super) fn begin_round(&mut self) {
        self.reported.swap(0, 1);
        self.reported[1].clear();
        let count = |is_counted: bool| is_counted.then_some(0);
        self.counts = FileCounts {
            young: count(self.options.has_min_age),
            would_remove: count(self.options.dry_run),
            ..FileCounts::default()
        };
    }

    /// Returns the style of stats on this output.
    pub(super) fn style(&self) -> TextStyle {
        TextStyle { colour: self.console.colour, annotated: self.console.is_terminal, help: false }
    }

    /// Announces a removal before it happens, so that every removed file is reported.
    pub(super) fn announce(
        &mut self,
        path: &Path,
        stats: &Stats,
        reason: Reason,
        final_values: &[u8],
    ) -> Result<(), Stop> {
        let verb = if self.options.dry_run { "Would delete" } else { "Deleting" };
        let line =
            format!("{} {verb} {}", process_status(stats.pid, reason), EscapedPath::new(path));
        if self.options.dry_run && !self.is_new(&line) {
            return Ok(());
        }
        if !self.options.json && !self.options.quiet {
            self.print(&line)?;
        }
        self.write(final_values)
    }

    /// Reports the action taken on a file, and counts it.
    pub(super) fn report(
        &mut self,
        path: &Path,
        stats: &Stats,
        action: FileAction,
        error: Option<String>,
    ) -> Result<(), Stop> {
        *match action {
            FileAction::Removed => &mut self.counts.removed,
            FileAction::WouldRemove => self.counts.would_remove.get_or_insert_default(),
            FileAction::Failed => &mut self.counts.failed,
            FileAction::Kept => match stats.state {
                FileState::Alive(_) => &mut self.counts.alive,
                FileState::Young(..) => self.counts.young.get_or_insert_default(),
                FileState::Dead(_) | FileState::Unknown => &mut self.counts.unknown,
            },
        } += 1;
        if let (FileAction::Failed, Some(error)) = (action, &error) {
            self.print_failure(format!("Could not remove {}: {error}", EscapedPath::new(path)))?;
        }
        if action == FileAction::Kept {
            // In repeated rounds, only files that need attention are reported.
            if self.options.repeats && stats.state != FileState::Unknown {
                return Ok(());
            }
            if let Some(line) = describe_kept(path, stats) {
                self.print_note(line)?;
            }
        }
        self.write_object(&ReportLine {
            file: lossless_path(path),
            pid: Some(stats.pid),
            liveness: Some(json::liveness_name(stats.state.liveness())),
            reason: Some(&stats.reason),
            action,
            error,
        })
    }

    /// Reports a skipped file: prints `message`, or as JSON an object with `why`. Skipping a file
    /// is a failure if it was named as an argument.
    pub(super) fn report_skipped(
        &mut self,
        path: &Path,
        message: String,
        why: &str,
        is_failure: bool,
    ) -> Result<(), Stop> {
        let action = if is_failure { FileAction::Failed } else { FileAction::Kept };
        if is_failure {
            self.counts.failed += 1;
            self.print_failure(message)?;
        } else {
            self.counts.unknown += 1;
            self.print_note(message)?;
        }
        self.write_unjudged(path, action, why.to_owned())
    }

    /// Reports an error.
    pub(super) fn report_error(&mut self, path: &Path, why: impl fmt::Display) -> Result<(), Stop> {
        self.failed = true;
        self.counts.failed += 1;
        let why = why.to_string();
        if self.is_new(&format!("{}: {why}", EscapedPath::new(path))) {
            self.console.report_path(path, &why);
        }
        self.write_unjudged(path, FileAction::Failed, why)
    }

    /// Writes the object of a file whose process was not judged.
    fn write_unjudged(
        &mut self,
        path: &Path,
        action: FileAction,
        error: String,
    ) -> Result<(), Stop> {
        let file = lossless_path(path);
        let error = Some(error);
        self.write_object(&ReportLine {
            file,
            pid: None,
            liveness: None,
            reason: None,
            action,
            error,
        })
    }

    /// Prints the counts.
    pub(super) fn print_summary(&mut self, counts: &FileCounts) -> Result<(), Stop> {
        if self.options.json {
            return self.write(&json_line(counts));
        }
        if self.options.quiet {
            return Ok(());
        }
        match counts.would_remove {
            Some(count) => self.print(&format!("Would remove {count}  -  {} alive", counts.alive)),
            None => self.print(&format!("Removed {}  -  {} alive", counts.removed, counts.alive)),
        }
    }

    /// Prints a line that is not about an error.
    fn print_note(&mut self, line: String) -> Result<(), Stop> {
        if self.options.json || self.options.quiet || !self.is_new(&line) {
            Ok(())
        } else {
            self.print(&line)
        }
    }

    fn print_failure(&mut self, line: String) -> Result<(), Stop> {
        self.failed = true;
        if !self.is_new(&line) {
            return Ok(());
        }
        if self.options.json {
            self.console.report(line);
            return Ok(());
        }
        self.print(&line)
    }

    fn is_new(&mut self, line: &str) -> bool {
        if !self.options.repeats {
            return true;
        }
        let [before, now] = &mut self.reported;
        now.insert(line.to_owned()) && !before.contains(line)
    }

    fn print(&mut self, line: &str) -> Result<(), Stop> {
        self.write(format!("{line}\n").as_bytes())
    }

    fn write_object(&mut self, line: &ReportLine<'_>) -> Result<(), Stop> {
        if !self.options.json {
            return Ok(());
        }
        let bytes = json_line(line);
        // A removal is reported even if a file of the same name was removed before.
        let is_new =
            line.action == FileAction::Removed || self.is_new(&String::from_utf8_lossy(&bytes));
        if is_new { self.write(&bytes) } else { Ok(()) }
    }

    /// Writes bytes and flushes them, so that they are out before the next action.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let written = self.console.out.write_all(bytes).and_then(|()| self.console.out.flush());
        finish(written, self.console)
    }
}

/// Formats an object as a line of JSON.
fn json_line(object: &impl Serialize) -> Vec<u8> {
    let mut line = Vec::new();
    // Writing to a `Vec` cannot fail.
    let _ = json::write_object(&mut line, object);
    line
}

/// Describes why a file is kept; `None` if the only reason is that its process is alive.
fn describe_kept(path: &Path, stats: &Stats) -> Option<String> {
    let (file, pid) = (EscapedPath::new(path), stats.pid);
    match stats.state {
        FileState::Alive(Reason::RunsAsOther) => {
            Some(format!("PID {pid} is alive but owned by another user, skipping."))
        }
        FileState::Alive(Reason::Unmapped) => {
            Some(format!("PID {pid} is alive but no longer writes to {file}, skipping."))
        }
        FileState::Alive(Reason::Mapped) => Some(format!(
            "PID {pid} may be alive: a process has {file} mapped to write to it, skipping."
        )),
        FileState::Unknown => {
            Some(format!("PID {pid} cannot be judged ({}), skipping {file}", stats.reason))
        }
        FileState::Young(reason, age) => Some(format!(
            "{} Modified {}s ago, skipping {file}",
            process_status(pid, reason),
            age.as_secs()
        )),
        FileState::Alive(_) | FileState::Dead(_) => None,
    }
}

/// Describes the state of a process.
fn process_status(pid: u32, reason: Reason) -> String {
    match reason {
        Reason::Zombie => format!("PID {pid} has ended."),
        Reason::OtherStart => format!("PID {pid} is another process now."),
        Reason::OtherBoot => format!("PID {pid} is of an earlier boot."),
        _ => format!("PID {pid} not found."),
    }
}
