//! `/api/v1/query`: what is remembered, as series.
//!
//! The result is written piece by piece, as the client takes it. Looks that are forgotten meanwhile
//! are not in the pieces that follow: whoever reads slowly keeps nothing in memory but the list of
//! series, and one piece.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use mmstats_core::Type;
use mmstats_std::clock::unix_seconds;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use tokio::sync::OwnedSemaphorePermit;

use crate::labels::Labels;
use crate::mmash::api::json::{self, DisplayValue, Float, Recorded};
use crate::mmash::api::stats::{By, Query, add_rates, each_wanted};
use crate::mmash::live::history::{
    History, StoredScrape, StoredWriter, fields_bytes, writer_id_bytes,
};
use crate::mmash::live::scrape_loop::Snapshot;
use crate::mmash::server::Server;
use crate::mmash::server::parameters::Parameters;
use crate::mmash::server::response::{
    GzipChunks, HttpError, JSON, accepts_gzip, set_encoding, with_type,
};
use crate::render::escape::lossless_path;
use crate::render::json::liveness_name;
use crate::render::text::scale;
use crate::scraper::{OwnedValue, WriterId};
use crate::series::{Aggregate, Class, SeriesKey};

/// So many points are written at a time: all that is remembered may be much more than should be in
/// memory as JSON.
const POINTS: usize = 5000;

/// Answers.
pub(crate) async fn query(
    State(server): State<Arc<Server>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let parameters = Parameters::parse(query.as_deref(), &["match", "by", "since"])?;
    let question = Query::from_parameters(&parameters)?;
    let latest = server.snapshot().await?;
    let since = match parameters.number("since")? {
        Some(back) if back < 0.0 => unix_seconds(SystemTime::now()) + back,
        since => since.unwrap_or(0.0),
    };
    let history = server.latest.history.clone();
    let result = Arc::new(
        server.run_job(move || QueryResult::new(history, &latest, since, &question)).await?,
    );
    let compress = accepts_gzip(&headers);
    let packer = GzipChunks::new(compress);
    let room = server.budget.reserve(result.bytes() + packer.bytes())?;
    let head = format!(
        "{{\"time\":{:?},\"interval\":{:?},\"series\":[",
        result.time,
        server.interval.as_secs_f64()
    );
    let mut cursor = Cursor { server, result, head, next: Some((0, packer)), _room: room };
    // Until there is a piece, the whole result can be refused.
    let first = cursor.piece().await.transpose()?;
    let rest = stream::unfold(cursor, |mut cursor| async move {
        let piece = cursor.piece().await?;
        Some((piece.map_err(|error| io::Error::other(error.message)), cursor))
    });
    Ok(set_encoding(
        with_type(JSON, Body::from_stream(stream::iter(first.map(Ok)).chain(rest))),
        compress,
    ))
}

/// How much of an result is written.
struct Cursor {
    server: Arc<Server>,
    result: Arc<QueryResult>,
    /// What stands before the next piece.
    head: String,
    /// Where the next series begins, and what compresses it.
    next: Option<(usize, GzipChunks)>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Cursor {
    /// The next piece; none after the last one, or one that could not be made.
    async fn piece(&mut self) -> Option<Result<Bytes, HttpError>> {
        let (from, mut packer) = self.next.take()?;
        let (result, head) = (self.result.clone(), std::mem::take(&mut self.head));
        let pack = move || {
            let (bytes, next) = result.piece(head, from);
            (packer.encode(bytes, next.is_none()), next.map(|next| (next, packer)))
        };
        let made = self.server.run_job(pack).await;
        let held = made.and_then(|(bytes, next)| Ok((self.server.budget.count(bytes)?, next)));
        Some(held.map(|(piece, next)| {
            self.next = next;
            piece
        }))
    }
}

/// Series, and the looks that they go through.
///
/// There may be many series, and many answers at a time: so a series is a pair of numbers and
/// nothing else.
struct QueryResult {
    /// Of the latest look, in Unix seconds: there is no point after it.
    time: f64,
    history: Arc<History>,
    /// The numbers of the looks.
    scrapes: Vec<u64>,
    writers: Vec<Writer>,
    by: By,
    /// Ordered by their keys, then by writer: those of one series are side by side.
    members: Vec<Member>,
}

/// A writer as it was seen last.
struct Writer {
    writer_id: Arc<WriterId>,
    fields: Arc<[Field]>,
    liveness: Liveness,
    /// It is dead, or was not in the latest look any more.
    has_ended: bool,
}

/// A field of a writer: where they are among the writers and their fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    writer: u32,
    field: u32,
}

impl QueryResult {
    fn new(history: Arc<History>, latest: &Snapshot, since: f64, question: &Query) -> Self {
        let pasts = history.since(since);
        // It may have had to wait for its turn, while others looked.
        let time = pasts.last().map_or_else(|| unix_seconds(latest.scrape.time), |past| past.time);
        let last: BTreeMap<u64, &StoredWriter> = pasts
            .iter()
            .flat_map(|past| &past.writers)
            .map(|writer| (writer.writer_id.id, writer))
            .collect();
        let writer = |past: &StoredWriter| Writer {
            writer_id: past.writer_id.clone(),
            fields: past.fields.clone(),
            liveness: past.liveness,
            has_ended: past.liveness == Liveness::Dead
                || pasts.last().is_none_or(|latest| latest.writer(past.writer_id.id).is_none()),
        };
        let mut writers: Vec<Writer> = last.into_values().map(writer).collect();
        writers.sort_by(|one, other| one.writer_id.name.cmp(&other.writer_id.name));
        let scrapes = pasts.iter().map(|past| past.number).collect();
        let mut result =
            QueryResult { time, history, scrapes, writers, by: question.by, members: Vec::new() };
        result.members = result.choose(&question.labels);
        result
    }

    fn choose(&self, labels: &Labels) -> Vec<Member> {
        let mut members = Vec::new();
        each_wanted(self.writers.iter().map(|writer| &writer.fields), labels, |writer, field| {
            let numbers = u32::try_from(writer).ok().zip(u32::try_from(field).ok());
            members.extend(
                numbers
                    .map(|(writer, field)| Member { writer, field })
                    .filter(|member| is_number(self.field(*member))),
            );
        });
        members.shrink_to_fit();
        members.sort_by_cached_key(|member| (SeriesKey::from_field(self.field(*member)), *member));
        members
    }

    fn writer(&self, member: Member) -> &Writer {
        &self.writers[member.writer as usize]
    }

    fn field(&self, member: Member) -> &Field {
        &self.writer(member).fields[member.field as usize]
    }

    /// What it takes as long as it is being written, in bytes.
    fn bytes(&self) -> usize {
        let mut fields: HashMap<*const Field, usize> = HashMap::new();
        for writer in &self.writers {
            fields.entry(writer.fields.as_ptr()).or_insert_with(|| fields_bytes(&writer.fields));
        }
        let writers = self
            .writers
            .iter()
            .map(|writer| size_of::<Writer>() + writer_id_bytes(&writer.writer_id))
            .sum::<usize>();
        size_of_val(&*self.scrapes)
            + size_of_val(&*self.members)
            + writers
            + fields.values().sum::<usize>()
    }

    /// The series that begins with this member.
    fn series(&self, from: usize) -> Option<Series<'_>> {
        let rest = self.members.get(from..)?;
        let first = *rest.first()?;
        let members = match self.by {
            By::File => 1,
            By::Label => rest.partition_point(|member| {
                SeriesKey::from_field(self.field(*member))
                    == SeriesKey::from_field(self.field(first))
            }),
        };
        Some(Series { result: self, first, members: &rest[..members] })
    }

    /// Some series from this member on, behind what stands before them; and where the next one
    /// begins.
    fn piece(&self, head: String, mut from: usize) -> (Vec<u8>, Option<usize>) {
        let pasts = self.history.get(&self.scrapes);
        let (mut bytes, mut points) = (head.into_bytes(), 0);
        while let Some(series) = self.series(from) {
            if points > POINTS {
                return (bytes, Some(from));
            }
            if from > 0 {
                bytes.push(b',');
            }
            bytes.extend(json::bytes(&series.object(&pasts)));
            points += pasts.len() * series.members.len();
            from += series.members.len();
        }
        bytes.extend(b"]}");
        (bytes, None)
    }
}

/// A field, of one writer or of several.
struct Series<'a> {
    result: &'a QueryResult,
    /// What it is shown as.
    first: Member,
    members: &'a [Member],
}

/// Whether a field's values are remembered.
fn is_number(field: &Field) -> bool {
    !matches!(field.location.ty, Type::Text | Type::Pascal)
}

impl Series<'_> {
    fn field(&self) -> &Field {
        self.result.field(self.first)
    }

    fn object<'s>(&'s self, pasts: &'s [Arc<StoredScrape>]) -> impl Serialize + 's {
        #[derive(Serialize)]
        struct Object<'s> {
            label: &'s str,
            kind: &'static str,
            unit: &'s str,
            #[serde(skip_serializing_if = "Option::is_none")]
            scale: Option<i8>,
            #[serde(skip_serializing_if = "Option::is_none")]
            divisor: Option<u32>,
            help: &'s str,
            #[serde(skip_serializing_if = "Option::is_none")]
            file: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            pid: Option<Option<u32>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            liveness: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            writers: Option<usize>,
            #[serde(skip_serializing_if = "Option::is_none")]
            dead: Option<usize>,
            points: Points<'s>,
        }
        let (field, by) = (self.field(), self.result.by);
        let (power, divisor) = json::scaling(field);
        let writer = Some(self.result.writer(self.first)).filter(|_| by == By::File);
        // A writer may have several fields of one label.
        let writers = || {
            self.members
                .chunk_by(|one, other| one.writer == other.writer)
                .filter_map(|fields| fields.first())
        };
        Object {
            label: &field.label,
            kind: field.kind.name(),
            unit: &field.unit,
            scale: power,
            divisor,
            help: &field.help,
            file: writer.map(|writer| lossless_path(&writer.writer_id.name)),
            pid: writer.map(|writer| writer.writer_id.pid()),
            liveness: writer.map(|writer| liveness_name(writer.liveness)),
            writers: writer.is_none().then(|| writers().count()),
            dead: writer
                .is_none()
                .then(|| writers().filter(|member| self.result.writer(**member).has_ended).count()),
            points: Points { series: self, pasts },
        }
    }

    /// What this was in a look.
    fn at(&self, past: &StoredScrape) -> Option<(Aggregate, Option<f64>)> {
        let mut sum: Option<(Aggregate, Option<f64>)> = None;
        for member in self.members {
            let Some(writer) = past.writer(self.result.writer(*member).writer_id.id) else {
                continue;
            };
            let Some(index) = self.index_in(&writer.fields, member.field as usize) else {
                continue;
            };
            let Some((value, rate)) = writer.get(index) else { continue };
            let (aggregate, rates) =
                sum.get_or_insert_with(|| (Aggregate::new(Class::from_field(self.field())), None));
            let field = &writer.fields[index];
            aggregate.add(Ok(&value), scale(field), writer.liveness == Liveness::Dead);
            *rates = add_rates(*rates, rate);
        }
        sum
    }

    /// Where a writer has the field, which was seen there last.
    fn index_in(&self, fields: &[Field], last: usize) -> Option<usize> {
        let key = SeriesKey::from_field(self.field());
        let is_same = |index: &usize| {
            fields.get(*index).is_some_and(|field| SeriesKey::from_field(field) == key)
        };
        Some(last).filter(is_same).or_else(|| (0..fields.len()).find(is_same))
    }
}

struct Points<'s> {
    series: &'s Series<'s>,
    pasts: &'s [Arc<StoredScrape>],
}

impl Serialize for Points<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scale = scale(self.series.field());
        let mut all = serializer.serialize_seq(None)?;
        for past in self.pasts {
            let Some((aggregate, rate)) = self.series.at(past) else { continue };
            let rate = rate.map(Float);
            match aggregate.into_value() {
                Ok(OwnedValue::Histogram(grown)) => {
                    all.serialize_element(&(past.time, Recorded(&grown, scale), rate))?
                }
                Ok(value) => {
                    all.serialize_element(&(past.time, DisplayValue::new(&value, scale), rate))?
                }
                Err(_) => all.serialize_element(&(past.time, (), rate))?,
            }
        }
        all.end()
    }
}
