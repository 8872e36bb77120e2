//! The effective configuration as a file.

use toml::{Table, Value};

/// A flat list of dotted keys as TOML with sections.
pub(super) fn toml(effective: &[(String, Value)]) -> String {
    let mut root = Table::new();
    for (key, value) in effective {
        insert(&mut root, key, value.clone());
    }
    root.to_string()
}

/// A table of texts.
pub(super) fn table<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value.into()));
    Value::Table(entries.collect())
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
