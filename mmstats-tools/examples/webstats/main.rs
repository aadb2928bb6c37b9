//! A small web server with threads, to show how a program is instrumented: what it counts is in
//! `stats.rs`, where it counts in `server.rs`.
//!
//! ```text
//! cargo run --release -p mmstats-tools --example webstats             # serves until it is interrupted
//! cargo run --release -p mmstats-tools --example webstats -- --load 5 # keeps itself busy for 5 seconds
//! ```
//!
//! While it runs, `slurpstats` in another terminal shows a file for each of its threads.

mod http;
mod load;
mod server;
mod stats;

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use mmstats_tools::console::Console;
use mmstats_tools::slurp;
use server::Server;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A small web server that publishes what it does.
#[derive(Parser)]
struct Options {
    /// Port on 127.0.0.1; 0 takes any that is free.
    #[arg(long, default_value_t = 5001)]
    port: u16,
    /// Threads that serve.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    threads: u16,
    /// Version of the format to publish in; the Python tools read 1.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    format: u8,
    /// Send requests to itself for so many seconds, show what slurpstats sees, and stop.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    load: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 =
        text.parse().map_err(|_| "a number of seconds is needed, such as 5 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    // Only where they are waited for: a load can be interrupted like any program.
    let mut signals =
        if options.load.is_none() { Some(Signals::new([SIGINT, SIGTERM])?) } else { None };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
        .map_err(|error| format!("port {}: {error}", options.port))?;
    let server = Server::new(listener)?;
    say(format_args!(
        "listening on http://{}/ with {} threads; GET /, /500 and /status",
        server.address(),
        options.threads
    ));

    thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| match options.format {
                1 => stats::OLD_STATS
                    .with(|stats| server.work(stats, &stats::OLD_STATS.publication())),
                _ => stats::STATS.with(|stats| server.work(stats, &stats::STATS.publication())),
            });
        }
        let result = match options.load {
            Some(time) => {
                let sent = load::drive(server.address(), time, options.threads);
                say(format_args!(
                    "{} answers in {time:?}, {} requests failed; this is what slurpstats sees:\n",
                    sent.answered, sent.failed
                ));
                slurp(&server.files())
            }
            None => {
                // Sleeps until the first one.
                signals.as_mut().map(|signals| signals.forever().next());
                ExitCode::SUCCESS
            }
        };
        server.stop(options.threads);
        Ok(result)
    })
}

/// What `slurpstats FILE…` prints, without starting it.
fn slurp(files: &[PathBuf]) -> ExitCode {
    let arguments = files.iter().map(|path| path.clone().into_os_string());
    slurp::run(
        [OsString::from("slurpstats")].into_iter().chain(arguments),
        &mut Console::standard("slurpstats"),
    )
}

/// Tells something; nobody has to listen.
fn say(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{what}");
}
