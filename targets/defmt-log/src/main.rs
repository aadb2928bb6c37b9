//! Logs errors and a snapshot of all stats by defmt. `log.out` has the decoded log.
#![no_std]
#![no_main]

mod snapshot;

use cortex_m as _;
use defmt_semihosting as _;
use mmstats_core::{AddError, Counter, Flag, Gauge, Histogram, StaticRegion, Text, Writer, model};

model! {
    /// A stepper motor.
    pub struct Motor in "motor." {
        /// Steps made.
        steps: Counter<u32>,
        /// Taken from the supply.
        energy: Counter [joules.e(-3)],
        /// Of the winding.
        temperature: Gauge<i16> [celsius.e(-1)],
        /// Of the shaft.
        angle: Gauge<u16> [ratio.over(4096)],
        /// Of the driver.
        supply: Gauge<f32> [volts],
        /// Whether current flows.
        on: Flag,
        /// Its activity.
        state: Text<8> => "idle",
        /// Time between two steps.
        interval: Histogram<2, 12, u32> [microseconds],
    }
}

/// More than the model needs.
const SIZE: usize = Motor::SIZE + 64;

static REGION: StaticRegion<SIZE> = StaticRegion::new();

static SMALL: StaticRegion<{ Motor::SIZE - 8 }> = StaticRegion::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    defmt::info!("a region that is too small");
    if let Err(error) = Motor::publish(SMALL.take().expect("it is free")) {
        defmt::error!("{}", error);
    }
    defmt::info!("a region that is not published yet");
    snapshot::log(&REGION.view());
    match publish() {
        Ok(motor) => run(&motor),
        Err(error) => defmt::error!("{}", error),
    }
    defmt::info!("all stats");
    snapshot::log(&REGION.view());
    defmt::info!("what is left of them in a dump that is cut off");
    snapshot::log_cut_off(&REGION.view());
    semihosting::process::exit(0)
}

fn publish() -> Result<Motor, AddError> {
    let mut writer = Writer::new(REGION.take()?)?;
    let motor = writer.add_model()?;
    defmt::info!("a label that is taken");
    if let Err(error) = writer.add(Counter::<u32>::builder("motor.steps")) {
        defmt::error!("{}", error);
    }
    Ok(motor)
}

fn run(motor: &Motor) {
    motor.on.set(true);
    motor.state.set("running");
    for interval in [2000, 1000, 900, 800, 820] {
        motor.steps.incr();
        motor.interval.record(interval);
    }
    motor.energy.add(5_000_000_000);
    motor.temperature.set(-215);
    motor.angle.set(1024);
    motor.supply.set(11.75);
}
