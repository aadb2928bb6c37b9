//! Programs that tests start, talk to line by line and stop; and the programs' side of the talk.

use crate::files::names;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::ptr::null_mut;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for a program before it takes it for hung.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Creates a directory in memory, which is removed when the result is dropped.
#[must_use]
pub fn directory() -> TempDir {
    tempfile::Builder::new()
        .prefix("mmstats-test-")
        .tempdir_in("/dev/shm")
        .expect("tests need /dev/shm")
}

/// A command that publishes in `directory` and knows nothing of this process's settings.
#[must_use]
pub fn command(exe: &str, directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(exe);
    command
        .args(arguments)
        .env("MMSTATS_PATH", directory)
        .env_remove("MMSTATS_FILES")
        .env_remove("MMSTATS_GLOB");
    command
}

/// A program of this machine's.
///
/// # Panics
/// If it is not installed.
#[must_use]
pub fn tool(name: &str) -> Command {
    let is_there =
        Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(
        is_there.is_ok_and(|status| status.success()),
        "this test needs {name}: apt-get install {name}"
    );
    Command::new(name)
}

/// A running program; it is killed when this is dropped.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

/// How a program ended.
#[derive(Debug)]
pub struct End {
    /// Its status.
    pub status: ExitStatus,
    /// The lines of its output that were not read yet.
    pub lines: Vec<String>,
    /// Its standard error.
    pub errors: String,
}

impl Program {
    /// Starts `exe` with its files in `directory`.
    #[must_use]
    pub fn start(exe: &str, directory: &Path, arguments: &[&str]) -> Program {
        Self::spawn(&mut command(exe, directory, arguments))
    }

    /// Starts a command.
    #[must_use]
    pub fn spawn(command: &mut Command) -> Program {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (output, mut errors) =
            (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            BufReader::new(output)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let errors = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Program { child, lines, errors: Some(errors) }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line it prints, unless it ends or prints none for minutes.
    ///
    /// # Errors
    /// Says which.
    pub fn next_line(&mut self) -> Result<String, RecvTimeoutError> {
        self.lines.recv_timeout(TIMEOUT)
    }

    /// The next line it prints.
    pub fn line(&mut self) -> String {
        match self.next_line() {
            Ok(line) => line,
            Err(error) => {
                let _ = self.child.kill();
                panic!(
                    "the program printed no line ({error}); on standard error: {}",
                    self.errors()
                );
            }
        }
    }

    /// The rest of the next line, which begins like this.
    pub fn expect(&mut self, beginning: &str) -> String {
        let line = self.line();
        line.strip_prefix(beginning)
            .unwrap_or_else(|| panic!("{line:?} instead of {beginning:?}"))
            .trim_start()
            .to_owned()
    }

    /// Returns `true` if it has printed this line by now.
    #[must_use]
    pub fn has_said(&mut self, line: &str) -> bool {
        match self.lines.try_recv() {
            Ok(found) if found == line => true,
            Ok(found) => panic!("{found:?} instead of {line:?}"),
            Err(TryRecvError::Empty) => false,
            Err(TryRecvError::Disconnected) => {
                panic!("the program ended; on standard error: {}", self.errors())
            }
        }
    }

    /// Returns its status and standard error if it has ended.
    ///
    /// # Panics
    /// If its status cannot be read.
    pub fn ended(&mut self) -> Option<(ExitStatus, String)> {
        let status = self.child.try_wait().expect("it is our child")?;
        Some((status, self.errors()))
    }

    /// Lets it go on from a [`pause`].
    pub fn go(&mut self) {
        writeln!(self.child.stdin.as_ref().expect("piped")).expect("the program waits for this");
    }

    /// Waits for its end, and that of the children which share its output.
    pub fn end(mut self) -> End {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + TIMEOUT;
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the program does not end; it printed {lines:?}")
                }
            }
        }
        let status = self.child.wait().expect("it was not waited for yet");
        End { status, lines, errors: self.errors() }
    }

    /// Waits for its end, a successful one that leaves no files in the directory.
    ///
    /// # Panics
    /// If it fails, or leaves files.
    pub fn end_without_files(self, directory: &Path) -> End {
        let end = self.end();
        assert!(end.status.success(), "{end:?}");
        assert_eq!(names(directory), [""; 0]);
        end
    }

    /// Kills it by SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        // Not closed before it is dead, or it might still end by itself.
        let _stdin = self.child.stdin.take();
        self.child.kill().expect("a signal can be sent");
        self.child.wait().expect("it was not waited for yet");
    }

    fn errors(&mut self) -> String {
        self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a program: says something.
pub fn say(what: &str) {
    // Not `println!`, whose lock a forked child might find held for ever.
    let line = format!("{what}\n");
    assert_eq!(
        rustix::io::write(std::io::stdout(), line.as_bytes()),
        Ok(line.len()),
        "somebody listens"
    );
}

/// In a program: says something, and waits until the test says [`Program::go`]. Without a test the
/// program ends.
pub fn pause(what: &str) {
    say(what);
    let mut byte = [0];
    if rustix::io::read(std::io::stdin(), &mut byte) != Ok(1) {
        std::process::exit(1);
    }
}

/// In a program: returns the number in a file of 8 bytes, which the test reads. A number that was
/// stored stays, even if the next instruction is the program's last.
///
/// # Panics
/// If the file cannot be opened and mapped.
#[allow(unsafe_code)]
#[must_use]
pub fn shared(path: &str) -> &'static AtomicU64 {
    let file = File::options().read(true).write(true).open(path).expect("the test made it");
    // SAFETY: a new mapping.
    let at = unsafe {
        libc::mmap(
            null_mut(),
            8,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    assert_ne!(at, libc::MAP_FAILED);
    // SAFETY: 8 bytes at the start of a page, which is never unmapped, and which other processes
    // only read.
    unsafe { AtomicU64::from_ptr(at.cast()) }
}

/// In a program: runs `body` in a forked child, and waits until that has ended.
///
/// # Panics
/// If the child fails.
#[allow(unsafe_code)]
pub fn in_child(body: impl FnOnce()) {
    // SAFETY: the child does what a child of several threads should not (it allocates), but glibc
    // lets it.
    match unsafe { libc::fork() } {
        0 => {
            body();
            // Not Rust's `exit`, which takes a lock of its own that another thread of the parent's
            // may have held. SAFETY: ends the process, which has no other threads by now.
            unsafe { libc::exit(0) };
        }
        pid => {
            let mut status = -1;
            // SAFETY: waits for a child of this process's, and writes its status where it may.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert_eq!(status, 0, "the child's status");
        }
    }
}
