//! How operations answer when something went wrong: the problems of the native surface in the old form and the old words.

use poem::Response;
use poem::error::ResponseError;
use poem::http::StatusCode;
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

use super::values::Field;
use super::words::{NONE, Words};
use crate::failure::of_framework;
use crate::problem::{Code, Problem, declared};

/// In which form a failure is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// Envelope A (`CO-02`).
    Envelope,
    /// Envelope L (`CO-51`).
    Legacy,
}

/// Why a request was not served, and how the surface calls that.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct Refused {
    pub(crate) problem: Problem,
    words: &'static Words,
    message: Option<&'static str>,
    status: Option<StatusCode>,
}

impl Refused {
    /// A problem about something that these words are for.
    pub(super) fn new(problem: Problem, words: &'static Words) -> Self {
        Self {
            problem,
            words,
            message: None,
            status: None,
        }
    }

    /// The same with a message of its own.
    #[expect(dead_code, reason = "operations to come say it")]
    pub(super) fn saying(self, message: &'static str) -> Self {
        Self {
            message: Some(message),
            ..self
        }
    }

    /// The same as a conflict, where the problem of the native surface is another one.
    pub(super) fn into_conflict(self) -> Self {
        Self {
            status: Some(StatusCode::CONFLICT),
            ..self
        }
    }

    /// What is behind an error that came through the framework.
    pub(crate) fn of(error: poem::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(refused) => refused,
            Err(error) => of_framework(error).into(),
        }
    }

    /// What the surface says (`CO-09`).
    fn message(&self, errors: &[ErrorBody], field: Option<&str>) -> String {
        if let Some(message) = self.message {
            return message.to_owned();
        }
        let fixed = match self.problem.code() {
            Code::TokenMissing => "Missing authentication token",
            Code::TokenExpired => "Authentication token has expired",
            Code::TokenInvalid => "Invalid authentication token",
            Code::InvalidCredentials => "Invalid username or password",
            Code::NotFound => self.words.missing,
            code => match code.status() {
                StatusCode::INTERNAL_SERVER_ERROR => "Internal server error",
                StatusCode::SERVICE_UNAVAILABLE => "Service temporarily unavailable",
                _ => match (self.problem.violations().first(), field) {
                    (Some(first), Some(field)) if !errors.is_empty() => return format!("{field} {}", first.message),
                    _ => code.title(),
                },
            },
        };
        fixed.to_owned()
    }

    /// The answer to the request with this id.
    pub(super) fn into_response(mut self, form: Form) -> Response {
        let words = self.words;
        self.problem = self.problem.pointing(|pointer| words.pointer(pointer));
        let code = self.problem.code();
        let status = match (form, self.status.unwrap_or(code.status())) {
            // The dispatcher knows no 422.
            (Form::Legacy, StatusCode::UNPROCESSABLE_ENTITY) => StatusCode::BAD_REQUEST,
            (_, status) => status,
        };
        let errors: Vec<ErrorBody> = match code {
            Code::KeyReused => vec![ErrorBody {
                pointer: format!("/header/{}", crate::idempotency::HEADER),
                code: code.as_str().to_owned(),
            }],
            _ => self.problem.violations().iter().map(ErrorBody::of).collect(),
        };
        let field = errors.first().map(|first| field_of(&first.pointer));
        let message = self.message(&errors, field.as_deref());
        let data = match code {
            Code::TokenMissing | Code::TokenExpired | Code::TokenInvalid => Field::Value(FailureData {
                reason: Field::Value(code.as_str().to_owned()),
                ..FailureData::default()
            }),
            _ if status == StatusCode::UNPROCESSABLE_ENTITY => Field::Value(FailureData {
                reason: Field::Absent,
                field: field.map_or(Field::Null, Field::Value),
                errors: Field::Value(errors),
            }),
            _ => Field::Null,
        };
        let code = status.as_u16();
        // Strings and numbers always serialise.
        let body = match form {
            Form::Envelope => serde_json::to_vec(&FailureBody {
                code,
                success: false,
                message,
                data,
                meta: Field::Null,
            }),
            Form::Legacy => serde_json::to_vec(&LegacyFailure {
                success: false,
                code,
                message: LegacyMessage {
                    status: "fail",
                    result: message,
                },
            }),
        };
        self.problem
            .respond(status, "application/json", body.unwrap_or_default())
    }
}

/// The field that a pointer is about: its steps with dots between them, without the place outside of a body.
fn field_of(pointer: &str) -> String {
    let steps = pointer.strip_prefix("/query/").or(pointer.strip_prefix("/header/"));
    let steps = steps.or(pointer.strip_prefix('/')).unwrap_or("body");
    steps.replace('/', ".")
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::new(problem, &NONE)
    }
}

/// Carries a refusal through poem to the layer that renders it.
impl ResponseError for Refused {
    fn status(&self) -> StatusCode {
        self.status.unwrap_or(self.problem.status())
    }
}

/// One refused value.
#[derive(Object, Serialize, Clone)]
#[oai(rename = "CompatError")]
struct ErrorBody {
    /// A JSON pointer into the body, or `/query/` and the name of a query parameter.
    pointer: String,
    /// Why: `required`, `wrong_type`, `unknown_field`, `too_long`, ..., or the code of the problem.
    code: String,
}

impl ErrorBody {
    fn of(violation: &larder_domain::Violation) -> Self {
        Self {
            pointer: violation.pointer.clone(),
            code: violation.code.as_str().to_owned(),
        }
    }
}

/// What is said beside the message of a failure.
#[derive(Object, Serialize, Default)]
#[oai(rename = "CompatFailureData")]
struct FailureData {
    /// Only with 401: why the token does not count.
    #[serde(skip_serializing_if = "Field::is_absent")]
    reason: Field<String>,
    /// Only with 422: the first refused field.
    #[serde(skip_serializing_if = "Field::is_absent")]
    field: Field<String>,
    /// Only with 422: every refused value.
    #[serde(skip_serializing_if = "Field::is_absent")]
    errors: Field<Vec<ErrorBody>>,
}

/// Why a request was not served, in envelope A. The keys stand in this order.
#[derive(Object, Serialize)]
#[oai(rename = "CompatFailure")]
struct FailureBody {
    /// The HTTP status.
    code: u16,
    /// False.
    success: bool,
    /// What went wrong.
    message: String,
    /// Null but for 401 and 422.
    data: Field<FailureData>,
    /// Null.
    meta: Field<String>,
}

#[derive(Serialize)]
struct LegacyFailure {
    success: bool,
    code: u16,
    message: LegacyMessage,
}

#[derive(Serialize)]
struct LegacyMessage {
    status: &'static str,
    result: String,
}

/// A refusal, and which statuses the operation declares for it, as in the native surface.
#[derive(Debug)]
pub(crate) struct Refusal<const ALSO: u16>(Refused);

impl<const ALSO: u16, E: Into<Refused>> From<E> for Refusal<ALSO> {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl<const ALSO: u16> From<Refusal<ALSO>> for poem::Error {
    fn from(refusal: Refusal<ALSO>) -> Self {
        refusal.0.into()
    }
}

impl<const ALSO: u16> ApiResponse for Refusal<ALSO> {
    fn meta() -> MetaResponses {
        declared(ALSO, "application/json", FailureBody::schema_ref)
    }

    fn register(registry: &mut Registry) {
        FailureBody::register(registry);
    }
}

/// What an operation answers.
pub(super) type Answer<T, const ALSO: u16 = 0> = Result<super::envelope::Success<T>, Refusal<ALSO>>;
