//! Options of `mmash`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::Resettable;

use super::{Selection, duration};
use crate::labels::Labels;

/// The options of the server, which `--textfile` excludes.
const SERVER_OPTIONS: [&str; 8] = [
    "port",
    "listen",
    "allow_remote",
    "allow_host",
    "history",
    "history_bytes",
    "max_sse_clients",
    "max_requests_per_second",
];

/// The heading of the options that concern metrics only.
const METRICS: &str = "Metrics (/metrics and --textfile)";

/// The port of the original mmash.
pub const DEFAULT_PORT: u16 = 5002;

/// Serves all stats: a page with live plots, metrics for Prometheus, and JSON.
#[derive(Debug, Parser)]
#[command(name = "mmash", version, max_term_width = 100, after_help = STATUS, after_long_help = [EXAMPLES, ADDRESSES, STATUS].concat())]
pub struct Options {
    /// Port on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = DEFAULT_PORT)]
    pub port: u16,

    /// Address to listen on instead of 127.0.0.1. One that other machines can reach also needs
    /// --allow-remote.
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = parse_address, conflicts_with = "port")]
    pub listen: Option<SocketAddr>,

    /// Let other machines read all stats, without a password.
    #[arg(long)]
    pub allow_remote: bool,

    /// Also accept requests for this host name, with any port or only the given one. Can be
    /// repeated.
    ///
    /// Guards against DNS rebinding: other requests are accepted only if their Host is localhost,
    /// 127.0.0.1 or [::1], or the address that they arrived at with this server's port. Use it for
    /// the names of a proxy or of this machine.
    #[arg(long, value_name = "NAME[:PORT]", value_parser = parse_host)]
    pub allow_host: Vec<String>,

    /// Time between scrapes: seconds, or with a unit (500ms, 2s, 1m).
    #[arg(short = 'd', long, value_name = "TIME", default_value = "1", value_parser = duration::parse_scrape_interval)]
    pub interval: Duration,

    /// How far back values are stored, for plots and queries.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration::parse)]
    pub history: Duration,

    /// Maximum memory for stored values; the oldest are dropped. K, M and G are 1024, 1024² and
    /// 1024³.
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = parse_bytes)]
    pub history_bytes: usize,

    /// Maximum number of event streams at a time. Lowered, with a warning, if the open-file limit
    /// is smaller.
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    pub max_sse_clients: u16,

    /// Maximum number of requests per second, of all clients together. Bursts of twice as many are
    /// accepted.
    #[arg(long, value_name = "COUNT", default_value = "500")]
    pub max_requests_per_second: NonZeroU32,

    /// Publish and show an example workload, in addition to any FILE.
    #[arg(long, conflicts_with = "textfile")]
    pub demo: bool,

    /// Run as the demo's process that crashes: publish in this directory until killed.
    #[arg(long, value_name = "DIR", hide = true)]
    pub demo_crash: Option<PathBuf>,

    /// Add all writers; sums never decrease while mmash runs.
    ///
    /// Counters and histograms of ended writers stay in the sums. Other fields are combined as
    /// they state: sum, mean, minimum, maximum or last. Without that, gauges are added,
    /// measurements (seconds, ratio, celsius, …) averaged, and of timestamps the latest counts.
    /// Writers that have ended count if the field is kept, or if there are no others.
    #[arg(long, help_heading = METRICS)]
    pub sum: bool,

    /// Do not serve, but write the metrics to this file after each scrape, for the textfile
    /// collector of node_exporter. All series have its name without the extension as the label
    /// "textfile", so that several mmash can write into one directory, each its own file.
    #[arg(long, value_name = "FILE", help_heading = METRICS, conflicts_with_all = SERVER_OPTIONS)]
    pub textfile: Option<PathBuf>,

    #[command(flatten, next_help_heading = METRICS)]
    #[allow(missing_docs)]
    pub labels: Labels,

    /// Only files whose process is alive.
    #[arg(long, help_heading = METRICS)]
    pub live: bool,

    #[command(flatten, next_help_heading = Resettable::Reset)]
    #[allow(missing_docs)]
    pub selection: Selection,
}

impl Options {
    /// Returns the address to listen on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or((Ipv4Addr::LOCALHOST, self.port).into())
    }
}

/// Parses an address, with or without a port.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bracketed {
        Some(address) => address.parse().map(IpAddr::V6),
        None => text.parse(),
    };
    let with_port = || {
        text.parse().map_err(|_| {
            "not an address (0.0.0.0, 192.0.2.1:5002, [::] or [::1]:5002 expected)".to_owned()
        })
    };
    address.map(|address| (address, DEFAULT_PORT).into()).or_else(|_| with_port())
}

/// Parses a host as in the Host header of a request.
pub(crate) fn parse_host(text: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let is_host = !text.is_empty() && text.chars().all(is_name);
    if is_host {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("not a host (stats.example.org or 192.0.2.1:8080 expected)".to_owned())
    }
}

/// Parses a number of bytes.
fn parse_bytes(text: &str) -> Result<usize, String> {
    let invalid = || "not a number of bytes (4096, 64K, 64M or 1G expected)".to_owned();
    let (digits, factor) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    let number: usize = digits.parse().map_err(|_| invalid())?;
    number.checked_mul(factor).ok_or_else(|| "too large".to_owned())
}

const STATUS: &str = "Exit status: 0 after a signal that ends it; 1 if it cannot listen or write the file; 2 for wrong usage.";

const EXAMPLES: &str = "\
Examples:
  mmash                                            programs on this machine: http://127.0.0.1:5002/
  mmash --demo                                     an example workload
  mmash --listen 0.0.0.0 --allow-remote --allow-host stats.example.org
                                                   for other machines, behind a firewall
  mmash --sum --textfile /var/lib/node_exporter/mmstats.prom
                                                   for Prometheus, by node_exporter
  mmash --elf fw.elf qmp:///run/qemu.qmp           a device in an emulator

";

const ADDRESSES: &str = "\
Addresses:
  /                       table of all stats, with plots; /graph/ shows the plots at once
  /metrics                Prometheus text format 0.0.4, or OpenMetrics 1.0 if the client prefers it
  /api/v1/stats           values and rates as JSON (match=GLOB, by=file|label)
  /api/v1/files           files, and whether their writers are alive
  /api/v1/query           stored values (match, by, since=SECONDS)
  /events                 values after each scrape, as server-sent events
                          (match, by, interval=SECONDS)
  /healthz                whether scrapes are on time
  /stats/                 labels; /stats/PREFIX for values (exact, glob=GLOB,
                          aggr=avg|one|max|min|sum|nonzero-min|nonzero-avg)
  /files/                 files; /files/GLOB for those whose name matches

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_omit_the_port() {
        for (text, shown) in [
            ("0.0.0.0", "0.0.0.0:5002"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("::1", "[::1]:5002"),
            ("[::1]", "[::1]:5002"),
            ("[::]:80", "[::]:80"),
        ] {
            assert_eq!(
                parse_address(text).map(|address| address.to_string()),
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
            assert!(parse_address(text).unwrap_err().contains("expected"), "{text}");
        }
    }

    #[test]
    fn bytes_can_have_a_unit() {
        for (text, number) in
            [("0", 0), ("4096", 4096), ("64k", 65_536), ("64M", 64 << 20), ("1G", 1 << 30)]
        {
            assert_eq!(parse_bytes(text), Ok(number), "{text}");
        }
        for text in ["", "M", "-1", "+1", "1.5M", "64MB", "1T", "18446744073709551615G", "é"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_are_compared_in_lower_case() {
        assert_eq!(parse_host("Stats.Example.org:8080"), Ok("stats.example.org:8080".to_owned()));
        for text in ["", "http://x", "a b", "a/b", "a@b"] {
            assert!(parse_host(text).is_err(), "{text}");
        }
    }
}
