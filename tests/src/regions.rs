//! Regions of version 2 as bytes, as programs leave them in files.

use mmstats_core::{Borrowed, Region, V2, Writer};

/// One with the fields that are added.
///
/// # Panics
/// If that is more than fits.
#[must_use]
pub fn region(fill: impl FnOnce(&mut Writer<'_, Borrowed<'_, V2>>)) -> Vec<u8> {
    let mut memory = vec![0_u64; 512];
    let mut writer = Writer::<Borrowed<V2>>::with_immutable_layout(Region::new(&mut memory))
        .expect("room for a header");
    fill(&mut writer);
    memory.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
