//! Checks pages with `promtool` and the strict parser of Python's prometheus-client.
//! `tests/run` installs both.
#![allow(dead_code, reason = "not every test asks both")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// A page in Prometheus' text format has to be read by promtool. What it has to say about style is
/// returned.
pub(crate) fn promtool(page: &str) -> String {
    let mut command = Command::new("promtool");
    let (status, said) = pipe(
        command.args(["check", "metrics"]),
        page,
        "apt-get install --no-install-recommends prometheus",
    );
    // 3 is for bad style only.
    assert!(matches!(status, 0 | 3), "promtool ends with {status}: {said}\n{page}");
    assert_eq!(status == 0, said.is_empty(), "promtool ends with {status}: {said}");
    said
}

/// OpenMetrics pages have to be read by the strict parser. Returns their families.
pub(crate) fn strict(pages: &[String]) -> Vec<Vec<Family>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("../target/python/bin/python");
    let install =
        "python3 -m venv target/python && target/python/bin/pip install prometheus-client";
    let input = serde_json::to_string(pages).expect("texts are JSON");
    let (status, said) =
        pipe(Command::new(python).arg(root.join("metrics/parse.py")), &input, install);
    assert_eq!(status, 0, "{said}");
    let parsed: Vec<Value> = serde_json::from_str(&said).expect("the script prints JSON");
    assert_eq!(parsed.len(), pages.len());
    for (parsed, page) in parsed.iter().zip(pages) {
        assert_eq!(parsed["error"], Value::Null, "in\n{page}");
    }
    parsed
        .iter()
        .map(|parsed| {
            parsed["families"].as_array().expect("a list").iter().map(Family::new).collect()
        })
        .collect()
}

/// Names and values.
pub(crate) type Labels = Vec<(String, String)>;

/// A family of an OpenMetrics page.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) ty: String,
    pub(crate) unit: String,
    pub(crate) help: String,
    /// Name, labels and value.
    pub(crate) samples: Vec<(String, Labels, f64)>,
}

impl Family {
    fn new(parsed: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let labels = |value: &Value| {
            value
                .as_object()
                .expect("labels")
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect()
        };
        let number = |value: &Value| text(value).parse().expect("a number");
        let sample = |sample: &Value| {
            (text(&sample["name"]), labels(&sample["labels"]), number(&sample["value"]))
        };
        Family {
            name: text(&parsed["name"]),
            ty: text(&parsed["type"]),
            unit: text(&parsed["unit"]),
            help: text(&parsed["help"]),
            samples: parsed["samples"].as_array().expect("a list").iter().map(sample).collect(),
        }
    }
}

fn pipe(command: &mut Command, input: &str, install: &str) -> (i32, String) {
    let spawned =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = spawned
        .unwrap_or_else(|error| panic!("{program}: {error}. tests/run installs it, or: {install}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    let output = std::thread::scope(|scope| {
        // A program that found a fault need not read the rest.
        scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
        child.wait_with_output().expect("it ends")
    });
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(said).expect("UTF-8"))
}
