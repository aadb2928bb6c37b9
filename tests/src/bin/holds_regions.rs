//! Publishes in a file and in memory of its own, with the directory in the region and among the
//! constants, and waits: for somebody to dump it.

use mmstats_core::{StaticRegion, persistent_region};
use mmstats_std::{ConstantText, Counter, Gauge, Options, model, publish};
use mmstats_tests::programs::{pause, say};
use mmstats_tests::step_model::Steps;

model! {
    /// A region that holds its directory.
    struct Inside in "inside." {
        /// Things that are counted.
        things: Counter<u32> => 11,
        level: Gauge<f64> [volts] => 0.5,
    }
    /// A region whose directory is among the constants.
    struct Outside in "outside." {
        /// Things that are counted.
        things: Counter => 22,
        version: ConstantText<8> => "1.2.3",
    }
    /// The same, with a descriptor.
    struct Kept in "kept." {
        things: Counter => 33,
    }
}

static INSIDE: StaticRegion<{ Inside::SIZE }> = StaticRegion::new();
static OUTSIDE: StaticRegion<{ Outside::publisher().directory_in_flash().size() }> =
    StaticRegion::new();
persistent_region! { static KEPT: PersistentRegion<{ Kept::publisher().directory_in_flash().size() }> in ".uninit.stats"; }

fn main() {
    let file = publish::<Steps>(&Options::new()).expect("a file can be made");
    file.steps(7);
    let _inside = Inside::publish(&INSIDE).expect("the first to take it");
    let _outside =
        Outside::publisher().directory_in_flash().publish(&OUTSIDE).expect("the first to take it");
    let _kept =
        Kept::publisher().directory_in_flash().recover(&KEPT).expect("the first to take it");
    say(&file.path().display().to_string());
    pause("ready");
}
