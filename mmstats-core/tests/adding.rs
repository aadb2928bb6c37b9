//! Fields are added one by one while readers read; a field that cannot be added returns an error
//! and leaves the region unchanged.
#![allow(unsafe_code, reason = "regions at odd places")]

mod common;

use common::{FieldValue, Shown, Stopped, copy, region_in, shown, values};
use core::ptr::NonNull;
use mmstats_core::format::layout::{self, FieldDef};
use mmstats_core::format::v2::Header;
use mmstats_core::reader::{Directory, ReadBuffers, ReadError, Snapshot, Source, read};
use mmstats_core::{
    AddError, Aggregation, ConstantText, Counter, Field, FieldBuilder, Format, Gauge, Model,
    Region, RegionError, Text, Timer, Unit, V1, V1Exact, V2, V2Narrow, Version, Writer, model,
};
use zerocopy::{FromBytes, IntoBytes};

model! {
    struct Pair { b: Counter, a: Counter }
    struct TooLarge { small: Counter, large: Text<4000> }
    struct Timed { t: Timer<Stopped> }
}

/// Tries to add an invalid field.
type Bad<F> = for<'r> fn(&mut Writer<'_, F>) -> Result<(), AddError>;

fn add<H: Field>(
    writer: &mut Writer<'_, H::Format>,
    field: FieldBuilder<'_, H>,
) -> Result<(), AddError> {
    writer.add(field).map(|_| ())
}

fn duplicate<R>(label: &str) -> Result<R, AddError> {
    Err(AddError::DuplicateLabel { label: label.into() })
}

/// Returns fields that are refused in every format, and their errors.
fn bad<F: Format>() -> Vec<(Bad<F>, Result<(), AddError>)> {
    vec![
        (|writer| add::<Counter<u32, _>>(writer, Counter::builder("a")), duplicate("a")),
        (|writer| writer.add_model::<Pair<_>>().map(|_| ()), duplicate("a")),
        (|writer| add::<Timer<Stopped, 2, _>>(writer, Timer::builder("timer")), duplicate("timer")),
        (|writer| add::<Counter<u32, _>>(writer, Counter::builder("")), Err(AddError::EmptyLabel)),
        (
            |writer| add::<Counter<u32, _>>(writer, Counter::builder(&"x".repeat(65_536))),
            Err(AddError::LabelTooLong { length: 65_536 }),
        ),
        (|writer| add::<Counter<u32, _>>(writer, Counter::builder("nu\0l")), Err(AddError::Nul)),
        (
            |writer| add::<Counter<u32, _>>(writer, Counter::builder("c").help("nu\0l")),
            Err(AddError::Nul),
        ),
        (
            |writer| {
                add::<Counter<u32, _>>(writer, Counter::builder("c").unit(Unit::named("nu\0l")))
            },
            Err(AddError::Nul),
        ),
        (
            |writer| {
                add::<Counter<u32, _>>(writer, Counter::builder("c").help(&"x".repeat(65_536)))
            },
            Err(AddError::TextTooLong { length: 65_536 }),
        ),
        (
            |writer| {
                add::<Counter<u32, _>>(
                    writer,
                    Counter::builder("c").unit(Unit::named("x".repeat(256).leak())),
                )
            },
            Err(AddError::TextTooLong { length: 256 }),
        ),
        (
            |writer| add::<Text<4000, _>>(writer, Text::builder("large")),
            Err(AddError::Full { length: 4096 }),
        ),
        (
            |writer| add::<ConstantText<4000, _>>(writer, ConstantText::builder("large")),
            Err(AddError::Full { length: 4096 }),
        ),
        (
            |writer| writer.add_model::<TooLarge<_>>().map(|_| ()),
            Err(AddError::Full { length: 4096 }),
        ),
    ]
}

/// Returns fields that are refused where timers have a histogram.
fn bad_with_histograms<F: Format>() -> Vec<(Bad<F>, Result<(), AddError>)> {
    vec![
        (
            |writer| add::<Counter<u32, _>>(writer, Counter::builder("timer.histogram")),
            duplicate("timer.histogram"),
        ),
        (
            |writer| add::<Timer<Stopped, 2, _>>(writer, Timer::builder("taken")),
            duplicate("taken.histogram"),
        ),
        (
            |writer| add::<Timer<Stopped, 2, _>>(writer, Timer::builder(&"x".repeat(65_530))),
            Err(AddError::LabelTooLong { length: 65_540 }),
        ),
    ]
}

/// Returns everything in a region that readers read: fields, and in version 2 the header and the
/// published entries.
fn visible(region: &mmstats_core::View<'_>) -> (Vec<Shown>, Vec<u8>) {
    let bytes = copy(region);
    let directory = Directory::open(bytes.as_bytes()).unwrap();
    let header = directory.header().map_or(&[][..], |_| &bytes.as_bytes()[..Header::SIZE]);
    let entries = directory.header().map_or(&[][..], |_| directory.bytes());
    (shown(region), [header, entries].concat())
}

fn refused_fields_change_nothing<F: Format>() {
    let with_histograms =
        if F::VERSION == Version::V2 { bad_with_histograms::<F>() } else { Vec::new() };
    for (bad, why) in bad::<F>().into_iter().chain(with_histograms) {
        let mut memory = [u64::MAX; 512];
        let region = region_in(&mut memory);
        let view = region.view();
        let mut writer = Writer::<F>::new(region).unwrap();
        let a: Counter<u64, _> = writer.add(Counter::builder("a").help("The first.")).unwrap();
        let text: Text<9, _> = writer.add(Text::builder("text")).unwrap();
        writer.add::<Timer<Stopped, 3, _>>(Timer::builder("timer")).unwrap();
        writer.add::<Gauge<i8, _>>(Gauge::builder("taken.histogram")).unwrap();
        a.add(5);
        text.set("as it was");
        let (fields, bytes) = visible(&view);
        assert_eq!(bad(&mut writer), why);
        assert_eq!(visible(&view), (fields.clone(), bytes), "after {why:?}");

        let more: Gauge<u16, _> = writer.add(Gauge::builder("more")).unwrap();
        more.set(7);
        let (last, others) = (shown(&view).pop().unwrap(), fields);
        assert_eq!(
            (last.label.as_str(), last.value),
            ("more", FieldValue::Unsigned(7)),
            "after {why:?}"
        );
        assert_eq!(shown(&view)[..others.len()], others, "after {why:?}");
    }
}

#[test]
fn invalid_fields_are_refused_and_change_nothing() {
    refused_fields_change_nothing::<V2>();
    refused_fields_change_nothing::<V2Narrow>();
    refused_fields_change_nothing::<V1>();
    refused_fields_change_nothing::<V1Exact>();
}

fn the_prefix_counts<F: Format>() {
    let mut memory = vec![0; 20_000];
    let mut publish = |prefix: &str| {
        Pair::<F>::publisher().label_prefix(prefix).publish(region_in(&mut memory)).map(|_| ())
    };
    let long = "p".repeat(65_535);
    assert_eq!(publish(&long), Err(AddError::LabelTooLong { length: 65_536 }));
    assert_eq!(publish("nu\0l"), Err(AddError::Nul));
    assert_eq!(publish(&long[1..]), Ok(()));
    assert_eq!(shown(&region_in(&mut memory).view())[0].label, format!("{}b", &long[1..]));

    let mut writer = Writer::<F>::new(region_in(&mut memory)).unwrap().label_prefix(&long);
    assert_eq!(
        add::<Counter<u32, _>>(&mut writer, Counter::builder("x")),
        Err(AddError::LabelTooLong { length: 65_536 })
    );
    let mut writer = writer.label_prefix("nu\0l");
    assert_eq!(add::<Counter<u32, _>>(&mut writer, Counter::builder("x")), Err(AddError::Nul));
}

#[test]
fn a_prefix_counts_as_part_of_the_label() {
    the_prefix_counts::<V2>();
    the_prefix_counts::<V2Narrow>();
    the_prefix_counts::<V1>();
    the_prefix_counts::<V1Exact>();
    let mut memory = vec![0; 40_000];
    let timed = Timed::<V2>::publisher()
        .label_prefix(&"p".repeat(65_530))
        .publish(region_in(&mut memory))
        .map(|_| ());
    assert_eq!(
        timed,
        Err(AddError::LabelTooLong { length: 65_541 }),
        "the histogram of a timer has a longer label"
    );
}

/// The longest text of a constant with a label of one byte that fits an entry of 256 KiB.
const LONGEST: usize = (1 << 18) - 28 - 1;

#[test]
fn an_entry_that_readers_refuse_is_not_published() {
    let mut memory = vec![0; 40_000];
    let mut writer = Writer::<V2>::new(region_in(&mut memory)).unwrap();
    let too_long: Result<ConstantText<{ LONGEST + 1 }, _>, _> =
        writer.add(ConstantText::builder("c"));
    assert_eq!(too_long.err(), Some(AddError::EntryTooLong { length: (1 << 18) + 4 }));
    let mut writer = writer.label_prefix("p");
    let with_prefix: Result<ConstantText<LONGEST, _>, _> = writer.add(ConstantText::builder("c"));
    assert_eq!(with_prefix.err(), Some(AddError::EntryTooLong { length: (1 << 18) + 4 }));
    let mut writer = writer.label_prefix("");
    let _: ConstantText<LONGEST, _> = writer.add(ConstantText::builder("c")).unwrap();
    let shown = shown(&region_in(&mut memory).view());
    assert_eq!(shown.iter().map(|field| &field.label[..]).collect::<Vec<_>>(), ["c"]);
}

fn the_longest_label_works<F: Format>() {
    let mut memory = vec![u64::MAX; 34_000];
    let region = region_in(&mut memory);
    let view = region.view();
    let mut writer = Writer::<F>::new(region).unwrap();
    let (label, other) = ("x".repeat(65_535), "y".repeat(65_535));
    let first: Counter<u64, _> = writer.add(Counter::builder(&label).help(&label)).unwrap();
    let second: Counter<u32, _> = writer.add(Counter::builder(&other)).unwrap();
    first.add(1 << 33);
    second.add(2);
    let fields = shown(&view);
    assert_eq!(
        values(&fields),
        [
            (label.as_str(), &FieldValue::Unsigned(1 << 33)),
            (other.as_str(), &FieldValue::Unsigned(2))
        ]
    );
    assert!(fields[0].help == label || F::VERSION != Version::V2);
    assert_eq!(
        add::<Counter<u32, _>>(&mut writer, Counter::builder(&other)),
        duplicate(&"y".repeat(40)),
        "an error shows its beginning"
    );
}

#[test]
fn a_label_of_65535_bytes_works() {
    the_longest_label_works::<V2>();
    the_longest_label_works::<V2Narrow>();
    the_longest_label_works::<V1>();
    the_longest_label_works::<V1Exact>();
}

#[test]
fn a_region_begins_at_a_multiple_of_8() {
    let mut memory = [0_u64; 16];
    let base = NonNull::from(&mut memory).cast::<u8>();
    for offset in 0..8 {
        // SAFETY: within `memory`, which nobody else uses.
        let (region, view) = unsafe {
            let base = base.add(offset);
            (Region::from_raw(base, 64), mmstats_core::View::from_raw(base, 64))
        };
        let misaligned =
            (offset > 0).then_some(RegionError::Misaligned { address: base.addr().get() + offset });
        assert_eq!((region.err(), view.err()), (misaligned, misaligned));
    }
}

fn any_length<F: Format>() {
    for length in 0..128 {
        let mut memory = [u64::MAX; 17];
        let base = NonNull::from(&mut memory).cast::<u8>();
        // SAFETY: within `memory`, which nobody else uses.
        let region = unsafe { Region::from_raw(base, length) }.unwrap();
        let view = region.view();
        match Writer::<F>::new(region) {
            Err(error) => {
                assert_eq!(error, AddError::Full { length });
                assert!(length < 40 && memory == [u64::MAX; 17], "untouched");
                continue;
            }
            Ok(mut writer) => {
                let full = add::<Counter<u64, _>>(&mut writer, Counter::builder("count"))
                    == Err(AddError::Full { length });
                assert!(!full || length < 40 + 36 + 20 + 7, "{length} bytes are enough");
                assert_eq!(shown(&view).len(), usize::from(!full));
            }
        }
        assert!(
            memory.as_bytes()[length..].iter().all(|byte| *byte == 0xff),
            "no byte after {length} bytes is touched"
        );
    }
}

#[test]
fn a_region_may_have_any_length_and_no_byte_after_it_is_touched() {
    any_length::<V2>();
    any_length::<V2Narrow>();
    any_length::<V1>();
    any_length::<V1Exact>();
}

/// The memory of a writer that adds a field between any two copies of its reader.
struct Growing<'r, F: Format> {
    view: mmstats_core::View<'r>,
    writer: core::cell::RefCell<(Writer<'static, F>, u32)>,
}

fn grow<F: Format>((writer, fields): &mut (Writer<'static, F>, u32)) {
    let number = *fields;
    // Wide, so that some of them are latched.
    writer
        .add::<Gauge<u64, F>>(Gauge::builder(&format!("field.{number}")).initial(number))
        .unwrap();
    *fields += 1;
}

impl<F: Format> Source for Growing<'_, F> {
    type Error = core::convert::Infallible;

    fn read_at(&self, at: usize, to: &mut [u64]) -> Result<usize, Self::Error> {
        grow(&mut self.writer.borrow_mut());
        Source::read_at(&self.view, at, to)
    }

    fn fence(&self) {
        grow(&mut self.writer.borrow_mut());
    }
}

/// Each field as it was added, in order.
fn assert_prefix(shown: &[Shown]) {
    for (number, field) in shown.iter().enumerate() {
        assert_eq!(
            (&field.label, &field.value),
            (&format!("field.{number}"), &FieldValue::Unsigned(number as u64))
        );
    }
}

fn fields_appear_whole<F: Format>() {
    let mut memory = vec![u64::MAX; 1 << 12];
    let region = region_in(&mut memory);
    let view = region.view();
    let writer = Writer::<F>::new(region).unwrap();
    let source = Growing { view, writer: (writer, 0).into() };
    for _ in 0..20 {
        let before = source.writer.borrow().1;
        let mut copies = vec![0; ReadBuffers::words(8 << 12)];
        let mut buffers = ReadBuffers::new(&mut copies);
        let (directory, snapshot) = read(&source, &mut buffers).unwrap();
        let fields = common::show_all(&directory, &snapshot);
        assert!(fields.len() as u32 >= before && source.writer.borrow().1 > before + 1);
        assert_prefix(&fields);
    }
}

#[test]
fn fields_added_between_the_copies_of_a_reader_are_seen_whole_or_not_yet() {
    fields_appear_whole::<V2>();
    fields_appear_whole::<V2Narrow>();
    fields_appear_whole::<V1>();
    fields_appear_whole::<V1Exact>();
}

#[test]
fn fields_added_while_another_thread_reads_are_seen_whole_or_not_yet() {
    let mut memory = vec![u64::MAX; 1 << 14];
    let region = region_in(&mut memory);
    let view = region.view();
    let mut writer = (Writer::<V2>::new(region).unwrap().label_prefix(""), 0);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut copies = vec![0; ReadBuffers::words(8 << 14)];
            let mut seen = 0;
            let mut steps = 0;
            while seen < 1000 {
                let mut buffers = ReadBuffers::new(&mut copies);
                let (directory, snapshot) = match read(&view, &mut buffers) {
                    Ok(read) => read,
                    Err(ReadError::Format(error)) => panic!("{error}"),
                    Err(error) => panic!("{error}"),
                };
                let fields = common::show_all(&directory, &snapshot);
                assert_prefix(&fields);
                assert!(fields.len() >= seen, "no field goes away");
                steps += usize::from(fields.len() > seen);
                seen = fields.len();
            }
            steps
        });
        (0..1000).for_each(|_| grow(&mut writer));
        assert!(reader.join().unwrap() > 1, "it read while fields were added");
    });
}

#[test]
fn a_writer_that_died_between_two_fields_leaves_a_valid_directory() {
    let mut memory = [0; 256];
    let region = region_in(&mut memory);
    let view = region.view();
    let mut writer = (Writer::<V2>::new(region).unwrap(), 0);
    let mut dumps = vec![copy(&view)];
    for _ in 0..8 {
        grow(&mut writer);
        dumps.push(copy(&view));
    }
    for (published, earlier) in dumps.iter().enumerate() {
        for later in &dumps[published..] {
            // `layout` is stored before `published`, so it may be any number of fields ahead.
            let (mut bytes, at) = (later.clone(), Header::PUBLISHED);
            bytes.as_mut_bytes()[at..at + 4].copy_from_slice(&earlier.as_bytes()[at..at + 4]);
            let fields = common::dead(bytes.as_bytes());
            assert_eq!(fields.len(), published);
            assert_prefix(&fields);
        }
    }
    // The reverse is an error.
    let (mut bytes, at) = (dumps[5].clone(), Header::LAYOUT);
    bytes.as_mut_bytes()[at..at + 4].copy_from_slice(&dumps[4].as_bytes()[at..at + 4]);
    let errors =
        Directory::open(bytes.as_bytes()).unwrap().entries().filter(Result::is_err).count();
    assert_eq!(errors, 1, "a damaged directory is reported");
    let fields: Vec<Shown> = Directory::open(bytes.as_bytes())
        .unwrap()
        .entries()
        .flatten()
        .map(|entry| common::show(&entry, &Snapshot::from_static_bytes(bytes.as_bytes())))
        .collect();
    assert_eq!(fields.len(), 5, "and what can be read is");
    assert_prefix(&fields);
    let header = Header::read_from_prefix(bytes.as_bytes()).unwrap().0;
    assert_eq!(header.generation, 1, "adding fields does not initialise the region again");
}

#[test]
fn a_declaration_that_no_region_could_hold_does_not_pass_the_check() {
    let (counter, timer) = (Counter::<u32>::LAYOUTS, Timer::<Stopped>::LAYOUTS);
    let (long, unit): (&str, &str) = ("x".repeat(65_535).leak(), "u".repeat(256).leak());
    let good = FieldDef {
        prefix: "",
        label: "a",
        help: &[],
        unit: Unit::NONE,
        aggregation: Aggregation::Unspecified,
        kept: false,
        layouts: counter,
    };
    let b = FieldDef { label: "b", ..good };
    // A line feed between two lines of help counts.
    let lines: &'static [&'static str] = vec![&long[1..], "x"].leak();
    let passes = [
        vec![],
        vec![good, b],
        vec![FieldDef { label: long, help: vec![long].leak(), ..good }],
        vec![FieldDef { label: &long[10..], layouts: timer, ..good }],
        vec![FieldDef { unit: Unit::named(&unit[1..]), ..good }],
    ];
    let fails = [
        vec![FieldDef { label: "", ..good }],
        vec![FieldDef { prefix: "p", label: long, ..good }],
        vec![FieldDef { label: &long[9..], layouts: timer, ..good }],
        vec![FieldDef { help: lines, ..good }],
        vec![FieldDef { unit: Unit::named(unit), ..good }],
        vec![FieldDef { prefix: "\0", ..good }],
        vec![FieldDef { label: "a\0", ..good }],
        vec![FieldDef { help: &["\0"], ..good }],
        vec![FieldDef { unit: Unit::named("\0"), ..good }],
        vec![good, b, good],
        vec![FieldDef { layouts: timer, ..good }, FieldDef { label: "a.histogram", ..good }],
    ];
    for (fields, good) in
        passes.map(|fields| (fields, true)).into_iter().chain(fails.map(|fields| (fields, false)))
    {
        assert_eq!(
            std::panic::catch_unwind(|| layout::check(&fields)).is_ok(),
            good,
            "{:.500}",
            format!("{fields:?}")
        );
    }
}
