//! The application over mocked ports, called without a socket.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::ApiTokenId;
use larder_domain::chat::{Message, MessageDraft, SenderRole, Session, SessionDraft, Stamp};
use larder_domain::identity::{Principal, PrincipalKind, Role, Scope, User};
use larder_domain::{AttachmentId, Instant, LoginId, MessageId, OwnerId, SessionId};
use larder_http::{Api, HttpOptions, endpoint};
use larder_ports::inbound::chat::MessageView;
use larder_ports::inbound::identity::AuthenticationError;
use larder_ports::inbound::{ContextState, Readiness};
use larder_ports::testing::MockExternalIdentityUseCases;
use larder_ports::testing::{
    FixedClock, MockAccountUseCases, MockAuthentication, MockLoginUseCases, MockMessageUseCases, MockSessionUseCases,
    Observed, SequentialIds,
};
use larder_ports::testing::{MockApiTokenUseCases, MockErasureUseCases, MockInvitationUseCases, MockUserUseCases};
use larder_ports::testing::{MockFavouriteUseCases, MockMessageEditUseCases};
use larder_ports::testing::{MockFileUseCases, MockSearchUseCases};
use larder_ports::testing::{MockPromptUseCases, MockSummaryUseCases, MockTagUseCases};
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::http::{HeaderMap, Method, StatusCode};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, EndpointExt, Request, RequestParts, Response};
use serde_json::Value;
use uuid::Uuid;

pub(crate) const OWNER: OwnerId = OwnerId(Uuid::from_u128(0xA));
pub(crate) const SESSION: SessionId = SessionId(Uuid::from_u128(0x51));
pub(crate) const MESSAGE: MessageId = MessageId(Uuid::from_u128(0x3E));
pub(crate) const SESSION_PATH: &str = "/api/v1/chat/sessions/00000000-0000-0000-0000-000000000051";
pub(crate) const MESSAGES_PATH: &str = "/api/v1/chat/sessions/00000000-0000-0000-0000-000000000051/messages";
pub(crate) const MESSAGE_PATH: &str = "/api/v1/chat/messages/00000000-0000-0000-0000-00000000003e";

pub(crate) fn at(second: i64) -> Instant {
    Instant::from_micros(1_767_225_600_000_000 + second * 1_000_000).unwrap()
}

pub(crate) fn session(draft: SessionDraft) -> Session {
    Session::create(draft, OWNER, SESSION, at(1), "").unwrap()
}

/// A stored message as a reader sees it.
pub(crate) fn message(draft: MessageDraft) -> MessageView {
    let stamp = Stamp {
        owner_id: OWNER,
        session_id: SESSION,
        id: MESSAGE,
        attachment_ids: draft
            .attachments
            .iter()
            .map(|_| AttachmentId(Uuid::from_u128(0xAA)))
            .collect(),
        ordinal: 1,
        now: at(2),
        default_lease: Duration::from_secs(120),
    };
    let message = Message::create(draft, stamp, "").unwrap();
    let status = message.status;
    MessageView { message, status }
}

pub(crate) fn said(text: &str) -> MessageDraft {
    MessageDraft {
        text: Some(text.to_owned()),
        ..MessageDraft::new(SenderRole::User)
    }
}

pub(crate) fn user() -> User {
    User {
        id: OWNER,
        username: "ann".into(),
        email: None,
        email_verified_at: None,
        password_hash: Some("$2b$12$hash".into()),
        password_changed_at: Some(at(0)),
        roles: vec![],
        disabled_at: None,
        last_login_at: None,
        created_at: at(0),
        updated_at: at(0),
        version: 3,
    }
}

pub(crate) fn caller() -> Principal {
    Principal {
        owner_id: OWNER,
        name: "ann".into(),
        email: None,
        roles: vec![],
        kind: PrincipalKind::Login(LoginId(Uuid::from_u128(0x10))),
    }
}

/// The same person by an API token.
pub(crate) fn program(scopes: &[Scope]) -> Principal {
    let id = ApiTokenId(Uuid::from_u128(0x70));
    Principal {
        kind: PrincipalKind::ApiToken(id, scopes.iter().copied().collect()),
        ..caller()
    }
}

/// What the contexts say about themselves; `None` never answers.
pub(crate) struct Contexts(pub(crate) Option<Vec<ContextState>>);

#[async_trait]
impl Readiness for Contexts {
    async fn states(&self) -> Vec<ContextState> {
        match &self.0 {
            Some(states) => states.clone(),
            None => std::future::pending().await,
        }
    }
}

/// The mocks of an application. Knows the tokens `good`, `admin`, `reader` and `writer` (of programs), and `expired`.
pub(crate) struct Ports {
    pub(crate) accounts: MockAccountUseCases,
    pub(crate) logins: MockLoginUseCases,
    pub(crate) files: MockFileUseCases,
    pub(crate) search: MockSearchUseCases,
    pub(crate) api_tokens: MockApiTokenUseCases,
    pub(crate) external_identities: MockExternalIdentityUseCases,
    pub(crate) users: MockUserUseCases,
    pub(crate) invitations: MockInvitationUseCases,
    pub(crate) erasures: MockErasureUseCases,
    pub(crate) authentication: MockAuthentication,
    pub(crate) sessions: MockSessionUseCases,
    pub(crate) tags: MockTagUseCases,
    pub(crate) prompts: MockPromptUseCases,
    pub(crate) summaries: MockSummaryUseCases,
    pub(crate) messages: MockMessageUseCases,
    pub(crate) edits: MockMessageEditUseCases,
    pub(crate) favourites: MockFavouriteUseCases,
    pub(crate) contexts: Contexts,
    pub(crate) options: HttpOptions,
    pub(crate) observer: Arc<Observed>,
}

impl Ports {
    pub(crate) fn new() -> Self {
        let mut authentication = MockAuthentication::new();
        authentication.expect_authenticate().returning(|token| match token {
            "good" => Ok(caller()),
            "admin" => Ok(Principal {
                roles: vec![Role::Admin],
                ..caller()
            }),
            "reader" => Ok(program(&[Scope::ChatRead])),
            "writer" => Ok(program(&[Scope::ChatWrite])),
            "expired" => Err(AuthenticationError::Expired),
            "logged out" => Err(AuthenticationError::LoginEnded),
            _ => Err(AuthenticationError::Invalid),
        });
        Self {
            accounts: MockAccountUseCases::new(),
            logins: MockLoginUseCases::new(),
            files: MockFileUseCases::new(),
            search: MockSearchUseCases::new(),
            api_tokens: MockApiTokenUseCases::new(),
            external_identities: MockExternalIdentityUseCases::new(),
            users: MockUserUseCases::new(),
            invitations: MockInvitationUseCases::new(),
            erasures: MockErasureUseCases::new(),
            authentication,
            sessions: MockSessionUseCases::new(),
            tags: MockTagUseCases::new(),
            prompts: MockPromptUseCases::new(),
            summaries: MockSummaryUseCases::new(),
            messages: MockMessageUseCases::new(),
            edits: MockMessageEditUseCases::new(),
            favourites: MockFavouriteUseCases::new(),
            contexts: Contexts(Some(vec![])),
            options: HttpOptions::default(),
            observer: Arc::default(),
        }
    }

    pub(crate) fn app(self) -> App {
        let api = Api {
            accounts: Arc::new(self.accounts),
            logins: Arc::new(self.logins),
            files: Arc::new(self.files),
            search: Arc::new(self.search),
            api_tokens: Arc::new(self.api_tokens),
            external_identities: Arc::new(self.external_identities),
            users: Arc::new(self.users),
            invitations: Arc::new(self.invitations),
            erasures: Arc::new(self.erasures),
            authentication: Arc::new(self.authentication),
            sessions: Arc::new(self.sessions),
            tags: Arc::new(self.tags),
            prompts: Arc::new(self.prompts),
            summaries: Arc::new(self.summaries),
            messages: Arc::new(self.messages),
            message_edits: Arc::new(self.edits),
            favourites: Arc::new(self.favourites),
            readiness: Arc::new(self.contexts),
            clock: Arc::new(FixedClock::new()),
            ids: Arc::new(SequentialIds::default()),
            observer: self.observer,
        };
        App(endpoint(api, self.options).boxed())
    }
}

pub(crate) struct App(pub(crate) BoxEndpoint<'static, Response>);

impl App {
    /// A request with the token `good`.
    pub(crate) fn call(&self, method: Method, uri: &str) -> Call<'_> {
        self.by("good", method, uri)
    }

    /// A request with a token.
    pub(crate) fn by(&self, token: &str, method: Method, uri: &str) -> Call<'_> {
        let bearer = format!("Bearer {token}");
        self.anonymous(method, uri).header("authorization", &bearer)
    }

    pub(crate) fn get(&self, uri: &str) -> Call<'_> {
        self.call(Method::GET, uri)
    }

    /// The peer from which a request comes is unknown unless set.
    pub(crate) fn from(&self, peer: &str, method: Method, uri: &str) -> Call<'_> {
        let request = poem::http::Request::builder().method(method).uri(uri).body(()).unwrap();
        let peer = RemoteAddr(Addr::SocketAddr(format!("{peer}:4711").parse().unwrap()));
        let (parts, ()) = request.into_parts();
        let parts = RequestParts::from((parts, LocalAddr::default(), peer, Scheme::HTTP));
        Call {
            app: self,
            request: Request::from_parts(parts, poem::Body::empty()),
        }
    }

    pub(crate) fn anonymous(&self, method: Method, uri: &str) -> Call<'_> {
        let mut request = Request::default();
        request.set_method(method);
        *request.uri_mut() = uri.parse().unwrap();
        Call { app: self, request }
    }
}

pub(crate) struct Call<'a> {
    app: &'a App,
    request: Request,
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn body(mut self, body: impl Into<poem::Body>) -> Self {
        self.request.set_body(body);
        self
    }

    pub(crate) fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json").body(body.to_owned())
    }

    pub(crate) async fn send(self) -> Reply {
        let response = self
            .app
            .0
            .call(self.request)
            .await
            .expect("every failure is a response");
        let (parts, body) = response.into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.into_string().await.unwrap(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Asserts a problem document in full, and answers its pointers and codes.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Vec<(String, String)> {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.value();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:larder:problem:{code}"));
        assert_eq!(problem["request_id"], self.header("x-request-id").unwrap());
        for text in ["title", "detail", "instance"] {
            assert!(!problem[text].as_str().unwrap().is_empty(), "{text}");
        }
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .map(|error| {
                assert!(!text(&error["message"]).is_empty());
                (text(&error["pointer"]), text(&error["code"]))
            })
            .collect()
    }

    /// Asserts a failure in envelope A: keys in their order, a status that is the code, nothing beside the message but what 401 and 422
    /// say.
    #[track_caller]
    pub(crate) fn failure(&self, status: u16, message: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(self.header("deprecation").is_some());
        let start = format!(
            r#"{{"code":{status},"success":false,"message":{},"data":"#,
            Value::from(message)
        );
        assert!(self.body.starts_with(&start), "{}", self.body);
        let envelope = self.value();
        assert_eq!(envelope["meta"], Value::Null, "{envelope}");
        assert_eq!(envelope["data"].is_null(), ![401, 422].contains(&status), "{envelope}");
    }

    /// Asserts a 422 in envelope A with one refused value.
    #[track_caller]
    pub(crate) fn refused_in_envelope(&self, field: &str, pointer: &str, code: &str) {
        assert_eq!(self.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", self.body);
        let errors = serde_json::json!([{"pointer": pointer, "code": code}]);
        let data = serde_json::json!({"field": field, "errors": errors});
        assert_eq!(self.value()["data"], data, "{}", self.body);
    }

    /// Asserts a success in envelope A, and answers its data.
    #[track_caller]
    pub(crate) fn success(&self, message: &str) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        let start = format!(
            r#"{{"code":200,"success":true,"message":{},"data":"#,
            Value::from(message)
        );
        assert!(self.body.starts_with(&start), "{}", self.body);
        assert!(self.header("deprecation").is_some());
        self.value()["data"].clone()
    }

    /// Asserts a 422 with one refused value.
    #[track_caller]
    pub(crate) fn refused(&self, pointer: &str, code: &str) {
        let particular = [
            "read_only",
            "immutable_field",
            "empty_message",
            "empty_query",
            "bad_url",
            "task_without_status",
        ];
        let top = if particular.contains(&code) { code } else { "invalid" };
        assert_eq!(self.problem(422, top), [(pointer.to_owned(), code.to_owned())]);
    }
}
