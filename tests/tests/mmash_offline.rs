//! `mmash` without a server, with sums, and with the demo's stats.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmstats_tests::cli::{program, run};
use mmstats_tests::mmash::{Mmash, command, shop, stat};
use mmstats_tests::programs::{Program, directory};
use rustix::process::Signal;
use serde_json::{Value, json};

#[path = "../metrics/check.rs"]
mod check;

/// Starts `mmash --textfile`, and waits for the file.
fn export(file: &Path, arguments: &[&str], directory: &Path) -> Program {
    let mut command = Command::new(program("--bin", "mmash"));
    let program = Program::spawn(
        command.args(["-d", "0.1", "--textfile"]).arg(file).args(arguments).arg(directory),
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    while !file.exists() {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(10));
    }
    program
}

#[test]
fn several_textfiles_have_no_series_in_common() {
    let (directory, out) = (directory(), directory());
    let _shop = shop(&directory, "shop.mmstats");
    let (mut families, mut series) = (BTreeMap::new(), HashSet::new());
    for (name, arguments) in
        [("a", &["--sum"][..]), ("b", &["--sum"]), ("c", &[]), ("d \" \\", &["--live"])]
    {
        let file = out.path().join(format!("{name}.prom"));
        let program = export(&file, arguments, directory.path());
        let page = fs::read_to_string(file).unwrap();
        let mut family = "";
        for line in page.lines() {
            if let Some(metadata) = line.strip_prefix("# ") {
                family = metadata.split(' ').nth(1).unwrap();
            } else {
                assert!(line.contains(",textfile=\"") || line.contains("{textfile=\""), "{line}");
                assert!(series.insert(line.rsplit_once(' ').unwrap().0.to_owned()), "{line}");
            }
            let (comments, samples): &mut (Vec<String>, String) =
                families.entry(family.to_owned()).or_default();
            if !line.starts_with('#') {
                samples.push_str(&format!("{line}\n"));
            } else if !comments.contains(&format!("{line}\n")) {
                comments.push(format!("{line}\n"));
            }
        }
        drop(program);
    }
    assert!(series.contains("shop_orders_total{textfile=\"a\"}"), "{series:?}");
    assert!(series.contains("mmstats_writers{liveness=\"alive\",textfile=\"d \\\" \\\\\"}"));
    let page = families.values().map(|(comments, samples)| comments.concat() + samples);
    check::promtool(&page.collect::<String>());
}

#[test]
fn a_textfile_has_one_writer() {
    let (directory, out) = (directory(), directory());
    let _shop = shop(&directory, "shop.mmstats");
    let file = out.path().join("mmstats.prom");
    let mut first = export(&file, &[], directory.path());
    // The lock must hold over several versions of the file.
    for _ in 0..20 {
        let outcome = run(Command::new(program("--bin", "mmash"))
            .arg("--textfile")
            .arg(&file)
            .arg(directory.path()));
        assert_eq!(outcome.status, 1);
        assert!(outcome.err.contains("another mmash writes this file"), "{}", outcome.err);
        sleep(Duration::from_millis(10));
    }
    first.kill();
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    let second = export(&file, &[], directory.path());
    let deadline = Instant::now() + Duration::from_secs(60);
    while fs::metadata(&file).unwrap().modified().unwrap() == before {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(10));
    }
    drop(second);
}

#[test]
fn a_textfile_is_written_atomically() {
    let (directory, out) = (directory(), directory());
    let shop = shop(&directory, "shop.mmstats");
    let file = out.path().join("mmstats.prom");
    let mut command = Command::new(program("--bin", "mmash"));
    command.args(["-d", "0.1", "--sum", "--textfile"]).arg(&file).arg(directory.path());
    let program = Program::spawn(&mut command);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut samples = 0;
    while samples < 20 {
        assert!(Instant::now() < deadline);
        shop.orders.incr();
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let orders = text
            .lines()
            .find_map(|line| line.strip_prefix("shop_orders_total{textfile=\"mmstats\"} "))
            .unwrap_or_else(|| panic!("{text:?}"));
        assert!(text.ends_with('\n') && text.contains("mmstats_scrape_duration_seconds"));
        samples = samples.max(orders.parse::<u64>().unwrap());
        sleep(Duration::from_millis(10));
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o644);
    let pid = rustix::process::Pid::from_raw(i32::try_from(program.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let end = program.end();
    assert!(end.status.success() && end.errors.is_empty(), "{end:?}");
    assert_eq!(mmstats_tests::files::names(out.path()), ["mmstats.prom"]);
    let outcome = run(Command::new(mmstats_tests::cli::program("--bin", "mmash"))
        .arg("--textfile")
        .arg(out.path().join("missing/x.prom"))
        .arg(directory.path()));
    assert_eq!(outcome.status, 1);
    assert!(outcome.err.contains("/missing/x.prom"), "{}", outcome.err);
}

#[test]
fn a_textfile_replaces_only_regular_files() {
    let (directory, out) = (directory(), directory());
    let _shop = shop(&directory, "shop.mmstats");
    let mmash = |file: &Path| {
        run(Command::new(program("--bin", "mmash"))
            .arg("--textfile")
            .arg(file)
            .arg(directory.path()))
    };
    let at = |name: &str| out.path().join(name);
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    fs::create_dir(at("directory")).unwrap();
    symlink(at("nothing"), at("dangling")).unwrap();
    symlink("/dev/null", at("null")).unwrap();
    let before: Vec<_> = ["pipe", "directory", "dangling", "null"]
        .map(|name| (name, at(name).symlink_metadata().unwrap().file_type()))
        .into();
    for (name, file_type) in before {
        let outcome = mmash(&at(name));
        assert_eq!(
            (outcome.status, at(name).symlink_metadata().unwrap().file_type()),
            (1, file_type),
            "{name}: {}",
            outcome.err
        );
        assert!(outcome.err.contains(name), "{}", outcome.err);
    }
    // The target of a link is written, and the link stays.
    fs::write(at("file.prom"), "").unwrap();
    symlink("file.prom", at("link.prom")).unwrap();
    let program = Program::spawn(
        Command::new(program("--bin", "mmash"))
            .args(["-d", "0.1", "--textfile"])
            .arg(at("link.prom"))
            .arg(directory.path()),
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    while !fs::read_to_string(at("file.prom")).unwrap().contains("shop_orders") {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(10));
    }
    assert!(at("link.prom").is_symlink());
    drop(program);
}

#[test]
fn server_options_are_refused_without_a_server() {
    let directory = directory();
    for arguments in [
        &["--port", "1"][..],
        &["--listen", "127.0.0.1"],
        &["--allow-host", "x"],
        &["--max-sse-clients", "1"],
        &["--history", "1s"],
        &["--demo"],
    ] {
        let outcome = run(Command::new(program("--bin", "mmash"))
            .arg("--textfile")
            .arg(directory.path().join("missing/x.prom"))
            .args(arguments));
        assert_eq!(outcome.status, 2, "{arguments:?}: {}", outcome.err);
    }
}

#[test]
fn a_missing_path_is_reported() {
    let directory = directory();
    let path = directory.path().to_str().unwrap();
    let mut command = command(&[&format!("{path}/missing"), path]);
    let server = Mmash::start(&mut command);
    server.signal(Signal::TERM);
    let end = server.end();
    assert!(end.status.success() && end.errors.contains("/missing: No such file"), "{end:?}");
}

#[test]
fn the_demo_shows_every_kind_and_removes_its_files() {
    let server = Mmash::start(&mut command(&["--demo", "-d", "0.1"]));
    let stats = server.wait_for("/api/v1/stats?by=label", |stats| {
        stat(stats, "http.requests{method=\"GET\",status=\"200\"}")["rate"].as_f64() > Some(0.0)
    });
    for kind in ["counter", "gauge", "histogram", "info", "untyped"] {
        assert!(
            stats["stats"].as_array().unwrap().iter().any(|stat| stat["kind"] == kind),
            "{kind}"
        );
    }
    let of = |answer: &Value, liveness: &str| {
        answer["files"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|file| file["liveness"] == liveness)
            .count()
    };
    let files = server.wait_for("/api/v1/files", |files| of(files, "dead") == 1);
    assert_eq!((of(&files, "alive"), &files["errors"]), (6, &json!([])));
    let path = files["files"][0]["file"].as_str().unwrap().to_owned();
    let directory = std::path::Path::new(&path).parent().unwrap();
    assert!(directory.is_dir());
    server.signal(Signal::TERM);
    assert!(server.end().status.success());
    assert!(!directory.exists());
}

#[test]
fn no_sum_decreases_when_a_writer_ends() {
    let directory = directory();
    let shops = [shop(&directory, "a.mmstats"), shop(&directory, "b.mmstats")];
    shops.iter().for_each(|shop| shop.orders.add(10));
    let server = Mmash::serve(directory.path(), &["-d", "0.1", "--sum"]);
    let orders = || {
        let page = server.get("/metrics").text();
        page.lines()
            .find_map(|line| line.strip_prefix("shop_orders_total ").map(str::to_owned))
            .unwrap_or_else(|| panic!("{page}"))
    };
    assert_eq!(orders(), "20");
    let [first, second] = shops;
    drop(first);
    server.wait_for("/api/v1/files", |files| files["files"].as_array().unwrap().len() == 1);
    second.orders.add(5);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match orders().as_str() {
            "25" => break,
            sum => assert!(sum == "20" && Instant::now() < deadline, "{sum}"),
        }
    }
}
