//! Accepts connections until a signal ends the program.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

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
use crate::mmash::exporter;
use crate::mmash::live::scrape_loop::ScrapeLoop;
use crate::mmash::server::Server;
use crate::mmash::server::limits::Limits;
use crate::mmash::server::middleware::LocalAddress;
use crate::mmash::server::routes::router;
use crate::mmash::server::write_timeout::{MAX_BLOCKED, WriteTimeout};
use crate::options::mmash::Options;
use crate::scraper::raise_descriptors;
use crate::shutdown::{self, Shutdown, TERMINATION_SIGNALS};

/// How long a client may take for the header of a request, and be silent between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

const MAX_HEADER_BYTES: usize = 32 << 10;

/// How long a response may still take when the server ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(200);

/// Serves until a signal ends the program.
pub(crate) fn run(options: &Options, console: &mut Console<'_>) -> Result<(), String> {
    // This thread only sends and receives; two others make responses.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .thread_name("responses")
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
            "--max-sse-clients {wanted}: lowered to {streams}, as the limit on open files is {descriptors} (ulimit -n)"
        ));
    }
    let scrape_loop = ScrapeLoop::start(options, limits.descriptors())
        .map_err(|error| format!("cannot start the scraping thread: {error}"))?;
    let server = Arc::new(Server::new(
        options,
        limits,
        exporter::settings(options),
        scrape_loop.latest(),
        shutdown.clone(),
    ));
    // Closed output is no reason to stop.
    let _ = writeln!(console.out, "mmash: http://{local}/").and_then(|()| console.out.flush());
    let connections = Arc::new(Semaphore::new(limits.connections));
    let accepting = accept(&listener, &connections, &server);
    tokio::select! {
        _ = shutdown.wait_for(|is_ending| *is_ending) => {}
        () = accepting => {}
    }
    drop(listener);
    // All permits are free once all connections have ended.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let _ = timeout(SHUTDOWN_TIMEOUT, connections.acquire_many(all)).await;
    scrape_loop.stop();
    shutdown::wait_for_release();
    Ok(())
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let hint = if error.kind() == ErrorKind::AddrInUse {
        " (use another --port; 0 picks a free one)"
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
                drop(tokio::spawn(serve_connection(
                    stream,
                    permit,
                    router.clone(),
                    server.clone(),
                )));
            }
            // Most likely too many files are open; retries soon.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
    router: Router,
    server: Arc<Server>,
) {
    let Ok(local) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    // A client that vanished occupies its connection no longer than one that does not read.
    let _ = set_tcp_user_timeout(&stream, u32::try_from(MAX_BLOCKED.as_millis()).unwrap_or(0));
    let service = TowerToHyperService::new(router.layer(Extension(LocalAddress(local))));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES);
    let mut connection =
        std::pin::pin!(http.serve_connection(TokioIo::new(WriteTimeout::new(stream)), service));
    let mut shutdown = server.shutdown.clone();
    // Errors of a connection concern its client only.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = shutdown.wait_for(|is_ending| *is_ending) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(SHUTDOWN_TIMEOUT, connection).await;
}
