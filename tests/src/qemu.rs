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

/// The time after which a wait for a device fails.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the path of a program built by `targets/build`; `MMSTATS_FIRMWARE` overrides the folder
/// `targets/target`.
///
/// # Panics
/// If it was not built.
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

/// A machine to start.
#[must_use]
pub struct Machine {
    command: Command,
    /// The size of its RAM in bytes, if a file can back it.
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

    /// Adds arguments for QEMU: `-smp 2`, `-S`.
    pub fn args(mut self, arguments: &[&str]) -> Machine {
        self.command.args(arguments);
        self
    }

    /// Backs the RAM by this file, which is kept with its content. The default is a temporary file
    /// of zeros.
    pub fn ram(mut self, path: &Path) -> Machine {
        self.ram = Some(path.to_owned());
        self
    }

    /// Adds a GDB server, at [`Device::gdb`].
    pub fn gdb(mut self) -> Machine {
        self.gdb = true;
        self
    }

    /// Runs virtual time as fast as the host can: sleeping between interrupts takes no time.
    pub fn hurried(self) -> Machine {
        self.args(&["-icount", "shift=2,sleep=off"])
    }

    /// Starts the machine.
    ///
    /// # Panics
    /// If QEMU is not installed or refuses the arguments.
    #[must_use]
    pub fn start(mut self) -> Device {
        let directory = crate::programs::directory();
        let qmp = directory.path().join("qmp");
        self.command.arg("-qmp").arg(format!("unix:{},server=on,wait=off", qmp.display()));
        let mut ram = None;
        if let Some(size) = self.memory {
            let path = self.ram.unwrap_or_else(|| directory.path().join("ram"));
            // Created here, so that it exists from the start.
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
            // QEMU cannot choose a free port, so it inherits the socket.
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
        let output = Capture::from_pipe(child.stdout.take().expect("piped"));
        let errors = Capture::from_pipe(child.stderr.take().expect("piped"));
        let device = Device { child, output, errors, ram, gdb, qmp, directory };
        device.wait_for("QEMU's monitor", || UnixStream::connect(&device.qmp).ok());
        device
    }
}

/// A running device, killed on drop.
pub struct Device {
    child: Child,
    output: Capture,
    errors: Capture,
    ram: Option<PathBuf>,
    gdb: Option<SocketAddr>,
    qmp: PathBuf,
    directory: TempDir,
}

/// The result of a device.
#[derive(Debug)]
pub struct End {
    /// QEMU's status, which semihosting can set.
    pub status: ExitStatus,
    /// The device's output by semihosting.
    pub output: Vec<u8>,
    /// QEMU's standard error.
    pub errors: String,
}

impl Device {
    /// Returns the file that backs its RAM.
    ///
    /// # Panics
    /// If no file can back this machine's RAM.
    #[must_use]
    pub fn ram(&self) -> &Path {
        self.ram.as_deref().expect("this machine's RAM cannot be a file")
    }

    /// Returns the address of its GDB server.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn gdb(&self) -> SocketAddr {
        self.gdb.expect("the machine was started with a GDB server")
    }

    /// Returns the socket of QMP, for one client at a time.
    #[must_use]
    pub fn qmp_socket(&self) -> &Path {
        &self.qmp
    }

    /// Returns its output by semihosting so far.
    #[must_use]
    pub fn output(&self) -> Vec<u8> {
        self.output.so_far()
    }

    /// Waits until `poll` returns a value.
    ///
    /// # Panics
    /// After [`TIMEOUT`], or if the device exits without one.
    pub fn wait_for<T>(&self, what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            // Checked first: the effects of a device that has exited are visible.
            let ended = self.errors.is_closed();
            if let Some(found) = poll() {
                return found;
            }
            assert!(!ended, "no sign of {what}, and QEMU has ended; {}", self.said());
            assert!(Instant::now() < deadline, "no sign of {what}; {}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Resets it like a button: processor and devices restart, RAM is kept.
    ///
    /// # Panics
    /// If QEMU fails.
    pub fn reset(&self) {
        self.ask("system_reset", &json!({}), Some("RESET"));
    }

    /// Copies memory while the device is stopped.
    ///
    /// # Panics
    /// If QEMU fails.
    #[must_use]
    pub fn memory(&self, address: u64, size: u64) -> Vec<u8> {
        let copy = self.directory.path().join("copy");
        self.qmp("stop", &json!({}));
        // As the processor sees it: the RAM of a micro:bit is not accessible otherwise.
        self.qmp("memsave", &json!({ "val": address, "size": size, "filename": copy }));
        self.qmp("cont", &json!({}));
        fs::read(copy).expect("QEMU wrote it")
    }

    /// Executes a QMP command, and returns its answer.
    ///
    /// # Panics
    /// If it fails.
    pub fn qmp(&self, execute: &str, arguments: &Value) -> Value {
        self.ask(execute, arguments, None)
    }

    /// Like [`Self::qmp`], and waits for an event.
    fn ask(&self, execute: &str, arguments: &Value, event: Option<&str>) -> Value {
        let mut socket = UnixStream::connect(&self.qmp)
            .unwrap_or_else(|error| panic!("no monitor: {error}; {}", self.said()));
        socket.set_read_timeout(Some(TIMEOUT)).expect("it is not zero");
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
        // The greeting, and the answer to `qmp_capabilities`.
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

    /// Waits until the device exits, at most for this time.
    ///
    /// # Panics
    /// If it does not exit.
    pub fn end_within(mut self, timeout: Duration) -> End {
        let deadline = Instant::now() + timeout;
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

    /// Waits until the device exits.
    ///
    /// # Panics
    /// After [`TIMEOUT`].
    pub fn end(self) -> End {
        self.end_within(TIMEOUT)
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

/// The output of a pipe, read by a thread.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    fn from_pipe(mut pipe: impl Read + Send + 'static) -> Capture {
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

    /// Returns everything, once the other end is closed.
    fn all(&mut self) -> Vec<u8> {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.so_far()
    }
}
