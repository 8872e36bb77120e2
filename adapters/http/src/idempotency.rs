//! `Idempotency-Key`: a creating request that may be repeated (conventions §3).

use std::sync::Arc;

use larder_domain::Code as ViolationCode;
use larder_ports::inbound::{Done, Once};
use larder_ports::outbound::{RequestKey, StoredAnswer};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaRequest, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::answer::Created;
use crate::body::{Body, Payload};
use crate::problem::Problem;

/// The request header.
pub(crate) const HEADER: &str = "Idempotency-Key";

/// A body, and what the request was if it carries a key.
pub(crate) struct Keyed<T> {
    /// The body.
    pub(crate) body: T,
    request: Option<RequestKey>,
}

impl<'a, T: Payload> ApiExtractor<'a> for Keyed<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Body::<T>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Body::<T>::request_meta()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let Some(key) = request.headers().get(HEADER) else {
            let Body(body) = crate::body::read(request, body).await?;
            return Ok(Self { body, request: None });
        };
        let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
        let key = key.ok_or_else(|| {
            Problem::violation(
                format!("/header/{HEADER}"),
                ViolationCode::BadFormat,
                "must have 1 to 255 visible ASCII characters",
            )
        })?;
        let mut digest = Sha256::new_with_prefix(request.method().as_str());
        digest.update(b" ");
        digest.update(request.original_uri().to_string());
        digest.update(b"\n");
        let text = crate::body::text::<T>(request, body).await?;
        digest.update(&text);
        let request = RequestKey {
            key: key.to_owned(),
            fingerprint: digest.finalize().into(),
        };
        Ok(Self {
            body: crate::body::parse(&text)?,
            request: Some(request),
        })
    }
}

impl<T> Keyed<T> {
    /// The body, and how the answer is kept where the request may be repeated.
    ///
    /// `show` writes the answer. It is used for the first answer and for the kept one, so both are the same.
    pub(crate) fn once<R, B>(self, show: fn(&R) -> Result<Created<B>, Problem>) -> (T, Option<Once<R>>)
    where
        R: 'static,
        B: 'static,
    {
        self.kept(move |made| show(made).map(Created::keep))
    }

    /// The same for an answer of any form.
    pub(crate) fn kept<R: 'static>(
        self,
        show: impl Fn(&R) -> Result<StoredAnswer, Problem> + Send + Sync + 'static,
    ) -> (T, Option<Once<R>>) {
        let once = self.request.map(|request| Once {
            request,
            // What can't be shown is answered as a failure; the empty answer breaks a constraint, so nothing is kept either.
            answer: Arc::new(move |made: &R| show(made).unwrap_or_default()),
        });
        (self.body, once)
    }
}

/// The answer to a repeatable request: the one of now, or the one that was kept.
pub(crate) fn answer<R, B: Serialize + poem_openapi::types::Type>(
    done: Done<R>,
    show: fn(&R) -> Result<Created<B>, Problem>,
) -> Result<Created<B>, Problem> {
    match done {
        Done::Now(made) => show(&made),
        Done::Before(StoredAnswer {
            status: _,
            location,
            etag,
            body,
        }) => Ok(Created::replayed(body, location.unwrap_or_default(), etag)),
    }
}
