use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use larder_ports::outbound::{Access, StorageError};
use larder_sql::{Connection, Dialect, Failure, Pool, Value};

/// A pool that counts the statements on their way to the driver.
#[derive(Clone)]
pub(crate) struct Counted<T> {
    inner: T,
    statements: Arc<AtomicU64>,
}

impl<T> Counted<T> {
    pub(crate) fn new(inner: T) -> Self {
        let statements = Arc::default();
        Self { inner, statements }
    }

    /// How many were sent so far, COMMIT and ROLLBACK included.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::SeqCst)
    }

    fn count(&self) {
        self.statements.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl<P: Pool> Pool for Counted<P> {
    type Connection = Counted<P::Connection>;

    async fn acquire(&self, access: Access) -> Result<Self::Connection, StorageError> {
        Ok(Counted {
            inner: self.inner.acquire(access).await?,
            statements: Arc::clone(&self.statements),
        })
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl<C: Connection> Connection for Counted<C> {
    type Row = C::Row;

    const DIALECT: Dialect = C::DIALECT;

    async fn run(&mut self, begin: bool, text: &Arc<str>, values: &[Value<'_>]) -> Result<Vec<C::Row>, Failure> {
        self.count();
        self.inner.run(begin, text, values).await
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        self.count();
        self.inner.commit().await
    }

    async fn rollback(&mut self) -> Result<(), Failure> {
        self.count();
        self.inner.rollback().await
    }

    fn give_back(self) {
        self.inner.give_back();
    }
}
