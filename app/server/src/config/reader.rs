//! Reads keys one by one, notes what is wrong and what is in effect.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use larder_migrations::Context;
use secrecy::SecretString;

use super::problem::{Problem, Problems};
use super::setting::Setting;
use super::source::{MASK, Origin, Sources};

/// A value that was set, and where.
#[derive(Clone, Debug)]
pub(crate) struct Found<T> {
    pub(crate) value: T,
    /// The key that was set, which may be another one than the one that the value is for: a URL sets many.
    pub(crate) key: String,
    pub(crate) origin: Origin,
}

impl<T> Found<T> {
    /// Another value that was set at the same place.
    pub(crate) fn with<U>(&self, value: U) -> Found<U> {
        Found {
            value,
            key: self.key.clone(),
            origin: self.origin.clone(),
        }
    }

    /// A problem with it.
    pub(crate) fn problem(&self, problem: Problem) -> Problem {
        problem.of(&self.key).from(&self.origin)
    }
}

/// A value in effect, as TOML that is read again.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) key: String,
    /// A secret is masked.
    pub(crate) value: toml::Value,
    /// `None` is the default.
    pub(crate) origin: Option<String>,
}

/// Reads keys from the merged layers.
pub(crate) struct Reader {
    sources: Sources,
    known: BTreeSet<String>,
    pub(crate) problems: Problems,
    /// Keys in the order in which they were read.
    pub(crate) effective: Vec<Shown>,
    /// Passwords as they stand in addresses.
    pub(crate) secrets: Vec<SecretString>,
}

impl Reader {
    pub(crate) fn new(sources: Sources, problems: Problems) -> Self {
        Self {
            sources,
            known: BTreeSet::new(),
            problems,
            effective: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// The value of a key that was set.
    pub(crate) fn find<T: Setting>(&mut self, key: &str) -> Option<Found<T>> {
        self.known.insert(key.to_owned());
        let (value, origin) = self.sources.find(key)?;
        if value.as_str().is_some_and(|text| text.contains(MASK)) {
            let problem = Problem::coded(
                "masked_value",
                format!("replace {MASK} with the value that it stands for"),
            );
            self.problems.add(problem.of(key).from(&origin));
            return None;
        }
        match T::read(&value) {
            Some(value) => Some(Found {
                value,
                key: key.to_owned(),
                origin,
            }),
            None => {
                let problem = Problem::new(format!("must be {}", T::EXPECTED));
                self.problems.add(problem.of(key).from(&origin));
                None
            }
        }
    }

    /// The value of a key, or its default.
    pub(crate) fn get<T: Setting>(&mut self, key: &str, default: T) -> T {
        let value = self.find(key).map_or(default, |found| found.value);
        self.show(key, value.show());
        value
    }

    /// As [`get`](Self::get), within a range.
    pub(crate) fn get_within<T: Setting + PartialOrd>(&mut self, key: &str, default: T, range: RangeInclusive<T>) -> T {
        let value = self.find_within(key, &range).map_or(default, |found| found.value);
        self.show(key, value.show());
        value
    }

    /// As [`find`](Self::find), within a range.
    pub(crate) fn find_within<T: Setting + PartialOrd>(
        &mut self,
        key: &str,
        range: &RangeInclusive<T>,
    ) -> Option<Found<T>> {
        let found = self.find(key)?;
        if range.contains(&found.value) {
            return Some(found);
        }
        let text = format!("must be from {} to {}", range.start().show(), range.end().show());
        self.problems.add(found.problem(Problem::new(text.replace('"', ""))));
        None
    }

    /// One of a few words, or the default.
    pub(crate) fn choose<T: Copy + PartialEq>(&mut self, key: &str, default: T, words: &[(&'static str, T)]) -> T {
        let found = self.find::<String>(key);
        let value = match found {
            None => default,
            Some(found) => match words.iter().find(|(word, _)| *word == found.value) {
                Some((_, value)) => *value,
                None => {
                    self.not_a_word(key, &found.origin, words.iter().map(|(word, _)| *word));
                    default
                }
            },
        };
        if let Some((word, _)) = words.iter().find(|(_, other)| *other == value) {
            self.show(key, (*word).into());
        }
        value
    }

    /// Notes that a value is none of the words that the key takes.
    pub(crate) fn not_a_word<'a>(&mut self, key: &str, origin: &Origin, words: impl Iterator<Item = &'a str>) {
        let words: Vec<&str> = words.collect();
        self.problems.add(
            Problem::new(format!("must be one of {}", words.join(", ")))
                .of(key)
                .from(origin),
        );
    }

    /// Reads a key whose value is a list of tables, which may also be given as TOML text.
    pub(crate) fn find_list(&mut self, key: &str) -> Option<Found<Vec<figment::value::Value>>> {
        self.known.insert(key.to_owned());
        let (value, origin) = self.sources.find(key)?;
        let list = match value {
            figment::value::Value::Array(_, list) => Some(list),
            figment::value::Value::String(_, text) => toml::from_str::<figment::value::Dict>(&format!("list = {text}"))
                .ok()
                .and_then(|mut table| table.remove("list"))
                .and_then(|list| list.into_array()),
            _ => None,
        };
        match list {
            Some(value) => Some(Found {
                value,
                key: key.to_owned(),
                origin,
            }),
            None => {
                self.problems.add(
                    Problem::new("must be a list of tables, as TOML writes it")
                        .of(key)
                        .from(&origin),
                );
                None
            }
        }
    }

    /// The entries of a section whose keys are anything: each name with its value.
    pub(crate) fn find_section<T: Setting>(&mut self, section: &str) -> Vec<(String, Found<T>)> {
        let start = format!("{section}.");
        let given = self.sources.given().iter();
        let keys: BTreeSet<String> = given
            .map(|given| &given.key)
            .filter(|key| key.strip_prefix(&start).is_some_and(|name| !name.contains('.')))
            .cloned()
            .collect();
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(found) = self.find::<T>(&key) {
                self.show(&key, found.value.show());
                entries.push((key[start.len()..].to_owned(), found));
            }
        }
        entries
    }

    /// The text of a variable that is no key.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.sources.variable(name)
    }

    /// Notes a value that is in effect.
    pub(crate) fn show(&mut self, key: &str, value: toml::Value) {
        let origin = self.sources.find(key).map(|(_, origin)| origin.to_string());
        self.show_from(key, value, origin);
    }

    /// As [`show`](Self::show), of a value that was set under another key.
    pub(crate) fn show_from(&mut self, key: &str, value: toml::Value, origin: Option<String>) {
        self.effective.push(Shown {
            key: key.to_owned(),
            value,
            origin,
        });
    }

    /// Every key that was set, and where: each origin, the one that counts first.
    pub(crate) fn given(&self) -> Vec<(String, String)> {
        let given = self.sources.given().iter();
        given
            .map(|given| (given.key.clone(), given.origin.to_string()))
            .collect()
    }

    /// Notes every key that was set and never asked for, with the nearest known name (`CF-06`).
    pub(crate) fn refuse_unknown(&mut self) {
        let mut foreign = Vec::new();
        for given in self.sources.given() {
            if self.known.contains(&given.key) {
                continue;
            }
            let problem = Problem::new(format!("there is no such key{}", self.hint(&given.key)));
            let problem = problem.of(&given.key).from(&given.origin);
            if given.is_foreign {
                foreign.push(problem);
            } else {
                self.problems.add(problem);
            }
        }
        for problem in foreign {
            self.problems.warn(problem);
        }
    }

    fn hint(&self, key: &str) -> String {
        let context = key.strip_prefix("databases.").and_then(|rest| rest.split('.').next());
        if context.is_some_and(|name| Context::ALL.iter().all(|context| context.name() != name)) {
            let contexts: Vec<&str> = Context::ALL.iter().map(|context| context.name()).collect();
            return format!("; the contexts are {}", contexts.join(", "));
        }
        let nearest = self
            .known
            .iter()
            .map(|known| (strsim::damerau_levenshtein(known, key), known))
            .min()
            .filter(|(distance, _)| *distance <= 1 + key.len() / 4);
        match nearest {
            Some((_, known)) => format!("; did you mean `{known}`?"),
            None => String::new(),
        }
    }
}
