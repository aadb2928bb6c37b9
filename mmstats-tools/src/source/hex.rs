//! Intel HEX and Motorola S-records: memory as text, which programs that flash devices and debuggers write.

use std::collections::BTreeMap;

use ihex::Record;

use super::image::{Bytes, Image, Part};

/// Memory out of Intel HEX or S-records; `None` if the text is neither.
///
/// # Errors
/// What is wrong with which line.
pub fn parse(text: &[u8]) -> Option<Result<Image, String>> {
    let parse: fn(&str) -> Result<Runs, String> = match text.trim_ascii_start() {
        [b':', digit, ..] if digit.is_ascii_hexdigit() => intel,
        [b'S', b'0'..=b'9', digit, ..] if digit.is_ascii_hexdigit() => motorola,
        _ => return None,
    };
    // The parsers are made for ASCII, and other text is not meant as such a file.
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    Some(parse(text).map(Runs::image))
}

/// Bytes that follow each other, by the address that they began at.
#[derive(Default)]
struct Runs(BTreeMap<u64, Vec<u8>>);

impl Runs {
    fn push(&mut self, address: u64, bytes: &[u8]) {
        match self.0.range_mut(..=address).next_back() {
            Some((start, run)) if start + run.len() as u64 == address => run.extend(bytes),
            _ => drop(self.0.insert(address, bytes.to_vec())),
        }
    }

    fn image(self) -> Image {
        Image::of_parts(self.0.into_iter().map(|(address, bytes)| Part { address, bytes: Bytes::Here(bytes) }).collect())
    }
}

fn intel(text: &str) -> Result<Runs, String> {
    let mut runs = Runs::default();
    let mut base = 0;
    for (number, line) in lines(text) {
        match Record::from_record_string(line).map_err(|error| format!("line {number} of Intel HEX: {error}"))? {
            Record::Data { offset, value } => runs.push(base + u64::from(offset), &value),
            Record::ExtendedLinearAddress(high) => base = u64::from(high) << 16,
            Record::ExtendedSegmentAddress(segment) => base = u64::from(segment) << 4,
            Record::EndOfFile => break,
            Record::StartSegmentAddress { .. } | Record::StartLinearAddress(_) => {}
        }
    }
    Ok(runs)
}

fn motorola(text: &str) -> Result<Runs, String> {
    let mut runs = Runs::default();
    for (number, line) in lines(text) {
        match line.parse().map_err(|error: srec::ReaderError| format!("line {number} of S-records: {error}"))? {
            srec::Record::S1(data) => runs.push(data.address.0.into(), &data.data),
            srec::Record::S2(data) => runs.push(data.address.0.into(), &data.data),
            srec::Record::S3(data) => runs.push(data.address.0.into(), &data.data),
            _ => {}
        }
    }
    Ok(runs)
}

/// The lines that are not empty, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())).filter(|(_, line)| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::memory::Memory;

    fn read(text: &str, address: u64, length: usize) -> Vec<u8> {
        let mut image = parse(text.as_bytes()).expect("a known format").expect("a sound file");
        let mut bytes = vec![0; length];
        let there = image.read(address, &mut bytes).unwrap();
        bytes.truncate(there);
        bytes
    }

    #[test]
    fn intel_hex_is_memory_at_its_addresses() {
        let text = ":020000042000DA\n:0400100001020304E2\r\n:0400140005060708CE\n:00000001FF\n";
        assert_eq!(read(text, 0x2000_0010, 99), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(read(text, 0x2000_0013, 2), [4, 5]);
    }

    #[test]
    fn s_records_are_memory_at_their_addresses() {
        let text = "S00600004844521B\nS30920000010010203FFC1\nS5030001FB\nS70500000000FA\n";
        assert_eq!(read(text, 0x2000_0010, 9), [1, 2, 3, 0xff]);
    }

    #[test]
    fn a_damaged_line_is_told() {
        let error = parse(b":020000042000DA\n:0400100001020304E3\n").unwrap().unwrap_err();
        assert!(error.starts_with("line 2 of Intel HEX: "), "{error}");
        let error = parse(b"S107123400010203AC\n\nS10712380405060799\n").unwrap().unwrap_err();
        assert!(error.starts_with("line 3 of S-records: "), "{error}");
    }

    #[test]
    fn other_bytes_are_neither() {
        for bytes in [&b""[..], b"S", b":", b"Some text", b"\x02MMSTATS", b":0\xff", "S1é".as_bytes()] {
            assert!(parse(bytes).is_none(), "{bytes:?}");
        }
    }
}
