//! Of `mmash`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use glob::Pattern;

use super::{Selection, seconds};
use crate::labels;

/// What is about serving alone.
const SERVING: [&str; 8] = [
    "port",
    "listen",
    "allow_remote",
    "allow_host",
    "history",
    "history_bytes",
    "max_sse_clients",
    "max_requests_per_second",
];

/// The port that it has always had.
pub const PORT: u16 = 5002;

/// Serves all stats: a page with live plots for browsers, metrics for Prometheus, JSON for
/// programs.
#[derive(Debug, Parser)]
#[command(name = "mmash", version, max_term_width = 100, after_help = STATUS, after_long_help = [EXAMPLES, ADDRESSES, STATUS].concat())]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any that is free.
    #[arg(short, long, default_value_t = PORT)]
    pub port: u16,

    /// Listen at this address, or address and port, instead of 127.0.0.1. One that others can reach
    /// takes --allow-remote.
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = address, conflicts_with = "port")]
    pub listen: Option<SocketAddr>,

    /// Let other machines read the stats, all of them, without a password.
    #[arg(long)]
    pub allow_remote: bool,

    /// Answer to this name, too, with any port or only the one given: of a proxy, or of this
    /// machine. Can be repeated.
    ///
    /// A browser can be made to take a page from elsewhere for one of this server: so requests are
    /// only answered if they name localhost, 127.0.0.1, [::1], or the address that they came to,
    /// with this server's port.
    #[arg(long, value_name = "NAME[:PORT]", value_parser = host)]
    pub allow_host: Vec<String>,

    /// Time between two looks at the stats: seconds, or with a unit (500ms, 2s, 1m).
    #[arg(short = 'd', long, value_name = "TIME", default_value = "1", value_parser = interval)]
    pub interval: Duration,

    /// For how long numbers are remembered, for plots to begin with.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = seconds::parse)]
    pub history: Duration,

    /// How much memory that may take; then it reaches less far back. K, M and G are 1024, 1024² and
    /// 1024³.
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = bytes)]
    pub history_bytes: usize,

    /// How many clients may have a stream of events at a time. Fewer, which is told, if this
    /// process may not have so many files open.
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    pub max_sse_clients: u16,

    /// How many requests a second are answered, of all clients together; for a moment it may be
    /// twice as many.
    #[arg(long, value_name = "COUNT", default_value = "500")]
    pub max_requests_per_second: NonZeroU32,

    /// Publish a workload of its own for as long as it runs, and show that alone, or with the files
    /// that are named.
    #[arg(long, conflicts_with = "textfile")]
    pub demo: bool,

    /// One of the demo's processes: publishes there until it is killed.
    #[arg(long, value_name = "DIR", hide = true)]
    pub demo_casualty: Option<PathBuf>,

    /// In metrics, add writers up. Counters keep what writers that have ended counted: as long as
    /// this runs, no sum goes back.
    ///
    /// Gauges are added up over all writers that have not ended; what is a measure (seconds, ratio,
    /// celsius, …) is averaged, and of dates the latest counts.
    #[arg(long, help_heading = "Metrics")]
    pub sum: bool,

    /// Serve nothing, but write the metrics into this file at each look, for the textfile collector
    /// of node_exporter.
    #[arg(long, value_name = "FILE", help_heading = "Metrics", conflicts_with_all = SERVING)]
    pub textfile: Option<PathBuf>,

    /// In metrics, only fields whose whole label matches: * is any text, ? any character, [abc] one
    /// of these. Can be repeated.
    #[arg(short, long, value_name = "GLOB", value_parser = labels::parse, help_heading = "Metrics")]
    pub filter: Vec<Pattern>,

    /// In metrics, no fields whose whole label matches, even if --filter takes them. Can be
    /// repeated.
    #[arg(short = 'x', long, value_name = "GLOB", value_parser = labels::parse, help_heading = "Metrics")]
    pub exclude: Vec<Pattern>,

    /// In metrics, only writers that are alive.
    #[arg(long, help_heading = "Metrics")]
    pub live: bool,

    // The last, or its heading would be that of all others.
    #[command(flatten)]
    #[allow(missing_docs)]
    pub selection: Selection,
}

impl Options {
    /// Where to listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or((Ipv4Addr::LOCALHOST, self.port).into())
    }
}

/// Parses an address, with or without a port.
fn address(text: &str) -> Result<SocketAddr, String> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bracketed {
        Some(address) => address.parse().map(IpAddr::V6),
        None => text.parse(),
    };
    let with_port = || {
        text.parse().map_err(|_| {
            "not an address (0.0.0.0, 192.0.2.1:5002, [::] and [::1]:5002 would be)".to_owned()
        })
    };
    address.map(|address| (address, PORT).into()).or_else(|_| with_port())
}

/// Parses the name of a host as requests have it.
fn host(text: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let is_host = !text.is_empty() && text.chars().all(is_name);
    if is_host {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("not a host (stats.example.org and 192.0.2.1:8080 would be)".to_owned())
    }
}

/// The shortest time between two looks, so that a slip of the keyboard does not take a whole core.
const SHORTEST: Duration = Duration::from_millis(100);

fn interval(text: &str) -> Result<Duration, String> {
    let time = seconds::parse(text)?;
    if time < SHORTEST { Err("shorter than 0.1s".to_owned()) } else { Ok(time) }
}

/// Parses a number of bytes.
fn bytes(text: &str) -> Result<usize, String> {
    let wanted = || "not a number of bytes (4096, 64K, 64M and 1G would be)".to_owned();
    let (digits, factor) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wanted());
    }
    let number: usize = digits.parse().map_err(|_| wanted())?;
    number.checked_mul(factor).ok_or_else(|| "more than any memory".to_owned())
}

const STATUS: &str = "Exit status: 0 if it was told to end; 1 if it cannot listen, or not write the file; 2 for wrong usage.";

const EXAMPLES: &str = "\
Examples:
  mmash                                            what runs on this machine: http://127.0.0.1:5002/
  mmash --demo                                     something to look at
  mmash --listen 0.0.0.0 --allow-remote --allow-host stats.example.org
                                                   for other machines, behind a firewall
  mmash --sum --textfile /var/lib/node_exporter/mmstats.prom
                                                   for Prometheus, through node_exporter
  mmash --elf fw.elf qmp:///run/qemu.qmp           a device, in an emulator

";

const ADDRESSES: &str = "\
Addresses:
  /                       a table of all stats, with plots; /graph/ shows the plots at once
  /metrics                for Prometheus: text format 0.0.4, or OpenMetrics 1.0 if asked for
  /api/v1/stats           values and rates as JSON (match=GLOB, by=file|label)
  /api/v1/files           files, and whether their writers run
  /api/v1/query           what is remembered (match, by, since=SECONDS)
  /events                 values again and again, as server-sent events
                          (match, by, interval=SECONDS)
  /healthz                whether it looks at the stats in time
  /stats/                 labels; /stats/PREFIX their values (exact, glob=GLOB,
                          aggr=avg|one|max|min|sum|nonzero-min|nonzero-avg)
  /files/                 files; /files/GLOB those whose name matches

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_need_not_have_a_port() {
        for (text, shown) in [
            ("0.0.0.0", "0.0.0.0:5002"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("::1", "[::1]:5002"),
            ("[::1]", "[::1]:5002"),
            ("[::]:80", "[::]:80"),
        ] {
            assert_eq!(
                address(text).map(|address| address.to_string()),
                Ok(shown.to_owned()),
                "{text}"
            );
        }
        for text in [
            "",
            "localhost",
            "1.2.3",
            "127.0.0.1:",
            "127.0.0.1:99999",
            "[[::1]]",
            "[::1",
            "::1]",
            "[]",
            "[127.0.0.1]",
        ] {
            assert!(address(text).unwrap_err().contains("would be"), "{text}");
        }
    }

    #[test]
    fn bytes_may_have_a_unit() {
        for (text, number) in
            [("0", 0), ("4096", 4096), ("64k", 65_536), ("64M", 64 << 20), ("1G", 1 << 30)]
        {
            assert_eq!(bytes(text), Ok(number), "{text}");
        }
        for text in ["", "M", "-1", "+1", "1.5M", "64MB", "1T", "18446744073709551615G", "é"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_are_compared_in_lower_case() {
        assert_eq!(host("Stats.Example.org:8080"), Ok("stats.example.org:8080".to_owned()));
        for text in ["", "http://x", "a b", "a/b", "a@b"] {
            assert!(host(text).is_err(), "{text}");
        }
    }
}
