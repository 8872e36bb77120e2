use std::sync::Arc;

use async_trait::async_trait;
use larder_domain::identity::{LoginName, PasswordPolicy, RevokeReason, Role, User};
use larder_domain::{Invalid, OwnerId, Patch};
use larder_ports::inbound::identity::{ChangeUser, ChangeUserError, SetPasswordError, UserUseCases};
use larder_ports::inbound::{Failure, ListError, NotFoundError, Page, PageRequest};
use larder_ports::outbound::identity::{IdentityUnit, UserFilter};
use larder_ports::outbound::{Access, Place, StorageError};
use secrecy::{ExposeSecret, SecretString};

use super::{AccountPorts, PrincipalCache};
use crate::cursor::Paging;
use crate::retry::{RetryPolicy, Unfinished, refuse, retrying, undo};

/// The use cases of administrators.
pub struct AccountAdministration {
    ports: AccountPorts,
    cache: Arc<PrincipalCache>,
    policy: PasswordPolicy,
    retry: RetryPolicy,
}

impl AccountAdministration {
    /// Over these ports; `cache` is the one that the [`Authenticator`](super::Authenticator) was given.
    pub fn new(ports: AccountPorts, cache: Arc<PrincipalCache>, policy: PasswordPolicy) -> Self {
        Self {
            ports,
            cache,
            policy,
            retry: RetryPolicy::default(),
        }
    }

    async fn find_by_name(&self, typed: &str) -> Result<User, NotFoundError> {
        let name = LoginName::parse(typed);
        let (LoginName::Email(norm) | LoginName::Username(norm)) = &name;
        if norm.contains('\0') {
            // Nobody's name, and PostgreSQL would take offence at the question.
            return Err(NotFoundError::NotFound);
        }
        retrying(&self.retry, "find account", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let found = unit.users().find_by_login_name(&name).await?;
            undo(unit).await;
            found.ok_or(Unfinished::Refused(NotFoundError::NotFound))
        })
        .await
    }
}

/// Locks an account and answers it; `None` when there is none, or it is being erased and so as good as gone.
async fn locked(unit: &mut dyn IdentityUnit, id: OwnerId) -> Result<Option<User>, StorageError> {
    unit.users().lock(id).await?;
    let Some(user) = unit.users().find(id).await? else {
        return Ok(None);
    };
    let is_leaving = user.disabled_at.is_some() && unit.erasures().find_running_of(id).await?.is_some();
    Ok((!is_leaving).then_some(user))
}

#[async_trait]
impl UserUseCases for AccountAdministration {
    async fn list(&self, admin: OwnerId, filter: UserFilter, page: PageRequest) -> Result<Page<User>, ListError> {
        let seal = self.ports.seal.as_ref();
        let paging = Paging::new(seal, "identity.users", admin, &encode(filter), &page)?;
        retrying(&self.retry, "list accounts", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let rows = unit.users().list(filter, paging.after(), paging.fetch()).await?;
            undo(unit).await;
            Ok(paging.page(rows, |user| Place {
                at: user.created_at,
                id: user.id.0,
            }))
        })
        .await
    }

    async fn get(&self, id: OwnerId) -> Result<User, NotFoundError> {
        retrying(&self.retry, "get account", || async {
            let mut unit = self.ports.store.begin(Access::Read).await?;
            let found = unit.users().find(id).await?;
            undo(unit).await;
            found.ok_or(Unfinished::Refused(NotFoundError::NotFound))
        })
        .await
    }

    async fn change(&self, change: ChangeUser) -> Result<User, ChangeUserError> {
        let (id, now) = (change.id, self.ports.clock.now());
        let may_take_away = change.patch.roles != Patch::Keep || change.patch.disabled != Patch::Keep;
        retrying(&self.retry, "change account", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            if may_take_away {
                unit.users().lock_admins().await?;
            }
            let Some(stored) = locked(unit.as_mut(), id).await? else {
                return refuse(unit, ChangeUserError::NotFound).await;
            };
            if change.if_match.is_some_and(|version| version != stored.version) {
                return refuse(unit, ChangeUserError::Stale).await;
            }
            let changed = match stored.administered(&change.patch, now) {
                Err(invalid) => return refuse(unit, invalid.into()).await,
                Ok(None) => {
                    undo(unit).await;
                    return Ok(stored);
                }
                Ok(Some(changed)) => changed,
            };
            let takes_away = stored.is_enabled_admin() && !changed.is_enabled_admin();
            if takes_away && !unit.users().has_other_admin(id).await? {
                return refuse(unit, ChangeUserError::LastAdmin).await;
            }
            if !unit.users().update(&changed, stored.version).await? {
                return Err(StorageError::Contended.into());
            }
            if stored.disabled_at.is_none() && changed.disabled_at.is_some() {
                unit.logins().revoke_all(id, RevokeReason::Disabled, now).await?;
            }
            let _forgetting = self.cache.forgetting_all_of(id);
            unit.commit().await?;
            Ok(changed)
        })
        .await
    }

    async fn set_password(&self, login: &str, password: &SecretString) -> Result<User, SetPasswordError> {
        let known = self.find_by_name(login).await.map_err(|error| match error {
            NotFoundError::NotFound => SetPasswordError::NotFound,
            NotFoundError::Failure(failure) => failure.into(),
        })?;
        let (text, email) = (password.expose_secret(), known.email.as_deref());
        self.policy
            .check(text, &known.username, email, "/password")
            .map_err(Invalid::from)?;
        let hash = self.ports.hasher.hash(password).await.map_err(Failure::from)?;
        let now = self.ports.clock.now();
        retrying(&self.retry, "set password", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            let Some(stored) = locked(unit.as_mut(), known.id).await? else {
                return refuse(unit, SetPasswordError::NotFound).await;
            };
            let read = stored.version;
            let changed = User {
                password_hash: Some(hash.clone()),
                password_changed_at: Some(now),
                updated_at: now,
                version: read + 1,
                ..stored
            };
            if !unit.users().update(&changed, read).await? {
                return Err(StorageError::Contended.into());
            }
            unit.logins().revoke_all(known.id, RevokeReason::Admin, now).await?;
            let _forgetting = self.cache.forgetting_all_of(known.id);
            unit.commit().await?;
            Ok(changed)
        })
        .await
    }

    async fn promote(&self, login: &str) -> Result<User, NotFoundError> {
        let known = self.find_by_name(login).await?;
        let now = self.ports.clock.now();
        retrying(&self.retry, "promote account", || async {
            let mut unit = self.ports.store.begin(Access::Write).await?;
            let Some(stored) = locked(unit.as_mut(), known.id).await? else {
                return refuse(unit, NotFoundError::NotFound).await;
            };
            if stored.roles.contains(&Role::Admin) {
                undo(unit).await;
                return Ok(stored);
            }
            let read = stored.version;
            let mut roles = stored.roles.clone();
            roles.push(Role::Admin);
            let changed = User {
                roles: Role::sorted(roles),
                updated_at: now,
                version: read + 1,
                ..stored
            };
            if !unit.users().update(&changed, read).await? {
                return Err(StorageError::Contended.into());
            }
            let _forgetting = self.cache.forgetting_all_of(known.id);
            unit.commit().await?;
            Ok(changed)
        })
        .await
    }
}

/// The filter as a cursor is bound to it.
fn encode(filter: UserFilter) -> Vec<u8> {
    let UserFilter { role, disabled } = filter;
    let disabled = match disabled {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    };
    [&[disabled], role.map_or("", Role::as_str).as_bytes()].concat()
}
