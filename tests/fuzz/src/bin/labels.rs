//! The parser of labels and their dimensions, through the metrics of any labels, units and helps:
//! valid dimensions become the labels of a series, and everything else gives a valid page.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mmstats_fuzz::metrics::check_page;
use mmstats_fuzz::writers::{field, scrape, texts};
use mmstats_tools::render::metrics::{Format, Settings, Totals, per_writer};

/// Returns `true` for a text whose characters stay as they are, except those that are escaped with
/// a backslash.
fn is_plain(text: &str) -> bool {
    text.chars().all(|character| matches!(character, ' '..='~' | '\n'))
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fuzz_target!(|data: &[u8]| {
    let Some((&mode, data)) = data.split_first() else { return };
    let texts: Vec<String> = texts(data).take(16).collect();
    let mut fields = Vec::new();
    for (index, part) in texts.chunks(3).enumerate() {
        let [label, unit, help] = [0, 1, 2].map(|at| part.get(at).map_or("", |text| &text[..]));
        fields.push(field(mode.wrapping_add(index as u8), label, unit, help));
    }
    let value = texts.last().map_or("", |text| &text[..]);
    let label = format!("fuzz.valid{{ key = \"{}\", }}", escape(value));
    fields.push(field(1, &label, "", ""));
    let scrape = scrape(&["a", "b"], &fields, "");
    for format in [Format::Text, Format::OpenMetrics] {
        let textfile = (mode & 4 != 0).then(|| value.to_owned());
        let settings = Settings { format, textfile, ..Settings::default() };
        let page = per_writer(&scrape, Duration::ZERO, &settings).text;
        check_page(&page, format == Format::OpenMetrics);
        // Another field could have the same name.
        let is_alone = !texts.iter().any(|text| text.contains("valid"));
        if mode & 4 == 0 && !value.is_empty() && is_plain(value) && is_alone {
            let line = format!("\nfuzz_valid{{key=\"{}\",file=\"b\"}} 7\n", escape(value));
            assert!(page.contains(&line), "{line} expected: {page}");
        }
        let mut totals = Totals::new();
        totals.add(&scrape, false);
        let page = totals.page(&scrape, Duration::ZERO, &settings).text;
        check_page(&page, format == Format::OpenMetrics);
    }
});
