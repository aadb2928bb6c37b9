//! Reads a part of a target repeatedly, until it is asked to end: `reads_target URL ADDRESS
//! LENGTH`, the numbers in hexadecimal. With `once` as a last argument it releases the target after
//! the first time, and waits.

use mmstats_tests::programs::{pause, say};
use mmstats_tools::source::{Gdb, Memory, MemoryError, Qmp, Url};

fn main() -> Result<(), MemoryError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, address, length, rest @ ..] = arguments.as_slice() else {
        panic!("URL, address and length")
    };
    let number = |text: &str| u64::from_str_radix(text, 16).expect("a hexadecimal number");
    let mut target: Box<dyn Memory> = match url.parse().expect("a URL") {
        Url::Gdb(host) => Box::new(Gdb::connect(&host)?),
        Url::Qmp(socket) => Box::new(Qmp::connect(&socket)?),
    };
    let mut bytes = vec![0; usize::try_from(number(length)).expect("a length")];
    target.read(number(address), &mut bytes)?;
    if rest == ["once"] {
        target.close()?;
        pause("closed");
        return Ok(());
    }
    say("reading");
    loop {
        target.read(number(address), &mut bytes)?;
    }
}
