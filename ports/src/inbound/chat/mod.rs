//! Conversations.

mod exchange;
mod favourite;
mod file;
mod message;
mod message_edit;
mod prompt;
mod search;
mod session;
mod summary;
mod tag;

pub use exchange::{ExchangeMerged, ExchangeUseCases, MergeExchange, MergeExchangeError, Side, SideMerged};
pub use favourite::{Export, Favourite, FavouriteUseCases, NewestFavourites};
pub use file::{AuditError, AuditFiles, AuditMessages, FileUseCases};
pub use message::{
    AppendError, ListMessages, ListMessagesError, MessageUseCases, MessageView, NewestMessages, Turn, TurnTaken,
    TurnTarget,
};
pub use message_edit::{
    AttachToMessage, ChangeMessage, DeleteMessage, EditMessageError, Grown, MessageEditUseCases, MessageStored,
    MessageTag, PutCondition, PutMessage,
};
pub use prompt::{ChangePrompt, ChangePromptError, CreatePromptError, PromptUseCases, RestorePromptError};
pub use search::{MessageHit, SearchError, SearchRequest, SearchUseCases};
pub use session::{
    ChangeSession, ChangeSessionError, CreateSessionError, RemovedSession, ResolveSession, ResolveSessionError,
    ResolvedSession, SessionUseCases,
};
pub use summary::{ChangeSummaryError, PutSummary, SummaryEntry, SummaryStored, SummaryUseCases, SummaryView};
pub use tag::{RenameTag, RenameTagError, TagUseCases};

pub use super::{ListError, NotFoundError};
