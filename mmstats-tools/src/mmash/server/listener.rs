//! Listens, and ends.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::extract::{RawQuery, Request, State};
use axum::http::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::console::Console;
use crate::mmash::api::query;
use crate::mmash::live::events;
use crate::mmash::live::scrape_loop::ScrapeLoop;
use crate::mmash::page::{self, PageRequest};
use crate::mmash::server::Server;
use crate::mmash::server::limits::Limits;
use crate::mmash::server::middleware::{Local, guard};
use crate::mmash::server::response::{HttpError, encoded};
use crate::mmash::server::write_timeout::{GRACE, WriteTimeout};
use crate::mmash::{api, exporter, legacy_api};
use crate::options::mmash::Options;
use crate::scraper::raise_descriptors;
use crate::shutdown::{self, Shutdown, TERMINATION_SIGNALS};

/// How long a client may take for the header of a request, and how long it may be silent between
/// two.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// In bytes.
const LONGEST_HEADER: usize = 32 << 10;

/// How long answers that are being sent may take when the server ends.
const LAST_PATIENCE: Duration = Duration::from_millis(200);

/// Serves until it is told to end.
pub(crate) fn run(options: &Options, console: &mut Console<'_>) -> Result<(), String> {
    // The thread that serves does only that; the others make answers.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .thread_name("answers")
        .build()
        .map_err(|error| error.to_string())?;
    let end = runtime.block_on(serve(options, console));
    runtime.shutdown_timeout(Duration::ZERO);
    end
}

async fn serve(options: &Options, console: &mut Console<'_>) -> Result<(), String> {
    let (end, mut shutdown) = watch::channel(false);
    // Until the end of this function: then signals end the process at once.
    let signals =
        Shutdown::on(&TERMINATION_SIGNALS).map_err(|error| format!("signals: {error}"))?;
    let signals = Arc::new(signals);
    let waiting = signals.clone();
    thread::spawn(move || {
        waiting.wait(Duration::MAX);
        end.send_replace(true);
    });
    let address = options.address();
    let bound = TcpListener::bind(address)
        .await
        .and_then(|listener| listener.local_addr().map(|local| (listener, local)));
    let (listener, local) = bound.map_err(|error| cannot_listen(address, &error))?;
    let descriptors = raise_descriptors();
    let limits = Limits::new(options.max_sse_clients.into(), descriptors);
    if limits.streams < options.max_sse_clients.into() {
        let (wanted, streams) = (options.max_sse_clients, limits.streams);
        console.report(format_args!(
            "--max-sse-clients {wanted}: only {streams}, for this process may have no more than {descriptors} files open (ulimit -n)"
        ));
    }
    let sampling = ScrapeLoop::start(options, limits.descriptors())
        .map_err(|error| format!("no thread to look at stats: {error}"))?;
    let server = Arc::new(Server::new(
        options,
        limits,
        exporter::settings(options),
        sampling.latest(),
        shutdown.clone(),
    ));
    // Nobody has to hear it.
    let _ = writeln!(console.out, "mmash: http://{local}/").and_then(|()| console.out.flush());
    let connections = Arc::new(Semaphore::new(limits.connections));
    let accepting = accept(&listener, &connections, &server);
    tokio::select! {
        _ = shutdown.wait_for(|is_ending| *is_ending) => {}
        () = accepting => {}
    }
    drop(listener);
    // All connections have ended when all permits are back.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let _ = timeout(LAST_PATIENCE, connections.acquire_many(all)).await;
    sampling.end();
    shutdown::wait_for_release();
    Ok(())
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let hint = if error.kind() == ErrorKind::AddrInUse {
        " (--port takes another port, 0 any that is free)"
    } else {
        ""
    };
    format!("cannot listen on {address}: {error}{hint}")
}

async fn accept(listener: &TcpListener, connections: &Arc<Semaphore>, server: &Arc<Server>) {
    let router = router(server);
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                drop(tokio::spawn(connection(stream, permit, router.clone(), server.clone())))
            }
            // Most likely there are too many open files; there may be fewer in a moment.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
    router: Router,
    server: Arc<Server>,
) {
    let Ok(local) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    // A client that is gone without a word holds a connection, and perhaps a stream, no longer than
    // one that reads nothing.
    let _ = set_tcp_user_timeout(&stream, u32::try_from(GRACE.as_millis()).unwrap_or(0));
    let service = TowerToHyperService::new(router.layer(Extension(Local(local))));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(LONGEST_HEADER);
    let mut connection = std::pin::pin!(http.serve_connection(
        TokioIo::new(WriteTimeout::new(stream, server.room.pressure())),
        service
    ));
    let mut shutdown = server.shutdown.clone();
    // Whatever goes wrong with a connection is its client's loss alone.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = shutdown.wait_for(|is_ending| *is_ending) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LAST_PATIENCE, connection).await;
}

fn router(server: &Arc<Server>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/graph/", get(page))
        .route("/static/{*path}", get(file))
        .route("/api/v1/stats", get(api::stats))
        .route("/api/v1/files", get(api::files))
        .route("/api/v1/query", get(query::query))
        .route("/events", get(events::events))
        .route("/healthz", get(api::health))
        .route("/metrics", get(exporter::metrics))
        .route("/stats/", get(legacy_api::labels))
        .route("/stats/{*prefix}", get(legacy_api::values))
        .route("/files/", get(legacy_api::files))
        .route("/files/{*glob}", get(legacy_api::files))
        .route("/graph", get(with_slash))
        .route("/stats", get(with_slash))
        .route("/files", get(with_slash))
        .fallback(|| async {
            HttpError::new(StatusCode::NOT_FOUND, "there is no such page; mmash --help lists them")
        })
        .with_state(server.clone())
        .layer(from_fn_with_state(server.clone(), guard))
}

/// Leads to the same with a slash: relative, for a proxy may serve this below a path of its own.
async fn with_slash(uri: Uri) -> Redirect {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let name = uri.path().rsplit('/').next().unwrap_or("");
    Redirect::permanent(&format!("{name}/{query}"))
}

async fn page(
    State(server): State<Arc<Server>>,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let snapshot = server.snapshot().await?;
    let graph = uri.path() == "/graph/";
    let render = move || {
        page::render(
            &snapshot.scrape,
            &PageRequest { query: query.as_deref().unwrap_or(""), graph },
        )
        .into_bytes()
    };
    server.answer("text/html; charset=utf-8", &headers, render).await
}

/// A file of the page. They change with this program only; a browser asks whether they have.
async fn file(State(server): State<Arc<Server>>, request: Request) -> Result<Response, HttpError> {
    let path = request.uri().path().strip_prefix("/static/").unwrap_or("");
    let found = page::FILES.iter().find(|(name, ..)| *name == path);
    let Some((_, content_type, bytes)) = found else {
        return Err(HttpError::new(StatusCode::NOT_FOUND, "there is no such file"));
    };
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let mut response = if is_known(&tag, request.headers()) {
        encoded(StatusCode::NOT_MODIFIED.into_response(), false)
    } else {
        server.answer(content_type, request.headers(), || bytes.to_vec()).await?
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // A weak one, for it is the same whether the answer is compressed or not.
    response.headers_mut().insert(
        ETAG,
        HeaderValue::from_str(&format!("W/{tag}")).unwrap_or(HeaderValue::from_static("\"\"")),
    );
    Ok(response)
}

/// Whether a client has what has this tag.
fn is_known(tag: &str, headers: &HeaderMap) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|known| known.to_str().ok());
    known
        .flat_map(|known| known.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
