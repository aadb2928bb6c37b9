//! `axum_service`: a web service with the layer of the crate `axum-prometheus`, which counts by the
//! crate `metrics` and knows nothing of mmstats. Prints its address, and serves until it is killed.

use axum::extract::Path;
use axum::routing::get;
use axum::{Router, http::StatusCode};
use axum_prometheus::{MakeDefaultHandle, MetricLayerBuilder};
use mmstats_std::{Options, recorder};
use mmstats_tests::programs::say;

/// Installs the recorder for the layer.
struct Install;

impl MakeDefaultHandle for Install {
    type Out = ();

    fn make_default_handle(self) {
        let options = Options::new().label_prefix("shop.");
        recorder::builder().options(options).install().expect("the first recorder");
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() {
    Install.make_default_handle();
    let layer =
        MetricLayerBuilder::<'_, (), Install, _>::new().enable_response_body_size(true).build();
    let service = Router::new()
        .route("/", get(|| async { "ten bytes\n" }))
        .route("/items/{id}", get(async |Path(id): Path<u32>| format!("item {id}")))
        .route("/full", get(|| async { StatusCode::INSUFFICIENT_STORAGE }))
        .layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    say(&listener.local_addr().expect("it is bound").to_string());
    axum::serve(listener, service).await.expect("it serves until it is killed");
}
