//! What the tests of several use cases share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_domain::chat::{Session, SessionDraft};
use larder_domain::identity::{Login, LoginMethod, User};
use larder_domain::{LoginId, OwnerId, SessionId};
use larder_ports::outbound::{Clock, KeyedDigest, Seal, SecretSource};
use larder_ports::testing::{ChatMocks, FixedClock, IdentityMocks};
use uuid::Uuid;

/// An owner of its own for every number.
pub(crate) fn owner(number: u128) -> OwnerId {
    OwnerId(Uuid::from_u128(number << 64))
}

/// Seals in plain sight: the text is the context and the payload.
pub(crate) struct PlainSeal;

impl Seal for PlainSeal {
    fn seal(&self, context: &[u8], payload: &[u8]) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("{}.{}", hex(context), hex(payload))
    }

    fn open(&self, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        let (_, payload) = sealed.split_once('.')?;
        let payload: Vec<u8> = (0..payload.len() / 2)
            .map(|n| u8::from_str_radix(payload.get(2 * n..2 * n + 2)?, 16).ok())
            .collect::<Option<_>>()?;
        (self.seal(context, &payload) == sealed).then_some(payload)
    }
}

impl KeyedDigest for PlainSeal {
    fn keyed_digest(&self, purpose: &str, text: &[u8]) -> [u8; 32] {
        PlainSecrets.digest(&[purpose.as_bytes(), b" ", text].concat())
    }
}

/// Secrets that are no secret: the digest is the complement.
pub(crate) struct PlainSecrets;

impl SecretSource for PlainSecrets {
    fn draw(&self) -> [u8; 32] {
        [0; 32]
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        let mut digest = [0xff; 32];
        for (index, byte) in bytes.iter().enumerate() {
            digest[index % 32] ^= byte;
        }
        digest
    }

    fn same(&self, a: &[u8; 32], b: &[u8; 32]) -> bool {
        a == b
    }
}

/// A chat unit whose repositories expect what `expect` says.
pub(crate) fn chat_unit(expect: impl FnOnce(&mut ChatMocks)) -> ChatMocks {
    let mut mocks = ChatMocks::default();
    expect(&mut mocks);
    mocks
}

/// A plain session, made when the fixed clock starts.
pub(crate) fn session(owner_id: OwnerId, number: u128) -> Session {
    let now = FixedClock::new().now();
    let id = SessionId(Uuid::from_u128(number));
    Session::create(SessionDraft::default(), owner_id, id, now, "").unwrap()
}

/// What mocks saw, in order.
pub(crate) struct Seen<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Seen<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn note(&self, thing: T) {
        self.0.lock().unwrap().push(thing);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

/// An identity unit whose repositories expect what `expect` says.
pub(crate) fn identity_unit(expect: impl FnOnce(&mut IdentityMocks)) -> IdentityMocks {
    let mut mocks = IdentityMocks::default();
    expect(&mut mocks);
    mocks
}

/// An account whose password is `a good password`, as the fake hasher of the account tests hashes it.
pub(crate) fn user(id: OwnerId) -> User {
    let now = FixedClock::new().now();
    User {
        id,
        username: "ann".into(),
        email: Some("ann@example.com".into()),
        email_verified_at: None,
        password_hash: Some("new:a good password".into()),
        password_changed_at: Some(now),
        roles: Vec::new(),
        disabled_at: None,
        last_login_at: None,
        created_at: now,
        updated_at: now,
        version: 1,
    }
}

/// A login of a day, made when the fixed clock starts.
pub(crate) fn login(owner_id: OwnerId) -> Login {
    let now = FixedClock::new().now();
    Login {
        owner_id,
        id: LoginId(Uuid::from_u128(42)),
        method: LoginMethod::Password,
        user_agent: None,
        ip_address: None,
        created_at: now,
        last_used_at: now,
        expires_at: now.plus(Duration::from_secs(24 * 60 * 60)),
        revoked: None,
    }
}
