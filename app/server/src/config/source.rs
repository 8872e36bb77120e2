//! Where values come from (`CF-01` to `CF-07`): flags, variables, aliases, a file. Figment merges the layers and remembers which
//! layer gave which value.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use toml::de::{DeTable, DeValue};

use super::alias::{ALIASES, Alias, Meaning, is_vendor_login, split_host};
use super::problem::{Problem, Problems};
use super::setting::Setting;
use crate::libpq;

/// What stands for a secret wherever a configuration is shown.
pub(crate) const MASK: &str = "********";

/// What every variable of Larder starts with.
const PREFIX: &str = "LARDER_";

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "larder.toml";

/// Variables that are no keys.
const CONFIG: &str = "LARDER_CONFIG";
const ENV_PREFIX: &str = "LARDER_ENV_PREFIX";

/// Keys without a section; their variables have no `__`.
const TOP_LEVEL: &[&str] = &["environment", "data_dir", "disabled_contexts"];

/// How strongly a value was asked for. A higher level wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    File,
    Alias,
    Variable,
    Flag,
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) level: Level,
    name: String,
}

impl Origin {
    /// Whether it is the alias of this name, in any of its forms.
    pub(crate) fn is_alias(&self, variable: &str) -> bool {
        self.level == Level::Alias && self.name.starts_with(variable)
    }
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
    pub key: String,
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
    /// `--env-file`: variables that count where the process has none of the name.
    pub env_file: Option<PathBuf>,
    /// `--env-prefix`: `ACME` makes `ACME_DATABASE__HOST` an alias.
    pub env_prefix: Option<String>,
    /// The environment of the process.
    pub variables: Vec<(OsString, OsString)>,
    /// Flags that set a key.
    pub flags: Vec<Flag>,
}

impl Inputs {
    /// With the environment of this process.
    pub fn with_environment(self) -> Self {
        Self {
            variables: libpq::variables_of_process(),
            ..self
        }
    }
}

/// The merged layers.
pub(crate) struct Sources {
    figment: Figment,
    /// Every key that was set, once for each of its origins, the one that counts first.
    given: Vec<Given>,
    /// The origin that `figment` names by its index.
    origins: Vec<Origin>,
    variables: Variables,
}

/// A key that was set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Given {
    pub(crate) key: String,
    pub(crate) origin: Origin,
    /// By a variable with a prefix that is not our own, so that it may be meant for somebody else.
    pub(crate) is_foreign: bool,
}

/// A value that some origin gives to a key.
struct Candidate {
    given: Given,
    value: Value,
}

/// The value of one origin.
struct Layer {
    origin: usize,
    key: String,
    value: Value,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let values = figment::util::nest(&self.key, self.value.clone()).into_dict();
        Ok(Profile::Default.collect(values.unwrap_or_default()))
    }
}

impl Sources {
    /// Reads every layer. `is_secret` tells which keys may also be given as a file's name.
    pub(crate) fn read(inputs: &Inputs, is_secret: fn(&str) -> bool, problems: &mut Problems) -> Self {
        let variables = Variables::read(inputs, is_secret, problems);
        let prefix = foreign_prefix(inputs, &variables, problems);
        let mut candidates = Vec::new();
        if let Some(file) = named_file(inputs, &variables, problems) {
            read_file(&file, &mut candidates, problems);
        }
        if let Some(prefix) = &prefix {
            variables.keys(prefix, Level::Alias, &mut candidates, problems);
        }
        for alias in ALIASES {
            read_alias(alias, &variables, &mut candidates, problems);
        }
        variables.keys(PREFIX, Level::Variable, &mut candidates, problems);
        for flag in &inputs.flags {
            let origin = Origin {
                level: Level::Flag,
                name: flag.name.to_owned(),
            };
            candidates.push(Candidate::new(&flag.key, flag.value.clone(), origin));
        }
        warn_of_ignored(&variables, prefix.as_deref(), problems);
        Self::merge(candidates, variables, problems)
    }

    /// Of the candidates of one level the first one counts (`CF-07`), and of the levels the highest.
    fn merge(mut candidates: Vec<Candidate>, variables: Variables, problems: &mut Problems) -> Self {
        candidates.sort_by_key(|candidate| candidate.given.origin.level);
        let mut this = Self {
            figment: Figment::new(),
            given: Vec::new(),
            origins: Vec::new(),
            variables,
        };
        let mut winners: BTreeMap<(Level, String), (Value, String)> = BTreeMap::new();
        for Candidate { given, value } in candidates {
            let place = (given.origin.level, given.key.clone());
            match winners.get(&place) {
                None => {
                    winners.insert(place, (value.clone(), given.origin.name.clone()));
                    let layer = Layer {
                        origin: this.origins.len(),
                        key: given.key.clone(),
                        value,
                    };
                    this.figment = std::mem::take(&mut this.figment).merge(layer);
                    this.origins.push(given.origin.clone());
                }
                Some((winner, name)) if *winner != value && *name != given.origin.name => {
                    let text = format!("{name} counts, {} says something else and does not", given.origin);
                    problems.warn(Problem::coded("shadowed", text).of(&given.key));
                }
                Some(_) => {}
            }
            this.given.push(given);
        }
        this.given.sort_by_key(|given| Reverse(given.origin.level));
        this
    }

    /// The value of a key, and where it came from.
    pub(crate) fn find(&self, key: &str) -> Option<(Value, Origin)> {
        let value = self.figment.find_value(key).ok()?;
        let layer = self.figment.get_metadata(value.tag())?.name.parse::<usize>().ok()?;
        Some((value, self.origins.get(layer)?.clone()))
    }

    /// Every key that was set, once for each of its origins, the one that counts first.
    pub(crate) fn given(&self) -> &[Given] {
        &self.given
    }

    /// The text of a variable that is no key.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name)
    }
}

impl Candidate {
    fn new(key: &str, value: impl Into<Value>, origin: Origin) -> Self {
        Self {
            given: Given {
                key: key.to_owned(),
                origin,
                is_foreign: false,
            },
            value: value.into(),
        }
    }
}

/// Variables that have a value: the empty text is unset (`CF-04`).
struct Variables {
    variables: BTreeMap<String, Variable>,
    is_secret: fn(&str) -> bool,
}

struct Variable {
    /// `None` where it is not UTF-8.
    text: Option<String>,
    /// What it is called in messages.
    name: String,
}

impl Variables {
    fn read(inputs: &Inputs, is_secret: fn(&str) -> bool, problems: &mut Problems) -> Self {
        let of_file = inputs.env_file.iter().flat_map(|file| read_env_file(file, problems));
        let mut variables: BTreeMap<String, Variable> = of_file.collect();
        for (name, value) in &inputs.variables {
            if let Some(name) = name.to_str().filter(|_| !value.is_empty()) {
                let variable = Variable {
                    text: value.to_str().map(str::to_owned),
                    name: name.to_owned(),
                };
                variables.insert(name.to_owned(), variable);
            }
        }
        Self { variables, is_secret }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name)?.text.as_deref()
    }

    /// The value that a variable gives to a key; a secret may lie in the file that `<NAME>_FILE` names.
    fn value(&self, name: &str, key: &str, level: Level, problems: &mut Problems) -> Option<(String, Origin)> {
        let of_file = Some(format!("{name}_FILE"))
            .filter(|_| (self.is_secret)(key))
            .and_then(|name| self.variables.get(&name));
        let (variable, is_file) = match (self.variables.get(name), of_file) {
            (Some(variable), None) => (variable, false),
            (None, Some(variable)) => (variable, true),
            (Some(variable), Some(of_file)) => {
                let text = format!("only one of {} and {} may be set", variable.name, of_file.name);
                problems.add(Problem::new(text).of(key));
                return None;
            }
            (None, None) => return None,
        };
        let origin = Origin {
            level,
            name: variable.name.clone(),
        };
        let Some(text) = &variable.text else {
            problems.add(Problem::new("must be valid UTF-8").of(key).from(&origin));
            return None;
        };
        if !is_file {
            return Some((text.clone(), origin));
        }
        match fs::read_to_string(text) {
            Ok(mut text) => {
                cut_line_end(&mut text);
                Some((text, origin))
            }
            Err(error) => {
                let problem = Problem::new(format!("the file that it names can't be read: {error}"));
                problems.add(problem.of(key).from(&origin));
                None
            }
        }
    }

    /// Every key that variables with a prefix set.
    fn keys(&self, prefix: &str, level: Level, candidates: &mut Vec<Candidate>, problems: &mut Problems) {
        let mut names = BTreeSet::new();
        for name in self.variables.keys() {
            let secret = name
                .strip_suffix("_FILE")
                .filter(|name| key_of(prefix, name).is_some_and(|key| (self.is_secret)(&key)));
            names.insert(secret.unwrap_or(name));
        }
        for name in names {
            if let Some(key) = key_of(prefix, name)
                && let Some((value, origin)) = self.value(name, &key, level, problems)
            {
                let mut candidate = Candidate::new(&key, value, origin);
                candidate.given.is_foreign = prefix != PREFIX;
                candidates.push(candidate);
            }
        }
    }
}

/// What a file of variables holds (`CF-03`).
fn read_env_file(file: &Path, problems: &mut Problems) -> Vec<(String, Variable)> {
    let shown = file.display();
    let text = match fs::read_to_string(file) {
        Ok(text) => literal(&text),
        Err(error) => {
            problems.add(Problem::new(format!("{shown} can't be read: {error}")));
            return Vec::new();
        }
    };
    let mut variables = Vec::new();
    for item in dotenvy::from_read_iter(text.as_bytes()) {
        match item {
            Ok((_, text)) if text.is_empty() => {}
            Ok((name, text)) => {
                let variable = Variable {
                    text: Some(text),
                    name: format!("{name} in {shown}"),
                };
                variables.push((name, variable));
            }
            // The error quotes the line, and with it perhaps a secret.
            Err(_) => problems.add(Problem::new(format!(
                "{shown} has a line that is not NAME=VALUE (put a value that has spaces or any of ' \" \\ # into quotes)"
            ))),
        }
    }
    variables
}

/// With every `$` meaning itself. dotenvy would put other variables in, and cut a password in two.
fn literal(text: &str) -> String {
    let lines = text.trim_start_matches('\u{feff}').split_inclusive('\n').map(|line| {
        let is_quoted = line
            .split_once('=')
            .is_some_and(|(_, value)| value.trim_start().starts_with('\''));
        if is_quoted {
            line.to_owned()
        } else {
            line.replace("\\$", "$").replace('$', "\\$")
        }
    });
    lines.collect()
}

fn read_alias(alias: &Alias, variables: &Variables, candidates: &mut Vec<Candidate>, problems: &mut Problems) {
    if let Some(context) = alias.missing_context() {
        if variables.variables.contains_key(alias.variable) {
            let text = format!("{} is ignored: this version has no context {context}", alias.variable);
            problems.warn(Problem::coded("ignored_variable", text));
        }
        return;
    }
    let Some((text, origin)) = variables.value(alias.variable, alias.key, Level::Alias, problems) else {
        return;
    };
    match alias.meaning {
        Meaning::Value => candidates.push(Candidate::new(alias.key, text, origin)),
        Meaning::HostAndPort => match split_host(&text) {
            Some((host, port)) => {
                candidates.push(Candidate::new(alias.key, host, origin.clone()));
                candidates.extend(port.map(|port| Candidate::new("database.port", port, origin)));
            }
            None => {
                let text = "must be a host or host:port, with an IPv6 address in brackets";
                problems.add(Problem::new(text).of(alias.key).from(&origin));
            }
        },
        Meaning::SkipHostName => match bool::read(&text.into()) {
            Some(true) => {
                let text = "the server's certificate is checked, but not whether it names the host";
                problems.warn(Problem::coded("hostname_unchecked", text).of(alias.key).from(&origin));
                candidates.push(Candidate::new(alias.key, "verify-ca", origin));
            }
            Some(false) => {}
            None => {
                let problem = Problem::new(format!("must be {}", bool::EXPECTED));
                problems.add(problem.of(alias.key).from(&origin));
            }
        },
    }
}

/// Warns of variables that look as if they meant something here.
fn warn_of_ignored(variables: &Variables, prefix: Option<&str>, problems: &mut Problems) {
    let is_ours = |name: &str| name.starts_with(PREFIX) && ![CONFIG, ENV_PREFIX].contains(&name);
    let is_foreign = |name: &str| prefix.is_some_and(|prefix| name.starts_with(prefix));
    for (name, variable) in &variables.variables {
        if is_vendor_login(name) {
            let text = format!("{} is ignored: no vendor login exists here", variable.name);
            problems.warn(Problem::coded("ignored_variable", text));
        } else if is_ours(name) && key_of(PREFIX, name).is_none()
            || is_foreign(name) && prefix.is_some_and(|prefix| key_of(prefix, name).is_none())
        {
            let text = format!("{} is none of Larder's variables and is ignored", variable.name);
            problems.warn(Problem::coded("ignored_variable", text));
        }
    }
}

/// The prefix of further variables, with its underscore (`CF-02`).
fn foreign_prefix(inputs: &Inputs, variables: &Variables, problems: &mut Problems) -> Option<String> {
    let (prefix, origin) = match &inputs.env_prefix {
        Some(prefix) => (prefix.as_str(), "--env-prefix"),
        None => (variables.get(ENV_PREFIX)?, ENV_PREFIX),
    };
    let prefix = prefix.strip_suffix('_').unwrap_or(prefix);
    let is_name = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if prefix.is_empty() || !is_name || prefix == PREFIX.trim_end_matches('_') {
        problems.add(Problem::new(format!(
            "{origin} must be letters, digits and underscores, and not Larder's own prefix"
        )));
        return None;
    }
    Some(format!("{prefix}_"))
}

/// `LARDER_DATABASE__POOL__SIZE` is `database.pool.size` (`CF-02`).
fn key_of(prefix: &str, name: &str) -> Option<String> {
    let key = name.strip_prefix(prefix)?.to_lowercase();
    (key.contains("__") || TOP_LEVEL.contains(&key.as_str())).then(|| key.replace("__", "."))
}

/// The variable that sets a key.
pub(crate) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// The file of the flag, else of the variable, else the usual one if it is there (`CF-03`).
fn named_file(inputs: &Inputs, variables: &Variables, problems: &mut Problems) -> Option<PathBuf> {
    if inputs.file.is_some() {
        return inputs.file.clone();
    }
    if let Some(variable) = variables.variables.get(CONFIG) {
        if variable.text.is_none() {
            problems.add(Problem::new(format!("{CONFIG} must be valid UTF-8")));
        }
        return variable.text.as_ref().map(PathBuf::from);
    }
    Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists())
}

fn read_file(path: &Path, candidates: &mut Vec<Candidate>, problems: &mut Problems) {
    let file = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return problems.add(Problem::new(format!("{file} can't be read: {error}"))),
    };
    let parsed = DeTable::parse(&text).and_then(|table| toml::from_str::<Dict>(&text).map(|values| (table, values)));
    let (table, values) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // The error's own text would quote the line, and with it perhaps a secret.
            let line = error.span().map_or(1, |span| line_at(&text, span.start));
            return problems.add(Problem::new(format!("{file}, line {line}: this is not valid TOML")));
        }
    };
    let mut lines = BTreeMap::new();
    collect_lines(table.get_ref(), "", &text, &mut lines);
    let mut leaves = Vec::new();
    collect_leaves(values, "", &mut leaves);
    for (key, value) in leaves {
        let name = match lines.get(&key) {
            Some(line) => format!("{file}, line {line}"),
            None => file.clone(),
        };
        let level = Level::File;
        candidates.push(Candidate::new(&key, value, Origin { level, name }));
    }
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

fn collect_leaves(values: Dict, prefix: &str, leaves: &mut Vec<(String, Value)>) {
    for (name, value) in values {
        let key = join(prefix, &name);
        match value {
            Value::Dict(_, inner) if !inner.is_empty() => collect_leaves(inner, &key, leaves),
            Value::Dict(..) => {}
            _ => leaves.push((key, value)),
        }
    }
}
