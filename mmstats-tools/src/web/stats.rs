//! Chooses fields, and adds up writers.

use std::collections::BTreeMap;
use std::collections::HashMap;

use mmstats_core::reader::ValueProblem;
use mmstats_core::{Kind, Type};
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;
use serde::Serialize;

use super::json::{self, Float, Shown, type_code};
use super::parameters::Parameters;
use super::reply::Refusal;
use super::sampling::{Snapshot, Step};
use crate::buckets::Buckets;
use crate::growth::{Amount, counts_up};
use crate::labels::{Labels, is_identity};
use crate::measures::is_measure;
use crate::render::escape::valid_path;
use crate::render::json::liveness_name;
use crate::render::number::Scale;
use crate::render::text::scale;
use crate::sampler::{Seen, Stored};
use mmstats_std::identity::unix_seconds;

/// What a series is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum By {
    /// A field of one writer.
    #[default]
    File,
    /// All fields with one label.
    Label,
}

/// Which series are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Question {
    /// Of these labels.
    pub(super) labels: Labels,
    /// Of what.
    pub(super) by: By,
}

impl Question {
    /// The parameters `match` and `by`.
    pub(super) fn of(parameters: &Parameters) -> Result<Self, Refusal> {
        let include = parameters.patterns("match")?;
        let by = match parameters.one("by")? {
            None | Some("file") => By::File,
            Some("label") => By::Label,
            Some(other) => return Err(Refusal::bad(format!("by={other:?}: accepted are file and label"))),
        };
        Ok(Question { labels: Labels { include, exclude: Vec::new() }, by })
    }

    /// What is the same for the same questions.
    pub(super) fn key(&self) -> String {
        let mut patterns: Vec<&str> = self.labels.include.iter().map(glob::Pattern::as_str).collect();
        patterns.sort_unstable();
        patterns.dedup();
        format!("{:?} {patterns:?}", self.by)
    }
}

/// The answer, as JSON.
pub(super) fn render(snapshot: &Snapshot, interval: f64, question: &Question) -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer<R: Serialize> {
        time: f64,
        interval: f64,
        stats: R,
    }
    let time = unix_seconds(snapshot.look.time);
    match question.by {
        By::File => json::bytes(&Answer { time, interval, stats: by_file(snapshot, &question.labels) }),
        By::Label => {
            let groups = by_label(snapshot, &question.labels);
            let stats: Vec<Row<'_>> = groups.iter().map(|(label, group)| group.row(label)).collect();
            json::bytes(&Answer { time, interval, stats })
        }
    }
}

/// One of the series.
#[derive(Serialize)]
struct Row<'r> {
    label: &'r str,
    kind: &'static str,
    r#type: String,
    unit: &'r str,
    help: &'r str,
    #[serde(flatten)]
    whose: Whose<'r>,
    value: Option<Shown<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<Shown<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregate: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    divisor: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Option<Float>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Whose<'r> {
    One { file: &'r str, pid: Option<u32>, liveness: &'static str },
    All { writers: usize, dead: usize },
}

impl<'r> Row<'r> {
    fn new(field: &'r Field, whose: Whose<'r>, value: Result<&'r Stored, String>, rate: Option<f64>, grown: Option<&'r Buckets>) -> Self {
        let scale = scale(field);
        let is_scaled = !scale.is_none() && matches!(value, Ok(value) if !matches!(value, Stored::Bool(_) | Stored::Text(_)));
        Row {
            label: &field.label,
            kind: field.kind.name(),
            r#type: type_code(field),
            unit: &field.unit,
            help: &field.help,
            whose,
            value: value.as_ref().ok().map(|stored| Shown { stored, scale, interval: Some(grown) }),
            raw: value.as_ref().ok().filter(|_| is_scaled).map(|stored| Shown::new(stored, Scale::NONE)),
            problem: value.err(),
            aggregate: None,
            scale: Some(field.scale).filter(|power| is_scaled && *power != 0),
            divisor: Some(field.divisor).filter(|divisor| is_scaled && *divisor > 1),
            rate: counts_up(field).then(|| rate.map(Float)),
        }
    }
}

/// Calls with all fields that are wanted.
pub(super) fn each_wanted<'s>(seen: impl IntoIterator<Item = &'s Seen>, labels: &Labels, mut call: impl FnMut(&'s Seen, usize, usize)) {
    // Writers share their fields, so that they need not all be compared.
    let mut wanted: HashMap<*const Field, Vec<usize>> = HashMap::new();
    for (writer, seen) in seen.into_iter().enumerate() {
        let choose = || (0..seen.fields.len()).filter(|at| labels.accept(&seen.fields[*at].label)).collect();
        let indices = wanted.entry(seen.fields.as_ptr()).or_insert_with(choose);
        indices.iter().for_each(|index| call(seen, writer, *index));
    }
}

fn by_file<'s>(snapshot: &'s Snapshot, labels: &Labels) -> impl Serialize + 's {
    struct Rows<'s> {
        snapshot: &'s Snapshot,
        files: Vec<String>,
        chosen: Vec<(usize, usize)>,
    }
    impl Serialize for Rows<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let row = |(writer, index): &(usize, usize)| {
                let seen = &self.snapshot.look.seen[*writer];
                let step = &self.snapshot.steps[*writer][*index];
                let liveness = liveness_name(seen.verdict.liveness);
                let whose = Whose::One { file: &self.files[*writer], pid: seen.origin.pid, liveness };
                let value = seen.values[*index].as_ref().map_err(ValueProblem::to_string);
                Row::new(&seen.fields[*index], whose, value, step.rate, step.grown.as_deref())
            };
            serializer.collect_seq(self.chosen.iter().map(row))
        }
    }
    let files = snapshot.look.seen.iter().map(|seen| valid_path(&seen.origin.name)).collect();
    let mut chosen = Vec::new();
    each_wanted(&snapshot.look.seen, labels, |_, writer, index| chosen.push((writer, index)));
    Rows { snapshot, files, chosen }
}

/// All fields with one label.
struct Group<'g> {
    field: &'g Field,
    writers: usize,
    /// The last of them: a writer may have two fields of one label.
    last: Option<usize>,
    /// Of these, the ones that have ended.
    dead: usize,
    total: Total,
    rate: Option<f64>,
    grown: Option<Buckets>,
}

impl Group<'_> {
    fn row<'r>(&'r self, label: &'r str) -> Row<'r> {
        let value = self.total.get().map_err(str::to_owned);
        let aggregate = Some(aggregate(self.field)).filter(|_| value.is_ok());
        Row { label, aggregate, ..Row::new(self.field, Whose::All { writers: self.writers, dead: self.dead }, value, self.rate, self.grown.as_ref()) }
    }
}

fn by_label<'s>(snapshot: &'s Snapshot, labels: &Labels) -> BTreeMap<&'s str, Group<'s>> {
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    each_wanted(&snapshot.look.seen, labels, |seen, writer, index| {
        let field = &seen.fields[index];
        let Step { rate, grown } = &snapshot.steps[writer][index];
        let new = || Group { field, writers: 0, last: None, dead: 0, total: Total::default(), rate: None, grown: None };
        let group = groups.entry(&field.label).or_insert_with(new);
        if group.last.replace(writer) != Some(writer) {
            group.writers += 1;
            group.dead += usize::from(seen.verdict.liveness == Liveness::Dead);
        }
        group.total.add(field, group.field, seen.values[index].as_ref(), seen.verdict.liveness == Liveness::Dead);
        group.rate = add(group.rate, *rate);
        if let Some(grown) = grown {
            group.grown.get_or_insert_with(Buckets::default).add(grown);
        }
    });
    groups.values_mut().for_each(|group| group.total.settle(group.field));
    groups
}

/// What is made of the values of several writers.
fn aggregate(field: &Field) -> &'static str {
    match field.place.ty {
        _ if field.kind == Kind::Info || is_identity(&field.label) => "same",
        Type::Bool | Type::Text | Type::Pascal => "same",
        _ if field.unit == "unixtime" => "latest",
        _ if is_measure(field) => "mean",
        _ => "sum",
    }
}

/// Adds up what is known.
pub(super) fn add(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    }
}

/// Values of several writers, added up. Levels of those that have ended only count if there are no others: they say nothing of now.
///
/// Measures are averaged in the end. Of dates (`unixtime`) the latest counts. Texts, truth values and what says that it is no number to add (constants) have to
/// agree.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    value: Option<Stored>,
    /// Of numbers that are added up: exact, however many there are.
    sum: Option<Amount>,
    /// How many values are in it.
    values: u32,
    /// Whether one of the writers has not ended.
    is_current: bool,
    differs: bool,
    problem: Option<String>,
}

impl Total {
    /// Adds a value of `field`, which has to be like the `first` one. `has_ended` tells of its writer.
    pub(super) fn add(&mut self, field: &Field, first: &Field, value: Result<&Stored, &ValueProblem>, has_ended: bool) {
        if is_level(field) {
            match (has_ended, self.is_current) {
                (true, true) => return,
                (false, false) => *self = Total { is_current: true, ..Total::default() },
                _ => {}
            }
        }
        let is_alike = || (field.kind, &field.unit, field.scale, field.divisor) == (first.kind, &first.unit, first.scale, first.divisor);
        // Of who they are, writers of version 1 cannot say what kind it is.
        self.differs |= !is_identity(&field.label) && !is_alike();
        let value = match value {
            Ok(value) => value,
            Err(problem) => {
                self.problem.get_or_insert_with(|| problem.to_string());
                return;
            }
        };
        self.values += 1;
        let amount = Amount::of(value).filter(|_| is_added(field, value));
        match (self.value.take(), self.sum.zip(amount)) {
            (None, _) => (self.value, self.sum) = (Some(value.clone()), amount),
            (value, Some((sum, amount))) => (self.value, self.sum) = (value, Some(sum + amount)),
            (Some(total), None) => {
                self.value = merge(field, total, value);
                self.differs |= self.value.is_none();
            }
        }
    }

    /// Makes what is told of what was added, after all of it was.
    pub(super) fn settle(&mut self, field: &Field) {
        if let Some(sum) = self.sum.filter(|_| self.values > 1) {
            let mean = |values| Stored::Float(sum.as_f64() / f64::from(values));
            self.value = Some(self.averaged(field).map_or_else(|| sum.into(), mean));
        }
    }

    /// How many values the result is the mean of, if it is one.
    pub(super) fn averaged(&self, field: &Field) -> Option<u32> {
        Some(self.values).filter(|values| *values > 1 && !self.differs && self.sum.is_some() && is_measure(field))
    }

    /// The sum, if numbers were added up.
    pub(super) fn sum(&self) -> Option<Amount> {
        self.sum
    }

    /// What came of it; else why there is nothing.
    pub(super) fn get(&self) -> Result<&Stored, &str> {
        if self.differs {
            return Err("differs");
        }
        self.value.as_ref().ok_or_else(|| self.problem.as_deref().unwrap_or("no value"))
    }
}

/// Whether it is how much there is of something, at the moment.
fn is_level(field: &Field) -> bool {
    let is_text = matches!(field.place.ty, Type::Text | Type::Pascal);
    !is_text && !counts_up(field) && !matches!(field.kind, Kind::Info | Kind::Histogram) && field.unit != "unixtime" && !is_identity(&field.label)
}

/// Whether values are added up, and not compared.
fn is_added(field: &Field, value: &Stored) -> bool {
    field.kind != Kind::Info && field.unit != "unixtime" && !is_identity(&field.label) && !matches!(value, Stored::Bool(_))
}

/// What is made of two values that are not added up; `None` if they do not agree.
fn merge(field: &Field, total: Stored, value: &Stored) -> Option<Stored> {
    match (total, value) {
        (Stored::Histogram(mut total), Stored::Histogram(value)) => {
            total.add(value);
            Some(Stored::Histogram(total))
        }
        (total, value) if field.unit == "unixtime" && field.kind != Kind::Info => {
            let is_later = Amount::of(value)?.as_f64() > Amount::of(&total)?.as_f64();
            Some(if is_later { value.clone() } else { total })
        }
        (total, value) => (total == *value).then_some(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mmstats_core::reader::{Place, Storage};

    fn field(kind: Kind, unit: &str) -> Field {
        let place = Place { offset: 0, size: 8, ty: Type::U64, storage: Storage::Word, swapped: false, word: 8 };
        Field { label: String::new(), unit: unit.to_owned(), help: String::new(), kind, scale: 0, divisor: 1, place }
    }

    fn total(field: &Field, values: &[Stored]) -> Result<Stored, String> {
        let mut total = Total::default();
        values.iter().for_each(|value| total.add(field, field, Ok(value), false));
        total.settle(field);
        total.get().cloned().map_err(str::to_owned)
    }

    #[test]
    fn numbers_are_added_up_and_all_else_has_to_agree() {
        let text = |text: &str| Stored::Text(text.into());
        let (gauge, info, date) = (field(Kind::Gauge, ""), field(Kind::Info, ""), field(Kind::Gauge, "unixtime"));
        let differs = || Err("differs".to_owned());
        assert_eq!(total(&gauge, &[Stored::Unsigned(7), Stored::Signed(-9)]), Ok(Stored::Signed(-2)));
        assert_eq!(total(&gauge, &[Stored::Unsigned(u64::MAX), Stored::Unsigned(1)]), Ok(Stored::Float(18_446_744_073_709_551_616.0)));
        assert_eq!(total(&gauge, &[Stored::Float(0.5), Stored::Unsigned(1)]), Ok(Stored::Float(1.5)));
        assert_eq!(total(&info, &[Stored::Unsigned(42), Stored::Unsigned(42)]), Ok(Stored::Unsigned(42)));
        assert_eq!(total(&info, &[Stored::Unsigned(42), Stored::Unsigned(43)]), differs());
        assert_eq!(total(&date, &[Stored::Float(5.0), Stored::Float(9.0), Stored::Float(7.0)]), Ok(Stored::Float(9.0)));
        assert_eq!(total(&gauge, &[text("idle"), text("idle")]), Ok(text("idle")));
        assert_eq!(total(&gauge, &[text("idle"), text("busy"), text("idle")]), differs());
        assert_eq!(total(&gauge, &[Stored::Bool(true), Stored::Bool(true)]), Ok(Stored::Bool(true)));
        assert_eq!(total(&gauge, &[text("1"), Stored::Unsigned(1)]), differs());
    }

    #[test]
    fn levels_of_writers_that_have_ended_count_only_alone() {
        let (gauge, counter) = (field(Kind::Gauge, ""), field(Kind::Counter, ""));
        for order in [[(64, true), (1, false), (2, false), (32, true)], [(1, false), (64, true), (32, true), (2, false)]] {
            let sum = |field: &Field| {
                let mut total = Total::default();
                order.iter().for_each(|(value, has_ended)| total.add(field, field, Ok(&Stored::Unsigned(*value)), *has_ended));
                total.settle(field);
                total.get().cloned().unwrap()
            };
            assert_eq!([sum(&gauge), sum(&counter)], [Stored::Unsigned(3), Stored::Unsigned(99)]);
        }
        let mut ended = Total::default();
        [5, 6].iter().for_each(|value| ended.add(&gauge, &gauge, Ok(&Stored::Unsigned(*value)), true));
        ended.settle(&gauge);
        assert_eq!(ended.get(), Ok(&Stored::Unsigned(11)));
    }

    #[test]
    fn measures_are_averaged() {
        let (celsius, seconds) = (field(Kind::Gauge, "celsius"), field(Kind::Counter, "seconds"));
        assert_eq!(total(&celsius, &[Stored::Unsigned(20), Stored::Signed(-5), Stored::Unsigned(30)]), Ok(Stored::Float(15.0)));
        assert_eq!(total(&celsius, &[Stored::Unsigned(20)]), Ok(Stored::Unsigned(20)));
        assert_eq!(total(&seconds, &[Stored::Unsigned(20), Stored::Unsigned(30)]), Ok(Stored::Unsigned(50)));
    }

    #[test]
    fn what_is_measured_differently_is_not_added_up() {
        let (volts, millivolts) = (field(Kind::Gauge, "volts"), Field { scale: -3, ..field(Kind::Gauge, "volts") });
        let mut total = Total::default();
        total.add(&volts, &volts, Ok(&Stored::Unsigned(3)), false);
        total.add(&millivolts, &volts, Ok(&Stored::Unsigned(3300)), false);
        assert_eq!(total.get(), Err("differs"));
    }

    #[test]
    fn a_value_that_cannot_be_read_hides_no_others() {
        let field = field(Kind::Counter, "");
        let mut total = Total::default();
        total.add(&field, &field, Err(&ValueProblem::Contended), false);
        assert!(total.get().unwrap_err().contains("contended"));
        total.add(&field, &field, Ok(&Stored::Unsigned(3)), false);
        assert_eq!(total.get(), Ok(&Stored::Unsigned(3)));
    }
}
