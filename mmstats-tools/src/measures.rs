//! What is measured at each writer, so that a sum over writers would say nothing.

use mmstats_core::Kind;
use mmstats_std::read::Field;

use crate::growth::counts_up;

/// Units of such values.
const UNITS: [&str; 8] = ["seconds", "ratio", "percent", "celsius", "kelvin", "volts", "hertz", "meters"];

/// Whether values in this unit, if they do not count up, are averaged over writers and not added up.
#[must_use]
pub fn is_of_measures(unit: &str) -> bool {
    UNITS.contains(&unit)
}

/// Whether values of this field are averaged over writers.
#[must_use]
pub fn is_measure(field: &Field) -> bool {
    field.kind != Kind::Info && !counts_up(field) && is_of_measures(&field.unit)
}
