//! `cleanstats` removes the files of dead processes, and nothing else.

mod alive;
mod dry_run_and_age;
mod messages;
mod options;
mod output_closed;

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use mmstats_core::format::v2::{Header, crc32};
use mmstats_std::liveness::{Liveness, Reason};
use mmstats_std::read::Reader;
use mmstats_tests::cli::{Outcome, VersionOne, program, run, without_environment};
use mmstats_tests::files::{names, values};
use mmstats_tests::programs::{Program, directory, tool};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use zerocopy::FromBytes;

const EXE: &str = env!("CARGO_BIN_EXE_publishes");

/// The time after which a wait fails.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A PID above the limit of every machine.
const NOBODYS_PID: u32 = 0x7fff_fff0;

/// Two users besides root.
const SOMEBODY: u32 = 65_533;
const CLEANER: u32 = 65_534;

fn cleanstats() -> Command {
    Command::new(program("--bin", "cleanstats"))
}

/// Runs `cleanstats` in a directory, so that paths are short and known.
fn clean(directory: &Path, arguments: &[&str]) -> Outcome {
    run(cleanstats().current_dir(directory).args(arguments))
}

fn objects(outcome: &Outcome) -> Vec<Value> {
    outcome
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root can be several users");
    }
    is_root
}

/// Returns a file like the Python mmstats's, with only these facts about the process.
fn original(pid: u32, created: Option<f64>) -> Vec<u8> {
    let file = VersionOne::default().field("web.sys.pid", "I", pid.to_ne_bytes()).field(
        "web.hits",
        "Q",
        7_u64.to_ne_bytes(),
    );
    match created {
        Some(created) => file.field("web.sys.created", "d", created.to_ne_bytes()).finish(),
        None => file.finish(),
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

fn set_modified(path: &Path, age: Duration) {
    File::options()
        .read(true)
        .open(path)
        .unwrap()
        .set_times(FileTimes::new().set_modified(SystemTime::now() - age))
        .unwrap();
}

/// `cleanstats` as this user. `/proc` shows it all processes, or those of other users not at
/// all, whatever this machine's does.
fn as_user(user: u32, hides_others: bool) -> Command {
    let script = format!(
        "mount -t proc -o hidepid={} proc /proc &&
        exec setpriv --reuid {user} --regid {user} --clear-groups \"$0\" \"$@\"",
        if hides_others { 2 } else { 0 }
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]).arg(program("--bin", "cleanstats"));
    command
}

/// Creates a directory that everybody can write to.
fn public_directory() -> TempDir {
    let directory = directory();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    directory
}

/// Starts a program that publishes, as this user; returns it and its file.
fn publisher(directory: &Path, scene: &str, user: Option<u32>) -> (Program, PathBuf) {
    let mut command = Command::new(EXE);
    command.arg(scene);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    start(directory, &mut command)
}

fn start(directory: &Path, command: &mut Command) -> (Program, PathBuf) {
    let before: BTreeSet<String> = names(directory).into_iter().collect();
    let command = command
        .env("MMSTATS_PATH", directory)
        .env_remove("MMSTATS_FILES")
        .env_remove("MMSTATS_GLOB");
    let mut program = Program::spawn(command);
    program.expect("ready");
    let new = names(directory)
        .into_iter()
        .find(|name| !before.contains(name))
        .expect("it has made a file");
    (program, directory.join(new))
}

/// Starts a program in a new PID namespace, and renames its file: all have the same PID and name.
fn in_namespace(directory: &Path, scene: &str, name: &str) -> (Program, PathBuf) {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", EXE, scene]);
    let (program, path) = start(directory, &mut command);
    let to = directory.join(name);
    fs::rename(path, &to).unwrap();
    (program, to)
}

/// Returns a file left by a killed process.
fn left_file(directory: &Path, scene: &str, user: Option<u32>) -> PathBuf {
    let (mut program, path) = publisher(directory, scene, user);
    program.kill();
    path
}

/// Copies a version 2 file with another value of a constant.
fn forge(from: &Path, to: &Path, label: &str, value: &[u8]) {
    let mut bytes = fs::read(from).unwrap();
    let mut reader = Reader::new();
    let sample = reader.read(from).unwrap();
    let place = sample.layout().fields[sample.layout().find(label).unwrap()].location;
    let at = place.offset as usize;
    bytes[at..at + value.len()].copy_from_slice(value);
    let (header, _) = Header::read_from_prefix(&bytes).unwrap();
    let layout = crc32(0, &bytes[header.directory as usize..][..header.published as usize]);
    bytes[Header::LAYOUT..Header::LAYOUT + 4].copy_from_slice(&layout.to_ne_bytes());
    fs::write(to, bytes).unwrap();
}

/// A process that maps a file of version 1 like the Python mmstats.
struct Original(Child);

impl Original {
    fn start(path: &Path, created: f64, user: Option<u32>) -> Original {
        Self::start_as(0, path, created, user)
    }

    /// Writes this PID into the file; its own, if that is 0.
    fn start_as(pid: u32, path: &Path, created: f64, user: Option<u32>) -> Original {
        let mut command = Command::new("python3");
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        Self::spawn(&mut command, path, &[created.to_string(), pid.to_string()])
    }

    /// Starts it in another PID namespace. Its mappings are hidden from its own user, like those of
    /// a process after `setuid`.
    fn start_hidden(pid: u32, path: &Path, created: f64, user: u32) -> Original {
        let mut command = Command::new("unshare");
        // A Python in the home of root is not for everybody.
        command.env("PATH", "/usr/bin:/bin");
        command.args(["--pid", "--fork", "setpriv", "--clear-groups"]).args([
            format!("--reuid={user}"),
            format!("--regid={user}"),
            "python3".to_owned(),
        ]);
        let arguments = [created.to_string(), pid.to_string(), "hides".to_owned()];
        Self::spawn(&mut command, path, &arguments)
    }

    fn spawn(command: &mut Command, path: &Path, arguments: &[String]) -> Original {
        let script = "import ctypes, mmap, os, struct, sys\n\
            PR_SET_DUMPABLE = 4\n\
            if 'hides' in sys.argv: ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)\n\
            field = lambda label, ty, value: struct.pack('@H', len(label)) + label + struct.pack('@H', len(ty)) + ty + b'\\xff' + value\n\
            descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)\n\
            os.ftruncate(descriptor, 4096)\n\
            memory = mmap.mmap(descriptor, 4096)\n\
            os.close(descriptor)\n\
            pid = int(sys.argv[3]) or os.getpid()\n\
            bytes = b'\\x01' + field(b'sys.pid', b'I', struct.pack('I', pid)) + field(b'sys.created', b'd', struct.pack('d', float(sys.argv[2])))\n\
            memory[:len(bytes)] = bytes\n\
            sys.stdin.read()";
        command.args(["-c", script]).arg(path).args(arguments);
        let original =
            Original(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
        wait_until(|| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x01")));
        original
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TIMEOUT, "the condition is not fulfilled");
        std::thread::sleep(Duration::from_millis(5));
    }
}
