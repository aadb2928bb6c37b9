//! An example of an instrumented program: a small web server with threads. `stats.rs` defines its
//! stats, and `server.rs` updates them.
//!
//! ```text
//! cargo run --release -p mmstats-tools --example webstats             # serves until interrupted
//! cargo run --release -p mmstats-tools --example webstats -- --load 5 # generates load for 5 s
//! ```
//!
//! While it runs, `slurpstats` in another terminal shows one file per thread.

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

/// A small web server that publishes stats.
#[derive(Parser)]
struct Options {
    /// Port on 127.0.0.1; 0 chooses a free one.
    #[arg(long, default_value_t = 5001)]
    port: u16,
    /// Number of server threads.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    threads: u16,
    /// Version of the file format; the Python tools read version 1.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    format: u8,
    /// Send requests to itself for this many seconds, then print the stats and exit.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    load: Option<Duration>,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "invalid number of seconds (such as 5 or 0.5 expected)".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    // With --load, signals keep their default action, as nothing waits for them.
    let mut signals =
        if options.load.is_none() { Some(Signals::new([SIGINT, SIGTERM])?) } else { None };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
        .map_err(|error| format!("port {}: {error}", options.port))?;
    let server = Server::new(listener)?;
    print_line(format_args!(
        "listening on http://{}/ with {} threads; GET /, /500 and /status",
        server.address(),
        options.threads
    ));

    thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| match options.format {
                1 => stats::V1_STATS
                    .with(|stats| server.run_worker(stats, &stats::V1_STATS.publication())),
                _ => {
                    stats::STATS
                        .with(|stats| server.run_worker(stats, &stats::STATS.publication()));
                }
            });
        }
        let result = match options.load {
            Some(duration) => {
                let counts = load::generate(server.address(), duration, options.threads);
                print_line(format_args!(
                    "{} answers in {duration:?}, {} requests failed; this is what slurpstats sees:\n",
                    counts.answered, counts.failed
                ));
                print_stats(&server.files())
            }
            None => {
                // Waits for the first signal.
                signals.as_mut().map(|signals| signals.forever().next());
                ExitCode::SUCCESS
            }
        };
        server.stop(options.threads);
        Ok(result)
    })
}

/// Prints the output of `slurpstats FILE…`.
fn print_stats(files: &[PathBuf]) -> ExitCode {
    let arguments = files.iter().map(|path| path.clone().into_os_string());
    slurp::run(
        [OsString::from("slurpstats")].into_iter().chain(arguments),
        &mut Console::standard("slurpstats"),
    )
}

/// Prints a line; ignores a closed output.
fn print_line(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}
