use std::marker::PhantomData;
use std::sync::Arc;

use larder_domain::OwnerId;
use larder_domain::identity::{Principal, PrincipalKind, Role, Scope};
use larder_ports::inbound::identity::{Authentication, AuthenticationError};
use poem::http::header::AUTHORIZATION;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::middleware::Counted;
use crate::problem::{Code, Problem};

/// The verified caller, who may do what the operation demands. As the first argument of an operation it is judged before path,
/// query and body, and tells the document which tokens open the operation: this is the one place where scopes and roles are
/// demanded. Without a demand of its own an operation takes no API token (`ID-62`).
pub(crate) struct Caller<D = Person>(pub(crate) Principal, PhantomData<D>);

impl<D> Caller<D> {
    /// Whose data the caller sees.
    pub(crate) fn owner_id(&self) -> OwnerId {
        self.0.owner_id
    }
}

/// What an operation demands of its caller.
pub(crate) trait Demand: Send + Sync {
    /// Which tokens open it.
    const TOKENS: &'static [Token];

    /// Refuses a caller that may not.
    fn judge(caller: &Principal) -> Result<(), Problem>;
}

/// A kind of token, as a security scheme of the document.
pub(crate) struct Token {
    scheme: &'static str,
    description: &'static str,
    format: &'static str,
}

const LOGIN: Token = Token {
    scheme: "bearer",
    description: "The `access_token` of a sign-up or login, or a token of a configured external issuer.",
    format: "JWT",
};
const API_TOKEN: Token = Token {
    scheme: "api_token",
    description: "An API token, with any scope.",
    format: "lrd_",
};

/// Anybody with a token.
pub(crate) struct Anybody;

impl Demand for Anybody {
    const TOKENS: &'static [Token] = &[LOGIN, API_TOKEN];

    fn judge(_: &Principal) -> Result<(), Problem> {
        Ok(())
    }
}

/// Anybody but a program with an API token.
pub(crate) struct Person;

impl Demand for Person {
    const TOKENS: &'static [Token] = &[LOGIN];

    fn judge(caller: &Principal) -> Result<(), Problem> {
        match caller.kind {
            PrincipalKind::ApiToken(..) => Err(Problem::new(Code::InteractiveLoginRequired)),
            _ => Ok(()),
        }
    }
}

/// A person with an access token of a local login.
pub(crate) struct LocalLogin;

impl Demand for LocalLogin {
    const TOKENS: &'static [Token] = &[LOGIN];

    fn judge(caller: &Principal) -> Result<(), Problem> {
        match caller.kind {
            PrincipalKind::Login(_) => Ok(()),
            PrincipalKind::ApiToken(..) | PrincipalKind::External(_) => {
                Err(Problem::new(Code::InteractiveLoginRequired))
            }
        }
    }
}

/// A person with the role `admin`.
pub(crate) struct Admin;

impl Demand for Admin {
    const TOKENS: &'static [Token] = &[LOGIN];

    fn judge(caller: &Principal) -> Result<(), Problem> {
        Person::judge(caller)?;
        if caller.roles.contains(&Role::Admin) {
            Ok(())
        } else {
            Err(Problem::new(Code::RoleRequired))
        }
    }
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident, $scope:expr, $scheme:literal, $description:literal;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl Demand for $name {
            const TOKENS: &'static [Token] = &[
                LOGIN,
                Token {
                    scheme: $scheme,
                    description: $description,
                    format: "lrd_",
                },
            ];

            fn judge(caller: &Principal) -> Result<(), Problem> {
                match caller.kind {
                    PrincipalKind::ApiToken(_, scopes) if !scopes.has($scope) => {
                        Err(Problem::new(Code::InsufficientScope).demanding($scope))
                    }
                    _ => Ok(()),
                }
            }
        }
    )+};
}

scopes! {
    /// Somebody who may read conversations.
    ChatRead, Scope::ChatRead, "chat_read", "An API token with the scope `chat:read`.";
    /// Somebody who may write conversations.
    ChatWrite, Scope::ChatWrite, "chat_write", "An API token with the scope `chat:write`.";
}

const BEARER: &str = "bearer";

impl<'a, D: Demand> ApiExtractor<'a> for Caller<D> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        for token in D::TOKENS {
            registry.create_security_scheme(
                token.scheme,
                MetaSecurityScheme {
                    ty: "http",
                    description: Some(token.description),
                    name: None,
                    key_in: None,
                    scheme: Some(BEARER),
                    bearer_format: Some(token.format),
                    flows: None,
                    openid_connect_url: None,
                },
            );
        }
    }

    fn security_schemes() -> Vec<&'static str> {
        D::TOKENS.iter().map(|token| token.scheme).collect()
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        let principal = authenticated(request).await?.map_err(Problem::from)?;
        D::judge(&principal)?;
        Ok(Self(principal, PhantomData))
    }
}

/// Somebody who logs out. `None` when the login has ended already, so that logging out again is no error (`ID-35`).
pub(crate) struct Leaver(pub(crate) Option<Principal>);

impl<'a> ApiExtractor<'a> for Leaver {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Caller::<Person>::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        Caller::<Person>::security_schemes()
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        match authenticated(request).await? {
            Ok(principal) => {
                Person::judge(&principal)?;
                Ok(Self(Some(principal)))
            }
            Err(AuthenticationError::LoginEnded) => Ok(Self(None)),
            Err(error) => Err(Problem::from(error).into()),
        }
    }
}

/// Who sends a request, as the inbound port judges it. Whoever is known is counted.
async fn authenticated(request: &Request) -> Result<Result<Principal, AuthenticationError>, Problem> {
    let token = bearer_token(request)?;
    let authentication = request
        .data::<Arc<dyn Authentication>>()
        .ok_or_else(|| Problem::internal("authentication is not set"))?;
    let outcome = authentication.authenticate(token).await;
    if let Ok(principal) = &outcome {
        Counted::owner(request, principal.owner_id)?;
    }
    Ok(outcome)
}

/// The token of `Authorization: Bearer <token>`, the only place where one is read (`ID-22`).
fn bearer_token(request: &Request) -> Result<&str, Problem> {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::new(Code::TokenMissing));
    };
    let text = value.to_str().map_err(|_| Problem::new(Code::TokenMissing))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(BEARER) && !token.trim().is_empty() => Ok(token.trim()),
        _ => Err(Problem::new(Code::TokenMissing)),
    }
}
