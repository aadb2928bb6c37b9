//! Devices that tests start: QEMU machines, whose RAM is a file on a tmpfs where the machine can do
//! that.
//!
//! ```no_run
//! use mmstats_tests::qemu::{Machine, firmware};
//!
//! let device = Machine::mps2_an385(&firmware("thumbv7m-none-eabi", "mps2-an385")).start();
//! let size = device.wait_for("its memory", || std::fs::metadata(device.ram()).ok()).len();
//! device.reset();
//! ```

use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for something on a device, unless it says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where `targets/build` put a program; `MMSTATS_FIRMWARE` names another folder than
/// `targets/target`.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn firmware(triple: &str, name: &str) -> PathBuf {
    let folder = std::env::var_os("MMSTATS_FIRMWARE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../targets/target"),
        PathBuf::from,
    );
    let elf = folder.join(triple).join("release").join(name);
    assert!(elf.is_file(), "{} is not there: run targets/build first", elf.display());
    elf
}

/// A machine to be started.
#[must_use]
pub struct Machine {
    command: Command,
    /// Its RAM in bytes, if that can be a file.
    memory: Option<u64>,
    ram: Option<PathBuf>,
    gdb: bool,
}

impl Machine {
    /// A Cortex-M3. RAM: 16 MiB at 0x2100_0000, which begin the file.
    pub fn mps2_an385(elf: &Path) -> Machine {
        Self::new("qemu-system-arm", &["-M", "mps2-an385"], elf, Some(16 << 20))
    }

    /// Two Cortex-M33. RAM: 16 MiB at 0x8000_0000 (0x9000_0000 when secure).
    pub fn mps2_an521(elf: &Path) -> Machine {
        Self::new("qemu-system-arm", &["-M", "mps2-an521"], elf, Some(16 << 20))
    }

    /// A Cortex-M0. RAM: 16 KiB at 0x2000_0000, which cannot be a file.
    pub fn microbit(elf: &Path) -> Machine {
        Self::new("qemu-system-arm", &["-M", "microbit"], elf, None)
    }

    /// A RISC-V of 32 bits. RAM: 16 MiB at 0x8000_0000, which begin the file.
    pub fn riscv_virt(elf: &Path) -> Machine {
        Self::new(
            "qemu-system-riscv32",
            &["-M", "virt", "-m", "16M", "-bios", "none"],
            elf,
            Some(16 << 20),
        )
    }

    fn new(qemu: &str, arguments: &[&str], elf: &Path, memory: Option<u64>) -> Machine {
        let mut command = Command::new(qemu);
        command
            .args(arguments)
            .arg("-kernel")
            .arg(elf)
            .args(["-display", "none", "-serial", "none", "-monitor", "none"]);
        // Not the `stdio` that QEMU has for this: the guest reads nothing, and standard input may
        // be the debugger's socket.
        command.args(["-chardev", "file,id=semihosting,path=/dev/stdout"]);
        command.args(["-semihosting-config", "enable=on,target=native,chardev=semihosting"]);
        Machine { command, memory, ram: None, gdb: false }
    }

    /// More arguments for QEMU: `-smp 2`, `-S`.
    pub fn args(mut self, arguments: &[&str]) -> Machine {
        self.command.args(arguments);
        self
    }

    /// Its RAM in this file, which stays; what it holds is what the device finds there. Otherwise
    /// RAM is zeros, in a file that goes with the device.
    pub fn ram(mut self, path: &Path) -> Machine {
        self.ram = Some(path.to_owned());
        self
    }

    /// With a server for debuggers, at [`Device::gdb`].
    pub fn gdb(mut self) -> Machine {
        self.gdb = true;
        self
    }

    /// Time passes as fast as the host can: what a device does in a minute, between interrupts that
    /// it sleeps for, is over in a second.
    pub fn hurried(self) -> Machine {
        self.args(&["-icount", "shift=2,sleep=off"])
    }

    /// Starts it.
    ///
    /// # Panics
    /// If QEMU is not installed or does not take the arguments.
    #[must_use]
    pub fn start(mut self) -> Device {
        let directory = crate::programs::directory();
        let qmp = directory.path().join("qmp");
        self.command.arg("-qmp").arg(format!("unix:{},server=on,wait=off", qmp.display()));
        let mut ram = None;
        if let Some(size) = self.memory {
            let path = self.ram.unwrap_or_else(|| directory.path().join("ram"));
            // Made here, so that it is there from the start.
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .expect("a file can be made");
            file.set_len(size).expect("it can grow");
            let object = format!(
                "memory-backend-file,id=ram,mem-path={},size={size},share=on",
                path.display()
            );
            self.command.args(["-object", &object, "-machine", "memory-backend=ram"]);
            ram = Some(path);
        } else {
            assert!(self.ram.is_none(), "this machine's RAM cannot be a file");
        }
        let mut gdb = None;
        self.command.stdin(Stdio::null());
        if self.gdb {
            // QEMU cannot look for a free port itself; so it is handed the socket.
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            gdb = Some(listener.local_addr().expect("it is bound"));
            self.command.stdin(Stdio::from(OwnedFd::from(listener)));
            self.command.args([
                "-chardev",
                "socket,id=gdb,fd=0,server=on,wait=off",
                "-gdb",
                "chardev:gdb",
            ]);
        }
        let name = self.command.get_program().to_string_lossy().into_owned();
        let child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| {
            panic!(
                "this test needs {name} (apt-get install qemu-system-arm qemu-system-misc): {error}"
            )
        });
        let output = Capture::of(child.stdout.take().expect("piped"));
        let errors = Capture::of(child.stderr.take().expect("piped"));
        let device = Device { child, output, errors, ram, gdb, qmp, directory };
        device.wait_for("QEMU's monitor", || UnixStream::connect(&device.qmp).ok());
        device
    }
}

/// A running device; it is killed when this is dropped.
pub struct Device {
    child: Child,
    output: Capture,
    errors: Capture,
    ram: Option<PathBuf>,
    gdb: Option<SocketAddr>,
    qmp: PathBuf,
    directory: TempDir,
}

/// How a device ended.
#[derive(Debug)]
pub struct End {
    /// QEMU's status, which semihosting can set.
    pub status: ExitStatus,
    /// What the device wrote by semihosting.
    pub output: Vec<u8>,
    /// QEMU's complaints.
    pub errors: String,
}

impl Device {
    /// The file that is its RAM.
    ///
    /// # Panics
    /// If this machine's cannot be a file.
    #[must_use]
    pub fn ram(&self) -> &Path {
        self.ram.as_deref().expect("this machine's RAM cannot be a file")
    }

    /// Where its server for debuggers listens.
    ///
    /// # Panics
    /// If it was not asked for.
    #[must_use]
    pub fn gdb(&self) -> SocketAddr {
        self.gdb.expect("the machine was started with a server for debuggers")
    }

    /// The socket of QEMU's machine protocol, for one client at a time.
    #[must_use]
    pub fn qmp_socket(&self) -> &Path {
        &self.qmp
    }

    /// What it wrote by semihosting so far.
    #[must_use]
    pub fn output(&self) -> Vec<u8> {
        self.output.so_far()
    }

    /// Waits until `look` finds something.
    ///
    /// # Panics
    /// If it finds nothing for [`PATIENCE`], or until the device has ended.
    pub fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Asked first: what it did before its end is there to be found.
            let ended = self.errors.is_closed();
            if let Some(found) = look() {
                return found;
            }
            assert!(!ended, "no sign of {what}, and QEMU has ended; {}", self.said());
            assert!(Instant::now() < deadline, "no sign of {what}; {}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Resets it, as a button would: processor and devices begin anew, RAM stays.
    ///
    /// # Panics
    /// If QEMU does not.
    pub fn reset(&self) {
        self.ask("system_reset", &json!({}), Some("RESET"));
    }

    /// A copy of its memory at one time, for which it is stopped.
    ///
    /// # Panics
    /// If QEMU does not make one.
    #[must_use]
    pub fn memory(&self, address: u64, size: u64) -> Vec<u8> {
        let copy = self.directory.path().join("copy");
        self.qmp("stop", &json!({}));
        // As its processor sees it: the RAM of a micro:bit is nowhere else.
        self.qmp("memsave", &json!({ "val": address, "size": size, "filename": copy }));
        self.qmp("cont", &json!({}));
        fs::read(copy).expect("QEMU wrote it")
    }

    /// Gives a command of QEMU's machine protocol, and returns its answer.
    ///
    /// # Panics
    /// If that is an error.
    pub fn qmp(&self, execute: &str, arguments: &Value) -> Value {
        self.ask(execute, arguments, None)
    }

    /// The same, and waits for an event that it leads to.
    fn ask(&self, execute: &str, arguments: &Value, event: Option<&str>) -> Value {
        let mut socket = UnixStream::connect(&self.qmp)
            .unwrap_or_else(|error| panic!("no monitor: {error}; {}", self.said()));
        socket.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
        let mut messages =
            BufReader::new(socket.try_clone().expect("a descriptor is free")).lines();
        let mut message = || -> Value {
            let line = messages.next().unwrap_or_else(|| Err(ErrorKind::UnexpectedEof.into()));
            let line = line
                .unwrap_or_else(|error| panic!("no answer to {execute}: {error}; {}", self.said()));
            serde_json::from_str(&line).expect("JSON")
        };
        let mut say = |command: &Value| writeln!(socket, "{command}").expect("QEMU listens");
        say(&json!({ "execute": "qmp_capabilities" }));
        // Its greeting, and its consent to speak.
        while message().get("return").is_none() {}
        say(&json!({ "execute": execute, "arguments": arguments }));
        let (mut answer, mut happened) = (None, event.is_none());
        while answer.is_none() || !happened {
            let message = message();
            assert!(message.get("error").is_none(), "{execute}: {message}");
            happened |= event.is_some_and(|event| message["event"] == event);
            answer = message.get("return").cloned().or(answer);
        }
        answer.unwrap_or_default()
    }

    /// Waits until the device ends by itself, for at most so long.
    ///
    /// # Panics
    /// If it does not.
    pub fn end_within(mut self, patience: Duration) -> End {
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is this process's child") {
                break status;
            }
            assert!(Instant::now() < deadline, "the device does not end; {}", self.said());
            thread::sleep(Duration::from_millis(10));
        };
        End {
            status,
            output: self.output.all(),
            errors: String::from_utf8_lossy(&self.errors.all()).into_owned(),
        }
    }

    /// Waits until the device ends by itself.
    ///
    /// # Panics
    /// If it does not for [`PATIENCE`].
    pub fn end(self) -> End {
        self.end_within(PATIENCE)
    }

    fn said(&self) -> String {
        let [output, errors] = [&self.output, &self.errors]
            .map(|capture| String::from_utf8_lossy(&capture.so_far()).into_owned());
        format!("the device wrote {output:?}, QEMU {errors:?}")
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes out of a pipe, read by a thread.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    fn of(mut pipe: impl Read + Send + 'static) -> Capture {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let to = bytes.clone();
        let thread = thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut part) {
                to.lock().unwrap_or_else(PoisonError::into_inner).extend(&part[..count]);
            }
        });
        Capture { bytes, thread: Some(thread) }
    }

    fn is_closed(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn so_far(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything, once the other end is closed.
    fn all(&mut self) -> Vec<u8> {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.so_far()
    }
}
