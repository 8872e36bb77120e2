//! The configuration: every key, its default, and where its value came from.
//!
//! To add a key, read it in [`Config::load`] (or in `database.rs` for the key of a store) with its default; unknown keys, ranges,
//! messages, masking and `config print` follow from that.

mod alias;
mod compat;
mod database;
mod environment;
mod external_issuer;
mod options;
mod print;
mod problem;
mod reader;
mod setting;
mod source;
#[cfg(test)]
mod tests;
mod tls;
mod url;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use ipnet::IpNet;
use larder_http::{Origin, ServerOptions};
use larder_migrations::Context;
use larder_security::{JwtAlgorithm, JwtConfig, JwtKey, JwtTokens, KeyMaterial};
use larder_services::identity::SignUpMode;
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;

use crate::libpq;

pub use compat::Compat;
pub use database::{Database, StoreTarget};
pub use environment::Environment;
pub use external_issuer::IssuerConfig;
pub use problem::ConfigError;
pub use source::{Flag, Inputs};

pub(crate) use external_issuer::EXTERNAL_ISSUERS;
pub(crate) use problem::Problem;
pub(crate) use source::{MASK, variable_of};

use problem::Problems;
use reader::{Reader, Shown};
use setting::{Bytes, CollectorUrl, Listener, Networks, Origins, Setting};
use source::Sources;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// The key of the list of signing keys.
pub(crate) const JWT_KEYS: &str = "identity.jwt.keys";

/// Everything that can be chosen, with defaults filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the installation is for.
    pub environment: Environment,
    /// Where files are kept.
    pub data_dir: PathBuf,
    /// The listener.
    pub http: Http,
    /// The listener for operators.
    pub admin: Admin,
    /// How often clients may come.
    pub limits: Limits,
    /// Logs.
    pub log: Log,
    /// Where traces are sent; `None` is nowhere.
    pub traces: Option<Collector>,
    /// The store of each context that is not disabled.
    pub databases: BTreeMap<Context, Database>,
    /// Contexts whose outage does not make the service unready.
    pub optional_contexts: Vec<Context>,
    /// Accounts.
    pub identity: Identity,
    /// Conversations.
    pub chat: Chat,
    /// The compatibility surface.
    pub compat: Compat,
    /// What a person should know though it stops nothing.
    pub warnings: Vec<String>,
    /// Every key that was set, once for each place where it was set; of one key the place that counts is the first.
    pub given: Vec<(String, String)>,
    effective: Vec<Shown>,
    /// What was set for keys whose value is never shown.
    secrets: Vec<SecretString>,
}

/// `[http]`.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where requests are taken.
    pub listen: SocketAddr,
    /// Most bytes of a request's body.
    pub body_limit: usize,
    /// Longest time for one request.
    pub request_deadline: Duration,
    /// Longest time for requests that are under way when the service stops.
    pub drain: Duration,
    /// Proxies that are believed when they say from whom a request comes.
    pub trusted_proxies: Vec<IpNet>,
    /// Most connections at a time.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long a connection without a request is kept.
    pub keep_alive: Duration,
    /// How long a client may take no byte of an answer.
    pub write_timeout: Duration,
    /// Origins whose scripts may ask from a browser.
    pub origins: Vec<Origin>,
    /// For how long browsers are to come by TLS only; `None` is not told.
    pub hsts: Option<Duration>,
}

/// `[admin]`.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where operators are served; `None` is nowhere.
    pub listen: Option<SocketAddr>,
    /// Whether nobody chose that address.
    pub is_default: bool,
}

/// `[limits]`. 0 is any number.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most requests of one address in a minute.
    pub address_per_minute: u32,
    /// Most requests for one account in a minute.
    pub account_per_minute: u32,
}

/// `[traces]`: a collector that takes OTLP over HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collector {
    /// Its address without a path: `http://127.0.0.1:4318`.
    pub url: String,
    /// How many of a hundred requests are traced, where the client didn't decide that.
    pub sample_percent: u32,
}

/// `[log]`.
#[derive(Clone, Debug)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines are written, in the syntax of tracing: `info,larder_http=debug`.
    pub filter: String,
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// `[identity]`.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who may make an account.
    pub sign_up: SignUpMode,
    /// How long an access token counts.
    pub access_ttl: Duration,
    /// How long a refresh token counts unless it is used before.
    pub refresh_idle_ttl: Duration,
    /// How long a login lasts at most.
    pub refresh_max_ttl: Duration,
    /// How long after its use a refresh token counts once more.
    pub refresh_grace: Duration,
    /// How long the live state of a caller may be remembered.
    pub principal_cache_ttl: Duration,
    /// Most logins of one account.
    pub max_logins: u32,
    /// Most active API tokens of one account.
    pub max_api_tokens: u32,
    /// The cost of a password hash.
    pub bcrypt_cost: u32,
    /// Fewest characters of a password.
    pub password_min_length: usize,
    /// Most password hashes computed at once.
    pub hash_workers: usize,
    /// Most sign-ups, logins and refreshes of one address in a minute; 0 is any number.
    pub ip_rate_per_minute: u32,
    /// Access tokens. Without keys, one is made in development and test.
    pub jwt: JwtConfig,
    /// Whose tokens are accepted besides.
    pub external_issuers: Vec<IssuerConfig>,
}

/// `[chat]`.
#[derive(Clone, Debug)]
pub struct Chat {
    /// How long a partial answer may stay without news.
    pub partial_lease: Duration,
    /// Most revisions that are kept of one message.
    pub max_revisions: u32,
    /// The configuration of summaries; one written under an older one is stale.
    pub summary_config_version: u32,
}

impl Config {
    /// Reads and checks everything. All errors are reported together.
    pub fn load(inputs: &Inputs) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let sources = Sources::read(inputs, is_secret, &mut problems);
        let mut reader = Reader::new(sources, problems);
        let environment = environment::read(&mut reader);
        let data_dir = reader.get("data_dir", PathBuf::from("."));
        let disabled = read_contexts(&mut reader, "disabled_contexts");
        if disabled.contains(&Context::Identity) {
            let text = "identity can't be disabled: every other context needs to know who is calling";
            reader.problems.add(Problem::new(text).of("disabled_contexts"));
        }
        let optional_contexts = read_contexts(&mut reader, "ready.optional");
        let http = read_http(&mut reader);
        let admin = read_admin(&mut reader);
        let limits = Limits {
            address_per_minute: reader.get("limits.address_per_minute", 0),
            account_per_minute: reader.get("limits.account_per_minute", 0),
        };
        let log = read_log(&mut reader);
        let traces = read_traces(&mut reader);
        let is_enabled = |context: &Context| !disabled.contains(context);
        let contexts: Vec<Context> = Context::ALL.iter().copied().filter(is_enabled).collect();
        let databases = database::resolve(&mut reader, environment, &data_dir, &contexts);
        let identity = read_identity(&mut reader);
        let chat = Chat {
            partial_lease: reader.get_within(
                "chat.partial_lease",
                Duration::from_secs(120),
                Duration::from_secs(10)..=HOUR,
            ),
            max_revisions: reader.get_within("chat.max_revisions", 100, 2..=1_000),
            summary_config_version: reader.get_within("chat.summary_config_version", 1, 1..=u32::MAX),
        };
        let compat = compat::read(&mut reader);
        reader.refuse_unknown();
        warn_of_libpq(&mut reader);
        let given = reader.given();
        if !reader.problems.errors.is_empty() {
            return Err(ConfigError::new(reader.problems, given));
        }
        Ok(Self {
            environment,
            data_dir,
            http,
            admin,
            limits,
            log,
            traces,
            databases,
            optional_contexts,
            identity,
            chat,
            compat,
            warnings: reader.problems.warnings.iter().map(Problem::to_string).collect(),
            given,
            effective: reader.effective,
            secrets: reader.secrets,
        })
    }

    /// The configuration in effect as TOML, secrets masked (`CF-56`). With origins each line says where its value came from.
    pub fn to_toml(&self, with_origins: bool) -> String {
        print::toml(&self.effective, with_origins)
    }

    /// The names of the contexts that have no store and whose paths are not there.
    pub fn disabled_contexts(&self) -> impl Iterator<Item = &'static str> {
        let all = Context::ALL.iter();
        all.filter(|context| !self.databases.contains_key(context))
            .map(|context| context.name())
    }

    /// Every secret, each in every form in which it was set or is used.
    pub fn secrets(&self) -> Vec<SecretString> {
        let mut secrets = self.secrets.clone();
        for database in self.databases.values() {
            secrets.extend(database.store.passwords());
        }
        for key in &self.identity.jwt.keys {
            let bytes = key.material.to_bytes();
            if let Ok(text) = std::str::from_utf8(bytes.expose_secret()) {
                secrets.push(text.into());
            }
        }
        secrets.extend(self.identity.external_issuers.iter().filter_map(IssuerConfig::secret));
        secrets
    }

    /// The same as JSON.
    pub fn to_json(&self, with_origins: bool) -> String {
        print::json(&self.effective, with_origins)
    }
}

/// Keys whose value is never shown and may be given as the name of a file.
fn is_secret(key: &str) -> bool {
    let is_of_a_store = |name: &str| matches!(name, "url" | "migrate_url" | "password");
    key == JWT_KEYS
        || key == EXTERNAL_ISSUERS
        || key
            .rsplit_once('.')
            .is_some_and(|(section, name)| section.starts_with("database") && is_of_a_store(name))
}

/// A list of contexts by name.
fn read_contexts(reader: &mut Reader, key: &str) -> Vec<Context> {
    let names = reader.find::<Vec<String>>(key);
    let mut contexts = Vec::new();
    for name in names.iter().flat_map(|found| &found.value) {
        match Context::ALL.iter().find(|context| context.name() == name) {
            Some(context) => contexts.push(*context),
            None => {
                let known: Vec<&str> = Context::ALL.iter().map(|context| context.name()).collect();
                let problem = Problem::new(format!("must be a list of {}", known.join(", ")));
                if let Some(found) = &names {
                    reader.problems.add(found.problem(problem));
                }
            }
        }
    }
    reader.show(
        key,
        contexts.iter().map(|context| context.name()).collect::<Vec<_>>().into(),
    );
    contexts
}

/// Warns of variables of libpq where the key that says the same is not set (`CF-08`).
fn warn_of_libpq(reader: &mut Reader) {
    let is_set = |key: &str| {
        let name = key.trim_start_matches("database");
        let is_same = |shown: &str| shown == key || (shown.starts_with("databases.") && shown.ends_with(name));
        let mut shown = reader.effective.iter();
        shown.any(|shown| shown.origin.is_some() && is_same(&shown.key))
    };
    let ignored: Vec<Problem> = libpq::VARIABLES
        .iter()
        .filter(|(variable, key)| reader.variable(variable).is_some() && !key.is_some_and(is_set))
        .map(|(variable, key)| {
            let instead = match key {
                Some(key) => format!("; {key} is the key that says the same"),
                None => String::new(),
            };
            Problem::coded(
                "libpq_ignored",
                format!("{variable} changes no connection of Larder{instead}"),
            )
        })
        .collect();
    for problem in ignored {
        reader.problems.warn(problem);
    }
}

fn read_http(reader: &mut Reader) -> Http {
    let defaults = ServerOptions::default();
    Http {
        listen: reader.get("http.listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
        body_limit: reader
            .get_within("http.body_limit", Bytes(1 << 20), Bytes(1 << 10)..=Bytes(1 << 30))
            .0,
        request_deadline: reader.get_within(
            "http.request_deadline",
            Duration::from_secs(30),
            Duration::from_millis(100)..=HOUR,
        ),
        drain: reader.get_within("http.drain", Duration::from_secs(20), Duration::ZERO..=HOUR),
        trusted_proxies: reader.get("http.trusted_proxies", Networks::default()).0,
        max_connections: reader.get_within("http.max_connections", defaults.max_connections, 1..=100_000),
        header_timeout: reader.get_within("http.header_timeout", defaults.header_timeout, SECOND..=HOUR),
        keep_alive: reader.get_within("http.keep_alive", defaults.keep_alive, SECOND..=HOUR),
        write_timeout: reader.get_within("http.write_timeout", defaults.write_timeout, SECOND..=HOUR),
        origins: reader.get("http.cors.origins", Origins::default()).0,
        hsts: Some(reader.get_within("http.hsts", Duration::ZERO, Duration::ZERO..=3660 * DAY))
            .filter(|span| !span.is_zero()),
    }
}

fn read_admin(reader: &mut Reader) -> Admin {
    const KEY: &str = "admin.listen";
    let found = reader.find::<Listener>(KEY);
    let is_default = found.is_none();
    let default = Listener(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8081))));
    let listener = found.map_or(default, |found| found.value);
    reader.show(KEY, listener.show());
    Admin {
        listen: listener.0,
        is_default,
    }
}

fn read_traces(reader: &mut Reader) -> Option<Collector> {
    const KEY: &str = "traces.otlp";
    let url = reader.get(KEY, CollectorUrl::default()).0;
    let sample_percent = reader.get_within("traces.sample_percent", 100, 0..=100);
    if url.is_some() && !cfg!(feature = "otlp") {
        let text = "this program was built without the feature otlp, which sends traces";
        reader.problems.add(Problem::new(text).of(KEY));
    }
    url.map(|url| Collector { url, sample_percent })
}

fn read_log(reader: &mut Reader) -> Log {
    let words = [("pretty", LogFormat::Pretty), ("json", LogFormat::Json)];
    let format = reader.choose("log.format", LogFormat::Pretty, &words);
    let filter = reader.get("log.filter", "info".to_owned());
    if EnvFilter::try_new(&filter).is_err() {
        let text = "must be a filter such as info or warn,larder_http=debug";
        reader.problems.add(Problem::new(text).of("log.filter"));
    }
    Log { format, filter }
}

fn read_identity(reader: &mut Reader) -> Identity {
    let modes = [
        ("open", SignUpMode::Open),
        ("invite", SignUpMode::Invite),
        ("closed", SignUpMode::Closed),
    ];
    let cores = available_parallelism().map_or(1, usize::from);
    let sign_up = reader.choose("identity.sign_up", SignUpMode::Invite, &modes);
    let allow_weak_hashes = reader.get("identity.allow_weak_hashes", false);
    let cheapest = if allow_weak_hashes { 4 } else { 10 };
    let jwt = read_jwt(reader);
    let external_issuers = external_issuer::read(reader, &jwt.issuer);
    Identity {
        sign_up,
        access_ttl: reader.get_within("identity.access_ttl", 15 * MINUTE, MINUTE..=HOUR),
        refresh_idle_ttl: reader.get_within("identity.refresh_idle_ttl", 30 * DAY, HOUR..=3660 * DAY),
        refresh_max_ttl: reader.get_within("identity.refresh_max_ttl", 90 * DAY, HOUR..=3660 * DAY),
        refresh_grace: reader.get_within(
            "identity.refresh_grace",
            Duration::from_secs(10),
            Duration::ZERO..=MINUTE,
        ),
        principal_cache_ttl: reader.get_within(
            "identity.principal_cache_ttl",
            Duration::from_secs(30),
            Duration::ZERO..=MINUTE,
        ),
        max_logins: reader.get_within("identity.max_logins", 50, 1..=10_000),
        max_api_tokens: reader.get_within("identity.max_api_tokens", 50, 1..=10_000),
        bcrypt_cost: reader.get_within("identity.bcrypt_cost", 12, cheapest..=15),
        password_min_length: reader.get_within("identity.password_min_length", 10, 8..=64),
        hash_workers: reader.get_within("identity.hash_workers", (cores / 2).max(1), 1..=1024),
        ip_rate_per_minute: reader.get("identity.ip_rate_per_minute", 30),
        jwt,
        external_issuers,
    }
}

fn read_jwt(reader: &mut Reader) -> JwtConfig {
    let algorithms = [("HS256", JwtAlgorithm::Hs256), ("EdDSA", JwtAlgorithm::EdDsa)];
    let config = JwtConfig {
        algorithm: reader.choose("identity.jwt.algorithm", JwtAlgorithm::Hs256, &algorithms),
        issuer: reader.get("identity.jwt.issuer", "larder".to_owned()),
        audience: reader.get("identity.jwt.audience", "larder".to_owned()),
        keys: read_jwt_keys(reader),
    };
    if !config.keys.is_empty()
        && let Err(error) = JwtTokens::new(config.clone())
    {
        reader.problems.add(Problem::new(error.to_string()).of(JWT_KEYS));
    }
    config
}

/// A list of `{ kid, secret }` for HS256 or `{ kid, pem }` for EdDSA.
fn read_jwt_keys(reader: &mut Reader) -> Vec<JwtKey> {
    let Some(list) = reader.find_list(JWT_KEYS) else {
        return Vec::new();
    };
    let mut keys = Vec::with_capacity(list.value.len());
    let mut shown = Vec::with_capacity(list.value.len());
    for (index, entry) in list.value.iter().enumerate() {
        let entry = entry.as_dict();
        let text = |name: &str| entry.and_then(|entry| entry.get(name)).and_then(|value| value.as_str());
        let material = match (text("secret"), text("pem")) {
            (Some(secret), None) => Some(("secret", secret)),
            (None, Some(pem)) => Some(("pem", pem)),
            _ => None,
        };
        let problem = match (text("kid").filter(|kid| !kid.is_empty()), material) {
            (Some(_), Some((_, material))) if material.contains(source::MASK) => Problem::coded(
                "masked_value",
                format!("replace {} with the value that it stands for", source::MASK),
            ),
            (Some(kid), Some((kind, material))) if entry.is_some_and(|entry| entry.len() == 2) => {
                shown.push(print::table([("kid", kid), (kind, source::MASK)]));
                keys.push(JwtKey {
                    kid: kid.to_owned(),
                    material: match kind {
                        "pem" => KeyMaterial::Pem(material.into()),
                        _ => KeyMaterial::Secret(material.as_bytes().to_vec().into()),
                    },
                });
                continue;
            }
            _ => Problem::new("must have the texts `kid` and either `secret` or `pem`, and nothing else"),
        };
        reader
            .problems
            .add(problem.of(format!("{JWT_KEYS}[{index}]")).from(&list.origin));
    }
    reader.show(JWT_KEYS, toml::Value::Array(shown));
    keys
}
