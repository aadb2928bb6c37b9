//! `topstats` in a terminal, controlled by its keys.

mod batch;
mod details;
mod rows;
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use mmstats_std::{Counter, Flag, Gauge, Histogram, Options, Published, Text, model, publish};
use mmstats_tests::cli::{VersionOne, program};
use mmstats_tests::tmux::Tmux;
use tempfile::TempDir;

model! {
/// The stats of a web shop.
    pub(crate) struct Shop in "shop." {
        /// Orders that were taken.
        orders: Counter,
        orders_failed: Counter = "orders.failed",
        get_ok: Counter = "http{method=\"GET\",code=\"200\"}",
        get_missing: Counter = "http{method=\"GET\",code=\"404\"}",
        /// Of the process.
        memory: Gauge<u64> [bytes] => 1_270_000,
        /// Of the machine room.
        temperature: Gauge<i16> [celsius.e(-1)] => 215,
        open: Flag => true,
        /// From a request to the end of its response.
        latency: Histogram<2, 20, u32> [microseconds],
        worker: Text<32> => "idle",
    }
}

/// A terminal in a directory of files.
struct Top {
    tmux: Tmux,
    dir: TempDir,
}

impl Top {
    fn new() -> Top {
        Top::sized(80, 24)
    }

    fn sized(columns: u16, lines: u16) -> Top {
        let top = Top { tmux: Tmux::sized(columns, lines), dir: tempfile::tempdir().unwrap() };
        top.tmux.run(&format!("cd {}; clear", top.dir.path().display()));
        top.tmux.wait("cleared screen", |screen| screen.trim() == "ready$");
        top
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Publishes in a file with this name until the test ends.
    fn shop(&self, name: &'static str) -> Published<Shop> {
        let directory = self.path().to_str().unwrap().to_owned().leak();
        publish::<Shop>(&Options::new().directory(directory).file_name(name)).unwrap()
    }

    /// Starts `topstats` with these arguments, and waits for its first table.
    fn start(&self, arguments: &str) -> String {
        self.tmux.run(&format!("{} {arguments}", program("--bin", "topstats").display()));
        self.tmux.wait("table", |screen| {
            screen.starts_with("topstats")
                && screen.contains("NAME")
                && !screen.contains("Reading…")
        })
    }

    /// Presses keys, and waits for a screen with this text.
    fn press(&self, keys: &[&str], text: &str) -> String {
        self.tmux.keys(keys);
        self.tmux.wait_for(text)
    }

    /// Returns the line of the screen with this text and a space after it.
    fn line(&self, text: &str) -> String {
        format!("{} ", line(&self.tmux.wait_for(text), text))
    }
}

fn line<'s>(screen: &'s str, text: &str) -> &'s str {
    screen
        .lines()
        .find(|line| line.contains(text))
        .unwrap_or_else(|| panic!("no {text:?} in:\n{screen}"))
}

/// Returns the first words of the table's lines.
fn names(screen: &str) -> Vec<&str> {
    let lines = screen.lines().skip_while(|line| !line.contains("NAME")).skip(1);
    let mut names: Vec<_> = lines
        .map(|line| {
            line.trim_start_matches(['†', '▾', '▸', ' ']).split(' ').next().unwrap_or_default()
        })
        .collect();
    names.pop();
    names.retain(|name| !name.is_empty());
    names
}

/// Returns a file of version 1 of the process with this PID.
fn old_file(pid: u32, label: &str, value: u64) -> Vec<u8> {
    let file = VersionOne::default().field("old.sys.pid", "I", pid.to_ne_bytes());
    file.field(label, "Q", value.to_ne_bytes()).finish()
}

/// Returns the PID of a process that has ended.
fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// Returns the screen with all times replaced.
fn without_time(screen: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in screen.split_inclusive(char::is_whitespace) {
        let is_time = word.len() >= 8
            && word[..8]
                .bytes()
                .enumerate()
                .all(|(at, byte)| if at % 3 == 2 { byte == b':' } else { byte.is_ascii_digit() });
        words.push(if is_time { format!("HH:MM:SS{}", &word[8..]) } else { word.to_owned() });
    }
    words.concat()
}

/// Waits long enough for some scrapes, if any are made.
fn wait_for_scrapes() {
    sleep(Duration::from_millis(500));
}
