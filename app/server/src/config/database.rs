//! Which store each context uses: the keys of `[database]`, overridden one by one by those of `[databases.<context>]` (`CF-01`).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use larder_migrations::Context;
use larder_sql::target::{
    Host, PoolOptions, PoolerMode, PostgresServer, PostgresTarget, Prepared, SqliteTarget, Timeouts, Tls,
};
use secrecy::{ExposeSecret, SecretString};

use super::Environment;
use super::alias::{DB_TYPE, DIRECT_URL};
use super::problem::Problem;
use super::reader::{Found, Reader};
use super::setting::{Setting, words};
use super::source::variable_of;
use super::tls::{self, TlsMode};
use super::url::{self, Address, POOL_SIZES, Parameters, PostgresUrl, host_named};

/// The section of the default store.
const DEFAULT: &str = "database";

/// How long a statement waits while another process has the file.
const SQLITE_BUSY: Duration = Duration::from_secs(5);

/// The port on which hosted PostgreSQL offers a transaction-mode pooler.
const TRANSACTION_PORT: u16 = 6543;

const OVERFLOWS: RangeInclusive<usize> = 0..=1000;
const SECONDS: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);
const PORTS: RangeInclusive<u16> = 1..=u16::MAX;

/// The store of one context.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Database {
    /// Where it is, and how it is reached.
    pub store: StoreTarget,
    /// Whether `serve` applies pending migrations.
    pub migrate_on_start: bool,
    /// How long `serve` waits for the store before it gives up; `None`: it starts without the store (`CF-52`).
    pub require_within: Option<Duration>,
}

/// A store and the adapter that reaches it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreTarget {
    /// A file.
    Sqlite(SqliteTarget),
    /// PostgreSQL through sqlx.
    PgSqlx(PostgresTarget),
    /// PostgreSQL through tokio-postgres.
    PgTokio(PostgresTarget),
}

impl StoreTarget {
    /// The passwords with which it is reached.
    pub(super) fn passwords(&self) -> impl Iterator<Item = SecretString> {
        let target = self.as_pg_sqlx().or(self.as_pg_tokio());
        let servers = target
            .into_iter()
            .flat_map(|target| [Some(&target.server), target.migrate.as_ref()]);
        let passwords = servers.flatten().filter_map(|server| server.password.as_ref());
        passwords.map(|password| password.expose().into())
    }

    /// The target of a store that is reached through sqlx.
    pub(crate) fn as_pg_sqlx(&self) -> Option<&PostgresTarget> {
        match self {
            Self::PgSqlx(target) => Some(target),
            _ => None,
        }
    }

    /// The target of a store that is reached through tokio-postgres.
    pub(crate) fn as_pg_tokio(&self) -> Option<&PostgresTarget> {
        match self {
            Self::PgTokio(target) => Some(target),
            _ => None,
        }
    }
}

/// Values of `driver`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Driver {
    Sqlx,
    TokioPostgres,
}

words!(
    Driver,
    "sqlx" | "pg-sqlx" => Driver::Sqlx,
    "tokio-postgres" | "pg-tokio" => Driver::TokioPostgres,
);

words!(
    PoolerMode,
    "direct" => PoolerMode::Direct,
    "session" => PoolerMode::Session,
    "transaction" => PoolerMode::Transaction,
);

/// Values of `pool.prepared`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Preparing {
    Auto,
    Named,
    Unnamed,
}

words!(
    Preparing,
    "auto" => Preparing::Auto,
    "named" => Preparing::Named,
    "unnamed" => Preparing::Unnamed,
);

macro_rules! keys {
    ($($field:ident: $type:ty = $key:literal $(within $range:expr)?),+ $(,)?) => {
        /// The keys of a section that were set, but for those of its address.
        #[derive(Clone, Debug, Default)]
        struct Keys {
            $($field: Option<Found<$type>>),+
        }

        impl Keys {
            fn read(reader: &mut Reader, section: &str) -> Self {
                Self {
                    $($field: keys!(@find reader, &format!("{section}.{}", $key) $(, $range)?)),+
                }
            }

            /// Each key as `upper` has it, else as it is here.
            fn under(&self, upper: &Self) -> Self {
                Self {
                    $($field: upper.$field.clone().or_else(|| self.$field.clone())),+
                }
            }

            /// Each key from whichever of the two was set at the higher level; at the same level as it is here.
            fn beside(&self, other: &Self) -> Self {
                Self {
                    $($field: match (&self.$field, &other.$field) {
                        (Some(own), Some(other)) if other.origin.level > own.origin.level => Some(other.clone()),
                        (own, other) => own.clone().or_else(|| other.clone()),
                    }),+
                }
            }

            fn is_empty(&self) -> bool {
                $(self.$field.is_none())&&+
            }
        }
    };
    (@find $reader:ident, $key:expr) => { $reader.find($key) };
    (@find $reader:ident, $key:expr, $range:expr) => { $reader.find_within($key, &$range) };
}

keys! {
    driver: Driver = "driver",
    schema: String = "schema",
    search_path: Vec<String> = "search_path",
    application_name: String = "application_name",
    tls_mode: TlsMode = "tls.mode",
    tls_ca_file: PathBuf = "tls.ca_file",
    tls_allow_insecure: bool = "tls.allow_insecure",
    pool_size: usize = "pool.size" within POOL_SIZES,
    max_overflow: usize = "pool.max_overflow" within OVERFLOWS,
    pool_mode: PoolerMode = "pool.mode",
    prepared: Preparing = "pool.prepared",
    dedicated: bool = "pool.dedicated",
    max_lifetime: Duration = "pool.max_lifetime",
    idle_timeout: Duration = "pool.idle_timeout",
    connect_timeout: Duration = "pool.connect_timeout" within SECONDS,
    acquire_timeout: Duration = "pool.acquire_timeout" within SECONDS,
    statement_timeout: Duration = "statement_timeout",
    lock_timeout: Duration = "lock_timeout",
    idle_in_transaction_timeout: Duration = "idle_in_transaction_timeout",
    log_sql: bool = "log_sql",
    migrate_on_start: bool = "migrate_on_start",
    require_database: bool = "startup.require_database",
    startup_wait: Duration = "startup.wait" within Duration::ZERO..=Duration::from_secs(3600),
}

impl Keys {
    /// The keys that the parameters of an address set.
    fn of_parameters(url: &Found<SecretString>, parameters: &Parameters) -> Self {
        Self {
            schema: parameters.schema.clone().map(|value| url.with(value)),
            search_path: parameters.search_path.clone().map(|value| url.with(value)),
            application_name: parameters.application_name.clone().map(|value| url.with(value)),
            tls_mode: parameters.tls_mode.map(|value| url.with(value)),
            tls_ca_file: parameters.ca_file.clone().map(|value| url.with(value)),
            pool_size: parameters.pool_size.map(|value| url.with(value)),
            // `connection_limit` is a limit.
            max_overflow: parameters.pool_size.map(|_| url.with(0)),
            pool_mode: parameters.is_pooled.then(|| url.with(PoolerMode::Transaction)),
            connect_timeout: parameters.connect_timeout.map(|value| url.with(value)),
            acquire_timeout: parameters.acquire_timeout.map(|value| url.with(value)),
            statement_timeout: parameters.statement_timeout.map(|value| url.with(value)),
            lock_timeout: parameters.lock_timeout.map(|value| url.with(value)),
            idle_in_transaction_timeout: parameters.idle_in_transaction_timeout.map(|value| url.with(value)),
            ..Self::default()
        }
    }

    fn tls(&self) -> tls::Asked<'_> {
        tls::Asked {
            mode: self.tls_mode.as_ref(),
            ca_file: self.tls_ca_file.as_ref(),
            allow_insecure: self.tls_allow_insecure.as_ref(),
        }
    }
}

/// What was set in one section.
#[derive(Clone, Debug)]
struct Section {
    name: String,
    url: Option<Found<SecretString>>,
    migrate_url: Option<Found<SecretString>>,
    host: Option<Found<String>>,
    path: Option<Found<PathBuf>>,
    parts: Parts,
    keys: Keys,
}

/// The parts of an address besides its host.
#[derive(Clone, Debug, Default)]
struct Parts {
    port: Option<Found<u16>>,
    database: Option<Found<String>>,
    user: Option<Found<String>>,
    password: Option<Found<SecretString>>,
}

/// Which of its keys gives a section its address.
enum Chosen<'a> {
    Url(&'a Found<SecretString>),
    Host(&'a Found<String>),
    Path(&'a Found<PathBuf>),
}

impl Section {
    fn read(reader: &mut Reader, name: String) -> Self {
        let key = |key: &str| format!("{name}.{key}");
        let mut this = Self {
            url: reader.find(&key("url")),
            migrate_url: reader.find(&key("migrate_url")),
            host: reader.find(&key("host")),
            path: reader.find(&key("path")),
            parts: Parts {
                port: reader.find_within(&key("port"), &PORTS),
                database: reader.find(&key("name")),
                user: reader.find(&key("user")),
                password: reader.find(&key("password")),
            },
            keys: Keys::read(reader, &name),
            name,
        };
        if let (None, Some(direct)) = (this.chosen(), &this.migrate_url)
            && direct.origin.is_alias(DIRECT_URL)
        {
            let text = "it is the only address, so requests use it as well as migrations";
            reader
                .problems
                .warn(direct.problem(Problem::coded("direct_url_only", text)));
            this.url = this.migrate_url.clone();
        }
        this
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    /// Of url, host and path the one of the higher level, then the first of them.
    fn chosen(&self) -> Option<Chosen<'_>> {
        let url = self.url.as_ref().map(|found| (found.origin.level, Chosen::Url(found)));
        let host = self
            .host
            .as_ref()
            .map(|found| (found.origin.level, Chosen::Host(found)));
        let path = self
            .path
            .as_ref()
            .map(|found| (found.origin.level, Chosen::Path(found)));
        // `max_by_key` answers the last of equal ones.
        let chosen = [path, host, url].into_iter().flatten().max_by_key(|(level, _)| *level);
        chosen.map(|(_, chosen)| chosen)
    }

    /// Whether nothing at all is set for this context alone.
    fn is_empty(&self) -> bool {
        let Parts {
            port,
            database,
            user,
            password,
        } = &self.parts;
        self.chosen().is_none()
            && self.migrate_url.is_none()
            && (port.is_none() && database.is_none() && user.is_none() && password.is_none())
            && self.keys.is_empty()
    }
}

impl Parts {
    fn of_url(url: &Found<SecretString>, address: &PostgresUrl) -> Self {
        Self {
            port: address.port.map(|value| url.with(value)),
            database: address.database.clone().map(|value| url.with(value)),
            user: address.user.clone().map(|value| url.with(value)),
            password: address.password.clone().map(|value| url.with(value)),
        }
    }

    /// Each part as `upper` has it, else as it is here.
    fn under(&self, upper: &Self) -> Self {
        Self {
            port: upper.port.clone().or_else(|| self.port.clone()),
            database: upper.database.clone().or_else(|| self.database.clone()),
            user: upper.user.clone().or_else(|| self.user.clone()),
            password: upper.password.clone().or_else(|| self.password.clone()),
        }
    }
}

/// Where a store is, and by which key.
enum Place {
    Sqlite(PathBuf, Option<String>),
    Postgres(Found<Host>, Box<Parts>),
}

/// The key of a store with the value in effect and its origin, for `config print`.
type ShownKey = (&'static str, toml::Value, Option<String>);

/// A resolved store with the keys that describe it.
struct Resolved {
    database: Database,
    shown: Vec<ShownKey>,
}

/// Decides the store of each context. Notes the keys in effect: once under `[database]` if no context has any of its own.
pub(super) fn resolve(
    reader: &mut Reader,
    environment: Environment,
    data_dir: &Path,
    contexts: &[Context],
) -> BTreeMap<Context, Database> {
    let default = Section::read(reader, DEFAULT.to_owned());
    let own: Vec<(Context, Section)> = Context::ALL
        .iter()
        .map(|context| (*context, Section::read(reader, format!("databases.{}", context.name()))))
        .collect();
    let enabled = || own.iter().filter(|(context, _)| contexts.contains(context));
    let is_alike = enabled().all(|(_, section)| section.is_empty());
    if enabled().any(|(_, section)| section.chosen().is_none()) {
        check_db_type(reader, &default);
    }
    let mut databases = BTreeMap::new();
    for (context, own) in enabled() {
        let mut resolver = Resolver {
            reader,
            environment,
            data_dir,
            default: &default,
            own,
            context: *context,
        };
        let Some(resolved) = resolver.resolve() else { continue };
        if !is_alike || databases.is_empty() {
            let section = if is_alike { DEFAULT } else { &own.name };
            for (key, value, origin) in resolved.shown {
                reader.show_from(&format!("{section}.{key}"), value, origin);
            }
        }
        databases.insert(*context, resolved.database);
    }
    databases
}

/// The variable that only says which kind of database is expected.
fn check_db_type(reader: &mut Reader, default: &Section) {
    let Some(text) = reader.variable(DB_TYPE) else { return };
    let is_postgres = match default.chosen() {
        Some(Chosen::Url(url)) => match url::parse(url.value.expose_secret()) {
            Ok(address) => matches!(address, Address::Postgres(_)),
            Err(_) => return,
        },
        Some(Chosen::Host(_)) => true,
        Some(Chosen::Path(_)) | None => false,
    };
    let problem = match text.to_ascii_lowercase().as_str() {
        "postgresql" | "postgres" | "pg" if is_postgres => return,
        "sqlite" if !is_postgres => return,
        "postgresql" | "postgres" | "pg" | "sqlite" => {
            let store = if is_postgres { "PostgreSQL" } else { "a SQLite file" };
            Problem::coded(
                "db_type_conflict",
                format!("{DB_TYPE} names another database, the store is {store}"),
            )
        }
        "mysql" | "mariadb" => {
            let text = format!("{DB_TYPE} names a database that can't be used; PostgreSQL and SQLite can");
            Problem::coded("unsupported_database", text)
        }
        _ => Problem::new(format!("{DB_TYPE} must be postgresql or sqlite")),
    };
    reader.problems.add(problem);
}

/// Decides the store of one context.
struct Resolver<'a> {
    reader: &'a mut Reader,
    environment: Environment,
    data_dir: &'a Path,
    default: &'a Section,
    own: &'a Section,
    context: Context,
}

impl<'a> Resolver<'a> {
    fn resolve(&mut self) -> Option<Resolved> {
        match self.place()? {
            (Place::Sqlite(path, origin), keys) => {
                self.refuse_driver_for_sqlite(&keys)?;
                Some(sqlite(path, origin, &keys))
            }
            (Place::Postgres(host, parts), keys) => self.postgres(&host, &parts, &keys),
        }
    }

    /// The section that says where the store is. Who sets an address inherits no part of another one, so that a password never
    /// travels to another host.
    fn holder(&self) -> &'a Section {
        if self.own.chosen().is_some() {
            self.own
        } else {
            self.default
        }
    }

    /// Where the store is, and the keys that count for it. `None` when that was noted as an error.
    fn place(&mut self) -> Option<(Place, Keys)> {
        let (own, default, holder) = (self.own, self.default, self.holder());
        let has_own = own.chosen().is_some();
        let keys_with = |of_url: Option<Keys>| match of_url {
            Some(of_url) if has_own => default.keys.under(&own.keys.beside(&of_url)),
            Some(of_url) => default.keys.beside(&of_url).under(&own.keys),
            None => default.keys.under(&own.keys),
        };
        // A context may replace parts of the default's address, but not add any to its own.
        let parts_over = |lower: Parts| if has_own { lower } else { lower.under(&own.parts) };
        match holder.chosen() {
            None => {
                let keys = keys_with(None);
                let path = self.made_up_path(&keys)?;
                Some((Place::Sqlite(path, None), keys))
            }
            Some(Chosen::Path(path)) => {
                let origin = Some(path.origin.to_string());
                Some((Place::Sqlite(path.value.clone(), origin), keys_with(None)))
            }
            Some(Chosen::Host(host)) => match host_named(&host.value) {
                Some(named) => {
                    let parts = Box::new(parts_over(holder.parts.clone()));
                    Some((Place::Postgres(host.with(named), parts), keys_with(None)))
                }
                None => {
                    let text = "must be one host by its name or address, or the folder of a socket; the port is a key \
                                of its own";
                    self.reader.problems.add(host.problem(Problem::new(text)));
                    None
                }
            },
            Some(Chosen::Url(url)) => match self.parse(url)? {
                Address::Sqlite(path) => {
                    let origin = Some(url.origin.to_string());
                    Some((Place::Sqlite(path, origin), keys_with(None)))
                }
                Address::Postgres(address) => {
                    let parts = Box::new(parts_over(holder.parts.under(&Parts::of_url(url, &address))));
                    let keys = keys_with(Some(Keys::of_parameters(url, &address.parameters)));
                    Some((Place::Postgres(url.with(address.host), parts), keys))
                }
            },
        }
    }

    fn parse(&mut self, url: &Found<SecretString>) -> Option<Address> {
        match url::parse(url.value.expose_secret()) {
            Ok(address) => {
                let password = url::encoded_password(url.value.expose_secret());
                self.reader.secrets.extend(password.map(SecretString::from));
                if let Address::Postgres(address) = &address {
                    for name in &address.parameters.dropped {
                        let text = format!("the parameter {name} has no effect; see pool.prepared");
                        let problem = Problem::coded("url_parameter_dropped", text);
                        self.reader.problems.warn(url.problem(problem));
                    }
                }
                Some(address)
            }
            Err(error) => {
                self.reader
                    .problems
                    .add(url.problem(Problem::coded(error.code, error.text)));
                None
            }
        }
    }

    /// A file in the data folder, where that is allowed (`CF-11`).
    fn made_up_path(&mut self, keys: &Keys) -> Option<PathBuf> {
        let section = self.holder();
        let (url, host) = (section.key("url"), section.key("host"));
        if let Some(driver) = keys
            .driver
            .as_ref()
            .filter(|found| found.value == Driver::TokioPostgres)
        {
            let text = format!("this driver needs an address: set {url} or {host}");
            self.reader
                .problems
                .add(driver.problem(Problem::coded("database_missing", text)));
            return None;
        }
        if self.environment.is_strict() {
            let text = format!(
                "no store is configured, and in {} none is made up: set {url} or {host} (the variable {} or {}), or {} \
                 for a SQLite file",
                self.environment.as_str(),
                variable_of(&url),
                variable_of(&host),
                section.key("path"),
            );
            self.reader.problems.add(Problem::coded("database_missing", text));
            return None;
        }
        Some(self.data_dir.join(format!("larder-{}.db", self.environment.as_str())))
    }

    /// `None` when the configured driver can't serve a file. An inherited one that can't is no error: it is meant for other contexts.
    fn refuse_driver_for_sqlite(&mut self, keys: &Keys) -> Option<()> {
        let driver = keys.driver.as_ref().filter(|found| found.value != Driver::Sqlx);
        let is_inherited = self.own.chosen().is_some() && self.own.keys.driver.is_none();
        let Some(driver) = driver.filter(|_| !is_inherited) else {
            return Some(());
        };
        let problem = Problem::coded("driver_unsupported", "a SQLite file takes the driver sqlx only");
        self.reader.problems.add(driver.problem(problem));
        None
    }

    fn postgres(&mut self, host: &Found<Host>, parts: &Parts, keys: &Keys) -> Option<Resolved> {
        let schema = match &keys.schema {
            Some(found) => self.checked_schema(found, &found.value)?,
            None => self.environment.default_schema().to_owned(),
        };
        let mut search_path = vec![schema.clone()];
        if let Some(found) = &keys.search_path {
            for name in &found.value {
                let name = self.checked_schema(found, name)?;
                if !search_path.contains(&name) {
                    search_path.push(name);
                }
            }
        }
        let server = self.server(host, parts, keys)?;
        let migrate = self.migration_server(&server, keys)?;
        let driver = value(&keys.driver, Driver::TokioPostgres);
        let migrate_on_start = value(&keys.migrate_on_start, !self.environment.is_strict());
        let target = PostgresTarget {
            server,
            migrate,
            schema,
            search_path,
            log_sql: value(&keys.log_sql, false),
        };
        let shown = self.shown(host, parts, keys, &target, driver, migrate_on_start);
        Some(Resolved {
            database: Database {
                store: match driver {
                    Driver::Sqlx => StoreTarget::PgSqlx(target),
                    Driver::TokioPostgres => StoreTarget::PgTokio(target),
                },
                migrate_on_start,
                require_within: require_within(keys),
            },
            shown,
        })
    }

    fn shown(
        &self,
        host: &Found<Host>,
        parts: &Parts,
        keys: &Keys,
        target: &PostgresTarget,
        driver: Driver,
        migrate_on_start: bool,
    ) -> Vec<ShownKey> {
        let server = &target.server;
        let timeouts = &server.timeouts;
        let masked = |url: &Found<SecretString>| url::mask(url.value.expose_secret());
        let ca_file = keys.tls_ca_file.as_ref();
        let mut keys_shown = vec![
            shown("driver", &keys.driver, &driver),
            ("host", show_host(&server.host), Some(host.origin.to_string())),
            shown("port", &parts.port, &server.port),
            shown("name", &parts.database, &server.database),
            shown("user", &parts.user, &server.user),
        ];
        let only_set = [
            parts
                .password
                .as_ref()
                .map(|found| ("password", found.value.show(), Some(found.origin.to_string()))),
            self.migrate_url()
                .map(|found| ("migrate_url", masked(found).into(), Some(found.origin.to_string()))),
            ca_file.map(|found| ("tls.ca_file", found.value.show(), Some(found.origin.to_string()))),
        ];
        keys_shown.extend(only_set.into_iter().flatten());
        keys_shown.extend([
            shown_as("schema", &keys.schema, target.schema.show()),
            shown_as("search_path", &keys.search_path, target.search_path.show()),
            shown("application_name", &keys.application_name, &server.application_name),
            shown("tls.mode", &keys.tls_mode, &mode_of(&server.tls)),
            shown(
                "tls.allow_insecure",
                &keys.tls_allow_insecure,
                &value(&keys.tls_allow_insecure, false),
            ),
        ]);
        keys_shown.extend(shown_pool(&server.pool, keys));
        keys_shown.extend([
            shown("pool.mode", &keys.pool_mode, &server.mode),
            shown("pool.prepared", &keys.prepared, &value(&keys.prepared, Preparing::Auto)),
            shown("pool.dedicated", &keys.dedicated, &server.dedicated.is_some()),
            shown("statement_timeout", &keys.statement_timeout, &timeouts.statement),
            shown("lock_timeout", &keys.lock_timeout, &timeouts.lock),
            shown(
                "idle_in_transaction_timeout",
                &keys.idle_in_transaction_timeout,
                &timeouts.idle_in_transaction,
            ),
            shown("log_sql", &keys.log_sql, &target.log_sql),
        ]);
        keys_shown.extend(shown_start(keys, migrate_on_start));
        keys_shown
    }

    fn checked_schema(&mut self, found: &Found<impl Sized>, name: &str) -> Option<String> {
        if is_schema_name(name) {
            return Some(name.to_owned());
        }
        let text = "a schema must have 1 to 63 bytes without control characters and must not be pg_... or \
                    information_schema";
        self.reader.problems.add(found.problem(Problem::new(text)));
        None
    }

    /// The server of the requests.
    fn server(&mut self, host: &Found<Host>, parts: &Parts, keys: &Keys) -> Option<PostgresServer> {
        let port = value(&parts.port, 5432);
        let user = value(&parts.user, "postgres".to_owned());
        let is_pooler = has_pooler_label(&host.value);
        if is_pooler && !user.contains('.') {
            let text = "the host is a pooler, which usually wants the user as `user.project`";
            self.reader
                .problems
                .warn(host.problem(Problem::coded("pooler_user", text)));
        }
        let mode = value(&keys.pool_mode, made_up_mode(port, is_pooler));
        Some(PostgresServer {
            host: host.value.clone(),
            port,
            user,
            password: parts.password.as_ref().map(|found| found.value.clone().into()),
            database: value(&parts.database, "postgres".to_owned()),
            tls: tls::resolve(&keys.tls(), &host.value, &mut self.reader.problems)?,
            application_name: value(&keys.application_name, "larder".to_owned()),
            mode,
            prepared: self.prepared(keys.prepared.as_ref(), mode)?,
            pool: pool(keys),
            timeouts: timeouts(keys),
            dedicated: value(&keys.dedicated, false).then(|| self.context.name()),
        })
    }

    fn prepared(&mut self, asked: Option<&Found<Preparing>>, mode: PoolerMode) -> Option<Prepared> {
        match (asked.map(|found| (found.value, found)), mode) {
            (Some((Preparing::Named, found)), PoolerMode::Transaction) => {
                let text = "named statements do not outlive a transaction behind a transaction-mode pooler: use auto or \
                            unnamed";
                self.reader
                    .problems
                    .add(found.problem(Problem::coded("prepared_unsupported", text)));
                None
            }
            (Some((Preparing::Unnamed, _)), _) | (_, PoolerMode::Transaction) => Some(Prepared::Unnamed),
            _ => Some(Prepared::Named),
        }
    }

    /// The address for migrations. It is part of the address, so a context with one of its own does not inherit it.
    fn migrate_url(&self) -> Option<&'a Found<SecretString>> {
        let own = self.own.migrate_url.as_ref();
        own.or_else(|| self.holder().migrate_url.as_ref())
    }

    /// The server of the migrations, if it is another one. The outer `None` is an error.
    fn migration_server(&mut self, server: &PostgresServer, keys: &Keys) -> Option<Option<PostgresServer>> {
        let Some(url) = self.migrate_url() else {
            return Some(None);
        };
        let Address::Postgres(address) = self.parse(url)? else {
            let text = "must be the address of a PostgreSQL database";
            self.reader.problems.add(url.problem(Problem::new(text)));
            return None;
        };
        let of_url = Keys::of_parameters(url, &address.parameters);
        // The database of a context is another one for its migrations as well.
        let over = match (self.own.chosen(), &self.own.migrate_url) {
            (None, None) => self.own.parts.clone(),
            _ => Parts::default(),
        };
        let parts = Parts::of_url(url, &address).under(&over);
        let port = address.port.unwrap_or(5432);
        let mode = value(&of_url.pool_mode, made_up_mode(port, has_pooler_label(&address.host)));
        if mode == PoolerMode::Transaction {
            let text =
                "a transaction-mode pooler can't run every migration; use a direct address or a session-mode pooler";
            self.reader
                .problems
                .warn(url.problem(Problem::coded("migrate_url_pooled", text)));
        }
        let migrate = PostgresServer {
            port,
            user: value(&parts.user, "postgres".to_owned()),
            password: parts.password.map(|found| found.value.into()),
            database: value(&parts.database, "postgres".to_owned()),
            tls: tls::resolve(&of_url.beside(keys).tls(), &address.host, &mut self.reader.problems)?,
            host: address.host,
            mode,
            prepared: if mode == PoolerMode::Transaction {
                Prepared::Unnamed
            } else {
                Prepared::Named
            },
            ..server.clone()
        };
        Some(Some(migrate).filter(|migrate| migrate != server))
    }
}

fn value<T: Clone>(found: &Option<Found<T>>, default: T) -> T {
    found.as_ref().map_or(default, |found| found.value.clone())
}

fn origin_of<T>(found: &Option<Found<T>>) -> Option<String> {
    found.as_ref().map(|found| found.origin.to_string())
}

fn shown<T: Setting>(key: &'static str, found: &Option<Found<T>>, value: &T) -> ShownKey {
    shown_as(key, found, value.show())
}

fn shown_as<T>(key: &'static str, found: &Option<Found<T>>, value: toml::Value) -> ShownKey {
    (key, value, origin_of(found))
}

/// `CF-40`, for an address whose mode nobody says.
fn made_up_mode(port: u16, is_pooler: bool) -> PoolerMode {
    if port == TRANSACTION_PORT {
        PoolerMode::Transaction
    } else if is_pooler {
        PoolerMode::Session
    } else {
        PoolerMode::Direct
    }
}

fn has_pooler_label(host: &Host) -> bool {
    matches!(host, Host::Tcp(name) if name.split('.').any(|label| label.eq_ignore_ascii_case("pooler")))
}

fn mode_of(tls: &Tls) -> TlsMode {
    match tls {
        Tls::Off => TlsMode::Disable,
        Tls::Verified { host_name: true, .. } => TlsMode::VerifyFull,
        Tls::Verified { host_name: false, .. } => TlsMode::VerifyCa,
    }
}

fn show_host(host: &Host) -> toml::Value {
    match host {
        Host::Tcp(name) => name.show(),
        Host::Socket(folder) => folder.show(),
    }
}

fn pool(keys: &Keys) -> PoolOptions {
    let default = PoolOptions::default();
    PoolOptions {
        size: value(&keys.pool_size, default.size),
        max_overflow: value(&keys.max_overflow, default.max_overflow),
        max_lifetime: value(&keys.max_lifetime, default.max_lifetime),
        idle_timeout: value(&keys.idle_timeout, default.idle_timeout),
        connect_timeout: value(&keys.connect_timeout, default.connect_timeout),
        acquire_timeout: value(&keys.acquire_timeout, default.acquire_timeout),
    }
}

fn shown_pool(pool: &PoolOptions, keys: &Keys) -> [ShownKey; 6] {
    [
        shown("pool.size", &keys.pool_size, &pool.size),
        shown("pool.max_overflow", &keys.max_overflow, &pool.max_overflow),
        shown("pool.max_lifetime", &keys.max_lifetime, &pool.max_lifetime),
        shown("pool.idle_timeout", &keys.idle_timeout, &pool.idle_timeout),
        shown("pool.connect_timeout", &keys.connect_timeout, &pool.connect_timeout),
        shown("pool.acquire_timeout", &keys.acquire_timeout, &pool.acquire_timeout),
    ]
}

fn timeouts(keys: &Keys) -> Timeouts {
    let default = Timeouts::default();
    Timeouts {
        statement: value(&keys.statement_timeout, default.statement),
        lock: value(&keys.lock_timeout, default.lock),
        idle_in_transaction: value(&keys.idle_in_transaction_timeout, default.idle_in_transaction),
    }
}

fn require_within(keys: &Keys) -> Option<Duration> {
    let wait = value(&keys.startup_wait, Duration::from_secs(30));
    value(&keys.require_database, false).then_some(wait)
}

fn shown_start(keys: &Keys, migrate_on_start: bool) -> [ShownKey; 3] {
    let wait = value(&keys.startup_wait, Duration::from_secs(30));
    [
        shown("migrate_on_start", &keys.migrate_on_start, &migrate_on_start),
        shown(
            "startup.require_database",
            &keys.require_database,
            &value(&keys.require_database, false),
        ),
        shown("startup.wait", &keys.startup_wait, &wait),
    ]
}

fn sqlite(path: PathBuf, origin: Option<String>, keys: &Keys) -> Resolved {
    let pool = pool(keys);
    let migrate_on_start = value(&keys.migrate_on_start, true);
    let log_sql = value(&keys.log_sql, false);
    // A driver that was inherited may be for the other contexts.
    let driver = keys.driver.clone().filter(|found| found.value == Driver::Sqlx);
    let mut shown_keys = vec![shown("driver", &driver, &Driver::Sqlx), ("path", path.show(), origin)];
    shown_keys.extend(shown_pool(&pool, keys));
    shown_keys.push(shown("log_sql", &keys.log_sql, &log_sql));
    shown_keys.extend(shown_start(keys, migrate_on_start));
    Resolved {
        database: Database {
            store: StoreTarget::Sqlite(SqliteTarget {
                path,
                pool,
                busy_timeout: SQLITE_BUSY,
                log_sql,
            }),
            migrate_on_start,
            require_within: require_within(keys),
        },
        shown: shown_keys,
    }
}

/// `CF-23`.
fn is_schema_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && !name.chars().any(char::is_control)
        && !name.starts_with("pg_")
        && name != "information_schema"
}

impl std::fmt::Display for StoreTarget {
    /// Where the data is, for a person. Never a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (driver, target) = match self {
            Self::Sqlite(target) => {
                let path = std::path::absolute(&target.path).unwrap_or_else(|_| target.path.clone());
                return write!(f, "SQLite file {}", path.display());
            }
            Self::PgSqlx(target) => ("sqlx", target),
            Self::PgTokio(target) => ("tokio-postgres", target),
        };
        let PostgresServer {
            host, port, database, ..
        } = &target.server;
        write!(f, "PostgreSQL database {database}, schema {}, ", target.schema)?;
        match host {
            Host::Tcp(host) if host.contains(':') => write!(f, "on [{host}]:{port} ({driver})"),
            Host::Tcp(host) => write!(f, "on {host}:{port} ({driver})"),
            Host::Socket(folder) => write!(f, "at {} port {port} ({driver})", folder.display()),
        }
    }
}
