//! Why a command ended, as a sentence and as an exit code.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::config::ConfigError;

/// How a command ended other than well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// Something that nobody foresaw, or that has no code of its own.
    Unexpected = 1,
    /// Usage or configuration.
    Configuration = 2,
    /// The schema is newer than the program.
    SchemaNewer = 3,
    /// The lock of the migrations was not obtained.
    Locked = 4,
    /// A migration failed and was rolled back.
    MigrationFailed = 5,
    /// The database can't be reached.
    Unreachable = 7,
    /// Migrations are pending.
    Pending = 8,
}

/// The end of a command.
#[derive(Debug)]
pub(crate) struct Exit {
    status: Status,
    text: String,
}

impl Exit {
    pub(crate) fn new(status: Status, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
        }
    }

    /// With everything that an error says about its cause.
    pub(crate) fn of(status: Status, error: &dyn Error) -> Self {
        Self::new(status, chain(error))
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> Status {
        self.status
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.status as u8)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ConfigError> for Exit {
    fn from(error: ConfigError) -> Self {
        Self::new(Status::Configuration, error.to_string())
    }
}

/// An error and its causes in one line, each said once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the store is away")]
    struct Away(#[source] std::io::Error);

    #[test]
    fn causes_are_told_once() {
        let error = Away(std::io::Error::other("connection refused"));
        assert_eq!(chain(&error), "the store is away: connection refused");
        let error = Away(std::io::Error::other("away"));
        assert_eq!(chain(&error), "the store is away");
    }
}
