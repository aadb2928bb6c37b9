//! A reader of damaged bytes shows what it can and reports errors: it never panics, always ends,
//! and never reads after the end of the bytes.

mod common;

use common::{FieldValue, Shown, dead, golden, region_in, swapped};
use mmstats_core::format::MAGIC;
use mmstats_core::format::v2::{BYTE_ORDER, EntryHeader, Header, crc32};
use mmstats_core::reader::{
    ByteOrder, Directory, EntryError, EntryErrorKind, FormatError, ReadBuffers, ReadError,
    ReadPlan, Snapshot, Source, Value, read,
};
use mmstats_core::{
    Constant, ConstantText, Counter, Flag, Format, Gauge, Histogram, Latched, Model, Text, Type,
    V2, V2Narrow, model,
};
use proptest::prelude::*;
use std::collections::HashSet;
use zerocopy::{FromBytes, IntoBytes};

model! {
    struct Some in "some." {
        /// Of what?
        count: Counter [bytes],
        small: Gauge<i16> [celsius.e(-1)] => -2,
        wide: Gauge<Latched<f64>> => Latched(0.5),
        is: Flag => true,
        text: Text<11> => "grüße",
        spread: Histogram<1, 5, u32>,
        /// Constants of two types.
        number: Constant<u64> => 1 << 40,
        words: ConstantText<6> => "what?",
        last: Gauge<f64>,
    }
}

fn region<F: Format>() -> Vec<u8> {
    let mut memory = vec![0; Some::<F>::SIZE / 8 + 2];
    let some = Some::<F>::publish(region_in(&mut memory)).unwrap();
    some.count.add(u64::MAX / 3);
    some.wide.set(Latched(1.5));
    some.text.set("tschüß");
    (0..40).for_each(|value| some.spread.record(value));
    some.last.set(-1e9);
    memory.as_bytes().to_vec()
}

/// Returns the same region with its directory `by` bytes further from the header.
fn moved(region: &[u8], by: usize) -> Vec<u8> {
    let mut header = Header::read_from_prefix(region).unwrap().0;
    let end = Header::SIZE + header.published as usize;
    let (mut entries, mut at) = (region[Header::SIZE..end].to_vec(), 0);
    while at < entries.len() {
        let mut head = EntryHeader::read_from_prefix(&entries[at..]).unwrap().0;
        if head.access > 0 {
            head.value += by as u32;
        }
        head.write_to_prefix(&mut entries[at..]).unwrap();
        at += head.length as usize;
    }
    header.directory += by as u64;
    header.length += by as u32;
    let moved = [header.as_bytes(), &vec![0; by], &entries, &region[end..]].concat();
    sealed(moved)
}

/// Corrects both CRCs.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let Ok((header, _)) = Header::read_from_prefix(&bytes) else { return bytes };
    if header.magic != MAGIC {
        return bytes;
    }
    let here = header.byte_order == BYTE_ORDER;
    let mut header = if here { header } else { header.swapped() };
    header.check = crc32(0, &bytes[..Header::CHECKED]);
    let start = bytes.len().min(header.directory.try_into().unwrap_or(usize::MAX));
    let end = bytes.len().min(start.saturating_add(header.published as usize));
    header.layout = crc32(0, &bytes[start..end]);
    let header = if here { header } else { header.swapped() };
    header.write_to_prefix(&mut bytes).unwrap();
    bytes
}

/// Returns files and regions that are valid.
fn sound() -> Vec<(&'static str, Vec<u8>)> {
    let mut sound = sound_here();
    let swapped: Vec<Vec<u8>> = sound.iter().map(|(_, bytes)| swapped(bytes)).collect();
    sound.extend(
        [
            "kinds, swapped",
            "webstats, swapped",
            "version 2, swapped",
            "32 bits, swapped",
            "moved, swapped",
        ]
        .into_iter()
        .zip(swapped),
    );
    sound
}

/// Returns those that are not swapped.
fn sound_here() -> Vec<(&'static str, Vec<u8>)> {
    let mut sound = vec![
        ("kinds", golden("kinds").0),
        ("webstats", golden("webstats").0),
        ("version 2", region::<V2>()),
        ("version 2 of 32 bits", region::<V2Narrow>()),
        ("version 2, moved", moved(&region::<V2>(), 24)),
    ];
    // The bytes after the fields are all equal.
    sound[0].1.truncate(700);
    sound[1].1.truncate(700);
    sound
}

/// Bytes as a source.
struct Bytes<'b>(&'b [u8]);

impl Source for Bytes<'_> {
    type Error = core::convert::Infallible;

    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, Self::Error> {
        let from = self.0.get(at..).unwrap_or_default();
        let there = from.len().min(8 * to.len());
        to.as_mut_bytes()[..there].copy_from_slice(&from[..there]);
        Ok(there)
    }
}

/// Checks everything in a value.
fn check(value: &Value<'_>) {
    let number = value.as_f64();
    assert_eq!(number.is_none(), matches!(value, Value::Text(_) | Value::Histogram(_)));
    if let Value::Histogram(distribution) = value {
        let (p, n) = (distribution.grouping_power(), distribution.max_power());
        assert!(p < n && n <= 64);
        let (mut last, count) = (None, distribution.count());
        for (low, high, count) in distribution.buckets() {
            assert!(
                count > 0
                    && last.is_none_or(|last| last < low)
                    && high.is_none_or(|high| low <= high)
            );
            last = Some(low);
        }
        for fraction in [f64::NAN, -1.0, 0.0, 0.5, 1.0, 2.0] {
            assert!(
                distribution.quantile(fraction).is_some()
                    || last.is_none()
                    || count == 0
                    || fraction.is_nan()
            );
        }
    }
}

/// Walks a directory to its end.
fn walk(directory: &Directory<'_>, snapshot: &Snapshot<'_>, length: usize) -> (usize, usize) {
    let (mut fields, mut errors) = (0, 0);
    for (i, entry) in directory.entries().enumerate() {
        assert!(i <= length / 5 + 2, "more entries than there can be");
        match entry {
            Ok(entry) => {
                let range = entry.location.range();
                assert!(
                    range.start <= range.end && range.end <= length,
                    "{range:?} in {length} bytes"
                );
                assert!(!entry.label.is_empty() && entry.divisor > 0);
                check(
                    &snapshot
                        .value(&entry.location)
                        .expect("a value in the bytes, that nobody writes"),
                );
                fields += 1;
            }
            Err(error) => {
                assert!(error.offset <= length && !error.to_string().is_empty());
                errors += 1;
            }
        }
    }
    (fields, errors)
}

/// Reads bytes in every way and returns the numbers of fields and of errors; `None` if they are no
/// region.
fn read_all(bytes: &[u8], places: &ReadPlan, copies: &mut [u64]) -> Option<(usize, usize)> {
    let snapshot = Snapshot::from_static_bytes(bytes);
    let opened = Directory::open(bytes);
    let walked = opened.as_ref().ok().map(|directory| walk(directory, &snapshot, bytes.len()));
    if let Err(error) = opened {
        assert!(!error.to_string().is_empty());
    }
    let _ = snapshot.is_consistent();
    for order in [ByteOrder::Little, ByteOrder::Big] {
        if let Ok(directory) = Directory::open_with(bytes, bytes, Some(order)) {
            walk(&directory, &snapshot, bytes.len());
        }
    }
    // The same as if the bytes were live.
    let mut buffers = ReadBuffers::new(copies);
    let enough = buffers.capacity() >= bytes.len();
    match read(&Bytes(bytes), &mut buffers) {
        Ok((directory, snapshot)) => {
            let fields = walk(&directory, &snapshot, bytes.len());
            assert!(Some(fields) == walked || !enough);
        }
        Err(ReadError::Format(error)) => {
            assert!(opened.is_err() || error == FormatError::Contended, "{error}");
        }
        Err(ReadError::TooLarge { length, capacity }) => assert!(length > capacity),
        Err(ReadError::Source(never)) => match never {},
    }
    // The layout was known, and now there are other bytes.
    let Ok(there) = buffers.sample(&Bytes(bytes), places);
    assert!(!there || bytes.len() >= places.end);
    walked
}

/// All places of a region.
fn plan(bytes: &[u8]) -> ReadPlan {
    Directory::open(bytes)
        .unwrap()
        .entries()
        .flatten()
        .fold(ReadPlan::default(), |plan, entry| plan.with(&entry.location))
}

#[test]
fn valid_bytes_are_read_without_errors() {
    for (name, bytes) in sound() {
        let plan = plan(&bytes);
        let (fields, errors) =
            read_all(&bytes, &plan, &mut vec![0; ReadBuffers::words(bytes.len())]).unwrap();
        assert!(fields >= 9 && errors == 0, "{name}");
    }
}

#[test]
fn bytes_of_the_other_order_are_read_the_same() {
    for (name, bytes) in sound_here() {
        let other = swapped(&bytes);
        assert!(other != bytes);
        let theirs: Vec<Shown> = dead(&other);
        assert_eq!(theirs, dead(&bytes), "{name}");
        let orders = [&bytes, &other].map(|bytes| Directory::open(bytes).unwrap().byte_order());
        assert_eq!(orders[0], orders[1].other(), "{name}");
    }
    assert_eq!(dead(&swapped(&region::<V2>()))[0].value, FieldValue::Unsigned(u64::MAX / 3));
    assert_eq!(dead(&swapped(&region::<V2>()))[0].ty, Type::U64);
}

#[test]
fn bytes_cut_at_any_length_are_read_as_far_as_they_go() {
    for (name, bytes) in sound() {
        let (whole, plan) = (dead(&bytes), plan(&bytes));
        let mut most = 0;
        for length in 0..bytes.len() {
            // A copy, so that a read after its end would be detected.
            let cut = bytes[..length].to_vec();
            let read = read_all(&cut, &plan, &mut vec![0; ReadBuffers::words(bytes.len())]);
            let (fields, errors) = read.unwrap_or_default();
            assert!(
                fields >= most || name.contains("swapped"),
                "{name}: {fields} of {length} bytes, {most} of fewer"
            );
            most = fields;
            let is_version_1 = bytes[0] == 1;
            assert!(
                fields <= whole.len()
                    && (fields == whole.len() || errors > 0 || is_version_1 || read.is_none()),
                "{name}: {length} bytes"
            );
            for (now, before) in [(&cut, &bytes), (&bytes, &cut)] {
                if let Ok(directory) = Directory::open_with(now, before, None) {
                    walk(&directory, &Snapshot::from_static_bytes(now), now.len());
                }
            }
            // Locations in the whole region are outside the cut one.
            let snapshot = Snapshot::from_static_bytes(&cut);
            for entry in Directory::open(&bytes).unwrap().entries().flatten() {
                let value = snapshot.value(&entry.location);
                assert!(
                    value.is_ok() || entry.location.range().end > length,
                    "{name}: {length} bytes"
                );
            }
        }
    }
}

#[test]
fn a_changed_byte_is_detected_or_changes_a_value() {
    for (name, bytes) in sound() {
        let plan = plan(&bytes);
        let mut copies = vec![0; ReadBuffers::words(bytes.len())];
        let header = Directory::open(&bytes).unwrap().header().copied();
        let directory = header.map_or(0..0, |header| {
            header.directory as usize..(header.directory + u64::from(header.published)) as usize
        });
        for at in 0..bytes.len() {
            let was = bytes[at];
            for is in HashSet::from([!was, was ^ 1, 0, 0xff]) {
                let mut bytes = bytes.clone();
                bytes[at] = is;
                let read = read_all(&bytes, &plan, &mut copies);
                if is != was && header.is_some_and(|_| at < Header::CHECKED) {
                    assert_eq!(read, None, "{name}: byte {at} of the header is {is}");
                }
                if is != was && directory.contains(&at) {
                    assert!(read.unwrap().1 > 0, "{name}: byte {at} of the directory is {is}");
                }
            }
        }
    }
}

#[test]
fn buffers_too_small_for_a_region_are_an_error() {
    let mut fake = vec![0; ReadBuffers::words(0)];
    for (_, bytes) in sound() {
        for words in 0..=bytes.len() / 8 {
            fake.resize(ReadBuffers::words(8 * words), 0);
            read_all(&bytes, &plan(&bytes), &mut fake);
            let read = read(&Bytes(&bytes), &mut ReadBuffers::new(&mut fake)).map(|_| ());
            let too_large = Err(ReadError::TooLarge { length: bytes.len(), capacity: 8 * words });
            assert_eq!(
                read,
                if bytes[0] == 2 && 8 * words < bytes.len() { too_large } else { Ok(()) }
            );
        }
    }
}

/// Stats with some of their bytes changed and their checks updated, so that these do not reveal the
/// change.
fn forged() -> impl Strategy<Value = Vec<u8>> {
    // Numbers near the limits of each width, anywhere.
    let number = prop_oneof![
        any::<u32>(),
        0..300_u32,
        (0..32_u32, 0..3_u32)
            .prop_map(|(bit, more)| (1_u32 << bit).wrapping_add(more).wrapping_sub(1)),
        Just(u32::MAX),
    ];
    let change = (any::<prop::sample::Index>(), number, 1..=4_usize, prop::bool::weighted(0.1));
    (
        0..10_usize,
        proptest::collection::vec(change, 1..6),
        prop::option::of(any::<prop::sample::Index>()),
    )
        .prop_map(|(which, changes, cut)| {
            let (_, mut bytes) = sound().swap_remove(which);
            let directory = Directory::open(&bytes).unwrap();
            let end = directory.header().map_or(bytes.len(), |header| {
                (header.directory + u64::from(header.published)) as usize
            });
            for (at, number, width, in_header) in changes {
                let at = at.index(if in_header { Header::SIZE } else { end });
                // The magic stays, because the bytes after it are to be tested.
                let at = at.max(if in_header { MAGIC.len() } else { Header::SIZE });
                for (byte, to) in
                    bytes[..end].iter_mut().skip(at).zip(&number.to_ne_bytes()[..width])
                {
                    *byte = *to;
                }
            }
            let bytes = match cut {
                Some(cut) => bytes[..cut.index(bytes.len() + 1)].to_vec(),
                None => bytes,
            };
            sealed(bytes)
        })
}

#[test]
fn errors_quote_at_most_100_characters_of_a_name() {
    let reported = |label: &[u8], found: &[u8]| {
        EntryError { offset: 7, label, kind: EntryErrorKind::Type { found } }.to_string()
    };
    assert_eq!(
        reported("ü\n".as_bytes(), b"x\xff"),
        "field \"ü\n\" at byte 7: unknown type \"x\u{fffd}\""
    );
    let whole = ["é".repeat(100), "\u{fffd}".repeat(100)];
    assert_eq!(
        reported(whole[0].as_bytes(), &[0xff; 100]),
        format!("field \"{}\" at byte 7: unknown type \"{}\"", whole[0], whole[1])
    );
    let cut = reported("é".repeat(60_000).as_bytes(), &[0xff; 60_000]);
    assert_eq!(cut, format!("field \"{}…\" at byte 7: unknown type \"{}…\"", whole[0], whole[1]));
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 12 * ProptestConfig::default().cases,
        ..ProptestConfig::default()
    })]

    #[test]
    fn forged_bytes_do_no_harm(bytes in forged()) {
        read_all(&bytes, &plan(&region::<V2>()), &mut vec![0; ReadBuffers::words(bytes.len())]);
    }

    #[test]
    fn random_bytes_do_no_harm(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
        start in 0..4_usize,
    ) {
        let starts: [&[u8]; 4] = [b"", b"\x01", b"\x02MMSTATS\x02\x01\x08\0", b"\x01\x01\0a\x01\0"];
        let start = &starts[start][..starts[start].len().min(bytes.len())];
        bytes[..start.len()].copy_from_slice(start);
        read_all(&bytes, &plan(&region::<V2>()), &mut vec![0; ReadBuffers::words(bytes.len())]);
    }

    #[test]
    fn random_types_of_version_1_are_accepted_or_refused(code in "[@=<>!]?[ \t\n]{0,2}[0-9]{0,11}[a-zA-Z?]?[ ]{0,2}", index: u8, values in 0..40_usize) {
        let mut bytes = b"\x01\x01\0a".to_vec();
        bytes.extend((code.len() as u16).to_le_bytes());
        bytes.extend(code.as_bytes());
        bytes.push(index);
        bytes.extend(vec![0x61; values]);
        read_all(&bytes, &ReadPlan::default(), &mut vec![0; ReadBuffers::words(bytes.len())]);
    }
}
