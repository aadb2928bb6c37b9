//! How much there is of something at the moment; and what is measured at each writer, so that a sum
//! over writers would say nothing.

use mmstats_core::{Kind, Type};
use mmstats_std::read::Field;

use crate::labels::is_identity;
use crate::series::delta::is_cumulative;

/// Units of such values.
const UNITS: [&str; 8] =
    ["seconds", "ratio", "percent", "celsius", "kelvin", "volts", "hertz", "meters"];

/// Whether values in this unit, if they do not count up, are averaged over writers and not added
/// up.
#[must_use]
pub fn is_averaged_unit(unit: &str) -> bool {
    UNITS.contains(&unit)
}

/// Whether this field tells how much there is of something, and no date.
#[must_use]
pub fn is_gauge(field: &Field) -> bool {
    let is_text = matches!(field.location.ty, Type::Text | Type::Pascal);
    !is_text
        && !is_cumulative(field)
        && !matches!(field.kind, Kind::Info | Kind::Histogram)
        && field.unit != "unixtime"
        && !is_identity(&field.label)
}

/// Whether this field tells when something was.
#[must_use]
pub fn is_timestamp(field: &Field) -> bool {
    field.unit == "unixtime" && !matches!(field.kind, Kind::Counter | Kind::Info | Kind::Histogram)
}

/// Whether values of this field are averaged over writers.
#[must_use]
pub fn is_averaged(field: &Field) -> bool {
    is_gauge(field) && is_averaged_unit(&field.unit)
}
