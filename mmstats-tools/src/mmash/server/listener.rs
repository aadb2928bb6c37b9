//! Accepts connections until a signal ends the program.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::console::Console;
use crate::mmash::exporter;
use crate::mmash::live::scrape_loop::ScrapeLoop;
use crate::mmash::server::Server;
use crate::mmash::server::connections::{Connections, Place};
use crate::mmash::server::limits::Limits;
use crate::mmash::server::middleware::Accepted;
use crate::mmash::server::routes::router;
use crate::mmash::server::write_timeout::{MAX_BLOCKED, WriteTimeout};
use crate::options::mmash::Options;
use crate::scraper::raise_descriptors;
use crate::shutdown::{self, Shutdown, TERMINATION_SIGNALS};

/// How long a client may take for the header of a request, and be silent between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that the kernel holds until they are accepted. With a full backlog, clients try
/// again after a second only.
const BACKLOG: u32 = 4096;

const MAX_HEADER_BYTES: usize = 32 << 10;

/// The time after which an attempt that failed for lack of resources is repeated.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

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
    let (listener, local) = listen(address).map_err(|error| cannot_listen(address, &error))?;
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
    let connections = Arc::new(Connections::new(limits));
    let accepting = accept(&listener, &connections, &server);
    tokio::select! {
        _ = shutdown.wait_for(|is_ending| *is_ending) => {}
        () = accepting => {}
    }
    drop(listener);
    let all_ended = async {
        while !connections.is_empty() {
            let _ = timeout(RETRY_INTERVAL, connections.ended.notified()).await;
        }
    };
    let _ = timeout(SHUTDOWN_TIMEOUT, all_ended).await;
    scrape_loop.stop();
    shutdown::wait_for_release();
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart need not wait for old connections to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let hint = if error.kind() == ErrorKind::AddrInUse {
        " (use another --port; 0 picks a free one)"
    } else {
        ""
    };
    format!("cannot listen on {address}: {error}{hint}")
}

async fn accept(listener: &TcpListener, connections: &Arc<Connections>, server: &Arc<Server>) {
    let router = router(server);
    loop {
        // Most likely too many files are open if this fails; retries soon.
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(RETRY_INTERVAL).await;
            continue;
        };
        // Lets the connections that were accepted before read what their clients have sent.
        yield_now().await;
        let place = loop {
            match connections.admit(peer.ip()) {
                Some(place) => break place,
                None => drop(timeout(RETRY_INTERVAL, connections.ended.notified()).await),
            }
        };
        let connection = place.connection.clone();
        let serving = serve_connection(stream, place, router.clone(), server.clone());
        connection.set_task(tokio::spawn(serving).abort_handle());
    }
}

async fn serve_connection(stream: TcpStream, place: Place, router: Router, server: Arc<Server>) {
    let Ok(local) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    // A client that vanished occupies its connection no longer than one that does not read.
    let _ = set_tcp_user_timeout(&stream, u32::try_from(MAX_BLOCKED.as_millis()).unwrap_or(0));
    let connection = place.connection.clone();
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let answering = connection.begin_answer();
        request.extensions_mut().insert(Accepted { local, answering });
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES);
    let stream = WriteTimeout::new(stream, place.connection.clone(), place.half_closed());
    let stream = TokioIo::new(stream);
    let mut connection = std::pin::pin!(http.serve_connection(stream, service));
    let mut shutdown = server.shutdown.clone();
    // Errors of a connection concern its client only.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = shutdown.wait_for(|is_ending| *is_ending) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(SHUTDOWN_TIMEOUT, connection).await;
}
