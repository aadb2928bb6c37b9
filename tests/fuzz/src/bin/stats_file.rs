//! The library's reader of regions that change while they are read, and its cache of layouts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmstats_fuzz::{Changing, Input, SEQUENCES, examine};
use mmstats_std::read::Reader;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let states = input.states();
    // One reader for all, so that layouts of earlier states are met again.
    let mut reader = Reader::new();
    for sequence in SEQUENCES {
        let source = Changing::new(&states, sequence, input.rest);
        match reader.read_region(&source, input.region.len() as u64) {
            Ok(sample) => {
                for (index, (field, value)) in sample.fields().enumerate() {
                    let _ = sample.find(&field.label);
                    let number = sample.number(index).map(f64::to_bits);
                    if let Ok(value) = value {
                        examine(field.location.ty, &value);
                        assert_eq!(number, value.as_f64().map(f64::to_bits), "both ways agree");
                    }
                }
                let _ = (sample.verdict(), sample.process_id(), sample.created(), sample.pid());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
