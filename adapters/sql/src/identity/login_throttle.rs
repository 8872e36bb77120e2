use async_trait::async_trait;
use larder_domain::Instant;
use larder_domain::identity::LoginThrottle;
use larder_ports::outbound::StorageError;
use larder_ports::outbound::identity::LoginThrottles;

use crate::catalogue::{Effect, Statement};
use crate::row::Reader;
use crate::{Connection, Unit, Value};

static LOCK: Statement = Statement {
    name: "identity_login_throttles.lock",
    effect: Effect::Writes,
    // The assignment changes nothing. It locks a row that is there, and waits for a unit that is just making one.
    text: "INSERT INTO {s}identity_login_throttles AS t (key_hash, failures, last_failed_at) VALUES ($1, 0, $2) \
           ON CONFLICT (key_hash) DO UPDATE SET failures = t.failures RETURNING failures, last_failed_at, blocked_until",
    only: None,
};
static UPDATE: Statement = Statement {
    name: "identity_login_throttles.update",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_login_throttles SET failures = $2, last_failed_at = $3, blocked_until = $4 WHERE key_hash = $1",
    only: None,
};
static RESET: Statement = Statement {
    name: "identity_login_throttles.reset",
    effect: Effect::Writes,
    text: "DELETE FROM {s}identity_login_throttles WHERE key_hash = $1",
    only: None,
};
static SWEEP: Statement = Statement {
    name: "identity_login_throttles.sweep",
    effect: Effect::Writes,
    // More than one attempt can make, so that dead counters never pile up, and few enough for any attempt to carry.
    text: "DELETE FROM {s}identity_login_throttles WHERE key_hash IN (SELECT t.key_hash \
           FROM {s}identity_login_throttles t WHERE t.last_failed_at < $1 ORDER BY t.last_failed_at LIMIT 20 {unlocked})",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[&LOCK, &UPDATE, &RESET, &SWEEP];

#[async_trait]
impl<C: Connection> LoginThrottles for Unit<C> {
    async fn lock(&mut self, key: &[u8; 32], now: Instant) -> Result<LoginThrottle, StorageError> {
        let Some(row) = self.fetch_optional(&LOCK, &[key.into(), now.into()]).await? else {
            return Err(StorageError::Internal("a counter was neither found nor made".into()));
        };
        let mut row = Reader::new(&row, "identity_login_throttles");
        Ok(LoginThrottle {
            failures: row.required_int("failures")?,
            last_failed_at: row.required_instant("last_failed_at")?,
            blocked_until: row.instant("blocked_until")?,
        })
    }

    async fn update(&mut self, key: &[u8; 32], throttle: &LoginThrottle) -> Result<(), StorageError> {
        let values: [Value<'_>; 4] = [
            key.into(),
            throttle.failures.into(),
            throttle.last_failed_at.into(),
            throttle.blocked_until.into(),
        ];
        self.fetch(&UPDATE, &values).await.map(|_| ())
    }

    async fn reset(&mut self, key: &[u8; 32]) -> Result<(), StorageError> {
        self.fetch(&RESET, &[key.into()]).await.map(|_| ())
    }

    async fn sweep(&mut self, before: Instant) -> Result<(), StorageError> {
        self.fetch(&SWEEP, &[before.into()]).await.map(|_| ())
    }
}
