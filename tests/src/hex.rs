//! Memory as text: Intel HEX and S-records.

/// Encodes a line of Intel HEX.
fn intel(kind: u8, offset: u16, bytes: &[u8]) -> String {
    let [high, low] = offset.to_be_bytes();
    let line = [&[bytes.len() as u8, high, low, kind][..], bytes].concat();
    let sum = line.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
    format!(":{}{sum:02X}\n", hex(&line))
}

/// Encodes an S-record with a 4-byte address.
fn motorola(address: u32, bytes: &[u8]) -> String {
    let line = [&[bytes.len() as u8 + 5][..], &address.to_be_bytes(), bytes].concat();
    let sum = !line.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    format!("S3{}{sum:02X}\n", hex(&line))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Encodes memory as lines of `length` bytes: each in Intel HEX, with its address, and as an
/// S-record.
#[must_use]
pub fn lines(address: u32, bytes: &[u8], length: usize) -> Vec<[String; 2]> {
    let line = |(i, bytes): (usize, &[u8])| {
        let address = address + (i * length) as u32;
        let bank = intel(4, 0, &(address >> 16).to_be_bytes()[2..]);
        [bank + &intel(0, address as u16, bytes), motorola(address, bytes)]
    };
    bytes.chunks(length).enumerate().map(line).collect()
}

/// Joins lines to files: Intel HEX and S-records.
#[must_use]
pub fn texts(lines: &[[String; 2]]) -> [String; 2] {
    let all = |format: usize| lines.iter().map(|line| line[format].as_str()).collect::<String>();
    [all(0) + ":00000001FF\n", "S00600004844521B\n".to_owned() + &all(1) + "S70500000000FA\n"]
}
