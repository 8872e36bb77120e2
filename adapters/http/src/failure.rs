//! From what the ports and the framework say went wrong to problems: the one place where this is decided.

use larder_domain::Code as ViolationCode;
use larder_ports::inbound::chat::EditMessageError;
use larder_ports::inbound::chat::{
    AppendError, ChangeSessionError, CreateSessionError, ListError, ListMessagesError, NotFoundError,
};
use larder_ports::inbound::chat::{AuditError, SearchError};
use larder_ports::inbound::chat::{
    ChangePromptError, ChangeSummaryError, CreatePromptError, RenameTagError, ResolveSessionError, RestorePromptError,
};
use larder_ports::inbound::identity::{
    AuthenticationError, ChangeAccountError, ChangePasswordError, LogInError, LogOutError, RefreshError, SignUpError,
    Throttled,
};
use larder_ports::inbound::identity::{ChangeUserError, CreateApiTokenError, CreateInvitationError, EraseAccountError};
use larder_ports::inbound::identity::{LinkError, UnlinkError};
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
            AuthenticationError::Invalid | AuthenticationError::LoginEnded => Self::new(Code::TokenInvalid),
            AuthenticationError::AccountUnknown => Self::new(Code::AccountUnknown),
            AuthenticationError::IdentityLinkRequired => Self::new(Code::IdentityLinkRequired),
            AuthenticationError::IssuerUnavailable => Self::new(Code::IssuerUnavailable).retry_after(5),
            AuthenticationError::Failure(failure) => failure.into(),
        }
    }
}

impl From<LinkError> for Problem {
    fn from(error: LinkError) -> Self {
        match error {
            // Not 401: the caller's own token is good.
            LinkError::TokenInvalid => Self::violation(
                "/token",
                ViolationCode::BadFormat,
                "must be a token of a configured issuer that counts now",
            ),
            LinkError::AccountUnknown => Self::new(Code::AccountUnknown),
            LinkError::IdentityTaken => Self::new(Code::IdentityTaken),
            LinkError::IssuerUnavailable => Self::new(Code::IssuerUnavailable).retry_after(5),
            LinkError::KeyReused(reused) => reused.into(),
            LinkError::Failure(failure) => failure.into(),
        }
    }
}

impl From<UnlinkError> for Problem {
    fn from(error: UnlinkError) -> Self {
        match error {
            UnlinkError::NotFound => Self::new(Code::NotFound),
            UnlinkError::LastCredential => Self::new(Code::LastCredential),
            UnlinkError::Failure(failure) => failure.into(),
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
            LogInError::Throttled(throttled) => throttled.into(),
            LogInError::Failure(failure) => failure.into(),
        }
    }
}

impl From<Throttled> for Problem {
    fn from(Throttled(wait): Throttled) -> Self {
        Self::new(Code::LoginThrottled).retry_after_span(wait)
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Invalid => Self::new(Code::RefreshInvalid),
            RefreshError::Reused => Self::new(Code::RefreshReused),
            RefreshError::Failure(failure) => failure.into(),
        }
    }
}

impl From<LogOutError> for Problem {
    fn from(error: LogOutError) -> Self {
        match error {
            LogOutError::InteractiveLoginRequired => Self::new(Code::InteractiveLoginRequired),
            LogOutError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ChangeAccountError> for Problem {
    fn from(error: ChangeAccountError) -> Self {
        match error {
            ChangeAccountError::Invalid(invalid) => invalid.into(),
            ChangeAccountError::Stale => Self::new(Code::Stale),
            ChangeAccountError::CurrentPasswordWrong => Self::new(Code::CurrentPasswordWrong),
            ChangeAccountError::Throttled(throttled) => throttled.into(),
            ChangeAccountError::UsernameTaken => Self::new(Code::UsernameTaken),
            ChangeAccountError::EmailTaken => Self::new(Code::EmailTaken),
            ChangeAccountError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ChangePasswordError> for Problem {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::Invalid(invalid) => invalid.into(),
            ChangePasswordError::CurrentPasswordWrong => Self::new(Code::CurrentPasswordWrong),
            ChangePasswordError::Throttled(throttled) => throttled.into(),
            ChangePasswordError::Failure(failure) => failure.into(),
        }
    }
}

impl From<CreateApiTokenError> for Problem {
    fn from(error: CreateApiTokenError) -> Self {
        match error {
            CreateApiTokenError::Invalid(invalid) => invalid.into(),
            CreateApiTokenError::IdTaken => Self::new(Code::IdTaken),
            CreateApiTokenError::NameTaken => Self::new(Code::NameTaken),
            CreateApiTokenError::LimitReached => Self::new(Code::LimitReached),
            CreateApiTokenError::KeyReused(reused) => reused.into(),
            CreateApiTokenError::Failure(failure) => failure.into(),
        }
    }
}

impl From<CreateInvitationError> for Problem {
    fn from(error: CreateInvitationError) -> Self {
        match error {
            CreateInvitationError::Invalid(invalid) => invalid.into(),
            CreateInvitationError::KeyReused(reused) => reused.into(),
            CreateInvitationError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ChangeUserError> for Problem {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::Invalid(invalid) => invalid.into(),
            ChangeUserError::NotFound => Self::new(Code::NotFound),
            ChangeUserError::Stale => Self::new(Code::Stale),
            ChangeUserError::LastAdmin => Self::new(Code::LastAdmin),
            ChangeUserError::Failure(failure) => failure.into(),
        }
    }
}

impl From<EraseAccountError> for Problem {
    fn from(error: EraseAccountError) -> Self {
        match error {
            EraseAccountError::Invalid(invalid) => invalid.into(),
            EraseAccountError::CurrentPasswordWrong => Self::new(Code::CurrentPasswordWrong),
            EraseAccountError::Throttled(throttled) => throttled.into(),
            EraseAccountError::LastAdmin => Self::new(Code::LastAdmin),
            EraseAccountError::Failure(failure) => failure.into(),
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

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Invalid(invalid) => invalid.into(),
            AuditError::BadCursor(bad) => bad.into(),
            AuditError::Failure(failure) => failure.into(),
        }
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Invalid(invalid) => invalid.into(),
            SearchError::BadCursor(bad) => bad.into(),
            SearchError::Failure(failure) => failure.into(),
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

impl From<ResolveSessionError> for Problem {
    fn from(error: ResolveSessionError) -> Self {
        match error {
            ResolveSessionError::Invalid(invalid) => invalid.into(),
            ResolveSessionError::Failure(failure) => failure.into(),
        }
    }
}

impl From<RenameTagError> for Problem {
    fn from(error: RenameTagError) -> Self {
        match error {
            RenameTagError::Invalid(invalid) => invalid.into(),
            RenameTagError::NotFound => Self::new(Code::NotFound),
            RenameTagError::Failure(failure) => failure.into(),
        }
    }
}

impl From<CreatePromptError> for Problem {
    fn from(error: CreatePromptError) -> Self {
        match error {
            CreatePromptError::Invalid(invalid) => invalid.into(),
            CreatePromptError::IdTaken => Self::new(Code::IdTaken),
            CreatePromptError::LimitReached => Self::new(Code::LimitReached),
            CreatePromptError::KeyReused(reused) => reused.into(),
            CreatePromptError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ChangePromptError> for Problem {
    fn from(error: ChangePromptError) -> Self {
        match error {
            ChangePromptError::Invalid(invalid) => invalid.into(),
            ChangePromptError::NotFound => Self::new(Code::NotFound),
            ChangePromptError::Stale => Self::new(Code::Stale),
            ChangePromptError::Failure(failure) => failure.into(),
        }
    }
}

impl From<RestorePromptError> for Problem {
    fn from(error: RestorePromptError) -> Self {
        match error {
            RestorePromptError::NotFound => Self::new(Code::NotFound),
            RestorePromptError::LimitReached => Self::new(Code::LimitReached),
            RestorePromptError::Failure(failure) => failure.into(),
        }
    }
}

impl From<ChangeSummaryError> for Problem {
    fn from(error: ChangeSummaryError) -> Self {
        match error {
            ChangeSummaryError::Invalid(invalid) => invalid.into(),
            ChangeSummaryError::NotFound => Self::new(Code::NotFound),
            ChangeSummaryError::Stale => Self::new(Code::Stale),
            ChangeSummaryError::Older => Self::new(Code::OlderSummary),
            ChangeSummaryError::Failure(failure) => failure.into(),
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

impl From<EditMessageError> for Problem {
    fn from(error: EditMessageError) -> Self {
        match error {
            EditMessageError::Invalid(invalid) => invalid.into(),
            EditMessageError::NotFound => Self::new(Code::NotFound),
            EditMessageError::Stale => Self::new(Code::Stale),
            EditMessageError::IdTaken => Self::new(Code::IdTaken),
            EditMessageError::NotPartial => Self::new(Code::MessageNotPartial),
            EditMessageError::ChunkMismatch(lengths) => Self::new(Code::ChunkMismatch).with_lengths(lengths),
            EditMessageError::Failure(failure) => failure.into(),
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
            "from" | "to" => (
                ViolationCode::BadFormat,
                "must be a date and time with an offset, as RFC 3339 has it",
            ),
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
    use larder_domain::chat::Lengths;

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
            |failure| code(LinkError::Failure(failure)),
            |failure| code(UnlinkError::Failure(failure)),
            |failure| code(SignUpError::Failure(failure)),
            |failure| code(LogInError::Failure(failure)),
            |failure| code(RefreshError::Failure(failure)),
            |failure| code(LogOutError::Failure(failure)),
            |failure| code(ChangeAccountError::Failure(failure)),
            |failure| code(ChangePasswordError::Failure(failure)),
            |failure| code(CreateSessionError::Failure(failure)),
            |failure| code(ListError::Failure(failure)),
            |failure| code(AuditError::Failure(failure)),
            |failure| code(SearchError::Failure(failure)),
            |failure| code(NotFoundError::Failure(failure)),
            |failure| code(ChangeSessionError::Failure(failure)),
            |failure| code(ResolveSessionError::Failure(failure)),
            |failure| code(RenameTagError::Failure(failure)),
            |failure| code(CreatePromptError::Failure(failure)),
            |failure| code(ChangePromptError::Failure(failure)),
            |failure| code(RestorePromptError::Failure(failure)),
            |failure| code(ChangeSummaryError::Failure(failure)),
            |failure| code(AppendError::Failure(failure)),
            |failure| code(EditMessageError::Failure(failure)),
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
        assert_eq!(code(AuthenticationError::LoginEnded), Code::TokenInvalid);
        assert_eq!(code(AuthenticationError::AccountUnknown), Code::AccountUnknown);
        assert_eq!(
            code(AuthenticationError::IdentityLinkRequired),
            Code::IdentityLinkRequired
        );
        assert_eq!(code(AuthenticationError::IssuerUnavailable), Code::IssuerUnavailable);
        assert_eq!(code(LinkError::TokenInvalid), Code::Invalid);
        assert_eq!(code(LinkError::AccountUnknown), Code::AccountUnknown);
        assert_eq!(code(LinkError::IdentityTaken), Code::IdentityTaken);
        assert_eq!(code(LinkError::IssuerUnavailable), Code::IssuerUnavailable);
        assert_eq!(code(LinkError::KeyReused(KeyReused)), Code::KeyReused);
        assert_eq!(code(UnlinkError::NotFound), Code::NotFound);
        assert_eq!(code(UnlinkError::LastCredential), Code::LastCredential);
        assert_eq!(code(SignUpError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(SignUpError::Closed), Code::SignUpClosed);
        assert_eq!(code(SignUpError::InvitationInvalid), Code::InvitationInvalid);
        assert_eq!(code(SignUpError::UsernameTaken), Code::UsernameTaken);
        assert_eq!(code(SignUpError::EmailTaken), Code::EmailTaken);
        assert_eq!(code(LogInError::InvalidCredentials), Code::InvalidCredentials);
        let throttled = || Throttled(std::time::Duration::from_millis(1_500));
        assert_eq!(code(LogInError::Throttled(throttled())), Code::LoginThrottled);
        assert_eq!(code(RefreshError::Invalid), Code::RefreshInvalid);
        assert_eq!(code(RefreshError::Reused), Code::RefreshReused);
        let no_login = LogOutError::InteractiveLoginRequired;
        assert_eq!(code(no_login), Code::InteractiveLoginRequired);
        assert_eq!(code(ChangeAccountError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(ChangeAccountError::Stale), Code::Stale);
        let wrong = ChangeAccountError::CurrentPasswordWrong;
        assert_eq!(code(wrong), Code::CurrentPasswordWrong);
        assert_eq!(code(ChangeAccountError::Throttled(throttled())), Code::LoginThrottled);
        assert_eq!(code(ChangeAccountError::UsernameTaken), Code::UsernameTaken);
        assert_eq!(code(ChangeAccountError::EmailTaken), Code::EmailTaken);
        assert_eq!(code(ChangePasswordError::Invalid(invalid())), Code::Invalid);
        let wrong = ChangePasswordError::CurrentPasswordWrong;
        assert_eq!(code(wrong), Code::CurrentPasswordWrong);
        assert_eq!(code(ChangePasswordError::Throttled(throttled())), Code::LoginThrottled);
        assert_eq!(code(CreateSessionError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(CreateSessionError::IdTaken), Code::IdTaken);
        assert_eq!(code(CreateSessionError::KeyReused(KeyReused)), Code::KeyReused);
        assert_eq!(code(ListError::BadCursor(BadCursor)), Code::BadCursor);
        assert_eq!(code(AuditError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(AuditError::BadCursor(BadCursor)), Code::BadCursor);
        assert_eq!(code(SearchError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(SearchError::BadCursor(BadCursor)), Code::BadCursor);
        assert_eq!(code(NotFoundError::NotFound), Code::NotFound);
        assert_eq!(code(ChangeSessionError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(ChangeSessionError::NotFound), Code::NotFound);
        assert_eq!(code(ChangeSessionError::Stale), Code::Stale);
        assert_eq!(code(ResolveSessionError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(RenameTagError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(RenameTagError::NotFound), Code::NotFound);
        assert_eq!(code(CreatePromptError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(CreatePromptError::IdTaken), Code::IdTaken);
        assert_eq!(code(CreatePromptError::LimitReached), Code::LimitReached);
        assert_eq!(code(CreatePromptError::KeyReused(KeyReused)), Code::KeyReused);
        assert_eq!(code(ChangePromptError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(ChangePromptError::NotFound), Code::NotFound);
        assert_eq!(code(ChangePromptError::Stale), Code::Stale);
        assert_eq!(code(RestorePromptError::NotFound), Code::NotFound);
        assert_eq!(code(RestorePromptError::LimitReached), Code::LimitReached);
        assert_eq!(code(ChangeSummaryError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(ChangeSummaryError::NotFound), Code::NotFound);
        assert_eq!(code(ChangeSummaryError::Stale), Code::Stale);
        assert_eq!(code(ChangeSummaryError::Older), Code::OlderSummary);
        assert_eq!(code(AppendError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(AppendError::NotFound), Code::NotFound);
        assert_eq!(code(AppendError::IdTaken), Code::IdTaken);
        assert_eq!(code(AppendError::KeyReused(KeyReused)), Code::KeyReused);
        assert_eq!(code(EditMessageError::Invalid(invalid())), Code::Invalid);
        assert_eq!(code(EditMessageError::NotFound), Code::NotFound);
        assert_eq!(code(EditMessageError::Stale), Code::Stale);
        assert_eq!(code(EditMessageError::IdTaken), Code::IdTaken);
        assert_eq!(code(EditMessageError::NotPartial), Code::MessageNotPartial);
        let lengths = Lengths { text: 3, reasoning: 0 };
        assert_eq!(code(EditMessageError::ChunkMismatch(lengths)), Code::ChunkMismatch);
        assert_eq!(code(ListMessagesError::NotFound), Code::NotFound);
        assert_eq!(code(ListMessagesError::BadCursor(BadCursor)), Code::BadCursor);
    }

    #[test]
    fn an_unknown_error_of_the_framework_is_a_bug_even_with_a_client_status() {
        let error = poem::Error::from_status(poem::http::StatusCode::BAD_REQUEST);
        assert_eq!(of_framework(error).code(), Code::Internal);
    }
}
