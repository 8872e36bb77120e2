//! Doubles of the ports for tests: mocks of every trait, a unit of work that follows a script, a clock and ids that are set.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::ExternalIdentityId;
use larder_domain::Instant;
use larder_domain::PromptId;
use larder_domain::chat::{Chunk, MessageEdit, Revision, SessionHeader};
use larder_domain::chat::{Message, MessageDraft, Session, SessionDraft};
use larder_domain::chat::{Prompt, PromptDraft, Summary, SummaryState, Tag};
use larder_domain::identity::{ApiToken, ApiTokenDraft, ErasedSubject, Erasure, InvitationDraft};
use larder_domain::identity::{ExternalClaims, ExternalIdentity};
use larder_domain::identity::{
    Invitation, Login, LoginName, LoginThrottle, Principal, RefreshToken, RevokeReason, User,
};
use larder_domain::search::Query;
use larder_domain::{ApiTokenId, ErasureId};
use larder_domain::{InvitationId, LoginId, MessageId, OwnerId, RefreshTokenId, SessionId, Version};
use mockall::mock;
use secrecy::SecretString;
use uuid::Uuid;

use crate::inbound::chat::{
    AppendError, ChangeSession, ChangeSessionError, CreateSessionError, ListError, ListMessages, ListMessagesError,
    MessageUseCases, MessageView, NotFoundError, SessionUseCases, Turn, TurnTaken,
};
use crate::inbound::chat::{
    AttachToMessage, ChangeMessage, DeleteMessage, EditMessageError, Export, Favourite, FavouriteUseCases, Grown,
    MessageEditUseCases, MessageStored, MessageTag, PutMessage,
};
use crate::inbound::chat::{
    AuditError, AuditFiles, AuditMessages, FileUseCases, MessageHit, NewestFavourites, RemovedSession, SearchError,
    SearchRequest, SearchUseCases,
};
use crate::inbound::chat::{
    ChangePrompt, ChangePromptError, ChangeSummaryError, CreatePromptError, PromptUseCases, PutSummary, RenameTag,
    RenameTagError, ResolveSession, ResolveSessionError, ResolvedSession, RestorePromptError, SummaryEntry,
    SummaryStored, SummaryUseCases, SummaryView, TagUseCases,
};
use crate::inbound::chat::{ExchangeMerged, ExchangeUseCases, MergeExchange, MergeExchangeError, NewestMessages};
use crate::inbound::identity::{
    AccountUseCases, Authentication, AuthenticationError, ChangeAccount, ChangeAccountError, ChangePassword,
    ChangePasswordError, ClientInfo, LogIn, LogInError, LogOutError, LoginUseCases, RefreshError, SignUp, SignUpError,
    SignedIn, Tokens,
};
use crate::inbound::identity::{
    ApiTokenUseCases, ChangeUser, ChangeUserError, CreateApiTokenError, CreateInvitationError, EraseAccount,
    EraseAccountError, ErasureUseCases, InvitationUseCases, NewApiToken, NewInvitation, SetPasswordError, UserUseCases,
};
use crate::inbound::identity::{ExternalIdentityUseCases, LinkError, UnlinkError};
use crate::inbound::{ContextState, Done, Failure, Once, Page, PageRequest, Readiness};
use crate::outbound::Deleted;
use crate::outbound::chat;
use crate::outbound::chat::{
    AuditedFile, FileFilter, FilePlace, Files, FoundMessage, MessageAudit, MessageScope, Search, SearchFilter,
};
use crate::outbound::chat::{ChatUnit, MessageFilter, Messages, Order, SessionFilter, Sessions};
use crate::outbound::chat::{Coverage, Prompts, Summaries, SummarisedSession, TagCount, Tags};
use crate::outbound::chat::{Favourites, Keeping, MessageEdits, Revisions};
use crate::outbound::identity::{ApiTokenState, ApiTokens, Erasures, UserFilter};
use crate::outbound::identity::{ExternalIdentities, KnownSubject, Subject};
use crate::outbound::identity::{IdentityUnit, Invitations, KnownToken, LoginThrottles, Logins, RefreshTokens, Users};
use crate::outbound::{
    Access, AccessClaims, Claim, Clock, HashingError, IdGenerator, IdempotencyKeys, PasswordHasher, Place, RequestKey,
    StorageError, Store, StoredAnswer, TokenError, TokenIssuer, TokenVerifier, UnitOfWork,
};
use crate::outbound::{ErasableContext, OwnedRows};
use crate::outbound::{Event, Observer};
use crate::outbound::{ExternalTokenError, ExternalTokenVerifier};

mock! {
    /// Mock of [`Sessions`].
    pub Sessions {}
    #[async_trait]
    impl Sessions for Sessions {
        async fn insert(&mut self, session: &Session) -> Result<(), StorageError>;
        async fn find(&mut self, owner_id: OwnerId, id: SessionId) -> Result<Option<Session>, StorageError>;
        async fn find_any(&mut self, owner_id: OwnerId, id: SessionId) -> Result<Option<Session>, StorageError>;
        async fn list(&mut self, owner_id: OwnerId, filter: &SessionFilter, after: Option<Place>, limit: u32) -> Result<Vec<Session>, StorageError>;
        async fn skip(&mut self, owner_id: OwnerId, filter: &SessionFilter, count: NonZeroU32) -> Result<Option<Place>, StorageError>;
        async fn update(&mut self, session: &Session, expected: Version) -> Result<bool, StorageError>;
        async fn delete(&mut self, owner_id: OwnerId, id: SessionId, expected: Option<Version>, now: Instant) -> Result<bool, StorageError>;
        async fn restore(&mut self, owner_id: OwnerId, id: SessionId, now: Instant) -> Result<Option<Session>, StorageError>;
        async fn purge(&mut self, owner_id: OwnerId, id: SessionId, expected: Option<Version>) -> Result<bool, StorageError>;
    }
}

mock! {
    /// Mock of [`Tags`].
    pub Tags {}
    #[async_trait]
    impl Tags for Tags {
        async fn list(&mut self, owner_id: OwnerId, after: Option<String>, limit: u32) -> Result<Vec<TagCount>, StorageError>;
        async fn rename(&mut self, owner_id: OwnerId, from: &Tag, to: &Tag, now: Instant) -> Result<Option<i64>, StorageError>;
    }
}

mock! {
    /// Mock of [`Prompts`].
    pub Prompts {}
    #[async_trait]
    impl Prompts for Prompts {
        async fn has_room(&mut self, owner_id: OwnerId, most: u32) -> Result<bool, StorageError>;
        async fn insert(&mut self, prompt: &Prompt) -> Result<(), StorageError>;
        async fn find(&mut self, owner_id: OwnerId, id: PromptId) -> Result<Option<Prompt>, StorageError>;
        async fn find_any(&mut self, owner_id: OwnerId, id: PromptId) -> Result<Option<Prompt>, StorageError>;
        async fn list(&mut self, owner_id: OwnerId, deleted: Deleted, after: Option<Place>, limit: u32) -> Result<Vec<Prompt>, StorageError>;
        async fn update(&mut self, prompt: &Prompt, expected: Version) -> Result<bool, StorageError>;
        async fn delete(&mut self, owner_id: OwnerId, id: PromptId, expected: Option<Version>, now: Instant) -> Result<bool, StorageError>;
        async fn restore(&mut self, owner_id: OwnerId, id: PromptId, now: Instant) -> Result<Option<Prompt>, StorageError>;
        async fn purge(&mut self, owner_id: OwnerId, id: PromptId, expected: Option<Version>) -> Result<bool, StorageError>;
    }
}

mock! {
    /// Mock of [`Summaries`].
    pub Summaries {}
    #[async_trait]
    impl Summaries for Summaries {
        async fn cover(&mut self, owner_id: OwnerId, session_id: SessionId, source: Option<i64>) -> Result<Coverage, StorageError>;
        async fn put(&mut self, summary: &Summary, expected: Option<Version>) -> Result<Option<(Summary, i64)>, StorageError>;
        async fn find(&mut self, owner_id: OwnerId, session_id: SessionId) -> Result<Option<(Summary, i64)>, StorageError>;
        async fn uncover(&mut self, owner_id: OwnerId, session_id: SessionId) -> Result<bool, StorageError>;
        async fn delete(&mut self, owner_id: OwnerId, session_id: SessionId, expected: Option<Version>) -> Result<bool, StorageError>;
        async fn list(&mut self, owner_id: OwnerId, state: Option<SummaryState>, config_version: i64, after: Option<Place>, limit: u32) -> Result<Vec<SummarisedSession>, StorageError>;
    }
}

mock! {
    /// Mock of [`Messages`].
    pub Messages {}
    #[async_trait]
    impl Messages for Messages {
        async fn append(&mut self, owner_id: OwnerId, session_id: SessionId, messages: &[Message], touch: bool, now: Instant) -> Result<Option<Session>, StorageError>;
        async fn find(&mut self, owner_id: OwnerId, id: MessageId) -> Result<Option<Message>, StorageError>;
        async fn newest_ids(&mut self, owner_id: OwnerId, session_id: SessionId, limit: u32) -> Result<Vec<MessageId>, StorageError>;
        async fn list(&mut self, owner_id: OwnerId, session_id: SessionId, filter: MessageFilter, order: Order, after: Option<i64>, limit: u32) -> Result<Option<Vec<Message>>, StorageError>;
        async fn newest(&mut self, owner_id: OwnerId, session_ids: &[SessionId], most: u32) -> Result<chat::NewestMessages, StorageError>;
    }
}

mock! {
    /// Mock of [`MessageEdits`].
    pub MessageEdits {}
    #[async_trait]
    impl MessageEdits for MessageEdits {
        async fn lock_session(&mut self, owner_id: OwnerId, session_id: SessionId) -> Result<bool, StorageError>;
        async fn lock(&mut self, owner_id: OwnerId, id: MessageId) -> Result<Option<Message>, StorageError>;
        async fn find_any(&mut self, owner_id: OwnerId, id: MessageId) -> Result<Option<Message>, StorageError>;
        async fn save(&mut self, edit: &MessageEdit, keeping: &Keeping) -> Result<(), StorageError>;
        async fn trash(&mut self, owner_id: OwnerId, session_id: SessionId, ids: &[MessageId], now: Instant) -> Result<Vec<MessageId>, StorageError>;
        async fn restore(&mut self, message: &Message) -> Result<(), StorageError>;
        async fn purge(&mut self, message: &Message, now: Instant) -> Result<(), StorageError>;
    }
}

mock! {
    /// Mock of [`Revisions`].
    pub Revisions {}
    #[async_trait]
    impl Revisions for Revisions {
        async fn list(&mut self, owner_id: OwnerId, id: MessageId, before: Option<i64>, limit: u32) -> Result<Option<Vec<Revision>>, StorageError>;
        async fn find(&mut self, owner_id: OwnerId, id: MessageId, revision: i64) -> Result<Option<Revision>, StorageError>;
    }
}

mock! {
    /// Mock of [`Files`].
    pub Files {}
    #[async_trait]
    impl Files for Files {
        async fn audit(&mut self, owner_id: OwnerId, filter: &FileFilter, after: Option<FilePlace>, limit: u32) -> Result<Vec<AuditedFile>, StorageError>;
        async fn messages(&mut self, owner_id: OwnerId, audit: &MessageAudit) -> Result<Vec<Message>, StorageError>;
    }
}

mock! {
    /// Mock of [`Search`].
    pub Search {}
    #[async_trait]
    impl Search for Search {
        async fn messages(&mut self, owner_id: OwnerId, query: &Query, filter: &SearchFilter, scope: MessageScope, after: Option<Place>, limit: u32) -> Result<Vec<(FoundMessage, Session)>, StorageError>;
        async fn sessions(&mut self, owner_id: OwnerId, query: &Query, filter: &SearchFilter, after: Option<Place>, limit: u32) -> Result<Vec<Session>, StorageError>;
    }
}

mock! {
    /// Mock of [`FileUseCases`].
    pub FileUseCases {}
    #[async_trait]
    impl FileUseCases for FileUseCases {
        async fn audit(&self, owner_id: OwnerId, request: AuditFiles, page: PageRequest) -> Result<Page<AuditedFile>, AuditError>;
        async fn audit_messages(&self, owner_id: OwnerId, request: AuditMessages) -> Result<Vec<Message>, AuditError>;
    }
}

mock! {
    /// Mock of [`SearchUseCases`].
    pub SearchUseCases {}
    #[async_trait]
    impl SearchUseCases for SearchUseCases {
        async fn messages(&self, owner_id: OwnerId, request: SearchRequest, scope: MessageScope, page: PageRequest) -> Result<Page<MessageHit>, SearchError>;
        async fn sessions(&self, owner_id: OwnerId, request: SearchRequest, page: PageRequest) -> Result<Page<Session>, SearchError>;
    }
}

mock! {
    /// Mock of [`Favourites`].
    pub Favourites {}
    #[async_trait]
    impl Favourites for Favourites {
        async fn newest(&mut self, owner_id: OwnerId, after: Option<Place>, limit: u32) -> Result<Vec<(Message, SessionHeader)>, StorageError>;
        async fn oldest(&mut self, owner_id: OwnerId, until: Instant, after: Option<Place>, limit: u32) -> Result<Vec<(Message, SessionHeader)>, StorageError>;
    }
}

mock! {
    /// Mock of [`Users`].
    pub Users {}
    #[async_trait]
    impl Users for Users {
        async fn claim_first(&mut self, id: OwnerId) -> Result<bool, StorageError>;
        async fn any_ever(&mut self) -> Result<bool, StorageError>;
        async fn insert(&mut self, user: &User) -> Result<(), StorageError>;
        async fn find_by_login_name(&mut self, name: &LoginName) -> Result<Option<User>, StorageError>;
        async fn find(&mut self, id: OwnerId) -> Result<Option<User>, StorageError>;
        async fn update(&mut self, user: &User, expected: Version) -> Result<bool, StorageError>;
        async fn note_login(&mut self, id: OwnerId, at: Instant) -> Result<(), StorageError>;
        async fn list(&mut self, filter: UserFilter, after: Option<Place>, limit: u32) -> Result<Vec<User>, StorageError>;
        async fn lock(&mut self, id: OwnerId) -> Result<bool, StorageError>;
        async fn lock_admins(&mut self) -> Result<(), StorageError>;
        async fn has_other_admin(&mut self, id: OwnerId) -> Result<bool, StorageError>;
    }
}

mock! {
    /// Mock of [`ApiTokens`].
    pub ApiTokens {}
    #[async_trait]
    impl ApiTokens for ApiTokens {
        async fn insert(&mut self, token: &ApiToken) -> Result<(), StorageError>;
        async fn find(&mut self, owner_id: OwnerId, id: ApiTokenId) -> Result<Option<ApiToken>, StorageError>;
        async fn find_with_user(&mut self, owner_id: OwnerId, id: ApiTokenId) -> Result<Option<(ApiToken, User)>, StorageError>;
        async fn list(&mut self, owner_id: OwnerId, state: ApiTokenState, now: Instant, after: Option<Place>, limit: u32) -> Result<Vec<ApiToken>, StorageError>;
        async fn count_active(&mut self, owner_id: OwnerId, now: Instant) -> Result<u32, StorageError>;
        async fn retire(&mut self, owner_id: OwnerId, now: Instant) -> Result<(), StorageError>;
        async fn revoke(&mut self, owner_id: OwnerId, id: ApiTokenId, now: Instant) -> Result<bool, StorageError>;
        async fn revoke_all(&mut self, owner_id: OwnerId, now: Instant) -> Result<(), StorageError>;
        async fn note_use(&mut self, owner_id: OwnerId, id: ApiTokenId, now: Instant, before: Instant) -> Result<(), StorageError>;
    }
}

mock! {
    /// Mock of [`Erasures`].
    pub Erasures {}
    #[async_trait]
    impl Erasures for Erasures {
        async fn insert(&mut self, erasure: &Erasure) -> Result<(), StorageError>;
        async fn find(&mut self, id: ErasureId) -> Result<Option<Erasure>, StorageError>;
        async fn find_running_of(&mut self, user_id: OwnerId) -> Result<Option<Erasure>, StorageError>;
        async fn list_running(&mut self, limit: u32) -> Result<Vec<Erasure>, StorageError>;
        async fn advance(&mut self, erasure: &Erasure, read: &Erasure) -> Result<bool, StorageError>;
        async fn subjects_of(&mut self, user_id: OwnerId) -> Result<Vec<(String, String)>, StorageError>;
        async fn delete_account(&mut self, user_id: OwnerId) -> Result<(), StorageError>;
        async fn remember(&mut self, subject: &ErasedSubject) -> Result<(), StorageError>;
        async fn was_erased(&mut self, user_id: OwnerId) -> Result<bool, StorageError>;
    }
}

mock! {
    /// Mock of [`OwnedRows`].
    pub OwnedRows {}
    #[async_trait]
    impl OwnedRows for OwnedRows {
        async fn erase(&mut self, owner_id: OwnerId, limit: u32) -> Result<u64, StorageError>;
    }
}

mock! {
    /// Mock of [`ErasableContext`].
    pub ErasableContext {}
    #[async_trait]
    impl ErasableContext for ErasableContext {
        fn name(&self) -> &'static str;
        async fn erase_batch(&self, owner_id: OwnerId) -> Result<u64, StorageError>;
    }
}

mock! {
    /// Mock of [`Logins`].
    pub Logins {}
    #[async_trait]
    impl Logins for Logins {
        async fn insert(&mut self, login: &Login) -> Result<(), StorageError>;
        async fn find_with_user(&mut self, owner_id: OwnerId, id: LoginId) -> Result<Option<(Login, User)>, StorageError>;
        async fn evict(&mut self, owner_id: OwnerId, keep: u32, now: Instant) -> Result<Vec<LoginId>, StorageError>;
        async fn sweep(&mut self, owner_id: OwnerId, before: Instant) -> Result<(), StorageError>;
        async fn touch_by_token(&mut self, owner_id: OwnerId, token_id: RefreshTokenId, now: Instant) -> Result<Option<Login>, StorageError>;
        async fn list(&mut self, owner_id: OwnerId, now: Instant, after: Option<Place>, limit: u32) -> Result<Vec<Login>, StorageError>;
        async fn revoke(&mut self, owner_id: OwnerId, id: LoginId, reason: RevokeReason, now: Instant) -> Result<bool, StorageError>;
        async fn revoke_all(&mut self, owner_id: OwnerId, reason: RevokeReason, now: Instant) -> Result<Vec<LoginId>, StorageError>;
    }
}

mock! {
    /// Mock of [`RefreshTokens`].
    pub RefreshTokens {}
    #[async_trait]
    impl RefreshTokens for RefreshTokens {
        async fn insert(&mut self, token: &RefreshToken) -> Result<(), StorageError>;
        async fn find_with_user(&mut self, owner_id: OwnerId, id: RefreshTokenId) -> Result<Option<KnownToken>, StorageError>;
        async fn rotate(&mut self, presented: RefreshTokenId, successor: &RefreshToken) -> Result<(), StorageError>;
    }
}

mock! {
    /// Mock of [`LoginThrottles`].
    pub LoginThrottles {}
    #[async_trait]
    impl LoginThrottles for LoginThrottles {
        async fn lock(&mut self, key: &[u8; 32], now: Instant) -> Result<LoginThrottle, StorageError>;
        async fn update(&mut self, key: &[u8; 32], throttle: &LoginThrottle) -> Result<(), StorageError>;
        async fn reset(&mut self, key: &[u8; 32]) -> Result<(), StorageError>;
        async fn sweep(&mut self, before: Instant) -> Result<(), StorageError>;
    }
}

mock! {
    /// Mock of [`ExternalIdentities`].
    pub ExternalIdentities {}
    #[async_trait]
    impl ExternalIdentities for ExternalIdentities {
        async fn insert(&mut self, identity: &ExternalIdentity) -> Result<(), StorageError>;
        async fn find_with_user(&mut self, subject: &Subject) -> Result<Option<KnownSubject>, StorageError>;
        async fn erased_at(&mut self, subject: &Subject) -> Result<Option<Instant>, StorageError>;
        async fn list(&mut self, user_id: OwnerId, after: Option<ExternalIdentityId>, limit: u32) -> Result<Vec<ExternalIdentity>, StorageError>;
        async fn has_others(&mut self, user_id: OwnerId, id: ExternalIdentityId) -> Result<bool, StorageError>;
        async fn delete(&mut self, user_id: OwnerId, id: ExternalIdentityId) -> Result<Option<ExternalIdentity>, StorageError>;
        async fn note_sight(&mut self, identity: &ExternalIdentity) -> Result<(), StorageError>;
    }
}

mock! {
    /// Mock of [`Invitations`].
    pub Invitations {}
    #[async_trait]
    impl Invitations for Invitations {
        async fn insert(&mut self, invitation: &Invitation) -> Result<(), StorageError>;
        async fn find(&mut self, id: InvitationId) -> Result<Option<Invitation>, StorageError>;
        async fn consume(&mut self, id: InvitationId, user_id: OwnerId, now: Instant) -> Result<bool, StorageError>;
        async fn list(&mut self, after: Option<Place>, limit: u32) -> Result<Vec<Invitation>, StorageError>;
        async fn revoke(&mut self, id: InvitationId, now: Instant) -> Result<bool, StorageError>;
    }
}

mock! {
    /// Mock of [`IdempotencyKeys`].
    pub IdempotencyKeys {}
    #[async_trait]
    impl IdempotencyKeys for IdempotencyKeys {
        async fn claim(&mut self, owner_id: OwnerId, request: &RequestKey, now: Instant, expired: Instant) -> Result<Claim, StorageError>;
        async fn keep(&mut self, owner_id: OwnerId, key: &str, answer: &StoredAnswer, expired: Instant) -> Result<(), StorageError>;
    }
}

mock! {
    /// Mock of [`PasswordHasher`].
    pub PasswordHasher {}
    #[async_trait]
    impl PasswordHasher for PasswordHasher {
        async fn hash(&self, password: &SecretString) -> Result<String, HashingError>;
        async fn verify(&self, password: &SecretString, hash: Option<String>) -> Result<bool, HashingError>;
        fn is_outdated(&self, hash: &str) -> bool;
    }
}

mock! {
    /// Mock of [`TokenIssuer`].
    pub TokenIssuer {}
    impl TokenIssuer for TokenIssuer {
        fn issue(&self, claims: &AccessClaims) -> Result<SecretString, TokenError>;
    }
}

mock! {
    /// Mock of [`TokenVerifier`].
    pub TokenVerifier {}
    impl TokenVerifier for TokenVerifier {
        fn verify(&self, token: &str, now: Instant) -> Result<AccessClaims, TokenError>;
    }
}

mock! {
    /// Mock of [`ExternalTokenVerifier`].
    pub ExternalTokenVerifier {}
    #[async_trait]
    impl ExternalTokenVerifier for ExternalTokenVerifier {
        async fn verify(&self, token: &str, now: Instant) -> Result<ExternalClaims, ExternalTokenError>;
    }
}

mock! {
    /// Mock of [`ExternalIdentityUseCases`].
    pub ExternalIdentityUseCases {}
    #[async_trait]
    impl ExternalIdentityUseCases for ExternalIdentityUseCases {
        async fn list(&self, caller: &Principal, page: PageRequest) -> Result<Page<ExternalIdentity>, ListError>;
        async fn link(&self, caller: &Principal, token: &SecretString, once: Option<Once<ExternalIdentity>>) -> Result<Done<ExternalIdentity>, LinkError>;
        async fn unlink(&self, caller: &Principal, id: ExternalIdentityId) -> Result<(), UnlinkError>;
    }
}

mock! {
    /// Mock of [`SessionUseCases`].
    pub SessionUseCases {}
    #[async_trait]
    impl SessionUseCases for SessionUseCases {
        async fn create(&self, owner_id: OwnerId, draft: SessionDraft) -> Result<Session, CreateSessionError>;
        async fn create_once(&self, owner_id: OwnerId, draft: SessionDraft, once: Once<Session>) -> Result<Done<Session>, CreateSessionError>;
        async fn list(&self, owner_id: OwnerId, filter: SessionFilter, page: PageRequest) -> Result<Page<Session>, ListError>;
        async fn list_from(&self, owner_id: OwnerId, filter: SessionFilter, offset: u32, limit: u32) -> Result<Page<Session>, ListError>;
        async fn get(&self, owner_id: OwnerId, id: SessionId) -> Result<Session, NotFoundError>;
        async fn change(&self, owner_id: OwnerId, change: ChangeSession) -> Result<Session, ChangeSessionError>;
        async fn delete(&self, owner_id: OwnerId, id: SessionId, if_match: Option<Version>) -> Result<(), ChangeSessionError>;
        async fn remove(&self, owner_id: OwnerId, id: SessionId, most: u32) -> Result<RemovedSession, NotFoundError>;
        async fn purge(&self, owner_id: OwnerId, id: SessionId, if_match: Option<Version>) -> Result<(), ChangeSessionError>;
        async fn restore(&self, owner_id: OwnerId, id: SessionId) -> Result<Session, NotFoundError>;
        async fn resolve(&self, owner_id: OwnerId, request: ResolveSession) -> Result<ResolvedSession, ResolveSessionError>;
    }
}

mock! {
    /// Mock of [`TagUseCases`].
    pub TagUseCases {}
    #[async_trait]
    impl TagUseCases for TagUseCases {
        async fn list(&self, owner_id: OwnerId, page: PageRequest) -> Result<Page<TagCount>, ListError>;
        async fn rename(&self, owner_id: OwnerId, rename: RenameTag) -> Result<i64, RenameTagError>;
    }
}

mock! {
    /// Mock of [`PromptUseCases`].
    pub PromptUseCases {}
    #[async_trait]
    impl PromptUseCases for PromptUseCases {
        async fn create(&self, owner_id: OwnerId, draft: PromptDraft) -> Result<Prompt, CreatePromptError>;
        async fn create_once(&self, owner_id: OwnerId, draft: PromptDraft, once: Once<Prompt>) -> Result<Done<Prompt>, CreatePromptError>;
        async fn list(&self, owner_id: OwnerId, deleted: Deleted, page: PageRequest) -> Result<Page<Prompt>, ListError>;
        async fn all(&self, owner_id: OwnerId) -> Result<Vec<Prompt>, Failure>;
        async fn get(&self, owner_id: OwnerId, id: PromptId) -> Result<Prompt, NotFoundError>;
        async fn change(&self, owner_id: OwnerId, change: ChangePrompt) -> Result<Prompt, ChangePromptError>;
        async fn delete(&self, owner_id: OwnerId, id: PromptId, if_match: Option<Version>) -> Result<(), ChangePromptError>;
        async fn purge(&self, owner_id: OwnerId, id: PromptId, if_match: Option<Version>) -> Result<(), ChangePromptError>;
        async fn restore(&self, owner_id: OwnerId, id: PromptId) -> Result<Prompt, RestorePromptError>;
    }
}

mock! {
    /// Mock of [`SummaryUseCases`].
    pub SummaryUseCases {}
    #[async_trait]
    impl SummaryUseCases for SummaryUseCases {
        async fn get(&self, owner_id: OwnerId, session_id: SessionId) -> Result<SummaryView, NotFoundError>;
        async fn put(&self, owner_id: OwnerId, put: PutSummary) -> Result<SummaryStored, ChangeSummaryError>;
        async fn delete(&self, owner_id: OwnerId, session_id: SessionId, if_match: Option<Version>) -> Result<(), ChangeSummaryError>;
        async fn list(&self, owner_id: OwnerId, state: Option<SummaryState>, page: PageRequest) -> Result<Page<SummaryEntry>, ListError>;
    }
}

mock! {
    /// Mock of [`MessageUseCases`].
    pub MessageUseCases {}
    #[async_trait]
    impl MessageUseCases for MessageUseCases {
        async fn append(&self, owner_id: OwnerId, session_id: SessionId, draft: MessageDraft, touch: bool) -> Result<MessageView, AppendError>;
        async fn take_turn(&self, owner_id: OwnerId, turn: Turn) -> Result<TurnTaken, AppendError>;
        async fn take_turn_once(&self, owner_id: OwnerId, turn: Turn, once: Once<TurnTaken>) -> Result<Done<TurnTaken>, AppendError>;
        async fn append_once(&self, owner_id: OwnerId, session_id: SessionId, draft: MessageDraft, touch: bool, once: Once<MessageView>) -> Result<Done<MessageView>, AppendError>;
        async fn get(&self, owner_id: OwnerId, id: MessageId) -> Result<MessageView, NotFoundError>;
        async fn list(&self, owner_id: OwnerId, request: ListMessages) -> Result<Page<MessageView>, ListMessagesError>;
        async fn newest(&self, owner_id: OwnerId, session_ids: Vec<SessionId>, most: u32) -> Result<NewestMessages, Failure>;
    }
}

mock! {
    /// Mock of [`ExchangeUseCases`].
    pub ExchangeUseCases {}
    #[async_trait]
    impl ExchangeUseCases for ExchangeUseCases {
        async fn merge(&self, owner_id: OwnerId, exchange: MergeExchange) -> Result<ExchangeMerged, MergeExchangeError>;
    }
}

mock! {
    /// Mock of [`MessageEditUseCases`].
    pub MessageEditUseCases {}
    #[async_trait]
    impl MessageEditUseCases for MessageEditUseCases {
        async fn change(&self, owner_id: OwnerId, change: ChangeMessage) -> Result<MessageView, EditMessageError>;
        async fn put(&self, owner_id: OwnerId, put: PutMessage) -> Result<MessageStored, EditMessageError>;
        async fn attach(&self, owner_id: OwnerId, attach: AttachToMessage) -> Result<MessageView, EditMessageError>;
        async fn grow(&self, owner_id: OwnerId, id: MessageId, chunk: Chunk) -> Result<Grown, EditMessageError>;
        async fn delete(&self, owner_id: OwnerId, delete: DeleteMessage) -> Result<(), EditMessageError>;
        async fn restore(&self, owner_id: OwnerId, id: MessageId) -> Result<MessageView, NotFoundError>;
        async fn delete_batch(&self, owner_id: OwnerId, session_id: SessionId, ids: Vec<MessageId>) -> Result<Vec<MessageId>, EditMessageError>;
        async fn revisions(&self, owner_id: OwnerId, id: MessageId, page: PageRequest) -> Result<Page<Revision>, ListMessagesError>;
        async fn revision(&self, owner_id: OwnerId, id: MessageId, revision: i64) -> Result<Revision, NotFoundError>;
    }
}

mock! {
    /// Mock of [`FavouriteUseCases`].
    pub FavouriteUseCases {}
    #[async_trait]
    impl FavouriteUseCases for FavouriteUseCases {
        async fn mark(&self, owner_id: OwnerId, id: MessageId, favourite: bool, if_match: Option<MessageTag>) -> Result<(), EditMessageError>;
        async fn list(&self, owner_id: OwnerId, page: PageRequest) -> Result<Page<Favourite>, ListError>;
        async fn newest(&self, owner_id: OwnerId, most: u32) -> Result<NewestFavourites, Failure>;
        async fn start_export(&self, owner_id: OwnerId) -> Result<Export, Failure>;
        async fn export(&self, owner_id: OwnerId, export: Export, after: Option<Place>) -> Result<Vec<Favourite>, Failure>;
    }
}

mock! {
    /// Mock of [`AccountUseCases`].
    pub AccountUseCases {}
    #[async_trait]
    impl AccountUseCases for AccountUseCases {
        async fn sign_up(&self, request: SignUp, client: ClientInfo) -> Result<SignedIn, SignUpError>;
        async fn create(&self, request: SignUp) -> Result<User, SignUpError>;
        async fn log_in(&self, request: LogIn, client: ClientInfo) -> Result<SignedIn, LogInError>;
        async fn log_in_compat(&self, request: LogIn, client: ClientInfo) -> Result<SignedIn, LogInError>;
        async fn account(&self, caller: &Principal) -> Result<User, Failure>;
        async fn change(&self, caller: &Principal, change: ChangeAccount) -> Result<User, ChangeAccountError>;
        async fn change_password(&self, caller: &Principal, change: ChangePassword, client: ClientInfo) -> Result<Tokens, ChangePasswordError>;
    }
}

mock! {
    /// Mock of [`LoginUseCases`].
    pub LoginUseCases {}
    #[async_trait]
    impl LoginUseCases for LoginUseCases {
        async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, RefreshError>;
        async fn log_out(&self, caller: &Principal, all: bool) -> Result<(), LogOutError>;
        async fn list(&self, caller: &Principal, page: PageRequest) -> Result<Page<Login>, ListError>;
        async fn end(&self, caller: &Principal, id: LoginId) -> Result<(), NotFoundError>;
    }
}

mock! {
    /// Mock of [`ApiTokenUseCases`].
    pub ApiTokenUseCases {}
    #[async_trait]
    impl ApiTokenUseCases for ApiTokenUseCases {
        async fn create(&self, owner_id: OwnerId, draft: ApiTokenDraft, once: Option<Once<ApiToken>>) -> Result<Done<NewApiToken>, CreateApiTokenError>;
        async fn list(&self, owner_id: OwnerId, state: ApiTokenState, page: PageRequest) -> Result<Page<ApiToken>, ListError>;
        async fn get(&self, owner_id: OwnerId, id: ApiTokenId) -> Result<ApiToken, NotFoundError>;
        async fn revoke(&self, owner_id: OwnerId, id: ApiTokenId) -> Result<(), NotFoundError>;
    }
}

mock! {
    /// Mock of [`InvitationUseCases`].
    pub InvitationUseCases {}
    #[async_trait]
    impl InvitationUseCases for InvitationUseCases {
        async fn create(&self, admin: OwnerId, draft: InvitationDraft, once: Option<Once<Invitation>>) -> Result<Done<NewInvitation>, CreateInvitationError>;
        async fn list(&self, admin: OwnerId, page: PageRequest) -> Result<Page<Invitation>, ListError>;
        async fn revoke(&self, id: InvitationId) -> Result<(), NotFoundError>;
    }
}

mock! {
    /// Mock of [`UserUseCases`].
    pub UserUseCases {}
    #[async_trait]
    impl UserUseCases for UserUseCases {
        async fn list(&self, admin: OwnerId, filter: UserFilter, page: PageRequest) -> Result<Page<User>, ListError>;
        async fn get(&self, id: OwnerId) -> Result<User, NotFoundError>;
        async fn change(&self, change: ChangeUser) -> Result<User, ChangeUserError>;
        async fn set_password(&self, login: &str, password: &SecretString) -> Result<User, SetPasswordError>;
        async fn promote(&self, login: &str) -> Result<User, NotFoundError>;
    }
}

mock! {
    /// Mock of [`ErasureUseCases`].
    pub ErasureUseCases {}
    #[async_trait]
    impl ErasureUseCases for ErasureUseCases {
        async fn start(&self, caller: &Principal, request: EraseAccount) -> Result<Erasure, EraseAccountError>;
        async fn get(&self, id: ErasureId) -> Result<Erasure, NotFoundError>;
    }
}

mock! {
    /// Mock of [`Authentication`].
    pub Authentication {}
    #[async_trait]
    impl Authentication for Authentication {
        async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticationError>;
    }
}

mock! {
    /// Mock of [`Readiness`].
    pub Readiness {}
    #[async_trait]
    impl Readiness for Readiness {
        async fn states(&self) -> Vec<ContextState>;
    }
}

/// How a scripted unit ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// By `commit`, whatever it answered.
    Committed,
    /// By `rollback`.
    RolledBack,
    /// By being dropped.
    Dropped,
}

/// A unit of work whose repositories are mocks and whose commit answers what the test says.
pub struct ScriptedUnit<R> {
    /// The mocked repositories: [`ChatMocks`] or [`IdentityMocks`].
    pub mocks: R,
    commit: Option<Result<(), StorageError>>,
    endings: Arc<Mutex<Vec<Ending>>>,
}

/// The repositories of a chat unit.
#[derive(Default)]
pub struct ChatMocks {
    /// Conversations.
    pub sessions: MockSessions,
    /// The labels on them.
    pub tags: MockTags,
    /// Saved templates.
    pub prompts: MockPrompts,
    /// Digests of conversations.
    pub summaries: MockSummaries,
    /// Messages.
    pub messages: MockMessages,
    /// Writes to messages.
    pub message_edits: MockMessageEdits,
    /// What messages said before.
    pub revisions: MockRevisions,
    /// Marked messages.
    pub favourites: MockFavourites,
    /// What is attached to messages.
    pub files: MockFiles,
    /// Search.
    pub search: MockSearch,
    /// All that an owner has.
    pub owned_rows: MockOwnedRows,
    /// Answers of repeatable requests.
    pub idempotency: MockIdempotencyKeys,
}

/// The repositories of an identity unit.
#[derive(Default)]
pub struct IdentityMocks {
    /// Accounts.
    pub users: MockUsers,
    /// Logins.
    pub logins: MockLogins,
    /// What keeps them signed in.
    pub refresh_tokens: MockRefreshTokens,
    /// Counters of attempts to log in.
    pub login_throttles: MockLoginThrottles,
    /// API tokens.
    pub api_tokens: MockApiTokens,
    /// Erasures.
    pub erasures: MockErasures,
    /// Subjects of external issuers.
    pub external_identities: MockExternalIdentities,
    /// Invitations.
    pub invitations: MockInvitations,
    /// Answers of repeatable requests.
    pub idempotency: MockIdempotencyKeys,
}

impl<R> ScriptedUnit<R> {
    fn end(&mut self, ending: Ending) {
        if self.commit.is_some() {
            self.endings
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .push(ending);
        }
    }
}

impl<R> Drop for ScriptedUnit<R> {
    fn drop(&mut self) {
        self.end(Ending::Dropped);
    }
}

#[async_trait]
impl<R: Send> UnitOfWork for ScriptedUnit<R> {
    async fn commit(mut self: Box<Self>) -> Result<(), StorageError> {
        self.end(Ending::Committed);
        self.commit.take().unwrap_or(Ok(()))
    }

    async fn rollback(mut self: Box<Self>) -> Result<(), StorageError> {
        self.end(Ending::RolledBack);
        self.commit = None;
        Ok(())
    }
}

impl ChatUnit for ScriptedUnit<ChatMocks> {
    fn sessions(&mut self) -> &mut dyn Sessions {
        &mut self.mocks.sessions
    }

    fn tags(&mut self) -> &mut dyn Tags {
        &mut self.mocks.tags
    }

    fn prompts(&mut self) -> &mut dyn Prompts {
        &mut self.mocks.prompts
    }

    fn summaries(&mut self) -> &mut dyn Summaries {
        &mut self.mocks.summaries
    }

    fn messages(&mut self) -> &mut dyn Messages {
        &mut self.mocks.messages
    }

    fn message_edits(&mut self) -> &mut dyn MessageEdits {
        &mut self.mocks.message_edits
    }

    fn revisions(&mut self) -> &mut dyn Revisions {
        &mut self.mocks.revisions
    }

    fn favourites(&mut self) -> &mut dyn Favourites {
        &mut self.mocks.favourites
    }

    fn files(&mut self) -> &mut dyn Files {
        &mut self.mocks.files
    }

    fn search(&mut self) -> &mut dyn Search {
        &mut self.mocks.search
    }

    fn owned_rows(&mut self) -> &mut dyn OwnedRows {
        &mut self.mocks.owned_rows
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys {
        &mut self.mocks.idempotency
    }
}

impl IdentityUnit for ScriptedUnit<IdentityMocks> {
    fn users(&mut self) -> &mut dyn Users {
        &mut self.mocks.users
    }

    fn logins(&mut self) -> &mut dyn Logins {
        &mut self.mocks.logins
    }

    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokens {
        &mut self.mocks.refresh_tokens
    }

    fn login_throttles(&mut self) -> &mut dyn LoginThrottles {
        &mut self.mocks.login_throttles
    }

    fn external_identities(&mut self) -> &mut dyn ExternalIdentities {
        &mut self.mocks.external_identities
    }

    fn invitations(&mut self) -> &mut dyn Invitations {
        &mut self.mocks.invitations
    }

    fn api_tokens(&mut self) -> &mut dyn ApiTokens {
        &mut self.mocks.api_tokens
    }

    fn erasures(&mut self) -> &mut dyn Erasures {
        &mut self.mocks.erasures
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys {
        &mut self.mocks.idempotency
    }
}

/// What the next `begin` answers: the mocks of a unit and the answer of its commit, or a failure.
type Planned<R> = Result<(R, Result<(), StorageError>), StorageError>;

/// A store that hands out prepared units, one after another, and remembers how each was opened and how it ended.
pub struct ScriptedStore<R> {
    script: Mutex<VecDeque<Planned<R>>>,
    opened: Mutex<Vec<Access>>,
    endings: Arc<Mutex<Vec<Ending>>>,
}

impl<R> Default for ScriptedStore<R> {
    fn default() -> Self {
        Self {
            script: Mutex::default(),
            opened: Mutex::default(),
            endings: Arc::default(),
        }
    }
}

impl<R> ScriptedStore<R> {
    /// The next unit uses these mocks and commits successfully.
    #[must_use]
    pub fn unit(self, mocks: R) -> Self {
        self.unit_committing(mocks, Ok(()))
    }

    /// The next unit uses these mocks and its commit answers `commit`.
    #[must_use]
    pub fn unit_committing(self, mocks: R, commit: Result<(), StorageError>) -> Self {
        lock(&self.script).push_back(Ok((mocks, commit)));
        self
    }

    /// The next `begin` fails.
    #[must_use]
    pub fn failing(self, error: StorageError) -> Self {
        lock(&self.script).push_back(Err(error));
        self
    }

    /// How units were opened, in order.
    pub fn opened(&self) -> Vec<Access> {
        lock(&self.opened).clone()
    }

    /// How units ended, in order.
    pub fn endings(&self) -> Vec<Ending> {
        lock(&self.endings).clone()
    }

    fn next(&self, access: Access) -> Result<Box<ScriptedUnit<R>>, StorageError> {
        lock(&self.opened).push(access);
        let next = lock(&self.script).pop_front();
        let (mocks, commit) =
            next.unwrap_or_else(|| Err(StorageError::Internal("the script has no further unit".into())))?;
        Ok(Box::new(ScriptedUnit {
            mocks,
            commit: Some(commit),
            endings: Arc::clone(&self.endings),
        }))
    }
}

#[async_trait]
impl Store<dyn ChatUnit> for ScriptedStore<ChatMocks> {
    async fn begin(&self, access: Access) -> Result<Box<dyn ChatUnit>, StorageError> {
        Ok(self.next(access)?)
    }
}

#[async_trait]
impl Store<dyn IdentityUnit> for ScriptedStore<IdentityMocks> {
    async fn begin(&self, access: Access) -> Result<Box<dyn IdentityUnit>, StorageError> {
        Ok(self.next(access)?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// Stands at 2026-01-01T00:00:00Z.
    pub fn new() -> Self {
        Self(AtomicI64::new(1_767_225_600_000_000))
    }

    /// Moves forward.
    pub fn advance(&self, span: Duration) {
        self.0
            .fetch_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst)).unwrap_or(Instant::EPOCH)
    }
}

/// Remembers what it was told.
#[derive(Debug, Default)]
pub struct Observed(Mutex<Vec<Event>>);

impl Observed {
    /// Everything so far, in order.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().map(|events| events.clone()).unwrap_or_default()
    }
}

impl Observer for Observed {
    fn observe(&self, event: Event) {
        if let Ok(mut events) = self.0.lock() {
            events.push(event);
        }
    }
}

/// Ids that count up from 1.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl IdGenerator for SequentialIds {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)) + 1)
    }
}
