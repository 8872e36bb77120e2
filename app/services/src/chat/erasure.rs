use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::OwnerId;
use larder_ports::outbound::chat::ChatUnit;
use larder_ports::outbound::{Access, ErasableContext, StorageError, Store};

/// Rows of one batch: enough to get on, few enough not to keep others waiting.
const BATCH: u32 = 500;

/// Deletes all that an owner has in conversations (`ID-44`).
pub struct ChatErasure(Arc<dyn Store<dyn ChatUnit>>);

impl ChatErasure {
    /// Over the store of conversations.
    pub fn new(store: Arc<dyn Store<dyn ChatUnit>>) -> Self {
        Self(store)
    }
}

#[async_trait]
impl ErasableContext for ChatErasure {
    fn name(&self) -> &'static str {
        "chat"
    }

    async fn erase_batch(&self, owner_id: OwnerId) -> Result<u64, StorageError> {
        let mut unit = self.0.begin(Access::Write).await?;
        let deleted = unit.owned_rows().erase(owner_id, BATCH).await?;
        unit.commit().await?;
        Ok(deleted)
    }
}
