use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A line to the database that can be cut: while the relay lives, connections to its port reach the database.
pub(crate) struct Relay {
    _connections: JoinSet<()>,
}

impl Relay {
    /// A port of this machine that nobody listens on, so that the database behind it is away.
    pub(crate) async fn free_port() -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        listener.local_addr().expect("its address").port()
    }

    /// Connects `port` with the database, until the value is dropped.
    pub(crate) async fn open(port: u16, database: (String, u16)) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)))
            .await
            .expect("the port is still free");
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            // The connections end with the task that accepts them.
            let mut accepted = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let database = database.clone();
                accepted.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(database).await {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self {
            _connections: connections,
        }
    }
}
