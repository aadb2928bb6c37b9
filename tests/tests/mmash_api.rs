//! The JSON API of `mmash`.

use std::fs;

use mmstats_core::{Gauge, Writer, units};
use mmstats_tests::http::get_with;
use mmstats_tests::mmash::{FAST, Mmash, shop, stat};
use mmstats_tests::programs::directory;
use mmstats_tests::regions::{bytes, leaked_region};
use serde_json::{Value, json};

#[test]
fn stats_have_all_properties_of_a_field() {
    let directory = directory();
    let shop = shop(&directory, "shop.mmstats");
    shop.orders.add(7);
    shop.temperature.set(-215);
    shop.load.set(f64::NAN);
    [1, 2, 900].iter().for_each(|value| shop.latency.record(*value));
    let server = Mmash::serve(directory.path(), &[]);
    let stats = server.json("/api/v1/stats?match=shop.*");
    let file = directory.path().join("shop.mmstats");
    let orders = stat(&stats, "shop.orders");
    assert_eq!(
        orders,
        &json!({
            "label": "shop.orders", "kind": "counter", "type": "Q", "unit": "", "help": "Orders that were taken.", "file": file, "pid": std::process::id(),
            "liveness": "alive", "value": 7, "rate": orders["rate"]
        })
    );
    let temperature = stat(&stats, "shop.temperature");
    assert_eq!(
        [&temperature["value"], &temperature["raw"], &temperature["scale"], &temperature["unit"]],
        [&json!(-21.5), &json!(-215), &json!(-1), &json!("celsius")]
    );
    assert!(temperature.get("rate").is_none());
    assert_eq!(stat(&stats, "shop.load")["value"], "NaN");
    assert_eq!(stat(&stats, "shop.state")["value"], "open");
    let latency = &stat(&stats, "shop.latency")["value"];
    assert_eq!(
        (&latency["count"], &latency["sum"], latency["buckets"].as_array().unwrap().len()),
        (&json!(3), &json!(0.903), 3)
    );
    assert!(stats["time"].as_f64().unwrap() > 1e9 && stats["interval"] == 1.0);
    assert_eq!(server.json("/api/v1/stats?match=nothing")["stats"], json!([]));
}

#[test]
fn rates_cover_the_last_interval() {
    let directory = directory();
    let shop = shop(&directory, "shop.mmstats");
    let server = Mmash::serve(directory.path(), &[]);
    let target = "/api/v1/stats?match=shop.*";
    server.wait_for(target, |stats| stat(stats, "shop.orders")["rate"] == 0.0);
    shop.orders.add(1000);
    shop.latency.record(100);
    // Only in the interval of the increase.
    let stats =
        server.wait_for(target, |stats| stat(stats, "shop.orders")["rate"].as_f64() > Some(0.0));
    // About a second; a late scrape makes its previous interval longer and its next one shorter.
    assert!(
        (10.0..=10_000.0).contains(&stat(&stats, "shop.orders")["rate"].as_f64().unwrap()),
        "{stats}"
    );
    server.wait_for(target, |stats| {
        stat(stats, "shop.orders")["rate"] == 0.0
            && stat(stats, "shop.latency")["value"]["interval"].is_null()
    });
}

#[test]
fn writers_can_be_aggregated() {
    let directory = directory();
    let shops = [shop(&directory, "a.mmstats"), shop(&directory, "b.mmstats")];
    for (i, shop) in shops.iter().enumerate() {
        shop.orders.add(i as u64 + 1);
        shop.temperature.set(100 + 50 * i as i16);
        shop.latency.record(10);
    }
    let server = Mmash::serve(directory.path(), &FAST);
    let stats = server.json("/api/v1/stats?by=label&match=shop.*&match=sys.created");
    let [orders, latency] = ["shop.orders", "shop.latency"].map(|label| stat(&stats, label));
    assert_eq!(
        (&orders["value"], &orders["writers"], orders.get("file")),
        (&json!(3), &json!(2), None)
    );
    assert_eq!((&latency["value"]["count"], &orders["aggregate"]), (&json!(2), &json!("sum")));
    // Temperatures are averaged, not added.
    let temperature = stat(&stats, "shop.temperature");
    assert_eq!((&temperature["value"], &temperature["aggregate"]), (&json!(12.5), &json!("mean")));
    let history = server.json("/api/v1/query?by=label&match=shop.temperature");
    assert_eq!(
        history["series"][0]["points"].as_array().unwrap().last().unwrap()[1],
        12.5,
        "{history}"
    );
    assert_eq!(stat(&stats, "shop.state")["value"], "open");
    shops[1].state.set("closed");
    let stats = server
        .wait_for("/api/v1/stats?by=label", |stats| stat(stats, "shop.state")["value"].is_null());
    assert_eq!(stat(&stats, "shop.state")["error"], "differs");
    // Some writers of the history may have ended.
    let writers =
        |answer: &Value| ["writers", "dead"].map(|name| answer["series"][0][name].as_u64());
    let query = "/api/v1/query?by=label&match=shop.orders";
    assert_eq!(writers(&server.json(query)), [Some(2), Some(0)]);
    fs::remove_file(directory.path().join("b.mmstats")).unwrap();
    server.wait_for(query, |answer| writers(answer) == [Some(2), Some(1)]);
}

#[test]
fn a_program_with_a_changed_unit_has_values_at_once() {
    let directory = directory();
    let write = |name: &str, scale: i8, value: f64| {
        let region = leaked_region(100);
        let view = region.view();
        let mut writer: Writer = Writer::with_immutable_layout(region).unwrap();
        let wait: Gauge<f64, _> =
            writer.add(Gauge::builder("app.wait").unit(units::seconds.e(scale))).unwrap();
        wait.set(value);
        fs::write(directory.path().join(name), bytes(&view)).unwrap();
    };
    // The last value of each series, in its scale.
    let values = |answer: &Value| -> Vec<(Option<f64>, Option<i64>)> {
        let all = answer["series"].as_array().or(answer["stats"].as_array()).unwrap().iter();
        all.map(|each| {
            let last = each["points"]
                .as_array()
                .and_then(|points| points.last())
                .map_or(&each["value"], |point| &point[1]);
            (last.as_f64(), each["scale"].as_i64())
        })
        .collect()
    };
    let [stats, query] =
        ["/api/v1/stats?by=label&match=app.*", "/api/v1/query?by=label&match=app.*"];
    let (before, after) = ((Some(2.0), None), (Some(2.5), Some(-3)));
    write("app-1.mmstats", 0, 2.0);
    let server = Mmash::serve(directory.path(), &FAST);
    server.wait_for(query, |answer| values(answer) == [before]);
    write("app-2.mmstats", -3, 2500.0);
    // While both exist, each is shown and nothing is added.
    server.wait_for(stats, |answer| values(answer) == [after, before]);
    fs::remove_file(directory.path().join("app-1.mmstats")).unwrap();
    server.wait_for(stats, |answer| values(answer) == [after]);
    assert_eq!(values(&server.json(query)), [after, before]);
}

#[test]
fn files_list_writers_and_errors() {
    let directory = directory();
    let _shop = shop(&directory, "shop.mmstats");
    fs::write(directory.path().join("bad.mmstats"), [9; 100]).unwrap();
    let server = Mmash::serve(directory.path(), &[]);
    let files = server.json("/api/v1/files");
    let [file] = &files["files"].as_array().unwrap()[..] else { panic!("{files}") };
    assert_eq!(
        (&file["version"], &file["liveness"], &file["reason"], &file["pid"]),
        (&json!(2), &json!("alive"), &json!("its process runs"), &json!(std::process::id()))
    );
    let [error] = &files["errors"].as_array().unwrap()[..] else { panic!("{files}") };
    assert!(
        error["file"].as_str().unwrap().ends_with("/bad.mmstats")
            && error["error"].as_str().unwrap().contains("not an mmstats file"),
        "{error}"
    );
}

#[test]
fn the_history_has_numbers_and_their_rates() {
    let directory = directory();
    let shop = shop(&directory, "shop.mmstats");
    let server = Mmash::serve(directory.path(), &FAST);
    let count =
        |answer: &Value, at: usize| answer["series"][at]["points"].as_array().map_or(0, Vec::len);
    for i in 1..=5 {
        shop.orders.add(i);
        shop.latency.record(100);
        let scrapes = server.scrapes();
        server.wait_for("/healthz", |health| health["scrapes"].as_u64().unwrap() > scrapes);
    }
    let answer = server.wait_for("/api/v1/query?match=shop.orders", |answer| count(answer, 0) >= 5);
    let points = answer["series"][0]["points"].as_array().unwrap().clone();
    assert_eq!(
        (&answer["series"][0]["label"], &answer["series"][0]["liveness"], &answer["interval"]),
        (&json!("shop.orders"), &json!("alive"), &json!(0.1))
    );
    for pair in points.windows(2) {
        let [before, after] = [&pair[0], &pair[1]]
            .map(|point| (point[0].as_f64().unwrap(), point[1].as_f64().unwrap()));
        let rate = (after.1 - before.1) / (after.0 - before.0);
        assert!(
            after.0 > before.0 && (pair[1][2].as_f64().unwrap() - rate).abs() <= rate * 0.2 + 0.1,
            "{pair:?}"
        );
    }
    let latency = server.json("/api/v1/query?match=shop.latency&by=label");
    let recorded: u64 = latency["series"][0]["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point[1]["count"].as_u64().unwrap())
        .sum();
    assert!((4..=5).contains(&recorded) && latency["series"][0]["writers"] == 1, "{latency}");
    assert_eq!(server.json("/api/v1/query?match=shop.state")["series"], json!([]));
    let time = points[points.len() - 1][0].as_f64().unwrap();
    let since = server.json(&format!("/api/v1/query?match=shop.orders&since={time}"));
    assert!(count(&since, 0) >= 1 && since["series"][0]["points"][0][0] == time, "{since}");
    let recent = server.json("/api/v1/query?match=shop.orders&since=-0.15");
    assert!(count(&recent, 0) <= 2, "{recent}");
}

#[test]
fn the_history_is_bounded_in_time_and_in_bytes() {
    let directory = directory();
    let shops: Vec<_> = (0..20).map(|_| shop(&directory, "{PID}.mmstats")).collect();
    let short = Mmash::serve(directory.path(), &["-d", "0.1", "--history", "0.5"]);
    let small = Mmash::serve(directory.path(), &["-d", "0.1", "--history-bytes", "40K"]);
    for server in [&short, &small] {
        server.wait_for("/healthz", |health| {
            let (scrapes, bytes) = (
                health["history"]["scrapes"].as_u64().unwrap(),
                health["history"]["bytes"].as_u64().unwrap(),
            );
            assert!(scrapes <= 6 && (bytes <= 40 << 10 || scrapes > 0), "{health}");
            health["scrapes"].as_u64() > Some(20)
        });
    }
    assert!(small.json("/healthz")["history"]["bytes"].as_u64().unwrap() <= 40 << 10);
    assert!(small.json("/healthz")["history"]["scrapes"].as_u64().unwrap() >= 1);
    drop(shops);
}

#[test]
fn invalid_queries_are_refused_with_the_accepted_form() {
    let directory = directory();
    let server = Mmash::serve(directory.path(), &[]);
    for (target, part) in [
        ("/api/v1/stats?mach=x", "match, by"),
        ("/api/v1/stats?match=[", "[abc]"),
        ("/api/v1/stats?by=process", "file or label"),
        ("/api/v1/stats?by=file&by=label", "once"),
        ("/api/v1/stats?match=%zz", "hexadecimal"),
        ("/api/v1/stats?match=%ff", "UTF-8"),
        ("/api/v1/files?match=x", "none"),
        ("/api/v1/query?since=yesterday", "number of seconds"),
        ("/api/v1/query?since=inf", "number of seconds"),
        ("/events?interval=nan", "number of seconds"),
        ("/events?interval=-1", "negative"),
        ("/stats/x?agr=sum", "exact, glob, aggr"),
        ("/stats/x?exact=no", "1, true, 0 or false"),
        ("/stats/x?exact=FALSE", "1, true, 0 or false"),
        ("/stats/x?glob=../*", "leads out"),
        ("/files/..", "leads out"),
    ] {
        let answer = server.get(target);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (400, Some("application/json")),
            "{target}"
        );
        assert!(
            answer.json()["error"].as_str().unwrap().contains(part),
            "{target}: {}",
            answer.text()
        );
    }
    for (target, content_type) in [
        ("/nothing", "text/plain; charset=utf-8"),
        ("/api/v2/stats", "application/json"),
        ("/api", "application/json"),
    ] {
        let answer = server.get(target);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, Some(content_type)),
            "{target}"
        );
    }
}

#[test]
fn large_responses_are_compressed_if_accepted() {
    let directory = directory();
    let _shop = shop(&directory, "shop.mmstats");
    let server = Mmash::serve(directory.path(), &FAST);
    server.wait_for("/healthz", |health| health["scrapes"].as_u64() > Some(10));
    for target in ["/", "/metrics", "/api/v1/stats", "/api/v1/query"] {
        let plain = server.get(target);
        let packed = get_with(server.address, target, "Accept-Encoding: br, gzip;q=0.5\r\n");
        assert_eq!(
            (plain.header("content-encoding"), packed.header("content-encoding")),
            (None, Some("gzip")),
            "{target}"
        );
        assert!(
            packed.body.starts_with(&[0x1f, 0x8b])
                && packed.body.len() < plain.body.len()
                && packed.header("vary").is_some(),
            "{target}"
        );
    }
}
