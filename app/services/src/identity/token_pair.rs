use std::sync::Arc;
use std::time::Duration;

use larder_domain::identity::{KeyedSecret, Login, RefreshToken, User};
use larder_domain::{Instant, LoginId, RefreshTokenId};
use larder_ports::inbound::Failure;
use larder_ports::inbound::identity::Tokens;
use larder_ports::outbound::{AccessClaims, IdGenerator, SecretSource, TokenIssuer};
use secrecy::SecretString;

/// Makes the pairs of tokens that logins are answered.
#[derive(Clone)]
pub(crate) struct TokenPairs {
    pub(crate) ids: Arc<dyn IdGenerator>,
    pub(crate) issuer: Arc<dyn TokenIssuer>,
    pub(crate) secrets: Arc<dyn SecretSource>,
    pub(crate) access_ttl: Duration,
    pub(crate) refresh_idle_ttl: Duration,
}

/// Id and secret of a refresh token that is not stored yet.
#[derive(Clone, Copy)]
pub(crate) struct Drawn {
    id: RefreshTokenId,
    secret: [u8; 32],
}

impl TokenPairs {
    /// Draws a refresh token. Done before a unit is open, so that every attempt stores the same.
    pub(crate) fn draw(&self) -> Drawn {
        Drawn {
            id: RefreshTokenId(self.ids.next()),
            secret: self.secrets.draw(),
        }
    }

    /// What is stored of a drawn refresh token that is handed out at `now`. It ends with its login at the latest (`ID-30`).
    pub(crate) fn row(&self, drawn: &Drawn, login: &Login, now: Instant) -> RefreshToken {
        RefreshToken {
            owner_id: login.owner_id,
            id: drawn.id,
            login_id: login.id,
            secret_hash: self.secrets.digest(&drawn.secret),
            issued_at: now,
            expires_at: now.plus(self.refresh_idle_ttl).min(login.expires_at),
            used: None,
        }
    }

    /// The pair, once the refresh token is committed. The access token counts for `access_ttl` (`ID-20`).
    pub(crate) fn pair(&self, user: &User, drawn: &Drawn, row: &RefreshToken) -> Result<Tokens, Failure> {
        let text = KeyedSecret {
            owner_id: row.owner_id,
            id: row.id.0,
            secret: drawn.secret,
        };
        Ok(Tokens {
            access_token: self.access_token(user, row.login_id, row.issued_at)?,
            expires_in: self.access_ttl,
            refresh_token: text.text(KeyedSecret::REFRESH).into(),
            refresh_expires_in: row.expires_at.since(row.issued_at),
        })
    }

    fn access_token(&self, user: &User, login_id: LoginId, now: Instant) -> Result<SecretString, Failure> {
        let issued_at = now.whole_seconds();
        let expires_at = issued_at.plus(self.access_ttl);
        let claims = AccessClaims::of(user, login_id, self.ids.next(), issued_at, expires_at);
        Ok(self.issuer.issue(&claims)?)
    }
}
