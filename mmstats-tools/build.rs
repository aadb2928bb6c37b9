//! Makes man pages and completions of all commands, out of what reads their arguments.
//!
//! They go to the directory `MMSTATS_ASSETS`, if that is set, else among the build's own output.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use clap::ValueEnum;
use clap_complete::Shell;

#[allow(dead_code, unreachable_pub)]
#[path = "src/labels.rs"]
mod labels;
#[allow(dead_code, unreachable_pub)]
#[path = "src/options/mod.rs"]
mod options;

fn main() -> io::Result<()> {
    for input in ["build.rs", "src/options", "src/labels.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    println!("cargo::rerun-if-env-changed=MMSTATS_ASSETS");
    let assets = env::var_os("MMSTATS_ASSETS").or_else(|| env::var_os("OUT_DIR")).map(PathBuf::from).ok_or(io::ErrorKind::NotFound)?;
    let (pages, completions) = (assets.join("man"), assets.join("completions"));
    fs::create_dir_all(&pages)?;
    fs::create_dir_all(&completions)?;
    for mut command in options::commands() {
        let name = command.get_name().to_owned();
        for shell in Shell::value_variants() {
            clap_complete::generate_to(*shell, &mut command, &name, &completions)?;
        }
        clap_mangen::Man::new(command).generate_to(&pages)?;
    }
    Ok(())
}
