//! Envelope A: how operations answer when all went well (`CO-02`).

use larder_ports::inbound::Done;
use larder_ports::outbound::StoredAnswer;
use poem::http::StatusCode;
use poem::http::header::{HeaderName, HeaderValue};
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ParseFromJSON, ToJSON, Type};
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

use super::values::Field;
use crate::body::Json;
use crate::problem::{Problem, header_of};

/// What is said beside the data; a part that doesn't apply is left out (`CO-03`).
#[derive(Object, Serialize, Clone, PartialEq, Eq, Debug, Default)]
#[oai(rename = "CompatMeta")]
pub(super) struct Meta {
    /// What to send as `cursor` for the next page.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub(super) next_cursor: Field<String>,
    /// True when some messages, of which there are too many, were left out.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub(super) truncated: Field<bool>,
    /// What was made where a change was asked for.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub(super) inserted: Field<Vec<String>>,
    /// What was sent and not stored.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub(super) ignored_fields: Field<Vec<String>>,
}

/// The keys stand in this order.
#[derive(Object, Serialize)]
#[oai(rename = "Compat")]
struct Envelope<T: Type + Send + Sync + ParseFromJSON + ToJSON> {
    /// The HTTP status, 200.
    code: u16,
    /// True.
    success: bool,
    /// What was done.
    message: String,
    /// What was asked for.
    data: T,
    /// Null unless there is something to say.
    meta: Field<Meta>,
}

/// 200 in envelope A.
pub(crate) struct Success<T: Type + Send + Sync + ParseFromJSON + ToJSON> {
    body: Json<Envelope<T>>,
    is_replayed: bool,
}

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

impl<T: Type + Send + Sync + ParseFromJSON + ToJSON + Serialize> Success<T> {
    /// With nothing to say beside the data.
    pub(super) fn new(message: &str, data: T) -> Result<Self, Problem> {
        Self::with(message, data, Meta::default())
    }

    /// With what is to be said beside the data.
    pub(super) fn with(message: &str, data: T, meta: Meta) -> Result<Self, Problem> {
        let envelope = Envelope {
            code: StatusCode::OK.as_u16(),
            success: true,
            message: message.to_owned(),
            data,
            meta: match meta == Meta::default() {
                true => Field::Null,
                false => Field::Value(meta),
            },
        };
        Ok(Self {
            body: Json::of(&envelope)?,
            is_replayed: false,
        })
    }

    /// The answer as it is kept for a repeated request.
    pub(super) fn keep(self) -> StoredAnswer {
        StoredAnswer {
            status: i64::from(StatusCode::OK.as_u16()),
            location: None,
            etag: None,
            body: self.body.into_text(),
        }
    }

    /// The answer to a repeatable request: the one of now, or the one that was kept.
    pub(super) fn once<R>(done: Done<R>, show: impl Fn(&R) -> Result<Self, Problem>) -> Result<Self, Problem> {
        match done {
            Done::Now(made) => show(&made),
            Done::Before(answer) => Ok(Self {
                body: Json::kept(answer.body),
                is_replayed: true,
            }),
        }
    }
}

impl<T: Type + Send + Sync + ParseFromJSON + ToJSON> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response(StatusCode::OK);
        if self.is_replayed {
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

impl<T: Type + Send + Sync + ParseFromJSON + ToJSON + Serialize> ApiResponse for Success<T> {
    fn meta() -> MetaResponses {
        let response = MetaResponse {
            description: "Done.",
            status: Some(StatusCode::OK.as_u16()),
            status_range: None,
            content: Json::<Envelope<T>>::media_types(),
            headers: vec![header_of(
                REPLAYED.as_str(),
                "`true` when an earlier request with the same `Idempotency-Key` was answered this.",
                false,
            )],
        };
        MetaResponses {
            responses: vec![response],
        }
    }

    fn register(registry: &mut Registry) {
        <Envelope<T> as Type>::register(registry);
    }
}
