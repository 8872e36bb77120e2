use std::collections::BTreeMap;
use std::time::Duration;

use crate::chat::words;
use crate::{ErasureId, Instant, OwnerId};

words! {
    /// How far an erasure is.
    ErasureState {
        /// Going on.
        Running = "running",
        /// Nothing of the person is left.
        Done = "done",
    }
}

/// How far one context is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ContextErasure {
    /// Rows deleted so far. A crash between a batch and its counting can leave that batch out.
    pub rows: u64,
    /// When the first pass found nothing left.
    pub swept_at: Option<Instant>,
    /// Whether the second pass found nothing left.
    pub is_done: bool,
}

impl ContextErasure {
    /// Whether it is over, for somebody who looks at it.
    pub fn state(&self) -> ErasureState {
        if self.is_done {
            ErasureState::Done
        } else {
            ErasureState::Running
        }
    }
}

/// The removal of everything that a person has (`ID-44`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// Whose rows are deleted.
    pub user_id: OwnerId,
    /// Whether it is over.
    pub state: ErasureState,
    /// How far each context is, by its name. One that is absent has not begun.
    pub contexts: BTreeMap<String, ContextErasure>,
    /// When it was asked for; since then nothing of the account works.
    pub requested_at: Instant,
    /// When it was over.
    pub finished_at: Option<Instant>,
}

impl Erasure {
    /// One that has not begun.
    pub fn new(id: ErasureId, user_id: OwnerId, now: Instant) -> Self {
        Self {
            id,
            user_id,
            state: ErasureState::Running,
            contexts: BTreeMap::new(),
            requested_at: now,
            finished_at: None,
        }
    }

    /// How far a context is.
    pub fn context(&self, name: &str) -> ContextErasure {
        self.contexts.get(name).copied().unwrap_or_default()
    }

    /// When the second pass may begin: `pause` after the last first pass, so that a request that was let in on a remembered state
    /// has ended. `None` while a first pass of `names` is still to be made.
    pub fn second_pass_at(&self, names: &[&str], pause: Duration) -> Option<Instant> {
        let swept: Option<Vec<Instant>> = names.iter().map(|name| self.context(name).swept_at).collect();
        swept.map(|swept| swept.into_iter().fold(self.requested_at, Instant::max).plus(pause))
    }

    /// Whether nothing is left in any of these contexts.
    pub fn is_swept_of(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.context(name).is_done)
    }
}

/// The trace that an erased account leaves, so that its id is never given out again and its old tokens don't make a new one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErasedSubject {
    /// Who knew the account under the subject; [`LOCAL`](Self::LOCAL) for this installation.
    pub issuer: String,
    /// SHA-256 of the subject.
    pub subject_hash: [u8; 32],
    /// The account.
    pub user_id: OwnerId,
    /// When nothing was left of it.
    pub erased_at: Instant,
}

impl ErasedSubject {
    /// The issuer of every account's own id.
    pub const LOCAL: &str = "local";
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Instant {
        Instant::from_micros(second * 1_000_000).unwrap()
    }

    #[test]
    fn id_44_the_second_pass_waits_for_the_last_first_one() {
        let mut erasure = Erasure::new(ErasureId(Uuid::nil()), OwnerId(Uuid::nil()), at(0));
        let pause = Duration::from_secs(60);
        assert_eq!(erasure.second_pass_at(&["chat", "labs"], pause), None);
        let swept = |second| ContextErasure {
            swept_at: Some(at(second)),
            ..ContextErasure::default()
        };
        erasure.contexts.insert("chat".into(), swept(5));
        assert_eq!(erasure.second_pass_at(&["chat", "labs"], pause), None);
        erasure.contexts.insert("labs".into(), swept(3));
        assert_eq!(erasure.second_pass_at(&["chat", "labs"], pause), Some(at(65)));
        assert_eq!(erasure.second_pass_at(&[], pause), Some(at(60)));
    }

    #[test]
    fn id_44_it_is_over_when_every_context_is() {
        let mut erasure = Erasure::new(ErasureId(Uuid::nil()), OwnerId(Uuid::nil()), at(0));
        assert!(erasure.is_swept_of(&[]) && !erasure.is_swept_of(&["chat"]));
        let done = ContextErasure {
            is_done: true,
            ..ContextErasure::default()
        };
        erasure.contexts.insert("chat".into(), done);
        assert!(erasure.is_swept_of(&["chat"]) && !erasure.is_swept_of(&["chat", "labs"]));
        assert_eq!(erasure.context("chat").state(), ErasureState::Done);
        assert_eq!(erasure.context("labs").state(), ErasureState::Running);
    }
}
