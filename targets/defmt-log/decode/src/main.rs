//! Shows on a host what a device logged by defmt: `defmt-decode ELF < LOG`, where the texts of the
//! log are in the device's program.
//!
//! Not a part of the tests, because what the decoder asks of `serde_json` changes it for all who
//! are built along with it.

use defmt_decoder::{DecodeError, Table};
use std::error::Error;
use std::io::{Read, stdin};

fn main() -> Result<(), Box<dyn Error>> {
    let program =
        std::env::args_os().nth(1).ok_or("which program logged this? defmt-decode ELF < LOG")?;
    let table = Table::parse(&std::fs::read(program)?)?.ok_or(
        "the program has no section .defmt: nothing in it logs, or it was linked without defmt.x",
    )?;
    let mut log = Vec::new();
    stdin().read_to_end(&mut log)?;
    let mut decoder = table.new_stream_decoder();
    decoder.received(&log);
    loop {
        match decoder.decode() {
            Ok(frame) => println!("{}", frame.display(false)),
            Err(DecodeError::UnexpectedEof) => return Ok(()),
            Err(DecodeError::Malformed) => {
                return Err("the log is damaged, or of another program".into());
            }
        }
    }
}
