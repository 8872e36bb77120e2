use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use larder_migrations::Context;
use larder_ports::outbound::{Access, Event, Observer, StorageError, UnitEnd, UnitOfWork};
use tracing::Instrument;

use crate::{Catalogue, Connection, Effect, FailureKind, Statement, Value};

/// How long a unit that was dropped may take to roll back before its connection is closed instead.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(5);

/// The unit of work on any SQL connection: the commit rules of [`UnitOfWork`] are kept here, once for all drivers.
///
/// A unit that reads sends no BEGIN: each statement stands for itself, and the round trip is saved. A unit that writes opens
/// its transaction with its first statement.
pub struct Unit<C: Connection> {
    /// Present until the unit ends.
    connection: Option<C>,
    catalogue: Arc<Catalogue>,
    context: Context,
    access: Access,
    /// Whether BEGIN was sent.
    is_open: bool,
    latch: Latch,
    /// How it ends, unless it is committed.
    end: UnitEnd,
    observer: Arc<dyn Observer>,
}

/// What is known about the last statement. PostgreSQL turns COMMIT into ROLLBACK after a failed statement and the drivers still
/// answer `Ok`, so the unit remembers by itself (rule 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Latch {
    /// All statements so far succeeded.
    Clear,
    /// A statement was sent. Still so when the unit ends: its future was dropped before the answer came.
    InFlight,
    /// A statement failed; the connection answers.
    Failed,
    /// A statement failed because the connection broke.
    Lost,
}

impl<C: Connection> Unit<C> {
    /// A unit on a connection on which nothing is open.
    pub fn new(
        connection: C,
        catalogue: Arc<Catalogue>,
        context: Context,
        access: Access,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self {
            connection: Some(connection),
            catalogue,
            context,
            access,
            is_open: false,
            latch: Latch::Clear,
            end: match access {
                Access::Read => UnitEnd::Read,
                Access::Write => UnitEnd::RolledBack,
            },
            observer,
        }
    }

    /// Runs a statement and answers its rows.
    pub async fn fetch(
        &mut self,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<C::Row>, StorageError> {
        if self.latch != Latch::Clear {
            return Err(StorageError::Aborted);
        }
        if self.access == Access::Read && statement.effect == Effect::Writes {
            self.latch = Latch::Failed;
            return Err(StorageError::Internal(
                format!("{} in a unit that reads", statement.name).into(),
            ));
        }
        let (Some(connection), Some(text)) = (self.connection.as_mut(), self.catalogue.text(statement)) else {
            return Err(StorageError::Internal(
                format!("{} is not of this dialect", statement.name).into(),
            ));
        };
        let begin = self.access == Access::Write && !self.is_open;
        // Set before anything is sent: if this future is dropped below, the unit knows.
        self.latch = Latch::InFlight;
        self.is_open |= begin;
        let sent_at = Instant::now();
        let span = tracing::debug_span!(
            target: "larder::trace",
            "statement",
            otel.name = statement.name,
            otel.kind = "client",
            db.operation.name = statement.name
        );
        let answer = connection.run(begin, text, values).instrument(span).await;
        self.observer.observe(Event::StatementEnded {
            context: self.context.name(),
            statement: statement.name,
            is_ok: answer.is_ok(),
            took: sent_at.elapsed(),
        });
        self.latch = match &answer {
            Ok(_) => Latch::Clear,
            Err(failure) if failure.kind == FailureKind::Lost => Latch::Lost,
            Err(_) => Latch::Failed,
        };
        answer.map_err(|failure| {
            tracing::debug!(statement = statement.name, error = %failure, kind = ?failure.kind, "statement failed");
            let error = failure.of_statement();
            self.end = end_of(&error);
            error
        })
    }

    /// Runs a statement that answers at most one row.
    pub async fn fetch_optional(
        &mut self,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Option<C::Row>, StorageError> {
        Ok(self.fetch(statement, values).await?.pop())
    }

    /// Runs a statement and tells whether it answered a row, which the writing ones do for each row they changed.
    pub async fn execute(&mut self, statement: &'static Statement, values: &[Value<'_>]) -> Result<bool, StorageError> {
        Ok(!self.fetch(statement, values).await?.is_empty())
    }

    /// The context whose store this unit works on.
    pub(crate) fn context(&self) -> Context {
        self.context
    }

    /// Takes the connection out for the last time.
    fn end(&mut self) -> Option<C> {
        self.connection.take()
    }
}

#[async_trait]
impl<C: Connection> UnitOfWork for Unit<C> {
    async fn commit(mut self: Box<Self>) -> Result<(), StorageError> {
        if self.latch != Latch::Clear {
            self.rollback().await?;
            return Err(StorageError::Aborted);
        }
        if self.is_open
            && let Some(connection) = self.connection.as_mut()
        {
            self.latch = Latch::InFlight;
            if let Err(failure) = connection.commit().await {
                // The connection is dropped with the unit, and so closed: nobody knows what is open on it.
                self.latch = Latch::Lost;
                let error = failure.of_commit();
                self.end = end_of(&error);
                return Err(error);
            }
            self.end = UnitEnd::Committed;
        }
        if let Some(connection) = self.end() {
            connection.give_back();
        }
        Ok(())
    }

    async fn rollback(mut self: Box<Self>) -> Result<(), StorageError> {
        let Some(mut connection) = self.end() else {
            return Ok(());
        };
        match self.latch {
            Latch::InFlight | Latch::Lost => {}
            Latch::Clear | Latch::Failed => {
                if self.is_open
                    && let Err(failure) = connection.rollback().await
                {
                    tracing::debug!(error = %failure, "rollback failed, the connection is closed");
                    return Ok(());
                }
                connection.give_back();
            }
        }
        Ok(())
    }
}

impl<C: Connection> Drop for Unit<C> {
    /// Rolls back in the background (rule 5). Where that can't be done cleanly, the connection is dropped, which closes it and
    /// makes the database roll back.
    fn drop(&mut self) {
        self.observer.observe(Event::UnitEnded {
            context: self.context.name(),
            end: self.end,
        });
        let Some(mut connection) = self.end() else { return };
        match self.latch {
            Latch::InFlight | Latch::Lost => {}
            Latch::Clear | Latch::Failed if !self.is_open => connection.give_back(),
            Latch::Clear | Latch::Failed => {
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    runtime.spawn(async move {
                        if let Ok(Ok(())) = tokio::time::timeout(ROLLBACK_PATIENCE, connection.rollback()).await {
                            connection.give_back();
                        }
                    });
                }
            }
        }
    }
}

/// How a unit ends in which this went wrong.
fn end_of(error: &StorageError) -> UnitEnd {
    match error {
        StorageError::Broken(_) => UnitEnd::RolledBack,
        StorageError::Contended => UnitEnd::Contended,
        _ => UnitEnd::Failed,
    }
}
