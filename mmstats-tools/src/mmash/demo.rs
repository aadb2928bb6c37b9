//! An example workload: a simulated web server, a device, and a process that crashes.

use std::env;
use std::f64::consts::TAU;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mmstats_std::{
    Constant, ConstantText, Counter, Gauge, Histogram, Options, Published, Text, V1, clock, model,
    publish,
};
use tempfile::{Builder, TempDir};

/// The preferred parent of the temporary directory.
const SHARED_MEMORY: &str = "/dev/shm";

/// Time between two steps of the workload.
const STEP_INTERVAL: Duration = Duration::from_millis(50);

/// The time after which the process crashes.
const CRASH_DELAY: Duration = Duration::from_secs(5);

model! {
    /// One worker of a web server.
    struct Worker {
        /// Answered requests.
        get_ok: Counter = "http.requests{method=\"GET\",status=\"200\"}",
        /// Answered requests.
        get_missing: Counter = "http.requests{method=\"GET\",status=\"404\"}",
        /// Answered requests.
        post_ok: Counter = "http.requests{method=\"POST\",status=\"200\"}",
        /// Answered requests.
        post_failed: Counter = "http.requests{method=\"POST\",status=\"500\"}",
        /// Bytes sent.
        sent: Counter = "http.sent" [bytes],
        /// Time from a request to the end of its response.
        latency: Histogram<3, 32> = "http.latency" [microseconds],
        /// Time of the last request.
        last: Gauge<f64> = "http.last_request" [unixtime],
        /// Requests waiting for the worker.
        queue: Gauge<u32> = "worker.queue",
        /// Fraction of time the worker was busy.
        busy: Gauge<f32> = "worker.busy" [ratio],
        /// Current activity.
        state: Text<32> = "worker.state" => "starting",
        /// Version of the program.
        version: ConstantText<16> = "build.version" => env!("CARGO_PKG_VERSION"),
        /// Maximum number of waiting requests.
        limit: Constant<u32> = "worker.queue_limit" => 64,
    }
}

model! {
    /// A device with sensors.
    struct Device {
        /// Temperature of the housing.
        temperature: Gauge<i16> = "device.temperature" [celsius.e(-1)],
        /// Voltage of the battery.
        voltage: Gauge<u16> = "device.battery" [volts.e(-3)],
        /// Steps of the motor.
        steps: Counter<u32> = "device.motor.steps",
    }
}

model! {
    /// An old program, which writes version 1.
    struct Old {
        jobs: Counter = "batch.jobs",
        backlog: Gauge<i32> = "batch.backlog",
        job: Text<32> = "batch.job" => "nothing",
    }
}

/// A running workload, which stops on drop.
pub(super) struct Demo {
    directory: TempDir,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Demo {
    /// Starts the workload, with its files in a temporary directory.
    pub(super) fn start() -> Result<Demo, String> {
        let explain = |error: io::Error| format!("cannot start the demo: {error}");
        let in_memory = Builder::new().prefix("mmash-demo-").tempdir_in(SHARED_MEMORY);
        let directory = in_memory
            .or_else(|_| Builder::new().prefix("mmash-demo-").tempdir())
            .map_err(explain)?;
        let crashing = start_crashing_process(directory.path()).map_err(explain)?;
        let (stop, stopped) = mpsc::channel();
        let (report_start, started) = mpsc::channel();
        let path = directory.path().to_owned();
        let work = move || match Workload::new(&path) {
            Ok(mut workload) => {
                // The first scrape must not show zeros.
                workload.step(0.0);
                let _ = report_start.send(Ok(()));
                workload.run(&stopped, crashing);
            }
            Err(error) => drop(report_start.send(Err(error))),
        };
        let thread = thread::Builder::new().name("demo".to_owned()).spawn(work).map_err(explain)?;
        let demo = Demo { directory, stop: Some(stop), thread: Some(thread) };
        started
            .recv()
            .unwrap_or_else(|_| Err("cannot start the demo: its thread ended".to_owned()))?;
        Ok(demo)
    }

    /// Returns the directory of its files.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns options for files in a directory. They are leaked, as options need static strings.
fn options(directory: &Path, file: &'static str) -> Result<Options, String> {
    let directory = directory
        .to_str()
        .ok_or("cannot start the demo: the temporary directory's name is not UTF-8")?;
    // Literal braces are doubled in a template.
    let template = directory.replace('{', "{{").replace('}', "}}");
    Ok(Options::new().directory(Box::leak(template.into_boxed_str())).file_name(file))
}

/// Starts the process that is killed later.
fn start_crashing_process(directory: &Path) -> io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    // Lists of processes show this name.
    command.arg0("mmash-demo").arg("--demo-crash").arg(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// Publishes until the process is killed or its parent exits.
pub(super) fn publish_until_killed(directory: &Path) -> Result<(), String> {
    let file = options(directory, "crashed-{PID}-{TID}.mmstats")?;
    let worker: Published<Worker> = publish(&file).map_err(|error| error.to_string())?;
    worker.state.set("about to crash");
    worker.queue.set(64);
    worker.get_ok.add(1000);
    worker.post_failed.add(17);
    (0..1017).for_each(|i| worker.latency.record(500 + i * 37 % 5000));
    worker.last.set(clock::unix_time());
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    Ok(())
}

/// The workload of one thread.
struct Workload {
    workers: Vec<Published<Worker>>,
    device: Published<Device>,
    old: Published<Old<V1>>,
    random: Random,
}

impl Workload {
    fn new(directory: &Path) -> Result<Self, String> {
        let explain = |error: mmstats_std::PublishError| format!("cannot start the demo: {error}");
        let workers = (0..4)
            .map(|_| publish(&options(directory, "web-{PID}-{TID}.mmstats")?).map_err(explain))
            .collect::<Result<_, _>>()?;
        let device = publish(&options(directory, "device-{PID}.mmstats")?).map_err(explain)?;
        let old = publish(&options(directory, "batch-{PID}.mmstats")?).map_err(explain)?;
        Ok(Workload { workers, device, old, random: Random(clock::unix_time().to_bits()) })
    }

    fn run(mut self, stopped: &mpsc::Receiver<()>, mut crashing: Child) {
        let start = Instant::now();
        let mut has_crashed = false;
        while stopped.recv_timeout(STEP_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            self.step(start.elapsed().as_secs_f64());
            if !has_crashed && start.elapsed() > CRASH_DELAY {
                has_crashed = true;
                kill(&mut crashing);
            }
        }
        kill(&mut crashing);
    }

    /// Simulates one step at this time, in seconds since the start.
    fn step(&mut self, time: f64) {
        // A cycle of one minute, with bursts.
        let cycle = 0.55 + 0.4 * (time / 60.0 * TAU).sin();
        for (i, worker) in self.workers.iter().enumerate() {
            let burst = if (time / 7.0 + i as f64 * 0.3).fract() < 0.15 { 2.5 } else { 1.0 };
            let load = (cycle * burst * (1.0 + 0.1 * i as f64)).min(2.0);
            let requests = (load * 12.0 * (0.5 + self.random.next_f64())) as u64;
            for _ in 0..requests {
                // Most are fast, some are slow.
                let slow = if self.random.next_f64() < 0.05 { 20.0 } else { 1.0 };
                worker.latency.record(
                    (300.0 * slow * (1.0 + load) * (2.0 * self.random.next_f64()).exp()) as u64,
                );
                worker.sent.add(400 + (self.random.next_f64() * 20_000.0) as u64);
                match self.random.next_f64() {
                    chance if chance < 0.80 => worker.get_ok.incr(),
                    chance if chance < 0.85 => worker.get_missing.incr(),
                    chance if chance < 0.995 => worker.post_ok.incr(),
                    _ => worker.post_failed.incr(),
                }
                worker.last.set(clock::unix_time());
            }
            worker.queue.set((load * load * 8.0 * self.random.next_f64()) as u32);
            worker.busy.set((load / 2.0) as f32);
            let states = ["waiting", "reading", "GET /", "GET /status", "POST /orders"];
            worker.state.set(
                states[if requests == 0 {
                    0
                } else {
                    (self.random.next_f64() * states.len() as f64) as usize % states.len()
                }],
            );
        }
        self.device
            .temperature
            .set((215.0 + 30.0 * (time / 90.0 * TAU).sin() + 3.0 * self.random.next_f64()) as i16);
        self.device
            .voltage
            .set((3300.0 - (time / 10.0).min(400.0) + 15.0 * self.random.next_f64()) as u16);
        self.device.steps.add((40.0 * cycle) as u32);
        if self.random.next_f64() < 0.2 {
            self.old.jobs.incr();
            self.old.job.set(
                ["report", "invoices", "cleanup"][(self.random.next_f64() * 3.0) as usize % 3],
            );
        }
        self.old.backlog.set((20.0 * cycle) as i32 - 3);
    }
}

fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// A random number generator (splitmix64).
struct Random(u64);

impl Random {
    /// Returns the next number from 0 to 1.
    fn next_f64(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) as f64 / u64::MAX as f64
    }
}
