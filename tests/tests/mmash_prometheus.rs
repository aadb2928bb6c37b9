//! A real Prometheus scrapes `mmash`.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmstats_std::{Counter, Flag, Gauge, Histogram, Options, Published, Text, model, publish};
use mmstats_tests::http::{get, get_with};
use mmstats_tests::mmash::{Mmash, copy_golden};
use mmstats_tests::programs::{directory, tool};
use serde_json::{Value, json};
use tempfile::TempDir;

#[path = "../metrics/check.rs"]
mod check;

model! {
    struct Shop {
        /// Orders with "quotes" and a \ in their help.
        orders: Counter = "shop.orders",
        /// Requests by method.
        get: Counter = "shop.requests{method=\"GET\"}",
        post: Counter = "shop.requests{method=\"POST\"}",
        temperature: Gauge<i16> = "shop.temperature" [celsius.e(-1)],
        sent: Counter = "shop.sent" [bytes],
        is_open: Flag = "shop.is_open",
        latency: Histogram<2, 20> = "shop.latency" [milliseconds],
        state: Text<64> = "shop.state",
    }
}

/// Characters that have to be escaped.
const STATE: &str = "a \"quote\", a \\, a\nline, <b>é</b> {x=\"y\"}";

fn shop(directory: &TempDir, file: &'static str) -> Published<Shop> {
    let path = directory.path().to_str().unwrap().to_owned();
    let shop: Published<Shop> =
        publish(&Options::new().directory(Box::leak(path.into_boxed_str())).file_name(file))
            .unwrap();
    shop.orders.add(7);
    shop.get.add(3);
    shop.temperature.set(-215);
    shop.sent.add(1 << 53 | 1);
    shop.is_open.set(true);
    [1, 2, 900].iter().for_each(|value| shop.latency.record(*value));
    shop.state.set(STATE);
    shop
}

/// A running Prometheus, killed on drop.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _data: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Starts it with these targets.
    fn start(targets: &[(&str, SocketAddr)]) -> Prometheus {
        let data = directory();
        let config = data.path().join("prometheus.yml");
        let mut text = "global:\n  scrape_interval: 1s\nscrape_configs:\n".to_owned();
        for (job, target) in targets {
            text +=
                &format!("  - job_name: {job}\n    static_configs: [{{targets: ['{target}']}}]\n");
        }
        fs::write(&config, text).unwrap();
        // A port that was free just before.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = fs::File::create(data.path().join("log")).unwrap();
        let mut command = tool("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}")).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap();
        Prometheus { child, address, _data: data }
    }

    /// Polls a response until a condition holds.
    fn wait_for(&mut self, target: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(120);
        let mut last = Value::Null;
        while Instant::now() < deadline {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "prometheus has ended: {}",
                fs::read_to_string(self._data.path().join("log")).unwrap()
            );
            if std::net::TcpStream::connect(self.address).is_ok() {
                let answer = get(self.address, target);
                if answer.status == 200 {
                    last = answer.json()["data"].clone();
                    if is_so(&last) {
                        return last;
                    }
                }
            }
            sleep(Duration::from_millis(200));
        }
        panic!("{target} is still {last:#}");
    }

    /// Polls a query until its samples have these values, in any order, and returns them.
    fn query(&mut self, query: &str, values: &[&str]) -> Vec<Value> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let of = |data: &Value| data["result"].as_array().cloned().unwrap_or_default();
        let answer = self.wait_for(&format!("/api/v1/query?query={encoded}"), |data| {
            let mut found: Vec<String> = of(data)
                .iter()
                .map(|sample| sample["value"][1].as_str().unwrap().to_owned())
                .collect();
            found.sort();
            found == values
        });
        of(&answer)
    }
}

#[test]
fn prometheus_reads_values_types_units_and_labels() {
    let directory = directory();
    let shops = [shop(&directory, "a.mmstats"), shop(&directory, "b.mmstats")];
    copy_golden("webstats.mmstats", directory.path());
    let [each, sum] = [&["-d", "0.5"][..], &["-d", "0.5", "--sum"]]
        .map(|arguments| Mmash::serve(directory.path(), arguments));
    let mut prometheus = Prometheus::start(&[("each", each.address), ("sum", sum.address)]);
    prometheus.wait_for("/api/v1/targets", |data| {
        let targets = data["activeTargets"].as_array().cloned().unwrap_or_default();
        targets.len() == 2
            && targets.iter().all(|target| target["health"] == "up" && target["lastError"] == "")
    });
    let samples = prometheus.query("shop_orders_total{job='each'}", &["7", "7"]);
    let mut files: Vec<&str> =
        samples.iter().map(|sample| sample["metric"]["file"].as_str().unwrap()).collect();
    files.sort_unstable();
    assert_eq!(
        files,
        ["a.mmstats", "b.mmstats"].map(|name| directory
            .path()
            .join(name)
            .to_str()
            .unwrap()
            .to_owned())
    );
    prometheus.query("shop_orders_total{job='sum'}", &["14"]);
    prometheus.query("shop_requests_total{job='each',method='GET'}", &["3", "3"]);
    prometheus.query("shop_temperature_celsius{job='each'}", &["-21.5", "-21.5"]);
    // Prometheus' numbers are doubles: the last bit is lost.
    prometheus
        .query("shop_sent_bytes_total{job='each'}", &["9007199254740992", "9007199254740992"]);
    prometheus.query("shop_is_open{job='each'}", &["1", "1"]);
    prometheus.query("shop_latency_seconds_count{job='sum'}", &["6"]);
    prometheus.query("shop_latency_seconds_sum{job='sum'}", &["1.806"]);
    prometheus.query("shop_latency_seconds_bucket{job='sum',le='+Inf'}", &["6"]);
    prometheus.query("web_stats_status_2XX{job='each'}", &["7"]);
    let states = prometheus.query("shop_state_info{job='each'}", &["1", "1"]);
    assert!(states.iter().all(|sample| sample["metric"]["value"] == STATE), "{states:?}");
    prometheus.query("mmstats_writers{job='each',liveness='alive'}", &["2"]);
    prometheus.query("mmstats_read_failures{job='each'}", &["0"]);
    prometheus.query("count(mmstats_scrape_duration_seconds)", &["2"]);

    let metadata = prometheus
        .wait_for("/api/v1/targets/metadata?match_target=%7Bjob%3D%22each%22%7D", |data| {
            data.as_array().is_some_and(|all| !all.is_empty())
        });
    let metadata_of = |name: &str| {
        let found = metadata
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["metric"] == name)
            .unwrap_or_else(|| panic!("{name}: {metadata}"));
        json!([found["type"], found["unit"], found["help"]])
    };
    assert_eq!(
        metadata_of("shop_orders"),
        json!(["counter", "", "Orders with \"quotes\" and a \\ in their help."])
    );
    assert_eq!(metadata_of("shop_sent_bytes"), json!(["counter", "bytes", "shop.sent"]));
    assert_eq!(
        (&metadata_of("shop_temperature_celsius")[0], &metadata_of("shop_temperature_celsius")[1]),
        (&json!("gauge"), &json!("celsius"))
    );
    assert_eq!(
        (&metadata_of("shop_latency_seconds")[0], &metadata_of("shop_latency_seconds")[1]),
        (&json!("histogram"), &json!("seconds"))
    );
    assert_eq!(
        (&metadata_of("shop_state")[0], &metadata_of("web_stats_status_2XX")[0]),
        (&json!("info"), &json!("unknown"))
    );

    // Increases arrive.
    shops[0].orders.add(100);
    prometheus.query("shop_orders_total{job='each'}", &["107", "7"]);
    prometheus.query("shop_orders_total{job='sum'}", &["114"]);
}

#[test]
fn promtool_and_the_strict_parser_accept_pages() {
    let directory = directory();
    let _shop = shop(&directory, "a.mmstats");
    for arguments in [&[][..], &["--sum"], &["--live", "-x", "*.state"]] {
        let server = Mmash::serve(directory.path(), arguments);
        let page = get_with(server.address, "/metrics", "Accept: text/plain;version=0.0.4\r\n");
        assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert_eq!(check::promtool(&page.text()), "", "{arguments:?}");
        let open = get_with(
            server.address,
            "/metrics",
            "Accept: application/openmetrics-text;version=1.0.0\r\n",
        );
        assert_eq!(
            open.header("content-type"),
            Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
        );
        check::strict(&[open.text()]);
        assert_eq!(open.text().contains("shop_state"), arguments.is_empty());
    }
}
