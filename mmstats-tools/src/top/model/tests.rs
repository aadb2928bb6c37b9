use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mmstats_core::reader::ValueError;
use mmstats_core::{Kind, Type};
use mmstats_std::identity::ProcessId;
use mmstats_std::liveness::{Reason, Verdict};
use mmstats_std::read::Field;

use super::*;
use crate::scraper::{WriterId, WriterSample};
use crate::series::{Bucket, HistogramSnapshot};

fn field(label: &str, kind: Kind, ty: Type, unit: &str) -> Field {
    Field { unit: unit.to_owned(), ..Field::new(label, kind, ty) }
}

/// Scrapes a second apart in which one field has these values, by the ID of each writer.
struct Play {
    model: Model,
    fields: Arc<[Field]>,
    seconds: u64,
    known: Vec<Arc<WriterId>>,
}

impl Play {
    fn new(field: Field) -> Self {
        Play { model: Model::new(), fields: [field].into(), seconds: 0, known: Vec::new() }
    }

    fn scrape(&mut self, values: &[(u64, Result<OwnedValue, ValueError>)]) -> &Row {
        self.scrape_with(values, Vec::new());
        self.row()
    }

    fn scrape_with(
        &mut self,
        values: &[(u64, Result<OwnedValue, ValueError>)],
        errors: Vec<ScrapeError>,
    ) {
        let is_new = self.seconds > 0;
        let sample = values.iter().map(|(id, value)| {
            if !self.known.iter().any(|writer_id| writer_id.id == *id) {
                let name = PathBuf::from(format!("w-{}-{id}.mmstats", id / 10));
                self.known.push(Arc::new(WriterId {
                    id: *id,
                    name,
                    version: 2,
                    process: Some(ProcessId::new(*id as u32 / 10, 0, "", 0)),
                    created: None,
                    is_new,
                    other_owner: None,
                }));
            }
            let writer_id =
                self.known.iter().find(|writer_id| writer_id.id == *id).unwrap().clone();
            let verdict = Verdict {
                liveness: if *id % 10 == 9 { Liveness::Dead } else { Liveness::Alive },
                reason: Reason::NoPid,
            };
            WriterSample {
                writer_id,
                fields: self.fields.clone(),
                values: vec![value.clone()],
                verdict,
            }
        });
        let sample = sample.collect();
        let elapsed = Duration::from_secs(self.seconds);
        self.model.apply(Scrape {
            samples: sample,
            errors,
            ..Scrape::new(SystemTime::UNIX_EPOCH, elapsed)
        });
        self.seconds += 1;
    }

    fn row(&self) -> &Row {
        self.model.table().rows().next().unwrap().1
    }
}

fn unsigned(id: u64, value: u64) -> (u64, Result<OwnedValue, ValueError>) {
    (id, Ok(OwnedValue::Unsigned(value)))
}

fn float(id: u64, value: f64) -> (u64, Result<OwnedValue, ValueError>) {
    (id, Ok(OwnedValue::Float(value)))
}

fn text(id: u64, value: &str) -> (u64, Result<OwnedValue, ValueError>) {
    (id, Ok(OwnedValue::Text(value.into())))
}

fn sum(row: &Row) -> f64 {
    row.number(Aggregation::Sum).unwrap()
}

#[test]
fn counters_are_summed_and_have_a_rate() {
    let mut play = Play::new(field("c", Kind::Counter, Type::U64, ""));
    let row = play.scrape(&[unsigned(1, 100), unsigned(2, 20)]);
    assert_eq!((sum(row), row.rate, row.history.len()), (120.0, None, 0));
    let row = play.scrape(&[unsigned(1, 101), unsigned(2, 25)]);
    assert_eq!((sum(row), row.rate, row.has_changed), (126.0, Some(6.0), true));
    let contributions = play.model.contributions(play.row());
    assert_eq!(
        contributions.iter().map(|contribution| contribution.rate).collect::<Vec<_>>(),
        [Some(1.0), Some(5.0)]
    );
}

#[test]
fn a_total_never_goes_back() {
    let mut play = Play::new(field("c", Kind::Counter, Type::U32, ""));
    play.scrape(&[unsigned(1, u32::MAX.into()), unsigned(2, 50)]);
    // One wraps, one ends.
    let row = play.scrape(&[unsigned(1, 1)]);
    assert_eq!((sum(row), row.rate), (f64::from(u32::MAX) + 52.0, Some(2.0)));
    // One writer restarts, and one appears that had counted before it was discovered.
    let row = play.scrape(&[unsigned(1, 0), unsigned(3, 7)]);
    assert_eq!((sum(row), row.rate), (f64::from(u32::MAX) + 59.0, Some(7.0)));
}

#[test]
fn a_writer_that_is_unreadable_for_a_while_continues_where_it_was() {
    let mut play = Play::new(field("c", Kind::Counter, Type::U64, ""));
    play.scrape(&[unsigned(1, 10), unsigned(2, 10)]);
    play.scrape_with(
        &[unsigned(2, 10)],
        vec![ScrapeError {
            name: "w-0-1.mmstats".into(),
            what: "cut off".to_owned(),
            is_new: true,
        }],
    );
    assert_eq!((sum(play.row()), play.row().rate, play.row().values()), (20.0, Some(0.0), 1));
    let row = play.scrape(&[unsigned(1, 13), (2, Err(ValueError::Contended))]);
    assert_eq!((sum(row), row.rate), (23.0, Some(3.0)));
    let row = play.scrape(&[unsigned(1, 13), unsigned(2, 14)]);
    assert_eq!((sum(row), row.rate), (27.0, Some(4.0)));
}

#[test]
fn measurements_are_averaged_and_other_numbers_are_summed() {
    for (unit, auto) in
        [("seconds", 2.0), ("ratio", 2.0), ("bytes", 4.0), ("", 4.0), ("unixtime", 3.0)]
    {
        let mut play = Play::new(field("g", Kind::Gauge, Type::F64, unit));
        let row = play.scrape(&[float(1, 1.0), float(2, 3.0)]);
        assert_eq!(row.number(Aggregation::Auto), Some(auto), "{unit}");
        let all = [Aggregation::Sum, Aggregation::Mean, Aggregation::Min, Aggregation::Max]
            .map(|aggregation| row.number(aggregation).unwrap());
        assert_eq!(all, [4.0, 2.0, 1.0, 3.0]);
        let row = play.scrape(&[float(1, 1.0)]);
        assert_eq!((row.rate, row.number(Aggregation::Sum)), (None, Some(1.0)));
    }
}

#[test]
fn texts_agree_or_differ() {
    let mut play = Play::new(field("t", Kind::Info, Type::Text, ""));
    assert_eq!(play.scrape(&[text(1, "a"), text(2, "a")]).distinct, 1);
    assert!(!play.row().has_changed && !play.row().is_zero());
    let row = play.scrape(&[text(1, "a"), text(2, "b")]);
    assert_eq!((row.distinct, row.has_changed), (2, true));
    assert!(play.scrape(&[text(1, "")]).is_zero());
}

#[test]
fn process_numbers_are_not_summed() {
    for (label, class) in
        [("web.sys.pid", Class::Fact), ("sys.tid", Class::Fact), ("dsys.pid", Class::Counter)]
    {
        assert_eq!(
            Play::new(field(label, Kind::Untyped, Type::U32, "")).scrape(&[unsigned(1, 77)]).class,
            class,
            "{label}"
        );
    }
}

#[test]
fn histograms_are_added_up_lately_and_ever() {
    let recorded = |id: u64, counts: &[u64]| {
        let filled = (0..)
            .zip(counts)
            .filter(|(_, count)| **count > 0)
            .map(|(low, count)| Bucket { low, high: Some(low), count: *count });
        (
            id,
            Ok(OwnedValue::Histogram(Box::new(HistogramSnapshot {
                sum: 0,
                filled: filled.collect(),
            }))),
        )
    };
    let mut play = Play::new(field("h", Kind::Histogram, Type::U64, ""));
    play.scrape(&[recorded(1, &[5, 0, 1]), recorded(2, &[1])]);
    assert_eq!(play.model.recorded(play.row()).since_last_scrape.count(), 0);
    let row = play.scrape(&[recorded(1, &[5, 2, 1]), recorded(2, &[4])]);
    assert_eq!((sum(row), row.rate), (12.0, Some(5.0)));
    let Recorded { since_last_scrape, total } = play.model.recorded(play.row());
    assert_eq!(
        [since_last_scrape, total].map(|buckets| buckets
            .filled
            .iter()
            .map(|bucket| bucket.count)
            .collect::<Vec<_>>()),
        [vec![3, 2], vec![9, 2, 1]]
    );
}

#[test]
fn rows_are_split_by_file_or_process() {
    let mut play = Play::new(field("c", Kind::Counter, Type::U64, ""));
    play.model.set_scope(Scope::Process);
    play.scrape(&[unsigned(11, 1), unsigned(12, 2), unsigned(29, 4)]);
    let rows = |play: &Play| {
        play.model
            .table()
            .rows()
            .map(|(_, row)| (row.group.clone().unwrap().to_string(), sum(row), row.is_dead()))
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&play), [("1 w".to_owned(), 3.0, false), ("2 w".to_owned(), 4.0, true)]);
    play.model.set_scope(Scope::File);
    assert_eq!(rows(&play).len(), 3);
    assert_eq!(rows(&play)[0].0, "w-1-11.mmstats");
    play.scrape(&[unsigned(12, 5)]);
    assert_eq!(rows(&play), [("w-1-12.mmstats".to_owned(), 5.0, false)]);
    play.model.set_scope(Scope::All);
    assert_eq!(sum(play.row()), 10.0);
}

#[test]
fn fields_that_do_not_fit_together_have_rows_of_their_own() {
    let mut play = Play::new(field("x", Kind::Gauge, Type::F64, "seconds"));
    play.scrape(&[float(1, 1.0)]);
    play.fields = [field("x", Kind::Gauge, Type::F64, "bytes")].into();
    play.scrape_with(&[float(2, 1.0)], Vec::new());
    assert_eq!(play.model.table().rows().count(), 1, "the first one has gone");
    let first = [field("x", Kind::Gauge, Type::F64, "seconds")].into();
    let second = std::mem::replace(&mut play.fields, first);
    play.scrape_with(&[float(2, 1.0)], Vec::new());
    assert_eq!(&*play.row().unit, "seconds", "a writer may have other fields than before");
    drop(second);
    assert_eq!(play.model.counts(), Counts { alive: 1, dead: 0, unknown: 0, fields: 1 });
}
