//! The effective configuration for a person, or as a file (`CF-56`).

use toml::{Table, Value};

use super::reader::Shown;

/// What a value that nobody set came from.
const DEFAULT: &str = "default";

/// As a file with sections. With origins each line says where its value came from.
pub(super) fn toml(effective: &[Shown], with_origins: bool) -> String {
    let mut text = String::new();
    // The keys without a section come first, since a section ends with the next one.
    let (alone, grouped): (Vec<&Shown>, Vec<&Shown>) =
        effective.iter().partition(|shown| split(&shown.key).0.is_empty());
    let mut sections: Vec<&str> = Vec::new();
    for shown in &grouped {
        let (section, _) = split(&shown.key);
        if !sections.contains(&section) {
            sections.push(section);
        }
    }
    for shown in alone {
        text.push_str(&line(&shown.key, shown, with_origins));
    }
    for section in sections {
        text.push_str(&format!("\n[{section}]\n"));
        for shown in &grouped {
            let (of, key) = split(&shown.key);
            if of == section {
                text.push_str(&line(key, shown, with_origins));
            }
        }
    }
    text
}

fn line(key: &str, shown: &Shown, with_origins: bool) -> String {
    let key: Vec<String> = key.split('.').map(spelled).collect();
    let (key, value) = (key.join("."), &shown.value);
    if with_origins {
        let origin = shown.origin.as_deref().unwrap_or(DEFAULT);
        format!("{key} = {value} # {}\n", origin.replace(char::is_control, " "))
    } else {
        format!("{key} = {value}\n")
    }
}

/// A name as TOML writes it.
fn spelled(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

/// The section of a key, and the rest: `databases.chat` and `pool.size`.
fn split(key: &str) -> (&str, &str) {
    let from = match key.strip_prefix("databases.").and_then(|rest| rest.find('.')) {
        Some(at) => "databases.".len() + at,
        None => match key.find('.') {
            Some(at) => at,
            None => return ("", key),
        },
    };
    (&key[..from], &key[from + 1..])
}

/// As one JSON object with an object for each section, or with origins as one with `{"value": ..., "origin": ...}` for each key.
pub(super) fn json(effective: &[Shown], with_origins: bool) -> String {
    let mut root = Table::new();
    for shown in effective {
        if with_origins {
            let origin = shown.origin.as_deref().unwrap_or(DEFAULT);
            let pair = [
                ("value".to_owned(), shown.value.clone()),
                ("origin".to_owned(), origin.into()),
            ];
            root.insert(shown.key.clone(), Value::Table(pair.into_iter().collect()));
        } else {
            insert(&mut root, &shown.key, shown.value.clone());
        }
    }
    serde_json::to_string_pretty(&root).unwrap_or_default()
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
