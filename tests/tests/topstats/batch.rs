//! `topstats -b`, its arguments, and sources other than files.

use std::fs;
use std::process::Command;
use std::time::Instant;

use mmstats_tests::cli::{Outcome, program, run};
use tempfile::TempDir;

use super::{Shop, dead_pid, line, old_file};
use mmstats_std::{Options, Published, publish};

struct Dir(TempDir);

impl Dir {
    fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    fn shop(&self, name: &'static str) -> Published<Shop> {
        let directory = self.0.path().to_str().unwrap().to_owned().leak();
        publish::<Shop>(&Options::new().directory(directory).file_name(name)).unwrap()
    }

    fn top(&self, arguments: &[&str]) -> Outcome {
        run(Command::new(program("--bin", "topstats")).current_dir(self.0.path()).args(arguments))
    }
}

#[test]
fn a_table_is_printed_as_plain_text() {
    let dir = Dir::new();
    let shop = dir.shop("shop.mmstats");
    shop.orders.add(1_234_567);
    fs::write(dir.0.path().join("dead.mmstats"), old_file(dead_pid(), "shop.old", 3)).unwrap();
    let Outcome { status, out, err } = dir.top(&["-b", "-d", "0.1", "-f", "shop", "."]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(
        out.starts_with("topstats 20")
            && out.lines().next().unwrap().contains("2 writers: 1 alive, 1 dead, 0 unknown"),
        "{out}"
    );
    assert!(
        line(&out, "shop.orders ").split_whitespace().eq(["shop.orders", "1.23M", "0"]),
        "{out}"
    );
    assert!(line(&out, "shop.memory").split_whitespace().eq(["shop.memory", "1.21MiB"]), "{out}");
    assert!(line(&out, "shop.worker").split_whitespace().eq(["shop.worker", "idle"]), "{out}");
    assert!(line(&out, "shop.old").starts_with("† shop.old"), "{out}");
    assert!(!out.contains('\x1b'), "{out:?}");
}

#[test]
fn one_table_is_printed_per_interval() {
    let dir = Dir::new();
    let _shop = dir.shop("shop.mmstats");
    let begin = Instant::now();
    let out = dir.top(&["-b", "-c", "3", "-d", "0.2", "-g", "dimension", "-s", "value", "."]).out;
    assert!(begin.elapsed().as_millis() >= 600);
    assert_eq!(out.matches("LABEL").count(), 3, "{out}");
    assert_eq!(out.matches("\n\ntopstats ").count(), 2, "{out}");
    assert!(out.contains("\nshop.http (2)\n"), "{out}");
}

#[test]
fn errors_are_reported_once_and_set_the_exit_status() {
    let dir = Dir::new();
    let _shop = dir.shop("shop.mmstats");
    fs::write(dir.0.path().join("bad.mmstats"), b"").unwrap();
    let Outcome { status, out, err } = dir.top(&["-b", "-c", "2", "-d", "0.1", "."]);
    assert_eq!((status, err.lines().count()), (1, 1), "{err}");
    assert!(
        err.starts_with("topstats: ./bad.mmstats: ") && out.contains("shop.orders"),
        "{err}{out}"
    );
}

#[test]
fn a_missing_writer_is_reported_without_an_error() {
    let dir = Dir::new();
    let Outcome { status, out, err } = dir.top(&["-b", "-d", "0.1", "."]);
    assert_eq!(status, 0);
    assert!(out.contains("0 writers"), "{out}");
    assert!(err.contains("no stats found: searched ./*.mmstats"), "{err}");
}

#[test]
fn regions_in_memory_are_a_source_like_files() {
    let dir = Dir::new();
    let shop = dir.shop("shop.mmstats");
    shop.orders.add(42);
    let mut dump = vec![0x5a; 4096];
    dump.extend(fs::read(dir.0.path().join("shop.mmstats")).unwrap());
    drop(shop);
    fs::write(dir.0.path().join("ram.bin"), dump).unwrap();
    let Outcome { status, out, err } = dir.top(&["-b", "-d", "0.1", "ram.bin"]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(line(&out, "shop.orders ").contains(" 42 "), "{out}");
    let top = super::Top::new();
    fs::copy(dir.0.path().join("ram.bin"), top.path().join("ram.bin")).unwrap();
    top.start("-d 0.1 -g file -f orders ram.bin");
    top.tmux.wait_for("▾ ram.bin@0x1000");
    assert!(top.line("  shop.orders ").contains(" 42 "));
}

#[test]
fn wrong_usage_is_reported() {
    let dir = Dir::new();
    for (arguments, message) in [
        (&["-d", "0.01"][..], "shorter than 0.1s"),
        (&["-d", "x"], "not a duration"),
        (&["-c", "3"], "--batch"),
        (&["-b", "-c", "0"], "0 is not in 1.."),
        (&["-s", "size"], "[possible values: name, value, rate]"),
        (&["-b", "--region-address", "16"], "need a FILE or device URL"),
    ] {
        let outcome = dir.top(arguments);
        assert_eq!((outcome.status, outcome.out.as_str()), (2, ""), "{arguments:?}");
        assert!(outcome.err.contains(message), "{arguments:?}: {}", outcome.err);
    }
}

#[test]
fn help_has_a_short_and_a_long_form() {
    let dir = Dir::new();
    let (short, long) = (dir.top(&["-h"]).out, dir.top(&["--help"]).out);
    assert!(short.contains("Exit status:") && !short.contains("Keys:"), "{short}");
    assert!(long.contains("Keys:") && long.contains("Examples:"), "{long}");
}
