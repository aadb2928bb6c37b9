//! A web service whose metrics come from a crate that knows nothing of mmstats: all tools read them
//! after it was killed.

use mmstats_tests::cli::{program, run};
use mmstats_tests::http::get;
use mmstats_tests::programs::{Program, directory};
use std::net::SocketAddr;
use std::process::Command;
use std::thread;

#[test]
fn requests_of_an_axum_service_are_counted_after_it_was_killed() {
    let directory = directory();
    let directory = directory.path();
    let mut service = Program::start(env!("CARGO_BIN_EXE_axum_service"), directory, &[]);
    let address: SocketAddr = service.line().parse().unwrap();
    let clients: Vec<_> = (0..4)
        .map(|client| {
            thread::spawn(move || {
                for request in 0..25 {
                    assert_eq!(get(address, "/").status, 200);
                    assert_eq!(get(address, &format!("/items/{client}{request}")).status, 200);
                    assert_eq!(get(address, "/full").status, 507);
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    service.kill();

    let slurp = |arguments: &[&str]| {
        let mut slurp = Command::new(program("--bin", "slurpstats"));
        let outcome = run(slurp.args(arguments).arg(directory));
        assert_eq!(outcome.status, 0, "{}", outcome.err);
        outcome.out
    };
    let page = slurp(&["--prometheus", "--sum"]);
    let value = |sample: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{sample} in {page}")).parse().unwrap()
    };
    for (endpoint, status) in [("/", 200), ("/items/{id}", 200), ("/full", 507)] {
        let labels = format!("{{endpoint=\"{endpoint}\",method=\"GET\",status=\"{status}\"}}");
        assert_eq!(value(&format!("shop_axum_http_requests_total{labels}")), 100.0);
        let duration = "shop_axum_http_requests_duration_seconds";
        assert_eq!(value(&format!("{duration}_count{labels}")), 100.0);
        assert!(value(&format!("{duration}_sum{labels}")) > 0.0);
    }
    assert_eq!(
        value("shop_axum_http_response_body_size_sum{endpoint=\"/\",method=\"GET\"}"),
        1000.0
    );
    assert!(page.contains("# HELP shop_axum_http_requests_total The number of times a HTTP"));

    let text = slurp(&["--exclude", "*sys.*"]);
    assert!(text.contains("shop.axum_http_requests_duration_seconds{endpoint=\"/items/{id}\""));
    assert!(text.contains("shop.axum_http_requests_pending{endpoint=\"/\",method=\"GET\"}"));
}
