//! The timer's interrupt and `main` count the same things in shared fields, and each in a field of
//! its own. A Cortex-M0 has no atomic read-modify-write, so every update of a shared field is a
//! critical section, and no count is lost.
#![no_std]
#![no_main]

mod timer;

use core::cell::RefCell;
use cortex_m::asm::wfi;
use cortex_m::singleton;
use critical_section::Mutex;
use mmstats_core::{Counter, Flag, Gauge, Highest, Histogram, Shared, StaticRegion, model};
use semihosting as _;

model! {
    /// Updated by `main` and by the timer's interrupt.
    pub struct Contended {
        /// Rounds of `main`.
        by_main: Counter<u32>,
        /// Rounds of the interrupt.
        by_timer: Counter<u32>,
        /// Rounds of both.
        narrow: Counter<u32, Shared>,
        /// 2^30 in each round, in a value wider than the words of this machine.
        wide: Counter<u64, Shared>,
        /// Added to and subtracted from in each round.
        balance: Gauge<i16, Shared>,
        /// The most rounds of either.
        highest: Highest<u32, Shared>,
        /// A 5 in each round.
        sizes: Histogram<2, 8, u32, Shared>,
        /// Whether `main` has ended.
        done: Flag,
    }
}

static REGION: StaticRegion<{ Contended::SIZE }> = StaticRegion::new();

/// Passed from `main` to the interrupt, which keeps it.
static INTERRUPT: Mutex<RefCell<Option<Interrupt>>> = Mutex::new(RefCell::new(None));

/// Rounds of the interrupt.
const TICKS: u32 = 3000;

/// The fields that both update.
#[derive(Debug)]
struct Common {
    narrow: Counter<u32, Shared>,
    wide: Counter<u64, Shared>,
    balance: Gauge<i16, Shared>,
    highest: Highest<u32, Shared>,
    sizes: Histogram<2, 8, u32, Shared>,
}

impl Common {
    fn count(&self, own: &Counter<u32>) {
        own.incr();
        self.narrow.incr();
        self.wide.add(1 << 30);
        self.balance.add(3);
        self.balance.sub(3);
        self.highest.record(own.get());
        self.sizes.record(5);
    }

    /// Returns the rounds of the interrupt, which only it counts.
    fn others(&self, own: &Counter<u32>) -> u32 {
        self.narrow.get() - own.get()
    }
}

/// The handles of the interrupt.
#[derive(Debug)]
struct Interrupt {
    own: Counter<u32>,
    common: &'static Common,
}

pub(crate) fn on_tick() {
    critical_section::with(|token| {
        if let Some(Interrupt { own, common }) = &*INTERRUPT.borrow_ref(token) {
            if own.get() < TICKS {
                common.count(own);
            }
        }
    });
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let Contended { by_main, by_timer, narrow, wide, balance, highest, sizes, done } =
        Contended::publish(&REGION).expect("the region is free");
    let common = Common { narrow, wide, balance, highest, sizes };
    let common: &'static Common = singleton!(: Common = common).expect("main is called once");
    critical_section::with(|token| {
        INTERRUPT.replace(token, Some(Interrupt { own: by_timer, common }))
    });
    timer::start();
    while common.others(&by_main) < TICKS {
        common.count(&by_main);
    }
    done.set(true);
    loop {
        wfi();
    }
}
