//! Shared by the tests: fields as a reader shows them, as owned values that can be compared.
#![allow(dead_code, reason = "each test uses its part")]

use core::ptr::NonNull;
use mmstats_core::format::v2::{EntryHeader, Header, crc32};
use mmstats_core::reader::{
    ByteOrder, Directory, Entry, Lossy, ReadBuffers, Snapshot, Storage, Value, read, read_external,
};
use mmstats_core::{Aggregation, Clock, Kind, Region, Type, View};
use zerocopy::{FromBytes, IntoBytes};

/// A field as a reader shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// Its label.
    pub label: String,
    /// Its kind.
    pub kind: Kind,
    /// Its type.
    pub ty: Type,
    /// Its unit.
    pub unit: String,
    /// Its power of ten.
    pub scale: i8,
    /// The divisor.
    pub divisor: u32,
    /// Its help text.
    pub help: String,
    /// Its aggregation over writers.
    pub aggregation: Aggregation,
    /// Whether it is kept.
    pub kept: bool,
    /// Its value.
    pub value: FieldValue,
}

/// A value that can be compared; a NaN equals itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldValue {
    /// True or false.
    Bool(bool),
    /// An unsigned integer.
    Unsigned(u64),
    /// A signed integer.
    Signed(i64),
    /// The bits of an `f64`.
    Float(u64),
    /// Text.
    Text(String),
    /// The sum, and of each bucket that is not empty its bounds and count.
    Histogram(u64, Vec<(u64, Option<u64>, u64)>),
}

impl From<Value<'_>> for FieldValue {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Bool(value) => FieldValue::Bool(value),
            Value::Unsigned(value) => FieldValue::Unsigned(value),
            Value::Signed(value) => FieldValue::Signed(value),
            Value::Float(value) => value.into(),
            Value::Text(bytes) => FieldValue::Text(Lossy(bytes).to_string()),
            Value::Histogram(distribution) => {
                FieldValue::Histogram(distribution.sum, distribution.buckets().collect())
            }
        }
    }
}

impl From<f64> for FieldValue {
    fn from(value: f64) -> Self {
        FieldValue::Float(value.to_bits())
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        FieldValue::Text(text.into())
    }
}

/// One field of a snapshot.
pub(crate) fn show(entry: &Entry<'_>, snapshot: &Snapshot<'_>) -> Shown {
    let text = |bytes| Lossy(bytes).to_string();
    let value = snapshot
        .value(&entry.location)
        .unwrap_or_else(|error| panic!("{}: {error}", text(entry.label)));
    let (label, unit, help) = (text(entry.label), text(entry.unit), text(entry.help));
    Shown {
        label,
        kind: entry.kind,
        ty: entry.location.ty,
        unit,
        scale: entry.scale,
        divisor: entry.divisor,
        aggregation: entry.aggregation,
        kept: entry.kept,
        help,
        value: value.into(),
    }
}

/// Returns all fields; panics if one is invalid.
pub(crate) fn show_all(directory: &Directory<'_>, snapshot: &Snapshot<'_>) -> Vec<Shown> {
    directory
        .entries()
        .map(|entry| show(&entry.unwrap_or_else(|error| panic!("{error}")), snapshot))
        .collect()
}

/// All fields of a dump.
pub(crate) fn dead(bytes: &[u8]) -> Vec<Shown> {
    show_all(
        &Directory::open(bytes).unwrap_or_else(|error| panic!("{error}")),
        &Snapshot::from_static_bytes(bytes),
    )
}

/// Returns all fields of a dump whose directory is external.
pub(crate) fn dead_outside(bytes: &[u8], entries: &[u8]) -> Vec<Shown> {
    let directory =
        Directory::open_external(bytes, bytes, entries).unwrap_or_else(|error| panic!("{error}"));
    show_all(&directory, &Snapshot::from_static_bytes(bytes))
}

/// Returns all fields of a live region whose directory is external.
pub(crate) fn live_outside(region: &mut [u64], entries: &[u8]) -> Vec<Shown> {
    let view = region_in(region).view();
    let mut memory = vec![0; ReadBuffers::words(view.len())];
    let mut buffers = ReadBuffers::new(&mut memory);
    let (directory, snapshot) =
        read_external(&view, &mut buffers, entries).unwrap_or_else(|error| panic!("{error}"));
    show_all(&directory, &snapshot)
}

/// Creates a region in memory that a test reads, changes or publishes in again, as in a device's
/// RAM over a reset. The test uses no handle after it has touched the memory otherwise.
#[allow(unsafe_code)]
pub(crate) fn region_in(memory: &mut [u64]) -> Region {
    let (base, len) = (NonNull::from(&mut *memory).cast(), size_of_val(memory));
    // SAFETY: the memory is aligned to 8 and nobody else's; the rest is the test's.
    unsafe { Region::from_raw(base, len) }.unwrap()
}

/// Copies a region.
pub(crate) fn copy(view: &View<'_>) -> Vec<u64> {
    let mut bytes = vec![0; view.len().div_ceil(8)];
    view.read_at(0, &mut bytes);
    bytes
}

/// All fields of a region, as a reader of live memory sees them; one of a dump sees the same.
pub(crate) fn shown(view: &View<'_>) -> Vec<Shown> {
    let mut memory = vec![0; ReadBuffers::words(view.len())];
    let mut buffers = ReadBuffers::new(&mut memory);
    let (directory, snapshot) = read(view, &mut buffers).unwrap_or_else(|error| panic!("{error}"));
    let shown = show_all(&directory, &snapshot);
    assert_eq!(
        shown,
        dead(&copy(view).as_bytes()[..view.len()]),
        "a reader of live memory and one of a dump"
    );
    shown
}

/// The label and value of each field.
pub(crate) fn values(shown: &[Shown]) -> Vec<(&str, &FieldValue)> {
    shown.iter().map(|field| (field.label.as_str(), &field.value)).collect()
}

/// A file of version 1 that the original wrote, and what the original printed for it: label and
/// value.
pub(crate) fn golden(name: &str) -> (Vec<u8>, Vec<(String, String)>) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/v1");
    let bytes = std::fs::read(format!("{folder}/{name}.mmstats")).unwrap();
    let text = std::fs::read_to_string(format!("{folder}/{name}.txt")).unwrap();
    let lines = text.lines().skip(1).filter(|line| !line.trim().is_empty());
    let fields = lines.map(|line| {
        let (label, value) = line.trim_start().split_once(' ').unwrap();
        (label.to_owned(), value.trim_start().to_owned())
    });
    (bytes, fields.collect())
}

/// A clock that stands still.
pub(crate) struct Stopped;

impl Clock for Stopped {
    type Instant = ();
    fn now() {}
    fn nanoseconds_since((): ()) -> u64 {
        0
    }
}

/// Counts each value in its bucket, by the words of FORMAT.md.
pub(crate) fn distribution(p: u32, n: u32, values: &[u64]) -> FieldValue {
    let buckets = ((n - p + 1) << p) as u64;
    let bounds = |i: u64| {
        let (low, high) = if i < 1 << (p + 1) {
            (i, i)
        } else {
            let s = (i >> p) - 1;
            let m = i - (s << p);
            (m << s, (u128::from(m + 1) * (1_u128 << s) - 1) as u64)
        };
        (low, (i + 1 < buckets).then_some(high))
    };
    let mut counts = std::collections::BTreeMap::new();
    for value in values {
        let holds = |i: &u64| {
            let (low, high) = bounds(*i);
            low <= *value && high.is_none_or(|high| *value <= high)
        };
        *counts.entry((0..buckets).find(holds).expect("a bucket for every value")).or_insert(0) +=
            1;
    }
    let sum = values.iter().fold(0, |sum: u64, value| sum.wrapping_add(*value));
    FieldValue::Histogram(
        sum,
        counts.into_iter().map(|(i, count)| (bounds(i).0, bounds(i).1, count)).collect(),
    )
}

/// Returns the region as a machine of the other byte order would have written it.
pub(crate) fn swapped(region: &[u8]) -> Vec<u8> {
    let mut bytes = region.to_vec();
    let directory = Directory::open(region).unwrap();
    let reverse = |bytes: &mut Vec<u8>, at: usize, len: usize| bytes[at..at + len].reverse();
    for entry in directory.entries() {
        let place = entry.unwrap().location;
        let (at, size) = (place.offset as usize, place.size as usize);
        let number = place.ty.size().map_or(0, |size| size as usize);
        match place.storage {
            Storage::Histogram { .. } => {
                let sum = if place.word == 4 { 20 } else { 8 };
                for bucket in (at + sum..at + size).step_by(number) {
                    reverse(&mut bytes, bucket, number);
                }
                reverse(&mut bytes, at, 8);
                if sum == 20 {
                    reverse(&mut bytes, at + 8, 8);
                    reverse(&mut bytes, at + 16, 4);
                }
            }
            Storage::Latched => {
                let stride = size.next_multiple_of(place.word.into());
                reverse(&mut bytes, at, number);
                reverse(&mut bytes, at + stride, number);
                reverse(&mut bytes, at + 2 * stride, 4);
            }
            Storage::Double => {
                reverse(&mut bytes, at, number);
                reverse(&mut bytes, at + size, number);
            }
            Storage::Constant | Storage::PlacedConstant | Storage::Word | Storage::Single => {
                reverse(&mut bytes, at, number);
            }
            other => panic!("{other:?}"),
        }
    }
    let Some(header) = directory.header().copied() else {
        // Version 1: the sizes of labels and types.
        let mut at = 1;
        for entry in directory.entries().flatten() {
            let label = at + 2 + entry.label.len();
            let ty = entry.location.range().start - label - 2;
            let size = [region[label], region[label + 1]];
            let size = if directory.byte_order() == ByteOrder::Little {
                u16::from_le_bytes(size)
            } else {
                u16::from_be_bytes(size)
            };
            assert_eq!(usize::from(size), ty);
            reverse(&mut bytes, at, 2);
            reverse(&mut bytes, label, 2);
            at = entry.location.range().end;
        }
        return bytes;
    };
    let mut at = header.directory as usize;
    let end = at + header.published as usize;
    while at < end {
        let head = EntryHeader::read_from_prefix(&region[at..]).unwrap().0;
        head.swapped().write_to_prefix(&mut bytes[at..]).unwrap();
        at += head.length as usize;
    }
    let layout = crc32(0, &bytes[header.directory as usize..end]);
    Header { layout, ..header }.swapped().write_to_prefix(&mut bytes).unwrap();
    let mut header = Header::read_from_prefix(&bytes).unwrap().0;
    header.check = crc32(0, &bytes[..Header::CHECKED]).swap_bytes();
    header.write_to_prefix(&mut bytes).unwrap();
    bytes
}
