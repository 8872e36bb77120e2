//! What administrators do: accounts, invitations, erasures.

use larder_domain::identity::{ContextErasure, Erasure, ErasureState, Invitation, Role, User};
use larder_domain::{Code, ErasureId, Invalid, InvitationId, Patch};
use larder_ports::inbound::identity::{ChangeUserError, EraseAccountError, NewInvitation};
use larder_ports::inbound::{Done, NotFoundError, Page};
use poem::http::Method;
use secrecy::ExposeSecret;
use serde_json::json;
use uuid::Uuid;

use crate::support::{App, Call, OWNER, Ports, at, user};

const USERS: &str = "/api/v1/auth/users";
const USER: &str = "/api/v1/auth/users/00000000-0000-0000-0000-00000000000a";
const INVITATIONS: &str = "/api/v1/auth/invitations";
const INVITATION: &str = "/api/v1/auth/invitations/00000000-0000-0000-0000-000000000080";
const ERASE: &str = "/api/v1/auth/account/erasure";
const ERASURE: &str = "/api/v1/auth/erasures/00000000-0000-0000-0000-000000000090";

fn admin<'a>(app: &'a App, method: Method, path: &str) -> Call<'a> {
    app.by("admin", method, path)
}

fn invitation() -> Invitation {
    Invitation {
        id: InvitationId(Uuid::from_u128(0x80)),
        secret_hash: [0xab; 32],
        email_norm: Some("bob@example.com".into()),
        roles: vec![Role::Worker],
        created_by: OWNER,
        created_at: at(1),
        expires_at: at(2),
        used: Some((at(3), OWNER)),
        revoked_at: None,
    }
}

fn erasure() -> Erasure {
    let chat = ContextErasure {
        rows: 12,
        swept_at: Some(at(2)),
        is_done: false,
    };
    Erasure {
        contexts: [("chat".to_owned(), chat)].into_iter().collect(),
        ..Erasure::new(ErasureId(Uuid::from_u128(0x90)), OWNER, at(1))
    }
}

#[tokio::test]
async fn id_42_only_an_administrator_is_let_in() {
    let app = Ports::new().app();
    for (method, path) in [
        (Method::GET, USERS),
        (Method::GET, USER),
        (Method::PATCH, USER),
        (Method::GET, INVITATIONS),
        (Method::POST, INVITATIONS),
        (Method::DELETE, INVITATION),
        (Method::GET, ERASURE),
    ] {
        app.call(method.clone(), path)
            .send()
            .await
            .problem(403, "role_required");
        app.anonymous(method, path).send().await.problem(401, "token_missing");
    }
}

#[tokio::test]
async fn id_42_accounts_are_listed_and_read() {
    let mut ports = Ports::new();
    ports.users.expect_list().once().returning(|_, filter, page| {
        assert_eq!((filter.role, filter.disabled), (Some(Role::Worker), Some(true)));
        assert_eq!(page.limit, 3);
        Ok(Page {
            data: vec![user()],
            next_cursor: None,
        })
    });
    ports.users.expect_get().times(2).returning(|_| Ok(user()));
    let app = ports.app();
    let reply = admin(&app, Method::GET, &format!("{USERS}?role=worker&disabled=true&limit=3"))
        .send()
        .await;
    assert_eq!(reply.value()["data"][0]["username"], "ann");
    let reply = admin(&app, Method::GET, USER).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"3\"")));
    let reply = admin(&app, Method::GET, USER)
        .header("if-none-match", "\"3\"")
        .send()
        .await;
    assert_eq!(reply.status, 304);
    for (query, pointer) in [("role=owner", "/query/role"), ("disabled=maybe", "/query/disabled")] {
        let reply = admin(&app, Method::GET, &format!("{USERS}?{query}")).send().await;
        assert_eq!(reply.problem(422, "invalid")[0].0, pointer);
    }
}

#[tokio::test]
async fn id_42_an_account_is_changed_by_a_merge_patch() {
    let mut ports = Ports::new();
    ports.users.expect_change().once().returning(|change| {
        assert_eq!((change.id, change.if_match), (OWNER, Some(3)));
        assert_eq!(change.patch.roles, Patch::Set(vec![Role::Admin]));
        assert_eq!(change.patch.disabled, Patch::Clear);
        assert_eq!(change.patch.email_verified, Patch::Keep);
        Ok(User { version: 4, ..user() })
    });
    let app = ports.app();
    let reply = admin(&app, Method::PATCH, USER)
        .header("if-match", "\"3\"")
        .json(r#"{"roles":["admin"],"disabled":null}"#)
        .send()
        .await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"4\"")));
    for (body, pointer, code) in [
        (r#"{"username":"x"}"#, "/username", "read_only"),
        (r#"{"password":"x"}"#, "/password", "unknown_field"),
        (r#"{"roles":["owner"]}"#, "/roles/0", "bad_format"),
        (r#"{"disabled":1}"#, "/disabled", "wrong_type"),
    ] {
        admin(&app, Method::PATCH, USER)
            .json(body)
            .send()
            .await
            .refused(pointer, code);
    }
}

#[tokio::test]
async fn why_an_account_is_not_changed() {
    for (error, status, code) in [
        (ChangeUserError::NotFound, 404, "not_found"),
        (ChangeUserError::Stale, 412, "stale"),
        (ChangeUserError::LastAdmin, 409, "last_admin"),
        (
            Invalid::one("/email_verified", Code::BadFormat, "can't be true").into(),
            422,
            "invalid",
        ),
    ] {
        let mut ports = Ports::new();
        ports.users.expect_change().return_once(|_| Err(error));
        let app = ports.app();
        admin(&app, Method::PATCH, USER)
            .json("{}")
            .send()
            .await
            .problem(status, code);
    }
}

#[tokio::test]
async fn id_04_an_invitation_is_shown_once() {
    let mut ports = Ports::new();
    ports
        .invitations
        .expect_create()
        .once()
        .returning(|created_by, draft, once| {
            assert_eq!(created_by, OWNER);
            assert_eq!(draft.email.as_deref(), Some("Bob@example.com"));
            assert_eq!(
                (draft.roles.as_slice(), draft.expires_at),
                (&[Role::Worker][..], Some(at(2)))
            );
            let kept = (once.unwrap().answer)(&invitation());
            let value: serde_json::Value = serde_json::from_str(&kept.body).unwrap();
            assert_eq!(value["invitation"], json!(null));
            Ok(Done::Now(NewInvitation {
                invitation: invitation(),
                text: "lri_secret".into(),
            }))
        });
    ports.invitations.expect_list().once().returning(|_, _| {
        Ok(Page {
            data: vec![invitation()],
            next_cursor: None,
        })
    });
    let app = ports.app();
    let reply = admin(&app, Method::POST, INVITATIONS)
        .header("idempotency-key", "k")
        .json(r#"{"email":"Bob@example.com","roles":["worker"],"expires_at":"2026-01-01T00:00:02Z"}"#)
        .send()
        .await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("location"), Some(INVITATION));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let mut shown = json!({
        "id": invitation().id.0, "email": "bob@example.com", "roles": ["worker"], "created_by": OWNER.0,
        "created_at": "2026-01-01T00:00:01.000000Z", "expires_at": "2026-01-01T00:00:02.000000Z",
        "used_at": "2026-01-01T00:00:03.000000Z", "used_by": OWNER.0, "revoked_at": null
    });
    let listed = admin(&app, Method::GET, INVITATIONS).send().await;
    assert_eq!(listed.value()["data"][0], shown);
    shown["invitation"] = json!("lri_secret");
    assert_eq!(reply.value(), shown);
}

#[tokio::test]
async fn id_04_an_invitation_is_revoked() {
    let mut ports = Ports::new();
    ports.invitations.expect_revoke().once().returning(|_| Ok(()));
    let app = ports.app();
    assert_eq!(admin(&app, Method::DELETE, INVITATION).send().await.status, 204);
    let mut ports = Ports::new();
    ports
        .invitations
        .expect_revoke()
        .once()
        .returning(|_| Err(NotFoundError::NotFound));
    let app = ports.app();
    admin(&app, Method::DELETE, INVITATION)
        .send()
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn id_44_an_erasure_is_accepted_and_can_be_followed() {
    let mut ports = Ports::new();
    ports.erasures.expect_start().once().returning(|caller, request| {
        assert_eq!((caller.owner_id, request.confirm.as_str()), (OWNER, "ann"));
        let password = request.current_password.unwrap();
        assert_eq!(password.expose_secret(), "s3cret");
        Ok(erasure())
    });
    ports.erasures.expect_get().once().returning(|_| Ok(erasure()));
    let app = ports.app();
    let reply = app
        .call(Method::POST, ERASE)
        .json(r#"{"confirm":"ann","current_password":"s3cret"}"#)
        .send()
        .await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (202, Some(ERASURE)));
    assert_eq!(reply.value(), json!({"erasure_id": erasure().id.0, "state": "running"}));
    let reply = admin(&app, Method::GET, ERASURE).send().await;
    let expected = json!({"state": "running", "contexts": {"chat": {"state": "running", "rows": 12}}});
    assert_eq!(reply.value(), expected);
    assert_eq!(ErasureState::Done.as_str(), "done");
}

#[tokio::test]
async fn why_an_account_is_not_erased() {
    for (error, status, code) in [
        (EraseAccountError::CurrentPasswordWrong, 403, "current_password_wrong"),
        (EraseAccountError::LastAdmin, 409, "last_admin"),
        (
            Invalid::one("/confirm", Code::BadFormat, "must be the username").into(),
            422,
            "invalid",
        ),
    ] {
        let mut ports = Ports::new();
        ports.erasures.expect_start().return_once(|_, _| Err(error));
        let app = ports.app();
        let reply = app
            .call(Method::POST, ERASE)
            .json(r#"{"confirm":"ann","current_password":"s3cret"}"#)
            .send()
            .await;
        reply.problem(status, code);
        assert!(!reply.body.contains("s3cret"));
    }
    let app = Ports::new().app();
    app.call(Method::POST, ERASE)
        .json("{}")
        .send()
        .await
        .refused("/confirm", "required");
}
