//! The man page and the shell completions of a tool, made from its options: `TOOL --generate man`.

use std::env;
use std::io;

use clap::builder::PossibleValue;
use clap::{Arg, Command, ValueEnum, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::options::{COLOURS, ENVIRONMENT};
use crate::render::date::Date;

const OPTION: &str = "generate";

/// An empty date. Without the quotes, the next argument would be read as the date.
const NO_DATE: &str = "\"\"";

/// A text that a tool generates.
#[derive(Clone, Copy, Debug)]
enum Output {
    Man,
    Completions(Shell),
}

impl ValueEnum for Output {
    fn value_variants<'a>() -> &'a [Self] {
        use Output::{Completions, Man};
        const {
            &[
                Man,
                Completions(Shell::Bash),
                Completions(Shell::Elvish),
                Completions(Shell::Fish),
                Completions(Shell::PowerShell),
                Completions(Shell::Zsh),
            ]
        }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Output::Man => Some(PossibleValue::new("man")),
            Output::Completions(shell) => shell.to_possible_value(),
        }
    }
}

/// Adds the hidden option `--generate` to a command.
pub(crate) fn add_option(command: Command) -> Command {
    let option = Arg::new(OPTION)
        .long(OPTION)
        .hide(true)
        .value_name("OUTPUT")
        .exclusive(true)
        .value_parser(value_parser!(Output))
        .help("Print the man page or a shell's completions");
    command.arg(option)
}

/// Returns the text that `--generate` asks for, if it is among the arguments.
///
/// # Errors
/// Only if formatting fails.
pub(crate) fn generate(
    command: &Command,
    matches: &clap::ArgMatches,
) -> Option<io::Result<Vec<u8>>> {
    let output = *matches.get_one::<Output>(OPTION)?;
    let mut command = command.clone();
    let name = command.get_name().to_owned();
    Some(match output {
        Output::Man => {
            command.build();
            man_page(&command)
        }
        Output::Completions(shell) => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command, name, &mut text);
            Ok(text)
        }
    })
}

fn man_page(command: &Command) -> io::Result<Vec<u8>> {
    let name = command.get_name();
    let mut page = Vec::new();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .date(source_date().unwrap_or(NO_DATE.to_owned()))
        .manual("mmstats");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut roff = Roff::new();
    add_synopsis(&mut roff, command);
    roff.to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::new();
    let after = command
        .get_after_long_help()
        .or(command.get_after_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    for part in after.replace(COLOURS, "").split("\n\n") {
        add_section(&mut roff, part);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, text) in ENVIRONMENT {
        roff.control("TP", []).text([bold(name)]).text([roman(text)]);
    }
    let others: Vec<String> = ["slurpstats", "pollstats", "cleanstats", "topstats", "mmash"]
        .iter()
        .filter(|other| **other != name)
        .map(|other| format!("{other}(1)"))
        .collect();
    roff.control("SH", ["SEE ALSO"]).text([roman(others.join(", "))]);
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// Returns the date in `SOURCE_DATE_EPOCH`, `2012-11-20`, which packagers set for reproducible
/// builds.
fn source_date() -> Option<String> {
    let seconds = env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let date = seconds.and_then(Date::from_unix)?.to_string();
    Some(date.split_once(' ')?.0.to_owned())
}

fn add_synopsis(roff: &mut Roff, command: &Command) {
    let name = command.get_name();
    let usage = command.clone().render_usage().to_string();
    roff.control("SH", ["SYNOPSIS"]);
    for (number, line) in usage.trim_start_matches("Usage:").trim().lines().enumerate() {
        if number > 0 {
            roff.control("br", []);
        }
        let arguments = line.trim().trim_start_matches(name).to_owned();
        roff.text([bold(name), roman(arguments)]);
    }
}

/// Adds a part of the text after the options: a heading with a colon, and its text. Indented lines
/// keep their line breaks.
fn add_section(roff: &mut Roff, part: &str) {
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
