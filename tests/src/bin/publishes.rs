//! `publishes SCENE`: publishes under several names, or prints the files it finds.

use mmstats_std::discover::discover;
use mmstats_std::identity::tid;
use mmstats_std::template::Environment;
use mmstats_std::{Options, V1, per_thread};
use mmstats_tests::programs::{pause, say};
use mmstats_tests::step_model::Steps;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

per_thread! {
    static PLAIN: Steps = Options::new();
    static PREFIXED: Steps = Options::new().label_prefix("web.stats.").file_name("prefixed.mmstats");
    static VERSION_1: Steps<V1> = Options::new();
    static GROUP: Steps = Options::new().mode(0o440);
    static PLACED: Steps = Options::new().directory("of-{MODEL}").file_name("{CMD}.{PID}.{TID}.mmstats");
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("plain") => {
            PLAIN.with(|stats| stats.step(1));
            pause("ready");
        }
        Some("thread") => {
            thread::spawn(|| {
                PLAIN.with(|stats| stats.step(1));
                pause(&format!("ready {}", tid()));
            })
            .join()
            .expect("it does not panic");
        }
        Some("prefixed") => {
            PREFIXED.with(|stats| stats.step(1));
            pause("ready");
        }
        Some("version_1") => {
            VERSION_1.with(|stats| stats.step(1));
            pause("ready");
        }
        Some("exec") => {
            PLAIN.with(|stats| stats.step(1));
            thread::spawn(|| PLAIN.with(|stats| stats.step(1))).join().expect("it does not panic");
            pause("ready");
            let mut arguments = std::env::args_os().skip(2);
            let error = Command::new(arguments.next().expect("a program")).args(arguments).exec();
            panic!("{error}");
        }
        Some("group") => {
            GROUP.with(|stats| stats.step(1));
            pause("ready");
        }
        Some("placed") => {
            PLACED.with(|stats| stats.step(1));
            pause("ready");
        }
        Some("finds") => {
            let found = discover::<PathBuf>(&Environment::read(), &[]);
            found.errors.iter().for_each(|problem| say(&format!("problem: {problem}")));
            found.files.iter().for_each(|file| say(&file.path().display().to_string()));
        }
        other => panic!("no scene {other:?}"),
    }
}
