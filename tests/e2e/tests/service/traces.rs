//! Traces, sent to a collector that keeps whatever comes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{Adapter, Answering, Installation, Relay, password};

on_every_adapter!(
    a_collector_is_sent_requests_with_their_statements,
    a_collector_that_is_away_is_no_trouble,
);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn a_collector_is_sent_requests_with_their_statements(adapter: Adapter) {
    let collector = Collector::start().await;
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_LOG__FORMAT", "json")
        .with("LARDER_TRACES__OTLP", &format!("http://{}", collector.address));
    let service = larder.start().await;
    let ann = service.sign_up("somebody").await;
    service
        .get("/api/v1/chat/sessions")
        .bearer_auth(&ann.token)
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .expect(200)
        .await;
    let ended = service.stop().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let sent = collector.received();
    let has = |bytes: &[u8]| sent.windows(bytes.len()).any(|window| window == bytes);
    for word in [
        "larder",
        "list_sessions",
        "chat_sessions.list",
        "sign_up",
        "service.version",
    ] {
        assert!(has(word.as_bytes()), "{word} in {}", String::from_utf8_lossy(&sent));
    }
    let trace: Vec<u8> = (0..16)
        .map(|at| u8::from_str_radix(&TRACE[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    assert!(has(&trace), "the trace of the client goes on");
    for secret in ["somebody", "example.com", &password("somebody"), &ann.token] {
        assert!(!has(secret.as_bytes()), "{secret} was sent");
    }
    // The log names the same trace, and one that began here where the client sent none.
    let line = |operation: &str| {
        let line = ended.stderr.lines().find(|line| line.contains(operation));
        line.unwrap_or_else(|| panic!("{operation} in {}", ended.stderr))
            .to_owned()
    };
    assert!(line("list_sessions").contains(TRACE));
    assert!(line("sign_up").contains("trace_id"));
}

async fn a_collector_that_is_away_is_no_trouble(adapter: Adapter) {
    let nobody = format!("http://127.0.0.1:{}", Relay::free_port().await);
    let larder = Installation::new(adapter).await.with("LARDER_TRACES__OTLP", &nobody);
    let service = larder.start().await;
    service.sign_up("somebody").await;
    assert_eq!(service.stop().await.code, Some(0));
}

/// Takes what is sent and says that all is well.
struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
    _connections: JoinSet<()>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut accepted = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                accepted.spawn(take(socket, Arc::clone(&kept)));
            }
        });
        Self {
            address,
            received,
            _connections: connections,
        }
    }

    fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }
}

/// Reads requests of one connection.
async fn take(socket: TcpStream, received: Arc<Mutex<Vec<u8>>>) {
    let mut socket = BufReader::new(socket);
    loop {
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            if !matches!(socket.read_line(&mut line).await, Ok(1..)) {
                return;
            }
            let lower = line.to_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        if socket.read_exact(&mut body).await.is_err() {
            return;
        }
        received.lock().unwrap().append(&mut body);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        if socket.get_mut().write_all(answer).await.is_err() {
            return;
        }
    }
}
