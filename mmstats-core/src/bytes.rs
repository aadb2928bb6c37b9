//! Bytes as words, in the order in which they lie in memory.

/// The halves of a value of 8 bytes in the order in which they lie in memory.
#[inline(always)]
pub(crate) const fn split(bits: u64) -> [u32; 2] {
    let (low, high) = (bits as u32, (bits >> 32) as u32);
    if cfg!(target_endian = "little") { [low, high] } else { [high, low] }
}

/// The reverse of [`split`].
#[inline(always)]
pub(crate) const fn join(halves: [u32; 2]) -> u64 {
    let [a, b] = halves;
    let (low, high) = if cfg!(target_endian = "little") { (a, b) } else { (b, a) };
    low as u64 | (high as u64) << 32
}

/// Up to 8 bytes as a number, least significant first.
#[inline(always)]
pub(crate) fn little_endian<const N: usize>(bytes: [u8; N]) -> u64 {
    let mut whole = [0; 8];
    whole[..N].copy_from_slice(&bytes);
    u64::from_le_bytes(whole)
}

/// The last `rest` bytes of a text as a number, least significant first; `rest` is below `WORD`. By
/// loads that overlap, not byte by byte.
#[inline(always)]
pub(crate) fn tail<const WORD: usize>(bytes: &[u8], rest: usize) -> u64 {
    if rest == 0 {
        return 0;
    }
    if let Some(last) = bytes.last_chunk::<WORD>() {
        return little_endian(*last) >> (8 * (WORD - rest));
    }
    // Fewer than a word: these are all of them.
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            little_endian(*first) | little_endian(*last) << (8 * (rest - 4))
        }
        _ => match (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
            (Some(first), Some(last)) => {
                little_endian(*first) | little_endian(*last) << (8 * (rest - 2))
            }
            _ => bytes.first().copied().unwrap_or(0).into(),
        },
    }
}

/// Text with NULs up to its full size: what version 1 stores.
pub(crate) fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut whole = [0; N];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    whole
}
