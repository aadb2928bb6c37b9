//! Every field type, with values that distinguish signs, widths and byte orders.
#![allow(missing_docs, reason = "a doc comment is a help text, and some fields have none")]

use mmstats_std::{
    Average, Constant, ConstantText, Counter, Flag, Format, Gauge, Histogram, Latched,
    MovingAverage, Options, PublishError, Published, Text, Timer, Unit, model, publish,
};
use std::path::Path;
use std::time::Duration;

model! {
    /// Every field type.
    pub struct EveryField in "all." {
        /// Counts.
        ///
        /// In as many lines of help as it takes: größer, ☃, "quoted" and \backslashed.
        counter: Counter,
        counter_32: Counter<u32>,
        counter_latched: Counter<Latched<u64>>,
        /// One method, one code.
        counter_of_one: Counter = "http.requests{method=\"GET\",code=\"200\"}",
        flag: Flag,
        flag_down: Flag => true,
        gauge_i8: Gauge<i8>,
        gauge_u8: Gauge<u8>,
        gauge_i16: Gauge<i16> [celsius.e(-1)],
        gauge_u16: Gauge<u16> [ratio.over(4096)],
        gauge_i32: Gauge<i32> [millivolts],
        gauge_u32: Gauge<u32> [Unit::named("größen").e(127).over(u32::MAX)],
        gauge_i64: Gauge<i64> [bytes.e(-128)],
        gauge_u64: Gauge<u64>,
        gauge_f32: Gauge<f32> [percent],
        gauge_f64: Gauge<f64> [unixtime],
        gauge_latched_i64: Gauge<Latched<i64>>,
        gauge_latched_u64: Gauge<Latched<u64>> => Latched(0x0102_0304_0506_0708),
        gauge_latched_f64: Gauge<Latched<f64>>,
        gauge_infinite: Gauge<f64> => f64::NEG_INFINITY,
        gauge_nan: Gauge<f32> => f32::NAN,
        gauge_minus_zero: Gauge<f64> => -0.0,
        gauge_untouched: Gauge<u64>,
        average: Average,
        moving_average: MovingAverage<3> [seconds],
        /// How long it took.
        timer: Timer,
        timer_untouched: Timer,
        text: Text<32> => "to begin with",
        text_full: Text<13>,
        text_short: Text<1>,
        text_untouched: Text<40>,
        größe: Text<8>,
        constant_bool: Constant<bool> => true,
        constant_i8: Constant<i8> => i8::MIN,
        constant_u8: Constant<u8> => u8::MAX,
        constant_i16: Constant<i16> => -0x0102,
        constant_u16: Constant<u16> => 0x0102,
        constant_i32: Constant<i32> => -0x0102_0304,
        constant_u32: Constant<u32> => 0x0102_0304,
        constant_i64: Constant<i64> => -0x0102_0304_0506_0708,
        constant_u64: Constant<u64> => u64::MAX,
        constant_f32: Constant<f32> [volts] => -0.5,
        constant_f64: Constant<f64> => 5e-324,
        constant_latched: Constant<Latched<u64>> => Latched(7),
        /// Of the firmware.
        constant_text: ConstantText<20> => "1.2.3 ☃",
        constant_untouched: ConstantText<5>,
        constant_nothing: ConstantText<0>,
        /// Sizes.
        histogram: Histogram [bytes],
        histogram_small: Histogram<2, 20, u32> [microseconds],
        histogram_of_powers: Histogram<0, 64>,
        histogram_of_two: Histogram<0, 1, u32>,
        histogram_untouched: Histogram<1, 8>,
    }
}

impl<F: Format> EveryField<F> {
    /// Sets each field, with more than one write.
    pub fn fill(&self) {
        for part in [u64::MAX, 0x0102_0304_0506_0709] {
            self.counter.add(part);
            self.counter_32.add(part as u32);
            self.counter_latched.add(Latched(part));
        }
        self.counter_of_one.incr();
        self.flag.set(true);
        self.flag_down.set(false);
        self.gauge_i8.set(-1);
        self.gauge_u8.set(0xfe);
        self.gauge_i16.set(-215);
        self.gauge_u16.set(0xff01);
        self.gauge_i32.set(i32::MIN);
        self.gauge_i32.add(3300);
        self.gauge_u32.set(0xff01_0203);
        self.gauge_i64.set(i64::MIN);
        self.gauge_u64.set(u64::MAX - 1);
        self.gauge_f32.set(1.0 / 3.0);
        self.gauge_f64.set(1_353_442_620.125);
        for part in 1..=4 {
            self.gauge_latched_i64.set(Latched(-part << 40));
            self.gauge_latched_f64.set(Latched(part as f64 * -0.1));
            self.average.record(part as f64);
            self.moving_average.record(part as f64);
            self.timer.record(Duration::from_nanos(1 << (10 * part)));
        }
        self.text.set("shorter");
        self.text.set("grüße, 世界 😀");
        self.text.set("café ☃");
        self.text_full.set("exactly thirteen bytes and more");
        self.text_short.set("x");
        self.größe.set("ä");
        for power in 0..64 {
            for value in [(1 << power) - 1, 1 << power, u64::MAX >> power] {
                self.histogram.record(value);
                self.histogram_small.record(value);
                self.histogram_of_powers.record(value);
                self.histogram_of_two.record(value);
            }
        }
    }
}

/// Publishes all of them in a file with this name, which is kept.
///
/// # Errors
/// If the file cannot be created.
pub fn publish_filled<F: Format>(
    directory: &Path,
    name: &'static str,
) -> Result<Published<EveryField<F>>, PublishError> {
    // Options are made for statics.
    let directory = directory.to_str().expect("a temporary directory").to_owned().leak();
    let fields =
        publish::<EveryField<F>>(&Options::new().directory(directory).file_name(name).keep())?;
    fields.fill();
    Ok(fields)
}
