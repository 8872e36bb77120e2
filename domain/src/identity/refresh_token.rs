use std::time::Duration;

use super::{Login, User};
use crate::{Instant, LoginId, OwnerId, RefreshTokenId};

/// One link in the chain of refresh tokens of a login. Exactly one link of a login is live, which is: not used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefreshToken {
    /// Whose it is.
    pub owner_id: OwnerId,
    /// Its id, part of what the holder has.
    pub id: RefreshTokenId,
    /// The login that it keeps alive.
    pub login_id: LoginId,
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
    /// When it was made.
    pub issued_at: Instant,
    /// When it ends unless it is used before; not after the login's end.
    pub expires_at: Instant,
    /// When it was first used, and which token replaced it.
    pub used: Option<Use>,
}

/// The use of a refresh token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Use {
    /// The first time.
    pub at: Instant,
    /// The token that was answered last; `None` when this one was displaced before anybody used it (`ID-33`).
    pub successor_id: Option<RefreshTokenId>,
}

/// What a refresh token that was presented with the right secret is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presented {
    /// A new pair. The token, and the live one if that is another, are used from now on (`ID-31`, `ID-33`).
    Rotates,
    /// The end of its login: two parties have it (`ID-32`).
    Reused,
    /// Nothing (`ID-34`).
    Expired,
}

impl RefreshToken {
    /// Judges the token with its login, its account and the id of the login's live token, as they stand at `now`.
    ///
    /// A used token counts once more within `grace` after its first use, if nobody went on with its successor yet: then the answer
    /// that carried the successor was lost on the way.
    pub fn present(
        &self,
        login: &Login,
        user: &User,
        live: Option<RefreshTokenId>,
        now: Instant,
        grace: Duration,
    ) -> Presented {
        if !login.is_live(now) || user.disabled_at.is_some() || now >= self.expires_at {
            return Presented::Expired;
        }
        match self.used {
            None => Presented::Rotates,
            // Of two requests at once, the one that had to wait may have come first.
            Some(Use {
                at,
                successor_id: Some(successor_id),
            }) if live == Some(successor_id) && now.max(at) < at.plus(grace) => Presented::Rotates,
            Some(_) => Presented::Reused,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::identity::{LoginMethod, RevokeReason};

    const GRACE: Duration = Duration::from_secs(10);

    fn at(second: i64) -> Instant {
        Instant::from_micros(second * 1_000_000).unwrap()
    }

    fn id(number: u128) -> RefreshTokenId {
        RefreshTokenId(Uuid::from_u128(number))
    }

    fn token(used: Option<(i64, Option<u128>)>) -> RefreshToken {
        RefreshToken {
            owner_id: OwnerId(Uuid::nil()),
            id: id(1),
            login_id: LoginId(Uuid::nil()),
            secret_hash: [0; 32],
            issued_at: at(0),
            expires_at: at(100),
            used: used.map(|(second, successor)| Use {
                at: at(second),
                successor_id: successor.map(id),
            }),
        }
    }

    fn login() -> Login {
        Login {
            owner_id: OwnerId(Uuid::nil()),
            id: LoginId(Uuid::nil()),
            method: LoginMethod::Password,
            user_agent: None,
            ip_address: None,
            created_at: at(0),
            last_used_at: at(0),
            expires_at: at(200),
            revoked: None,
        }
    }

    fn user() -> User {
        User {
            id: OwnerId(Uuid::nil()),
            username: "ann".into(),
            email: None,
            email_verified_at: None,
            password_hash: None,
            password_changed_at: None,
            roles: Vec::new(),
            disabled_at: None,
            last_login_at: None,
            created_at: at(0),
            updated_at: at(0),
            version: 1,
        }
    }

    #[test]
    fn id_31_to_33_which_token_counts() {
        let judge = |token: RefreshToken, live: Option<u128>, second: i64, grace: Duration| {
            token.present(&login(), &user(), live.map(id), at(second), grace)
        };
        let used = || token(Some((50, Some(2))));
        for (token, live, second, grace, expected) in [
            (token(None), Some(1), 50, GRACE, Presented::Rotates),
            (used(), Some(2), 50, GRACE, Presented::Rotates),
            (used(), Some(2), 59, GRACE, Presented::Rotates),
            (used(), Some(2), 60, GRACE, Presented::Reused),
            // Somebody went on with the successor.
            (used(), Some(3), 51, GRACE, Presented::Reused),
            (used(), None, 51, GRACE, Presented::Reused),
            // A displaced token never counts again.
            (token(Some((50, None))), Some(3), 50, GRACE, Presented::Reused),
            // Without grace, not even at the same instant.
            (used(), Some(2), 50, Duration::ZERO, Presented::Reused),
            // Nor for a request that came before the one that used it, and waited for it.
            (used(), Some(2), 49, Duration::ZERO, Presented::Reused),
            (used(), Some(2), 49, GRACE, Presented::Rotates),
        ] {
            assert_eq!(
                judge(token.clone(), live, second, grace),
                expected,
                "{token:?} {live:?} {second}"
            );
        }
    }

    #[test]
    fn id_34_what_ended_is_not_reused() {
        let judge = |token: &RefreshToken, login: &Login, user: &User, second: i64| {
            token.present(login, user, Some(id(1)), at(second), GRACE)
        };
        assert_eq!(judge(&token(None), &login(), &user(), 99), Presented::Rotates);
        let revoked = Login {
            revoked: Some((at(1), RevokeReason::Logout)),
            ..login()
        };
        let short = Login {
            expires_at: at(50),
            ..login()
        };
        let disabled = User {
            disabled_at: Some(at(1)),
            ..user()
        };
        for token in [token(None), token(Some((10, Some(1)))), token(Some((10, None)))] {
            assert_eq!(judge(&token, &login(), &user(), 100), Presented::Expired);
            assert_eq!(judge(&token, &revoked, &user(), 50), Presented::Expired);
            assert_eq!(judge(&token, &short, &user(), 50), Presented::Expired);
            assert_eq!(judge(&token, &login(), &disabled, 50), Presented::Expired);
        }
    }
}
