use std::sync::Arc;

use async_trait::async_trait;
use larder_migrations::Context;
use larder_ports::outbound::chat::ChatUnit;
use larder_ports::outbound::identity::IdentityUnit;
use larder_ports::outbound::{Access, Observer, Probe, StorageError, Store, Unobserved};

use crate::{Catalogue, Connection, Failure, Pool, Unit};

/// A store of every context in one schema. Cloning it is cheap and shares the connections.
#[derive(Clone)]
pub struct SqlStore<P> {
    pool: P,
    catalogue: Arc<Catalogue>,
    observer: Arc<dyn Observer>,
}

impl<P: Pool> SqlStore<P> {
    /// A store on a pool, which other stores may use too (`CF-44`). `schema` is where its tables lie; SQLite has none.
    pub fn new(pool: P, schema: &str) -> Self {
        Self {
            pool,
            catalogue: Arc::new(Catalogue::new(P::Connection::DIALECT, schema)),
            observer: Arc::new(Unobserved),
        }
    }

    /// Tells somebody of every statement and unit.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Opens a unit of work.
    pub async fn unit(&self, context: Context, access: Access) -> Result<Box<Unit<P::Connection>>, StorageError> {
        let connection = self.pool.acquire(access).await?;
        Ok(Box::new(Unit::new(
            connection,
            Arc::clone(&self.catalogue),
            context,
            access,
            Arc::clone(&self.observer),
        )))
    }
}

#[async_trait]
impl<P: Pool> Store<dyn IdentityUnit> for SqlStore<P> {
    async fn begin(&self, access: Access) -> Result<Box<dyn IdentityUnit>, StorageError> {
        Ok(self.unit(Context::Identity, access).await?)
    }
}

#[async_trait]
impl<P: Pool> Store<dyn ChatUnit> for SqlStore<P> {
    async fn begin(&self, access: Access) -> Result<Box<dyn ChatUnit>, StorageError> {
        Ok(self.unit(Context::Chat, access).await?)
    }
}

#[async_trait]
impl<P: Pool> Probe for SqlStore<P> {
    async fn probe(&self) -> Result<(), StorageError> {
        let mut connection = self.pool.acquire(Access::Read).await?;
        connection
            .run(false, &Arc::from("SELECT 1"), &[])
            .await
            .map_err(Failure::of_statement)?;
        connection.give_back();
        Ok(())
    }
}
