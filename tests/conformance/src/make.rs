//! Entities with nothing particular about them.

use std::time::Duration;

use larder_domain::chat::{Message, MessageDraft, SenderRole, Session, SessionDraft, Stamp};
use larder_domain::identity::{Login, LoginMethod, User};
use larder_domain::{AttachmentId, MessageId, OwnerId, SessionId};
use larder_ports::inbound::identity::{ClientInfo, LogIn, SignUp};
use uuid::Uuid;

use crate::Fixture;

/// A password that no policy refuses.
pub(crate) const PASSWORD: &str = "correct horse battery";

impl Fixture {
    /// A new empty session.
    pub(crate) fn new_session(&self, owner_id: OwnerId) -> Session {
        self.session_of(owner_id, self.session_id())
    }

    /// A new empty session with this id.
    pub(crate) fn session_of(&self, owner_id: OwnerId, id: SessionId) -> Session {
        Session::create(SessionDraft::default(), owner_id, id, self.now(), "").unwrap()
    }

    /// Messages of one turn, with fresh ids.
    pub(crate) fn new_messages(&self, owner_id: OwnerId, session_id: SessionId, texts: &[&str]) -> Vec<Message> {
        let drafts = texts.iter().map(|text| says(text));
        self.messages_of(owner_id, session_id, drafts)
    }

    /// Messages of one turn, made of drafts.
    pub(crate) fn messages_of(
        &self,
        owner_id: OwnerId,
        session_id: SessionId,
        drafts: impl IntoIterator<Item = MessageDraft>,
    ) -> Vec<Message> {
        let messages = (1..).zip(drafts).map(|(ordinal, draft)| {
            let stamp = Stamp {
                owner_id,
                session_id,
                id: draft.id.unwrap_or_else(|| self.message_id()),
                attachment_ids: draft.attachments.iter().map(|_| AttachmentId(self.id())).collect(),
                ordinal,
                now: self.now(),
                default_lease: Duration::from_secs(120),
            };
            Message::create(draft, stamp, "").expect("a valid draft")
        });
        messages.collect()
    }

    /// A new account.
    pub(crate) fn new_user(&self, username: &str, email: Option<&str>) -> User {
        User {
            id: self.owner(),
            username: username.into(),
            email: email.map(str::to_owned),
            email_verified_at: None,
            password_hash: Some("$2b$04$abcdefghijklmnopqrstuuJ0".into()),
            password_changed_at: Some(self.now()),
            roles: Vec::new(),
            disabled_at: None,
            last_login_at: None,
            created_at: self.now(),
            updated_at: self.now(),
            version: 1,
        }
    }

    /// A new login for 90 days.
    pub(crate) fn new_login(&self, owner_id: OwnerId) -> Login {
        Login {
            owner_id,
            id: self.login_id(),
            method: LoginMethod::Password,
            user_agent: None,
            ip_address: None,
            created_at: self.now(),
            last_used_at: self.now(),
            expires_at: self.now().plus(Duration::from_secs(90 * 24 * 3_600)),
            revoked: None,
        }
    }
}

/// The draft of a message of the person.
pub(crate) fn says(text: &str) -> MessageDraft {
    MessageDraft {
        text: Some(text.into()),
        ..MessageDraft::new(SenderRole::User)
    }
}

/// A draft with an id of the client's own making.
pub(crate) fn says_as(id: MessageId, text: &str) -> MessageDraft {
    MessageDraft {
        id: Some(id),
        ..says(text)
    }
}

/// A sign-up with a good password and nothing else.
pub(crate) fn sign_up(username: &str) -> SignUp {
    SignUp {
        username: username.into(),
        password: PASSWORD.into(),
        email: None,
        invitation: None,
    }
}

/// A login with the good password.
pub(crate) fn log_in(login: &str) -> LogIn {
    LogIn {
        login: login.into(),
        password: PASSWORD.into(),
    }
}

/// A device about which nothing is known.
pub(crate) fn device() -> ClientInfo {
    ClientInfo::default()
}

/// An id whose bytes are all `byte`.
pub(crate) fn id_of_bytes(byte: u8) -> Uuid {
    Uuid::from_bytes([byte; 16])
}
