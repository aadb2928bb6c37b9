//! The motor on QEMU's RISC-V machine `virt`. Its stats go on over a reset.
#![no_std]
#![no_main]

mod timer;

use mmstats_core::persistent_region;
use motor::Motor;
use riscv::asm::wfi;
use semihosting as _;

persistent_region! { static REGION: PersistentRegion<{ Motor::SIZE }> in ".persistent.stats"; }

#[riscv_rt::entry]
fn main() -> ! {
    let (motor, _) = Motor::publisher().recover(&REGION).expect("the region is free");
    let (stepper, controller) = motor.start();
    motor::run(stepper, controller, timer::start, wfi)
}
