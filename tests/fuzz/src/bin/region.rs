//! The directory and the values of a region, of both versions and byte orders, with a directory
//! outside of it, and while it changes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmstats_core::reader::{ByteOrder, Directory, Lossy, ReadBuffers, Snapshot, read_external};
use mmstats_fuzz::{Changing, Input, SEQUENCES, examine};

fn walk(directory: &Directory<'_>, snapshot: &Snapshot<'_>) {
    let length = directory.bytes().len().max(snapshot.bytes().len());
    for entry in directory.entries() {
        match entry {
            Ok(entry) => {
                for text in [entry.label, entry.unit, entry.help] {
                    let _ = Lossy(text).to_string();
                }
                assert!(entry.divisor > 0);
                assert!(entry.location.range().end <= length.max(u32::MAX as usize));
                let number = snapshot.number(&entry.location);
                if let Ok(value) = snapshot.value(&entry.location) {
                    examine(entry.location.ty, &value);
                    let expected = value.as_f64().map(f64::to_bits);
                    assert_eq!(number.map(f64::to_bits), expected, "both ways agree");
                }
                let _ = snapshot.is_contended(&entry.location);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let region = &input.region[..];
    let snapshot = Snapshot::from_static_bytes(region);
    for order in [None, Some(ByteOrder::Little), Some(ByteOrder::Big)] {
        if let Ok(directory) = Directory::open_with(region, region, order) {
            walk(&directory, &snapshot);
        }
    }
    match Directory::open_external(region, region, input.rest) {
        Ok(directory) => walk(&directory, &snapshot),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let states = input.states();
    for (number, sequence) in SEQUENCES.into_iter().enumerate() {
        let source = Changing::new(&states, sequence, &[]);
        // The last one has too little memory.
        let length =
            if number + 1 < SEQUENCES.len() { region.len() + 64 } else { region.len() / 3 };
        let mut memory = vec![0; ReadBuffers::words(length)];
        let mut buffers = ReadBuffers::new(&mut memory);
        if let Ok((directory, snapshot)) = read_external(&source, &mut buffers, input.rest) {
            walk(&directory, &snapshot);
        }
    }
});
