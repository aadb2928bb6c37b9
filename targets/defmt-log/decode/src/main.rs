//! Decodes on a host the defmt log of a device: `defmt-decode ELF < LOG`. The texts are in the ELF
//! file of the program.
//!
//! Not in the package of the tests, because the decoder enables a feature of `serde_json` for every
//! crate that is built with it.

use defmt_decoder::{DecodeError, Table};
use std::error::Error;
use std::io::{Read, stdin};

fn main() -> Result<(), Box<dyn Error>> {
    let program =
        std::env::args_os().nth(1).ok_or("no program given (usage: defmt-decode ELF < LOG)")?;
    let table = Table::parse(&std::fs::read(program)?)?
        .ok_or("no section .defmt: the program logs nothing, or was linked without defmt.x")?;
    let mut log = Vec::new();
    stdin().read_to_end(&mut log)?;
    let mut decoder = table.new_stream_decoder();
    decoder.received(&log);
    loop {
        match decoder.decode() {
            Ok(frame) => println!("{}", frame.display(false)),
            Err(DecodeError::UnexpectedEof) => return Ok(()),
            Err(DecodeError::Malformed) => {
                return Err("the log is damaged or of another program".into());
            }
        }
    }
}
