//! Where values come from (`CF-01` to `CF-06`): flags, variables, a file. Figment merges the layers and remembers which layer gave
//! which value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems};

/// What stands for a secret wherever a configuration is shown.
pub(crate) const MASK: &str = "********";

/// What every variable of Larder starts with.
const PREFIX: &str = "LARDER_";

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "larder.toml";

/// Keys without a section; their variables have no `__`.
const TOP_LEVEL: &[&str] = &["environment", "data_dir"];

/// How strongly a value was asked for. A higher level wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    File,
    Variable,
    Flag,
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) level: Level,
    name: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A value given on the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The key that it sets.
    pub key: &'static str,
    /// How it is spelled: `--listen`.
    pub name: &'static str,
    /// What was given.
    pub value: String,
}

/// Everything that a configuration is made from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The environment of the process.
    pub variables: Vec<(OsString, OsString)>,
    /// Flags that set a key.
    pub flags: Vec<Flag>,
}

impl Inputs {
    /// The environment of this process, and flags.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        Self {
            file,
            variables: std::env::vars_os().collect(),
            flags,
        }
    }
}

/// The merged layers.
#[derive(Debug)]
pub(crate) struct Sources {
    figment: Figment,
    /// Every key that was set, with each of its origins.
    given: Vec<(String, Origin)>,
    lines: BTreeMap<String, usize>,
}

/// The values of one origin.
struct Layer {
    metadata: Metadata,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

impl Sources {
    /// Reads every layer. `is_secret` tells which keys may also be given as a file's name.
    pub(crate) fn read(inputs: &Inputs, is_secret: impl Fn(&str) -> bool, problems: &mut Problems) -> Self {
        let mut sources = Self {
            figment: Figment::new(),
            given: Vec::new(),
            lines: BTreeMap::new(),
        };
        let variables = text_of(&inputs.variables, problems);
        if let Some(file) = named_file(inputs, &variables) {
            sources.read_file(&file, problems);
        }
        sources.read_variables(&variables, is_secret, problems);
        for flag in &inputs.flags {
            let origin = Origin {
                level: Level::Flag,
                name: flag.name.to_owned(),
            };
            sources.set(flag.key, flag.value.clone(), origin);
        }
        sources
    }

    /// The value of a key, and where it came from.
    pub(crate) fn find(&self, key: &str) -> Option<(Value, Origin)> {
        let value = self.figment.find_value(key).ok()?;
        let metadata = self.figment.get_metadata(value.tag())?;
        let origin = match metadata.source.as_ref().and_then(Source::custom) {
            Some("flag") => Origin {
                level: Level::Flag,
                name: metadata.name.to_string(),
            },
            Some("variable") => Origin {
                level: Level::Variable,
                name: metadata.name.to_string(),
            },
            _ => self.in_file(&metadata.name, key),
        };
        Some((value, origin))
    }

    /// Every key that was set and is not `known`.
    pub(crate) fn unknown(&self, is_known: impl Fn(&str) -> bool) -> impl Iterator<Item = &(String, Origin)> {
        self.given.iter().filter(move |(key, _)| !is_known(key))
    }

    fn set(&mut self, key: &str, value: impl Into<Value>, origin: Origin) {
        let word = if origin.level == Level::Flag {
            "flag"
        } else {
            "variable"
        };
        let metadata = Metadata::named(origin.name.clone()).source(Source::Custom(word.to_owned()));
        if let Value::Dict(_, values) = figment::util::nest(key, value.into()) {
            self.figment = std::mem::take(&mut self.figment).merge(Layer { metadata, values });
            self.given.push((key.to_owned(), origin));
        }
    }

    fn in_file(&self, file: &str, key: &str) -> Origin {
        let name = match self.lines.get(key) {
            Some(line) => format!("{file}, line {line}"),
            None => file.to_owned(),
        };
        Origin {
            level: Level::File,
            name,
        }
    }

    fn read_file(&mut self, path: &Path, problems: &mut Problems) {
        let file = path.display().to_string();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return problems.add(Problem::new(format!("{file} can't be read: {error}"))),
        };
        let parsed =
            DeTable::parse(&text).and_then(|table| toml::from_str::<Dict>(&text).map(|values| (table, values)));
        let (table, values) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                // The error's own text would quote the line, and with it perhaps a secret.
                let line = error.span().map_or(1, |span| line_at(&text, span.start));
                return problems.add(Problem::new(format!("{file}, line {line}: this is not valid TOML")));
            }
        };
        collect_lines(table.get_ref(), "", &text, &mut self.lines);
        let mut leaves = Vec::new();
        collect_leaves(&values, "", &mut leaves);
        for key in leaves {
            let origin = self.in_file(&file, &key);
            self.given.push((key, origin));
        }
        self.figment = std::mem::take(&mut self.figment).merge(Layer {
            metadata: Metadata::named(file),
            values,
        });
    }

    fn read_variables(
        &mut self,
        variables: &[(String, String)],
        is_secret: impl Fn(&str) -> bool,
        problems: &mut Problems,
    ) {
        let is_set = |name: &str| variables.iter().any(|(other, _)| other == name);
        for (name, value) in variables {
            let Some(key) = key_of(name) else {
                if name.starts_with(PREFIX) && name != "LARDER_CONFIG" {
                    problems.warn(format!("the variable {name} is none of Larder's and is ignored"));
                }
                continue;
            };
            let origin = Origin {
                level: Level::Variable,
                name: name.clone(),
            };
            match key.strip_suffix("_file").filter(|key| is_secret(key)) {
                None => self.set(&key, value.clone(), origin),
                Some(key) if is_set(name.trim_end_matches("_FILE")) => problems.add(
                    Problem::new(format!(
                        "only one of {} and {name} may be set",
                        name.trim_end_matches("_FILE")
                    ))
                    .of(key),
                ),
                Some(key) => match fs::read_to_string(value) {
                    Ok(mut text) => {
                        cut_line_end(&mut text);
                        self.set(key, text, origin);
                    }
                    Err(error) => problems.add(
                        Problem::new(format!("the file that it names can't be read: {error}"))
                            .of(key)
                            .from(&origin),
                    ),
                },
            }
        }
    }
}

/// Variables that start with our prefix and have a value. The empty text is unset (`CF-04`).
fn text_of(variables: &[(OsString, OsString)], problems: &mut Problems) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        match value.to_str() {
            Some("") => {}
            Some(value) => texts.push((name.to_owned(), value.to_owned())),
            None => problems.add(Problem::new(format!("the variable {name} is not valid UTF-8"))),
        }
    }
    texts.sort();
    texts
}

/// `LARDER_DATABASE__POOL__SIZE` is `database.pool.size` (`CF-02`).
fn key_of(name: &str) -> Option<String> {
    let key = name.strip_prefix(PREFIX)?.to_lowercase();
    (key.contains("__") || TOP_LEVEL.contains(&key.as_str())).then(|| key.replace("__", "."))
}

/// The variable that sets a key.
pub(crate) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// The file of the flag, else of the variable, else the usual one if it is there (`CF-03`).
fn named_file(inputs: &Inputs, variables: &[(String, String)]) -> Option<PathBuf> {
    let of_variable = || {
        let (_, file) = variables.iter().find(|(name, _)| name == "LARDER_CONFIG")?;
        Some(PathBuf::from(file))
    };
    let usual = || Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists());
    inputs.file.clone().or_else(of_variable).or_else(usual)
}

fn cut_line_end(text: &mut String) {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

fn collect_lines(table: &DeTable<'_>, prefix: &str, text: &str, lines: &mut BTreeMap<String, usize>) {
    for (name, value) in table {
        let key = join(prefix, name.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            collect_lines(inner, &key, text, lines);
        }
        lines.insert(key, line_at(text, name.span().start));
    }
}

fn collect_leaves(values: &Dict, prefix: &str, leaves: &mut Vec<String>) {
    for (name, value) in values {
        let key = join(prefix, name);
        match value {
            Value::Dict(_, inner) if !inner.is_empty() => collect_leaves(inner, &key, leaves),
            Value::Dict(..) => {}
            _ => leaves.push(key),
        }
    }
}
