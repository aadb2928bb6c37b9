//! Regions of version 2 as bytes.

use mmstats_core::{Borrowed, Region, V2, Writer};

/// Returns the bytes of a region with the fields that `fill` adds.
///
/// # Panics
/// If they do not fit.
#[must_use]
pub fn region(fill: impl FnOnce(&mut Writer<'_, Borrowed<'_, V2>>)) -> Vec<u8> {
    let mut memory = vec![0_u64; 512];
    let mut writer = Writer::<Borrowed<V2>>::with_immutable_layout(Region::new(&mut memory))
        .expect("the header fits");
    fill(&mut writer);
    memory.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
