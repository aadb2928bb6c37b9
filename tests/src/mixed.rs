//! Values that reveal torn reads: each holds the same number twice.

use mmstats_core::reader::Value;
use mmstats_std::{Gauge, Latched, Text, model};

model! {
    /// Values that readers could tear.
    pub struct Mixed {
        /// Latched in every format.
        number: Gauge<Latched<u64>>,
        /// Latched where words have 4 bytes.
        plain: Gauge<u64>,
        /// Always latched.
        text: Text<32>,
    }
}

/// The labels of [`Mixed`].
pub const LABELS: [&str; 3] = ["number", "plain", "text"];

/// Returns the `i`-th number: `i` in both halves, modulo 2^32.
#[must_use]
pub fn number(i: u64) -> u64 {
    let half = i & 0xffff_ffff;
    half << 32 | half
}

/// Returns the `i`-th text: `i` in both halves, with letters from A to P as hexadecimal digits.
#[must_use]
pub fn text(i: u64) -> [u8; 32] {
    let mut text = [0; 32];
    for (to, part) in text.chunks_exact_mut(8).zip([i >> 32, i, i >> 32, i]) {
        let mut letters = part & 0xffff_ffff;
        letters = (letters | letters << 16) & 0x0000_ffff_0000_ffff;
        letters = (letters | letters << 8) & 0x00ff_00ff_00ff_00ff;
        letters = (letters | letters << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        to.copy_from_slice(&(letters + 0x4141_4141_4141_4141).to_be_bytes());
    }
    text
}

/// Returns the index of a number or text; `None` for a torn one.
#[must_use]
pub fn decode(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Unsigned(value) => (number(*value) == *value).then_some(*value & 0xffff_ffff),
        Value::Text(letters) => {
            let digit = |i: u64, letter: &u8| Some(i << 4 | u64::from(letter.checked_sub(b'A')?));
            let i = letters.get(..16)?.iter().try_fold(0, digit)?;
            (letters == &text(i)).then_some(i)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_values_are_recognised() {
        for i in [0, 1, 0xffff, 0x1_0000, 0x89ab_cdef, 0x1_0000_0000, 0x7fff_ffff_1234_5678] {
            assert_eq!(decode(&Value::Text(&text(i))), Some(i));
            assert_eq!(decode(&Value::Unsigned(number(i))), Some(i & 0xffff_ffff));
            let (one, other) = (text(i), text(i + 2));
            for words in 1_u32..15 {
                let mixed: Vec<u8> = (0..32)
                    .map(|at| if words >> (at / 8) & 1 == 0 { one[at] } else { other[at] })
                    .collect();
                // Except at a carry, the upper half of each number is equal in both texts.
                let seen = decode(&Value::Text(&mixed));
                assert!(seen.is_none() || mixed == one || mixed == other, "{words:#b} of {i}");
            }
            assert_eq!(
                decode(&Value::Unsigned(number(i) & !0xffff_ffff | number(i + 2) & 0xffff_ffff)),
                None
            );
        }
    }
}
