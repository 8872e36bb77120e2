//! Whether the stores can be used.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use larder_ports::inbound::{ContextState, Readiness};
use larder_ports::outbound::Probe;

/// Asks the store of every context.
pub struct Probes {
    stores: Vec<Arc<dyn Probe>>,
    /// The name of a context and the index of its store.
    contexts: Vec<(&'static str, usize)>,
    /// Contexts without which the service is ready.
    optional: Vec<&'static str>,
    patience: Duration,
}

impl Probes {
    /// Each context with the probe of its store. Contexts that share one store hand in the same `Arc`: it is asked once.
    pub fn new(probes: Vec<(&'static str, Arc<dyn Probe>)>) -> Self {
        let mut stores: Vec<Arc<dyn Probe>> = Vec::new();
        let mut contexts = Vec::with_capacity(probes.len());
        for (context, probe) in probes {
            let known = stores.iter().position(|store| Arc::ptr_eq(store, &probe));
            let index = known.unwrap_or_else(|| {
                stores.push(probe);
                stores.len() - 1
            });
            contexts.push((context, index));
        }
        Self {
            stores,
            contexts,
            optional: Vec::new(),
            patience: Duration::from_secs(2),
        }
    }

    /// Without these contexts the service is ready all the same.
    #[must_use]
    pub fn with_optional(self, contexts: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            optional: contexts.into_iter().collect(),
            ..self
        }
    }

    /// Whether a store answers in time.
    async fn ask(&self, store: &dyn Probe) -> bool {
        match tokio::time::timeout(self.patience, store.probe()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a store is not ready");
                false
            }
            Err(_) => {
                tracing::warn!(patience = ?self.patience, "a store does not answer");
                false
            }
        }
    }
}

#[async_trait]
impl Readiness for Probes {
    async fn states(&self) -> Vec<ContextState> {
        let answers = join_all(self.stores.iter().map(|store| self.ask(store.as_ref()))).await;
        self.contexts
            .iter()
            .map(|&(context, store)| ContextState {
                context,
                is_ready: answers.get(store).is_some_and(|is_ready| *is_ready),
                is_optional: self.optional.contains(&context),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use larder_ports::outbound::StorageError;
    use tokio::sync::Barrier;

    use super::*;

    enum Behaviour {
        Answers,
        Fails,
        Hangs,
    }

    struct FakeStore(Behaviour, AtomicU32);

    #[async_trait]
    impl Probe for FakeStore {
        async fn probe(&self) -> Result<(), StorageError> {
            self.1.fetch_add(1, Ordering::SeqCst);
            match self.0 {
                Behaviour::Answers => Ok(()),
                Behaviour::Fails => Err(StorageError::Aborted),
                Behaviour::Hangs => std::future::pending().await,
            }
        }
    }

    fn store(behaviour: Behaviour) -> Arc<FakeStore> {
        Arc::new(FakeStore(behaviour, AtomicU32::new(0)))
    }

    #[tokio::test]
    async fn every_context_is_told_in_order_and_every_store_asked_once() {
        let (good, bad, silent) = (
            store(Behaviour::Answers),
            store(Behaviour::Fails),
            store(Behaviour::Hangs),
        );
        let probes = Probes {
            patience: Duration::from_millis(20),
            ..Probes::new(vec![
                ("identity", good.clone()),
                ("health", silent),
                ("chat", good.clone()),
                ("labs", bad),
            ])
            .with_optional(["labs"])
        };
        let states: Vec<_> = probes
            .states()
            .await
            .into_iter()
            .map(|state| (state.context, state.is_ready, state.is_optional))
            .collect();
        assert_eq!(
            states,
            [
                ("identity", true, false),
                ("health", false, false),
                ("chat", true, false),
                ("labs", false, true)
            ]
        );
        assert_eq!(good.1.load(Ordering::SeqCst), 1);
    }

    /// Answers when the others of its group are asked too.
    struct Together(Arc<Barrier>);

    #[async_trait]
    impl Probe for Together {
        async fn probe(&self) -> Result<(), StorageError> {
            self.0.wait().await;
            Ok(())
        }
    }

    #[tokio::test]
    async fn stores_are_asked_at_the_same_time() {
        let all = Arc::new(Barrier::new(3));
        let store = || -> Arc<dyn Probe> { Arc::new(Together(all.clone())) };
        let probes = Probes::new(vec![("identity", store()), ("chat", store()), ("labs", store())]);
        assert!(probes.states().await.iter().all(|state| state.is_ready));
    }
}
