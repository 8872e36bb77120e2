use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::identity::{
    KeyedSecret, Login, Presented, Principal, PrincipalKind, RefreshToken, RevokeReason, User,
};
use larder_domain::{LoginId, RefreshTokenId};
use larder_ports::inbound::identity::{LogOutError, LoginUseCases, RefreshError, Tokens};
use larder_ports::inbound::{ListError, NotFoundError, Page, PageRequest};
use larder_ports::outbound::identity::{IdentityUnit, KnownToken};
use larder_ports::outbound::{Access, Event, Place, Store};
use secrecy::{ExposeSecret, SecretString};

use super::PrincipalCache;
use super::account::{AccountPorts, AccountsConfig};
use super::token_pair::{Drawn, TokenPairs};
use crate::cursor::Paging;
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// The use cases of signed-in devices.
pub struct AccountLogins {
    ports: AccountPorts,
    cache: Arc<PrincipalCache>,
    pairs: TokenPairs,
    grace: Duration,
    retry: RetryPolicy,
}

impl AccountLogins {
    /// Over these ports; `cache` is shared with the [`Authenticator`](super::Authenticator).
    pub fn new(ports: AccountPorts, cache: Arc<PrincipalCache>, config: AccountsConfig) -> Self {
        Self {
            pairs: ports.token_pairs(&config),
            ports,
            cache,
            grace: config.refresh_grace,
            retry: RetryPolicy::default(),
        }
    }

    fn store(&self) -> &dyn Store<dyn IdentityUnit> {
        self.ports.store.as_ref()
    }

    /// Replaces the refresh token with this text by a drawn one, in one commit (`ID-31` to `ID-34`).
    async fn rotate(&self, text: &KeyedSecret, drawn: &Drawn) -> Result<(User, RefreshToken), RefreshError> {
        let now = self.ports.clock.now();
        let (owner_id, id) = (text.owner_id, RefreshTokenId(text.id));
        let digest = self.ports.secrets.digest(&text.secret);
        retrying(&self.retry, "refresh", || async {
            let mut unit = self.store().begin(Access::Write).await?;
            // Written before it is read: from here on, requests with tokens of this login come one after another.
            let Some(login) = unit.logins().touch_by_token(owner_id, id, now).await? else {
                return refuse(unit, RefreshError::Invalid).await;
            };
            let found = unit.refresh_tokens().find_with_user(owner_id, id).await?;
            let Some(KnownToken { token, live, user }) =
                found.filter(|known| self.ports.secrets.same(&digest, &known.token.secret_hash))
            else {
                return refuse(unit, RefreshError::Invalid).await;
            };
            match token.present(&login, &user, live, now, self.grace) {
                Presented::Expired => refuse(unit, RefreshError::Invalid).await,
                Presented::Reused => {
                    unit.logins()
                        .revoke(owner_id, login.id, RevokeReason::Reuse, now)
                        .await?;
                    let _forgetting = self.cache.forgetting(vec![login.id]);
                    unit.commit().await?;
                    self.ports.observer.observe(Event::RefreshReused);
                    tracing::warn!(%owner_id, login_id = %login.id, "a used refresh token came again, its login has ended");
                    Err(Unfinished::Refused(RefreshError::Reused))
                }
                Presented::Rotates => {
                    let row = self.pairs.row(drawn, &login, now);
                    unit.refresh_tokens().rotate(id, &row).await?;
                    unit.commit().await?;
                    Ok((user, row))
                }
            }
        })
        .await
    }
}

#[async_trait]
impl LoginUseCases for AccountLogins {
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, RefreshError> {
        let text = KeyedSecret::parse(KeyedSecret::REFRESH, refresh_token.expose_secret());
        let text = text.ok_or(RefreshError::Invalid)?;
        let drawn = self.pairs.draw();
        let (user, row) = self.rotate(&text, &drawn).await?;
        Ok(self.pairs.pair(&user, &drawn, &row)?)
    }

    async fn log_out(&self, caller: &Principal, all: bool) -> Result<(), LogOutError> {
        let PrincipalKind::Login(id) = caller.kind else {
            return Err(LogOutError::InteractiveLoginRequired);
        };
        let (owner_id, now) = (caller.owner_id, self.ports.clock.now());
        retrying(&self.retry, "log out", || async {
            let mut unit = self.store().begin(Access::Write).await?;
            let reason = RevokeReason::Logout;
            let ended = if all {
                unit.logins().revoke_all(owner_id, reason, now).await?
            } else {
                unit.logins().revoke(owner_id, id, reason, now).await?;
                vec![id]
            };
            let _forgetting = self.cache.forgetting(ended);
            Ok(unit.commit().await?)
        })
        .await
    }

    async fn list(&self, caller: &Principal, page: PageRequest) -> Result<Page<Login>, ListError> {
        let (owner_id, now) = (caller.owner_id, self.ports.clock.now());
        let paging: Paging<'_, Place> = Paging::new(self.ports.seal.as_ref(), "logins", owner_id, b"", &page)?;
        let rows = retrying(&self.retry, "list logins", || async {
            let mut unit = self.store().begin(Access::Read).await?;
            let rows = unit
                .logins()
                .list(owner_id, now, paging.after(), paging.fetch())
                .await?;
            undo(unit).await;
            Ok::<_, Unfinished<ListError>>(rows)
        })
        .await?;
        Ok(paging.page(rows, |login| Place {
            at: login.created_at,
            id: login.id.0,
        }))
    }

    async fn end(&self, caller: &Principal, id: LoginId) -> Result<(), NotFoundError> {
        let (owner_id, now) = (caller.owner_id, self.ports.clock.now());
        retrying(&self.retry, "end login", || async {
            let mut unit = self.store().begin(Access::Write).await?;
            if !unit.logins().revoke(owner_id, id, RevokeReason::Logout, now).await? {
                return refuse(unit, NotFoundError::NotFound).await;
            }
            let _forgetting = self.cache.forgetting(vec![id]);
            Ok(unit.commit().await?)
        })
        .await
    }
}
