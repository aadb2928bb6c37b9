//! Shared fields: several threads write one, and nothing is lost; the bytes are those of fields
//! with one writer.

mod common;

use common::{FieldValue, region_in, shown, values};
use mmstats_core::format::layout;
use mmstats_core::{
    AddError, Constant, Counter, Flag, Format, Gauge, Highest, Histogram, Latched, Lowest, Model,
    Shared, V2, V2Narrow, Writer, model,
};
use std::thread;

model! {
    struct Numbers {
        u32: Counter<u32>,
        u64: Counter,
        latched: Counter<Latched<u64>>,
        i8: Gauge<i8> => 5,
        u16: Gauge<u16>,
        i32: Gauge<i32>,
        f32: Gauge<f32>,
        flag: Flag,
        highest: Highest<i16>,
        lowest: Lowest<u32>,
        spread: Histogram<2, 40, u64>,
        narrow_spread: Histogram<2, 10, u32>,
        capacity: Constant<u32> => 12,
    }
    /// A 32-bit machine can store none of these at once.
    struct WideNumbers {
        i64: Gauge<i64>,
        f64: Gauge<f64> => 0.5,
        lowest: Lowest<f64>,
    }
    struct Mixed {
        mine: Counter<u32>,
        everybodys: Counter<u32, Shared>,
        name: Gauge<u8>,
    }
}

const THREADS: usize = 4;
const ROUNDS: usize = if cfg!(miri) { 20 } else { 20_000 };

/// Publishes a model in memory that is not zero before.
fn publish<M: Model>() -> (M, mmstats_core::View<'static>) {
    let size = layout::size(<M::Format as Format>::VERSION, M::FIELDS, 0);
    let region = region_in(vec![u64::MAX; size / 8].leak());
    let view = region.view();
    (M::publish(region).unwrap(), view)
}

/// Runs it in some threads at once, with the thread's number and that of the round.
fn at_once(f: impl Fn(usize, usize) + Sync) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let f = &f;
            scope.spawn(move || (0..ROUNDS).for_each(|round| f(thread, round)));
        }
    });
}

fn nothing_is_lost<F: Format>()
where
    Numbers<Shared<F>>: Model<Format = Shared<F>> + Sync,
{
    let (all, view) = publish::<Numbers<Shared<F>>>();
    at_once(|thread, round| {
        all.u32.incr();
        // Carries from the low half to the high one.
        all.u64.add(0x8000_0001);
        all.latched.add(Latched(u64::MAX - 2));
        all.i8.add(2);
        all.i8.sub(1);
        all.u16.sub(1);
        all.i32.add(1);
        all.f32.add(1.0);
        all.f32.sub(0.5);
        all.flag.set(true);
        all.highest.record((thread * 1000 + round % 1000) as i16);
        all.lowest.record((1000 - round % 1000) as u32 + thread as u32);
        all.spread.record(u64::from(u32::MAX) + round as u64 % 2);
        all.narrow_spread.record(7);
    });
    let n = (THREADS * ROUNDS) as u64;
    assert_eq!(u64::from(all.u32.get()), n);
    assert_eq!(all.u64.get(), 0x8000_0001 * n);
    assert_eq!(all.latched.get(), Latched((u64::MAX - 2).wrapping_mul(n)));
    assert_eq!(all.i8.get(), 5_i8.wrapping_add(n as i8));
    assert_eq!(all.u16.get(), 0_u16.wrapping_sub(n as u16));
    assert_eq!(all.i32.get(), n as i32);
    assert_eq!(all.f32.get(), n as f32 / 2.0);
    assert!(all.flag.get());
    assert_eq!(all.highest.get(), (THREADS as i16 - 1) * 1000 + 999.min(ROUNDS - 1) as i16);
    assert_eq!(all.lowest.get(), 1000 - 999.min(ROUNDS - 1) as u32);
    let shown = shown(&view);
    let value = |label| values(&shown).into_iter().find(|(found, _)| *found == label).unwrap().1;
    assert_eq!(value("u64"), &FieldValue::Unsigned(0x8000_0001 * n));
    let FieldValue::Histogram(sum, buckets) = value("spread") else { panic!() };
    assert_eq!(*sum, n * u64::from(u32::MAX) + n / 2);
    assert_eq!(buckets.iter().map(|(_, _, count)| count).sum::<u64>(), n);
    let FieldValue::Histogram(sum, buckets) = value("narrow_spread") else { panic!() };
    assert_eq!((*sum, buckets.as_slice()), (7 * n, &[(7, Some(7), n)][..]));
}

#[test]
fn nothing_is_lost_when_several_threads_write() {
    nothing_is_lost::<V2>();
}

#[test]
fn nothing_is_lost_when_several_threads_write_as_on_a_32_bit_machine() {
    nothing_is_lost::<V2Narrow>();
}

#[cfg(target_pointer_width = "64")]
#[test]
fn nothing_is_lost_of_values_that_one_word_holds() {
    let (all, _) = publish::<WideNumbers<Shared>>();
    at_once(|thread, round| {
        all.i64.add(1 << 40);
        all.f64.add(0.25);
        all.lowest.record(-((thread * ROUNDS + round) as f64));
    });
    let n = THREADS * ROUNDS;
    assert_eq!(all.i64.get(), (n as i64) << 40);
    assert_eq!(all.f64.get(), 0.5 + n as f64 * 0.25);
    assert_eq!(all.lowest.get(), -((n - 1) as f64));
}

/// The same calls on a model of any format.
macro_rules! write {
    ($numbers:expr) => {
        $numbers.u32.add(7);
        $numbers.u64.add(1 << 33);
        $numbers.u64.incr();
        $numbers.latched.add(Latched(9));
        $numbers.i8.sub(7);
        $numbers.f32.add(1.5);
        $numbers.flag.set(true);
        $numbers.highest.record(-4);
        $numbers.lowest.record(4);
        $numbers.lowest.record(5);
        $numbers.spread.record(1 << 35);
        $numbers.narrow_spread.record(3);
    };
}

fn bytes_are_equal<F: Format>() {
    let (one, view) = publish::<Numbers<F>>();
    write!(one);
    let (shared, shared_view) = publish::<Numbers<Shared<F>>>();
    write!(shared);
    assert_eq!(common::copy(&view), common::copy(&shared_view));
}

#[test]
fn the_bytes_are_those_of_fields_with_one_writer() {
    bytes_are_equal::<V2>();
    bytes_are_equal::<V2Narrow>();
}

#[test]
fn one_model_has_fields_of_one_writer_and_shared_ones() -> Result<(), AddError> {
    let (mixed, view) = publish::<Mixed>();
    let everybodys = &mixed.everybodys;
    at_once(|_, _| everybodys.incr());
    mixed.mine.incr();
    mixed.name.set(2);
    let n = (THREADS * ROUNDS) as u64;
    assert_eq!(
        values(&shown(&view)),
        [
            ("mine", &FieldValue::Unsigned(1)),
            ("everybodys", &FieldValue::Unsigned(n)),
            ("name", &FieldValue::Unsigned(2)),
        ]
    );
    let region = region_in(vec![0; 64].leak());
    let view = region.view();
    let mut writer: Writer = Writer::new(region)?;
    let mine: Counter = writer.add(Counter::builder("mine"))?;
    let everybodys: Gauge<i32, Shared> = writer.add_shared(Gauge::builder("everybodys"))?;
    at_once(|thread, _| if thread % 2 == 0 { everybodys.add(2) } else { everybodys.sub(1) });
    mine.incr();
    assert_eq!(
        values(&shown(&view)),
        [("mine", &FieldValue::Unsigned(1)), ("everybodys", &FieldValue::Signed(n as i64 / 2)),]
    );
    Ok(())
}
