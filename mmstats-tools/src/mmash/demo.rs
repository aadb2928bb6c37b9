//! Something to look at: a web server that is not there, a device, and a process that dies.

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

/// Where the files go, if that is a tmpfs.
const SHARED_MEMORY: &str = "/dev/shm";

/// Time between two steps of the workload.
const STEP: Duration = Duration::from_millis(50);

/// For how long the process that dies has to publish something first.
const LIFE: Duration = Duration::from_secs(5);

model! {
    /// One worker of a web server.
    struct Worker {
        /// Requests that were answered.
        get_ok: Counter = "http.requests{method=\"GET\",status=\"200\"}",
        /// Requests that were answered.
        get_missing: Counter = "http.requests{method=\"GET\",status=\"404\"}",
        /// Requests that were answered.
        post_ok: Counter = "http.requests{method=\"POST\",status=\"200\"}",
        /// Requests that were answered.
        post_failed: Counter = "http.requests{method=\"POST\",status=\"500\"}",
        /// Bytes that were sent.
        sent: Counter = "http.sent" [bytes],
        /// From a request to the end of its response.
        latency: Histogram<3, 32> = "http.latency" [microseconds],
        /// When the last request came.
        last: Gauge<f64> = "http.last_request" [unixtime],
        /// Requests that wait for the worker.
        queue: Gauge<u32> = "worker.queue",
        /// Part of the time that it was busy.
        busy: Gauge<f32> = "worker.busy" [ratio],
        /// What it is doing.
        state: Text<32> = "worker.state" => "starting",
        /// Which program this is.
        version: ConstantText<16> = "build.version" => env!("CARGO_PKG_VERSION"),
        /// Requests that may wait.
        limit: Constant<u32> = "worker.queue_limit" => 64,
    }
}

model! {
    /// A device that measures.
    struct Device {
        /// Of the housing.
        temperature: Gauge<i16> = "device.temperature" [celsius.e(-1)],
        /// Of the battery.
        voltage: Gauge<u16> = "device.battery" [volts.e(-3)],
        /// Steps that the motor made.
        steps: Counter<u32> = "device.motor.steps",
    }
}

model! {
    /// A program of ten years ago.
    struct Old {
        jobs: Counter = "batch.jobs",
        backlog: Gauge<i32> = "batch.backlog",
        job: Text<32> = "batch.job" => "nothing",
    }
}

/// A workload that is published until this is dropped.
pub(super) struct Demo {
    directory: TempDir,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Demo {
    /// Starts it, with its files in a directory of their own.
    pub(super) fn start() -> Result<Demo, String> {
        let explain = |error: io::Error| format!("the demo: {error}");
        let in_memory = Builder::new().prefix("mmash-demo-").tempdir_in(SHARED_MEMORY);
        let directory = in_memory
            .or_else(|_| Builder::new().prefix("mmash-demo-").tempdir())
            .map_err(explain)?;
        let casualty = casualty(directory.path()).map_err(explain)?;
        let (stop, stopped) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        let path = directory.path().to_owned();
        let work = move || match Workload::new(&path) {
            Ok(mut workload) => {
                // What is looked at first is not to be zero.
                workload.step(0.0);
                let _ = ready.send(Ok(()));
                workload.run(&stopped, casualty);
            }
            Err(why) => drop(ready.send(Err(why))),
        };
        let thread = thread::Builder::new().name("demo".to_owned()).spawn(work).map_err(explain)?;
        let demo = Demo { directory, stop: Some(stop), thread: Some(thread) };
        is_ready.recv().unwrap_or_else(|_| Err("the demo: it does not start".to_owned()))?;
        Ok(demo)
    }

    /// Where its files are.
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

/// Options for files in that directory. They have to stay for as long as the process does.
fn options(directory: &Path, file: &'static str) -> Result<Options, String> {
    let directory =
        directory.to_str().ok_or("the demo: the temporary directory's name is not UTF-8")?;
    // In a template, braces stand for themselves when they are doubled.
    let template = directory.replace('{', "{{").replace('}', "}}");
    Ok(Options::new().directory(Box::leak(template.into_boxed_str())).file_name(file))
}

/// A process of this program that is going to be killed.
fn casualty(directory: &Path) -> io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    // Not `mmash`: it is another program for who looks at processes.
    command.arg0("mmash-demo").arg("--demo-casualty").arg(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// What that process does. It ends by itself when nobody is there any more to kill it.
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

/// All of it, in one thread: what is published does not tell.
struct Workload {
    workers: Vec<Published<Worker>>,
    device: Published<Device>,
    old: Published<Old<V1>>,
    random: Random,
}

impl Workload {
    fn new(directory: &Path) -> Result<Self, String> {
        let why = |error: mmstats_std::PublishError| format!("the demo: {error}");
        let workers = (0..4)
            .map(|_| publish(&options(directory, "web-{PID}-{TID}.mmstats")?).map_err(why))
            .collect::<Result<_, _>>()?;
        let device = publish(&options(directory, "device-{PID}.mmstats")?).map_err(why)?;
        let old = publish(&options(directory, "batch-{PID}.mmstats")?).map_err(why)?;
        Ok(Workload { workers, device, old, random: Random(clock::unix_time().to_bits()) })
    }

    fn run(mut self, stopped: &mpsc::Receiver<()>, mut casualty: Child) {
        let start = Instant::now();
        let mut is_dead = false;
        while stopped.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
            self.step(start.elapsed().as_secs_f64());
            if !is_dead && start.elapsed() > LIFE {
                is_dead = true;
                end(&mut casualty);
            }
        }
        end(&mut casualty);
    }

    fn step(&mut self, time: f64) {
        // A tide of a minute, and bursts.
        let tide = 0.55 + 0.4 * (time / 60.0 * TAU).sin();
        for (i, worker) in self.workers.iter().enumerate() {
            let burst = if (time / 7.0 + i as f64 * 0.3).fract() < 0.15 { 2.5 } else { 1.0 };
            let load = (tide * burst * (1.0 + 0.1 * i as f64)).min(2.0);
            let requests = (load * 12.0 * (0.5 + self.random.unit())) as u64;
            for _ in 0..requests {
                // Most are quick; some wait for something slow.
                let slow = if self.random.unit() < 0.05 { 20.0 } else { 1.0 };
                worker.latency.record(
                    (300.0 * slow * (1.0 + load) * (2.0 * self.random.unit()).exp()) as u64,
                );
                worker.sent.add(400 + (self.random.unit() * 20_000.0) as u64);
                match self.random.unit() {
                    chance if chance < 0.80 => worker.get_ok.incr(),
                    chance if chance < 0.85 => worker.get_missing.incr(),
                    chance if chance < 0.995 => worker.post_ok.incr(),
                    _ => worker.post_failed.incr(),
                }
                worker.last.set(clock::unix_time());
            }
            worker.queue.set((load * load * 8.0 * self.random.unit()) as u32);
            worker.busy.set((load / 2.0) as f32);
            let states = ["waiting", "reading", "GET /", "GET /status", "POST /orders"];
            worker.state.set(
                states[if requests == 0 {
                    0
                } else {
                    (self.random.unit() * states.len() as f64) as usize % states.len()
                }],
            );
        }
        self.device
            .temperature
            .set((215.0 + 30.0 * (time / 90.0 * TAU).sin() + 3.0 * self.random.unit()) as i16);
        self.device
            .voltage
            .set((3300.0 - (time / 10.0).min(400.0) + 15.0 * self.random.unit()) as u16);
        self.device.steps.add((40.0 * tide) as u32);
        if self.random.unit() < 0.2 {
            self.old.jobs.incr();
            self.old
                .job
                .set(["report", "invoices", "cleanup"][(self.random.unit() * 3.0) as usize % 3]);
        }
        self.old.backlog.set((20.0 * tide) as i32 - 3);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// A generator of random numbers (splitmix64).
struct Random(u64);

impl Random {
    /// From 0 up to 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) as f64 / u64::MAX as f64
    }
}
