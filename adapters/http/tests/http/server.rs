//! The listener, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use larder_http::{Server, ServerOptions};
use larder_ports::outbound::Event;
use larder_ports::testing::Observed;
use poem::{Endpoint, EndpointExt, Request, Response, endpoint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Longer than anything takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A timeout of the server that must not be reached.
const LONG: Duration = Duration::from_secs(600);

const GENEROUS: ServerOptions = ServerOptions {
    max_connections: 100,
    header_timeout: LONG,
    keep_alive: LONG,
    write_timeout: LONG,
};

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<usize>,
}

async fn run(
    endpoint: impl Endpoint<Output = Response> + 'static,
    options: ServerOptions,
    observer: Arc<Observed>,
    drain: Duration,
) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let server = Server::new("test", endpoint, options, observer);
    let served = tokio::spawn(server.run(listener, async move { drop(stopped.await) }, drain));
    Running { address, stop, served }
}

/// Answers the address of whoever asks.
async fn simple(options: ServerOptions) -> Running {
    let endpoint = endpoint::make_sync(|request: Request| request.remote_addr().to_string());
    run(endpoint.map_to_response(), options, Arc::default(), LONG).await
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: larder\r\n\r\n";

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Reads an answer with a body of that many bytes.
async fn answer(connection: &mut TcpStream, body: usize) -> (String, String) {
    let read = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.expect("the whole head"));
        }
        let mut rest = vec![0; body];
        connection.read_exact(&mut rest).await.expect("the whole body");
        (head, rest)
    };
    let (head, body) = timeout(PATIENCE, read).await.expect("an answer");
    (String::from_utf8(head).unwrap(), String::from_utf8(body).unwrap())
}

async fn ask(connection: &mut TcpStream) -> String {
    connection.write_all(REQUEST).await.unwrap();
    let peer = connection.local_addr().unwrap().to_string();
    let (head, body) = answer(connection, "socket://".len() + peer.len()).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body
}

/// Waits until the server has closed a connection, and gives what it sent before.
async fn rest(connection: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, connection.read_to_end(&mut rest)).await;
    // It may be reset because of what the server did not read.
    let _ = read.expect("the connection is closed");
    String::from_utf8_lossy(&rest).into_owned()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "{what}");
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_knows_its_peer() {
    let server = simple(GENEROUS).await;
    let mut connection = connect(server.address).await;
    let peer = format!("socket://{}", connection.local_addr().unwrap());
    for _ in 0..3 {
        assert_eq!(ask(&mut connection).await, peer);
    }
}

#[tokio::test]
async fn a_client_that_does_not_send_its_request_is_cut_off() {
    let server = simple(ServerOptions {
        header_timeout: Duration::from_millis(50),
        ..GENEROUS
    })
    .await;
    for sent in [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nHost: larder\r\n"] {
        let mut connection = connect(server.address).await;
        connection.write_all(sent).await.unwrap();
        let answered = rest(&mut connection).await;
        assert!(!answered.contains("200"), "{answered}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_time() {
    let server = simple(ServerOptions {
        keep_alive: Duration::from_millis(50),
        ..GENEROUS
    })
    .await;
    let mut connection = connect(server.address).await;
    ask(&mut connection).await;
    assert_eq!(rest(&mut connection).await, "");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let observer = Arc::new(Observed::default());
    let endpoint = endpoint::make_sync(|_| vec![b'x'; 64 << 20]);
    let options = ServerOptions {
        write_timeout: Duration::from_millis(50),
        ..GENEROUS
    };
    let server = run(endpoint.map_to_response(), options, Arc::clone(&observer), LONG).await;
    let mut connection = connect(server.address).await;
    connection.write_all(REQUEST).await.unwrap();
    until("the connection is given up", || {
        observer.events().contains(&Event::ConnectionClosed("test"))
    })
    .await;
}

#[tokio::test]
async fn further_connections_wait_for_a_place() {
    let observer = Arc::new(Observed::default());
    let endpoint = endpoint::make_sync(|request: Request| request.remote_addr().to_string());
    let options = ServerOptions {
        max_connections: 2,
        ..GENEROUS
    };
    let server = run(endpoint.map_to_response(), options, Arc::clone(&observer), LONG).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut connection = connect(server.address).await;
        ask(&mut connection).await;
        held.push(connection);
    }
    let mut waiting = connect(server.address).await;
    waiting.write_all(REQUEST).await.unwrap();
    let early = timeout(Duration::from_millis(200), waiting.read_u8()).await;
    assert!(early.is_err(), "{early:?}");
    drop(held.pop());
    let peer = waiting.local_addr().unwrap().to_string();
    let (head, _) = answer(&mut waiting, "socket://".len() + peer.len()).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    // Never more than two at a time.
    let mut open = 0;
    for event in observer.events() {
        match event {
            Event::ConnectionOpened(_) => open += 1,
            Event::ConnectionClosed(_) => open -= 1,
            _ => {}
        }
        assert!(open <= 2);
    }
}

/// An endpoint whose requests wait to be released.
fn held(begun: &Arc<Notify>, release: &Arc<Notify>) -> impl Endpoint<Output = Response> + 'static {
    let (begun, release) = (Arc::clone(begun), Arc::clone(release));
    let endpoint = endpoint::make(move |_| {
        let (begun, release) = (Arc::clone(&begun), Arc::clone(&release));
        async move {
            begun.notify_one();
            release.notified().await;
            "done"
        }
    });
    endpoint.map_to_response()
}

#[tokio::test]
async fn cf_54_requests_under_way_are_answered_and_idle_connections_closed() {
    let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = run(held(&begun, &release), GENEROUS, Arc::default(), LONG).await;
    let mut idle = connect(server.address).await;
    idle.write_all(REQUEST).await.unwrap();
    begun.notified().await;
    release.notify_one();
    answer(&mut idle, 4).await;
    let mut busy = connect(server.address).await;
    busy.write_all(REQUEST).await.unwrap();
    begun.notified().await;

    server.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    release.notify_one();
    let (head, body) = answer(&mut busy, 4).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, "done");
    assert_eq!(timeout(PATIENCE, server.served).await.expect("it ends").unwrap(), 0);
}

#[tokio::test]
async fn cf_54_the_drain_has_an_end() {
    let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let drain = Duration::from_millis(50);
    let server = run(held(&begun, &release), GENEROUS, Arc::default(), drain).await;
    let mut busy = connect(server.address).await;
    busy.write_all(REQUEST).await.unwrap();
    begun.notified().await;
    server.stop.send(()).unwrap();
    assert_eq!(timeout(PATIENCE, server.served).await.expect("it ends").unwrap(), 1);
    assert_eq!(rest(&mut busy).await, "");
}

#[tokio::test]
async fn a_head_beyond_all_measure_is_refused() {
    let server = simple(GENEROUS).await;
    let mut connection = connect(server.address).await;
    let head = format!(
        "GET / HTTP/1.1\r\nHost: larder\r\nX-Long: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    // The server may have closed before all of it was sent.
    let _ = connection.write_all(head.as_bytes()).await;
    let answered = rest(&mut connection).await;
    assert!(
        answered.is_empty() || answered.starts_with("HTTP/1.1 431"),
        "{answered}"
    );
}
