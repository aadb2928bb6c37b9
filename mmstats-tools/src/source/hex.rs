//! Intel HEX and Motorola S-records: memory as text, written by flash programmers and debuggers.
//!
//! Both are parsed here, as the crate `srec` (0.2) panics on titles that are not UTF-8, and `ihex`
//! (3.0) does not return line numbers.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::ops::ControlFlow;

use super::image::{Image, Segment, SegmentBytes};

/// The content of such a text.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The memory up to the first damaged line.
    pub(super) image: Image,
    /// The number and the fault of the first damaged line. Later lines are not read, as they might
    /// belong to other addresses.
    pub(super) error: Option<String>,
}

/// Returns `true` if a file with this start looks like one of the two formats.
#[must_use]
pub(super) fn is_meant(start: &[u8]) -> bool {
    format_of(start).is_some() && start.is_ascii()
}

/// More than the longest record has.
const MAX_LINE_BYTES: u64 = 1024;

/// Parses Intel HEX or S-records, line by line; returns `None` for other text. Where lines overlap,
/// the later one is used.
///
/// # Errors
/// If `input` cannot be read.
pub(super) fn parse(mut input: impl BufRead) -> io::Result<Option<Parsed>> {
    let Some(format) = format_of(input.fill_buf()?) else { return Ok(None) };
    let (mut runs, mut base, mut error) = (Runs::default(), 0, None);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let Some(record) = std::str::from_utf8(&line).ok().filter(|line| line.is_ascii()) else {
            return Ok(None);
        };
        let result = match (record.trim(), &format) {
            ("", _) => continue,
            (record, HexFormat::Intel) => intel(record, &mut base, &mut runs)
                .map_err(|what| format!("line {number} of Intel HEX: {what}")),
            (record, HexFormat::Motorola) => motorola(record, &mut runs)
                .map_err(|what| format!("line {number} of S-records: {what}")),
        };
        match result {
            Ok(ControlFlow::Continue(())) => continue,
            Ok(ControlFlow::Break(())) => {}
            Err(what) => error = Some(what),
        }
        break;
    }
    Ok(Some(Parsed { image: runs.image(), error }))
}

enum HexFormat {
    Intel,
    Motorola,
}

fn format_of(text: &[u8]) -> Option<HexFormat> {
    match text.trim_ascii_start() {
        [b':', digit, ..] if digit.is_ascii_hexdigit() => Some(HexFormat::Intel),
        [b'S', b'0'..=b'9', digit, ..] if digit.is_ascii_hexdigit() => Some(HexFormat::Motorola),
        _ => None,
    }
}

/// Contiguous bytes by their first address; disjoint and not adjacent.
#[derive(Default)]
struct Runs(BTreeMap<u64, Vec<u8>>);

impl Runs {
    fn push(&mut self, mut address: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // Up to the next run, or over the bytes of an earlier line.
            let next = self.0.range(address + 1..).next().map_or(u64::MAX, |(start, _)| *start);
            let mut count = usize::try_from(next - address).unwrap_or(usize::MAX).min(bytes.len());
            match self.0.range_mut(..=address).next_back() {
                Some((start, run)) if address - start < run.len() as u64 => {
                    let overlap = &mut run[(address - start) as usize..];
                    count = count.min(overlap.len());
                    overlap[..count].copy_from_slice(&bytes[..count]);
                }
                Some((start, run)) if address - start == run.len() as u64 => {
                    run.extend(&bytes[..count]);
                }
                _ => drop(self.0.insert(address, bytes[..count].to_vec())),
            }
            address += count as u64;
            bytes = &bytes[count..];
        }
    }

    fn image(self) -> Image {
        Image::from_segments(
            self.0
                .into_iter()
                .map(|(address, bytes)| Segment { address, bytes: SegmentBytes::InMemory(bytes) })
                .collect(),
        )
    }
}

fn intel(line: &str, base: &mut u64, runs: &mut Runs) -> Result<ControlFlow<()>, String> {
    let digits = line.strip_prefix(':').ok_or("no colon at its start")?;
    // The count excludes itself, the offset, the type and the checksum.
    let content = record(digits, 5, 0)?;
    let (head, data) = content.split_at(3);
    match (head[2], data) {
        (0, data) => runs.push(*base + big_endian(&head[..2]), data),
        (1, _) => return Ok(ControlFlow::Break(())),
        (2, [_, _]) => *base = big_endian(data) << 4,
        (4, [_, _]) => *base = big_endian(data) << 16,
        // The program's entry point.
        (3 | 5, _) => {}
        (kind, _) => {
            return Err(format!("unknown record of type {kind} with {} bytes", data.len()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn motorola(line: &str, runs: &mut Runs) -> Result<ControlFlow<()>, String> {
    let (kind, digits) = line.split_at_checked(2).ok_or("too short")?;
    // The count excludes itself.
    let content = record(digits, 1, 0xff)?;
    // The size of the address, in records with data.
    let width = match kind {
        "S1" => 2,
        "S2" => 3,
        "S3" => 4,
        "S0" | "S4" | "S5" | "S6" | "S7" | "S8" | "S9" => return Ok(ControlFlow::Continue(())),
        _ => return Err("no S and digit at its start".to_owned()),
    };
    let (address, data) = content.split_at_checked(width).ok_or("too short for its address")?;
    runs.push(big_endian(address), data);
    Ok(ControlFlow::Continue(()))
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Decodes a record and returns its bytes without the count, which excludes `uncounted` bytes, and
/// without the checksum, which makes `sum` of all bytes.
fn record(digits: &str, uncounted: usize, sum: u8) -> Result<Vec<u8>, &'static str> {
    let digit = |digit: u8| char::from(digit).to_digit(16).ok_or("not a hexadecimal digit");
    let byte = |pair: &[u8]| Ok::<u8, &str>((digit(pair[0])? << 4 | digit(pair[1])?) as u8);
    let mut bytes = digits.as_bytes().chunks_exact(2).map(byte).collect::<Result<Vec<u8>, _>>()?;
    let count = usize::from(*bytes.first().ok_or("too short")?);
    if digits.len() % 2 != 0 || bytes.len() != count + uncounted || bytes.len() < 2 {
        return Err("its length differs from its count");
    }
    if bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) != sum {
        return Err("wrong checksum");
    }
    bytes.pop();
    bytes.remove(0);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::memory::Memory;

    fn read(text: &str, address: u64, length: usize) -> Vec<u8> {
        let Parsed { mut image, error } = parse(text.as_bytes()).unwrap().expect("a known format");
        assert_eq!(error, None);
        let mut bytes = vec![0; length];
        let available = image.read(address, &mut bytes).unwrap();
        bytes.truncate(available);
        bytes
    }

    /// Encodes a line of Intel HEX.
    fn data(offset: u8, value: &[u8]) -> String {
        let bytes = [&[value.len() as u8, 0, offset, 0], value].concat();
        let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
        let digits = bytes.iter().chain([&sum]).map(|byte| format!("{byte:02X}"));
        format!(":{}\n", digits.collect::<String>())
    }

    #[test]
    fn intel_hex_is_memory_at_its_addresses() {
        let text = ":020000042000DA\n:0400100001020304E2\r\n:0400140005060708CE\n:00000001FF\n";
        assert_eq!(read(text, 0x2000_0010, 99), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(read(&text.to_lowercase(), 0x2000_0013, 2), [4, 5]);
        assert_eq!(
            read("\n :020000021000EC\n:0400100001020304E2\n", 0x10010, 9),
            [1, 2, 3, 4],
            "a segment's address"
        );
        assert_eq!(
            read(&format!("{}:00000001FF\n{}", data(0, &[1]), data(1, &[2])), 0, 9),
            [1],
            "records after the end are ignored"
        );
        assert_eq!(
            read(":01FFFF000100\n:020000040001F9\n:0100000002FD\n", 0xffff, 9),
            [1, 2],
            "across the end of 64 KiB"
        );
    }

    #[test]
    fn s_records_are_memory_at_their_addresses() {
        let text = "S00600004844521B\nS30920000010010203FFC1\nS5030001FB\nS70500000000FA\n";
        assert_eq!(read(text, 0x2000_0010, 9), [1, 2, 3, 0xff]);
        assert_eq!(read("S107123400010203AC\n", 0x1235, 9), [1, 2, 3]);
        assert_eq!(read("s206123456AABBf8".to_uppercase().as_str(), 0x12_3456, 9), [0xaa, 0xbb]);
        assert_eq!(
            read("S0021FDE\nS107123400010203AC\n", 0x1234, 1),
            [0],
            "a title may have any bytes"
        );
        assert_eq!(read("S004FFFFFFFE\nS107123400010203AC\n", 0x1234, 1), [0]);
    }

    #[test]
    fn lines_may_come_in_any_order_and_of_overlapping_ones_the_later_is_used() {
        let lines = [
            data(8, &[8, 9]),
            data(0, &[0, 1, 2, 3]),
            data(4, &[4, 5, 6, 7]),
            data(10, &[10]),
            data(20, &[20]),
        ];
        for text in [lines.concat(), lines.iter().rev().map(String::as_str).collect()] {
            assert_eq!(read(&text, 0, 99), (0..=10).collect::<Vec<u8>>());
            assert_eq!(read(&text, 20, 99), [20]);
        }
        for (over, expected) in [
            (data(0, &[9]), vec![9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
            (data(2, &[9; 3]), vec![0, 1, 9, 9, 9, 5, 6, 7, 8, 9, 10]),
            (data(6, &[9; 17]), [(0..6).collect(), vec![9; 17]].concat()),
            (data(0, &[9; 30]), vec![9; 30]),
        ] {
            assert_eq!(read(&(lines.concat() + &over), 0, 99), expected, "{over}");
        }
    }

    #[test]
    fn lines_are_read_up_to_the_first_damaged_one() {
        let intel = [
            ":020000042000DA",
            ":04001000010203",
            ":0400100001020304E",
            ":04001000010203G4E2",
            ":04001000",
            ":",
            "04001000",
            ":00000006FA",
            ":0100000401FA",
        ];
        let motorola = [
            "S10712380405060799",
            "S107123804050607",
            "S1071238040506079",
            "S10712380405060G8C",
            "S3030000FC",
            "S1",
            "X107123400010203AC",
            "S",
        ];
        let error_in = |text: String| {
            let Parsed { mut image, error } = parse(text.as_bytes()).unwrap().unwrap();
            assert_eq!(image.read(0x1234, &mut [0; 99]).unwrap(), 4, "{text}");
            error.unwrap_or_default()
        };
        let damage = [
            "",
            "its length differs from its count",
            "its length differs from its count",
            "not a hexadecimal digit",
            "its length differs from its count",
            "too short",
            "no colon at its start",
            "unknown record of type 6 with 0 bytes",
            "unknown record of type 4 with 1 bytes",
        ];
        for (line, what) in intel.iter().zip(damage) {
            let expected = if what.is_empty() {
                String::new()
            } else {
                format!("line 3 of Intel HEX: {what}")
            };
            assert_eq!(error_in(format!(":0412340000010203B0\n\n{line}\n:00000001FF\n")), expected);
        }
        let damage = [
            "wrong checksum",
            "its length differs from its count",
            "its length differs from its count",
            "not a hexadecimal digit",
            "too short for its address",
            "too short",
            "no S and digit at its start",
            "too short",
        ];
        for (line, what) in motorola.iter().zip(damage) {
            assert_eq!(
                error_in(format!("S107123400010203AC\n\n{line}\nS107123400010203AC\n")),
                format!("line 3 of S-records: {what}")
            );
        }
    }

    #[test]
    fn other_bytes_are_not_parsed() {
        for bytes in [
            &b""[..],
            b"S",
            b":",
            b"Some text",
            b"\x02MMSTATS",
            b":0\xff",
            "S1é".as_bytes(),
            "S12é".as_bytes(),
        ] {
            assert!(parse(bytes).unwrap().is_none() && !is_meant(bytes), "{bytes:?}");
        }
        assert!(is_meant(b"S00600004844521B") && is_meant(b"\n:020000042000DA"));
    }
}
