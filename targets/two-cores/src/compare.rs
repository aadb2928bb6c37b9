//! Classifies the reads of the reading core.

use crate::reader::Reader;
use crate::{Pair, pair};
use mmstats_core::View;
use mmstats_core::reader::ReadBuffers;
use semihosting::{println, process};

/// Numbers of reads by result.
#[derive(Default)]
struct Counts {
    /// Found a newer pair than the last one.
    new: u32,
    /// Found the last one again.
    same: u32,
    /// Found an older pair than the last one.
    went_back: u32,
    /// Found numbers that do not belong together.
    torn: u32,
    /// Were contended.
    contended: u32,
}

impl Counts {
    /// Returns the reads that found a pair.
    fn reads(&self) -> u32 {
        self.new + self.same + self.went_back + self.torn
    }
}

/// Reads a region's values at least `times` times, and until a tenth of the reads has found a new
/// pair. Then prints the counts and exits, with status 0 if no read was torn or went back.
pub fn compare<const VALUES: usize>(
    view: &View<'_>,
    buffers: ReadBuffers<'_>,
    times: u32,
    pair_of: fn([u64; VALUES]) -> Pair,
) -> ! {
    let mut reader = Reader::new(view, buffers);
    let mut counts = Counts::default();
    let mut last = 0;
    while counts.reads() < times || counts.new < times / 10 {
        match reader.read().map(pair_of) {
            None => counts.contended += 1,
            Some(found) if found != pair(found[0]) => counts.torn += 1,
            Some([n, _]) => {
                // Numbers wrap: the nearer half below is older.
                match n.wrapping_sub(last) as i32 {
                    0 => counts.same += 1,
                    1.. => counts.new += 1,
                    _ => counts.went_back += 1,
                }
                last = n;
            }
        }
    }
    let (reads, retried) = (counts.reads(), reader.retried());
    let Counts { new, went_back, torn, contended, .. } = counts;
    println!(
        "read {reads}, new {new}, went back {went_back}, torn {torn}, contended {contended}, retried {retried}"
    );
    process::exit(if went_back + torn == 0 { 0 } else { 1 })
}
