use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use larder_domain::OwnerId;
use poem::http::header::{HeaderName, HeaderValue};
use poem::{Endpoint, Request, Response, Result};

use crate::client::Doorkeeper;
use crate::problem::{Code, Problem};
use crate::rate::{Rate, Standing};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Paths that are never counted: whoever watches the service must be able to.
const FREE: [&str; 3] = ["/livez", "/readyz", "/health"];

/// What was counted of the request that carries it, to be told with its answer.
#[derive(Clone, Default)]
pub(crate) struct Counted {
    owners: Option<Arc<Rate<OwnerId>>>,
    standings: Arc<Mutex<Vec<(&'static str, Standing)>>>,
}

impl Counted {
    /// Notes what was counted under a policy; what came too soon is refused with `code`.
    pub(crate) fn note(
        request: &Request,
        policy: &'static str,
        counted: std::result::Result<Standing, Standing>,
        code: Code,
    ) -> std::result::Result<(), Problem> {
        let (Ok(standing) | Err(standing)) = counted;
        if let Some(this) = request.data::<Self>()
            && let Ok(mut standings) = this.standings.lock()
        {
            standings.push((policy, standing));
        }
        match counted {
            Ok(_) => Ok(()),
            Err(standing) => Err(Problem::new(code).retry_after_span(standing.wait)),
        }
    }

    /// Counts a request of an account whose token was found good.
    pub(crate) fn owner(request: &Request, owner_id: OwnerId) -> std::result::Result<(), Problem> {
        match request.data::<Self>().and_then(|this| this.owners.as_ref()) {
            Some(owners) => Self::note(request, "account", owners.count(owner_id), Code::RateLimited),
            None => Ok(()),
        }
    }

    /// `RateLimit-Policy` and `RateLimit` as the draft of the IETF has them: lists of structured fields.
    fn headers(&self) -> Option<[(HeaderName, HeaderValue); 2]> {
        let standings = self.standings.lock().ok()?;
        if standings.is_empty() {
            return None;
        }
        let list = |item: fn(&str, &Standing) -> String| {
            let items: Vec<String> = standings
                .iter()
                .map(|(policy, standing)| item(policy, standing))
                .collect();
            HeaderValue::try_from(items.join(", ")).ok()
        };
        let policies = list(|policy, standing| format!("\"{policy}\";q={};w=60", standing.quota))?;
        let states = list(|policy, standing| {
            let seconds = standing.wait.as_millis().div_ceil(1_000);
            format!("\"{policy}\";r={};t={seconds}", standing.remaining)
        })?;
        Some([(RATE_LIMIT_POLICY, policies), (RATE_LIMIT, states)])
    }
}

/// Tells with an answer what was counted of its request. Outside of what renders problems, so that refusals tell it as well.
pub(super) struct TellLimits<E> {
    pub(super) inner: E,
    pub(super) owners: Option<Arc<Rate<OwnerId>>>,
}

impl<E: Endpoint<Output = Response>> Endpoint for TellLimits<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let counted = Counted {
            owners: self.owners.clone(),
            standings: Arc::default(),
        };
        request.set_data(counted.clone());
        let mut response = self.inner.call(request).await?;
        response.headers_mut().extend(counted.headers().into_iter().flatten());
        Ok(response)
    }
}

/// Counts the requests of each address, before anything else is done with them.
pub(super) struct CountAddresses<E> {
    pub(super) inner: E,
    pub(super) addresses: Option<Rate<IpAddr>>,
    pub(super) door: Doorkeeper,
}

impl<E: Endpoint<Output = Response>> Endpoint for CountAddresses<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if let Some(addresses) = &self.addresses
            && !FREE.contains(&request.uri().path())
            && let Some(subscriber) = self.door.subscriber(&request)
        {
            let counted = addresses.count(subscriber);
            Counted::note(&request, "address", counted, Code::RateLimited)?;
        }
        self.inner.call(request).await
    }
}
