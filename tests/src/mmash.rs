//! Runs `mmash`, and publishes files for it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmstats_std::{Counter, Gauge, Histogram, Options, Published, Text, model, publish};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{program, without_environment};
use crate::http::{Response, get};
use crate::programs::{End, Program};

/// The time after which a wait fails.
const TIMEOUT: Duration = Duration::from_secs(180);

/// A running `mmash`, killed on drop.
pub struct Mmash {
    program: Program,
    /// Its address.
    pub address: SocketAddr,
}

/// Returns the command, on a free port.
#[must_use]
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("--bin", "mmash"));
    command.args(["--port", "0"]).args(arguments);
    without_environment(&mut command);
    command
}

/// Returns the same command with a limit of open descriptors.
#[must_use]
pub fn with_descriptors(limit: u32, command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited
        .args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args());
    without_environment(&mut limited);
    limited
}

impl Mmash {
    /// Starts it with a directory.
    #[must_use]
    pub fn serve(directory: &Path, arguments: &[&str]) -> Mmash {
        let directory = directory.to_str().expect("UTF-8");
        Mmash::start(&mut command(&[arguments, &[directory]].concat()))
    }

    /// Starts a command, and waits until it listens.
    ///
    /// # Panics
    /// If it does not print its address.
    #[must_use]
    pub fn start(command: &mut Command) -> Mmash {
        let mut program = Program::spawn(command);
        let url = program.expect("mmash: http://");
        let address =
            url.trim_end_matches('/').parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        Mmash { program, address }
    }

    /// Sends a GET request.
    #[must_use]
    pub fn get(&self, target: &str) -> Response {
        get(self.address, target)
    }

    /// Gets JSON.
    ///
    /// # Panics
    /// If the response is not JSON.
    #[must_use]
    pub fn json(&self, target: &str) -> Value {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.json()
    }

    /// Polls JSON until a condition holds.
    ///
    /// # Panics
    /// If it takes too long.
    pub fn wait_for(&self, target: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            // Until the first scrape is complete, some requests fail.
            let answer = self.get(target);
            assert!([200, 503].contains(&answer.status), "{target}: {}", answer.text());
            if answer.status == 200 && is_so(&answer.json()) {
                return answer.json();
            }
            assert!(Instant::now() < deadline, "{target} is still {}", answer.text());
            sleep(Duration::from_millis(20));
        }
    }

    /// Returns the number of scrapes.
    #[must_use]
    pub fn scrapes(&self) -> u64 {
        self.get("/healthz").json()["scrapes"].as_u64().expect("a number")
    }

    /// Returns its PID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it has exited.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }

    /// Waits until it exits.
    #[must_use]
    pub fn end(self) -> End {
        self.program.end()
    }

    /// Returns its status and standard error if it has exited.
    ///
    /// # Panics
    /// If its status cannot be read.
    pub fn ended(&mut self) -> Option<(ExitStatus, String)> {
        self.program.ended()
    }

    /// Returns its resident memory in bytes.
    ///
    /// # Panics
    /// If `/proc` cannot be read.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Returns its CPU time.
    ///
    /// # Panics
    /// If `/proc` cannot be read.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
        let ticks: u64 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().expect("a number"))
            .sum();
        Duration::from_millis(ticks * 10)
    }
}

model! {
    /// Stats of several kinds.
    pub struct Shop {
        /// Orders that were taken.
        orders: Counter = "shop.orders",
        /// In the shop.
        temperature: Gauge<i16> = "shop.temperature" [celsius.e(-1)],
        /// May be anything.
        load: Gauge<f64> = "shop.load",
        /// From an order to its delivery.
        latency: Histogram<2, 20> = "shop.latency" [milliseconds],
        /// Whether one can order.
        state: Text<32> = "shop.state" => "open",
    }
}

/// Publishes in a directory until the result is dropped.
///
/// # Panics
/// If that fails.
#[must_use]
pub fn shop(directory: &TempDir, file: &'static str) -> Published<Shop> {
    let path = directory.path().to_str().expect("UTF-8").to_owned();
    publish(&Options::new().directory(Box::leak(path.into_boxed_str())).file_name(file))
        .expect("the file can be created")
}

/// Returns the only stat with this label.
///
/// # Panics
/// If there is not exactly one.
#[must_use]
pub fn stat<'v>(stats: &'v Value, label: &str) -> &'v Value {
    let all = stats["stats"].as_array().expect("a list");
    let found: Vec<&Value> = all.iter().filter(|stat| stat["label"] == label).collect();
    let [stat] = found[..] else { panic!("{label}: {found:?}") };
    stat
}

/// Options for a server that scrapes often.
pub const FAST: [&str; 2] = ["-d", "0.1"];

/// Copies a file of the released original's into a directory.
///
/// # Panics
/// If it cannot be copied.
pub fn copy_golden(name: &str, directory: &Path) -> PathBuf {
    let to = directory.join(name);
    fs::copy(crate::cli::golden().join("v1").join(name), &to).expect("it is there");
    to
}
