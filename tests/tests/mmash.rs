//! The page of `mmash`, and the original's endpoints.

use std::fs;

use mmstats_tests::cli::VersionOne;
use mmstats_tests::http::get_with;
use mmstats_tests::mmash::{Mmash, copy_golden, shop};
use mmstats_tests::programs::directory;
use serde_json::json;

#[test]
fn the_originals_endpoints_return_its_shapes() {
    let directory = directory();
    copy_golden("webstats.mmstats", directory.path());
    copy_golden("kinds.mmstats", directory.path());
    let server = Mmash::serve(directory.path(), &[]);
    let labels = server.json("/stats/");
    let labels: Vec<&str> =
        labels["stats"].as_array().unwrap().iter().map(|label| label.as_str().unwrap()).collect();
    assert_eq!((labels.len(), labels.is_sorted()), (29, true));
    assert!(labels.contains(&"web.stats.status.2XX") && labels.contains(&"s_text"));
    assert_eq!(
        server.json("/stats/web.stats.status."),
        json!({
            "web.stats.status.2XX": [7], "web.stats.status.3XX": [0], "web.stats.status.4XX": [3], "web.stats.status.5XX": [0]
        })
    );
    assert_eq!(
        server.json("/stats/a_"),
        json!({
            "a_bool": [true], "a_byte": [-128], "a_double": [-0.1], "a_float": [0.333_333_343_267_440_8], "a_moving": [4.0], "a_short": [-32768],
            "a_text": ["café café café ca"], "a_u64": [18_446_744_073_709_551_615_u64], "a_uint": [4_294_967_295_u32], "a_ushort": [65535]
        })
    );
    assert_eq!(server.json("/stats/nothing"), json!({}));
}

#[test]
fn an_address_without_its_slash_redirects_relatively_for_proxies() {
    let directory = directory();
    let server = Mmash::serve(directory.path(), &[]);
    for (target, location) in [
        ("/stats", "stats/"),
        ("/files?x=1", "files/?x=1"),
        ("/graph?q=a%20b&p=http://x/", "graph/?q=a%20b&p=http://x/"),
    ] {
        let answer = server.get(target);
        assert_eq!((answer.status, answer.header("location")), (308, Some(location)), "{target}");
    }
}

#[test]
fn exact_selects_only_that_label() {
    let directory = directory();
    fs::write(
        directory.path().join("a.mmstats"),
        VersionOne::default().field("a", "B", [1]).field("a.b", "B", [2]).finish(),
    )
    .unwrap();
    let server = Mmash::serve(directory.path(), &[]);
    assert_eq!(server.json("/stats/a"), json!({ "a": [1], "a.b": [2] }));
    for query in ["exact", "exact=", "exact=1", "exact=true"] {
        assert_eq!(server.json(&format!("/stats/a?{query}")), json!({ "a": [1] }), "{query}");
    }
    for query in ["exact=0", "exact=false"] {
        let both = json!({ "a": [1], "a.b": [2] });
        assert_eq!(server.json(&format!("/stats/a?{query}")), both, "{query}");
    }
}

#[test]
fn aggregators_return_one_value_for_all_files() {
    let directory = directory();
    for (name, value) in [("a", 4), ("b", 0), ("c", 10), ("d", 0)] {
        fs::write(
            directory.path().join(format!("{name}.mmstats")),
            VersionOne::default().field("n", "B", [value]).finish(),
        )
        .unwrap();
    }
    let server = Mmash::serve(directory.path(), &[]);
    assert_eq!(server.json("/stats/n"), json!({ "n": [4, 0, 10, 0] }));
    for (name, value) in [
        ("avg", json!(3.5)),
        ("one", json!(4)),
        ("max", json!(10)),
        ("min", json!(0)),
        ("sum", json!(14)),
        ("nonzero-min", json!(4)),
        ("nonzero-avg", json!(7.0)),
    ] {
        assert_eq!(server.json(&format!("/stats/n?aggr={name}")), json!({ "n": value }), "{name}");
    }
    for target in ["/stats/n?aggr=median", "/stats/nothing?aggr=median", "/stats/?aggr=median"] {
        let refused = server.get(target);
        assert_eq!(refused.status, 400, "{target}");
        for name in ["avg", "one", "max", "min", "sum", "nonzero-min", "nonzero-avg", "median"] {
            assert!(refused.json()["error"].as_str().unwrap().contains(name), "{target}: {name}");
        }
    }
    // Without values there is no aggregate.
    for query in ["aggr=sum", "exact", "glob=*&aggr=sum"] {
        let refused = server.get(&format!("/stats/?{query}"));
        assert_eq!(refused.status, 400, "{query}");
        assert!(
            refused.json()["error"].as_str().unwrap().contains("/stats/PREFIX"),
            "{query}: {}",
            refused.text()
        );
    }
}

#[test]
fn globs_select_files_by_name() {
    let directory = directory();
    for (name, value) in [("a-1", 1), ("a-2", 2), ("b-1", 3)] {
        fs::write(
            directory.path().join(format!("{name}.mmstats")),
            VersionOne::default().field("n", "B", [value]).finish(),
        )
        .unwrap();
    }
    let server = Mmash::serve(directory.path(), &[]);
    let files = |names: &[&str]| json!({ "files": names.iter().map(|name| directory.path().join(name)).collect::<Vec<_>>() });
    assert_eq!(server.json("/files/"), files(&["a-1.mmstats", "a-2.mmstats", "b-1.mmstats"]));
    assert_eq!(server.json("/files/a-*"), files(&["a-1.mmstats", "a-2.mmstats"]));
    assert_eq!(server.json("/files/%3F-1.mmstats"), files(&["a-1.mmstats", "b-1.mmstats"]));
    assert_eq!(server.json("/files/c*"), json!({ "files": [] }));
    assert_eq!(server.json("/stats/n?glob=*-1.mmstats&aggr=sum"), json!({ "n": 4 }));
    assert_eq!(server.json("/stats/?glob=c"), json!({ "stats": [] }));
}

#[test]
fn globs_with_directories_are_relative_to_the_searched_directories() {
    let directory = directory();
    let below = directory.path().join("below");
    fs::create_dir(&below).unwrap();
    for path in [directory.path().join("a.mmstats"), below.join("b.mmstats")] {
        fs::write(path, VersionOne::default().field("n", "B", [1]).finish()).unwrap();
    }
    let files = |paths: &[&str]| json!({ "files": paths.iter().map(|path| directory.path().join(path)).collect::<Vec<_>>() });
    let server = Mmash::serve(directory.path(), &[below.to_str().unwrap()]);
    for (glob, paths) in [
        ("*", &["a.mmstats", "below/b.mmstats"][..]),
        ("*.mmstats", &["a.mmstats", "below/b.mmstats"]),
        ("below/*", &["below/b.mmstats"]),
        ("b*/b.mmstats", &["below/b.mmstats"]),
        ("*/*", &["below/b.mmstats"]),
        ("below/a.mmstats", &[]),
        ("below*", &[]),
        ("*/below/*", &[]),
    ] {
        let mut found = server.json(&format!("/files/{glob}"));
        found["files"].as_array_mut().unwrap().sort_unstable_by_key(ToString::to_string);
        assert_eq!(found, files(paths), "{glob}");
    }
}

#[test]
fn the_page_and_the_graphs_are_html() {
    let directory = directory();
    let _shop = shop(&directory, "shop.mmstats");
    let server = Mmash::serve(directory.path(), &[]);
    for target in ["/", "/graph/", "/?x=%22%3E%3Cscript%3E"] {
        let page = server.get(target);
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/html; charset=utf-8")),
            "{target}"
        );
        assert!(
            page.text().contains("shop.orders") && !page.text().contains("\"><script>"),
            "{target}"
        );
    }
}

#[test]
fn files_of_the_page_are_cached() {
    let directory = directory();
    let server = Mmash::serve(directory.path(), &[]);
    let page = server.get("/").text();
    let names: Vec<&str> =
        page.split("static/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!names.is_empty());
    for name in names {
        let target = format!("/static/{name}");
        let file = server.get(&target);
        let tag =
            file.header("etag").unwrap_or_else(|| panic!("{target}: {}", file.status)).to_owned();
        assert!(
            file.status == 200 && !file.body.is_empty() && file.header("cache-control").is_some(),
            "{target}"
        );
        // A strong tag would differ between compressed and uncompressed bytes.
        assert!(tag.starts_with("W/\""), "{target}: {tag}");
        let strong = tag.trim_start_matches("W/");
        for known in [
            &tag,
            strong,
            "*",
            &format!("\"other\", {tag}"),
            &format!("\"other\"\r\nIf-None-Match: {tag}"),
        ] {
            for accepted in ["", "Accept-Encoding: gzip\r\n"] {
                let again = get_with(
                    server.address,
                    &target,
                    &format!("{accepted}If-None-Match: {known}\r\n"),
                );
                assert_eq!((again.status, again.body.len()), (304, 0), "{target}: {known}");
                for name in ["etag", "vary", "cache-control"] {
                    assert_eq!(again.header(name), file.header(name), "{target}: {known}: {name}");
                }
            }
        }
        assert_eq!(
            get_with(server.address, &target, "If-None-Match: \"other\", W/\"\"\r\n").status,
            200,
            "{target}"
        );
    }
    assert_eq!(server.get("/static/nothing.js").status, 404);
}
