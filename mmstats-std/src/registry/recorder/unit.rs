//! Units of metrics as those of fields.

use metrics::Unit;
use mmstats_core::units;

/// Returns the unit of a counter or gauge, which is stored as it is.
pub(super) fn number_unit(unit: Option<Unit>) -> mmstats_core::Unit {
    use mmstats_core::Unit as Own;
    const BITS_PER_SECOND: Own = Own::named("bits_per_second");
    match unit {
        None | Some(Unit::Count) => Own::NONE,
        Some(Unit::Percent) => units::percent,
        Some(Unit::Seconds) => units::seconds,
        Some(Unit::Milliseconds) => units::milliseconds,
        Some(Unit::Microseconds) => units::microseconds,
        Some(Unit::Nanoseconds) => units::nanoseconds,
        Some(Unit::Bytes) => units::bytes,
        Some(Unit::BitsPerSecond) => BITS_PER_SECOND,
        Some(Unit::KilobitsPerSecond) => BITS_PER_SECOND.e(3),
        Some(Unit::MegabitsPerSecond) => BITS_PER_SECOND.e(6),
        Some(Unit::GigabitsPerSecond) => BITS_PER_SECOND.e(9),
        Some(Unit::TerabitsPerSecond) => BITS_PER_SECOND.e(12),
        Some(other) => Own::named(other.as_str()),
    }
}

/// Returns the unit of a histogram, and the number of its steps in one of the metric's unit.
pub(super) fn histogram_unit(unit: Option<Unit>) -> (mmstats_core::Unit, f64) {
    let own = number_unit(unit);
    match unit {
        Some(Unit::Count) => (own, 1.0),
        Some(Unit::Seconds) => (units::nanoseconds, 1e9),
        Some(Unit::Milliseconds) => (units::nanoseconds, 1e6),
        Some(Unit::Microseconds) => (units::nanoseconds, 1e3),
        Some(Unit::Nanoseconds) => (units::nanoseconds, 1.0),
        Some(Unit::Bytes) => (units::bytes, 1.0),
        Some(Unit::Kibibytes) => (units::bytes, 1024.0),
        Some(Unit::Mebibytes) => (units::bytes, 1024_f64.powi(2)),
        Some(Unit::Gibibytes) => (units::bytes, 1024_f64.powi(3)),
        Some(Unit::Tebibytes) => (units::bytes, 1024_f64.powi(4)),
        Some(
            Unit::BitsPerSecond
            | Unit::KilobitsPerSecond
            | Unit::MegabitsPerSecond
            | Unit::GigabitsPerSecond
            | Unit::TerabitsPerSecond,
        ) => (own.e(0), 10_f64.powi(own.scale.into())),
        None | Some(Unit::Percent | Unit::CountPerSecond) => (own.e(own.scale - 6), 1e6),
    }
}

/// Returns the unit that a name ends in.
pub(super) fn parse_unit_suffix(name: &str) -> Option<Unit> {
    Unit::from_string(name.rsplit(['_', '.']).next()?)
}
