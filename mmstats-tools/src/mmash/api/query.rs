//! `/api/v1/query`: series of stored values.
//!
//! The response is written in chunks as the client reads it, so that a slow client needs memory
//! only for the list of series and one chunk. Scrapes that the history drops meanwhile are missing
//! from later chunks.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use mmstats_core::Type;
use mmstats_std::clock::unix_seconds;
use mmstats_std::liveness::Liveness;
use mmstats_std::read::Field;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use tokio::sync::OwnedSemaphorePermit;

use crate::escape::lossless_path;
use crate::labels::Labels;

use crate::mmash::api::stats::{By, Query, Whose, add_rates, each_wanted};
use crate::mmash::live::history::{
    ScrapeHistory, StoredScrape, StoredWriter, fields_bytes, writer_id_bytes,
};
use crate::mmash::live::snapshot::Snapshot;
use crate::mmash::server::response::{
    GzipChunks, HttpError, JSON, accepts_gzip, set_encoding, with_type,
};
use crate::mmash::server::{Call, Server};
use crate::render::json::{self, Float, HistogramJson, JsonValue, Properties, liveness_name};
use crate::render::number::Scale;
use crate::scraper::{OwnedValue, WriterId};
use crate::series::{Aggregate, Contributor, SeriesKey};

/// The approximate number of points in a chunk. The whole history as JSON would need too much
/// memory.
const POINTS_PER_CHUNK: usize = 5000;

/// Handles `/api/v1/query`.
pub(crate) async fn query(call: Call) -> Result<Response, HttpError> {
    let parameters = call.parameters(&["match", "by", "since"])?;
    let server = call.server;
    let query = Query::from_parameters(&parameters)?;
    let latest = server.snapshot().await?;
    let since = match parameters.number("since")? {
        Some(back) if back < 0.0 => unix_seconds(SystemTime::now()) + back,
        since => since.unwrap_or(0.0),
    };
    let history = server.latest.history.clone();
    let result =
        Arc::new(server.run_job(move || QueryResult::new(history, &latest, since, &query)).await?);
    let compress = accepts_gzip(&call.headers);
    let encoder = GzipChunks::new(compress);
    let permit = server.budget.reserve(result.bytes() + encoder.bytes())?;
    let head = format!(
        "{{\"time\":{:?},\"interval\":{:?},\"series\":[",
        result.time,
        server.interval.as_secs_f64()
    );
    let mut cursor = Cursor { server, result, head, next: Some((0, encoder)), _permit: permit };
    // An error in the first chunk can still determine the status of the response.
    let first = cursor.chunk().await.transpose()?;
    let rest = stream::unfold(cursor, |mut cursor| async move {
        let chunk = cursor.chunk().await?;
        Some((chunk.map_err(|error| io::Error::other(error.message)), cursor))
    });
    Ok(set_encoding(
        with_type(JSON, Body::from_stream(stream::iter(first.map(Ok)).chain(rest))),
        compress,
    ))
}

/// The position in a result that is being written.
struct Cursor {
    server: Arc<Server>,
    result: Arc<QueryResult>,
    /// The start of the JSON, which precedes the first chunk.
    head: String,
    /// The index of the next series' first member, and the encoder; `None` at the end.
    next: Option<(usize, GzipChunks)>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Cursor {
    /// Returns the next chunk; `None` after the last one, or after an error.
    async fn chunk(&mut self) -> Option<Result<Bytes, HttpError>> {
        let (from, mut encoder) = self.next.take()?;
        let (result, head) = (self.result.clone(), std::mem::take(&mut self.head));
        let encode = move || {
            let (bytes, next) = result.chunk(head, from);
            (encoder.encode(bytes, next.is_none()), next.map(|next| (next, encoder)))
        };
        let encoded = self.server.run_job(encode).await;
        Some(encoded.and_then(|(bytes, next)| {
            let chunk = self.server.budget.count(bytes)?;
            self.next = next;
            Ok(chunk)
        }))
    }
}

/// The series that a query selects, without their points.
///
/// Members are pairs of indices to save memory: there may be many series, and several results at a
/// time.
struct QueryResult {
    /// The time of the latest scrape, in Unix seconds. No point is later.
    time: f64,
    history: Arc<ScrapeHistory>,
    /// The numbers of the scrapes.
    scrapes: Vec<u64>,
    writers: Vec<QueriedWriter>,
    by: By,
    /// Ordered by series, then by writer.
    members: Vec<SeriesMember>,
}

/// A writer in the last scrape that contains it.
struct QueriedWriter {
    writer_id: Arc<WriterId>,
    fields: Arc<[Field]>,
    liveness: Liveness,
    /// Whether it has ended or is missing from the latest scrape.
    has_ended: bool,
}

/// A field of a writer: the index of the writer, and that of the field in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SeriesMember {
    writer: u32,
    field: u32,
}

impl QueryResult {
    fn new(history: Arc<ScrapeHistory>, latest: &Snapshot, since: f64, query: &Query) -> Self {
        let stored = history.since(since);
        // The history may contain scrapes that are newer than `latest`.
        let time =
            stored.last().map_or_else(|| unix_seconds(latest.scrape.time), |scrape| scrape.time);
        let last_by_id: BTreeMap<u64, &StoredWriter> = stored
            .iter()
            .flat_map(|scrape| &scrape.writers)
            .map(|writer| (writer.writer_id.id, writer))
            .collect();
        let latest_scrape = stored.last();
        let writer = |last: &StoredWriter| QueriedWriter {
            writer_id: last.writer_id.clone(),
            fields: last.fields.clone(),
            liveness: last.verdict.liveness,
            has_ended: last.verdict.writer_has_ended()
                || latest_scrape.is_none_or(|scrape| scrape.writer(last.writer_id.id).is_none()),
        };
        let mut writers: Vec<QueriedWriter> = last_by_id.into_values().map(writer).collect();
        writers.sort_by(|one, other| one.writer_id.name.cmp(&other.writer_id.name));
        let scrapes = stored.iter().map(|scrape| scrape.number).collect();
        let mut result =
            QueryResult { time, history, scrapes, writers, by: query.by, members: Vec::new() };
        result.members = result.select_members(&query.labels);
        result
    }

    fn select_members(&self, labels: &Labels) -> Vec<SeriesMember> {
        let mut members = Vec::new();
        each_wanted(self.writers.iter().map(|writer| &writer.fields), labels, |writer, field| {
            let indices = u32::try_from(writer).ok().zip(u32::try_from(field).ok());
            members.extend(
                indices
                    .map(|(writer, field)| SeriesMember { writer, field })
                    .filter(|member| is_stored(self.field(*member))),
            );
        });
        members.shrink_to_fit();
        members.sort_by_cached_key(|member| (SeriesKey::from_field(self.field(*member)), *member));
        members
    }

    fn writer(&self, member: SeriesMember) -> &QueriedWriter {
        &self.writers[member.writer as usize]
    }

    fn field(&self, member: SeriesMember) -> &Field {
        &self.writer(member).fields[member.field as usize]
    }

    /// Returns the memory in bytes that this result needs until the response is written.
    fn bytes(&self) -> usize {
        let mut fields: HashMap<*const Field, usize> = HashMap::new();
        for writer in &self.writers {
            fields.entry(writer.fields.as_ptr()).or_insert_with(|| fields_bytes(&writer.fields));
        }
        let writers = self
            .writers
            .iter()
            .map(|writer| size_of::<QueriedWriter>() + writer_id_bytes(&writer.writer_id))
            .sum::<usize>();
        size_of_val(&*self.scrapes)
            + size_of_val(&*self.members)
            + writers
            + fields.values().sum::<usize>()
    }

    /// Returns the series that begins with this member.
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

    /// Returns `head` and the next series as JSON, and the index of the first member that did not
    /// fit; `None` after the last series.
    fn chunk(&self, head: String, mut from: usize) -> (Vec<u8>, Option<usize>) {
        let stored = self.history.get(&self.scrapes);
        let (mut bytes, mut points) = (head.into_bytes(), 0);
        while let Some(series) = self.series(from) {
            if points > POINTS_PER_CHUNK {
                return (bytes, Some(from));
            }
            if from > 0 {
                bytes.push(b',');
            }
            bytes.extend(json::bytes(&series.object(&stored)));
            points += stored.len() * series.members.len();
            from += series.members.len();
        }
        bytes.extend(b"]}");
        (bytes, None)
    }
}

/// One field of one or several writers.
struct Series<'a> {
    result: &'a QueryResult,
    /// The member whose label, kind and unit are shown.
    first: SeriesMember,
    members: &'a [SeriesMember],
}

/// Returns `true` if the history stores the values of a field: all but texts.
fn is_stored(field: &Field) -> bool {
    !matches!(field.location.ty, Type::Text | Type::Pascal)
}

impl Series<'_> {
    fn field(&self) -> &Field {
        self.result.field(self.first)
    }

    fn object<'s>(&'s self, stored: &'s [Arc<StoredScrape>]) -> impl Serialize + 's {
        #[derive(Serialize)]
        struct SeriesObject<'s> {
            label: &'s str,
            kind: &'static str,
            unit: &'s str,
            #[serde(skip_serializing_if = "Option::is_none")]
            scale: Option<i8>,
            #[serde(skip_serializing_if = "Option::is_none")]
            divisor: Option<u32>,
            help: &'s str,
            #[serde(flatten)]
            properties: Properties,
            #[serde(flatten)]
            whose: Whose<'s>,
            points: Points<'s>,
        }
        let (field, first) = (self.field(), self.result.writer(self.first));
        let (scale, divisor) = json::scaling(field);
        let whose = match self.result.by {
            By::File => Whose::One {
                file: lossless_path(&first.writer_id.name).into(),
                pid: first.writer_id.pid(),
                liveness: liveness_name(first.liveness),
                owner: first.writer_id.other_owner,
            },
            By::Label => {
                // A writer may have several fields with the same label.
                let fields = self.members.chunk_by(|one, other| one.writer == other.writer);
                let writers: Vec<&QueriedWriter> =
                    fields.map(|fields| self.result.writer(fields[0])).collect();
                let dead = writers.iter().filter(|writer| writer.has_ended).count();
                Whose::All { writers: writers.len(), dead }
            }
        };
        SeriesObject {
            label: &field.label,
            kind: field.kind.name(),
            unit: &field.unit,
            scale,
            divisor,
            help: &field.help,
            properties: Properties::new(field),
            whose,
            points: Points { series: self, stored },
        }
    }

    /// Returns the value and rate in a scrape; `None` if no writer has them.
    fn value_at(&self, scrape: &StoredScrape) -> Option<(Aggregate, Option<f64>)> {
        let mut sum: Option<(Aggregate, Option<f64>)> = None;
        for member in self.members {
            let Some(writer) = scrape.writer(self.result.writer(*member).writer_id.id) else {
                continue;
            };
            let Some(index) = self.index_in(&writer.fields, member.field as usize) else {
                continue;
            };
            let Some((value, rate)) = writer.get(index) else { continue };
            let (aggregate, rates) =
                sum.get_or_insert_with(|| (Aggregate::new(self.field()), None));
            let contributor = Contributor::new(&writer.writer_id, writer.verdict);
            aggregate.add(&writer.fields[index], Ok(&value), contributor);
            *rates = add_rates(*rates, rate);
        }
        sum
    }

    /// Returns the index of the field in a writer, which is most likely `last`.
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
    stored: &'s [Arc<StoredScrape>],
}

impl Serialize for Points<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scale = Scale::from_field(self.series.field());
        let mut all = serializer.serialize_seq(None)?;
        for scrape in self.stored {
            let Some((aggregate, rate)) = self.series.value_at(scrape) else { continue };
            let rate = rate.map(Float);
            match aggregate.into_value() {
                Ok(OwnedValue::Histogram(recorded)) => {
                    let bucket = |from, to, count| (from, to, count);
                    let recorded = HistogramJson::new(&recorded, scale, bucket);
                    all.serialize_element(&(scrape.time, recorded, rate))?;
                }
                Ok(value) => {
                    all.serialize_element(&(scrape.time, JsonValue::new(&value, scale), rate))?;
                }
                Err(_) => all.serialize_element(&(scrape.time, (), rate))?,
            }
        }
        all.end()
    }
}
