use larder_ports::outbound::{BoxError, Outage, StorageError};

use crate::rules;

/// What a driver reports when a statement, COMMIT or ROLLBACK did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct Failure {
    /// What it means.
    pub kind: FailureKind,
    /// What the driver said.
    #[source]
    pub source: BoxError,
}

/// What a failure means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FailureKind {
    /// A constraint was broken: its name on PostgreSQL, its columns (`table.a, table.b`) or name on SQLite.
    Constraint(String),
    /// Another transaction was in the way.
    Contended,
    /// It took longer than allowed.
    TimedOut,
    /// The connection broke, or the server can't serve.
    Lost,
    /// Anything else.
    Unexpected,
}

impl Failure {
    /// A failure that a PostgreSQL server reported.
    ///
    /// A distributed engine reports constraints of a shard with a suffix (`_102018`) on the name; it is stripped.
    pub fn postgres(sqlstate: &str, constraint: Option<&str>, source: BoxError) -> Self {
        let kind = match sqlstate {
            "40001" | "40P01" => FailureKind::Contended,
            // A cached plan whose result type changed under it: prepared anew, it runs.
            "0A000" if source.to_string().contains("cached plan") => FailureKind::Contended,
            "57014" | "55P03" => FailureKind::TimedOut,
            "25P03" | "25006" => FailureKind::Lost,
            // Class 08 connection, 53 resources, 57P0x shut down or not yet up, 58 system.
            state if ["08", "53", "57P", "58"].iter().any(|class| state.starts_with(class)) => FailureKind::Lost,
            state if state.starts_with("23") => {
                FailureKind::Constraint(strip_shard(constraint.unwrap_or("")).to_owned())
            }
            _ => FailureKind::Unexpected,
        };
        Self { kind, source }
    }

    /// A failure that SQLite reported, with its extended result code.
    pub fn sqlite(code: i32, message: &str, source: BoxError) -> Self {
        const BUSY: i32 = 5;
        const LOCKED: i32 = 6;
        const INTERRUPT: i32 = 9;
        const IO_ERROR: i32 = 10;
        const FULL: i32 = 13;
        const CANT_OPEN: i32 = 14;
        const CONSTRAINT: i32 = 19;
        let kind = match code & 0xff {
            BUSY | LOCKED => FailureKind::Contended,
            INTERRUPT => FailureKind::TimedOut,
            IO_ERROR | FULL | CANT_OPEN => FailureKind::Lost,
            // "UNIQUE constraint failed: chat_sessions.owner_id, chat_sessions.id"
            CONSTRAINT => {
                FailureKind::Constraint(message.split_once("failed: ").map_or("", |(_, what)| what).to_owned())
            }
            _ => FailureKind::Unexpected,
        };
        Self { kind, source }
    }

    /// The connection broke.
    pub fn lost(source: impl Into<BoxError>) -> Self {
        Self {
            kind: FailureKind::Lost,
            source: source.into(),
        }
    }

    /// Anything else.
    pub fn unexpected(source: impl Into<BoxError>) -> Self {
        Self {
            kind: FailureKind::Unexpected,
            source: source.into(),
        }
    }

    /// What it means when it was the answer to a statement: nothing was written.
    pub(crate) fn of_statement(self) -> StorageError {
        match self.kind {
            FailureKind::Constraint(name) => match rules::rule_of(&name) {
                Some(rule) => StorageError::Broken(rule),
                None => StorageError::Internal(self.source),
            },
            FailureKind::Contended => StorageError::Contended,
            FailureKind::TimedOut => StorageError::Unavailable(Outage::TimedOut, Some(self.source)),
            FailureKind::Lost => StorageError::Unavailable(Outage::Unreachable, Some(self.source)),
            FailureKind::Unexpected => StorageError::Internal(self.source),
        }
    }

    /// What it means when it was the answer to COMMIT: only what certainly undid the transaction is reported as such.
    pub(crate) fn of_commit(self) -> StorageError {
        match self.kind {
            FailureKind::Constraint(_) | FailureKind::Contended => self.of_statement(),
            FailureKind::TimedOut | FailureKind::Lost | FailureKind::Unexpected => {
                StorageError::CommitUnknown(self.source)
            }
        }
    }
}

fn strip_shard(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((rest, suffix)) if suffix.len() >= 5 && suffix.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use larder_ports::outbound::Rule;

    use super::*;

    fn postgres(sqlstate: &str, constraint: Option<&str>) -> Failure {
        Failure::postgres(sqlstate, constraint, "server".into())
    }

    #[test]
    fn contention_is_retryable_wherever_it_comes_from() {
        for sqlstate in ["40001", "40P01"] {
            assert!(postgres(sqlstate, None).of_statement().is_retryable());
            assert!(postgres(sqlstate, None).of_commit().is_retryable());
        }
        assert!(
            Failure::sqlite(5, "database is locked", "busy".into())
                .of_commit()
                .is_retryable()
        );
        assert!(
            Failure::sqlite(517, "database is locked", "busy snapshot".into())
                .of_statement()
                .is_retryable()
        );
        assert!(
            Failure::postgres("0A000", None, "cached plan must not change result type".into())
                .of_statement()
                .is_retryable()
        );
        assert!(
            !Failure::postgres("0A000", None, "not supported".into())
                .of_statement()
                .is_retryable()
        );
    }

    #[test]
    fn a_commit_without_a_trustworthy_answer_is_unknown() {
        for sqlstate in ["57P01", "57014", "08006", "XX000"] {
            assert!(
                matches!(postgres(sqlstate, None).of_commit(), StorageError::CommitUnknown(_)),
                "{sqlstate}"
            );
        }
        assert!(matches!(
            Failure::lost("closed").of_commit(),
            StorageError::CommitUnknown(_)
        ));
        assert!(matches!(
            Failure::sqlite(10, "disk I/O error", "io".into()).of_commit(),
            StorageError::CommitUnknown(_)
        ));
    }

    #[test]
    fn a_lost_connection_before_commit_wrote_nothing() {
        for sqlstate in ["57P01", "08006", "53300", "25P03", "25006"] {
            let error = postgres(sqlstate, None).of_statement();
            assert!(
                matches!(error, StorageError::Unavailable(Outage::Unreachable, _)),
                "{sqlstate}"
            );
        }
        assert!(matches!(
            postgres("57014", None).of_statement(),
            StorageError::Unavailable(Outage::TimedOut, _)
        ));
    }

    #[test]
    fn a_known_constraint_is_a_rule_and_an_unknown_one_a_bug() {
        let broken = |failure: Failure| match failure.of_statement() {
            StorageError::Broken(rule) => Some(rule),
            _ => None,
        };
        assert_eq!(
            broken(postgres("23505", Some("pk_chat_sessions"))),
            Some(Rule::SessionIdTaken)
        );
        assert_eq!(
            broken(postgres("23505", Some("pk_chat_sessions_102018"))),
            Some(Rule::SessionIdTaken)
        );
        let message = "UNIQUE constraint failed: chat_sessions.owner_id, chat_sessions.id";
        assert_eq!(
            broken(Failure::sqlite(1555, message, "constraint".into())),
            Some(Rule::SessionIdTaken)
        );
        assert!(matches!(
            postgres("23505", Some("uq_unknown")).of_statement(),
            StorageError::Internal(_)
        ));
        assert!(matches!(
            postgres("23514", None).of_statement(),
            StorageError::Internal(_)
        ));
    }
}
