//! Regions of version 2 as bytes.

use mmstats_core::{Region, V2, View, Writer};
use zerocopy::IntoBytes;

/// Creates a region of this many words, whose memory is never freed.
#[must_use]
pub fn leaked_region(words: usize) -> Region {
    Region::new(vec![0; words].leak())
}

/// Returns the bytes of a region.
#[must_use]
pub fn bytes(view: &View<'_>) -> Vec<u8> {
    let mut words = vec![0; view.len().div_ceil(8)];
    let length = view.read_at(0, &mut words);
    words.as_bytes()[..length].to_vec()
}

/// Returns the bytes of a region with the fields that `fill` adds.
///
/// # Panics
/// If they do not fit.
#[must_use]
pub fn region_bytes(fill: impl FnOnce(&mut Writer<'_, V2>)) -> Vec<u8> {
    let region = leaked_region(512);
    let view = region.view();
    fill(&mut Writer::with_immutable_layout(region).expect("the header fits"));
    bytes(&view)
}
