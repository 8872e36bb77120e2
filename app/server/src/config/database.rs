//! Which store each context uses: the keys of `[database]`, overridden one by one by those of `[databases.<context>]` (`CF-01`).

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use larder_migrations::Context;
use larder_sql::target::{
    Host, PoolOptions, PoolerMode, PostgresServer, PostgresTarget, Prepared, SqliteTarget, Timeouts,
};
use secrecy::{ExposeSecret, SecretString};

use super::Environment;
use super::problem::Problem;
use super::reader::{Found, Reader};
use super::setting::Setting;
use super::source::{Level, variable_of};
use super::url::{self, Address, PostgresAddress};

/// The section of the default store.
const DEFAULT: &str = "database";

/// How long a statement waits while another process has the file.
const SQLITE_BUSY: Duration = Duration::from_secs(5);

const POOL_SIZES: RangeInclusive<usize> = 1..=1000;

/// The store of one context.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where it is, and how it is reached.
    pub store: StoreTarget,
    /// Whether `serve` applies pending migrations.
    pub migrate_on_start: bool,
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
    Sqlite,
    /// `sqlx`: whichever of the two sqlx drivers the address calls for.
    Sqlx,
    PgSqlx,
    PgTokio,
}

const DRIVERS: [(&str, Driver); 5] = [
    ("sqlite", Driver::Sqlite),
    ("pg-sqlx", Driver::PgSqlx),
    ("pg-tokio", Driver::PgTokio),
    ("sqlx", Driver::Sqlx),
    ("tokio-postgres", Driver::PgTokio),
];

impl Driver {
    fn serves_postgres(self) -> bool {
        self != Self::Sqlite
    }

    fn serves_sqlite(self) -> bool {
        matches!(self, Self::Sqlite | Self::Sqlx)
    }
}

/// The keys of one section that were set.
#[derive(Clone, Debug)]
pub(super) struct Section {
    name: String,
    url: Option<Found<SecretString>>,
    path: Option<Found<PathBuf>>,
    driver: Option<Found<Driver>>,
    schema: Option<Found<String>>,
    pool_size: Option<usize>,
    acquire_timeout: Option<Duration>,
    connect_timeout: Option<Found<Duration>>,
    statement_timeout: Option<Duration>,
    lock_timeout: Option<Duration>,
    idle_in_transaction_timeout: Option<Duration>,
    migrate_on_start: Option<bool>,
}

impl Section {
    /// Reads `[database]`.
    pub(super) fn read_default(reader: &mut Reader) -> Self {
        Self::read(reader, DEFAULT.to_owned())
    }

    /// Reads `[databases.<context>]`.
    pub(super) fn read_of(reader: &mut Reader, context: Context) -> Self {
        Self::read(reader, format!("databases.{}", context.name()))
    }

    fn read(reader: &mut Reader, name: String) -> Self {
        let key = |key: &str| format!("{name}.{key}");
        let pool_size = reader.find(&key("pool.size"));
        Self {
            url: reader.find(&key("url")),
            path: reader.find(&key("path")),
            driver: read_driver(reader, &key("driver")),
            schema: reader.find(&key("schema")),
            pool_size: reader.check_range(&key("pool.size"), pool_size, &POOL_SIZES),
            acquire_timeout: reader.find(&key("pool.acquire_timeout")).map(|found| found.value),
            connect_timeout: reader.find(&key("pool.connect_timeout")),
            statement_timeout: reader.find(&key("statement_timeout")).map(|found| found.value),
            lock_timeout: reader.find(&key("lock_timeout")).map(|found| found.value),
            idle_in_transaction_timeout: reader
                .find(&key("idle_in_transaction_timeout"))
                .map(|found| found.value),
            migrate_on_start: reader.find(&key("migrate_on_start")).map(|found| found.value),
            name,
        }
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    fn has_address(&self) -> bool {
        self.url.is_some() || self.path.is_some()
    }

    /// Whether anything at all is set for this context alone.
    fn is_empty(&self) -> bool {
        !self.has_address()
            && self.driver.is_none()
            && self.schema.is_none()
            && self.pool_size.is_none()
            && self.acquire_timeout.is_none()
            && self.connect_timeout.is_none()
            && self.statement_timeout.is_none()
            && self.lock_timeout.is_none()
            && self.idle_in_transaction_timeout.is_none()
            && self.migrate_on_start.is_none()
    }
}

fn read_driver(reader: &mut Reader, key: &str) -> Option<Found<Driver>> {
    let found = reader.find::<String>(key)?;
    match DRIVERS.iter().find(|(word, _)| *word == found.value) {
        Some((_, value)) => Some(Found {
            value: *value,
            origin: found.origin,
        }),
        None => {
            reader.not_a_word(key, &found.origin, DRIVERS.iter().map(|(word, _)| *word).take(3));
            None
        }
    }
}

/// A resolved store with the keys that describe it, for `config print`.
pub(super) struct Resolved {
    pub(super) database: Database,
    pub(super) shown: Vec<(&'static str, toml::Value)>,
}

/// Decides the store of each context. Notes the keys in effect: once under `[database]` if all contexts have the same.
pub(super) fn resolve(
    reader: &mut Reader,
    environment: Environment,
    data_dir: &Path,
    default: &Section,
    contexts: &[Section],
) -> Option<Vec<Database>> {
    if contexts.iter().all(Section::is_empty) {
        let one = resolve_one(reader, environment, data_dir, default, None)?;
        show(reader, DEFAULT, one.shown);
        return Some(vec![one.database; contexts.len()]);
    }
    let mut databases = Vec::with_capacity(contexts.len());
    for own in contexts {
        if let Some(resolved) = resolve_one(reader, environment, data_dir, default, Some(own)) {
            show(reader, &own.name, resolved.shown);
            databases.push(resolved.database);
        }
    }
    (databases.len() == contexts.len()).then_some(databases)
}

fn show(reader: &mut Reader, section: &str, shown: Vec<(&'static str, toml::Value)>) {
    for (key, value) in shown {
        reader.show(&format!("{section}.{key}"), value);
    }
}

/// A context's own key wins over that of `[database]`, whatever their levels.
fn layered<T: Clone>(own: Option<&Section>, default: &Section, get: impl Fn(&Section) -> Option<T>) -> Option<T> {
    own.and_then(&get).or_else(|| get(default))
}

fn resolve_one(
    reader: &mut Reader,
    environment: Environment,
    data_dir: &Path,
    default: &Section,
    own: Option<&Section>,
) -> Option<Resolved> {
    // Who sets an address inherits no part of another one, so that a password never travels to another host.
    let section = own.filter(|own| own.has_address()).unwrap_or(default);
    let driver = own
        .into_iter()
        .chain([default])
        .find_map(|holder| Some((holder, holder.driver.as_ref()?)));
    let address = match configured_address(reader, section)? {
        Some(address) => address,
        None => made_up_address(reader, environment, data_dir, section, driver)?,
    };
    let driver = fitting_driver(reader, &address, section, driver)?;
    match address {
        Address::Sqlite(path) => Some(sqlite(path, default, own)),
        Address::Postgres(address) => postgres(reader, environment, address, driver, section, default, own),
    }
}

/// The address that a section sets: of url and path the one of the higher level, then the url. The outer `None` is a bad one.
fn configured_address(reader: &mut Reader, section: &Section) -> Option<Option<Address>> {
    match (&section.url, &section.path) {
        (Some(url), path) if path.as_ref().is_none_or(|path| url.origin.level >= path.origin.level) => {
            match url::parse(url.value.expose_secret()) {
                Ok(address) => Some(Some(address)),
                Err(error) => {
                    let problem = Problem::coded(error.code, error.text);
                    reader.problems.add(problem.of(section.key("url")).from(&url.origin));
                    None
                }
            }
        }
        (_, path) => Some(path.as_ref().map(|path| Address::Sqlite(path.value.clone()))),
    }
}

/// A file in the data folder, where that is allowed (`CF-11`).
fn made_up_address(
    reader: &mut Reader,
    environment: Environment,
    data_dir: &Path,
    section: &Section,
    driver: Option<(&Section, &Found<Driver>)>,
) -> Option<Address> {
    let url = section.key("url");
    if let Some((holder, driver)) = driver
        && !driver.value.serves_sqlite()
    {
        let problem = Problem::coded("database_missing", format!("this driver needs an address: set {url}"));
        reader
            .problems
            .add(problem.of(holder.key("driver")).from(&driver.origin));
        return None;
    }
    if environment.is_strict() {
        let text = format!(
            "no store is configured, and in {} none is made up: set {url} (or the variable {}), or {} for a SQLite file",
            environment.as_str(),
            variable_of(&url),
            section.key("path"),
        );
        reader.problems.add(Problem::coded("database_missing", text));
        return None;
    }
    Some(Address::Sqlite(
        data_dir.join(format!("larder-{}.db", environment.as_str())),
    ))
}

/// The configured driver, if it serves the address. An inherited one of another kind than a context's own address doesn't apply.
/// The outer `None` is a bad one.
fn fitting_driver(
    reader: &mut Reader,
    address: &Address,
    section: &Section,
    driver: Option<(&Section, &Found<Driver>)>,
) -> Option<Option<Driver>> {
    let Some((holder, driver)) = driver else {
        return Some(None);
    };
    let (serves, text) = match address {
        Address::Postgres(_) => (
            driver.value.serves_postgres(),
            "a PostgreSQL address takes pg-tokio or pg-sqlx",
        ),
        Address::Sqlite(_) => (driver.value.serves_sqlite(), "a SQLite file takes sqlite"),
    };
    if serves {
        return Some(Some(driver.value));
    }
    let is_inherited = holder.name == DEFAULT && section.name != DEFAULT;
    if is_inherited {
        return Some(None);
    }
    let problem = Problem::coded("driver_unsupported", text);
    reader
        .problems
        .add(problem.of(holder.key("driver")).from(&driver.origin));
    None
}

fn pool(default: &Section, own: Option<&Section>, of_url: Option<Duration>) -> PoolOptions {
    let connect_timeout = layered(own, default, |section| section.connect_timeout.clone()).map(|found| found.value);
    let or = PoolOptions::default();
    PoolOptions {
        size: layered(own, default, |section| section.pool_size).unwrap_or(or.size),
        acquire_timeout: layered(own, default, |section| section.acquire_timeout).unwrap_or(or.acquire_timeout),
        connect_timeout: connect_timeout.or(of_url).unwrap_or(or.connect_timeout),
        ..or
    }
}

fn show_pool(pool: PoolOptions) -> [(&'static str, toml::Value); 3] {
    [
        ("pool.size", pool.size.show()),
        ("pool.acquire_timeout", pool.acquire_timeout.show()),
        ("pool.connect_timeout", pool.connect_timeout.show()),
    ]
}

fn sqlite(path: PathBuf, default: &Section, own: Option<&Section>) -> Resolved {
    let pool = pool(default, own, None);
    let migrate_on_start = layered(own, default, |section| section.migrate_on_start).unwrap_or(true);
    let mut shown = vec![("driver", "sqlite".into()), ("path", path.show())];
    shown.extend(show_pool(pool));
    shown.push(("migrate_on_start", migrate_on_start.show()));
    Resolved {
        database: Database {
            store: StoreTarget::Sqlite(SqliteTarget {
                path,
                pool,
                busy_timeout: SQLITE_BUSY,
                log_sql: false,
            }),
            migrate_on_start,
        },
        shown,
    }
}

fn postgres(
    reader: &mut Reader,
    environment: Environment,
    address: PostgresAddress,
    driver: Option<Driver>,
    section: &Section,
    default: &Section,
    own: Option<&Section>,
) -> Option<Resolved> {
    let url = section.url.as_ref()?;
    if address.is_tls_raised {
        let text = format!(
            "{}: tls_raised: the certificate and its name are checked as with verify-full",
            section.key("url")
        );
        reader.problems.warn(text);
    }
    let schema = schema(reader, environment, &address, url.origin.level, section, default, own)?;
    let migrate_on_start =
        layered(own, default, |section| section.migrate_on_start).unwrap_or(!environment.is_strict());
    let or = Timeouts::default();
    let timeouts = Timeouts {
        statement: layered(own, default, |section| section.statement_timeout).unwrap_or(or.statement),
        lock: layered(own, default, |section| section.lock_timeout).unwrap_or(or.lock),
        idle_in_transaction: layered(own, default, |section| section.idle_in_transaction_timeout)
            .unwrap_or(or.idle_in_transaction),
    };
    let server = PostgresServer {
        host: address.host,
        port: address.port,
        user: address.user,
        password: address.password.map(Into::into),
        database: address.database,
        tls: address.tls,
        application_name: address.application_name.unwrap_or_else(|| "larder".to_owned()),
        mode: PoolerMode::Direct,
        prepared: Prepared::Named,
        pool: pool(default, own, address.connect_timeout),
        timeouts,
        dedicated: None,
    };
    let target = PostgresTarget {
        server,
        migrate: None,
        search_path: vec![schema.clone()],
        schema,
        log_sql: false,
    };
    let (word, store): (_, fn(PostgresTarget) -> StoreTarget) = match driver {
        Some(Driver::PgSqlx | Driver::Sqlx) => ("pg-sqlx", StoreTarget::PgSqlx),
        _ => ("pg-tokio", StoreTarget::PgTokio),
    };
    let mut shown = vec![
        ("driver", word.into()),
        ("url", url::mask(url.value.expose_secret()).into()),
        ("schema", target.schema.show()),
    ];
    shown.extend(show_pool(target.server.pool));
    shown.extend([
        ("statement_timeout", timeouts.statement.show()),
        ("lock_timeout", timeouts.lock.show()),
        ("idle_in_transaction_timeout", timeouts.idle_in_transaction.show()),
        ("migrate_on_start", migrate_on_start.show()),
    ]);
    Some(Resolved {
        database: Database {
            store: store(target),
            migrate_on_start,
        },
        shown,
    })
}

/// The schema: a context's own key or address, then those of `[database]`; between a key and an address of one section the higher
/// level wins, then the key (`CF-12`, `CF-22`).
fn schema(
    reader: &mut Reader,
    environment: Environment,
    address: &PostgresAddress,
    url_level: Level,
    section: &Section,
    default: &Section,
    own: Option<&Section>,
) -> Option<String> {
    let of_url = address
        .schema
        .as_ref()
        .map(|schema| (section, "url", url_level, schema));
    let of_key = own.into_iter().chain([default]).find_map(|holder| {
        let found = holder.schema.as_ref()?;
        Some((holder, "schema", found.origin.level, &found.value))
    });
    let (holder, key, schema) = match (of_key, of_url) {
        (None, None) => return Some(environment.default_schema().to_owned()),
        (Some((holder, key, _, schema)), None) | (None, Some((holder, key, _, schema))) => (holder, key, schema),
        (Some(by_key), Some(by_url)) => {
            let url_wins = if by_key.0.name == by_url.0.name {
                by_url.2 > by_key.2
            } else {
                by_url.0.name != DEFAULT
            };
            let (holder, key, _, schema) = if url_wins { by_url } else { by_key };
            (holder, key, schema)
        }
    };
    if is_schema_name(schema) {
        return Some(schema.clone());
    }
    let text =
        "the schema must have 1 to 63 bytes without control characters and must not be pg_... or information_schema";
    reader.problems.add(Problem::new(text).of(holder.key(key)));
    None
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
            Self::PgSqlx(target) => ("pg-sqlx", target),
            Self::PgTokio(target) => ("pg-tokio", target),
        };
        let PostgresTarget { server, schema, .. } = target;
        let PostgresServer { database, port, .. } = server;
        write!(f, "PostgreSQL database {database}, schema {schema}, ")?;
        match &server.host {
            Host::Tcp(host) if host.contains(':') => write!(f, "on [{host}]:{port} ({driver})"),
            Host::Tcp(host) => write!(f, "on {host}:{port} ({driver})"),
            Host::Socket(folder) => write!(f, "at {} port {port} ({driver})", folder.display()),
        }
    }
}
