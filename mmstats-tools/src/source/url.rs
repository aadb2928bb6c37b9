//! URLs of devices: `gdb://HOST:PORT`, `qmp://HOST:PORT`, `qmp:///path/to/socket`.
//!
//! They are parsed here, as the crate `url` (2.5) rejects zones in IPv6 addresses and
//! percent-encodes paths.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The protocol and address of a device.
///
/// ```
/// use mmstats_tools::source::url::{Host, Url};
///
/// let url: Url = "gdb://[::1]:3333".parse()?;
/// assert_eq!(url, Url::Gdb(Host { name: "::1".to_owned(), port: 3333 }));
/// # Ok::<(), mmstats_tools::source::url::UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    /// A GDB server.
    Gdb(Host),
    /// QEMU's machine protocol.
    Qmp(Socket),
}

/// A host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The host's name or address; an IPv6 address without brackets.
    pub name: String,
    /// Never 0.
    pub port: u16,
}

/// The address of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    /// A TCP port.
    Tcp(Host),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// An invalid [`Url`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError {
    /// The text.
    pub found: String,
    /// The fault.
    pub what: &'static str,
}

impl Url {
    /// Returns `true` if the text begins with `gdb:` or `qmp:`, so that it is not a path.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        ["gdb:", "qmp:"].iter().any(|scheme| text.starts_with(scheme))
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let parsed = match text.split_once("://") {
            Some(("gdb", rest)) if rest.starts_with('/') => {
                Err("a path instead of a host and port")
            }
            Some(("gdb", rest)) => host(rest).map(Url::Gdb),
            Some(("qmp", rest)) if rest.starts_with('/') => socket(rest).map(Url::Qmp),
            Some(("qmp", rest)) => host(rest).map(|host| Url::Qmp(Socket::Tcp(host))),
            Some(_) => Err("an unknown protocol"),
            None => Err("no ://"),
        };
        parsed.map_err(|what| UrlError { found: text.to_owned(), what })
    }
}

fn socket(path: &str) -> Result<Socket, &'static str> {
    if path.len() > 1 { Ok(Socket::Unix(path.into())) } else { Err("an empty path") }
}

fn host(text: &str) -> Result<Host, &'static str> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, rest) = rest.split_once(']').ok_or("a bracket that is not closed")?;
            if !name.contains(':') {
                return Err("brackets around no IPv6 address");
            }
            (name, rest.strip_prefix(':').ok_or("no port")?)
        }
        None => {
            let (name, port) = text.rsplit_once(':').ok_or("no port")?;
            if name.contains(':') {
                return Err("an IPv6 address without brackets");
            }
            (name, port)
        }
    };
    if name.is_empty() {
        return Err("no host");
    }
    if name.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#@[]".contains(c)) {
        return Err("an invalid host");
    }
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a port that is not a number");
    }
    match port.parse() {
        Ok(port @ 1..) => Ok(Host { name: name.to_owned(), port }),
        _ => Err("a port that is not from 1 to 65535"),
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Url::Gdb(host) => write!(f, "gdb://{host}"),
            Url::Qmp(Socket::Tcp(host)) => write!(f, "qmp://{host}"),
            Url::Qmp(Socket::Unix(path)) => write!(f, "qmp://{}", path.display()),
        }
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} has {} (gdb://HOST:PORT, qmp://HOST:PORT or qmp:///path/to/socket expected, an IPv6 address in brackets)",
            self.found, self.what
        )
    }
}

impl std::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str, port: u16) -> Host {
        Host { name: name.to_owned(), port }
    }

    #[test]
    fn hosts_ports_and_paths_are_parsed() {
        for (text, url) in [
            ("gdb://localhost:1234", Url::Gdb(at("localhost", 1234))),
            ("gdb://10.0.0.7:3333", Url::Gdb(at("10.0.0.7", 3333))),
            ("gdb://[::1]:65535", Url::Gdb(at("::1", 65535))),
            ("gdb://[fe80::1%eth0]:1", Url::Gdb(at("fe80::1%eth0", 1))),
            ("qmp://lab-3.example:4444", Url::Qmp(Socket::Tcp(at("lab-3.example", 4444)))),
            ("qmp:///run/qemu/qmp socket", Url::Qmp(Socket::Unix("/run/qemu/qmp socket".into()))),
        ] {
            assert_eq!(text.parse(), Ok(url.clone()));
            assert_eq!(url.to_string(), text);
            assert!(Url::is_meant(text));
        }
    }

    #[test]
    fn an_invalid_url_is_refused_with_the_reason() {
        for (text, what) in [
            ("gdb://localhost", "no port"),
            ("gdb://localhost:", "a port that is not from 1 to 65535"),
            ("gdb://localhost:0", "a port that is not from 1 to 65535"),
            ("gdb://localhost:65536", "a port that is not from 1 to 65535"),
            ("gdb://localhost:99999999999999999999", "a port that is not from 1 to 65535"),
            ("gdb://localhost:+1", "a port that is not a number"),
            ("gdb://localhost:12x", "a port that is not a number"),
            ("gdb://localhost:1234/", "a port that is not a number"),
            ("gdb://:1234", "no host"),
            ("gdb://", "no port"),
            ("gdb:///tmp/socket", "a path instead of a host and port"),
            ("gdb://::1:1234", "an IPv6 address without brackets"),
            ("gdb://[::1]", "no port"),
            ("gdb://[::1]1234", "no port"),
            ("gdb://[::1:1234", "a bracket that is not closed"),
            ("gdb://[localhost]:1234", "brackets around no IPv6 address"),
            ("gdb://[]:1234", "brackets around no IPv6 address"),
            ("gdb://me@host:1", "an invalid host"),
            ("gdb://a b:1", "an invalid host"),
            ("qmp:///", "an empty path"),
            ("qmp://host", "no port"),
            ("http://host:1", "an unknown protocol"),
            ("gdb:host:1", "no ://"),
            ("", "no ://"),
        ] {
            let error = text.parse::<Url>().unwrap_err();
            assert_eq!((error.found.as_str(), error.what), (text, what));
        }
        let error = "gdb://localhost".parse::<Url>().unwrap_err();
        assert!(
            error.to_string().starts_with("\"gdb://localhost\" has no port (gdb://HOST:PORT"),
            "{error}"
        );
    }

    #[test]
    fn file_names_are_not_urls() {
        for text in ["/dev/shm/a.mmstats", "gdb", "./gdb:1", "gdb/x", "http://host:1"] {
            assert!(!Url::is_meant(text));
        }
    }
}
