use super::{Role, username_norm};
use crate::chat::words;
use crate::{ApiTokenId, Code, Instant, Invalid, OwnerId, TextRule, Violations, check_text};

words! {
    /// What an API token may do (`ID-61`). To write does not include to read.
    Scope {
        /// Read in the context `agents`.
        AgentsRead = "agents:read",
        /// Write in the context `agents`.
        AgentsWrite = "agents:write",
        /// Read conversations.
        ChatRead = "chat:read",
        /// Write conversations.
        ChatWrite = "chat:write",
        /// Read in the context `health`.
        HealthRead = "health:read",
        /// Write in the context `health`.
        HealthWrite = "health:write",
        /// Read in the context `household`.
        HouseholdRead = "household:read",
        /// Write in the context `household`.
        HouseholdWrite = "household:write",
        /// Read in the context `labs`.
        LabsRead = "labs:read",
        /// Write in the context `labs`.
        LabsWrite = "labs:write",
        /// Read in the context `ufc`.
        UfcRead = "ufc:read",
        /// Write in the context `ufc`.
        UfcWrite = "ufc:write",
        /// Lends the user's role `worker`, if the user has it.
        Worker = "worker",
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Scopes(u16);

impl Scopes {
    /// Whether the set has this scope.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    /// Whether the set has no scope.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes, sorted by their word.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.has(*scope))
    }

    fn bit(scope: Scope) -> u16 {
        1 << scope as u16
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | Self::bit(scope)))
    }
}

impl std::fmt::Debug for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::as_str)).finish()
    }
}

/// A token with which a program acts for its owner, within its scopes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiToken {
    /// For whom it acts.
    pub owner_id: OwnerId,
    /// Its id.
    pub id: ApiTokenId,
    /// As typed, 1 to 100 characters. One active token of the owner has it, in any case of its letters.
    pub name: String,
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
    /// What it may do; at least one.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Instant,
    /// When it ends by itself.
    pub expires_at: Option<Instant>,
    /// The last use, exact to a minute.
    pub last_used_at: Option<Instant>,
    /// When it was revoked.
    pub revoked_at: Option<Instant>,
}

impl ApiToken {
    /// How exact `last_used_at` is: it moves at most once in this time.
    pub const USE_IS_NOTED_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

    /// Whether it counts at `now` (`ID-63`).
    pub fn is_active(&self, now: Instant) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether a use at `now` is worth noting.
    pub fn is_use_noted(&self, now: Instant) -> bool {
        self.last_used_at
            .is_none_or(|last| now >= last.plus(Self::USE_IS_NOTED_EVERY))
    }

    /// The form of the name that is unique among the owner's active tokens.
    pub fn name_norm(&self) -> String {
        username_norm(&self.name)
    }

    /// Which of its owner's roles it lends: `worker` with that scope, `admin` never (`ID-61`).
    pub fn lends(&self, roles: &[Role]) -> Vec<Role> {
        let is_lent = |role: &Role| *role == Role::Worker && self.scopes.has(Scope::Worker);
        roles.iter().copied().filter(is_lent).collect()
    }
}

/// What is sent to make an API token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiTokenDraft {
    /// An id of the client's own making.
    pub id: Option<ApiTokenId>,
    /// 1 to 100 characters.
    pub name: String,
    /// At least one.
    pub scopes: Scopes,
    /// In the future; without it the token never ends by itself.
    pub expires_at: Option<Instant>,
}

impl ApiTokenDraft {
    /// Checks the draft at the time at which the token is made.
    pub fn check(&self, now: Instant) -> Result<(), Invalid> {
        let mut violations = Violations::new();
        check_text(&self.name, TextRule::up_to(100), "/name", &mut violations);
        if violations.is_empty() && username_norm(&self.name).chars().count() > 100 {
            violations.add(
                "/name",
                Code::TooLong,
                "must have at most 100 characters in its folded form",
            );
        }
        if self.scopes.is_empty() {
            violations.add("/scopes", Code::TooShort, "must have at least one scope");
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            violations.add("/expires_at", Code::OutOfRange, "must lie in the future");
        }
        violations.finish(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Instant {
        Instant::from_micros(second * 1_000_000).unwrap()
    }

    fn token() -> ApiToken {
        ApiToken {
            owner_id: OwnerId(Uuid::from_u128(1)),
            id: ApiTokenId(Uuid::from_u128(2)),
            name: "Import".into(),
            secret_hash: [0; 32],
            scopes: [Scope::ChatWrite].into_iter().collect(),
            created_at: at(0),
            expires_at: Some(at(10)),
            last_used_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn id_61_scopes_are_a_closed_list_sorted_by_word() {
        let words: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        assert!(words.is_sorted() && words.len() == 13);
        let scopes: Scopes = [Scope::Worker, Scope::ChatWrite, Scope::Worker].into_iter().collect();
        assert_eq!(scopes.iter().collect::<Vec<_>>(), [Scope::ChatWrite, Scope::Worker]);
        assert!(scopes.has(Scope::ChatWrite) && !scopes.has(Scope::ChatRead));
    }

    #[test]
    fn id_61_worker_is_lent_and_admin_never() {
        let all = ApiToken {
            scopes: Scope::ALL.iter().copied().collect(),
            ..token()
        };
        assert_eq!(all.lends(&[Role::Admin, Role::Worker]), [Role::Worker]);
        assert_eq!(all.lends(&[Role::Admin]), []);
        assert_eq!(token().lends(&[Role::Admin, Role::Worker]), []);
    }

    #[test]
    fn id_63_what_expired_or_was_revoked_does_not_count() {
        assert!(token().is_active(at(9)));
        assert!(!token().is_active(at(10)));
        let revoked = ApiToken {
            revoked_at: Some(at(1)),
            ..token()
        };
        assert!(!revoked.is_active(at(1)));
        let endless = ApiToken {
            expires_at: None,
            ..token()
        };
        assert!(endless.is_active(Instant::MAX));
    }

    #[test]
    fn a_use_is_noted_once_a_minute() {
        assert!(token().is_use_noted(at(5)));
        let used = ApiToken {
            last_used_at: Some(at(5)),
            ..token()
        };
        assert!(!used.is_use_noted(at(64)));
        assert!(used.is_use_noted(at(5).plus(Duration::from_secs(60))));
    }

    #[test]
    fn what_a_draft_may_be() {
        let draft = |name: &str, scopes: &[Scope], end: Option<i64>| {
            let draft = ApiTokenDraft {
                id: None,
                name: name.into(),
                scopes: scopes.iter().copied().collect(),
                expires_at: end.map(at),
            };
            draft.check(at(5)).err().map(|invalid| {
                let first = &invalid.violations()[0];
                (first.pointer.clone(), first.code)
            })
        };
        assert_eq!(draft("x", &[Scope::ChatRead], None), None);
        assert_eq!(draft(&"x".repeat(100), &[Scope::Worker], Some(6)), None);
        for (refused, pointer, code) in [
            (draft("", &[Scope::ChatRead], None), "/name", Code::TooShort),
            (
                draft(&"x".repeat(101), &[Scope::ChatRead], None),
                "/name",
                Code::TooLong,
            ),
            (
                draft(&"\u{fdfa}".repeat(9), &[Scope::ChatRead], None),
                "/name",
                Code::TooLong,
            ),
            (draft("a\0", &[Scope::ChatRead], None), "/name", Code::Nul),
            (draft("x", &[], None), "/scopes", Code::TooShort),
            (draft("x", &[Scope::ChatRead], Some(5)), "/expires_at", Code::OutOfRange),
        ] {
            assert_eq!(refused, Some((pointer.to_owned(), code)));
        }
    }

    proptest! {
        #[test]
        fn a_set_has_what_was_put_in(indexes in prop::collection::vec(0_usize..13, 0..20)) {
            let put: Vec<Scope> = indexes.iter().map(|index| Scope::ALL[*index]).collect();
            let scopes: Scopes = put.iter().copied().collect();
            for scope in Scope::ALL {
                prop_assert_eq!(scopes.has(*scope), put.contains(scope));
            }
        }
    }
}
