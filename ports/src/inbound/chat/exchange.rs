use async_trait::async_trait;
use larder_domain::chat::{Editor, MessageDraft, MessagePatch, SenderRole, Session, SessionDraft, SessionPatch};
use larder_domain::{Invalid, MessageId, OwnerId, SessionId};

use super::{MessageView, NewestMessages};
use crate::inbound::Failure;

/// A question and its answer, stored together by a client that does not know which of them are stored already.
#[async_trait]
pub trait ExchangeUseCases: Send + Sync {
    /// Brings a session and one or both messages to what was sent, in one commit: what is there is changed by a merge patch, what is
    /// not there is inserted (`CO-22`). A repeated request whose sides have ids changes nothing more but `last_update`.
    ///
    /// Pointers of violations start at the request: `/question/text`, `/answer`, `/session/name`.
    async fn merge(&self, owner_id: OwnerId, exchange: MergeExchange) -> Result<ExchangeMerged, MergeExchangeError>;
}

/// A question and its answer as they are to be afterwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MergeExchange {
    /// The session; without it the one of the messages that are named, else a new one.
    ///
    /// An id that the owner never had is the id of the new session. One in the trash is answered as missing.
    pub session_id: Option<SessionId>,
    /// What a new session is made of; its own id does not count.
    pub new_session: SessionDraft,
    /// What changes on a session that is there.
    pub patch: SessionPatch,
    /// The first side.
    pub question: Option<Side>,
    /// The second side, behind the first where both are new.
    pub answer: Option<Side>,
    /// Whether the session's `last_update` moves.
    pub touch: bool,
    /// If set, at most so many of the session's newest messages are answered besides (`CO-06`).
    pub newest: Option<u32>,
    /// Who replaces content.
    pub by: Editor,
}

/// One message of an exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// Which message. In another session or in the trash it is answered as missing; one that the owner never had is the id of the
    /// new message. Without it the message is new.
    pub id: Option<MessageId>,
    /// What a new message is made of; its own id does not count.
    pub draft: MessageDraft,
    /// What changes on a message that is there.
    pub patch: MessagePatch,
    /// If sent, the role that a message that is there must have (`CH-15`).
    pub sender_role: Option<SenderRole>,
}

/// What an exchange came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExchangeMerged {
    /// The session afterwards.
    pub session: Session,
    /// Whether the session was made.
    pub is_new_session: bool,
    /// The first side, if it was sent.
    pub question: Option<SideMerged>,
    /// The second side, if it was sent.
    pub answer: Option<SideMerged>,
    /// The newest messages of the session, if they were asked for.
    pub newest: Option<NewestMessages>,
}

/// What one side of an exchange came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SideMerged {
    /// The message as it is now.
    pub view: MessageView,
    /// Whether it was inserted rather than changed.
    pub is_new: bool,
}

/// Why nothing of an exchange was stored.
#[derive(Debug, thiserror::Error)]
pub enum MergeExchangeError {
    /// What was sent breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The session is in the trash.
    #[error("the session is not found")]
    SessionNotFound,
    /// A message is in another session, or it or its session is in the trash.
    #[error("the message is not found")]
    MessageNotFound,
    /// A patch would end a message that has ended (`CH-82`).
    #[error("the message is not partial")]
    NotPartial,
    /// Not the caller's fault.
    #[error(transparent)]
    Failure(#[from] Failure),
}
