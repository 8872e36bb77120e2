//! What is wrong with a configuration. Says which key and where it was set, never what the value is (`CF-05`).

use std::fmt;

use super::source::Origin;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    code: Option<&'static str>,
    key: Option<String>,
    origin: Option<String>,
    text: String,
}

impl Problem {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            code: None,
            key: None,
            origin: None,
            text: text.into(),
        }
    }

    /// With a documented code: `database_missing`.
    pub(crate) fn coded(code: &'static str, text: impl Into<String>) -> Self {
        Self {
            code: Some(code),
            ..Self::new(text)
        }
    }

    /// About a key.
    pub(crate) fn of(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Set there.
    pub(crate) fn from(mut self, origin: &Origin) -> Self {
        self.origin = Some(origin.to_string());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.key, &self.origin) {
            (Some(key), Some(origin)) => write!(f, "{key} (from {origin}): ")?,
            (Some(key), None) => write!(f, "{key}: ")?,
            (None, Some(origin)) => write!(f, "{origin}: ")?,
            (None, None) => {}
        }
        if let Some(code) = self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// Everything that was found, so that a person learns of all of it at once.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub(crate) errors: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

impl Problems {
    /// Notes a problem, once: several contexts may share what is wrong.
    pub(crate) fn add(&mut self, problem: Problem) {
        if !self.errors.contains(&problem) {
            self.errors.push(problem);
        }
    }

    /// Notes what a person should know though it stops nothing, once.
    pub(crate) fn warn(&mut self, problem: Problem) {
        if !self.warnings.contains(&problem) {
            self.warnings.push(problem);
        }
    }
}

/// A configuration that can't be used (exit code 2).
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    problems: Problems,
    /// As in [`Config`](super::Config).
    pub given: Vec<(String, String)>,
}

impl ConfigError {
    pub(crate) fn new(problems: Problems, given: Vec<(String, String)>) -> Self {
        Self { problems, given }
    }

    /// What must be changed.
    pub fn errors(&self) -> impl ExactSizeIterator<Item = String> {
        self.problems.errors.iter().map(Problem::to_string)
    }

    /// What a person should know besides.
    pub fn warnings(&self) -> impl ExactSizeIterator<Item = String> {
        self.problems.warnings.iter().map(Problem::to_string)
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        let mut problems = Problems::default();
        problems.add(problem);
        Self::new(problems, Vec::new())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration can't be used:")?;
        for problem in &self.problems.errors {
            write!(f, "\n  - {problem}")?;
        }
        Ok(())
    }
}
