use std::sync::Arc;

use async_trait::async_trait;
use larder_ports::outbound::{Access, StorageError};

use crate::{Dialect, Failure, Row, Value};

/// Hands out connections. Cloning it is cheap and shares the connections.
#[async_trait]
pub trait Pool: Clone + Send + Sync + 'static {
    /// What it hands out.
    type Connection: Connection;

    /// A connection on which nothing is open. Waits at most for the configured time; nothing is sent to the database unless a new
    /// connection is made.
    async fn acquire(&self, access: Access) -> Result<Self::Connection, StorageError>;

    /// Closes every connection; later calls of `acquire` fail.
    async fn close(&self);
}

/// One connection, held by one unit of work. A driver's whole part in the commit rules is to keep what is written here.
///
/// **Dropping a connection closes it**; only [`give_back`](Self::give_back) returns it to its pool. So a connection whose state
/// nobody knows can't be reused by accident, at whatever point a future is cancelled.
#[async_trait]
pub trait Connection: Send + 'static {
    /// A row of an answer.
    type Row: Row;

    /// How statements are spelled.
    const DIALECT: Dialect;

    /// Runs one statement and answers its rows. With `begin`, a writing transaction is opened in front of it, in the same flush
    /// where the driver is able to.
    async fn run(&mut self, begin: bool, text: &Arc<str>, values: &[Value<'_>]) -> Result<Vec<Self::Row>, Failure>;

    /// Sends COMMIT and waits for the answer.
    async fn commit(&mut self) -> Result<(), Failure>;

    /// Sends ROLLBACK and waits for the answer.
    async fn rollback(&mut self) -> Result<(), Failure>;

    /// Returns the connection to its pool. Called only when no transaction is open and no answer is outstanding.
    fn give_back(self);
}
