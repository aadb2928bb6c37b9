//! What all series of one name have in common.

use mmstats_core::Kind;
use mmstats_core::Type as OwnedValue;
use mmstats_core::reader::Storage;
use mmstats_std::read::Field;

use super::Format;
use super::escape;
use super::name;

/// What a series is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Type {
    Counter,
    Gauge,
    Histogram,
    Info,
    Unknown,
}

impl Type {
    /// That of a field. Nothing is guessed: what does not say its kind is unknown.
    pub(super) fn of(field: &Field) -> Type {
        let is_text = matches!(field.location.ty, OwnedValue::Text | OwnedValue::Pascal);
        match field.kind {
            _ if matches!(field.location.storage, Storage::Histogram { .. }) => Type::Histogram,
            _ if is_text => Type::Info,
            Kind::Info => Type::Info,
            _ if field.location.ty == OwnedValue::Bool => Type::Gauge,
            Kind::Counter => Type::Counter,
            Kind::Gauge => Type::Gauge,
            Kind::Histogram | Kind::Untyped => Type::Unknown,
        }
    }

    /// Its name in a page. Prometheus' own format has no infos, and calls differently what it does
    /// not know.
    pub(super) fn name(self, format: Format) -> &'static str {
        match (self, format) {
            (Type::Counter, _) => "counter",
            (Type::Gauge, _) | (Type::Info, Format::Text) => "gauge",
            (Type::Histogram, _) => "histogram",
            (Type::Info, Format::OpenMetrics) => "info",
            (Type::Unknown, Format::Text) => "untyped",
            (Type::Unknown, Format::OpenMetrics) => "unknown",
        }
    }

    /// What its samples' names end in; of a histogram, nothing, for it has several.
    fn suffix(self) -> &'static str {
        match self {
            Type::Counter => "_total",
            Type::Info => "_info",
            Type::Gauge | Type::Histogram | Type::Unknown => "",
        }
    }

    /// What follows a family's name in the names that are its own, whether it uses them or not.
    fn claims(self) -> &'static [&'static str] {
        match self {
            Type::Counter => &["", "_total", "_created"],
            Type::Info => &["", "_info"],
            Type::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
            Type::Gauge | Type::Unknown => &[""],
        }
    }
}

/// A family of series.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) unit: Option<String>,
    pub(super) help: String,
}

impl Family {
    /// The one that fields with this label, type and unit belong to. Without a help text, it tells
    /// the label: to have none counts as bad style.
    pub(super) fn new(base: &str, ty: Type, unit: &str, help: &str) -> Self {
        // A description has no unit of its own.
        let suffix = name::unit(unit).filter(|_| ty != Type::Info);
        let name = name::family(base, ty, suffix.as_deref());
        let help = [help, base]
            .into_iter()
            .find(|help| !help.trim().is_empty())
            .unwrap_or(&name)
            .to_owned();
        // What its name ends in, but dates are in seconds.
        let unit = if unit == "unixtime" { suffix.map(|_| "seconds".to_owned()) } else { suffix };
        Family { name, ty, unit, help }
    }

    /// The names that are its own, whether it uses them or not.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.ty.claims().iter().map(|suffix| format!("{}{suffix}", self.name))
    }

    /// The name of its samples.
    pub(super) fn sample(&self) -> String {
        format!("{}{}", self.name, self.ty.suffix())
    }

    /// Adds the lines that tell of it.
    pub(super) fn push_metadata(&self, to: &mut String, format: Format) {
        let sample = self.sample();
        let name = if format == Format::Text { &sample } else { &self.name };
        to.push_str("# HELP ");
        to.push_str(name);
        to.push(' ');
        escape::push_escaped(to, &self.help, format == Format::OpenMetrics);
        to.push_str("\n# TYPE ");
        to.push_str(name);
        to.push(' ');
        to.push_str(self.ty.name(format));
        to.push('\n');
        if let (Some(unit), Format::OpenMetrics) = (&self.unit, format) {
            to.push_str("# UNIT ");
            to.push_str(name);
            to.push(' ');
            to.push_str(unit);
            to.push('\n');
        }
    }
}
