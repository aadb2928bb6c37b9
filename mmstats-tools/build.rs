//! Makes man pages and completions of all commands, out of what reads their arguments.
//!
//! They go to the directory `MMSTATS_ASSETS`, if that is set, else among the build's own output.
//! Pages have the date that `SOURCE_DATE_EPOCH` tells, as packagers set it, and else none, so that
//! whoever builds the same gets the same.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

#[allow(dead_code, unreachable_pub)]
#[path = "src/render/date.rs"]
mod date;
#[allow(dead_code, unreachable_pub)]
#[path = "src/labels.rs"]
mod labels;
#[allow(dead_code, unreachable_pub)]
#[path = "src/options/mod.rs"]
mod options;

fn main() -> io::Result<()> {
    for input in ["build.rs", "src/options", "src/labels.rs", "src/render/date.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    for variable in ["MMSTATS_ASSETS", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let assets = env::var_os("MMSTATS_ASSETS")
        .or_else(|| env::var_os("OUT_DIR"))
        .map(PathBuf::from)
        .ok_or(io::ErrorKind::NotFound)?;
    let (pages, completions) = (assets.join("man"), assets.join("completions"));
    fs::create_dir_all(&pages)?;
    fs::create_dir_all(&completions)?;
    let commands = options::commands();
    let names: Vec<String> = commands.iter().map(|command| command.get_name().to_owned()).collect();
    for mut command in commands {
        let name = command.get_name().to_owned();
        for shell in Shell::value_variants() {
            clap_complete::generate_to(*shell, &mut command, &name, &completions)?;
        }
        command.build();
        fs::write(pages.join(format!("{name}.1")), page(&command, &names)?)?;
    }
    Ok(())
}

/// The man page of one of the commands.
fn page(command: &Command, all: &[String]) -> io::Result<Vec<u8>> {
    let name = command.get_name();
    let mut page = Vec::new();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .date(day().unwrap_or(NO_DAY.to_owned()))
        .manual("mmstats");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut roff = Roff::new();
    synopsis(&mut roff, command);
    roff.to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::new();
    let after = command
        .get_after_long_help()
        .or(command.get_after_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    for part in after.replace(options::COLOURS, "").split("\n\n") {
        section(&mut roff, part);
    }
    environment(&mut roff);
    let others: Vec<String> =
        all.iter().filter(|other| *other != name).map(|other| format!("{other}(1)")).collect();
    roff.control("SH", ["SEE ALSO"]).text([roman(others.join(", "))]);
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// An argument that is empty; without the quotes, the next one would be taken for the date.
const NO_DAY: &str = "\"\"";

/// The day of the sources, `2012-11-20`, if somebody tells.
fn day() -> Option<String> {
    let seconds = env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let date = seconds.and_then(date::Date::from_unix)?.to_string();
    Some(date.split_once(' ')?.0.to_owned())
}

fn synopsis(roff: &mut Roff, command: &Command) {
    let name = command.get_name();
    let usage = command.clone().render_usage().to_string();
    roff.control("SH", ["SYNOPSIS"]);
    for (i, line) in usage.trim_start_matches("Usage:").trim().lines().enumerate() {
        if i > 0 {
            roff.control("br", []);
        }
        let arguments = line.trim().trim_start_matches(name).to_owned();
        roff.text([bold(name), roman(arguments)]);
    }
}

/// A part of the long help that stands behind the options: a heading with a colon, and the text;
/// lines that are indented stay as they are.
fn section(roff: &mut Roff, part: &str) {
    let Some((heading, text)) = part.trim().split_once(':') else { return };
    roff.control("SH", [heading.to_uppercase().as_str()]);
    if text.starts_with('\n') {
        let lines: Vec<&str> = text
            .trim_start_matches('\n')
            .lines()
            .map(|line| line.strip_prefix("  ").unwrap_or(line))
            .collect();
        roff.control("nf", []).text([roman(lines.join("\n"))]).control("fi", []);
    } else {
        roff.text([roman(text.trim())]);
    }
}

fn environment(roff: &mut Roff) {
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, text) in options::ENVIRONMENT {
        roff.control("TP", []).text([bold(name)]).text([roman(text)]);
    }
}
