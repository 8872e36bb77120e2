//! Addresses of stores (`CF-20` to `CF-24`, `CF-30`). Nothing is guessed, and no piece of an address is repeated in an error.

use std::path::PathBuf;
use std::time::Duration;

use larder_sql::target::{Host, Tls};
use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::source::MASK;

/// What an address says.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Postgres(PostgresAddress),
    Sqlite(PathBuf),
}

/// The address of a PostgreSQL database.
#[derive(Clone, Debug)]
pub(crate) struct PostgresAddress {
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<SecretString>,
    pub(crate) database: String,
    pub(crate) tls: Tls,
    pub(crate) schema: Option<String>,
    pub(crate) application_name: Option<String>,
    pub(crate) connect_timeout: Option<Duration>,
    /// `sslmode=require` or `verify-ca`: the connection is checked more strictly than that.
    pub(crate) is_tls_raised: bool,
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
         (%40 %2F %3F %23 %25 %20)",
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
            Some(rest) => postgres(rest).map(Address::Postgres),
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
    if parse(url).is_err() {
        return "<unparsable>".to_owned();
    }
    let Some((head, tail)) = url.split_once('@') else {
        return url.to_owned();
    };
    let user_starts = head.find("//").map_or(0, |at| at + 2);
    match head[user_starts..].split_once(':') {
        Some((user, _)) => format!("{}{user}:{MASK}@{tail}", &head[..user_starts]),
        None => url.to_owned(),
    }
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

fn postgres(rest: &str) -> Result<PostgresAddress, UrlError> {
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
    let tls = if is_local(&host) { Tls::Off } else { Tls::VERIFY_FULL };
    let mut address = PostgresAddress {
        host,
        port,
        user: user
            .filter(|user| !user.is_empty())
            .unwrap_or_else(|| "postgres".to_owned()),
        password: password.filter(|password| !password.is_empty()).map(SecretString::from),
        database: Some(database)
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "postgres".to_owned()),
        tls,
        schema: None,
        application_name: None,
        connect_timeout: None,
        is_tls_raised: false,
    };
    for (name, value) in parameters(query) {
        set_parameter(&mut address, name, value)?;
    }
    Ok(address)
}

fn set_parameter(address: &mut PostgresAddress, name: &str, value: &str) -> Result<(), UrlError> {
    let Some(value) = decode(value) else {
        return invalid("a parameter is not percent-encoded");
    };
    match name {
        "schema" => address.schema = Some(value),
        "application_name" => address.application_name = Some(value),
        "connect_timeout" => match value.parse() {
            Ok(seconds) => address.connect_timeout = Some(Duration::from_secs(seconds)),
            Err(_) => return invalid("the parameter connect_timeout must be whole seconds"),
        },
        "sslmode" => match value.as_str() {
            "verify-full" => address.tls = Tls::VERIFY_FULL,
            "require" | "verify-ca" => {
                address.tls = Tls::VERIFY_FULL;
                address.is_tls_raised = true;
            }
            "disable" | "allow" | "prefer" if is_local(&address.host) => address.tls = Tls::Off,
            "disable" | "allow" | "prefer" => {
                return refuse(
                    "tls_insecure",
                    "sslmode must be verify-full for a host that is not this machine",
                );
            }
            _ => return invalid("the parameter sslmode must be verify-full or, on this machine, disable"),
        },
        _ => return unknown_parameter(name),
    }
    Ok(())
}

fn unknown_parameter<T>(name: &str) -> Result<T, UrlError> {
    // A name is shown only if it looks like one: what stands there may be the rest of a password.
    let looks_like_a_name = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let shown = if looks_like_a_name {
        name
    } else {
        "whose name is not shown"
    };
    refuse(
        "url_unknown_parameter",
        format!("the parameter {shown} is not supported"),
    )
}

fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    query
        .unwrap_or_default()
        .split('&')
        .filter(|item| !item.is_empty())
        .map(|item| item.split_once('=').unwrap_or((item, "")))
}

fn host_and_port(authority: &str) -> Result<(Host, u16), UrlError> {
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
        None if port.is_empty() => 5432,
        None => return invalid("after the host only a port may follow"),
        Some(digits) => match digits.parse() {
            Ok(port) if port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => port,
            _ => return invalid("the port must be a number from 1 to 65535"),
        },
    };
    if host.starts_with('/') {
        return Ok((Host::Socket(host.into()), port));
    }
    let is_name = |host: &str| {
        host.chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'))
    };
    if host.is_empty() || !is_name(&host) {
        return invalid(
            "it needs exactly one host (a socket's folder is written percent-encoded, as %2Frun%2Fpostgresql)",
        );
    }
    Ok((Host::Tcp(host), port))
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Socket(_) => true,
        Host::Tcp(name) => {
            name.eq_ignore_ascii_case("localhost")
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
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

    fn pg(url: &str) -> PostgresAddress {
        match parse(url) {
            Ok(Address::Postgres(address)) => address,
            other => panic!("{url}: {other:?}"),
        }
    }

    fn code(url: &str) -> &'static str {
        parse(url).err().map_or("accepted", |error| error.code)
    }

    /// host, port, user, password, database
    fn parts(url: &str) -> (Host, u16, String, Option<String>, String) {
        let address = pg(url);
        let password = address.password.map(|password| password.expose_secret().to_owned());
        (address.host, address.port, address.user, password, address.database)
    }

    #[test]
    fn cf_20_what_a_url_says() {
        let tcp = |host: &str| Host::Tcp(host.to_owned());
        for (url, host, port, user, password, database) in [
            (
                "postgres://db.example.com",
                tcp("db.example.com"),
                5432,
                "postgres",
                None,
                "postgres",
            ),
            (
                "postgresql://ann@db.example.com/app",
                tcp("db.example.com"),
                5432,
                "ann",
                None,
                "app",
            ),
            (
                "postgres://ann:pw@localhost:6543/app",
                tcp("localhost"),
                6543,
                "ann",
                Some("pw"),
                "app",
            ),
            (
                "postgresql+asyncpg://ann:pw@[::1]:5433/",
                tcp("::1"),
                5433,
                "ann",
                Some("pw"),
                "postgres",
            ),
            (
                "postgres://ann:p:w@127.0.0.1/app",
                tcp("127.0.0.1"),
                5432,
                "ann",
                Some("p:w"),
                "app",
            ),
            (
                "postgres://ann:%40%2F%3F%23%25%20@h/a",
                tcp("h"),
                5432,
                "ann",
                Some("@/?#% "),
                "a",
            ),
            (
                "postgres://ann:%2540@h/a%20b",
                tcp("h"),
                5432,
                "ann",
                Some("%40"),
                "a b",
            ),
            ("postgres://ann:@h/a", tcp("h"), 5432, "ann", None, "a"),
            (
                "postgres://ann@%2Frun%2Fpostgresql/app",
                Host::Socket("/run/postgresql".into()),
                5432,
                "ann",
                None,
                "app",
            ),
        ] {
            let expected = (
                host,
                port,
                user.to_owned(),
                password.map(str::to_owned),
                database.to_owned(),
            );
            assert_eq!(parts(url), expected, "{url}");
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
            (
                "postgres://db.example.com/app?options=-csearch_path%3Dx",
                "url_unknown_parameter",
            ),
            ("sqlite:larder.db?mode=ro", "url_unknown_parameter"),
            ("sqlite:", "url_invalid"),
        ] {
            assert_eq!(code(url), expected, "{url}");
        }
    }

    #[test]
    fn cf_24_parameters() {
        let address = pg("postgres://h/app?schema=blood&application_name=a%20b&connect_timeout=7");
        assert_eq!(address.schema.as_deref(), Some("blood"));
        assert_eq!(address.application_name.as_deref(), Some("a b"));
        assert_eq!(address.connect_timeout, Some(Duration::from_secs(7)));
        let error = parse("postgres://h/app?pgbouncer=true").unwrap_err();
        assert!(
            error.text.contains("pgbouncer") && !error.text.contains("true"),
            "{}",
            error.text
        );
    }

    #[test]
    fn cf_30_tls_is_checked_for_every_other_machine() {
        for (url, expected) in [
            ("postgres://db.example.com/app", Tls::VERIFY_FULL),
            ("postgres://10.0.0.7/app", Tls::VERIFY_FULL),
            ("postgres://localhost.example.com/app", Tls::VERIFY_FULL),
            ("postgres://db.example.com/app?sslmode=require", Tls::VERIFY_FULL),
            ("postgres://localhost/app", Tls::Off),
            ("postgres://127.0.0.9/app", Tls::Off),
            ("postgres://[::1]/app?sslmode=disable", Tls::Off),
            ("postgres://%2Frun%2Fpostgresql/app", Tls::Off),
            ("postgres://localhost/app?sslmode=verify-full", Tls::VERIFY_FULL),
        ] {
            assert_eq!(pg(url).tls, expected, "{url}");
        }
        for mode in ["disable", "allow", "prefer"] {
            assert_eq!(
                code(&format!("postgres://db.example.com/app?sslmode={mode}")),
                "tls_insecure"
            );
        }
        assert!(pg("postgres://db.example.com/app?sslmode=require").is_tls_raised);
        assert!(!pg("postgres://db.example.com/app?sslmode=verify-full").is_tls_raised);
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
