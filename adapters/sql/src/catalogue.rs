use std::collections::HashMap;
use std::sync::Arc;

use crate::{Dialect, chat, idempotency, identity};

/// One SQL statement of Larder. Its text stands once, for both dialects, with marks for what differs:
///
/// - `{s}` in front of a table is the quoted schema of the store, so that no statement rests on a search path;
/// - any other `{mark}` is a [`Fragment`], whose two spellings stand side by side.
///
/// Parameters are `$1`, `$2`, ... on every engine.
#[derive(Debug)]
pub struct Statement {
    /// What it does, unique among all statements: `chat_sessions.find`.
    pub name: &'static str,
    /// Whether it may write.
    pub effect: Effect,
    /// Its text with marks.
    pub text: &'static str,
    /// Where it is used; `None` is everywhere.
    pub only: Option<Dialect>,
}

/// Whether a statement may write. One that does is refused in a unit that was opened to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It changes nothing.
    Reads,
    /// It changes rows.
    Writes,
}

/// A piece of SQL that the dialects spell differently, or that several statements share.
#[derive(Debug)]
pub(crate) struct Fragment {
    /// The mark, braces included.
    pub(crate) mark: &'static str,
    /// How PostgreSQL spells it. It may hold marks of fragments listed after it.
    pub(crate) postgres: &'static str,
    /// How SQLite spells it.
    pub(crate) sqlite: &'static str,
}

/// Every statement, for the test that prepares each of them against the migrated schema.
pub fn statements() -> impl Iterator<Item = &'static Statement> {
    [identity::statements(), chat::statements(), idempotency::statements()]
        .into_iter()
        .flat_map(|aggregates| aggregates.iter().copied().flatten().copied())
}

/// The statements as one store sends them, their marks filled in once at start.
#[derive(Debug)]
pub struct Catalogue {
    texts: HashMap<&'static str, Arc<str>>,
}

impl Catalogue {
    /// Fills in the marks. `schema` is ignored by SQLite, which has none.
    pub fn new(dialect: Dialect, schema: &str) -> Self {
        let prefix = match dialect {
            Dialect::Postgres => format!("\"{}\".", schema.replace('"', "\"\"")),
            Dialect::Sqlite => String::new(),
        };
        let texts = statements()
            .filter(|statement| statement.only.is_none_or(|only| only == dialect))
            .map(|statement| (statement.name, fill(statement.text, dialect, &prefix).into()))
            .collect();
        Self { texts }
    }

    /// The text of a statement; `None` for one that the dialect doesn't have.
    pub fn text(&self, statement: &Statement) -> Option<&Arc<str>> {
        self.texts.get(statement.name)
    }
}

fn fill(text: &str, dialect: Dialect, prefix: &str) -> String {
    let mut filled = text.to_owned();
    for fragment in [identity::fragments(), chat::fragments()].into_iter().flatten() {
        let spelling = match dialect {
            Dialect::Postgres => fragment.postgres,
            Dialect::Sqlite => fragment.sqlite,
        };
        filled = filled.replace(fragment.mark, spelling);
    }
    filled.replace("{s}", prefix)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_mark_is_filled() {
        let mut names = HashSet::new();
        for statement in statements() {
            assert!(names.insert(statement.name), "{} twice", statement.name);
        }
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            let catalogue = Catalogue::new(dialect, "larder");
            for statement in statements() {
                if let Some(text) = catalogue.text(statement) {
                    assert!(!text.contains(['{', '}']), "{}: {text}", statement.name);
                }
            }
        }
    }

    #[test]
    fn every_table_is_named_with_its_schema() {
        let catalogue = Catalogue::new(Dialect::Postgres, "Mixed \"Case");
        for statement in statements() {
            let Some(text) = catalogue.text(statement) else {
                continue;
            };
            for (at, _) in text.match_indices("chat_").chain(text.match_indices("identity_")) {
                let before = &text[..at];
                let is_table = ["FROM ", "JOIN ", "INTO ", "UPDATE "]
                    .iter()
                    .any(|word| before.ends_with(word));
                assert!(!is_table, "{}: a table without schema in {text}", statement.name);
            }
            assert!(text.contains("\"Mixed \"\"Case\"."), "{}", statement.name);
        }
    }

    #[test]
    fn the_declared_effect_fits_the_text() {
        for statement in statements() {
            let writes = ["INSERT INTO", "REPLACE INTO", "UPDATE ", "DELETE FROM", "FOR UPDATE"]
                .iter()
                .any(|word| statement.text.contains(word));
            assert_eq!(statement.effect == Effect::Writes, writes, "{}", statement.name);
        }
    }

    #[test]
    fn every_statement_on_owned_rows_filters_by_owner() {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            let catalogue = Catalogue::new(dialect, "larder");
            for statement in statements().filter(|statement| statement.name.starts_with("chat_")) {
                let Some(text) = catalogue.text(statement) else {
                    continue;
                };
                let inserts_alone =
                    text.trim_start_matches("WITH u AS (").starts_with("INSERT INTO") && text.contains("(owner_id, ");
                assert!(inserts_alone || text.contains("owner_id = $1"), "{}", statement.name);
            }
        }
    }
}
