//! Reads keys one by one, notes what is wrong and what is in effect.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::problem::{Problem, Problems};
use super::setting::Setting;
use super::source::{Flag, MASK, Origin, Sources};

/// A value that was set, and where.
#[derive(Clone, Debug)]
pub(crate) struct Found<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// Reads keys from the merged layers.
pub(crate) struct Reader {
    sources: Sources,
    known: BTreeSet<String>,
    pub(crate) problems: Problems,
    /// Keys in the order in which they were read, with the value in effect.
    pub(crate) effective: Vec<(String, toml::Value)>,
}

impl Reader {
    pub(crate) fn new(sources: Sources, problems: Problems) -> Self {
        Self {
            sources,
            known: BTreeSet::new(),
            problems,
            effective: Vec::new(),
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
            Some(value) => Some(Found { value, origin }),
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
        let found = self.find(key);
        let value = self.check_range(key, found, &range).unwrap_or(default);
        self.show(key, value.show());
        value
    }

    /// A found value, unless it is out of range, which is noted.
    pub(crate) fn check_range<T: Setting + PartialOrd>(
        &mut self,
        key: &str,
        found: Option<Found<T>>,
        range: &RangeInclusive<T>,
    ) -> Option<T> {
        let found = found?;
        if range.contains(&found.value) {
            return Some(found.value);
        }
        let text = format!("must be from {} to {}", range.start().show(), range.end().show());
        self.problems
            .add(Problem::new(text.replace('"', "")).of(key).from(&found.origin));
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
            Some(value) => Some(Found { value, origin }),
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

    /// Notes a value that is in effect.
    pub(crate) fn show(&mut self, key: &str, value: toml::Value) {
        self.effective.push((key.to_owned(), value));
    }

    /// Notes every key that was set and never asked for, with the nearest known name (`CF-06`).
    pub(crate) fn refuse_unknown(&mut self, flags: &[Flag]) {
        let is_known = |key: &str| self.known.contains(key) || flags.iter().any(|flag| flag.key == key);
        for (key, origin) in self.sources.unknown(is_known) {
            let nearest = self
                .known
                .iter()
                .map(|known| (strsim::damerau_levenshtein(known, key), known))
                .min()
                .filter(|(distance, _)| *distance <= 1 + key.len() / 4);
            let hint = match nearest {
                Some((_, known)) => format!("; did you mean `{known}`?"),
                None => String::new(),
            };
            self.problems
                .add(Problem::new(format!("there is no such key{hint}")).of(key).from(origin));
        }
    }
}
