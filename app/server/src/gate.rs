//! A store is used only once its schema is known to fit the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use larder_ports::inbound::{ContextState, Readiness};
use larder_ports::outbound::{Access, Outage, Probe, StorageError, Store, UnitOfWork};

/// Whether a store may be used. Closed until the schema was seen (`CF-51`, `CF-53`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<AtomicBool>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn pass(&self) -> Result<(), StorageError> {
        if self.0.load(Ordering::Acquire) {
            Ok(())
        } else {
            let reason = "the schema was not seen yet, since the database is away, or it does not fit";
            Err(StorageError::Unavailable(Outage::Unreachable, Some(reason.into())))
        }
    }
}

/// A store behind a gate: unavailable until the gate is open.
#[derive(Clone)]
pub(crate) struct Gated<S> {
    pub(crate) store: S,
    pub(crate) gate: Gate,
}

#[async_trait]
impl<U: UnitOfWork + ?Sized, S: Store<U>> Store<U> for Gated<S> {
    async fn begin(&self, access: Access) -> Result<Box<U>, StorageError> {
        self.gate.pass()?;
        self.store.begin(access).await
    }
}

#[async_trait]
impl<S: Probe> Probe for Gated<S> {
    async fn probe(&self) -> Result<(), StorageError> {
        self.gate.pass()?;
        self.store.probe().await
    }
}

/// Stands for the store of a context that is disabled. Nobody asks it, since the paths of the context are not there.
pub(crate) struct Disabled;

impl Disabled {
    fn refuse<T>() -> Result<T, StorageError> {
        Err(StorageError::Unavailable(
            Outage::Unreachable,
            Some("the context is disabled".into()),
        ))
    }
}

#[async_trait]
impl<U: UnitOfWork + ?Sized> Store<U> for Disabled {
    async fn begin(&self, _: Access) -> Result<Box<U>, StorageError> {
        Self::refuse()
    }
}

#[async_trait]
impl Probe for Disabled {
    async fn probe(&self) -> Result<(), StorageError> {
        Self::refuse()
    }
}

/// Whether the service was asked to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopping(Arc<AtomicBool>);

impl Stopping {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Readiness that ends before the service does, so that nobody sends new requests to a service that stops (`CF-54`).
pub(crate) struct Draining<R> {
    pub(crate) inner: R,
    pub(crate) stopping: Stopping,
}

#[async_trait]
impl<R: Readiness> Readiness for Draining<R> {
    async fn states(&self) -> Vec<ContextState> {
        let mut states = self.inner.states().await;
        if self.stopping.0.load(Ordering::Acquire) {
            for state in &mut states {
                state.is_ready = false;
                state.is_optional = false;
            }
        }
        states
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ready;

    #[async_trait]
    impl Probe for Ready {
        async fn probe(&self) -> Result<(), StorageError> {
            Ok(())
        }
    }

    #[async_trait]
    impl Readiness for Ready {
        async fn states(&self) -> Vec<ContextState> {
            vec![ContextState {
                context: "chat",
                is_ready: true,
                is_optional: true,
            }]
        }
    }

    #[tokio::test]
    async fn cf_51_unavailable_until_the_gate_is_open() {
        let gated = Gated {
            store: Ready,
            gate: Gate::default(),
        };
        let closed = gated.probe().await;
        assert!(matches!(closed, Err(StorageError::Unavailable(Outage::Unreachable, _))));
        gated.gate.open();
        assert!(gated.probe().await.is_ok());
    }

    #[tokio::test]
    async fn cf_54_nothing_is_ready_once_the_service_stops() {
        let draining = Draining {
            inner: Ready,
            stopping: Stopping::default(),
        };
        assert!(draining.states().await[0].is_ready);
        draining.stopping.begin();
        let [state] = draining.states().await[..] else { panic!() };
        assert!(!state.is_ready && !state.is_optional);
    }
}
