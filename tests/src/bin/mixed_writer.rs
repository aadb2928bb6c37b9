//! `mixed_writer wide|narrow NANOSECONDS`: writes latched values every NANOSECONDS (0: as
//! often as it can), until its standard input ends.

use mmstats_std::{Format, Latched, Model, Options, PublishError, V2, V2Narrow, publish};
use mmstats_tests::mixed::{Mixed, number, text};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static ENDED: AtomicBool = AtomicBool::new(false);

fn main() -> Result<(), PublishError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [format, period] = &arguments[..] else {
        panic!("FORMAT and NANOSECONDS, not {arguments:?}")
    };
    let period = Duration::from_nanos(period.parse().expect("a number of nanoseconds"));
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        ENDED.store(true, Ordering::Relaxed);
    });
    match format.as_str() {
        "wide" => run::<V2>(period),
        "narrow" => run::<V2Narrow>(period),
        other => panic!("wide or narrow, not {other:?}"),
    }
}

fn run<F: Format>(period: Duration) -> Result<(), PublishError>
where
    Mixed<F>: Model<Format = F>,
{
    let mixed = publish::<Mixed<F>>(&Options::new())?;
    let write = |i| {
        mixed.number.set(Latched(number(i)));
        mixed.plain.set(number(i));
        mixed.text.set(std::str::from_utf8(&text(i)).expect("letters"));
    };
    write(0);
    println!("{}", mixed.path().display());
    let mut next = Instant::now();
    for i in 1.. {
        if ENDED.load(Ordering::Relaxed) {
            break;
        }
        if !period.is_zero() {
            let now = loop {
                let now = Instant::now();
                if now >= next {
                    break now;
                }
                std::hint::spin_loop();
            };
            next = now.max(next + period);
        }
        write(i);
    }
    Ok(())
}
