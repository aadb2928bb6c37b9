//! The buckets of a histogram: log-linear, as in HdrHistogram and H2 (FORMAT.md, "Values").
//!
//! `p` is the grouping power (2^p buckets for each doubling, so a relative error below 2^-p), `n`
//! the maximum power (values of 2^n and more share the last bucket). `p < n <= 64` and `p <= 24`
//! throughout.

/// Returns `true` if a histogram can have these powers. (With the largest, there are fewer than
/// 2^30 buckets.)
#[must_use]
pub const fn valid(p: u32, n: u32) -> bool {
    p < n && n <= 64 && p <= 24
}

/// Returns the number of buckets.
#[must_use]
pub const fn count(p: u32, n: u32) -> usize {
    ((n - p + 1) as usize) << p
}

/// Returns the bucket that counts `value`; below [`count`] for every value.
///
/// Proof: a value that is below 2^n, with e = floor(log2 value) has e ≤ n − 1, and `value >> (e −
/// p)` is below 2^(p+1). The index is then below (n − 1 − p) × 2^p + 2^(p+1) = (n − p + 1) × 2^p.
#[inline(always)]
#[must_use]
pub const fn bucket_of(p: u32, n: u32, value: u64) -> usize {
    if value > u64::MAX >> (64 - n) {
        return last(p, n);
    }
    if FLOATS_ARE_FASTER && n <= f64::MANTISSA_DIGITS {
        return bucket_by_float(p, value);
    }
    let shift = (value | 1 << p).ilog2() - p;
    ((shift as usize) << p) + (value >> shift) as usize
}

/// Returns the last bucket. Marked as cold, so that the test for it is a branch, which costs less
/// than a conditional move: a histogram that often comes here has the wrong powers.
#[cold]
const fn last(p: u32, n: u32) -> usize {
    count(p, n) - 1
}

/// Counting leading zeros is slow on x86-64 without the LZCNT instruction, which a portable program
/// may not use. (`bsr` takes four cycles on AMD's processors.)
const FLOATS_ARE_FASTER: bool = cfg!(all(target_arch = "x86_64", not(target_feature = "lzcnt")));

/// Does the same: the exponent of a float is the logarithm, and the first bits after it select the
/// bucket within the doubling. Exact, because `value` has no more bits than a float.
#[inline(always)]
const fn bucket_by_float(p: u32, value: u64) -> usize {
    // A value of 2^p has this exponent, no further bits, and the bucket 2^p.
    let bias = ((f64::MAX_EXP as u64 - 1 + p as u64) << p) - (1 << p);
    // Signed, because that is one instruction.
    let bits = (value as i64 as f64).to_bits() >> (f64::MANTISSA_DIGITS - 1 - p);
    if value < 2 << p { value as usize } else { (bits - bias) as usize }
}

/// Returns the smallest and the largest value of a bucket; the last bucket has no largest value.
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
