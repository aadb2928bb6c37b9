//! A wall clock that is set forward and back all the time, for the programs of the soak alone.

use mmstats_tests::cli::run;
use mmstats_tests::damage::Random;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The number of steps that the file has room for: a day of one every two seconds.
const MAX_STEPS: u64 = 1 << 16;

/// The clock.
pub(crate) struct Clock {
    library: PathBuf,
    path: PathBuf,
    file: File,
    steps: AtomicU64,
}

impl Clock {
    /// Builds the library that programs preload.
    pub(crate) fn new(directory: &Path) -> Clock {
        let [source, library, path] =
            ["clock.c", "clock.so", "clock"].map(|name| directory.join(name));
        fs::write(&source, include_str!("clock.c")).expect("there is room");
        let mut gcc = Command::new("gcc");
        gcc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]);
        let outcome = run(gcc.arg(&library).arg(&source));
        assert_eq!(outcome.status, 0, "{}", outcome.err);
        let file = File::create_new(&path).expect("a new file");
        file.set_len(8 + 16 * MAX_STEPS).expect("there is room");
        Clock { library, path, file, steps: AtomicU64::new(0) }
    }

    /// Returns the variables of a program that uses this clock. One that replaces itself by another
    /// one reads the times of its files by the kernel's clock.
    pub(crate) fn variables(&self, replaces_itself: bool) -> Vec<(&'static str, PathBuf)> {
        let mut variables =
            vec![("LD_PRELOAD", self.library.clone()), ("WALL_CLOCK", self.path.clone())];
        if !replaces_itself {
            variables.push(("WALL_CLOCK_OF_FILES", PathBuf::from("1")));
        }
        variables
    }

    /// Sets the clock: mostly by hours, at times by seconds or less.
    pub(crate) fn step(&self, random: &mut Random) {
        let count = self.steps.load(Ordering::Relaxed);
        let scale = [3 * 3600 * 1000, 3 * 3600 * 1000, 3 * 3600 * 1000, 3000, 100];
        let scale = scale[random.below(scale.len())];
        let milliseconds = random.below(2 * scale) as i64 - scale as i64;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        let start = i64::try_from(now.as_nanos()).expect("before 2262");
        let step = [start, milliseconds * 1_000_000].map(i64::to_ne_bytes).concat();
        if count < MAX_STEPS {
            self.file.write_all_at(&step, 8 + 16 * count).expect("there is room");
            self.file.write_all_at(&(count + 1).to_ne_bytes(), 0).expect("there is room");
            self.steps.store(count + 1, Ordering::Relaxed);
        }
    }

    /// Returns the number of steps so far.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }
}
