//! External identities, and callers who come with a token of an external issuer.

use larder_domain::ExternalIdentityId;
use larder_domain::identity::{ExternalIdentity, Principal, PrincipalKind};
use larder_ports::inbound::identity::{AuthenticationError, LinkError, UnlinkError};
use larder_ports::inbound::{Done, Failure, Page};
use larder_ports::outbound::StoredAnswer;
use larder_ports::testing::MockAuthentication;
use poem::http::Method;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::support::{OWNER, Ports, at, caller};

const IDENTITIES: &str = "/api/v1/auth/identities";
const IDENTITY: &str = "/api/v1/auth/identities/00000000-0000-0000-0000-0000000000e1";
const LINK: &str = r#"{"token":"a.b.c"}"#;
const SHOWN: &str = concat!(
    r#"{"id":"00000000-0000-0000-0000-0000000000e1","issuer":"https://issuer.example.com","subject":"ann","#,
    r#""email":"ann@example.com","created_at":"2026-01-01T00:00:01.000000Z","last_seen_at":"2026-01-01T00:00:02.000000Z"}"#
);

fn identity() -> ExternalIdentity {
    ExternalIdentity {
        id: ExternalIdentityId(Uuid::from_u128(0xE1)),
        user_id: OWNER,
        issuer: "https://issuer.example.com".into(),
        subject: "ann".into(),
        email: Some("ann@example.com".into()),
        created_at: at(1),
        last_seen_at: at(2),
    }
}

/// An application whose one caller has a token of an external issuer.
fn external() -> Ports {
    let mut authentication = MockAuthentication::new();
    authentication.expect_authenticate().returning(|_| {
        Ok(Principal {
            kind: PrincipalKind::External(identity().id),
            ..caller()
        })
    });
    Ports {
        authentication,
        ..Ports::new()
    }
}

#[tokio::test]
async fn id_55_a_page_of_identities() {
    let mut ports = external();
    ports
        .external_identities
        .expect_list()
        .once()
        .returning(|caller, page| {
            assert_eq!(
                (caller.owner_id, page.limit, page.cursor.as_deref()),
                (OWNER, 1, Some("c1"))
            );
            Ok(Page {
                data: vec![identity()],
                next_cursor: Some("c2".into()),
            })
        });
    let reply = ports.app().get(&format!("{IDENTITIES}?limit=1&cursor=c1")).send().await;
    let expected = format!(r#"{{"data":[{SHOWN}],"next_cursor":"c2"}}"#);
    assert_eq!((reply.status.as_u16(), reply.body), (200, expected));
}

#[tokio::test]
async fn id_55_linking_answers_the_identity_and_hides_the_token() {
    let mut ports = Ports::new();
    ports
        .external_identities
        .expect_link()
        .once()
        .returning(|caller, token, once| {
            assert_eq!((caller.owner_id, token.expose_secret()), (OWNER, "a.b.c"));
            assert!(once.is_none() && !format!("{token:?}").contains("a.b.c"));
            Ok(Done::Now(identity()))
        });
    let reply = ports.app().call(Method::POST, IDENTITIES).json(LINK).send().await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (201, SHOWN));
    assert_eq!(reply.header("location"), Some(IDENTITIES));
}

#[tokio::test]
async fn id_55_a_repeated_link_is_answered_from_what_was_kept() {
    let mut ports = Ports::new();
    ports.external_identities.expect_link().once().returning(|_, _, once| {
        let kept: StoredAnswer = (once.unwrap().answer)(&identity());
        assert_eq!((kept.status, kept.body.as_str()), (201, SHOWN));
        Ok(Done::Before(kept))
    });
    let app = ports.app();
    let call = app.call(Method::POST, IDENTITIES).header("idempotency-key", "k");
    let reply = call.json(LINK).send().await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (201, SHOWN));
    assert_eq!(reply.header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn id_55_only_a_local_login_links() {
    let reply = external().app().call(Method::POST, IDENTITIES).json(LINK).send().await;
    reply.problem(403, "interactive_login_required");
    let app = Ports::new().app();
    for (method, path) in [
        (Method::GET, IDENTITIES),
        (Method::POST, IDENTITIES),
        (Method::DELETE, IDENTITY),
    ] {
        let reply = app.by("writer", method, path).json(LINK).send().await;
        reply.problem(403, "interactive_login_required");
    }
}

#[tokio::test]
async fn why_an_identity_is_not_linked() {
    type Refusal = fn() -> LinkError;
    let refusals: [(Refusal, u16, &str); 5] = [
        (|| LinkError::TokenInvalid, 422, "invalid"),
        (|| LinkError::AccountUnknown, 403, "account_unknown"),
        (|| LinkError::IdentityTaken, 409, "identity_taken"),
        (|| LinkError::IssuerUnavailable, 503, "issuer_unavailable"),
        (|| LinkError::Failure(Failure::Contended), 503, "contended"),
    ];
    for (refusal, status, code) in refusals {
        let mut ports = Ports::new();
        ports
            .external_identities
            .expect_link()
            .returning(move |_, _, _| Err(refusal()));
        let reply = ports.app().call(Method::POST, IDENTITIES).json(LINK).send().await;
        let errors = reply.problem(status, code);
        let expected = [("/token".to_owned(), "bad_format".to_owned())];
        assert_eq!(errors, if status == 422 { &expected[..] } else { &[] });
        assert_eq!(reply.header("retry-after").is_some(), status == 503);
        assert!(!reply.body.contains("a.b.c"));
    }
    let app = Ports::new().app();
    for (body, pointer, code) in [
        ("{}", "/token", "required"),
        (r#"{"token":7}"#, "/token", "wrong_type"),
        (r#"{"token":"a.b.c","issuer":"x"}"#, "/issuer", "unknown_field"),
    ] {
        let reply = app.call(Method::POST, IDENTITIES).json(body).send().await;
        reply.refused(pointer, code);
    }
}

#[tokio::test]
async fn id_55_unlinking() {
    let mut ports = external();
    ports
        .external_identities
        .expect_unlink()
        .once()
        .returning(|caller, id| {
            assert_eq!((caller.owner_id, id), (OWNER, identity().id));
            Ok(())
        });
    let unlinks = &mut ports.external_identities;
    unlinks
        .expect_unlink()
        .once()
        .returning(|_, _| Err(UnlinkError::NotFound));
    unlinks
        .expect_unlink()
        .returning(|_, _| Err(UnlinkError::LastCredential));
    let app = ports.app();
    let reply = app.call(Method::DELETE, IDENTITY).send().await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (204, ""));
    app.call(Method::DELETE, IDENTITY)
        .send()
        .await
        .problem(404, "not_found");
    let reply = app.call(Method::DELETE, IDENTITY).send().await;
    reply.problem(409, "last_credential");
    let reply = app.call(Method::DELETE, &format!("{IDENTITIES}/x")).send().await;
    reply.problem(400, "malformed_id");
}

#[tokio::test]
async fn why_a_token_of_an_external_issuer_opens_nothing() {
    type Refusal = fn() -> AuthenticationError;
    let refusals: [(Refusal, u16, &str); 3] = [
        (|| AuthenticationError::AccountUnknown, 403, "account_unknown"),
        (
            || AuthenticationError::IdentityLinkRequired,
            403,
            "identity_link_required",
        ),
        (|| AuthenticationError::IssuerUnavailable, 503, "issuer_unavailable"),
    ];
    for (refusal, status, code) in refusals {
        let mut authentication = MockAuthentication::new();
        authentication.expect_authenticate().returning(move |_| Err(refusal()));
        let ports = Ports {
            authentication,
            ..Ports::new()
        };
        let reply = ports.app().get("/api/v1/chat/sessions").send().await;
        reply.problem(status, code);
        assert_eq!(reply.header("retry-after").is_some(), status == 503);
        assert_eq!(reply.header("www-authenticate"), None);
    }
}
