use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deadpool_postgres::Object;
use futures_util::future::join;
use larder_sql::{Connection, Dialect, Failure, Kind, Value};
use tokio_postgres::types::{ToSql, Type};

use crate::row::PostgresRow;

/// A connection of the pool. Dropping it takes it out of the pool and closes it; only `give_back` returns it.
pub struct PooledConnection(Option<Object>);

impl PooledConnection {
    pub(crate) fn new(object: Object) -> Self {
        Self(Some(object))
    }

    fn object(&self) -> Result<&Object, Failure> {
        self.0
            .as_ref()
            .ok_or_else(|| Failure::unexpected("the connection was given back"))
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

#[async_trait]
impl Connection for PooledConnection {
    type Row = PostgresRow;

    const DIALECT: Dialect = Dialect::Postgres;

    async fn run(&mut self, begin: bool, text: &Arc<str>, values: &[Value<'_>]) -> Result<Vec<PostgresRow>, Failure> {
        let client = self.object()?;
        let types: Vec<Type> = values.iter().map(|value| type_of(value.kind())).collect();
        let statement = client.prepare_typed_cached(text, &types).await.map_err(failure)?;
        let boxed: Vec<Box<dyn ToSql + Sync + Send + '_>> = values.iter().map(parameter).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> = boxed.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
        let rows = if begin {
            // Both requests are queued in this order when first polled, so BEGIN costs no round trip of its own.
            let (began, rows) = join(client.batch_execute("BEGIN"), client.query(&statement, &parameters)).await;
            began.map_err(failure)?;
            rows
        } else {
            client.query(&statement, &parameters).await
        };
        Ok(rows.map_err(failure)?.into_iter().map(PostgresRow).collect())
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        self.object()?.batch_execute("COMMIT").await.map_err(failure)
    }

    async fn rollback(&mut self) -> Result<(), Failure> {
        self.object()?.batch_execute("ROLLBACK").await.map_err(failure)
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Uuid => Type::UUID,
        Kind::Text => Type::TEXT,
        Kind::Int => Type::INT8,
        Kind::Bool => Type::BOOL,
        Kind::Instant => Type::TIMESTAMPTZ,
        Kind::Bytes => Type::BYTEA,
    }
}

fn parameter<'a>(value: &'a Value<'a>) -> Box<dyn ToSql + Sync + Send + 'a> {
    match value {
        Value::Uuid(id) => Box::new(*id),
        Value::Text(text) => Box::new(*text),
        Value::Int(number) => Box::new(*number),
        Value::Bool(flag) => Box::new(*flag),
        Value::Instant(instant) => Box::new(instant.map(DateTime::<Utc>::from)),
        Value::Bytes(bytes) => Box::new(*bytes),
    }
}

fn failure(error: tokio_postgres::Error) -> Failure {
    match error.as_db_error() {
        Some(reported) => {
            let (code, constraint) = (
                reported.code().code().to_owned(),
                reported.constraint().map(str::to_owned),
            );
            Failure::postgres(&code, constraint.as_deref(), error.into())
        }
        // What the driver refuses by itself (an encoding, a row that is not there) says nothing about the connection.
        None if error.is_closed() || is_io(&error) => Failure::lost(error),
        None => Failure::unexpected(error),
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}
