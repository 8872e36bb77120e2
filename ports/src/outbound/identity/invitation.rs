use async_trait::async_trait;
use larder_domain::identity::Invitation;
use larder_domain::{Instant, InvitationId, OwnerId};

use crate::outbound::{Place, StorageError};

/// Permissions to sign up.
#[async_trait]
pub trait Invitations: Send {
    /// Stores a new invitation.
    async fn insert(&mut self, invitation: &Invitation) -> Result<(), StorageError>;

    /// The invitation with this id, in any state.
    async fn find(&mut self, id: InvitationId) -> Result<Option<Invitation>, StorageError>;

    /// Marks an invitation as used by `user_id` and answers `true`; answers `false`, and changes nothing, when it is used, revoked
    /// or expired at `now`. Of any number of parallel units exactly one that commits gets `true` (`ID-04`).
    async fn consume(&mut self, id: InvitationId, user_id: OwnerId, now: Instant) -> Result<bool, StorageError>;

    /// At most `limit` invitations after `after`, in any state, newest first, then by id from the highest.
    async fn list(&mut self, after: Option<Place>, limit: u32) -> Result<Vec<Invitation>, StorageError>;

    /// Revokes an invitation, unless it was used or revoked before; answers whether there is one.
    async fn revoke(&mut self, id: InvitationId, now: Instant) -> Result<bool, StorageError>;
}
