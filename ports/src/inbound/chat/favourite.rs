use async_trait::async_trait;
use larder_domain::chat::SessionHeader;
use larder_domain::{Day, Instant, MessageId, OwnerId};

use super::{EditMessageError, ListError, MessageTag, MessageView};
use crate::inbound::{Failure, Page, PageRequest};
use crate::outbound::Place;

/// Messages that a person marked.
#[async_trait]
pub trait FavouriteUseCases: Send + Sync {
    /// Marks a live message, or removes the mark. Nothing is written when it is so already (`CH-30`).
    async fn mark(
        &self,
        owner_id: OwnerId,
        id: MessageId,
        favourite: bool,
        if_match: Option<MessageTag>,
    ) -> Result<(), EditMessageError>;

    /// A page of the live favourites, newest message first (`CH-30`).
    async fn list(&self, owner_id: OwnerId, page: PageRequest) -> Result<Page<Favourite>, ListError>;

    /// The newest `most` live favourites (`CO-45`).
    async fn newest(&self, owner_id: OwnerId, most: u32) -> Result<NewestFavourites, Failure>;

    /// Starts an export (`CH-31`).
    async fn start_export(&self, owner_id: OwnerId) -> Result<Export, Failure>;

    /// The next favourites of an export behind `after`, oldest first; none at its end. As many as fit into memory at any time,
    /// whatever their number.
    async fn export(&self, owner_id: OwnerId, export: Export, after: Option<Place>) -> Result<Vec<Favourite>, Failure>;
}

/// The newest favourites.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewestFavourites {
    /// They, oldest first.
    pub favourites: Vec<Favourite>,
    /// Whether there are older ones.
    pub has_older: bool,
}

/// A marked message and what is said of its session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Favourite {
    /// The message as a reader sees it.
    pub message: MessageView,
    /// Its session.
    pub session: SessionHeader,
}

impl Favourite {
    /// Its place in an export.
    pub fn place(&self) -> Place {
        Place {
            at: self.message.message.created_at,
            id: self.message.message.id.0,
        }
    }
}

/// An export of favourites: of all live ones that were there when it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Export {
    /// When it started.
    pub exported_at: Instant,
    /// The person's day at that time.
    pub day: Day,
}
