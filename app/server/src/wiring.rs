//! Puts the application together: the only place that knows every adapter.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::identity::PasswordPolicy;
use larder_http::{Admin, Api, Exposition};
use larder_metrics::Metrics;
use larder_migrations::Context;
use larder_ports::inbound::identity::ErasureWork;
use larder_ports::outbound::chat::ChatUnit;
use larder_ports::outbound::identity::IdentityUnit;
use larder_ports::outbound::{ErasableContext, Observer, Probe, StorageError, Store, Unobserved};
use larder_security::ExternalTokens;
use larder_security::{BcryptConfig, BcryptHasher, HmacSeal, JwtTokens, RandomSecrets};
use larder_services::chat::{ChatConfig, ChatMessages, ChatPrompts, ChatSessions, ChatSummaries, ChatTags};
use larder_services::chat::{ChatErasure, ChatFavourites, ChatFiles, ChatMessageEdits, ChatSearch};
use larder_services::clocks::UtcClocks;
use larder_services::identity::{
    AccountAdministration, AccountApiTokens, AccountErasures, AccountInvitations, AccountLogins, AccountPorts,
    Accounts, AccountsConfig, Authenticator, AuthenticatorPorts, PrincipalCache,
};
use larder_services::identity::{AccountExternalIdentities, ExternalIssuers};
use larder_services::readiness::Probes;
use larder_sql::target::{PostgresServer, PostgresTarget, shared_search_path};
use larder_sql::{Pool, SqlStore};

use crate::ambient::{SystemClock, UuidV7Generator};
use crate::config::{Config, ConfigError, Database, EXTERNAL_ISSUERS, JWT_KEYS, Problem, StoreTarget};
use crate::exit::{Exit, Status, chain};
use crate::gate::{Disabled, Draining, Gate, Gated, Stopping};
use crate::key;
use crate::schema::Plan;

/// Longest wait for a free worker that hashes passwords (`ID-06`).
const HASH_PATIENCE: Duration = Duration::from_secs(5);

/// A store of any adapter, with every context's units.
#[async_trait]
trait AnyStore: Store<dyn IdentityUnit> + Store<dyn ChatUnit> + Probe {
    async fn close(&self);
}

#[async_trait]
impl AnyStore for Disabled {
    async fn close(&self) {}
}

#[async_trait]
impl<P: Pool> AnyStore for Gated<SqlStore<P>> {
    async fn close(&self) {
        self.store.close().await;
    }
}

/// A distinct store: contexts that are configured alike share one.
pub(crate) struct OpenStore {
    pub(crate) plan: Plan,
    /// Open it once the plan was carried out.
    pub(crate) gate: Gate,
    store: Arc<dyn AnyStore>,
}

impl OpenStore {
    /// Closes every connection.
    pub(crate) async fn close(&self) {
        self.store.close().await;
    }

    fn has(&self, context: Context) -> bool {
        self.plan.migrate.contains(&context) || self.plan.check.contains(&context)
    }
}

/// What is to be done with the schema of each distinct store.
pub(crate) fn plans(config: &Config) -> Vec<Plan> {
    let mut plans: Vec<Plan> = Vec::new();
    for (&context, database) in &config.databases {
        let Database {
            store,
            migrate_on_start,
            require_within,
        } = database;
        let index = plans.iter().position(|plan| plan.target == *store).unwrap_or_else(|| {
            plans.push(Plan {
                target: store.clone(),
                migrate: Vec::new(),
                check: Vec::new(),
                require_within: None,
            });
            plans.len() - 1
        });
        let plan = &mut plans[index];
        let list = if *migrate_on_start {
            &mut plan.migrate
        } else {
            &mut plan.check
        };
        list.push(context);
        // Whoever demands it soonest.
        plan.require_within = plan.require_within.into_iter().chain(*require_within).min();
    }
    plans
}

/// Opens every distinct store. No connection is made yet, and every gate is closed. Stores on equal servers share a pool, whatever
/// their schema (`CF-44`).
pub(crate) fn open(config: &Config, observer: &Arc<dyn Observer>) -> Result<Vec<OpenStore>, Exit> {
    let plans = plans(config);
    let mut through_sqlx = Pools::new(larder_sqlx::PostgresPool::open);
    let mut through_tokio = Pools::new(larder_tokio_postgres::PostgresPool::open);
    let targets: Vec<StoreTarget> = plans.iter().map(|plan| plan.target.clone()).collect();
    plans
        .into_iter()
        .map(|plan| {
            let gate = Gate::default();
            let store = match &plan.target {
                StoreTarget::Sqlite(target) => {
                    larder_sqlx::SqlitePool::open(target).map(|pool| gated(SqlStore::new(pool, ""), &gate, observer))
                }
                StoreTarget::PgSqlx(target) => through_sqlx
                    .of(target, targets.iter().filter_map(StoreTarget::as_pg_sqlx))
                    .map(|pool| gated(SqlStore::new(pool, &target.schema), &gate, observer)),
                StoreTarget::PgTokio(target) => through_tokio
                    .of(target, targets.iter().filter_map(StoreTarget::as_pg_tokio))
                    .map(|pool| gated(SqlStore::new(pool, &target.schema), &gate, observer)),
            }
            .map_err(|error| Exit::of(Status::Configuration, &error))?;
            Ok(OpenStore { plan, gate, store })
        })
        .collect()
}

/// The pools of one driver, one per distinct server.
struct Pools<P> {
    open: fn(&PostgresServer, &[String]) -> Result<P, StorageError>,
    opened: Vec<(PostgresServer, P)>,
}

impl<P: Pool> Pools<P> {
    fn new(open: fn(&PostgresServer, &[String]) -> Result<P, StorageError>) -> Self {
        Self {
            open,
            opened: Vec::new(),
        }
    }

    /// The pool of a store, which is one of `all` that this driver serves.
    fn of<'a>(
        &mut self,
        target: &PostgresTarget,
        all: impl Iterator<Item = &'a PostgresTarget>,
    ) -> Result<P, StorageError> {
        if let Some((_, pool)) = self.opened.iter().find(|(server, _)| *server == target.server) {
            return Ok(pool.clone());
        }
        let search_path = shared_search_path(all.filter(|other| other.server == target.server));
        let pool = (self.open)(&target.server, &search_path)?;
        self.opened.push((target.server.clone(), pool.clone()));
        Ok(pool)
    }
}

fn gated<P: Pool>(store: SqlStore<P>, gate: &Gate, observer: &Arc<dyn Observer>) -> Arc<dyn AnyStore> {
    Arc::new(Gated {
        store: store.observed_by(Arc::clone(observer)),
        gate: gate.clone(),
    })
}

/// The store of a context; one that is disabled has none.
fn store_of(stores: &[OpenStore], context: Context) -> Arc<dyn AnyStore> {
    match stores.iter().find(|store| store.has(context)) {
        Some(store) => Arc::clone(&store.store),
        None => Arc::new(Disabled),
    }
}

/// The store of accounts.
pub(crate) fn identity_store(stores: &[OpenStore]) -> Arc<dyn Store<dyn IdentityUnit>> {
    store_of(stores, Context::Identity)
}

/// The use cases of accounts, for the command line.
pub(crate) fn accounts(config: &Config, stores: &[OpenStore]) -> Result<Accounts, Exit> {
    let cache = Arc::new(PrincipalCache::new(Duration::ZERO));
    let (tokens, seal) = tokens(config)?;
    let ports = account_ports(config, identity_store(stores), tokens, seal, Arc::new(Unobserved));
    Ok(Accounts::new(ports, cache, accounts_config(config)))
}

/// The use cases of administrators, for the command line.
pub(crate) fn users(config: &Config, stores: &[OpenStore]) -> Result<AccountAdministration, Exit> {
    let cache = Arc::new(PrincipalCache::new(Duration::ZERO));
    let (tokens, seal) = tokens(config)?;
    let ports = account_ports(config, identity_store(stores), tokens, seal, Arc::new(Unobserved));
    let policy = accounts_config(config).password_policy;
    Ok(AccountAdministration::new(ports, cache, policy))
}

/// What is counted, with the series of every context.
pub(crate) fn metrics() -> Arc<Metrics> {
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    for context in Context::ALL {
        metrics.know_context(context.name());
    }
    Arc::new(metrics)
}

/// The metrics as the admin listener shows them.
struct MetricsPage(Arc<Metrics>);

impl Exposition for MetricsPage {
    fn content_type(&self) -> &'static str {
        larder_metrics::CONTENT_TYPE
    }

    fn text(&self) -> String {
        self.0.text()
    }
}

/// Everything that the admin listener asks.
pub(crate) fn admin(api: &Api, metrics: Arc<Metrics>) -> Admin {
    Admin {
        readiness: Arc::clone(&api.readiness),
        clock: Arc::clone(&api.clock),
        ids: Arc::clone(&api.ids),
        metrics: Arc::new(MetricsPage(metrics)),
    }
}

/// Everything that HTTP asks, and the work that goes on beside it.
pub(crate) fn api(
    config: &Config,
    stores: &[OpenStore],
    stopping: Stopping,
    observer: Arc<dyn Observer>,
) -> Result<(Api, Arc<dyn ErasureWork>), Exit> {
    let (identity, chat) = (store_of(stores, Context::Identity), store_of(stores, Context::Chat));
    let probe = |context: &Context| (context.name(), store_of(stores, *context) as Arc<dyn Probe>);
    let probes = config.databases.keys().map(probe).collect();
    // A context that is disabled has no store from which rows could be erased.
    let mut erasable: Vec<Arc<dyn ErasableContext>> = Vec::new();
    if config.databases.contains_key(&Context::Chat) {
        erasable.push(Arc::new(ChatErasure::new(chat.clone())));
    }
    let (tokens, seal) = tokens(config)?;
    let cache = Arc::new(PrincipalCache::new(config.identity.principal_cache_ttl));
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(UuidV7Generator));
    let account_ports = account_ports(
        config,
        identity.clone(),
        Arc::clone(&tokens),
        seal.clone(),
        Arc::clone(&observer),
    );
    let accounts_config = accounts_config(config);
    let chat_config = ChatConfig {
        partial_lease: config.chat.partial_lease,
        max_revisions: config.chat.max_revisions,
        summary_config_version: i64::from(config.chat.summary_config_version),
    };
    let message_edits = Arc::new(ChatMessageEdits::new(
        chat.clone(),
        clock.clone(),
        ids.clone(),
        seal.clone(),
        chat_config,
    ));
    let external = Arc::new(AccountExternalIdentities::new(
        account_ports.clone(),
        external_issuers(config)?,
        Arc::clone(&cache),
    ));
    let erasures = Arc::new(AccountErasures::new(
        account_ports.clone(),
        Arc::clone(&cache),
        erasable,
        config.identity.principal_cache_ttl,
    ));
    let api = Api {
        external_identities: external.clone(),
        api_tokens: Arc::new(AccountApiTokens::new(
            account_ports.clone(),
            Arc::clone(&cache),
            config.identity.max_api_tokens,
        )),
        users: Arc::new(AccountAdministration::new(
            account_ports.clone(),
            Arc::clone(&cache),
            accounts_config.password_policy,
        )),
        invitations: Arc::new(AccountInvitations::new(account_ports.clone())),
        erasures: erasures.clone(),
        accounts: Arc::new(Accounts::new(
            account_ports.clone(),
            Arc::clone(&cache),
            accounts_config,
        )),
        logins: Arc::new(AccountLogins::new(account_ports, Arc::clone(&cache), accounts_config)),
        authentication: Arc::new(
            Authenticator::new(
                AuthenticatorPorts {
                    store: identity,
                    clock: clock.clone(),
                    verifier: tokens,
                    secrets: Arc::new(RandomSecrets),
                    observer: Arc::clone(&observer),
                },
                cache,
            )
            .with_external(external),
        ),
        sessions: Arc::new(ChatSessions::new(
            chat.clone(),
            clock.clone(),
            ids.clone(),
            seal.clone(),
        )),
        tags: Arc::new(ChatTags::new(chat.clone(), clock.clone(), seal.clone())),
        prompts: Arc::new(ChatPrompts::new(chat.clone(), clock.clone(), ids.clone(), seal.clone())),
        summaries: Arc::new(ChatSummaries::new(
            chat.clone(),
            clock.clone(),
            ids.clone(),
            seal.clone(),
            chat_config,
        )),
        messages: Arc::new(ChatMessages::new(
            chat.clone(),
            clock.clone(),
            ids.clone(),
            seal.clone(),
            chat_config,
        )),
        favourites: Arc::new(ChatFavourites::new(
            message_edits.clone(),
            chat.clone(),
            clock.clone(),
            Arc::new(UtcClocks),
            seal.clone(),
        )),
        files: Arc::new(ChatFiles::new(chat.clone(), seal.clone())),
        search: Arc::new(ChatSearch::new(chat, seal)),
        message_edits,
        readiness: Arc::new(Draining {
            inner: Probes::new(probes).with_optional(config.optional_contexts.iter().map(|context| context.name())),
            stopping,
        }),
        clock,
        ids,
        observer,
    };
    Ok((api, erasures))
}

/// What the use cases of accounts need from the outside.
fn account_ports(
    config: &Config,
    store: Arc<dyn Store<dyn IdentityUnit>>,
    tokens: Arc<JwtTokens>,
    seal: Arc<HmacSeal>,
    observer: Arc<dyn Observer>,
) -> AccountPorts {
    let identity = &config.identity;
    let hasher = BcryptHasher::new(BcryptConfig {
        cost: identity.bcrypt_cost,
        workers: identity.hash_workers,
        max_wait: HASH_PATIENCE,
    });
    AccountPorts {
        store,
        clock: Arc::new(SystemClock),
        ids: Arc::new(UuidV7Generator),
        hasher: Arc::new(hasher.observed_by(Arc::clone(&observer))),
        issuer: tokens,
        secrets: Arc::new(RandomSecrets),
        digests: seal.clone(),
        seal,
        observer,
    }
}

fn accounts_config(config: &Config) -> AccountsConfig {
    let identity = &config.identity;
    AccountsConfig {
        sign_up: identity.sign_up,
        password_policy: PasswordPolicy {
            min_length: identity.password_min_length,
        },
        access_ttl: identity.access_ttl,
        compat_token_ttl: config.compat.login_token_ttl,
        refresh_idle_ttl: identity.refresh_idle_ttl,
        refresh_max_ttl: identity.refresh_max_ttl,
        refresh_grace: identity.refresh_grace,
        max_logins: identity.max_logins,
        principal_cache_ttl: identity.principal_cache_ttl,
    }
}

/// The external issuers whose tokens are accepted.
fn external_issuers(config: &Config) -> Result<ExternalIssuers, Exit> {
    let issuers = &config.identity.external_issuers;
    let accepted = issuers.iter().map(|issuer| issuer.issuer.clone()).collect();
    let verifier = ExternalTokens::new(accepted, &config.identity.jwt.issuer).map_err(|(index, error)| {
        let problem = Problem::new(chain(&error)).of(format!("{EXTERNAL_ISSUERS}[{index}]"));
        ConfigError::from(problem)
    })?;
    let policies = issuers
        .iter()
        .map(|issuer| (issuer.issuer.issuer.clone(), issuer.policy));
    Ok(ExternalIssuers {
        verifier: Arc::new(verifier),
        policies: policies.collect(),
    })
}

/// Tokens, and the seal whose key comes from the first signing key.
fn tokens(config: &Config) -> Result<(Arc<JwtTokens>, Arc<HmacSeal>), Exit> {
    let jwt = key::jwt_config(config)?;
    let first = jwt.keys.first().map(|key| HmacSeal::new(&key.material.to_bytes()));
    let unusable = |text: String| ConfigError::from(Problem::new(text).of(JWT_KEYS));
    let tokens = JwtTokens::new(jwt).map_err(|error| unusable(error.to_string()))?;
    let seal = first.ok_or_else(|| unusable("no signing key is given".to_owned()))?;
    Ok((Arc::new(tokens), Arc::new(seal)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    fn config(variables: &[(&str, &str)]) -> Config {
        let inputs = Inputs {
            variables: variables
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Inputs::default()
        };
        Config::load(&inputs).unwrap()
    }

    #[test]
    fn cf_44_contexts_that_are_configured_alike_share_a_store() {
        let plans = plans(&config(&[("LARDER_DATABASE__URL", "postgres://localhost/app")]));
        assert_eq!(plans.len(), 1);
        assert_eq!(plans[0].migrate, Context::ALL);
        assert!(plans[0].check.is_empty());
    }

    #[test]
    fn cf_44_schemas_of_one_server_share_a_pool() {
        let plans = plans(&config(&[
            ("LARDER_DATABASE__URL", "postgres://localhost/app"),
            ("LARDER_DATABASES__CHAT__SCHEMA", "talks"),
        ]));
        let targets: Vec<&PostgresTarget> = plans.iter().filter_map(|plan| plan.target.as_pg_tokio()).collect();
        assert_eq!(targets.len(), 2);
        let mut pools = Pools::new(larder_tokio_postgres::PostgresPool::open);
        for target in &targets {
            pools.of(target, targets.iter().copied()).unwrap();
        }
        assert_eq!(pools.opened.len(), 1);
    }

    #[test]
    fn contexts_may_have_stores_of_their_own() {
        let plans = plans(&config(&[
            ("LARDER_DATABASE__URL", "postgres://localhost/app"),
            ("LARDER_DATABASES__CHAT__URL", "sqlite:chat.db"),
            ("LARDER_DATABASES__CHAT__MIGRATE_ON_START", "no"),
        ]));
        assert_eq!(plans.len(), 2);
        assert_eq!(
            (&plans[0].migrate[..], &plans[0].check[..]),
            (&[Context::Identity][..], &[][..])
        );
        assert_eq!(
            (&plans[1].migrate[..], &plans[1].check[..]),
            (&[][..], &[Context::Chat][..])
        );
    }
}
