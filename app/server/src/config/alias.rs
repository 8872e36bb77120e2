//! Variables of the predecessor and of two other deployments, each an alias of a key and nothing more (configuration spec §3), and
//! variables that mean nothing here.

use larder_migrations::Context;

/// What the text of an alias means for its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// The key's value.
    Value,
    /// A host, perhaps with a port: `host:port` is split, an IPv6 address needs brackets.
    HostAndPort,
    /// Whether the name in the certificate is not compared with the host.
    SkipHostName,
}

/// A variable that stands for a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alias {
    pub(super) variable: &'static str,
    pub(super) key: &'static str,
    pub(super) meaning: Meaning,
}

/// The variable that only says which kind of database is expected.
pub(super) const DB_TYPE: &str = "DB_TYPE";

/// The alias of `database.migrate_url` that gives `database.url` as well when it stands alone.
pub(super) const DIRECT_URL: &str = "DIRECT_URL";

/// Of two aliases of one key the first one here wins (`CF-07`).
pub(super) const ALIASES: &[Alias] = &[
    value("MAIN_DB_URL", "database.url"),
    value("DATABASE_URL", "database.url"),
    value(DIRECT_URL, "database.migrate_url"),
    value("GARMIN_DB_URL", "databases.health.url"),
    value("BLOOD_DB_URL", "databases.labs.url"),
    value("UFC_DB_URL", "databases.ufc.url"),
    value("MAIN_DB_SCHEMA", "database.schema"),
    value("GARMIN_DB_SCHEMA", "databases.health.schema"),
    value("BLOOD_DB_SCHEMA", "databases.labs.schema"),
    value("UFC_DB_SCHEMA", "databases.ufc.schema"),
    alias("SUPABASE_HOST", "database.host", Meaning::HostAndPort),
    alias("SUPABASE_DB_HOST", "database.host", Meaning::HostAndPort),
    value("SUPABASE_DB_PASSWORD", "database.password"),
    value("SUPABASE_DB_PASS", "database.password"),
    value("SUPABASE_DB_USER", "database.user"),
    value("SUPABASE_DB_PORT", "database.port"),
    value("SUPABASE_DB_NAME", "database.name"),
    value("SUPABASE_SSL_CERT_PATH", "database.tls.ca_file"),
    alias(
        "SUPABASE_SSL_SKIP_HOSTNAME_CHECK",
        "database.tls.mode",
        Meaning::SkipHostName,
    ),
    value("DB_POOL_SIZE", "database.pool.size"),
    value("DB_MAX_OVERFLOW", "database.pool.max_overflow"),
    value("DB_POOL_RECYCLE", "database.pool.max_lifetime"),
    value("DB_CONNECT_TIMEOUT", "database.pool.connect_timeout"),
    value("DB_POOL_TIMEOUT", "database.pool.acquire_timeout"),
    value("DB_ECHO", "database.log_sql"),
    value("NODE_ENV", "environment"),
    value("ENVIRONMENT", "environment"),
];

const fn value(variable: &'static str, key: &'static str) -> Alias {
    alias(variable, key, Meaning::Value)
}

const fn alias(variable: &'static str, key: &'static str, meaning: Meaning) -> Alias {
    Alias { variable, key, meaning }
}

impl Alias {
    /// The context that the key belongs to, where this version has none of the name.
    pub(super) fn missing_context(&self) -> Option<&'static str> {
        let (context, _) = self.key.strip_prefix("databases.")?.split_once('.')?;
        let exists = Context::ALL.iter().any(|known| known.name() == context);
        (!exists).then_some(context)
    }
}

/// Whether a variable is a login to a vendor of the predecessor, none of which exists here.
pub(super) fn is_vendor_login(variable: &str) -> bool {
    let is_alias = |variable: &str| {
        let variable = variable.strip_suffix("_FILE").unwrap_or(variable);
        ALIASES.iter().any(|alias| alias.variable == variable)
    };
    (variable.starts_with("GARMIN_") || variable.starts_with("WITHINGS_")) && !is_alias(variable)
}

/// The host and the port of an address of both. `None` where it can't be told which is which.
pub(super) fn split_host(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        Some((_, rest)) if rest.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cf_07_hosts_with_and_without_a_port() {
        for (text, expected) in [
            ("db.example.com", Some(("db.example.com", None))),
            ("db.example.com:6543", Some(("db.example.com", Some("6543")))),
            ("[::1]", Some(("::1", None))),
            ("[::1]:6543", Some(("::1", Some("6543")))),
            ("::1", None),
            ("[::1", None),
            ("[::1]6543", None),
            ("/run/postgresql", Some(("/run/postgresql", None))),
        ] {
            assert_eq!(split_host(text), expected, "{text}");
        }
    }

    #[test]
    fn logins_of_vendors_are_told_from_aliases() {
        for name in ["GARMIN_EMAIL", "GARMIN_ENABLED", "WITHINGS_CLIENT_SECRET"] {
            assert!(is_vendor_login(name), "{name}");
        }
        for name in ["GARMIN_DB_URL", "GARMIN_DB_URL_FILE", "GARMIN_DB_SCHEMA", "HOME"] {
            assert!(!is_vendor_login(name), "{name}");
        }
    }
}
