//! The location of files follows the environment and the options, and a file identifies its
//! writer's process.

use mmstats_core::reader::Value;
use mmstats_std::liveness::{Liveness, Reason, Verdict};
use mmstats_std::read::Reader;
use mmstats_tests::files::{Held, Values, files, names, only_file, values};
use mmstats_tests::programs::{Program, command, directory};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

const EXE: &str = env!("CARGO_BIN_EXE_publishes");

/// Starts a command, and waits until it has published.
fn ready(command: &mut Command) -> Program {
    let mut program = Program::spawn(command);
    program.expect("ready");
    program
}

#[test]
fn files_are_named_after_command_process_and_thread() {
    let directory = directory();
    let mut program = Program::start(EXE, directory.path(), &["thread"]);
    let tid = program.expect("ready");
    assert_ne!(tid, program.pid().to_string());
    assert_eq!(names(directory.path()), [format!("publishes-{}-{tid}.mmstats", program.pid())]);
}

#[test]
fn placeholders_in_the_environment_set_the_location_of_files() {
    let directory = directory();
    fs::create_dir_all(directory.path().join("{of}/Steps")).unwrap();
    let mut command = command(EXE, &directory.path().join("{{of}}/{MODEL}"), &["thread"]);
    let mut program =
        Program::spawn(command.env("MMSTATS_FILES", "{MODEL}.{CMD}.{PID}.{TID}.{{}}.mmstats"));
    let tid = program.expect("ready");
    let name = format!("Steps.publishes.{}.{tid}.{{}}.mmstats", program.pid());
    assert_eq!(names(&directory.path().join("{of}/Steps")), [name]);
}

#[test]
fn a_commands_name_cannot_hide_or_move_a_file() {
    let directory = directory();
    for (command_name, name) in
        [("/usr/bin/.secret", "_secret"), ("a b", "a b"), ("..", "unknown"), ("", "unknown")]
    {
        let mut command = command(EXE, directory.path(), &["plain"]);
        let program = ready(command.arg0(command_name).env("MMSTATS_FILES", "{CMD}.mmstats"));
        let found = names(directory.path());
        // Without a usable name, the name of the program's file is taken.
        let fallback = || name == "unknown" && found == ["publishes.mmstats"];
        assert!(
            found == [format!("{name}.mmstats")] || fallback(),
            "{command_name:?} gives {found:?}"
        );
        program.end();
    }
}

#[test]
fn options_override_the_environment() {
    let directory = directory();
    fs::create_dir(directory.path().join("of-Steps")).unwrap();
    let mut command = command(EXE, &directory.path().join("elsewhere"), &["placed"]);
    let program =
        ready(command.env("MMSTATS_FILES", "elsewhere.mmstats").current_dir(directory.path()));
    let pid = program.pid();
    assert_eq!(
        names(&directory.path().join("of-Steps")),
        [format!("publishes.{pid}.{pid}.mmstats")]
    );
    assert_eq!(names(directory.path()), ["of-Steps"]);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let directory = directory();
    let mut command = command(EXE, directory.path(), &["plain"]);
    let program = ready(command.env("MMSTATS_FILES", ""));
    let pid = program.pid();
    assert_eq!(names(directory.path()), [format!("publishes-{pid}-{pid}.mmstats")]);
}

#[test]
fn readers_match_the_glob_with_any_text_for_placeholders() {
    let directory = directory();
    let path = directory.path();
    let program = ready(&mut command(EXE, path, &["plain"]));
    for other in ["other-1.mmstats", ".publishes-1-1.mmstats", "publishes-1-1.txt"] {
        fs::write(path.join(other), "").unwrap();
    }
    let finds = |variable: &str, value: &str| {
        let mut command = command(EXE, &path.join("elsewhere"), &["finds"]);
        Program::spawn(command.env(variable, path.join(value))).end().lines
    };
    let pid = program.pid();
    let own = &*path.join(format!("publishes-{pid}-{pid}.mmstats")).to_str().unwrap().to_owned();
    let other = path.join("other-1.mmstats").to_str().unwrap().to_owned();
    assert_eq!(finds("MMSTATS_GLOB", "publishes-*.mmstats"), [own]);
    assert_eq!(finds("MMSTATS_GLOB", "{CMD}-{PID}-{TID}.mmstats"), [own]);
    assert_eq!(finds("MMSTATS_GLOB", "*.mmstats"), [&other, own]);
    assert_eq!(finds("MMSTATS_GLOB", "nothing*"), [""; 0]);
    // Without a pattern, every file in the directory is found.
    assert_eq!(finds("MMSTATS_PATH", ""), [&other, own]);
}

/// Returns field 22 of a process's `stat`.
fn start_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, behind_name) = stat.rsplit_once(") ").unwrap();
    behind_name.split(' ').nth(22 - 3).unwrap().parse().unwrap()
}

/// Checks the identity in a file of process `pid`, started after `begun`.
fn check_identity(values: &Values, prefix: &str, pid: u32, tid: u64, user: u32, begun: SystemTime) {
    let count = |label| values.count(&format!("{prefix}{label}"));
    assert_eq!(count("sys.pid"), u64::from(pid));
    assert_eq!(count("sys.tid"), tid);
    assert_eq!((count("sys.uid"), count("sys.gid")), (user.into(), user.into()));
    assert_eq!(count("sys.start"), start_of(pid));
    assert_eq!(
        values.text(&format!("{prefix}sys.boot_id")),
        fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim_end()
    );
    assert_eq!(
        count("sys.pid_namespace"),
        fs::metadata(format!("/proc/{pid}/ns/pid")).unwrap().ino()
    );
    let Held::Number(created) = values.get(&format!("{prefix}sys.created")) else {
        panic!("not a float")
    };
    let seconds =
        |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    // Seconds since 1970 as a float are precise to a quarter of a microsecond.
    assert!(
        (seconds(begun) - 1e-6..seconds(SystemTime::now()) + 1e-6).contains(created),
        "{created}"
    );
}

#[test]
fn a_file_identifies_its_writer() {
    let directory = directory();
    let begun = SystemTime::now();
    let mut program = Program::start(EXE, directory.path(), &["thread"]);
    let tid = program.expect("ready").parse().unwrap();
    let user = rustix::process::getuid().as_raw();
    check_identity(&values(&only_file(directory.path())), "", program.pid(), tid, user, begun);
}

#[test]
fn a_prefix_precedes_every_label() {
    let directory = directory();
    let begun = SystemTime::now();
    let program = ready(&mut command(EXE, directory.path(), &["prefixed"]));
    let values = values(&only_file(directory.path()));
    let user = rustix::process::getuid().as_raw();
    check_identity(&values, "web.stats.", program.pid(), program.pid().into(), user, begun);
    assert!(values.0.keys().all(|label| label.starts_with("web.stats.")), "{:?}", values.0.keys());
    let mut reader = Reader::new();
    let found = reader.read(&only_file(directory.path())).unwrap().find("sys.pid");
    assert_eq!(
        found,
        Some(Value::Unsigned(program.pid().into())),
        "readers find it after a prefix"
    );
}

#[test]
fn the_file_of_another_user_has_its_uid() {
    let directory = directory();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let begun = SystemTime::now();
    let mut command = command(EXE, directory.path(), &["plain"]);
    let mut user = rustix::process::getuid().as_raw();
    if user == 0 {
        user = 65_534;
        command.uid(user).gid(user);
    }
    let program = ready(&mut command);
    check_identity(
        &values(&only_file(directory.path())),
        "",
        program.pid(),
        program.pid().into(),
        user,
        begun,
    );
}

#[test]
fn the_umask_and_the_options_set_who_can_read() {
    for (scene, umask, mode) in
        [("plain", "022", 0o444), ("plain", "077", 0o400), ("group", "077", 0o440)]
    {
        let directory = directory();
        let script = format!("umask {umask}; exec \"$0\" {scene}");
        let _program = ready(&mut command("/bin/sh", directory.path(), &["-c", &script, EXE]));
        let metadata = fs::metadata(only_file(directory.path())).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{scene} {umask}");
    }
}

#[test]
fn the_owner_of_a_file_cannot_truncate_it_by_a_redirection() {
    let directory = directory();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let as_user = |mut command: Command| {
        if rustix::process::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
        }
        command
    };
    let mut program = ready(&mut as_user(command(EXE, directory.path(), &["plain"])));
    let path = only_file(directory.path());
    let mut truncate = Command::new("/bin/sh");
    truncate.args(["-c", ": > \"$0\""]).arg(&path).stderr(std::process::Stdio::null());
    assert!(!as_user(truncate).status().unwrap().success());
    assert_eq!(values(&path).count("done"), 1);
    program.go();
    assert!(program.end().status.success());
    assert_eq!(names(directory.path()), [""; 0]);
}

/// Starts the program as an ordinary user who sets all variables, with the privileges that `grant`
/// gives to its file `$1`. Returns the names of stats files in `/dev/shm`, `/tmp` and elsewhere.
fn files_of_privileged(shm_mode: &str, grant: &str) -> [Vec<String>; 3] {
    let script = format!(
        "set -e
        mount -t tmpfs -o mode={shm_mode} tmpfs /dev/shm
        mkdir /dev/shm/other && chmod 777 /dev/shm/other
        cp \"$1\" /dev/shm/program && set -- /dev/shm/program
        mount -t tmpfs -o mode=1777 tmpfs /tmp
        {grant}
        export MMSTATS_PATH=/dev/shm/other TMPDIR=/dev/shm/other MMSTATS_FILES=other.mmstats
        exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$1\" plain"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh", EXE]);
    let program = ready(&mut command);
    ["dev/shm", "tmp", "dev/shm/other"].map(|at| {
        let mut names = names(&Path::new(&format!("/proc/{}/root", program.pid())).join(at));
        names.retain(|name| name.ends_with(".mmstats"));
        names
    })
}

#[test]
fn a_privileged_program_ignores_the_environment() {
    if !rustix::process::geteuid().is_root() {
        // Only root can give privileges to a program.
        return;
    }
    let is_one = |names: &[String]| names.len() == 1 && names[0].starts_with("program-");
    // Without privileges, the variables count.
    let [shm, tmp, other] = files_of_privileged("1777", "true");
    assert!(shm.is_empty() && tmp.is_empty() && other == ["other.mmstats"], "{other:?}");
    let [shm, tmp, other] = files_of_privileged("1777", "chmod u+s \"$1\"");
    assert!(is_one(&shm) && tmp.is_empty() && other.is_empty(), "setuid: {shm:?} {other:?}");
    // CAP_NET_BIND_SERVICE; as setcap(8) writes it.
    let grant = "python3 -c 'import os, struct, sys
os.setxattr(sys.argv[1], \"security.capability\",
            struct.pack(\"<5I\", 0x2000001, 1 << 10, 0, 0, 0))' \"$1\"";
    let [shm, tmp, other] = files_of_privileged("1777", grant);
    assert!(is_one(&shm) && tmp.is_empty() && other.is_empty(), "capable: {shm:?} {other:?}");
    // This user cannot write to `/dev/shm`.
    let [shm, tmp, other] = files_of_privileged("0755", grant);
    assert!(shm.is_empty() && is_one(&tmp) && other.is_empty(), "capable: {tmp:?} {other:?}");
}

fn verdict(path: &Path) -> Liveness {
    Reader::new().read(path).unwrap().verdict().liveness
}

#[test]
fn a_process_is_alive_while_it_runs_and_dead_when_it_is_killed() {
    let directory = directory();
    for scene in ["plain", "prefixed"] {
        let mut program = ready(&mut command(EXE, directory.path(), &[scene]));
        let path = only_file(directory.path());
        assert_eq!(verdict(&path), Liveness::Alive);

        // Not waited for yet: a zombie.
        let pid = rustix::process::Pid::from_raw(program.pid().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        let begun = Instant::now();
        while verdict(&path) != Liveness::Dead {
            assert!(begun.elapsed() < Duration::from_secs(10), "still {:?}", verdict(&path));
        }
        program.kill();
        assert_eq!(verdict(&path), Liveness::Dead);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_process_of_another_pid_namespace_is_unknown() {
    let directory = directory();
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", EXE, "plain"])
        .env("MMSTATS_PATH", directory.path())
        .env_remove("MMSTATS_FILES");
    let mut program = ready(&mut command);
    let path = only_file(directory.path());
    assert_eq!(values(&path).count("sys.pid"), 1);
    assert_eq!(verdict(&path), Liveness::Unknown);
    program.kill();
    assert_eq!(verdict(&path), Liveness::Unknown);
}

#[test]
fn a_program_that_replaces_another_in_its_process_removes_its_files() {
    let directory = directory();
    let other = ready(&mut command(EXE, directory.path(), &["plain"]));
    let mut program = ready(&mut command(EXE, directory.path(), &["exec", EXE, "thread"]));
    assert_eq!(files(directory.path()).len(), 3);
    let copy = directory.path().join(format!("copy-{}.mmstats", program.pid()));
    fs::write(&copy, "not stats").unwrap();
    program.go();
    let tid = program.expect("ready");
    let mut expected = vec![
        format!("copy-{}.mmstats", program.pid()),
        format!("publishes-{}-{tid}.mmstats", program.pid()),
        format!("publishes-{0}-{0}.mmstats", other.pid()),
    ];
    expected.sort();
    assert_eq!(names(directory.path()), expected);
}

#[test]
fn files_of_a_program_that_was_replaced_in_its_process_are_dead() {
    let directory = directory();
    let mut program =
        ready(&mut command(EXE, directory.path(), &["exec", "sh", "-c", "echo now; read end"]));
    let paths = files(directory.path());
    assert_eq!(paths.len(), 2);
    assert!(paths.iter().all(|path| verdict(path) == Liveness::Alive));
    program.go();
    program.expect("now");
    let begun = Instant::now();
    for path in &paths {
        // The mappings of a process are remembered for some seconds.
        while verdict(path) == Liveness::Alive {
            assert!(begun.elapsed() < Duration::from_secs(30));
        }
        assert_eq!(
            Reader::new().read(path).unwrap().verdict(),
            Verdict::from(Reason::Unmapped),
            "{}",
            path.display()
        );
    }
}
