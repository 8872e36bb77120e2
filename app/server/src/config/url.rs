//! Addresses of stores (`CF-20` to `CF-24`, `CF-30`). Nothing is guessed, and no piece of an address is repeated in an error.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use larder_sql::target::Host;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::options;
use super::source::MASK;
use super::tls::TlsMode;

/// How many connections a pool may have.
pub(crate) const POOL_SIZES: RangeInclusive<usize> = 1..=1000;

/// What an address says.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Postgres(Box<PostgresUrl>),
    Sqlite(PathBuf),
}

/// The address of a PostgreSQL database: what it says, and nothing that it leaves out.
#[derive(Clone, Debug)]
pub(crate) struct PostgresUrl {
    pub(crate) host: Host,
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<SecretString>,
    pub(crate) database: Option<String>,
    pub(crate) parameters: Parameters,
}

/// What the parameters of an address say of our keys (`CF-22`, `CF-24`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters {
    pub(crate) schema: Option<String>,
    pub(crate) search_path: Option<Vec<String>>,
    pub(crate) tls_mode: Option<TlsMode>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) application_name: Option<String>,
    /// `pgbouncer=true`
    pub(crate) is_pooled: bool,
    pub(crate) pool_size: Option<usize>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) acquire_timeout: Option<Duration>,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) idle_in_transaction_timeout: Option<Duration>,
    /// Names of parameters that mean something to other programs only.
    pub(crate) dropped: Vec<&'static str>,
}

/// Why an address is refused: a documented code, and a sentence without any piece of the address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UrlError {
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

fn refuse<T>(code: &'static str, text: impl Into<String>) -> Result<T, UrlError> {
    Err(UrlError {
        code,
        text: text.into(),
    })
}

fn invalid<T>(text: &str) -> Result<T, UrlError> {
    refuse("url_invalid", text)
}

fn not_encoded<T>() -> Result<T, UrlError> {
    refuse(
        "url_password_not_encoded",
        "it can't be split without doubt: in a user name or password write each of @ / ? # % and space percent-encoded \
         (%40 %2F %3F %23 %25 %20), or give host, user and password as keys of their own, where every character is allowed",
    )
}

/// Reads an address.
pub(crate) fn parse(url: &str) -> Result<Address, UrlError> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return invalid("it must start with postgres:// or sqlite:");
    };
    // `postgresql+asyncpg` names a driver of another program; ours is chosen by its own key.
    match scheme.split('+').next() {
        Some("postgres" | "postgresql") => match rest.strip_prefix("//") {
            Some(rest) => postgres(rest).map(|url| Address::Postgres(Box::new(url))),
            None => invalid("after the scheme it needs //"),
        },
        Some("sqlite") if !scheme.contains('+') => sqlite(rest.strip_prefix("//").unwrap_or(rest)),
        _ => refuse(
            "unsupported_database",
            "only postgres://, postgresql:// and sqlite: can be used",
        ),
    }
}

/// The address with its password masked; an unreadable one is hidden whole (`CF-56`).
pub(crate) fn mask(url: &str) -> String {
    match (parse(url), password_at(url)) {
        (Err(_), _) => "<unparsable>".to_owned(),
        (Ok(_), None) => url.to_owned(),
        (Ok(_), Some(at)) => format!("{}{MASK}{}", &url[..at.start], &url[at.end..]),
    }
}

/// The password of a readable address as it stands there.
pub(crate) fn encoded_password(url: &str) -> Option<&str> {
    Some(&url[password_at(url)?]).filter(|password| !password.is_empty())
}

fn password_at(url: &str) -> Option<Range<usize>> {
    let end = url.find('@')?;
    let user = url.find("//")? + 2;
    let colon = url.get(user..end)?.find(':')?;
    Some(user + colon + 1..end)
}

fn sqlite(rest: &str) -> Result<Address, UrlError> {
    let (path, query) = rest
        .split_once('?')
        .map_or((rest, None), |(path, query)| (path, Some(query)));
    if path == ":memory:" {
        return refuse("unsupported_database", "a store in memory can't be used; name a file");
    }
    if let Some((name, _)) = parameters(query).next() {
        return unknown_parameter(name);
    }
    match decode(path) {
        Some(path) if !path.is_empty() => Ok(Address::Sqlite(path.into())),
        _ => invalid("the path of the file is missing or not percent-encoded"),
    }
}

fn postgres(rest: &str) -> Result<PostgresUrl, UrlError> {
    let (user_info, rest) = match rest.split_once('@') {
        // A second @ may belong to the password or to what follows: nobody can tell.
        Some((_, after)) if after.contains('@') => return not_encoded(),
        Some((user_info, after)) => (Some(user_info), after),
        None => (None, rest),
    };
    let is_doubtful = |c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace() || c.is_control();
    if user_info.is_some_and(|text| text.contains(is_doubtful)) {
        return not_encoded();
    }
    let (user, password) = match user_info.map(|text| text.split_once(':').map_or((text, None), |(u, p)| (u, Some(p))))
    {
        None => (None, None),
        Some((user, password)) => {
            let (Some(user), Some(password)) = (decode(user), password.map(decode).map_or(Some(None), |p| p.map(Some)))
            else {
                return not_encoded();
            };
            (Some(user), password)
        }
    };
    if rest.contains('#') {
        return invalid("it must not have a fragment (#)");
    }
    let (rest, query) = rest
        .split_once('?')
        .map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = host_and_port(authority)?;
    let Some(database) = decode(database).filter(|name| !name.contains(['/', '\0'])) else {
        return invalid("the name of the database is not percent-encoded");
    };
    Ok(PostgresUrl {
        host,
        port,
        user: user.filter(|user| !user.is_empty()),
        password: password.filter(|password| !password.is_empty()).map(SecretString::from),
        database: Some(database).filter(|name| !name.is_empty()),
        parameters: read_parameters(query)?,
    })
}

/// Parameters of other programs that change nothing here: statements are prepared as `pool.prepared` says.
const DROPPED: [&str; 3] = [
    "statement_cache_size",
    "prepared_statement_cache_size",
    "prepared_statements",
];

fn read_parameters(query: Option<&str>) -> Result<Parameters, UrlError> {
    let mut read = Parameters::default();
    let mut names = BTreeSet::new();
    for (name, value) in parameters(query) {
        if !names.insert(name) {
            return refuse(
                "url_invalid",
                format!("the parameter {} stands there twice", shown(name)),
            );
        }
        let Some(value) = decode(value) else {
            return invalid("a parameter is not percent-encoded");
        };
        set_parameter(&mut read, name, value)?;
    }
    Ok(read)
}

fn set_parameter(read: &mut Parameters, name: &str, value: String) -> Result<(), UrlError> {
    let must_be = |what: &str| refuse("url_invalid", format!("the parameter {name} must be {what}"));
    let seconds = || value.parse().ok().map(Duration::from_secs);
    match name {
        "schema" => read.schema = Some(value),
        "options" => return read_options(read, &value),
        "application_name" => read.application_name = Some(value),
        "sslrootcert" => read.ca_file = Some(value.into()),
        "sslmode" => match TlsMode::of_sslmode(&value) {
            Some(mode) => read.tls_mode = Some(mode),
            None => return must_be("one of disable, allow, prefer, require, verify-ca, verify-full"),
        },
        "connect_timeout" => match seconds() {
            Some(timeout) => read.connect_timeout = Some(timeout),
            None => return must_be("whole seconds"),
        },
        "pool_timeout" => match seconds() {
            Some(timeout) => read.acquire_timeout = Some(timeout),
            None => return must_be("whole seconds"),
        },
        "connection_limit" => match value.parse() {
            Ok(size) if POOL_SIZES.contains(&size) => read.pool_size = Some(size),
            _ => return must_be("a whole number from 1 to 1000"),
        },
        "pgbouncer" => match value.as_str() {
            "true" => read.is_pooled = true,
            "false" => {}
            _ => return must_be("true or false"),
        },
        _ => match DROPPED.iter().find(|dropped| **dropped == name) {
            Some(dropped) => read.dropped.push(dropped),
            None => return unknown_parameter(name),
        },
    }
    Ok(())
}

/// `CF-22`.
fn read_options(read: &mut Parameters, text: &str) -> Result<(), UrlError> {
    let Some(settings) = options::settings(text) else {
        return invalid("the parameter options must be a list of -c name=value");
    };
    for (name, value) in settings {
        let duration = || match options::duration(&value) {
            Some(duration) => Ok(Some(duration)),
            None => refuse(
                "url_invalid",
                format!("in the parameter options, {name} must be a duration"),
            ),
        };
        match name.as_str() {
            "search_path" => match options::search_path(&value) {
                Some(path) => {
                    read.schema = read.schema.take().or_else(|| path.first().cloned());
                    read.search_path = Some(path);
                }
                None => return invalid("in the parameter options, search_path must be a list of schemas"),
            },
            "statement_timeout" => read.statement_timeout = duration()?,
            "lock_timeout" => read.lock_timeout = duration()?,
            "idle_in_transaction_session_timeout" => read.idle_in_transaction_timeout = duration()?,
            _ => {
                let text = format!("the parameter options sets {}, which is not supported", shown(&name));
                return refuse("option_unsupported", text);
            }
        }
    }
    Ok(())
}

/// A name, if it looks like one: what stands there may be the rest of a password.
fn shown(name: &str) -> &str {
    let looks_like_a_name = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if looks_like_a_name {
        name
    } else {
        "whose name is not shown"
    }
}

fn unknown_parameter<T>(name: &str) -> Result<T, UrlError> {
    refuse(
        "url_unknown_parameter",
        format!("the parameter {} is not supported", shown(name)),
    )
}

fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    query
        .unwrap_or_default()
        .split('&')
        .filter(|item| !item.is_empty())
        .map(|item| item.split_once('=').unwrap_or((item, "")))
}

fn host_and_port(authority: &str) -> Result<(Host, Option<u16>), UrlError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) if host.parse::<std::net::Ipv6Addr>().is_ok() => (host.to_owned(), port),
            _ => return invalid("the address in brackets is not an IPv6 address"),
        },
        None => {
            let (host, port) = authority.find(':').map_or((authority, ""), |at| authority.split_at(at));
            match decode(host) {
                Some(host) => (host, port),
                None => return invalid("the host is not percent-encoded"),
            }
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return invalid("after the host only a port may follow"),
        Some(digits) => match digits.parse() {
            Ok(port) if port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(port),
            _ => return invalid("the port must be a number from 1 to 65535"),
        },
    };
    match host_named(&host) {
        Some(host) => Ok((host, port)),
        None => {
            invalid("it needs exactly one host (a socket's folder is written percent-encoded, as %2Frun%2Fpostgresql)")
        }
    }
}

/// A host by its name, its address, or the folder of its socket. `None` where it is none of them.
pub(crate) fn host_named(text: &str) -> Option<Host> {
    if text.starts_with('/') {
        return Some(Host::Socket(text.into()));
    }
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_host = !text.is_empty() && text.chars().all(is_name) || text.parse::<std::net::Ipv6Addr>().is_ok();
    is_host.then(|| Host::Tcp(text.to_owned()))
}

/// Percent-decodes exactly once. `None` when a % is not followed by two hexadecimal digits, or the result is not UTF-8 or has NUL.
fn decode(text: &str) -> Option<String> {
    let is_whole = |at: usize| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.match_indices('%').all(|(at, _)| is_whole(at)) {
        return None;
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (!decoded.contains('\0')).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn pg(url: &str) -> PostgresUrl {
        match parse(url) {
            Ok(Address::Postgres(address)) => *address,
            other => panic!("{url}: {other:?}"),
        }
    }

    fn code(url: &str) -> &'static str {
        parse(url).err().map_or("accepted", |error| error.code)
    }

    /// host, port, user, password, database
    fn parts(url: &str) -> (Host, Option<u16>, Option<String>, Option<String>, Option<String>) {
        let address = pg(url);
        let password = address.password.map(|password| password.expose_secret().to_owned());
        (address.host, address.port, address.user, password, address.database)
    }

    #[test]
    fn cf_20_what_a_url_says() {
        let tcp = |host: &str| Host::Tcp(host.to_owned());
        let socket = Host::Socket("/run/postgresql".into());
        for (url, host, port, user, password, database) in [
            (
                "postgres://db.example.com",
                tcp("db.example.com"),
                None,
                None,
                None,
                None,
            ),
            ("postgresql://ann@h/app", tcp("h"), None, Some("ann"), None, Some("app")),
            (
                "postgres://ann:pw@localhost:6543/app",
                tcp("localhost"),
                Some(6543),
                Some("ann"),
                Some("pw"),
                Some("app"),
            ),
            (
                "postgresql+asyncpg://ann:pw@[::1]:5433/",
                tcp("::1"),
                Some(5433),
                Some("ann"),
                Some("pw"),
                None,
            ),
            (
                "postgres://ann:p:w@127.0.0.1/app",
                tcp("127.0.0.1"),
                None,
                Some("ann"),
                Some("p:w"),
                Some("app"),
            ),
            (
                "postgres://ann:%40%2F%3F%23%25%20@h/a",
                tcp("h"),
                None,
                Some("ann"),
                Some("@/?#% "),
                Some("a"),
            ),
            (
                "postgres://ann:%2540@h/a%20b",
                tcp("h"),
                None,
                Some("ann"),
                Some("%40"),
                Some("a b"),
            ),
            ("postgres://ann:@h/a", tcp("h"), None, Some("ann"), None, Some("a")),
            ("postgres://:pw@h/a", tcp("h"), None, None, Some("pw"), Some("a")),
            (
                "postgres://ann@%2Frun%2Fpostgresql/app",
                socket,
                None,
                Some("ann"),
                None,
                Some("app"),
            ),
        ] {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            assert_eq!(
                parts(url),
                (host, port, owned(user), owned(password), owned(database)),
                "{url}"
            );
        }
    }

    #[test]
    fn cf_21_what_can_not_be_split_is_refused() {
        for url in [
            "postgres://ann:a@b#c@db.example.com/app",
            "postgres://ann:p@ss@db.example.com/app",
            "postgres://ann:pa/ss@db.example.com/app",
            "postgres://ann:pa?ss@db.example.com/app",
            "postgres://ann:pa#ss@db.example.com/app",
            "postgres://ann:pa ss@db.example.com/app",
            "postgres://ann:100%@db.example.com/app",
            "postgres://ann:100%zz@db.example.com/app",
            "postgres://ann:%ff@db.example.com/app",
            "postgres://ann:%00@db.example.com/app",
            "postgres://a%n:pw@db.example.com/app",
        ] {
            assert_eq!(code(url), "url_password_not_encoded", "{url}");
        }
    }

    #[test]
    fn other_urls_that_are_refused() {
        for (url, expected) in [
            ("mysql://ann@db.example.com/app", "unsupported_database"),
            ("http://db.example.com", "unsupported_database"),
            ("sqlite+aio:larder.db", "unsupported_database"),
            ("sqlite::memory:", "unsupported_database"),
            ("larder.db", "url_invalid"),
            ("", "url_invalid"),
            ("postgres:db.example.com", "url_invalid"),
            ("postgres://", "url_invalid"),
            ("postgres:///app", "url_invalid"),
            ("postgres://a.example.com,b.example.com/app", "url_invalid"),
            ("postgres://db.example.com:0/app", "url_invalid"),
            ("postgres://db.example.com:65536/app", "url_invalid"),
            ("postgres://db.example.com:+5432/app", "url_invalid"),
            ("postgres://db.example.com:/app", "url_invalid"),
            ("postgres://[::1/app", "url_invalid"),
            ("postgres://[db.example.com]/app", "url_invalid"),
            ("postgres://db.example.com/app/more", "url_invalid"),
            ("postgres://db.example.com/app#part", "url_invalid"),
            ("postgres://db.example.com/app?connect_timeout=soon", "url_invalid"),
            ("postgres://db.example.com/app?sslmode=never", "url_invalid"),
            ("postgres://db.example.com/app?options=-crole%3Dx", "option_unsupported"),
            ("postgres://db.example.com/app?options=role%3Dx", "url_invalid"),
            ("postgres://db.example.com/app?service=x", "url_unknown_parameter"),
            ("postgres://db.example.com/app?schema=a&schema=b", "url_invalid"),
            ("sqlite:larder.db?mode=ro", "url_unknown_parameter"),
            ("sqlite:", "url_invalid"),
        ] {
            assert_eq!(code(url), expected, "{url}");
        }
    }

    #[test]
    fn cf_20_sqlite_paths() {
        for (url, path) in [
            ("sqlite:larder.db", "larder.db"),
            ("sqlite:data/larder.db", "data/larder.db"),
            ("sqlite://data/larder.db", "data/larder.db"),
            ("sqlite:///var/lib/larder/larder.db", "/var/lib/larder/larder.db"),
            ("sqlite:/var/lib/my%20larder.db", "/var/lib/my larder.db"),
        ] {
            match parse(url) {
                Ok(Address::Sqlite(found)) => assert_eq!(found, PathBuf::from(path), "{url}"),
                other => panic!("{url}: {other:?}"),
            }
        }
    }

    #[test]
    fn cf_56_masked() {
        for (url, expected) in [
            (
                "postgres://ann:pw@h:1/a?schema=x",
                "postgres://ann:********@h:1/a?schema=x",
            ),
            ("postgres://ann@h/a", "postgres://ann@h/a"),
            ("postgres://h/a", "postgres://h/a"),
            ("postgres://ann:a@b@h/a", "<unparsable>"),
            ("sqlite:larder.db", "sqlite:larder.db"),
        ] {
            assert_eq!(mask(url), expected, "{url}");
        }
    }

    proptest! {
        #[test]
        fn cf_21_every_password_works_when_encoded(password in "[^\\x00]{1,40}") {
            let encoded = utf8_percent_encode(&password, NON_ALPHANUMERIC);
            let (.., found, _) = parts(&format!("postgres://ann:{encoded}@db.example.com/app"));
            prop_assert_eq!(found, Some(password));
        }

        #[test]
        fn cf_21_no_piece_of_a_password_is_in_an_error(password in "[XYZ@/?#% :]{6,20}") {
            if let Err(error) = parse(&format!("postgres://ann:{password}@db.example.com/app")) {
                prop_assert!(!error.text.contains(['X', 'Y', 'Z']), "{}", error.text);
            }
        }

        #[test]
        fn never_panics(url: String) {
            let _ = mask(&url);
            let _ = parse(&format!("postgres://{url}"));
            let _ = parse(&format!("sqlite:{url}"));
        }
    }
}
