//! `soak MINUTES`: writers whose threads come and go, that fork, replace their program, are killed,
//! run in another time namespace, meet a full file system or have their files truncated, while all
//! five tools read their files, and their wall clock is set forward and back. Each writer
//! acknowledges its counts by itself.
//!
//! Fails if a count is lost or made up, if a sum ever decreases or a rate is impossible, if a live
//! process is taken for dead, or if a tool ends, panics, refuses a request, or needs more memory or
//! descriptors in the second half of the time. To be run as root in a mount namespace of its own.

mod clock;
mod liveness;
mod tools;
mod writer;

use clock::Clock;
use mmstats_tests::cli::{program, run};
use mmstats_tests::damage::Random;
use mmstats_tests::programs::{Program, directory};
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};
use tools::Tools;

/// The directories; the tools read all of them.
const DIRECTORIES: [&str; 4] = ["churn", "exact", "full", "truncated"];
/// The most steps of a writer in progress when it is killed: they may be counted or not.
const MAX_UNACKNOWLEDGED: u64 = 4;
/// The number of files above which no writer is started, and those that run are ended.
const MAX_FILES: usize = 200;
/// The time after which a wait fails.
const TIMEOUT: Duration = Duration::from_secs(180);

/// The counts of a writer.
#[derive(Default)]
struct Account {
    zone: &'static str,
    scene: &'static str,
    acknowledged: u64,
    /// Counts in its files, as cleanstats printed them when it removed them.
    read: u64,
}

/// The state that all threads share.
struct Soak {
    root: PathBuf,
    clock: Clock,
    middle: Instant,
    end: Instant,
    writers: AtomicU64,
    killed: AtomicU64,
    /// Writers that got no file at first, because the file system was full.
    refused: AtomicU64,
    accounts: Mutex<BTreeMap<u64, Account>>,
    violations: Mutex<Vec<String>>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", zone, scene, path] => writer::run(zone, scene, path),
        [minutes] => return soak(minutes.parse().expect("a number of minutes")),
        _ => panic!("usage: soak MINUTES"),
    }
    ExitCode::SUCCESS
}

fn soak(minutes: f64) -> ExitCode {
    let directory = directory();
    for name in DIRECTORIES.iter().chain(&["acknowledged"]) {
        fs::create_dir(directory.path().join(name)).expect("a new directory");
    }
    let full = directory.path().join("full");
    let mount =
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&full));
    assert_eq!(mount.status, 0, "{}", mount.err);
    // Building them takes no time of the soak.
    for tool in ["slurpstats", "pollstats", "topstats", "cleanstats", "mmash"] {
        program_of(tool);
    }
    let half = Duration::from_secs_f64(minutes * 30.0);
    let soak = Soak {
        root: directory.path().to_owned(),
        clock: Clock::new(directory.path()),
        middle: Instant::now() + half,
        end: Instant::now() + 2 * half,
        writers: AtomicU64::new(0),
        killed: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        accounts: Mutex::default(),
        violations: Mutex::default(),
    };
    let tools = Tools::start(&soak);
    let slots: [&[&str]; 8] = [
        &["churn"],
        &["churn"],
        &["churn", "old"],
        &["churn", "temporary"],
        &["exact"],
        &["exact"],
        &["full"],
        &["truncated"],
    ];
    thread::scope(|scope| {
        let tools = &tools;
        let soak = &soak;
        let slots = (1..).zip(slots).map(|(seed, zones)| {
            scope.spawn(move || {
                let mut random = Random(seed);
                while soak.is_running() {
                    // On a loaded machine, cleanstats may be slower than the writers.
                    if soak.has_many_files() {
                        sleep(Duration::from_millis(100));
                        continue;
                    }
                    let zone = zones[random.below(zones.len())];
                    soak.run_writer(zone, &mut random, tools);
                }
            })
        });
        let mut threads: Vec<_> = slots.collect();
        threads.push(scope.spawn(move || {
            let mut random = Random(0);
            while soak.is_running() {
                sleep(Duration::from_millis(1500 + random.below(5000) as u64));
                // Between two steps, mmash sees all files.
                tools.wait_for_scrapes(2);
                soak.clock.step(&mut random);
            }
        }));
        let threads = threads.into_iter().chain(tools.watch(scope, soak));
        for thread in threads.collect::<Vec<_>>() {
            if thread.join().is_err() {
                soak.report("a thread of the soak panicked".into());
            }
        }
    });
    tools.end(&soak);
    run(Command::new("umount").arg(&full));
    soak.check_accounts();
    let violations = lock(&soak.violations);
    println!("{} violations", violations.len());
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Soak {
    fn is_running(&self) -> bool {
        Instant::now() < self.end
    }

    /// Reports a violation, of which only the first are printed.
    fn report(&self, violation: String) {
        let mut violations = lock(&self.violations);
        if violations.len() < 50 {
            eprintln!("VIOLATION: {violation}");
        }
        violations.push(violation);
    }

    fn check(&self, is_so: bool, violation: impl FnOnce() -> String) {
        if !is_so {
            self.report(violation());
        }
    }

    fn has_many_files(&self) -> bool {
        list(&self.directory("churn")).len() > MAX_FILES
    }

    /// Returns the directory of a zone.
    fn directory(&self, zone: &str) -> PathBuf {
        self.root.join(if DIRECTORIES.contains(&zone) { zone } else { "churn" })
    }

    /// Returns the files of a writer.
    fn files(&self, zone: &str, writer: u64) -> Vec<PathBuf> {
        let files = list(&self.directory(zone)).into_iter();
        files.filter(|path| writer_of(path) == Some(writer)).collect()
    }

    /// Runs a writer for some time.
    fn run_writer(&self, zone: &'static str, random: &mut Random, tools: &Tools) {
        let writer = self.writers.fetch_add(1, Ordering::Relaxed);
        let acknowledged = self.root.join("acknowledged").join(writer.to_string());
        fs::write(&acknowledged, [0; 8]).expect("there is room");
        let counted = || {
            let bytes = fs::read(&acknowledged).expect("it is there");
            u64::from_ne_bytes(bytes.try_into().expect("8 bytes"))
        };
        let scene = match zone {
            "full" => "steps",
            "truncated" => "rests",
            _ => ["threads", "forks", "execs", "steps"][random.below(4)],
        };
        let ballast = self.root.join("full/ballast");
        if zone == "full" {
            wait("removal of older files", || list(&self.directory(zone)).is_empty());
            fill(&ballast);
        }
        let exe = std::env::current_exe().expect("it has a path");
        let mut command = Command::new("unshare");
        // A quarter sees another time since boot, by which processes are identified.
        if random.below(4) == 0 {
            command.args(["--time", "--boottime", "86400", "--monotonic", "86400"]);
            command.args(["--fork", "--kill-child"]).arg(exe);
        } else {
            command = Command::new(exe);
        }
        command
            .args(["write", zone, scene])
            .arg(&acknowledged)
            .env("MMSTATS_PATH", self.directory(zone))
            .env("MMSTATS_FILES", format!("{writer}-{{PID}}-{{TID}}.mmstats"))
            .envs(self.clock.variables(true))
            .process_group(0);
        let program = Program::spawn(&mut command);
        let end = Instant::now() + Duration::from_millis(100 + random.below(4000) as u64);
        while Instant::now() < end && !self.has_many_files() {
            sleep(Duration::from_millis(50));
        }
        let has_files = || !self.files(zone, writer).is_empty();
        match zone {
            "full" => {
                wait("its first step", || counted() > 0);
                // It has one if a tool has just released a removed file.
                self.refused.fetch_add(u64::from(!has_files()), Ordering::Relaxed);
                fs::remove_file(&ballast).expect("it was created");
                wait("a file when there is room", has_files);
            }
            "truncated" => {
                wait("its file", has_files);
                for file in self.files(zone, writer) {
                    let file = File::options().write(true).open(file).expect("root may");
                    for length in [random.below(5000), 0, random.below(5000)] {
                        sleep(Duration::from_millis(random.below(1500) as u64));
                        file.set_len(length as u64).expect("there is room");
                    }
                }
            }
            _ => (),
        }
        // To end by itself, it would write to the truncated file.
        let kills = zone == "truncated" || random.below(2) == 0;
        if kills {
            self.killed.fetch_add(1, Ordering::Relaxed);
            let _ = kill_process_group(pid(&program), Signal::KILL);
        }
        let end = program.end();
        let expected = if kills { (None, Some(9)) } else { (Some(0), None) };
        let is_quiet = end.errors.is_empty() || zone == "full" && !end.errors.contains("panicked");
        self.check((end.status.code(), end.status.signal()) == expected && is_quiet, || {
            format!("a writer ({zone}, {scene}, killed: {kills}) ended with {end:?}")
        });
        let mut accounts = lock(&self.accounts);
        let account = accounts.entry(writer).or_default();
        (account.zone, account.scene, account.acknowledged) = (zone, scene, counted());
        drop(accounts);
        fs::remove_file(&acknowledged).expect("it was created");
        match zone {
            "truncated" => {
                self.files(zone, writer)
                    .iter()
                    .for_each(|file| fs::remove_file(file).expect("it is there"));
            }
            // Removed after mmash has read the final values, so that its sum is exact.
            "exact" => {
                tools.wait_for_scrapes(2);
                let mut clean = Command::new(program_of("cleanstats"));
                clean.args(["--json", "--print-removed"]).args(self.files(zone, writer));
                let outcome = run(clean.envs(self.clock.variables(false)));
                self.check(outcome.status == 0, || format!("cleanstats: {outcome:?}"));
                outcome.out.lines().for_each(|line| self.account(line));
            }
            _ => (),
        }
    }

    /// Checks a removal that cleanstats reports, or adds a count that it prints.
    fn account(&self, line: &str) {
        if line.ends_with("\"action\":\"removed\"}") {
            return self.check_removed(line);
        }
        let Some(label) =
            line.strip_prefix("{\"label\":\"").and_then(|rest| rest.split('"').next())
        else {
            return;
        };
        if !label.ends_with(".done") {
            return;
        }
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let count = line["value"].as_u64().expect("a count");
        let path = Path::new(line["file"].as_str().expect("a path"));
        // A writer that was killed in its first step leaves a temporary file.
        let Some(writer) = writer_of(path) else { return };
        // Some files are removed before their writer has ended, which has replaced its program.
        lock(&self.accounts).entry(writer).or_default().read += count;
    }

    /// Returns the counts of a zone that cleanstats has printed.
    fn read(&self, zone: &str) -> u64 {
        lock(&self.accounts)
            .values()
            .filter(|account| account.zone == zone)
            .map(|account| account.read)
            .sum()
    }

    fn check_accounts(&self) {
        let mut totals = BTreeMap::<_, (u64, u64, u64)>::new();
        let mut scenes = BTreeMap::new();
        for (writer, account) in &*lock(&self.accounts) {
            let Account { zone, scene, acknowledged, read } = account;
            *scenes.entry(*scene).or_default() += acknowledged;
            let total = totals.entry(*zone).or_default();
            *total = (total.0 + 1, total.1 + acknowledged, total.2 + read);
            // Files of version 1 stay if their PID is in use again; the others remove their own.
            let has_all =
                *read >= *acknowledged || ["old", "temporary", "truncated"].contains(zone);
            let has_more = *read > acknowledged + MAX_UNACKNOWLEDGED;
            self.check(has_all && !has_more, || {
                format!("writer {writer} ({zone}): {acknowledged} acknowledged, {read} read")
            });
        }
        for (zone, (writers, acknowledged, read)) in totals {
            println!("{zone}: {writers} writers, {acknowledged} counts acknowledged, {read} read");
        }
        for (scene, steps) in writer::STEPS_OF {
            let counts: u64 = scenes.get(scene).copied().unwrap_or_default();
            println!("{} {scene}", counts / steps);
        }
        let [killed, refused] =
            [&self.killed, &self.refused].map(|count| count.load(Ordering::Relaxed));
        println!("{killed} writers killed, {refused} without a file at first");
        println!("{} steps of the clock", self.clock.steps());
        self.check(refused > 0, || "the file system was never full".into());
    }
}

/// Returns the files in a directory.
fn list(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("it is there");
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// Returns the number of the writer that a file belongs to.
fn writer_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.split('-').next()?.parse().ok()
}

/// Fills a file system, also with what tools release that still have removed files open.
fn fill(ballast: &Path) {
    let mut file = File::create(ballast).expect("there is room for a name");
    for _ in 0..20 {
        while file.write_all(&[0; 4096]).is_ok() {}
        sleep(Duration::from_millis(100));
    }
}

fn wait(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < TIMEOUT, "timeout waiting for {what}");
        sleep(Duration::from_millis(20));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pid(program: &Program) -> Pid {
    i32::try_from(program.pid()).ok().and_then(Pid::from_raw).expect("a process")
}

fn program_of(name: &str) -> PathBuf {
    program("--bin", name)
}
