use std::sync::Arc;

use larder_domain::OwnerId;
use larder_domain::identity::Principal;
use larder_ports::inbound::identity::Authentication;
use poem::http::header::AUTHORIZATION;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::problem::{Code, Problem};

/// The verified caller. As the first argument of an operation it is judged before path, query and body, and makes the operation
/// require the security scheme in the document.
pub(crate) struct Caller(pub(crate) Principal);

impl Caller {
    /// Whose data the caller sees.
    pub(crate) fn owner_id(&self) -> OwnerId {
        self.0.owner_id
    }
}

const SCHEME: &str = "bearer";

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            SCHEME,
            MetaSecurityScheme {
                ty: "http",
                description: Some("The `access_token` of a sign-up or login."),
                name: None,
                key_in: None,
                scheme: Some(SCHEME),
                bearer_format: Some("JWT"),
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        let token = bearer_token(request)?;
        let authentication = request
            .data::<Arc<dyn Authentication>>()
            .ok_or_else(|| Problem::internal("authentication is not set"))?;
        let principal = authentication.authenticate(token).await.map_err(Problem::from)?;
        Ok(Self(principal))
    }
}

/// The token of `Authorization: Bearer <token>`, the only place where one is read (`ID-22`).
fn bearer_token(request: &Request) -> Result<&str, Problem> {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::new(Code::TokenMissing));
    };
    let text = value.to_str().map_err(|_| Problem::new(Code::TokenMissing))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) && !token.trim().is_empty() => Ok(token.trim()),
        _ => Err(Problem::new(Code::TokenMissing)),
    }
}
