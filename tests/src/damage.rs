//! Reproducible damage to files.

use mmstats_core::format::crc32;
use mmstats_core::format::v2::Header;

/// A pseudorandom generator.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// Returns a number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // Knuth's MMIX generator; its upper bits are the better ones.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// Returns a copy with bytes changed or cut off, mostly in the entries. Often the header's
    /// check is made valid again.
    pub fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let region = [64, bytes.len() / 3, bytes.len()][self.below(3)];
            let at = self.below(region);
            bytes[at] = match self.below(4) {
                0 => [0, 1, 2, 4, 0x7f, 0x80, 0xfe, 0xff][self.below(8)],
                1 => bytes[at].wrapping_add(1),
                2 => bytes[at] ^ 1 << self.below(8),
                _ => self.below(256) as u8,
            };
        }
        if self.below(8) == 0 {
            bytes.truncate(self.below(bytes.len()));
        }
        if self.below(8) > 0 {
            update_check(&mut bytes);
        }
        bytes
    }
}

/// Updates the check of a version 2 header.
pub fn update_check(bytes: &mut [u8]) {
    if bytes.len() >= Header::SIZE && bytes.starts_with(b"\x02") {
        let check = crc32(0, &bytes[..Header::CHECKED]);
        let is_little = bytes[8] == 2;
        bytes[Header::CHECKED..Header::LAYOUT].copy_from_slice(&if is_little {
            check.to_le_bytes()
        } else {
            check.to_be_bytes()
        });
    }
}
