//! The listener: HTTP/1.1 over TCP, with bounds on how many connections there are and how long each may keep the service waiting.

mod stream;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use larder_ports::outbound::{Event, Observer};
use poem::endpoint::{DynEndpoint, ToDynEndpoint};
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use stream::{Phases, Stream};

/// Most bytes of a request's head, and most that are read ahead of its body.
const BUFFER: usize = 64 * 1024;

/// How long nothing is accepted after the system refused to, as it does when the process has too many files open.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct ServerOptions {
    /// Most connections at a time, at least 1. Further ones wait in the queue of the operating system.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request, from its first byte on, or from the connection's start.
    pub header_timeout: Duration,
    /// How long a connection without a request is kept.
    pub keep_alive: Duration,
    /// How long a client may take no byte of an answer.
    pub write_timeout: Duration,
}

impl Default for ServerOptions {
    /// 512 connections; 10, 75 and 30 seconds.
    fn default() -> Self {
        Self {
            max_connections: 512,
            header_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
        }
    }
}

/// Serves an endpoint.
#[derive(Clone)]
pub struct Server {
    name: &'static str,
    endpoint: Arc<dyn DynEndpoint<Output = Response>>,
    options: ServerOptions,
    observer: Arc<dyn Observer>,
}

impl Server {
    /// A server of this name; nothing is served yet. The observer is told of connections.
    pub fn new(
        name: &'static str,
        endpoint: impl Endpoint<Output = Response> + 'static,
        options: ServerOptions,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self {
            name,
            endpoint: Arc::new(ToDynEndpoint(endpoint)),
            options,
            observer,
        }
    }

    /// Takes connections until `stop`. Then idle ones are closed, and requests under way are answered within `drain`; answers how
    /// many connections were cut off because they were not.
    pub async fn run(self, listener: TcpListener, stop: impl Future<Output = ()>, drain: Duration) -> usize {
        let local = listener.local_addr().ok();
        let slots = Arc::new(Semaphore::new(self.options.max_connections.max(1)));
        let (stopping, _) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                // Forgets those that ended.
                Some(_) = connections.join_next() => {}
                Some((slot, socket, peer)) = next(&listener, &slots) => {
                    let addresses = (local.unwrap_or(peer), peer);
                    let ending = stopping.subscribe();
                    connections.spawn(self.clone().serve(slot, socket, addresses, ending));
                }
            }
        }
        drop(listener);
        stopping.send_replace(());
        let all_end = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(drain, all_end).await;
        let late = connections.len();
        connections.shutdown().await;
        late
    }

    async fn serve(
        self,
        slot: OwnedSemaphorePermit,
        socket: TcpStream,
        (local, peer): (SocketAddr, SocketAddr),
        mut ending: watch::Receiver<()>,
    ) {
        let _slot = slot;
        let _open = Open::new(self.name, self.observer.as_ref());
        // Answers are written whole, so there is nothing to wait for.
        let _ = socket.set_nodelay(true);
        let phases = Phases::default();
        let stream = Stream::new(socket, phases.clone(), &self.options);
        let service = service_fn(|request| {
            let request: Request = (
                request,
                LocalAddr(Addr::SocketAddr(local)),
                RemoteAddr(Addr::SocketAddr(peer)),
                Scheme::HTTP,
            )
                .into();
            let under_way = phases.answering();
            async {
                let _under_way = under_way;
                let response = self.endpoint.get_response(request).await;
                Ok::<hyper::Response<_>, Infallible>(response.into())
            }
        });
        let connection = http1::Builder::new()
            .max_buf_size(BUFFER)
            // The stream is stricter. With a time of its own, though, hyper looks at a connection again once its answer is out.
            .timer(TokioTimer::new())
            .header_read_timeout(self.options.keep_alive + self.options.header_timeout)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            _ = ending.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, listener = self.name, "a connection ended early");
        }
    }
}

/// The next connection, once there is room for it; `None` when the system refused it.
async fn next(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((socket, peer)) => Some((slot, socket, peer)),
        Err(error) if is_of_the_client(&error) => None,
        Err(error) => {
            tracing::warn!(%error, "no connection can be accepted");
            sleep(REFUSED_PAUSE).await;
            None
        }
    }
}

/// Whether a client went away before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A connection that is open as long as this is.
struct Open<'a>(&'static str, &'a dyn Observer);

impl<'a> Open<'a> {
    fn new(listener: &'static str, observer: &'a dyn Observer) -> Self {
        observer.observe(Event::ConnectionOpened(listener));
        Self(listener, observer)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.1.observe(Event::ConnectionClosed(self.0));
    }
}
