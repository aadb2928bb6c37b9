//! The examples in `API.md` are what `mmash` returns.

use std::fs;

use mmstats_tests::mmash::{FAST, Mmash, shop};
use mmstats_tests::programs::directory;
use serde_json::{Map, Value};

/// The keys of numbers that vary.
const VARYING: [&str; 8] =
    ["time", "age_seconds", "duration_seconds", "scrapes", "bytes", "pid", "rate", "interval"];

/// Returns the first difference to the documentation, except for values that vary.
fn difference(key: &str, documented: &Value, answered: &Value) -> Option<String> {
    let is_like = match (documented, answered) {
        (Value::Object(documented), Value::Object(answered)) => {
            let mut keys = documented.keys().chain(answered.keys());
            return keys
                .find_map(|key| difference(key, documented.get(key)?, answered.get(key)?))
                .or_else(|| missing(documented, answered));
        }
        (Value::Array(documented), Value::Array(answered)) if key == "points" => {
            return answered.iter().find_map(|point| difference("point", &documented[0], point));
        }
        (Value::Array(documented), Value::Array(answered))
            if documented.len() == answered.len() =>
        {
            let key = |index| if key == "point" { ["time", "value", "rate"][index] } else { key };
            return documented.iter().zip(answered).enumerate().find_map(
                |(index, (documented, answered))| difference(key(index), documented, answered),
            );
        }
        // The first scrape has no rate.
        _ if VARYING.contains(&key) => {
            documented.is_number() == answered.is_number() || (key == "rate" && answered.is_null())
        }
        _ => documented == answered,
    };
    (!is_like).then(|| format!("{key}: documented is {documented}, answered {answered}"))
}

fn missing(documented: &Map<String, Value>, answered: &Map<String, Value>) -> Option<String> {
    let without = |one: &Map<String, Value>, other: &Map<String, Value>| {
        one.keys().find(|key| !other.contains_key(*key)).cloned()
    };
    let not_answered = without(documented, answered).map(|key| format!("{key} is documented only"));
    not_answered
        .or_else(|| without(answered, documented).map(|key| format!("{key} is answered only")))
}

#[test]
fn responses_are_as_documented() {
    let manual =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../mmstats-tools/API.md"))
            .unwrap();
    let directory = directory();
    let shop = shop(&directory, "shop.mmstats");
    fs::write(directory.path().join("old.mmstats"), [7; 100]).unwrap();
    shop.orders.add(7);
    shop.temperature.set(-215);
    shop.load.set(f64::INFINITY);
    [1, 2, 900].iter().for_each(|value| shop.latency.record(*value));
    let server = Mmash::serve(directory.path(), &FAST);
    server.wait_for("/healthz", |health| health["scrapes"].as_u64() > Some(5));
    let (mut examples, path) = (0, directory.path().to_str().unwrap());
    for (request, rest) in
        manual.split("\nGET ").skip(1).filter_map(|text| text.split_once("\n```\n"))
    {
        let documented = rest
            .split("```json\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next())
            .unwrap_or_else(|| panic!("{request} has no documented response"));
        let documented: Value =
            serde_json::from_str(documented).unwrap_or_else(|error| panic!("{request}: {error}"));
        let text = server.get(request).text().replace(path, "/dev/shm");
        let answered: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{request}: {error}: {text}"));
        assert_eq!(difference("", &documented, &answered), None, "{request}");
        examples += 1;
    }
    assert!(examples > 8, "{examples}");
}
