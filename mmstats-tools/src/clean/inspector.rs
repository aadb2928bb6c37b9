//! A look at a file: whether it is what a dead process left.

use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use mmstats_core::reader::Value;
use mmstats_std::identity::Process;
use mmstats_std::liveness::{Evidence, Liveness, Reason, Verdict, liveness};
use mmstats_std::read::{FileError, Reader, Sample, Writer};

use super::entry::{Entry, LINK, Opened, Refusal};
use super::mapped::Mapped;

/// Making a file takes some microseconds; after so long, nobody does it any more.
const BLANK: Duration = Duration::from_secs(60);

/// What a look came to.
pub(super) enum Finding {
    /// Stats, and what is known of their process.
    Stats(Box<Stats>),
    /// A link: what it leads to may be elsewhere.
    Link,
    /// No stats, and why not.
    Invalid(String),
    /// Stats that do not tell of whom they are.
    NoPid,
    /// It cannot be looked at.
    Unreadable(std::io::Error),
    /// It was there a moment ago.
    Gone,
    /// Another file has its name now.
    Changed,
    /// It is being made, or somebody else's who has chosen such a name.
    Ignored,
}

impl From<Refusal> for Finding {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Gone => Finding::Gone,
            Refusal::Is(LINK) => Finding::Link,
            Refusal::Is(found) => Finding::Invalid(FileError::NotAFile { found }.to_string()),
            Refusal::Changed => Finding::Changed,
            Refusal::Io(error) => Finding::Unreadable(error),
        }
    }
}

/// Stats that name their process.
pub(super) struct Stats {
    pub(super) opened: Opened,
    pub(super) pid: u32,
    pub(super) state: State,
    /// For people.
    pub(super) reason: Cow<'static, str>,
    writer: Option<Writer>,
}

/// What becomes of stats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// They may be removed.
    Dead(Reason),
    /// The same, but not yet, because they were modified so long ago.
    Young(Reason, Duration),
    /// They are kept, and why.
    Alive(Reason),
    /// They are kept, as some process has them mapped.
    Mapped,
    /// They are kept, as it cannot be told.
    Unknown,
}

impl State {
    pub(super) fn liveness(self) -> Liveness {
        match self {
            State::Dead(_) | State::Young(..) => Liveness::Dead,
            State::Alive(_) | State::Mapped => Liveness::Alive,
            State::Unknown => Liveness::Unknown,
        }
    }
}

impl Stats {
    /// Whether it is still the same file of the same process.
    pub(super) fn is_same(&self, earlier: &Stats) -> bool {
        (self.opened.id(), self.pid, self.writer)
            == (earlier.opened.id(), earlier.pid, earlier.writer)
    }
}

/// Looks at files one after another.
#[derive(Default)]
pub(super) struct Looker {
    reader: Reader,
    mapped: Mapped,
    min_age: Duration,
    /// Whether files that do not tell their PID namespace are of this one.
    same_namespace: bool,
}

impl Looker {
    /// Takes no files for dead that were modified less than this ago, or may be of a PID namespace
    /// that cannot be seen from here.
    pub(super) fn new(min_age: Duration, same_namespace: bool) -> Looker {
        Looker { min_age, same_namespace, ..Looker::default() }
    }

    /// Forgets what processes have mapped by now.
    pub(super) fn begin(&mut self) {
        self.mapped.forget();
    }

    /// Looks at an entry, and lets somebody `see` what is in it if it may be removed.
    pub(super) fn scrape(&mut self, entry: &Entry, see: impl FnOnce(&Sample<'_>)) -> Finding {
        let finding = self.look_inside(entry, see);
        let is_dead =
            matches!(&finding, Finding::Stats(stats) if matches!(stats.state, State::Dead(_)));
        // Whatever else is under such a name: nobody wants to know of what comes and goes.
        if is_dead || pid_of_unfinished(&entry.path).is_none() { finding } else { Finding::Ignored }
    }

    fn look_inside(&mut self, entry: &Entry, see: impl FnOnce(&Sample<'_>)) -> Finding {
        let opened = match entry.open() {
            Ok(opened) => opened,
            Err(refusal) => return refusal.into(),
        };
        let length = opened.stat.st_size;
        let sample = match self.reader.read_file(&opened.file) {
            Ok(sample) => sample,
            Err(FileError::Io(error)) => return Finding::Unreadable(error),
            Err(error) => {
                return match pid_of_unfinished(&entry.path) {
                    Some(pid) if is_blank(&opened) => self.judge_blank(entry, opened, pid),
                    _ => Finding::Invalid(error.to_string()),
                };
            }
        };
        let layout = sample.layout();
        if let Some(problem) = layout.errors.first() {
            return Finding::Invalid(problem.clone());
        }
        if layout
            .region_length()
            .is_some_and(|region| u64::try_from(length).is_ok_and(|length| length > region.into()))
        {
            return Finding::Invalid("goes on behind its stats, as memory does".to_owned());
        }
        let Some(pid) = sample.pid().filter(|pid| *pid > 0) else { return Finding::NoPid };
        let claim = Claim::of(&sample, entry, self.same_namespace);
        let (state, reason) = self.mapped.judge(entry, &opened, pid, &claim);
        let state = state.unless_young(&opened, self.min_age);
        if matches!(state, State::Dead(_)) {
            see(&sample);
        }
        Finding::Stats(Box::new(Stats {
            opened,
            pid,
            state,
            reason,
            writer: Some(sample.writer()),
        }))
    }

    /// Judges a file that has no content yet, by the PID in its name.
    fn judge_blank(&mut self, entry: &Entry, opened: Opened, pid: u32) -> Finding {
        let modified = SystemTime::now().checked_sub(opened.age());
        let verdict = liveness(&Evidence { pid: Some(pid), modified, ..Evidence::default() });
        let is_hidden = !sees_all_processes(self.same_namespace);
        let claim = Claim {
            verdict,
            is_exact: false,
            is_hidden,
            is_elsewhere: entry.is_shared_by_machines(),
        };
        let (state, reason) = self.mapped.judge(entry, &opened, pid, &claim);
        let state = state.unless_young(&opened, self.min_age.max(BLANK));
        Finding::Stats(Box::new(Stats { opened, pid, state, reason, writer: None }))
    }
}

/// What a file says of its process, and how far that can be trusted.
struct Claim {
    verdict: Verdict,
    /// Whether it tells in which namespace its PID counts.
    is_exact: bool,
    /// Whether it may be of a process that cannot be seen from here.
    is_hidden: bool,
    /// Whether it may be of a process on another machine.
    is_elsewhere: bool,
}

impl Claim {
    fn of(sample: &Sample<'_>, entry: &Entry, same_namespace: bool) -> Claim {
        let verdict = sample.verdict();
        let is_dead = verdict.liveness == Liveness::Dead;
        let is_exact = matches!(sample.find("sys.pid_namespace"), Some(Value::Unsigned(1..)));
        Claim {
            verdict,
            is_exact,
            is_hidden: is_dead && !is_exact && !sees_all_processes(same_namespace),
            is_elsewhere: is_dead && entry.is_shared_by_machines() && !is_of_this_boot(sample),
        }
    }
}

/// Whether a file was made by a process of this machine since it was started.
fn is_of_this_boot(sample: &Sample<'_>) -> bool {
    match (sample.find("sys.boot_id"), Process::current().boot_id) {
        (Some(Value::Text(theirs)), Some(ours)) => theirs == ours.as_bytes(),
        _ => false,
    }
}

impl Mapped {
    /// Judges by what a file says, and where that is no proof of death, by whether somebody has it
    /// mapped.
    fn judge(
        &mut self,
        entry: &Entry,
        opened: &Opened,
        pid: u32,
        claim: &Claim,
    ) -> (State, Cow<'static, str>) {
        let reason = claim.verdict.reason;
        let told = Cow::Borrowed(reason.as_str());
        match claim.verdict.liveness {
            Liveness::Alive => return (State::Alive(reason), told),
            Liveness::Unknown => return (State::Unknown, told),
            Liveness::Dead => {}
        }
        if claim.is_elsewhere {
            return (State::Unknown, Cow::Borrowed("its process may be on another machine"));
        }
        if claim.is_hidden {
            return (State::Unknown, Cow::Borrowed("its process may be in another PID namespace"));
        }
        if !claim.is_exact || matches!(reason, Reason::OtherStart | Reason::StartedLater) {
            self.scrape(&opened.stat);
            if self.holds(&entry.path, &opened.stat) {
                return (State::Mapped, Cow::Borrowed("a process has it mapped to write to it"));
            }
            if reason == Reason::StartedLater && self.is_hidden(pid) {
                return (
                    State::Unknown,
                    Cow::Borrowed("its process may be another one, or the clock was set"),
                );
            }
        }
        (State::Dead(reason), told)
    }
}

/// The inode number of the first PID namespace, which is part of the kernel's ABI
/// (`PROC_PID_INIT_INO`).
const FIRST_PID_NAMESPACE: u64 = 0xeffffffc;

/// Whether there are no processes but those that are shown here, as from within a container there
/// may be; unless all are said to be in the same namespace.
fn sees_all_processes(same_namespace: bool) -> bool {
    let is_first = || {
        fs::metadata("/proc/self/ns/pid")
            .is_ok_and(|namespace| namespace.ino() == FIRST_PID_NAMESPACE)
    };
    (same_namespace || is_first()) && fs::read_dir("/proc").is_ok()
}

impl State {
    fn unless_young(self, opened: &Opened, min_age: Duration) -> State {
        match (self, opened.age()) {
            (State::Dead(reason), age) if age < min_age => State::Young(reason, age),
            _ => self,
        }
    }
}

/// The process that is making a file of this name, which is `.mmstats-PID-NUMBER.tmp`.
pub(super) fn pid_of_unfinished(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    let (pid, number) = name.strip_prefix(".mmstats-")?.strip_suffix(".tmp")?.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(pid) && is_number(number) { pid.parse().ok() } else { None }
}

/// Whether there is nothing at its beginning: that is written last.
fn is_blank(opened: &Opened) -> bool {
    let mut beginning = [0; 4];
    opened.file.read_at(&mut beginning, 0).is_ok_and(|_| beginning == [0; 4])
}
