//! Misuse does not compile, for the right reason: each program in `tests/ui` compiles with `--cfg
//! good`, and without it fails with the error code and words after its `//~`. (Complete messages
//! differ between compilers.)
//!
//! This file compiles only if all handles, in all formats, are `Send` and not `Sync`, and shared
//! ones are both.

#![allow(dead_code, reason = "older compilers do not count what only constants use")]

use mmstats_core::{
    Average, Clock, Constant, ConstantText, Counter, Gauge, Highest, Histogram, Latched, Lowest,
    MovingAverage, Region, Shared, StaticRegion, Text, Timer, V1, V1Exact, V2, V2Narrow, View,
};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Implemented twice for `Sync` types: for them, `FOUND` is ambiguous and does not compile.
trait NotSync<A> {
    const FOUND: () = ();
}
impl<T: ?Sized> NotSync<()> for T {}
impl<T: ?Sized + Sync> NotSync<u8> for T {}

const fn is_send<T: Send>() {}
const fn is_sync<T: Sync>() {}

/// A clock that no test reads.
struct Stopped;

impl Clock for Stopped {
    type Instant = ();
    fn now() {}
    fn nanoseconds_since((): ()) -> u64 {
        0
    }
}

macro_rules! handles_can_be_moved_and_not_shared {
    ($($format:ty),*) => { $(
        handles_can_be_moved_and_not_shared! { @ $format:
            Counter<u32, $format>, Counter<u64, $format>, Counter<Latched<u64>, $format>,
            Gauge<bool, $format>, Gauge<u8, $format>, Gauge<i16, $format>, Gauge<f32, $format>,
            Gauge<f64, $format>, Gauge<Latched<i64>, $format>,
            Text<9, $format>, Histogram<2, 20, u32, $format>, Histogram<5, 40, u64, $format>,
            Average<$format>, MovingAverage<4, $format>, Timer<Stopped, 4, $format>,
            Constant<u32, $format>, ConstantText<4, $format>, Highest<u32, $format>,
            Lowest<f64, $format>
        }
    )* };
    (@ $format:ty: $($handle:ty),*) => {
        $(
            const _: () = is_send::<$handle>();
            const _: () = <$handle as NotSync<_>>::FOUND;
        )*
    };
}
handles_can_be_moved_and_not_shared! { V2, V2Narrow, V1, V1Exact, V2, V1 }
macro_rules! handles_can_be_moved_and_shared {
    ($($format:ty),*) => { $(
        handles_can_be_moved_and_shared! { @
            Counter<u32, $format>, Counter<u64, $format>, Counter<Latched<u64>, $format>,
            Gauge<bool, $format>, Gauge<u8, $format>, Gauge<i16, $format>, Gauge<f32, $format>,
            Gauge<f64, $format>, Histogram<2, 20, u32, $format>, Histogram<5, 40, u64, $format>,
            Constant<u32, $format>, ConstantText<4, $format>, Highest<u32, $format>,
            Lowest<f64, $format>
        }
    )* };
    (@ $($handle:ty),*) => { $(
        const _: () = is_send::<$handle>();
        const _: () = is_sync::<$handle>();
    )* };
}
handles_can_be_moved_and_shared! { Shared, Shared<V2>, Shared<V2Narrow>, Shared<Shared> }
const _: () = is_send::<Region>();
const _: () = is_sync::<View<'static>>();
const _: () = is_sync::<StaticRegion<8>>();

/// The library as this compiler compiled it, and the folder of what it depends on.
fn library() -> (PathBuf, PathBuf) {
    let arguments =
        ["build", "--quiet", "--package", "mmstats-core", "--lib", "--message-format=json"];
    let build = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let messages = String::from_utf8(build.stdout).unwrap();
    let mut rlibs = messages
        .split('"')
        .filter(|text| text.ends_with(".rlib") && text.contains("libmmstats_core"));
    let library = PathBuf::from(
        rlibs.next_back().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&build.stderr))),
    );
    let folder = library.parent().unwrap();
    let dependencies =
        if folder.ends_with("deps") { folder.to_owned() } else { folder.join("deps") };
    (library, dependencies)
}

fn compile(
    program: &Path,
    (library, dependencies): &(PathBuf, PathBuf),
    options: &[&str],
) -> Output {
    let beside_cargo = Path::new(env!("CARGO")).with_file_name("rustc");
    let rustc = std::env::var_os("RUSTC")
        .map_or(if beside_cargo.exists() { beside_cargo } else { "rustc".into() }, PathBuf::from);
    let metadata = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui.rmeta");
    Command::new(rustc)
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--cap-lints=allow", "-o"])
        .arg(metadata)
        .arg("--extern")
        .arg(format!("mmstats_core={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", dependencies.display()))
        .args(options)
        .arg(program)
        .output()
        .unwrap()
}

#[test]
fn misuse_does_not_compile_and_the_error_says_why() {
    let library = library();
    let programs: Vec<PathBuf> = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/ui")
        .read_dir()
        .unwrap()
        .map(|program| program.unwrap().path())
        .collect();
    assert!(programs.len() >= 13);
    for program in programs {
        let name = program.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&program).unwrap();
        let (code, words) = text
            .lines()
            .find_map(|line| line.strip_prefix("//~ ")?.split_once(' '))
            .expect("what goes wrong");
        let good = compile(&program, &library, &["--cfg", "good"]);
        assert!(
            good.status.success(),
            "{name} is good but for its error:\n{}",
            String::from_utf8_lossy(&good.stderr)
        );
        let bad = compile(&program, &library, &[]);
        let errors = String::from_utf8_lossy(&bad.stderr);
        assert!(!bad.status.success(), "{name} compiles");
        assert!(
            errors.contains(&format!("error[{code}]")) && errors.contains(words),
            "{name} should say {code} {words:?}:\n{errors}"
        );
        let others: Vec<&str> = errors
            .lines()
            .filter(|line| line.starts_with("error[") && !line.contains(code))
            .collect();
        assert!(others.is_empty(), "{name} has other errors too: {others:?}");
    }
}
