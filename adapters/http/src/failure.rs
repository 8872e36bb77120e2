//! From what the ports and the framework say went wrong to problems: the one place where this is decided.

use larder_domain::Code as ViolationCode;
use larder_ports::inbound::chat::{
    AppendError, ChangeSessionError, CreateSessionError, ListError, ListMessagesError, NotFoundError,
};
use larder_ports::inbound::identity::{AuthenticationError, LogInError, SignUpError};
use larder_ports::inbound::{BadCursor, Failure, KeyReused};
use larder_ports::outbound::Outage;
use poem_openapi::error::{ParseParamError, ParsePathError};

use crate::problem::{Code, Problem};

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(outage, source) => {
                let problem = match outage {
                    Outage::PoolExhausted => Self::new(Code::PoolExhausted).retry_after(1),
                    Outage::Unreachable => Self::new(Code::DatabaseUnavailable).retry_after(5),
                    Outage::TimedOut => Self::new(Code::DeadlineExceeded),
                };
                match source {
                    Some(source) => problem.caused_by(source),
                    None => problem,
                }
            }
            Failure::Contended => Self::new(Code::Contended).retry_after(1),
            Failure::OutcomeUnknown(source) => Self::new(Code::OutcomeUnknown).caused_by(source),
            Failure::Internal(source) => Self::internal(source),
        }
    }
}

impl From<BadCursor> for Problem {
    fn from(_: BadCursor) -> Self {
        Self::new(Code::BadCursor)
    }
}

impl From<KeyReused> for Problem {
    fn from(_: KeyReused) -> Self {
        Self::new(Code::KeyReused)
    }
}

impl From<AuthenticationError> for Problem {
    fn from(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::Expired => Self::new(Code::TokenExpired),
            AuthenticationError::Invalid => Self::new(Code::TokenInvalid),
            AuthenticationError::Failure(failure) => failure.into(),
        }
    }
}

impl From<SignUpError> for Problem {
    fn from(error: SignUpError) -> Self {
        match error {
            SignUpError::Invalid(invalid) => invalid.into(),
            SignUpError::Closed => Self::new(Code::SignUpClosed),
            SignUpError::InvitationInvalid => Self::new(Code::InvitationInvalid),
            SignUpError::UsernameTaken => Self::new(Code::UsernameTaken),
            SignUpError::EmailTaken => Self::new(Code::EmailTaken),
            SignUpError::Failure(failure) => failure.into(),
        }
    }
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::InvalidCredentials => Self::new(Code::InvalidCredentials),
            LogInError::Failure(failure) => failure.into(),
        }
    }
}

impl From<CreateSessionError> for Problem {
    fn from(error: CreateSessionError) -> Self {
        match error {
            CreateSessionError::Invalid(invalid) => invalid.into(),
            CreateSessionError::IdTaken => Self::new(Code::IdTaken),
            CreateSessionError::KeyReused(reused) => reused.into(),
            CreateSessionError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::BadCursor(bad) => bad.into(),
            ListError::Failure(failure) => failure.into(),
        }
    }
}

impl From<NotFoundError> for Problem {
    fn from(error: NotFoundError) -> Self {
        match error {
            NotFoundError::NotFound => Self::new(Code::NotFound),
            NotFoundError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ChangeSessionError> for Problem {
    fn from(error: ChangeSessionError) -> Self {
        match error {
            ChangeSessionError::Invalid(invalid) => invalid.into(),
            ChangeSessionError::NotFound => Self::new(Code::NotFound),
            ChangeSessionError::Stale => Self::new(Code::Stale),
            ChangeSessionError::Failure(failure) => failure.into(),
        }
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Invalid(invalid) => invalid.into(),
            AppendError::NotFound => Self::new(Code::NotFound),
            AppendError::IdTaken => Self::new(Code::IdTaken),
            AppendError::KeyReused(reused) => reused.into(),
            AppendError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ListMessagesError> for Problem {
    fn from(error: ListMessagesError) -> Self {
        match error {
            ListMessagesError::NotFound => Self::new(Code::NotFound),
            ListMessagesError::BadCursor(bad) => bad.into(),
            ListMessagesError::Failure(failure) => failure.into(),
        }
    }
}

/// The problem behind an error that came through the framework. What isn't known here is a bug, whatever its status.
pub(crate) fn of_framework(error: poem::Error) -> Problem {
    let error = match error.downcast::<Problem>() {
        Ok(problem) => return problem,
        Err(error) => error,
    };
    if error.is::<poem::error::NotFoundError>() {
        Problem::new(Code::RouteNotFound)
    } else if error.is::<poem::error::MethodNotAllowedError>() {
        Problem::new(Code::MethodNotAllowed)
    } else if error.is::<ParsePathError>() {
        Problem::new(Code::MalformedId)
    } else if let Some(ParseParamError { name, .. }) = error.downcast_ref() {
        let (code, message) = match *name {
            "limit" => (ViolationCode::OutOfRange, "must be a whole number from 1 to 200"),
            _ => (
                ViolationCode::BadFormat,
                "is none of the values that this parameter takes",
            ),
        };
        Problem::violation(format!("/query/{name}"), code, message)
    } else {
        Problem::internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use larder_domain::Invalid;

    use super::*;

    fn failures() -> Vec<(Failure, Code)> {
        let source = || "cause".into();
        vec![
            (Failure::Unavailable(Outage::PoolExhausted, None), Code::PoolExhausted),
            (
                Failure::Unavailable(Outage::Unreachable, Some(source())),
                Code::DatabaseUnavailable,
            ),
            (Failure::Unavailable(Outage::TimedOut, None), Code::DeadlineExceeded),
            (Failure::Contended, Code::Contended),
            (Failure::OutcomeUnknown(source()), Code::OutcomeUnknown),
            (Failure::Internal(source()), Code::Internal),
        ]
    }

    fn code(error: impl Into<Problem>) -> Code {
        error.into().code()
    }

    #[test]
    fn a_failure_is_the_same_problem_whatever_the_use_case() {
        for (failure, expected) in failures() {
            assert_eq!(code(failure), expected);
        }
        for wrap in [
            |failure| code(AuthenticationError::Failure(failure)),
            |failure| code(SignUpError::Failure(failure)),
            |failure| code(LogInError::Failure(failure)),
            |failure| code(CreateSessionError::Failure(failure)),
            |failure| code(ListError::Failure(failure)),
            |failure| code(NotFoundError::Failure(failure)),
            |failure| code(ChangeSessionError::Failure(failure)),
            |failure| code(AppendError::Failure(failure)),
            |failure| code(ListMessagesError::Failure(failure)),
        ] {
            for (failure, expected) in failures() {
                assert_eq!(wrap(failure), expected);
            }
        }
    }

    #[test]
    fn what_a_use_case_refuses_has_a_code_of_its_own() {
        let invalid = || Invalid::one("/x", ViolationCode::TooLong, "is too long");
        assert_eq!(code(AuthenticationError::Expired), Code::TokenExpired);
        assert_eq!(code(AuthenticationError::Invalid), Code::TokenInvalid);
        assert_eq!(code(SignUpError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(SignUpError::Closed), Code::SignUpClosed);
        assert_eq!(code(SignUpError::InvitationInvalid), Code::InvitationInvalid);
        assert_eq!(code(SignUpError::UsernameTaken), Code::UsernameTaken);
        assert_eq!(code(SignUpError::EmailTaken), Code::EmailTaken);
        assert_eq!(code(LogInError::InvalidCredentials), Code::InvalidCredentials);
        assert_eq!(code(CreateSessionError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(CreateSessionError::IdTaken), Code::IdTaken);
        assert_eq!(code(CreateSessionError::KeyReused(KeyReused)), Code::KeyReused);
        assert_eq!(code(ListError::BadCursor(BadCursor)), Code::BadCursor);
        assert_eq!(code(NotFoundError::NotFound), Code::NotFound);
        assert_eq!(code(ChangeSessionError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(ChangeSessionError::NotFound), Code::NotFound);
        assert_eq!(code(ChangeSessionError::Stale), Code::Stale);
        assert_eq!(code(AppendError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(AppendError::NotFound), Code::NotFound);
        assert_eq!(code(AppendError::IdTaken), Code::IdTaken);
        assert_eq!(code(AppendError::KeyReused(KeyReused)), Code::KeyReused);
        assert_eq!(code(ListMessagesError::NotFound), Code::NotFound);
        assert_eq!(code(ListMessagesError::BadCursor(BadCursor)), Code::BadCursor);
    }

    #[test]
    fn an_unknown_error_of_the_framework_is_a_bug_even_with_a_client_status() {
        let error = poem::Error::from_status(poem::http::StatusCode::BAD_REQUEST);
        assert_eq!(of_framework(error).code(), Code::Internal);
    }
}
