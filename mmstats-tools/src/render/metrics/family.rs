//! A metric family: the series of one name.

use mmstats_core::Kind;
use mmstats_core::Type as ValueType;
use mmstats_core::reader::Storage;
use mmstats_std::read::Field;

use super::Format;
use super::escape;
use super::name;

/// A Prometheus metric type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Type {
    Counter,
    Gauge,
    Histogram,
    Info,
    Unknown,
}

impl Type {
    /// Returns the type of a field. Nothing is guessed: without a kind it is unknown.
    pub(super) fn from_field(field: &Field) -> Type {
        let is_text = matches!(field.location.ty, ValueType::Text | ValueType::Pascal);
        match field.kind {
            _ if matches!(field.location.storage, Storage::Histogram { .. }) => Type::Histogram,
            _ if is_text => Type::Info,
            Kind::Info => Type::Info,
            _ if field.location.ty == ValueType::Bool => Type::Gauge,
            Kind::Counter => Type::Counter,
            Kind::Gauge => Type::Gauge,
            _ => Type::Unknown,
        }
    }

    /// Returns the name in a `# TYPE` line. The text format has no `info`, and says `untyped`.
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

    /// Returns the suffixes of sample names; only histograms have more than one.
    fn sample_suffixes(self) -> [&'static str; 3] {
        match self {
            Type::Counter => ["_total", "", ""],
            Type::Info => ["_info", "", ""],
            Type::Histogram => ["_bucket", "_sum", "_count"],
            Type::Gauge | Type::Unknown => ["", "", ""],
        }
    }

    /// Returns the suffixes of all names that a family reserves, used or not.
    fn reserved_suffixes(self) -> &'static [&'static str] {
        match self {
            Type::Counter => &["", "_total", "_created"],
            Type::Info => &["", "_info"],
            Type::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
            Type::Gauge | Type::Unknown => &[""],
        }
    }
}

/// A metric family.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) unit: Option<String>,
    pub(super) help: String,
}

impl Family {
    /// Creates the family of a label, type and unit. Without a help text, the help is the label:
    /// promtool warns of metrics without help.
    pub(super) fn new(base: &str, ty: Type, unit: &str, help: &str) -> Self {
        // The unit of an info metric is a label.
        let suffix = name::unit(unit).filter(|_| ty != Type::Info);
        let name = name::family(base, ty, suffix.as_deref());
        let help = [help, base]
            .into_iter()
            .find(|help| !help.trim().is_empty())
            .unwrap_or(&name)
            .to_owned();
        // The name's suffix, except that timestamps are in seconds.
        let unit = if unit == "unixtime" { suffix.map(|_| "seconds".to_owned()) } else { suffix };
        Family { name, ty, unit, help }
    }

    /// Returns all names that the family reserves, used or not.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.ty.reserved_suffixes().iter().map(|suffix| format!("{}{suffix}", self.name))
    }

    /// Returns the names of the samples; for a histogram, of buckets, sum and count.
    pub(super) fn sample_names(&self) -> [String; 3] {
        self.ty.sample_suffixes().map(|suffix| format!("{}{suffix}", self.name))
    }

    /// Appends the metadata lines: `# HELP`, `# TYPE` and, in OpenMetrics, `# UNIT`.
    pub(super) fn push_metadata(&self, to: &mut String, format: Format) {
        let [sample, ..] = self.sample_names();
        let is_sample = format == Format::Text && self.ty != Type::Histogram;
        let name = if is_sample { &sample } else { &self.name };
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
