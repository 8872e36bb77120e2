use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// A line to the database that counts round trips: how often the client speaks after the database has spoken.
pub(crate) struct Relay {
    port: u16,
    round_trips: Arc<AtomicU64>,
}

impl Relay {
    /// Relays every connection to `database`, each with two threads that end with it.
    pub(crate) fn to(database: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let round_trips = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&round_trips);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let server = TcpStream::connect(database).expect("the database listens");
                relay(client, server, &counter);
            }
        });
        Self { port, round_trips }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The round trips so far on all connections.
    pub(crate) fn count(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }
}

fn relay(client: TcpStream, server: TcpStream, counter: &Arc<AtomicU64>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a TCP stream");
    }
    let client_spoke_last = Arc::new(AtomicBool::new(false));
    let (client_copy, server_copy) = (
        client.try_clone().expect("a handle"),
        server.try_clone().expect("a handle"),
    );
    let (spoke, counter) = (Arc::clone(&client_spoke_last), Arc::clone(counter));
    thread::spawn(move || {
        pump(client, server, || {
            if !spoke.swap(true, Ordering::Relaxed) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
    });
    thread::spawn(move || {
        pump(server_copy, client_copy, || {
            client_spoke_last.store(false, Ordering::Relaxed)
        })
    });
}

/// Copies until one side ends, telling of each piece before it is passed on.
fn pump(mut from: TcpStream, mut to: TcpStream, tell: impl Fn()) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        tell();
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other side may have ended already.
    let _ = to.shutdown(Shutdown::Both);
}
