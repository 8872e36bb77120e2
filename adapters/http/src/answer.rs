//! What operations answer when all went well: status, headers, and how both are declared in the document.

use larder_ports::outbound::StoredAnswer;
use poem::http::header::{CACHE_CONTROL, ETAG, HeaderName, HeaderValue, LINK, LOCATION};
use poem::http::{HeaderMap, StatusCode};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use serde::Serialize;

use crate::body::Json;
use crate::etag;
use crate::page::PageBody;
use crate::problem::{Problem, header_of};

fn declared(
    status: StatusCode,
    description: &'static str,
    content: Vec<MetaMediaType>,
    headers: Vec<MetaHeader>,
) -> MetaResponse {
    MetaResponse {
        description,
        status: Some(status.as_u16()),
        status_range: None,
        content,
        headers,
    }
}

fn etag_header() -> MetaHeader {
    header_of(
        "ETag",
        "The version of the resource, for If-Match and If-None-Match.",
        true,
    )
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: String) {
    // Tags, links and locations are made of versions, ids, sealed cursors and URIs that were parsed.
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// 200 with one resource and its tag, or 304 when the client has it already.
pub(crate) struct Found<T> {
    body: Option<Json<T>>,
    tag: String,
}

impl<T: Serialize + Type> Found<T> {
    /// Shows the resource, unless `If-None-Match` names its tag.
    pub(crate) fn new<R: Into<T>>(resource: R, tag: String, if_none_match: Option<&str>) -> Result<Self, Problem> {
        let body = match etag::is_known(if_none_match, &tag) {
            true => None,
            false => Some(Json::of(&resource.into())?),
        };
        Ok(Self { body, tag })
    }
}

impl<T: Send> IntoResponse for Found<T> {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => body.into_response(StatusCode::OK),
            None => StatusCode::NOT_MODIFIED.into(),
        };
        put(response.headers_mut(), ETAG, self.tag);
        response
    }
}

impl<T: Serialize + Type> ApiResponse for Found<T> {
    fn meta() -> MetaResponses {
        let responses = vec![
            declared(
                StatusCode::OK,
                "The resource.",
                Json::<T>::media_types(),
                vec![etag_header()],
            ),
            declared(
                StatusCode::NOT_MODIFIED,
                "The version that If-None-Match names is still the current one.",
                vec![],
                vec![etag_header()],
            ),
        ];
        MetaResponses { responses }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 200 with one resource after a change, and its tag.
pub(crate) struct Changed<T> {
    body: Json<T>,
    tag: String,
}

impl<T: Serialize + Type> Changed<T> {
    /// Shows the resource.
    pub(crate) fn new<R: Into<T>>(resource: R, tag: String) -> Result<Self, Problem> {
        let body = Json::of(&resource.into())?;
        Ok(Self { body, tag })
    }
}

impl<T: Send> IntoResponse for Changed<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response(StatusCode::OK);
        put(response.headers_mut(), ETAG, self.tag);
        response
    }
}

impl<T: Serialize + Type> ApiResponse for Changed<T> {
    fn meta() -> MetaResponses {
        let content = Json::<T>::media_types();
        let response = declared(
            StatusCode::OK,
            "The resource as it is now.",
            content,
            vec![etag_header()],
        );
        MetaResponses {
            responses: vec![response],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 201 with what was made, and where it is.
pub(crate) struct Created<T> {
    body: Json<T>,
    location: String,
    tag: Option<String>,
    is_replayed: bool,
}

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

impl<T> Created<T> {
    /// The answer as it is kept for a repeated request.
    pub(crate) fn keep(self) -> StoredAnswer {
        StoredAnswer {
            status: i64::from(StatusCode::CREATED.as_u16()),
            location: Some(self.location),
            etag: self.tag,
            body: self.body.into_text(),
        }
    }

    /// What an earlier request with the same key was answered.
    pub(crate) fn replayed(body: String, location: String, tag: Option<String>) -> Self {
        Self {
            body: Json::kept(body),
            location,
            tag,
            is_replayed: true,
        }
    }
}

impl<T: Serialize + Type> Created<T> {
    /// Shows what was made. It has a tag when `Location` is the address of just that.
    pub(crate) fn new<R: Into<T>>(made: R, location: String, tag: Option<String>) -> Result<Self, Problem> {
        let body = Json::of(&made.into())?;
        Ok(Self {
            body,
            location,
            tag,
            is_replayed: false,
        })
    }
}

impl<T: Send> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response(StatusCode::CREATED);
        put(response.headers_mut(), LOCATION, self.location);
        if let Some(tag) = self.tag {
            put(response.headers_mut(), ETAG, tag);
        }
        if self.is_replayed {
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

impl<T: Serialize + Type> ApiResponse for Created<T> {
    fn meta() -> MetaResponses {
        let headers = vec![
            header_of("Location", "The path of the new resource.", true),
            header_of(
                "ETag",
                "The version of the new resource, where the body is that resource.",
                false,
            ),
            header_of(
                REPLAYED.as_str(),
                "`true` when an earlier request with the same `Idempotency-Key` was answered this.",
                false,
            ),
        ];
        let response = declared(
            StatusCode::CREATED,
            "Made and stored.",
            Json::<T>::media_types(),
            headers,
        );
        MetaResponses {
            responses: vec![response],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 200 with a resource that was there, or 201 with one that was made, and its tag.
pub(crate) struct Stored<T> {
    body: Json<T>,
    /// Where it is, if it was made.
    location: Option<String>,
    tag: String,
}

impl<T: Serialize + Type> Stored<T> {
    /// Shows the resource. It was made where `location` is given.
    pub(crate) fn new<R: Into<T>>(resource: R, location: Option<String>, tag: String) -> Result<Self, Problem> {
        let body = Json::of(&resource.into())?;
        Ok(Self { body, location, tag })
    }
}

impl<T: Send> IntoResponse for Stored<T> {
    fn into_response(self) -> Response {
        let status = match self.location {
            Some(_) => StatusCode::CREATED,
            None => StatusCode::OK,
        };
        let mut response = self.body.into_response(status);
        if let Some(location) = self.location {
            put(response.headers_mut(), LOCATION, location);
        }
        put(response.headers_mut(), ETAG, self.tag);
        response
    }
}

impl<T: Serialize + Type> ApiResponse for Stored<T> {
    fn meta() -> MetaResponses {
        let location = header_of("Location", "The path of the new resource.", true);
        let there = declared(
            StatusCode::OK,
            "The resource as it is now.",
            Json::<T>::media_types(),
            vec![etag_header()],
        );
        let made = declared(
            StatusCode::CREATED,
            "Made and stored.",
            Json::<T>::media_types(),
            vec![location, etag_header()],
        );
        MetaResponses {
            responses: vec![there, made],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 202 with what was begun, and where its progress is.
pub(crate) struct Accepted<T> {
    body: Json<T>,
    location: String,
}

impl<T: Serialize + Type> Accepted<T> {
    /// Shows what was begun.
    pub(crate) fn new<R: Into<T>>(begun: R, location: String) -> Result<Self, Problem> {
        let body = Json::of(&begun.into())?;
        Ok(Self { body, location })
    }
}

impl<T: Send> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response(StatusCode::ACCEPTED);
        put(response.headers_mut(), LOCATION, self.location);
        response
    }
}

impl<T: Serialize + Type> ApiResponse for Accepted<T> {
    fn meta() -> MetaResponses {
        let location = header_of("Location", "The path at which its progress can be read.", true);
        let content = Json::<T>::media_types();
        let response = declared(
            StatusCode::ACCEPTED,
            "Begun; it goes on by itself.",
            content,
            vec![location],
        );
        MetaResponses {
            responses: vec![response],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 200 with one page of a list.
pub(crate) struct Listed<T> {
    body: Json<T>,
    link: Option<String>,
}

impl<T> Listed<PageBody<T>>
where
    T: Serialize + Type + poem_openapi::types::ParseFromJSON + poem_openapi::types::ToJSON,
{
    /// Shows a page.
    pub(crate) fn new((page, link): (PageBody<T>, Option<String>)) -> Result<Self, Problem> {
        let body = Json::of(&page)?;
        Ok(Self { body, link })
    }
}

impl<T: Send> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response(StatusCode::OK);
        if let Some(link) = self.link {
            put(response.headers_mut(), LINK, link);
        }
        response
    }
}

impl<T: Serialize + Type> ApiResponse for Listed<T> {
    fn meta() -> MetaResponses {
        let link = header_of("Link", "`<...>; rel=\"next\"`, unless this is the last page.", false);
        let response = declared(StatusCode::OK, "One page.", Json::<T>::media_types(), vec![link]);
        MetaResponses {
            responses: vec![response],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// 204.
pub(crate) struct Deleted;

impl IntoResponse for Deleted {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into()
    }
}

impl ApiResponse for Deleted {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![declared(StatusCode::NO_CONTENT, "Done.", vec![], vec![])],
        }
    }

    fn register(_: &mut Registry) {}
}

/// An answer that no cache keeps (`ID-71`).
pub(crate) struct Secret<A>(pub(crate) A);

impl<A: IntoResponse> IntoResponse for Secret<A> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl<A: ApiResponse> ApiResponse for Secret<A> {
    fn meta() -> MetaResponses {
        let mut meta = A::meta();
        for response in &mut meta.responses {
            response.headers.push(header_of("Cache-Control", "`no-store`", true));
        }
        meta
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
    }
}

/// 200 with JSON that has no version, or the same with 503 where `OR_UNAVAILABLE`.
pub(crate) struct Shown<T, const OR_UNAVAILABLE: bool = false> {
    body: Json<T>,
    status: StatusCode,
}

impl<T: Serialize + Type, const OR_UNAVAILABLE: bool> Shown<T, OR_UNAVAILABLE> {
    /// 200.
    pub(crate) fn new(value: &T) -> Result<Self, Problem> {
        let body = Json::of(value)?;
        let status = StatusCode::OK;
        Ok(Self { body, status })
    }
}

impl<T> Shown<T, true> {
    /// 503 with the same body.
    pub(crate) fn unavailable(self) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, ..self }
    }
}

impl<T: Send, const OR_UNAVAILABLE: bool> IntoResponse for Shown<T, OR_UNAVAILABLE> {
    fn into_response(self) -> Response {
        self.body.into_response(self.status)
    }
}

impl<T: Serialize + Type, const OR_UNAVAILABLE: bool> ApiResponse for Shown<T, OR_UNAVAILABLE> {
    fn meta() -> MetaResponses {
        let mut responses = vec![declared(StatusCode::OK, "Done.", Json::<T>::media_types(), vec![])];
        if OR_UNAVAILABLE {
            let content = Json::<T>::media_types();
            let status = StatusCode::SERVICE_UNAVAILABLE;
            responses.push(declared(
                status,
                "Not every part of the service is ready.",
                content,
                vec![],
            ));
        }
        MetaResponses { responses }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
