//! Problem documents (RFC 9457): the closed list of codes, and what is said with each.

use std::mem;
use std::time::Duration;

use larder_domain::chat::Lengths;
use larder_domain::identity::Scope;
use larder_domain::{Code as ViolationCode, Invalid, Violation};
use larder_ports::outbound::BoxError;
use poem::error::ResponseError;
use poem::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use poem::http::{HeaderMap, StatusCode};
use poem::{Response, ResponseParts};
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

use crate::values::{Word, vocabulary};

/// Declares the list: variant, word, status, title and what a person may do about it.
macro_rules! codes {
    ($($variant:ident $word:literal $status:ident $title:literal $detail:literal)+) => {
        /// Every code that a problem document can have. A word never changes its meaning, and no other word is ever sent.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Code {
            $(#[doc = $detail] $variant),+
        }

        impl Code {
            /// The list, by status.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As the wire shows it.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The status that always goes with it.
            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// The code in words.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }

            fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail),+ }
            }
        }
    };
}

codes! {
    MalformedJson "malformed_json" BAD_REQUEST "Malformed JSON" "The body is not one well-formed JSON text in UTF-8 whose objects have each key once."
    MalformedBody "malformed_body" BAD_REQUEST "Malformed body" "The body could not be read to its end."
    MalformedId "malformed_id" BAD_REQUEST "Malformed id" "An id in the path is not a UUID."
    MalformedHeader "malformed_header" BAD_REQUEST "Malformed header" "If-Match takes * or one entity tag in double quotes."
    BadCursor "bad_cursor" BAD_REQUEST "Bad cursor" "The cursor does not belong to this list with this filter and order."
    TokenMissing "token_missing" UNAUTHORIZED "Token missing" "Send the header Authorization: Bearer <token>."
    TokenExpired "token_expired" UNAUTHORIZED "Token expired" "The access token has expired. Log in again."
    TokenInvalid "token_invalid" UNAUTHORIZED "Token invalid" "The access token is not one of this service, or its login has ended."
    InvalidCredentials "invalid_credentials" UNAUTHORIZED "Invalid credentials" "The login or the password is wrong."
    RefreshInvalid "refresh_invalid" UNAUTHORIZED "Refresh token invalid" "The refresh token is none of this service, or it has expired, or its login has ended. Log in again."
    RefreshReused "refresh_reused" UNAUTHORIZED "Refresh token reused" "The refresh token was used before, so two parties may have it. Its login has ended; log in again."
    SignUpClosed "sign_up_closed" FORBIDDEN "Sign-up closed" "Accounts are made by an administrator here."
    InvitationInvalid "invitation_invalid" FORBIDDEN "Invitation invalid" "Sign-up needs an invitation that is unused, in time, and meant for this address."
    IdentityLinkRequired "identity_link_required" FORBIDDEN "Identity link required" "An account has the email of this token. Log in to it and link the identity there."
    AccountUnknown "account_unknown" FORBIDDEN "Account unknown" "The token is good, and its subject has no account here."
    InteractiveLoginRequired "interactive_login_required" FORBIDDEN "Interactive login required" "Only somebody who logged in with a password may do this."
    CurrentPasswordWrong "current_password_wrong" FORBIDDEN "Current password wrong" "The current password is needed, and missing or wrong."
    InsufficientScope "insufficient_scope" FORBIDDEN "Insufficient scope" "The API token lacks the scope that WWW-Authenticate names."
    RoleRequired "role_required" FORBIDDEN "Role required" "Only an administrator may do this."
    NotFound "not_found" NOT_FOUND "Not found" "There is no such resource."
    RouteNotFound "route_not_found" NOT_FOUND "Route not found" "Nothing is served at this path. See /docs."
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "Method not allowed" "This path has other methods; the header Allow names them."
    IdTaken "id_taken" CONFLICT "Id taken" "You have a resource with this id already, perhaps in the trash."
    UsernameTaken "username_taken" CONFLICT "Username taken" "Another account has this username."
    EmailTaken "email_taken" CONFLICT "Email taken" "Another account has this email."
    NameTaken "name_taken" CONFLICT "Name taken" "Another one of yours has this name."
    LastAdmin "last_admin" CONFLICT "Last administrator" "Nobody would be left who may administer."
    IdentityTaken "identity_taken" CONFLICT "Identity taken" "The external identity is linked to an account already."
    LastCredential "last_credential" CONFLICT "Last credential" "Without this identity nobody could log in to the account any more."
    MessageNotPartial "message_not_partial" CONFLICT "Message not partial" "The message has ended, and there is no way back."
    ChunkMismatch "chunk_mismatch" CONFLICT "Chunk mismatch" "The chunk leaves a gap or contradicts what is stored; length and reasoning_length say how far that goes."
    LimitReached "limit_reached" CONFLICT "Limit reached" "You have as many of these as you can have. Remove some first."
    OlderSummary "older_summary" CONFLICT "Older summary" "The stored summary covers more of the session than this one."
    Stale "stale" PRECONDITION_FAILED "Stale" "The resource is not the version that If-Match names. Read it again."
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "Body too large" "The body is larger than this service takes."
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "Unsupported media type" "Send JSON with the header Content-Type: application/json."
    KeyReused "key_reused" UNPROCESSABLE_ENTITY "Key reused" "You have used this Idempotency-Key for another request."
    Invalid "invalid" UNPROCESSABLE_ENTITY "Invalid" "A value breaks a rule; see errors."
    EmptyMessage "empty_message" UNPROCESSABLE_ENTITY "Empty message" "A complete message needs content; see errors."
    EmptyQuery "empty_query" UNPROCESSABLE_ENTITY "Empty query" "A search needs at least one letter or number; see errors."
    BadUrl "bad_url" UNPROCESSABLE_ENTITY "Bad URL" "A URL is too long, holds a control character, or has a scheme that is refused; see errors."
    ImmutableField "immutable_field" UNPROCESSABLE_ENTITY "Immutable field" "A field never changes once it is stored; see errors."
    ReadOnly "read_only" UNPROCESSABLE_ENTITY "Read-only field" "A field is set by the service alone; see errors."
    TaskWithoutStatus "task_without_status" UNPROCESSABLE_ENTITY "Task without status" "Priority and description need a task status; see errors."
    PasswordTooShort "password_too_short" UNPROCESSABLE_ENTITY "Password too short" "The password has too few characters; see errors."
    PasswordTooLong "password_too_long" UNPROCESSABLE_ENTITY "Password too long" "The password has too many bytes; see errors."
    PasswordWeak "password_weak" UNPROCESSABLE_ENTITY "Password weak" "The password is too easily guessed; see errors."
    PasswordUnchanged "password_unchanged" UNPROCESSABLE_ENTITY "Password unchanged" "The new password is the one that the account has; see errors."
    PreconditionRequired "precondition_required" PRECONDITION_REQUIRED "Precondition required" "Send the header If-Match with the tag of the version that you read, or *."
    LoginThrottled "login_throttled" TOO_MANY_REQUESTS "Too many attempts" "Wait for the seconds of Retry-After before the next attempt."
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Too many requests" "Wait for the seconds of Retry-After before the next request."
    Internal "internal" INTERNAL_SERVER_ERROR "Internal error" "This is a bug. The log has its cause under the request id."
    DatabaseUnavailable "database_unavailable" SERVICE_UNAVAILABLE "Database unavailable" "Nothing was written. Send the same request again later."
    PoolExhausted "pool_exhausted" SERVICE_UNAVAILABLE "Too busy" "Nothing was written. Send the same request again later."
    IssuerUnavailable "issuer_unavailable" SERVICE_UNAVAILABLE "Issuer unavailable" "The keys of the token's issuer can't be had at the moment. Send the same request again later."
    Contended "contended" SERVICE_UNAVAILABLE "Contended" "Other requests were in the way time and again. Nothing was written; send the same request again."
    OutcomeUnknown "outcome_unknown" SERVICE_UNAVAILABLE "Outcome unknown" "The connection to the database broke during the commit: all of it was written or nothing. Look before you repeat it, or repeat it under ids of your own."
    DeadlineExceeded "deadline_exceeded" GATEWAY_TIMEOUT "Deadline exceeded" "The request took longer than allowed."
}

vocabulary! {
    Code, "ProblemCode", "The closed list of problem codes.";
}

impl From<ViolationCode> for Code {
    fn from(code: ViolationCode) -> Self {
        match code {
            ViolationCode::EmptyMessage => Self::EmptyMessage,
            ViolationCode::EmptyQuery => Self::EmptyQuery,
            ViolationCode::BadUrl => Self::BadUrl,
            ViolationCode::ImmutableField => Self::ImmutableField,
            ViolationCode::ReadOnly => Self::ReadOnly,
            ViolationCode::TaskWithoutStatus => Self::TaskWithoutStatus,
            ViolationCode::PasswordTooShort => Self::PasswordTooShort,
            ViolationCode::PasswordTooLong => Self::PasswordTooLong,
            ViolationCode::PasswordWeak => Self::PasswordWeak,
            ViolationCode::PasswordUnchanged => Self::PasswordUnchanged,
            ViolationCode::Required
            | ViolationCode::TooShort
            | ViolationCode::TooLong
            | ViolationCode::TooMany
            | ViolationCode::OutOfRange
            | ViolationCode::BadFormat
            | ViolationCode::WrongType
            | ViolationCode::Nul
            | ViolationCode::UnknownField
            | ViolationCode::Duplicate
            | ViolationCode::TooDeep => Self::Invalid,
        }
    }
}

/// Why a request was not served.
#[derive(Debug, thiserror::Error)]
#[error("{}", code.as_str())]
pub(crate) struct Problem {
    code: Code,
    violations: Vec<Violation>,
    retry_after: Option<u32>,
    source: Option<BoxError>,
    allow: Option<HeaderValue>,
    lengths: Option<Lengths>,
    scope: Option<Scope>,
}

impl Problem {
    /// A problem that its code says all about.
    pub(crate) fn new(code: Code) -> Self {
        Self {
            code,
            violations: Vec::new(),
            retry_after: None,
            source: None,
            allow: None,
            scope: None,
            lengths: None,
        }
    }

    /// A bug. The source goes to the log, never to the client.
    pub(crate) fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(Code::Internal).caused_by(source.into())
    }

    /// One refused value.
    pub(crate) fn violation(pointer: impl Into<String>, code: ViolationCode, message: impl Into<String>) -> Self {
        Invalid::one(pointer, code, message).into()
    }

    /// The same request may be sent again after so many seconds.
    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// The same for a span, which is rounded up.
    pub(crate) fn retry_after_span(self, span: Duration) -> Self {
        let seconds = span.as_millis().div_ceil(1_000).max(1);
        self.retry_after(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    /// What the log is to show.
    pub(crate) fn caused_by(self, source: BoxError) -> Self {
        Self {
            source: Some(source),
            ..self
        }
    }

    /// How far a partial message goes (`CH-80`).
    pub(crate) fn with_lengths(self, lengths: Lengths) -> Self {
        Self {
            lengths: Some(lengths),
            ..self
        }
    }

    /// The methods that the path has.
    pub(crate) fn allowing(self, methods: HeaderValue) -> Self {
        Self {
            allow: Some(methods),
            ..self
        }
    }

    /// The scope that the caller lacks.
    pub(crate) fn demanding(self, scope: Scope) -> Self {
        Self {
            scope: Some(scope),
            ..self
        }
    }

    /// What a program looks at.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// Every refused value.
    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The same problem, with every pointer into what was sent changed.
    pub(crate) fn pointing(mut self, rename: impl Fn(&str) -> String) -> Self {
        for violation in &mut self.violations {
            violation.pointer = rename(&violation.pointer);
        }
        self
    }

    /// The answer to the request with this path and id. Logs the source, if there is one: this is called once per problem.
    pub(crate) fn into_response(mut self, path: &str, request_id: &str) -> Response {
        let status = self.code.status();
        let document = ProblemDocument {
            r#type: format!("urn:larder:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: status.as_u16(),
            detail: self.code.detail().to_owned(),
            instance: path.to_owned(),
            code: Word(self.code),
            request_id: request_id.to_owned(),
            errors: mem::take(&mut self.violations)
                .into_iter()
                .map(FieldError::from)
                .collect(),
            length: self.lengths.map(|lengths| lengths.text),
            reasoning_length: self.lengths.map(|lengths| lengths.reasoning),
        };
        // Strings and a number always serialise.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        self.respond(status, PROBLEM_JSON, body)
    }

    /// The answer with a body of any form, and the headers that go with the problem. Logs the source, if there is one.
    pub(crate) fn respond(self, status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
        self.log();
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(scope) = self.scope {
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", scope.as_str());
            headers.extend(HeaderValue::try_from(challenge).map(|challenge| (WWW_AUTHENTICATE, challenge)));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, methods);
        }
        let parts = ResponseParts {
            status,
            version: Default::default(),
            headers,
            extensions: Default::default(),
        };
        Response::from_parts(parts, body.into())
    }

    fn log(&self) {
        let Some(source) = &self.source else { return };
        let code = self.code.as_str();
        let mut chain = source.to_string();
        let mut next = source.source();
        while let Some(cause) = next {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            next = cause.source();
        }
        if self.code == Code::Internal {
            tracing::error!(target: "larder::problem", code, cause = chain, "request failed");
        } else {
            tracing::warn!(target: "larder::problem", code, cause = chain, "request failed");
        }
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let violations = invalid.violations().to_vec();
        let code = violations.first().map_or(Code::Invalid, |first| Code::from(first.code));
        Self {
            violations,
            ..Self::new(code)
        }
    }
}

/// Carries a problem through poem to the layer that renders it.
impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.code.status()
    }
}

const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not served, as RFC 9457 has it.
#[derive(Object, Serialize)]
#[oai(rename = "Problem")]
struct ProblemDocument {
    /// `urn:larder:problem:` and the code.
    r#type: String,
    /// The code in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What may be done about it.
    detail: String,
    /// The path of the request.
    instance: String,
    /// What a program should look at.
    code: Word<Code>,
    /// The header `X-Request-Id` of the answer, under which the log knows the request.
    request_id: String,
    /// Only with 422: every refused value.
    #[oai(skip_serializing_if_is_empty, default)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Only with `chunk_mismatch`: how many characters of the text are stored.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<i64>,
    /// Only with `chunk_mismatch`: how many characters of the reasoning are stored.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_length: Option<i64>,
}

/// One refused value.
#[derive(Object, Serialize)]
#[oai(rename = "FieldError")]
struct FieldError {
    /// A JSON pointer into the body, or `/query/` and the name of a query parameter.
    pointer: String,
    /// Why: `required`, `wrong_type`, `unknown_field`, `too_long`, ..., or the code of the problem.
    code: String,
    /// A sentence for a person.
    message: String,
}

impl From<Violation> for FieldError {
    fn from(violation: Violation) -> Self {
        Self {
            pointer: violation.pointer,
            code: violation.code.as_str().to_owned(),
            message: violation.message,
        }
    }
}

/// Beside the general statuses: 404.
pub(crate) const NOT_FOUND: u16 = 1;
/// Beside the general statuses: 409.
pub(crate) const CONFLICT: u16 = 1 << 1;
/// Beside the general statuses: 412.
pub(crate) const PRECONDITION_FAILED: u16 = 1 << 2;
/// Beside the general statuses: 428.
pub(crate) const PRECONDITION_REQUIRED: u16 = 1 << 3;
/// Instead of the general statuses: those of an operation without caller, parameters and body.
pub(crate) const BARE: u16 = 1 << 15;

/// A problem, and which statuses the operation declares for it: the general ones, and `ALSO`.
#[derive(Debug)]
pub(crate) struct Refusal<const ALSO: u16>(Problem);

impl<const ALSO: u16, E: Into<Problem>> From<E> for Refusal<ALSO> {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl<const ALSO: u16> From<Refusal<ALSO>> for poem::Error {
    fn from(refusal: Refusal<ALSO>) -> Self {
        refusal.0.into()
    }
}

/// What an operation answers.
pub(crate) type Answer<T, const ALSO: u16 = 0> = Result<T, Refusal<ALSO>>;

/// Status, meaning in the document, and the bits of `ALSO` with which it is declared; 0 is always.
const DECLARED: &[(StatusCode, &str, u16)] = &[
    (
        StatusCode::BAD_REQUEST,
        "The request is malformed: JSON, an id in the path, a header or a cursor.",
        0,
    ),
    (
        StatusCode::UNAUTHORIZED,
        "The caller is unknown: no token, an expired or invalid one, or wrong credentials.",
        0,
    ),
    (StatusCode::FORBIDDEN, "The caller is known and may not do this.", 0),
    (
        StatusCode::NOT_FOUND,
        "There is no such resource; somebody else's is answered in the same way.",
        NOT_FOUND,
    ),
    (StatusCode::METHOD_NOT_ALLOWED, "The path has other methods.", 0),
    (
        StatusCode::CONFLICT,
        "Something with this id or name exists already.",
        CONFLICT,
    ),
    (
        StatusCode::PRECONDITION_FAILED,
        "The resource is not the version that If-Match names.",
        PRECONDITION_FAILED,
    ),
    (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.", 0),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not sent as JSON.", 0),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        "A value breaks a rule; `errors` names every refused one.",
        0,
    ),
    (
        StatusCode::PRECONDITION_REQUIRED,
        "This operation needs the header If-Match.",
        PRECONDITION_REQUIRED,
    ),
    (StatusCode::TOO_MANY_REQUESTS, "Too many requests.", 0),
    (StatusCode::INTERNAL_SERVER_ERROR, "A bug.", 0),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "The service can't do it at the moment.",
        0,
    ),
    (StatusCode::GATEWAY_TIMEOUT, "The request took longer than allowed.", 0),
];

/// What is declared with [`BARE`]; an answer of the operation's own may have status 503.
const OF_BARE: [StatusCode; 3] = [
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::GATEWAY_TIMEOUT,
];

impl<const ALSO: u16> ApiResponse for Refusal<ALSO> {
    fn meta() -> MetaResponses {
        declared(ALSO, PROBLEM_JSON, ProblemDocument::schema_ref)
    }

    fn register(registry: &mut Registry) {
        ProblemDocument::register(registry);
    }
}

/// The failures of an operation in the document: the general ones and `also`, with a body of this form.
pub(crate) fn declared(also: u16, content_type: &'static str, schema: fn() -> MetaSchemaRef) -> MetaResponses {
    let responses = DECLARED
        .iter()
        .filter(|(status, _, bit)| match also {
            BARE => OF_BARE.contains(status),
            _ => *bit == 0 || also & bit != 0,
        })
        .map(|(status, description, _)| MetaResponse {
            description,
            status: Some(status.as_u16()),
            status_range: None,
            content: vec![MetaMediaType {
                content_type,
                schema: schema(),
            }],
            headers: match *status {
                StatusCode::UNAUTHORIZED => vec![header_of("WWW-Authenticate", "Always `Bearer`.", true)],
                StatusCode::FORBIDDEN => vec![header_of(
                    "WWW-Authenticate",
                    "Only with the code `insufficient_scope`: names the scope that the token lacks.",
                    false,
                )],
                StatusCode::METHOD_NOT_ALLOWED => vec![header_of("Allow", "The methods of the path.", true)],
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    vec![header_of(
                        "Retry-After",
                        "Seconds after which the same request may be sent again.",
                        false,
                    )]
                }
                _ => vec![],
            },
        })
        .collect();
    MetaResponses { responses }
}

/// The description of a header that is a string.
pub(crate) fn header_of(name: &str, description: &str, required: bool) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required,
        deprecated: false,
        schema: String::schema_ref(),
    }
}
