//! Bodies: JSON in, strictly, with a pointer for whatever is refused; JSON out.

use std::marker::PhantomData;

use larder_domain::Code as ViolationCode;
use poem::error::ReadBodyError;
use poem::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use poem::http::{HeaderMap, StatusCode};
use poem::{Request, RequestBody, Response, ResponseParts};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::problem::{Code, Problem};
use crate::values::{Strict, coded};

const JSON: &str = "application/json";

/// Longest key of the client's making that a pointer shows; what is below a longer one is reported at its parent.
const LONGEST_KEY: usize = 100;

/// What may be sent as a body.
pub(crate) trait Payload: Type + DeserializeOwned + Send {
    /// An example for the document, as JSON.
    const EXAMPLE: &'static str;
    /// The accepted media types, the preferred one first.
    const MEDIA_TYPES: &'static [&'static str] = &[JSON];
    /// Whether a body that doesn't say what it is counts as JSON.
    const MAY_BE_UNTYPED: bool = false;

    /// Whether the field at a pointer is one that answers show and only Larder sets.
    fn is_read_only(_pointer: &str) -> bool {
        false
    }
}

/// The most bytes of a body, for [`Body`] to find with the request.
#[derive(Clone, Copy)]
pub(crate) struct BodyLimit(pub(crate) usize);

/// A body that was read: of the right media type and size, well-formed, and of the right shape.
pub(crate) struct Body<T>(pub(crate) T);

impl<'a, T: Payload> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
        if let Some(schema) = registry.schemas.get_mut(T::name().as_ref()) {
            schema.example = serde_json::from_str(T::EXAMPLE).ok();
        }
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = T::MEDIA_TYPES.iter().map(|content_type| MetaMediaType {
            content_type,
            schema: T::schema_ref(),
        });
        Some(MetaRequest {
            description: None,
            content: content.collect(),
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        read(request, body).await.map_err(Into::into)
    }
}

/// A body that need not be sent: without one, every field is as if it was absent.
pub(crate) struct MaybeBody<T>(pub(crate) T);

impl<'a, T: Payload + Default> ApiExtractor<'a> for MaybeBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Body::<T>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let meta = Body::<T>::request_meta()?;
        Some(MetaRequest {
            required: false,
            ..meta
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let headers = request.headers();
        let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
        if is_empty && !headers.contains_key(CONTENT_TYPE) && !headers.contains_key(TRANSFER_ENCODING) {
            return Ok(Self(T::default()));
        }
        let Body(body) = read(request, body).await?;
        Ok(Self(body))
    }
}

/// Reads the body of a request.
pub(crate) async fn read<T: Payload>(request: &Request, body: &mut RequestBody) -> Result<Body<T>, Problem> {
    parse(&text::<T>(request, body).await?).map(Body)
}

/// The text of the body of a request, of an accepted media type and within the limit.
pub(crate) async fn text<T: Payload>(request: &Request, body: &mut RequestBody) -> Result<String, Problem> {
    let media_type = request.content_type().and_then(|value| value.split(';').next());
    let is_accepted = match media_type {
        Some(sent) => T::MEDIA_TYPES
            .iter()
            .any(|known| sent.trim().eq_ignore_ascii_case(known)),
        None => T::MAY_BE_UNTYPED,
    };
    if !is_accepted {
        return Err(Problem::new(Code::UnsupportedMediaType));
    }
    let BodyLimit(limit) = *request
        .data::<BodyLimit>()
        .ok_or_else(|| Problem::internal("the limit of bodies is not set"))?;
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(Problem::new(Code::BodyTooLarge));
    }
    let body = body.take().map_err(|error| Problem::internal(Box::new(error)))?;
    let bytes = body.into_bytes_limit(limit).await.map_err(|error| match error {
        ReadBodyError::PayloadTooLarge => Problem::new(Code::BodyTooLarge),
        // The client stopped sending, or its chunks are broken.
        ReadBodyError::Io(_) => Problem::new(Code::MalformedBody),
        error => Problem::internal(Box::new(error)),
    })?;
    String::from_utf8(bytes.into()).map_err(|_| Problem::new(Code::MalformedJson))
}

/// Reads a JSON text strictly. The way to a refused value is only looked for when there is one.
pub(crate) fn parse<T: Payload>(text: &str) -> Result<T, Problem> {
    if has_lone_surrogate(text) {
        return Err(Problem::new(Code::MalformedJson));
    }
    match serde_json::from_str::<Strict<T>>(text) {
        Ok(Strict(value)) => Ok(value),
        Err(error) => Err(explain::<T>(text, error)),
    }
}

/// Whether a `\u` escape is half of a surrogate pair. The parser itself overlooks these within free JSON.
fn has_lone_surrogate(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let escape = rest.get(at + 1..).unwrap_or_default();
        match code_unit(escape) {
            Some(0xD800..=0xDBFF) => {
                let next = escape
                    .get(5..)
                    .and_then(|after| after.strip_prefix('\\'))
                    .and_then(code_unit);
                if !matches!(next, Some(0xDC00..=0xDFFF)) {
                    return true;
                }
                rest = escape.get(11..).unwrap_or_default();
            }
            Some(0xDC00..=0xDFFF) => return true,
            _ => {
                let mut after = escape.chars();
                after.next();
                rest = after.as_str();
            }
        }
    }
    false
}

/// The code unit of `uXXXX` at the start of a text.
fn code_unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok()
}

fn explain<T: Payload>(text: &str, error: serde_json::Error) -> Problem {
    // A value may be of a wrong type long before the text turns out to be no JSON.
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Problem::new(Code::MalformedJson);
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, Strict<T>>(&mut deserializer) {
        Err(traced) => {
            let pointer = pointer_to(traced.path());
            refusal::<T>(pointer, traced.inner())
        }
        // What follows the value is wrong.
        Ok(_) => refusal::<T>(String::new(), &error),
    }
}

/// What an error of serde means. Its text tells the kind by its beginning, and after the last `, expected ` what the schema wants;
/// between the two it may repeat what was sent, so nothing else of it is used.
fn refusal<T: Payload>(pointer: String, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    if text.starts_with("number out of range") {
        return Problem::violation(
            pointer,
            ViolationCode::OutOfRange,
            "is beyond every number that can be kept",
        );
    }
    if error.classify() != Category::Data {
        return Problem::new(Code::MalformedJson);
    }
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let expected = text
        .rsplit_once(", expected ")
        .map_or("another value", |(_, expected)| expected);
    if let Some((code, message)) = coded(text) {
        Problem::violation(pointer, code, message)
    } else if text.starts_with("unknown field ") {
        if T::is_read_only(&pointer) {
            Problem::violation(pointer, ViolationCode::ReadOnly, "is set by the service alone")
        } else {
            Problem::violation(pointer, ViolationCode::UnknownField, "is no field of this resource")
        }
    } else if let Some(field) = text.strip_prefix("missing field ") {
        let pointer = format!("{pointer}/{}", field.trim_matches('`'));
        Problem::violation(pointer, ViolationCode::Required, "is required")
    } else if text.starts_with("duplicate field ") {
        Problem::new(Code::MalformedJson)
    } else if text.starts_with("invalid type: ") {
        let code = match text.starts_with("invalid type: null") {
            true => ViolationCode::Required,
            false => ViolationCode::WrongType,
        };
        Problem::violation(pointer, code, format!("must be {}", in_words(expected)))
    } else if text.starts_with("invalid value: integer ") {
        Problem::violation(
            pointer,
            ViolationCode::OutOfRange,
            format!("must be {}", in_words(expected)),
        )
    } else if text.starts_with("UUID parsing failed") {
        Problem::violation(pointer, ViolationCode::BadFormat, "must be a UUID")
    } else {
        Problem::violation(
            pointer,
            ViolationCode::BadFormat,
            "is not of the form that this field has",
        )
    }
}

fn in_words(expected: &str) -> &str {
    match expected {
        "i64" => "a whole number of at most 64 bits",
        "a sequence" => "an array",
        "a formatted UUID string" => "a string",
        other => other,
    }
}

/// The JSON pointer (RFC 6901) of a path.
fn pointer_to(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } if key.chars().count() <= LONGEST_KEY => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    pointer
}

/// A value as JSON text. Made before the response is built, so that a failure can still become a problem.
pub(crate) struct Json<T> {
    text: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + Type> Json<T> {
    /// Writes a value.
    pub(crate) fn of(value: &T) -> Result<Self, Problem> {
        match serde_json::to_vec(value) {
            Ok(text) => Ok(Self { text, of: PhantomData }),
            Err(error) => Err(Problem::internal(error)),
        }
    }

    /// The media type in the document.
    pub(crate) fn media_types() -> Vec<MetaMediaType> {
        vec![MetaMediaType {
            content_type: JSON,
            schema: Self::schema_ref(),
        }]
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }
}

impl<T> Json<T> {
    /// A text that was written by [`Json::of`] before.
    pub(crate) fn kept(text: String) -> Self {
        let text = text.into_bytes();
        Self { text, of: PhantomData }
    }

    /// The text, to be kept.
    pub(crate) fn into_text(self) -> String {
        String::from_utf8(self.text).unwrap_or_default()
    }

    /// A response with this body. `Content-Length` is set here, so that HEAD tells it too and the log knows it.
    pub(crate) fn into_response(self, status: StatusCode) -> Response {
        let mut headers = HeaderMap::with_capacity(10);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(self.text.len()));
        let parts = ResponseParts {
            status,
            version: Default::default(),
            headers,
            extensions: Default::default(),
        };
        Response::from_parts(parts, self.text.into())
    }
}
