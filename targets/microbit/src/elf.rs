//! The motor on a BBC micro:bit, with labels, units and help in its ELF file alone, where they take
//! no memory of the device. Its stats go on over a reset if the program is the same.
#![no_std]
#![no_main]

mod timer;

use cortex_m::asm::wfi;
use mmstats_core::persistent_region;
use motor::{Motor, on_tick};
use semihosting as _;

// The section of `cortex-m-rt` for memory that start-up code leaves alone, after all other
// variables.
persistent_region! { static REGION: PersistentRegion<{ Motor::publisher().directory_in_elf_file().size() }> in ".uninit.stats"; }

#[cortex_m_rt::entry]
fn main() -> ! {
    let (motor, _) =
        Motor::publisher().directory_in_elf_file().recover(&REGION).expect("the region is free");
    let (stepper, controller) = motor.start();
    motor::run(stepper, controller, timer::start, wfi)
}
