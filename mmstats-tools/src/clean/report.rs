//! What is told of files: in the original's words where it had some, and otherwise in its manner;
//! or as JSON.

use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::path::Path;

use mmstats_std::liveness::Reason;
use serde::Serialize;

use super::inspector::{State, Stats};
use crate::command::{Stop, finish};
use crate::console::Console;
use crate::render::escape::{HarmlessPath, valid_path};
use crate::render::json;
use crate::render::text::TextStyle;

/// How it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) json: bool,
    /// Only problems.
    pub(super) quiet: bool,
    /// Nothing that was told in the round before.
    pub(super) once: bool,
    /// Nothing is done, only told.
    pub(super) dry_run: bool,
    /// Files have to have an age.
    pub(super) has_age: bool,
}

/// Tells of files, and counts them.
pub(super) struct Report<'s, 'c> {
    pub(super) console: &'s mut Console<'c>,
    pub(super) manner: Manner,
    pub(super) counts: Counts,
    /// Whether anything that concerns the exit status went wrong.
    pub(super) failed: bool,
    /// What was told in the round before, and in this one.
    told: [HashSet<String>; 2],
}

/// How many files there were of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) removed: u64,
    pub(super) alive: u64,
    pub(super) unknown: u64,
    pub(super) failed: u64,
    /// With a least age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) young: Option<u64>,
    /// In a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) would_remove: Option<u64>,
}

/// What was done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Removed,
    #[serde(rename = "would remove")]
    WouldRemove,
    Kept,
    Failed,
}

/// A file's line in JSON.
#[derive(Serialize)]
struct Line<'l> {
    file: String,
    pid: Option<u32>,
    liveness: Option<&'static str>,
    reason: Option<&'l str>,
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl<'s, 'c> Report<'s, 'c> {
    pub(super) fn new(console: &'s mut Console<'c>, manner: Manner) -> Self {
        Report {
            console,
            manner,
            counts: Counts::default(),
            failed: false,
            told: Default::default(),
        }
    }

    /// Begins a round.
    pub(super) fn begin(&mut self) {
        self.told.swap(0, 1);
        self.told[1].clear();
        let count = |is_counted: bool| is_counted.then_some(0);
        self.counts = Counts {
            young: count(self.manner.has_age),
            would_remove: count(self.manner.dry_run),
            ..Counts::default()
        };
    }

    /// How stats look where these words go.
    pub(super) fn scrape(&self) -> TextStyle {
        TextStyle { colour: self.console.colour, annotated: self.console.is_terminal, help: false }
    }

    /// Tells what is going to be done, before it is done, so that nothing goes of which nobody was
    /// told.
    pub(super) fn announce(
        &mut self,
        path: &Path,
        stats: &Stats,
        reason: Reason,
        last_words: &[u8],
    ) -> Result<(), Stop> {
        let what = if self.manner.dry_run { "Would delete" } else { "Deleting" };
        let line = format!("{} {what} {}", fate(stats.pid, reason), HarmlessPath::new(path));
        if self.manner.dry_run && !self.is_new(&line) {
            return Ok(());
        }
        if !self.manner.json && !self.manner.quiet {
            self.print(&line)?;
        }
        self.write(last_words)
    }

    /// Tells what was done with stats.
    pub(super) fn tell(
        &mut self,
        path: &Path,
        stats: &Stats,
        action: Action,
        problem: Option<String>,
    ) -> Result<(), Stop> {
        *match action {
            Action::Removed => &mut self.counts.removed,
            Action::WouldRemove => self.counts.would_remove.get_or_insert_default(),
            Action::Failed => &mut self.counts.failed,
            Action::Kept => match stats.state {
                State::Alive(_) | State::Mapped => &mut self.counts.alive,
                State::Young(..) => self.counts.young.get_or_insert_default(),
                State::Dead(_) | State::Unknown => &mut self.counts.unknown,
            },
        } += 1;
        if let (Action::Failed, Some(problem)) = (action, &problem) {
            self.fail(format!("Could not remove {}: {problem}", HarmlessPath::new(path)))?;
        }
        if action == Action::Kept {
            // Again and again, only that is told of which something has to be known.
            if self.manner.once && stats.state != State::Unknown {
                return Ok(());
            }
            if let Some(line) = why_kept(path, stats) {
                self.note(line)?;
            }
        }
        self.write_object(&Line {
            file: valid_path(path),
            pid: Some(stats.pid),
            liveness: Some(json::liveness_name(stats.state.liveness())),
            reason: Some(&stats.reason),
            action,
            problem,
        })
    }

    /// Tells of what is no stats of anybody's, in these words of the original. That is a failure of
    /// a file that was named, and no more than a fact of one that was found.
    pub(super) fn tell_odd(
        &mut self,
        path: &Path,
        words: String,
        why: &str,
        is_failure: bool,
    ) -> Result<(), Stop> {
        let action = if is_failure { Action::Failed } else { Action::Kept };
        if is_failure {
            self.counts.failed += 1;
            self.fail(words)?;
        } else {
            self.counts.unknown += 1;
            self.note(words)?;
        }
        self.write_object(&Line {
            file: valid_path(path),
            pid: None,
            liveness: None,
            reason: None,
            action,
            problem: Some(why.to_owned()),
        })
    }

    /// Tells of a problem of which the original knew nothing.
    pub(super) fn complain(&mut self, path: &Path, why: impl fmt::Display) -> Result<(), Stop> {
        self.failed = true;
        self.counts.failed += 1;
        let why = why.to_string();
        if self.is_new(&format!("{}: {why}", HarmlessPath::new(path))) {
            self.console.tell_of(path, &why);
        }
        self.write_object(&Line {
            file: valid_path(path),
            pid: None,
            liveness: None,
            reason: None,
            action: Action::Failed,
            problem: Some(why),
        })
    }

    /// Tells how many there were, at the end.
    pub(super) fn sum_up(&mut self, counts: &Counts) -> Result<(), Stop> {
        if self.manner.json {
            return self.write(&object(counts));
        }
        if self.manner.quiet {
            return Ok(());
        }
        match counts.would_remove {
            Some(count) => self.print(&format!("Would remove {count}  -  {} alive", counts.alive)),
            None => self.print(&format!("Removed {}  -  {} alive", counts.removed, counts.alive)),
        }
    }

    /// What concerns those who want to know more than problems.
    fn note(&mut self, line: String) -> Result<(), Stop> {
        if self.manner.json || self.manner.quiet || !self.is_new(&line) {
            Ok(())
        } else {
            self.print(&line)
        }
    }

    fn fail(&mut self, line: String) -> Result<(), Stop> {
        self.failed = true;
        if !self.is_new(&line) {
            return Ok(());
        }
        if self.manner.json {
            self.console.tell(line);
            return Ok(());
        }
        self.print(&line)
    }

    fn is_new(&mut self, line: &str) -> bool {
        if !self.manner.once {
            return true;
        }
        let [before, now] = &mut self.told;
        now.insert(line.to_owned()) && !before.contains(line)
    }

    fn print(&mut self, line: &str) -> Result<(), Stop> {
        self.write(format!("{line}\n").as_bytes())
    }

    fn write_object(&mut self, line: &Line<'_>) -> Result<(), Stop> {
        if !self.manner.json {
            return Ok(());
        }
        let bytes = object(line);
        // What was removed is news, even if another file of that name was removed before.
        let is_news =
            line.action == Action::Removed || self.is_new(&String::from_utf8_lossy(&bytes));
        if is_news { self.write(&bytes) } else { Ok(()) }
    }

    /// Writes, and sees to it that it arrives before anything else is done.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let written = self.console.out.write_all(bytes).and_then(|()| self.console.out.flush());
        finish(written, self.console)
    }
}

fn object(object: &impl Serialize) -> Vec<u8> {
    let mut line = Vec::new();
    // A `Vec` takes everything.
    let _ = json::write_object(&mut line, object);
    line
}

/// Why stats are kept, if that is not because their process is just alive.
fn why_kept(path: &Path, stats: &Stats) -> Option<String> {
    let (file, pid) = (HarmlessPath::new(path), stats.pid);
    match stats.state {
        State::Alive(Reason::RunsAsOther) => {
            Some(format!("PID {pid} is alive but owned by another user, skipping."))
        }
        State::Mapped => Some(format!(
            "PID {pid} may be alive: a process has {file} mapped to write to it, skipping."
        )),
        State::Unknown => {
            Some(format!("PID {pid} cannot be judged ({}), skipping {file}", stats.reason))
        }
        State::Young(reason, age) => {
            Some(format!("{} Modified {}s ago, skipping {file}", fate(pid, reason), age.as_secs()))
        }
        State::Alive(_) | State::Dead(_) => None,
    }
}

/// What became of a process.
fn fate(pid: u32, reason: Reason) -> String {
    match reason {
        Reason::Zombie => format!("PID {pid} has ended."),
        Reason::OtherStart | Reason::StartedLater => format!("PID {pid} is another process now."),
        Reason::OtherBoot => format!("PID {pid} is of an earlier boot."),
        _ => format!("PID {pid} not found."),
    }
}
