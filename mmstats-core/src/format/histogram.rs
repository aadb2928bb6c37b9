//! The buckets of a histogram: log-linear, as in HdrHistogram and H2 (FORMAT.md, "Values").
//!
//! `p` is the grouping power (2^p buckets for each doubling, so a relative error below 2^-p), `n` the maximum power (values of 2^n and more share the
//! last bucket). `p < n <= 64` throughout.

/// Whether a histogram can have these powers.
#[must_use]
pub const fn valid(p: u32, n: u32) -> bool {
    p < n && n <= 64
}

/// How many buckets there are.
#[must_use]
pub const fn count(p: u32, n: u32) -> usize {
    ((n - p + 1) as usize) << p
}

/// The bucket that counts `value`; below [`count`] for every value.
///
/// Why: the clamped value is below 2^n, so with e = floor(log2 value) it has e ≤ n − 1, and `value >> (e − p)` is below 2^(p+1). The index is then below
/// (n − 1 − p) × 2^p + 2^(p+1) = (n − p + 1) × 2^p.
#[inline(always)]
#[must_use]
pub const fn bucket_of(p: u32, n: u32, value: u64) -> usize {
    let largest = u64::MAX >> (64 - n);
    let value = if value > largest { largest } else { value };
    let shift = (value | 1 << p).ilog2() - p;
    ((shift as usize) << p) + (value >> shift) as usize
}

/// The smallest and the largest value of a bucket; of the last one, the largest is `None`: there is no bound.
#[must_use]
pub const fn bounds(p: u32, n: u32, bucket: usize) -> (u64, Option<u64>) {
    let (low, width) = if bucket < 2 << p {
        (bucket as u64, 1)
    } else {
        let shift = (bucket >> p) - 1;
        (((bucket - (shift << p)) as u64) << shift, 1 << shift)
    };
    (low, if bucket + 1 == count(p, n) { None } else { Some(low + (width - 1)) })
}
