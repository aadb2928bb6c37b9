//! All five tools, and what may not happen to them.

use crate::{DIRECTORIES, Soak, lock, pid, program_of, wait};
use mmstats_tests::cli::{run, without_environment};
use mmstats_tests::http::{self, Response};
use mmstats_tests::mmash::{Mmash, command};
use mmstats_tests::programs::Program;
use mmstats_tests::tmux::Tmux;
use rustix::process::{Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle, sleep};
use std::time::{Duration, Instant};

/// The largest memory in KiB and numbers of descriptors and of all files, in each half of the time.
type Sizes = [[u64; 3]; 2];

type NamedProgram = (&'static str, Mutex<Program>);

/// Checks a line of a tool against the totals so far.
type ReadLine = fn(&Soak, &str, &mut Totals);

/// The rates per second that all writers together may reach.
const RATES: RangeInclusive<f64> = 0.0..=1e6;

/// The running tools.
pub(crate) struct Tools {
    root: PathBuf,
    programs: [NamedProgram; 3],
    mmash: Mutex<Mmash>,
    address: SocketAddr,
    terminal: Tmux,
    /// The processes that run all the time.
    pids: BTreeMap<&'static str, u32>,
    sizes: Mutex<BTreeMap<&'static str, Sizes>>,
    /// Those that have ended.
    ended: Mutex<BTreeSet<&'static str>>,
    /// The counters of `mmash --sum`.
    sums: Mutex<BTreeMap<String, f64>>,
    slurps: AtomicU64,
    responses: AtomicU64,
    events: AtomicU64,
}

impl Tools {
    /// Starts those that run all the time.
    pub(crate) fn start(soak: &Soak) -> Tools {
        let paths = DIRECTORIES.map(|name| soak.root.join(name));
        let start = |name: &'static str, arguments: &[&str], directories: &[&str]| {
            let mut command = Command::new(program_of(name));
            command.args(arguments).args(directories).current_dir(&soak.root);
            command.envs(soak.clock.variables(false));
            (name, Mutex::new(Program::spawn(without_environment(&mut command))))
        };
        let programs = [
            start("cleanstats", &["--json", "--print-removed", "-d", "0.5"], &["churn", "full"]),
            start("pollstats", &["--json", "--totals", "-d", "0.5", "*.done"], &DIRECTORIES),
            start("topstats", &["-b", "-d", "0.5", "-c", "1000000"], &DIRECTORIES),
        ];
        let arguments = ["--sum", "-d", "0.25", "--history", "20s"];
        let mut mmash = command(&arguments);
        let mmash = Mmash::start(mmash.args(&paths).envs(soak.clock.variables(false)));
        let terminal = Tmux::new();
        let topstats = program_of("topstats");
        terminal.run(&format!("cd {}", soak.root.display()));
        let clock = soak.clock.variables(false).into_iter();
        let clock = clock.map(|(name, value)| format!("{name}={} ", value.display()));
        terminal.run(&format!(
            "{}{} -d 0.5 {}; echo status $?",
            clock.collect::<String>(),
            topstats.display(),
            DIRECTORIES.join(" ")
        ));
        let shell = terminal.variable("pane_pid");
        let children = format!("/proc/{shell}/task/{shell}/children");
        let child = || fs::read_to_string(&children).ok()?.trim().parse().ok();
        wait("topstats in a terminal", || child().is_some());
        let mut pids: BTreeMap<_, u32> =
            programs.iter().map(|(name, program)| (*name, lock(program).pid())).collect();
        pids.insert("mmash", mmash.pid());
        pids.insert("the soak", std::process::id());
        pids.insert("topstats in a terminal", child().expect("it runs"));
        Tools {
            root: soak.root.clone(),
            programs,
            address: mmash.address,
            mmash: Mutex::new(mmash),
            terminal,
            pids,
            sizes: Mutex::default(),
            ended: Mutex::default(),
            sums: Mutex::default(),
            slurps: AtomicU64::new(0),
            responses: AtomicU64::new(0),
            events: AtomicU64::new(0),
        }
    }

    /// Starts the threads that use and watch the tools.
    pub(crate) fn watch<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        soak: &'s Soak,
    ) -> Vec<ScopedJoinHandle<'s, ()>> {
        let [cleanstats, pollstats, topstats] = &self.programs;
        let lines = |tool: &'s NamedProgram, read: ReadLine| {
            scope.spawn(move || self.read_lines(soak, tool, read))
        };
        let repeat = |milliseconds: u64, mut once: Box<dyn FnMut() + Send + 's>| {
            scope.spawn(move || {
                while soak.is_running() {
                    once();
                    sleep(Duration::from_millis(milliseconds));
                }
            })
        };
        let pages = [
            "/",
            "/graph/",
            "/healthz",
            "/files/",
            "/stats/",
            "/api/v1/files",
            "/api/v1/stats?by=label",
            "/api/v1/query?match=*.done",
        ];
        let mut page = pages.into_iter().cycle();
        let mut keys =
            ["Tab", "s", "Down", "Enter", "Escape", "z", "a", "Right", "u"].into_iter().cycle();
        vec![
            lines(cleanstats, |soak, line, _| soak.account(line)),
            lines(pollstats, check_totals),
            lines(topstats, |_, _, _| ()),
            repeat(1000, Box::new(move || self.sample(soak))),
            repeat(100, Box::new(move || self.slurp(soak))),
            repeat(100, Box::new(move || self.scrape_metrics(soak))),
            repeat(50, Box::new(move || self.get_page(soak, page.next().expect("a cycle")))),
            repeat(0, Box::new(move || self.read_events(soak))),
            repeat(500, Box::new(move || self.terminal.keys(&[keys.next().expect("a cycle")]))),
        ]
    }

    /// Reads what a tool prints.
    fn read_lines(&self, soak: &Soak, (name, program): &NamedProgram, read: ReadLine) {
        let mut totals = Totals::new();
        while soak.is_running() {
            let line = lock(program).next_line();
            match line {
                Ok(line) => read(soak, &line, &mut totals),
                Err(RecvTimeoutError::Timeout) => soak.report(format!("{name} prints nothing")),
                Err(RecvTimeoutError::Disconnected) => {
                    // Its status follows the end of its output.
                    sleep(Duration::from_secs(1));
                    return self.report_end(soak, name);
                }
            }
        }
    }

    /// Waits until mmash has scraped this many times from now on.
    pub(crate) fn wait_for_scrapes(&self, count: u64) {
        // The one that is running began earlier.
        let scrapes = || http::get(self.address, "/healthz").json()["scrapes"].as_u64();
        let enough = scrapes().expect("a number") + count;
        wait("mmash's scrapes", || scrapes() >= Some(enough));
    }

    fn get(&self, soak: &Soak, target: &str) -> Response {
        let response = http::get(self.address, target);
        self.responses.fetch_add(1, Ordering::Relaxed);
        // A loaded machine makes scrapes late.
        let is_well = response.status == 200 || target == "/healthz" && response.status == 503;
        soak.check(is_well, || format!("{target}: {}", response.text()));
        response
    }

    fn get_page(&self, soak: &Soak, target: &str) {
        let before = soak.inodes();
        let response = self.get(soak, target);
        if target == "/api/v1/files" {
            let files = response.json();
            let files = files["files"].as_array().expect("an array").iter();
            let dead = files.filter(|file| file["liveness"] == "dead");
            dead.for_each(|file| soak.check_dead("mmash", &before, file));
        }
    }

    fn scrape_metrics(&self, soak: &Soak) {
        let page = self.get(soak, "/metrics").text();
        let mut sums = BTreeMap::new();
        let mut is_counter = false;
        for line in page.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                is_counter = family.ends_with(" counter") || family.ends_with(" histogram");
            } else if let (true, Some((name, value))) =
                (is_counter && !line.starts_with('#'), line.rsplit_once(' '))
            {
                sums.insert(name.to_owned(), value.parse().expect("a number"));
            }
        }
        let before = &mut *lock(&self.sums);
        check_no_decrease(soak, "mmash", before, sums);
    }

    fn read_events(&self, soak: &Soak) {
        let target = "/events?by=label&match=*.done&interval=0.5";
        let mut stream = http::open(self.address, &http::request(self.address, "GET", target, ""))
            .expect("a response");
        let mut last = 0;
        for _ in 0..20 {
            let (id, data) = stream.event().expect("an event");
            soak.check(id > last, || format!("event {id} after {last}"));
            for stat in data["stats"].as_array().expect("an array") {
                let is_possible = stat["rate"].as_f64().is_none_or(|rate| RATES.contains(&rate));
                soak.check(is_possible, || format!("an impossible rate: {stat}"));
            }
            last = id;
            self.events.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn slurp(&self, soak: &Soak) {
        // Truncated files are errors.
        let (arguments, directories, statuses) =
            match self.slurps.fetch_add(1, Ordering::Relaxed) % 2 {
                0 => (&[][..], &DIRECTORIES[..], 0..=1),
                _ => (&["--json"][..], &DIRECTORIES[..3], 0..=0),
            };
        let before = soak.inodes();
        let mut command = Command::new(program_of("slurpstats"));
        command.args(arguments).args(directories).current_dir(&self.root);
        let outcome = run(command.envs(soak.clock.variables(false)));
        let is_well = statuses.contains(&outcome.status) && !outcome.err.contains("panicked");
        soak.check(is_well, || format!("slurpstats: {} {}", outcome.status, outcome.err));
        for line in outcome.out.lines().filter(|line| line.contains("\"liveness\":\"dead\"")) {
            if line.contains(".done\"") {
                let dead = serde_json::from_str(line).expect("JSON");
                soak.check_dead("slurpstats", &before, &dead);
            }
        }
    }

    /// Measures each tool.
    fn sample(&self, soak: &Soak) {
        let half = usize::from(Instant::now() > soak.middle);
        let files = soak.inodes().len() as u64;
        for (name, pid) in &self.pids {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let Some(memory) = memory.and_then(|line| line.trim().strip_suffix(" kB")) else {
                self.report_end(soak, name);
                continue;
            };
            let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
            let sizes = [memory.parse().expect("a number"), descriptors as u64, files];
            let most = &mut lock(&self.sizes);
            let most = &mut most.entry(name).or_default()[half];
            *most = [0, 1, 2].map(|i| most[i].max(sizes[i]));
        }
    }

    /// Reports how a tool ended that should not have.
    fn report_end(&self, soak: &Soak, name: &'static str) {
        if !lock(&self.ended).insert(name) {
            return;
        }
        let program = self.programs.iter().find(|(known, _)| *known == name);
        let how = match program {
            Some((_, program)) => format!("{:?}", lock(program).ended()),
            None if name == "mmash" => format!("{:?}", lock(&self.mmash).ended()),
            None => self.terminal.screen(),
        };
        soak.report(format!("{name} has ended: {how}"));
    }

    /// Ends all tools, and checks the sums.
    pub(crate) fn end(self, soak: &Soak) {
        // Removes the last files, and reads them.
        self.wait_for_scrapes(2);
        sleep(Duration::from_secs(2));
        self.scrape_metrics(soak);
        self.terminal.keys(&["C-c"]);
        self.terminal.wait_for("status 0");
        for (name, program) in self.programs {
            let program = program.into_inner().unwrap_or_else(PoisonError::into_inner);
            // It may have ended, which was reported.
            let _ = kill_process(pid(&program), Signal::INT);
            let end = program.end();
            if name == "cleanstats" {
                end.lines.iter().for_each(|line| soak.account(line));
            }
            // Truncated files are errors of pollstats; topstats -b handles no signal.
            let is_well = match (name, end.status.code()) {
                ("cleanstats", code) => code == Some(0),
                ("pollstats", code) => code.is_some_and(|code| code <= 1),
                (_, code) => code.is_none() && end.status.signal() == Some(2),
            };
            soak.check(is_well && !end.errors.contains("panicked"), || {
                format!("{name}: {} {:.1000}", end.status, end.errors)
            });
        }
        for (zone, is_exact) in [("exact", true), ("churn", false)] {
            let name = format!("{zone}_done_total");
            let sums = &*lock(&self.sums);
            let sums = sums.iter().filter(|(key, _)| key.starts_with(&name));
            let (sum, read) = (sums.map(|(_, sum)| sum).sum::<f64>(), soak.read(zone) as f64);
            println!("{zone}: {sum} counts in mmash's sum, {read} read by cleanstats");
            soak.check(sum == read || !is_exact && sum <= read, || {
                format!("mmash's sum of {zone} is {sum}, {read} were read")
            });
        }
        let mmash = self.mmash.into_inner().unwrap_or_else(PoisonError::into_inner);
        mmash.signal(Signal::INT);
        let end = mmash.end();
        let is_well = end.status.success() && !end.errors.contains("panicked");
        soak.check(is_well, || format!("mmash: {end:?}"));
        for (name, [first, second]) in &*lock(&self.sizes) {
            println!("{name}: at most {first:?}, then {second:?} KiB, descriptors and files");
            // On a machine that is less loaded than before, there are more files.
            let more = (second[2] as f64 / first[2].max(1) as f64).max(1.0);
            let memory = first[0] as f64 * more * 1.1 + 2048.0;
            let descriptors = first[1] as f64 * more * 1.25 + 8.0;
            let is_bounded = second[0] as f64 <= memory && second[1] as f64 <= descriptors;
            soak.check(is_bounded, || format!("{name} grows"));
        }
        println!(
            "{} responses and {} events of mmash, {} runs of slurpstats",
            self.responses.into_inner(),
            self.events.into_inner(),
            self.slurps.into_inner()
        );
    }
}

type Totals = BTreeMap<String, f64>;

/// Checks a line of pollstats.
fn check_totals(soak: &Soak, line: &str, totals: &mut Totals) {
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let values = line["values"].as_object().expect("an object");
    let values = values.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)));
    check_no_decrease(soak, "pollstats", totals, values.collect());
}

/// Checks that no value decreases or vanishes.
fn check_no_decrease(soak: &Soak, tool: &str, before: &mut Totals, now: Totals) {
    for (name, value) in &*before {
        soak.check(now.get(name) >= Some(value), || {
            format!("{tool}: {name} went from {value} to {:?}", now.get(name))
        });
    }
    *before = now;
}
