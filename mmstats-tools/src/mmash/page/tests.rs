//! Tests of the document without JavaScript.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use mmstats_core::reader::ValueError;
use mmstats_core::{Kind, Type};
use mmstats_std::identity::ProcessId;
use mmstats_std::liveness::{Reason, Verdict};
use mmstats_std::read::Field;

use super::*;
use crate::scraper::{OwnedValue, ScrapeError, WriterId, WriterSample};
use crate::series::{Bucket, HistogramSnapshot};

fn field(label: &str, kind: Kind, unit: &str) -> Field {
    Field { unit: unit.to_owned(), ..Field::new(label, kind, Type::U64) }
}

fn writer(reason: Reason, fields: Vec<(Field, Result<OwnedValue, ValueError>)>) -> WriterSample {
    let (fields, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let writer_id = Arc::new(WriterId {
        id: 1,
        name: "/dev/shm/a.mmstats".into(),
        version: 2,
        process: Some(ProcessId::new(42, 0, "", 0)),
        created: None,
        is_new: false,
        other_owner: None,
    });
    WriterSample { writer_id, fields: fields.into(), values, verdict: Verdict::from(reason) }
}

fn scrape(sample: Vec<WriterSample>) -> Scrape {
    let time = UNIX_EPOCH + Duration::from_secs(1_353_442_620);
    Scrape { samples: sample, ..Scrape::new(time, Duration::ZERO) }
}

fn one(label: &str, kind: Kind, unit: &str, value: OwnedValue) -> WriterSample {
    writer(Reason::Runs, vec![(field(label, kind, unit), Ok(value))])
}

fn page(scrape: &Scrape, query: &str) -> String {
    render(scrape, &PageRequest { query, graph: false })
}

#[test]
fn writers_of_a_label_share_a_row() {
    let writers = (1..=3)
        .map(|n| one("web.requests", Kind::Counter, "", OwnedValue::Unsigned(n * 1000)))
        .collect();
    let html = page(&scrape(writers), "");
    assert_eq!(html.matches("web.requests</a></th>").count(), 1);
    assert!(
        html.contains(
            "title=\"6000\">6k</td><td class=\"kind\">counter</td><td class=\"writers\">3</td>"
        ),
        "{html}"
    );
    assert!(html.contains("as of 2012-11-20 20:17:00 UTC"));
    assert!(!html.contains("{{"), "{html}");
}

#[test]
fn texts_dates_and_constants_are_not_summed() {
    let text = |text: &str| one("a.text", Kind::Info, "", OwnedValue::Text(text.into()));
    let date = |seconds| one("a.date", Kind::Gauge, "unixtime", OwnedValue::Float(seconds));
    let info = |number| one("a.number", Kind::Info, "", OwnedValue::Unsigned(number));
    let pid = |pid| one("a.sys.pid", Kind::Untyped, "", OwnedValue::Unsigned(pid));
    let numbers = [
        info(1),
        info(2),
        pid(3),
        pid(4),
        one("b.sys.pid", Kind::Untyped, "", OwnedValue::Unsigned(1234)),
    ];
    let mut sample = vec![text("same"), text("same"), date(1_353_442_620.0), date(1_353_442_600.0)];
    sample.extend(numbers);
    let html = page(&scrape(sample), "");
    for (part, count) in [
        (">same</td>", 1),
        (">2012-11-20 20:17:00 UTC</td>", 1),
        (">differs</td>", 2),
        (">1234</td>", 1),
    ] {
        assert_eq!(html.matches(part).count(), count, "{part} in {html}");
    }
}

#[test]
fn histograms_are_merged_and_show_percentiles() {
    let histogram = |low| {
        let filled = vec![Bucket { low, high: Some(low), count: 50 }];
        let mut sample = one(
            "a.latency",
            Kind::Histogram,
            "seconds",
            OwnedValue::Histogram(Box::new(HistogramSnapshot { sum: 0, filled })),
        );
        let mut fields = sample.fields.to_vec();
        fields[0].scale = -3;
        sample.fields = fields.into();
        sample
    };
    let html = page(&scrape(vec![histogram(2), histogram(30)]), "");
    assert!(html.contains("title=\"100 recorded\">p50 2ms, p90 30ms, p99 30ms</td>"), "{html}");
}

#[test]
fn a_sum_has_all_its_digits() {
    let html = page(
        &scrape(vec![
            one("a", Kind::Counter, "bytes", OwnedValue::Unsigned(u64::MAX)),
            one("a", Kind::Counter, "bytes", OwnedValue::Unsigned(2)),
        ]),
        "",
    );
    assert!(html.contains("title=\"18446744073709551617 bytes\">16EiB</td>"), "{html}");
}

#[test]
fn measured_values_are_averaged_and_marked() {
    let html = page(
        &scrape(vec![
            one("a", Kind::Gauge, "celsius", OwnedValue::Unsigned(20)),
            one("a", Kind::Gauge, "celsius", OwnedValue::Unsigned(31)),
        ]),
        "",
    );
    assert!(
        html.contains("<td class=\"value mean\" title=\"25.5 celsius, mean of 2\">25.5"),
        "{html}"
    );
    let alone = page(&scrape(vec![one("a", Kind::Gauge, "celsius", OwnedValue::Unsigned(20))]), "");
    assert!(alone.contains("<td class=\"value\" title=\"20 celsius\">"), "{alone}");
}

#[test]
fn hostile_texts_are_escaped() {
    let hostile = "<script>alert('1')</script>\" onload=\"\u{202e}\u{1b}[2J{{q}}";
    let mut sample = one(hostile, Kind::Info, hostile, OwnedValue::Text(hostile.into()));
    let mut fields = sample.fields.to_vec();
    hostile.clone_into(&mut fields[0].help);
    sample.fields = fields.into();
    let mut scrape = scrape(vec![sample]);
    scrape.errors.push(ScrapeError {
        name: hostile.into(),
        what: hostile.to_owned(),
        is_new: true,
    });
    let html = page(&scrape, "q=%3Cscript%3E%22");
    assert!(
        !html.contains("<script>") && !html.contains('\u{202e}') && !html.contains('\u{1b}'),
        "{html}"
    );
    assert!(html.contains("value=\"&lt;script&gt;&quot;\""), "{html}");
    let shown =
        "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;\\u202e\\x1b[2J{{q}}";
    let html = page(&scrape, "");
    assert!(html.matches(shown).count() >= 5, "{html}");
}

#[test]
fn ended_writers_are_marked_in_words() {
    let dead = writer(
        Reason::Ended,
        vec![
            (field("a.old", Kind::Counter, ""), Ok(OwnedValue::Unsigned(1))),
            (field("a.both", Kind::Counter, ""), Ok(OwnedValue::Unsigned(1))),
        ],
    );
    let html =
        page(&scrape(vec![dead, one("a.both", Kind::Counter, "", OwnedValue::Unsigned(1))]), "");
    assert!(html.contains("<tr class=\"dead\"><th scope=\"row\"><a href=\"?plot=a.old\">a.old</a> <em class=\"ended\">(ended)</em>"), "{html}");
    assert!(
        html.contains("<tr><th scope=\"row\"><a href=\"?plot=a.both\">a.both</a></th>")
            && html.contains(">2, 1 ended</td>"),
        "{html}"
    );
    assert!(html.contains("2 writers, 1 ended"));
}

#[test]
fn unreadable_values_show_the_reason() {
    let html = page(
        &scrape(vec![writer(
            Reason::Runs,
            vec![(field("a", Kind::Gauge, ""), Err(ValueError::Contended))],
        )]),
        "",
    );
    assert!(html.contains(">unreadable</td>") && html.contains("title=\"contended"), "{html}");
}

#[test]
fn a_search_works_without_scripts() {
    let scrape = scrape(vec![
        one("web.requests", Kind::Counter, "", OwnedValue::Unsigned(1)),
        one("db.queries", Kind::Counter, "", OwnedValue::Unsigned(1)),
    ]);
    let html = page(&scrape, "q=REQ+web");
    assert!(
        html.contains("web.requests") && !html.contains("db.queries") && html.contains("1 stat<"),
        "{html}"
    );
    assert!(
        page(&scrape, "q=nothing")
            .contains("No match; a word with * must match the whole label</p>")
    );
    assert!(
        page(&super::tests::scrape(Vec::new()), "")
            .contains("<p id=\"empty\" class=\"empty\">No stats are published")
    );
}

#[test]
fn a_label_links_to_the_values_of_each_writer() {
    let ended = writer(
        Reason::Ended,
        vec![(field("a{b=\"<&+ é\"}", Kind::Counter, "bytes"), Ok(OwnedValue::Unsigned(2048)))],
    );
    let others = [
        one("a{b=\"<&+ é\"}", Kind::Counter, "bytes", OwnedValue::Unsigned(1024)),
        one("c", Kind::Counter, "", OwnedValue::Unsigned(7)),
    ];
    let scrape = scrape([ended].into_iter().chain(others).collect());
    let html = page(&scrape, "");
    let query = "plot=a%7Bb%3D%22%3C%26%2B%20%C3%A9%22%7D";
    assert!(
        html.contains(&format!("<a href=\"?{query}\">a{{b=&quot;&lt;&amp;+ é&quot;}}</a>")),
        "{html}"
    );
    assert!(!html.contains("noscript") && !html.contains("plotted"), "{html}");

    let html = page(&scrape, query);
    assert_eq!(
        html.matches("<tr class=\"plotted\"><th scope=\"row\"><a href").count(),
        1,
        "{html}"
    );
    let (_, details) = html.split_once("<noscript>").unwrap();
    let (details, _) = details.split_once("</noscript>").unwrap();
    let writer = "<th scope=\"row\" title=\"/dev/shm/a.mmstats\">42 · a.mmstats</th>";
    for part in [
        "<h3>a{b=&quot;&lt;&amp;+ é&quot;}</h3>\n<p class=\"note\">counter · bytes</p>".to_owned(),
        format!(
            "<tr class=\"dead\">{writer}<td title=\"2048 bytes\">2KiB</td><td title=\"its process has ended\">ended</td></tr>"
        ),
        format!(
            "<tr>{writer}<td title=\"1024 bytes\">1KiB</td><td title=\"its process runs\">alive</td></tr>"
        ),
    ] {
        assert!(details.contains(&part), "{part} in {details}");
    }
    assert_eq!(details.matches("<tr").count(), 3, "{details}");
}

#[test]
fn links_keep_the_search() {
    let scrape = scrape(vec![
        one("web.requests", Kind::Counter, "", OwnedValue::Unsigned(1)),
        one("db.queries", Kind::Counter, "", OwnedValue::Unsigned(1)),
    ]);
    let html = page(&scrape, "q=REQ+w&plot=db.queries&plot=<b>");
    assert!(
        html.contains("<a href=\"?q=REQ%20w&amp;plot=web.requests\">")
            && html.contains("<a href=\"?q=REQ%20w\">Close</a>"),
        "{html}"
    );
    assert!(
        html.contains("<h3>db.queries</h3>")
            && html.contains("<h3>&lt;b&gt;</h3>\n<p class=\"note\">not published</p>"),
        "{html}"
    );
}

#[test]
fn the_document_stays_small() {
    let fields = |n: usize| {
        (0..50)
            .map(|m| {
                (field(&format!("p{n}.stat{m}"), Kind::Counter, ""), Ok(OwnedValue::Unsigned(1)))
            })
            .collect()
    };
    let same = scrape((0..1000).map(|_| writer(Reason::Runs, fields(0))).collect());
    assert!(page(&same, "").len() < 40_000);
    let details = page(&same, &(0..50).map(|m| format!("plot=p0.stat{m}&")).collect::<String>());
    assert!(details.len() < 3_000_000 && details.contains("and 500 more"), "{}", details.len());
    let html = page(&scrape((0..1000).map(|n| writer(Reason::Runs, fields(n))).collect()), "");
    assert!(html.len() < 1_000_000, "{}", html.len());
    assert_eq!(html.matches("<tr><th scope=\"row\">").count(), MAX_ROWS);
    assert!(html.contains("2000 of 50000 stats; search"));
}

#[test]
fn links_between_table_and_graphs_keep_the_query() {
    let links = |query, graph| {
        let html = render(&scrape(Vec::new()), &PageRequest { query, graph });
        html.split_once("<nav")
            .and_then(|(_, rest)| rest.split_once("</nav>"))
            .unwrap()
            .0
            .to_owned()
    };
    let html = links("q=a+%22b&plot=c&\"><script>", false);
    let kept = "?q=a+%22b&amp;plot=c&amp;&quot;&gt;&lt;script&gt;\"";
    assert!(
        html.contains(&format!("\"./{kept}")) && html.contains(&format!("\"./graph/{kept}")),
        "{html}"
    );
    let html = links("", true);
    assert!(html.contains("\"../\"") && html.contains("\"../graph/\""), "{html}");
}

#[test]
fn links_to_assets_are_relative() {
    let html = render(&scrape(Vec::new()), &PageRequest { query: "", graph: true });
    assert!(html.contains("src=\"../static/main.js\"") && html.contains("<body class=\"graph\""));
    let html = page(&scrape(Vec::new()), "");
    for (start, _) in html.match_indices("./static/") {
        let path = html[start + "./static/".len()..].split('"').next().unwrap();
        assert!(ASSETS.iter().any(|(name, ..)| *name == path), "{path}");
    }
    for inline in ["style=", "<style", "onclick", "javascript:"] {
        assert!(!html.contains(inline), "{inline}");
    }
}
