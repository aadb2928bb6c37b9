//! The motor on an MPS2 board with a Cortex-M3 (AN385). Its stats go on over a reset.
#![no_std]
#![no_main]

mod board;

use cortex_m::asm::wfi;
use mmstats_core::persistent_region;
use motor::Motor;
use semihosting as _;

persistent_region! { static REGION: PersistentRegion<{ Motor::SIZE }> in ".persistent.stats"; }

#[cortex_m_rt::entry]
fn main() -> ! {
    let (motor, _) = Motor::publisher().recover(&REGION).expect("the region is free");
    let (stepper, controller) = motor.start();
    motor::run(stepper, controller, board::start_timer, wfi)
}
