//! The schema of every context as data: one logical migration per pair of dialects, embedded in the binary.
//!
//! To add a migration, put `<context>/{postgres,sqlite}/YYYYMMDDNNNN_<what>.{up,down}.sql` (all four files) beside the others and
//! add one line to the list of its context below. A migration that was released is never changed.
//!
//! Tables carry the name of their context as a prefix, so that several contexts can share a schema. The PostgreSQL scripts name
//! no schema: they run with a `search_path` that holds the configured one alone.

/// A part of Larder with a store of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Context {
    /// Accounts and logins.
    Identity,
    /// Conversations.
    Chat,
}

/// The two spellings of SQL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Dialect {
    /// PostgreSQL 15 and later.
    Postgres,
    /// SQLite 3.46 and later.
    Sqlite,
}

/// One step of a context's schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// `YYYYMMDDNNNN`; the order in which migrations run.
    pub version: i64,
    /// What it does, in a word or two.
    pub name: &'static str,
    postgres: Script,
    sqlite: Script,
}

#[derive(Clone, Copy, Debug)]
struct Script {
    up: &'static str,
    down: &'static str,
}

macro_rules! migration {
    ($context:literal, $version:literal, $name:literal) => {
        Migration {
            version: $version,
            name: $name,
            postgres: migration!(@script $context, "postgres", $version, $name),
            sqlite: migration!(@script $context, "sqlite", $version, $name),
        }
    };
    (@script $context:literal, $dialect:literal, $version:literal, $name:literal) => {
        Script {
            up: include_str!(concat!("../", $context, "/", $dialect, "/", $version, "_", $name, ".up.sql")),
            down: include_str!(concat!("../", $context, "/", $dialect, "/", $version, "_", $name, ".down.sql")),
        }
    };
}

const IDENTITY: &[Migration] = &[
    migration!("identity", 202611210001, "accounts"),
    migration!("identity", 202611210002, "idempotency"),
];
const CHAT: &[Migration] = &[
    migration!("chat", 202611210001, "conversations"),
    migration!("chat", 202611210002, "idempotency"),
    migration!("chat", 202611210003, "search"),
    migration!("chat", 202611210010, "lease_seconds"),
];

impl Context {
    /// Every context, in the order in which they are set up.
    pub const ALL: &'static [Self] = &[Self::Identity, Self::Chat];

    /// The name that configuration, paths and table prefixes use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Chat => "chat",
        }
    }

    /// The migrations of this context, oldest first.
    pub fn migrations(self) -> &'static [Migration] {
        match self {
            Self::Identity => IDENTITY,
            Self::Chat => CHAT,
        }
    }

    /// The table in which a store notes which migrations of this context it has seen.
    pub fn bookkeeping_table(self) -> &'static str {
        match self {
            Self::Identity => "identity_migrations",
            Self::Chat => "chat_migrations",
        }
    }
}

impl Migration {
    /// The script that applies it.
    pub fn up(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Postgres => self.postgres.up,
            Dialect::Sqlite => self.sqlite.up,
        }
    }

    /// The script that undoes it.
    pub fn down(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Postgres => self.postgres.down,
            Dialect::Sqlite => self.sqlite.down,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_script_on_disk_is_listed() {
        for context in Context::ALL {
            for dialect in ["postgres", "sqlite"] {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(context.name()).join(dialect);
                let on_disk: BTreeSet<String> = std::fs::read_dir(folder)
                    .unwrap()
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .collect();
                let listed = context.migrations().iter().flat_map(|migration| {
                    ["up", "down"].map(|way| format!("{}_{}.{way}.sql", migration.version, migration.name))
                });
                assert_eq!(on_disk, listed.collect(), "{} {dialect}", context.name());
            }
        }
    }

    #[test]
    fn versions_rise() {
        for context in Context::ALL {
            assert!(
                context
                    .migrations()
                    .windows(2)
                    .all(|pair| pair[0].version < pair[1].version)
            );
        }
    }
}
