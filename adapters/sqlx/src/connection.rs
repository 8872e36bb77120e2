use std::sync::Arc;

use async_trait::async_trait;
use deadpool::managed::Object;
use larder_sql::{Dialect, Failure, Row, Value};
use sqlx::{AssertSqlSafe, Connection};

use crate::pool::Manager;

/// What differs between sqlx's databases.
#[async_trait]
pub trait Driver: Connection + Send + Sync + Sized + 'static {
    /// How statements are spelled.
    const DIALECT: Dialect;

    /// What opens a transaction that writes.
    const BEGIN: &'static str;

    /// A row of an answer.
    type Answer: Row + 'static;

    /// Runs one prepared statement.
    async fn fetch(
        &mut self,
        text: AssertSqlSafe<Arc<str>>,
        values: &[Value<'_>],
    ) -> Result<Vec<Self::Answer>, sqlx::Error>;

    /// Runs a text without parameters and without preparing it.
    async fn send(&mut self, text: &'static str) -> Result<(), sqlx::Error>;

    /// What an error of the database means.
    fn reported(error: sqlx::Error) -> Failure;

    /// Whether the connection is known to be broken.
    fn is_broken(&self) -> bool;
}

/// A connection of the pool. Dropping it takes it out of the pool and closes it; only `give_back` returns it.
pub struct PooledConnection<C: Driver>(Option<Object<Manager<C>>>);

impl<C: Driver> PooledConnection<C> {
    pub(crate) fn new(object: Object<Manager<C>>) -> Self {
        Self(Some(object))
    }

    fn connection(&mut self) -> Result<&mut C, Failure> {
        self.0
            .as_deref_mut()
            .ok_or_else(|| Failure::unexpected("the connection was given back"))
    }
}

impl<C: Driver> Drop for PooledConnection<C> {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

#[async_trait]
impl<C: Driver> larder_sql::Connection for PooledConnection<C> {
    type Row = C::Answer;

    const DIALECT: Dialect = C::DIALECT;

    async fn run(&mut self, begin: bool, text: &Arc<str>, values: &[Value<'_>]) -> Result<Vec<C::Answer>, Failure> {
        let connection = self.connection()?;
        if begin {
            connection.send(C::BEGIN).await.map_err(failure::<C>)?;
        }
        connection
            .fetch(AssertSqlSafe(Arc::clone(text)), values)
            .await
            .map_err(failure::<C>)
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        self.connection()?.send("COMMIT").await.map_err(failure::<C>)
    }

    async fn rollback(&mut self) -> Result<(), Failure> {
        self.connection()?.send("ROLLBACK").await.map_err(failure::<C>)
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

fn failure<C: Driver>(error: sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(_) => C::reported(error),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => {
            Failure::lost(error)
        }
        _ => Failure::unexpected(error),
    }
}
