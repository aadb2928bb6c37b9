//! What a page costs: 1000 files of 50 fields. Run it with `--release -- --nocapture`, or it only tells that it works.

use std::fs;
use std::time::Duration;

use mmstats_core::{Borrowed, Counter, Gauge, Region, Text, V2, Writer, units};
use mmstats_tests::programs::directory;
use mmstats_tools::options::SourceOptions;
use mmstats_tools::render::metrics::{Settings, Totals, per_writer};
use mmstats_tools::sampler::Sampler;
use mmstats_tools::source::Sources;

const FILES: u64 = 1000;
const FIELDS: u64 = 50;
/// In milliseconds of processor time, for a look and its page.
const LIMIT: f64 = 60.0;

fn image(number: u64) -> Vec<u8> {
    let mut memory = vec![0_u64; 1024];
    let mut writer = Writer::<Borrowed<V2>>::settled(Region::new(&mut memory)).unwrap();
    for i in 0..FIELDS {
        let (label, help) = (format!("bench.stats.field.{i:02}"), "One of the fields.");
        match i % 8 {
            0 => drop(writer.add(Text::<16, _>::describe(&label).help(help).initial("idle")).unwrap()),
            1 => writer.add(Counter::<u64, _>::describe(&label).help(help).unit(units::nanoseconds)).unwrap().set(number * 1_234_567 + i),
            2 => writer.add(Gauge::<f64, _>::describe(&label).help(help)).unwrap().set(number as f64 / 7.0),
            _ => writer.add(Counter::<u64, _>::describe(&label).help(help)).unwrap().set(number * FIELDS + i),
        }
    }
    memory.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// How long this thread has had a processor, in milliseconds.
fn busy() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
}

#[test]
fn a_page_of_a_thousand_files_is_made_in_no_time() {
    let dir = directory();
    (0..FILES).for_each(|i| fs::write(dir.path().join(format!("bench-{i}-{i}.mmstats")), image(i)).unwrap());
    let mut sampler = Sampler::new(vec![dir.path().to_owned()], Sources::new(SourceOptions::default()).unwrap());
    let mut totals = Totals::new();
    let (settings, mut all) = (Settings::default(), [0.0; 4]);
    // That clock advances in steps of milliseconds.
    let rounds = if cfg!(debug_assertions) { 1 } else { 100 };
    for _ in 0..rounds {
        let mut times = vec![busy()];
        let look = sampler.look();
        times.push(busy());
        let page = per_writer(&look, Duration::ZERO, &settings);
        times.push(busy());
        totals.add(&look, false);
        times.push(busy());
        let sums = totals.page(&look, Duration::ZERO, &settings);
        times.push(busy());
        assert_eq!((look.seen.len() as u64, page.left_out.len(), sums.left_out.len()), (FILES, 0, 0));
        assert_eq!(page.text.lines().filter(|line| line.starts_with("bench_")).count() as u64, FILES * FIELDS);
        all = std::array::from_fn(|i| all[i] + times[i + 1] - times[i]);
    }
    let [look, page, add, sums] = all.map(|time| time / f64::from(rounds));
    println!("look {look:.1} ms, page {page:.1} ms; sums: added up {add:.1} ms, page {sums:.2} ms");
    assert!(cfg!(debug_assertions) || look + page < LIMIT, "{look} + {page}");
}
