use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::chat::{Editor, MessagePatch};
use larder_domain::{MessageId, OwnerId, Patch};
use larder_ports::inbound::chat::{
    ChangeMessage, EditMessageError, Export, Favourite, FavouriteUseCases, ListError, MessageEditUseCases, MessageTag,
    NewestFavourites,
};
use larder_ports::inbound::{Clocks, Failure, Page, PageRequest};
use larder_ports::outbound::chat::ChatUnit;
use larder_ports::outbound::{Access, Clock, Place, Seal, Store};

use super::message::view;
use crate::cursor::Paging;
use crate::retry::{RetryPolicy, retrying, undo};

/// Favourites of one page of an export: few, since each may have half a million characters.
const EXPORT_PAGE: u32 = 20;

/// The use cases of favourites.
pub struct ChatFavourites {
    edits: Arc<dyn MessageEditUseCases>,
    store: Arc<dyn Store<dyn ChatUnit>>,
    clock: Arc<dyn Clock>,
    clocks: Arc<dyn Clocks>,
    seal: Arc<dyn Seal>,
    retry: RetryPolicy,
}

impl ChatFavourites {
    /// Over these ports. A mark is an edit of its message.
    pub fn new(
        edits: Arc<dyn MessageEditUseCases>,
        store: Arc<dyn Store<dyn ChatUnit>>,
        clock: Arc<dyn Clock>,
        clocks: Arc<dyn Clocks>,
        seal: Arc<dyn Seal>,
    ) -> Self {
        Self {
            edits,
            store,
            clock,
            clocks,
            seal,
            retry: RetryPolicy::default(),
        }
    }
}

#[async_trait]
impl FavouriteUseCases for ChatFavourites {
    async fn mark(
        &self,
        owner_id: OwnerId,
        id: MessageId,
        favourite: bool,
        if_match: Option<MessageTag>,
    ) -> Result<(), EditMessageError> {
        let change = ChangeMessage {
            id,
            session_id: None,
            sender_role: None,
            patch: MessagePatch {
                favourite: Patch::Set(favourite),
                ..MessagePatch::default()
            },
            touch: false,
            if_match,
            // A mark is metadata, of which no revision is kept.
            by: Editor::Login,
        };
        self.edits.change(owner_id, change).await.map(|_| ())
    }

    async fn list(&self, owner_id: OwnerId, page: PageRequest) -> Result<Page<Favourite>, ListError> {
        let now = self.clock.now();
        let paging: Paging<'_, Place> = Paging::new(self.seal.as_ref(), "chat.favourites", owner_id, b"", &page)?;
        retrying(&self.retry, "list favourites", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = unit
                .favourites()
                .newest(owner_id, paging.after(), paging.fetch())
                .await?;
            undo(unit).await;
            let favourites = rows.into_iter().map(|(message, session)| Favourite {
                message: view(message, now),
                session,
            });
            Ok(paging.page(favourites.collect(), Favourite::place))
        })
        .await
    }

    async fn newest(&self, owner_id: OwnerId, most: u32) -> Result<NewestFavourites, Failure> {
        let now = self.clock.now();
        retrying(&self.retry, "newest favourites", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let mut rows = unit.favourites().newest(owner_id, None, most.saturating_add(1)).await?;
            undo(unit).await;
            let has_older = rows.len() > most as usize;
            rows.truncate(most as usize);
            let favourites = rows.into_iter().rev().map(|(message, session)| Favourite {
                message: view(message, now),
                session,
            });
            Ok(NewestFavourites {
                favourites: favourites.collect(),
                has_older,
            })
        })
        .await
    }

    async fn start_export(&self, owner_id: OwnerId) -> Result<Export, Failure> {
        let exported_at = self.clock.now();
        let day = self.clocks.day_of(owner_id, exported_at).await?;
        Ok(Export { exported_at, day })
    }

    async fn export(&self, owner_id: OwnerId, export: Export, after: Option<Place>) -> Result<Vec<Favourite>, Failure> {
        retrying(&self.retry, "export favourites", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let until = export.exported_at;
            let rows = unit.favourites().oldest(owner_id, until, after, EXPORT_PAGE).await?;
            undo(unit).await;
            let favourites = rows.into_iter().map(|(message, session)| Favourite {
                message: view(message, until),
                session,
            });
            Ok(favourites.collect())
        })
        .await
    }
}
