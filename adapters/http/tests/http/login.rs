//! Signed-in devices.

use larder_domain::LoginId;
use larder_domain::identity::{Login, LoginMethod};
use larder_ports::inbound::identity::{LogOutError, RefreshError};
use larder_ports::inbound::{NotFoundError, Page};
use poem::http::Method;
use secrecy::ExposeSecret;
use serde_json::json;
use uuid::Uuid;

use crate::account::{tokens, tokens_shown};
use crate::support::{OWNER, Ports, at, caller};

const REFRESH: &str = "/api/v1/auth/refresh";
const LOGOUT: &str = "/api/v1/auth/logout";
const LOGINS: &str = "/api/v1/auth/logins";

#[tokio::test]
async fn id_31_a_refresh_answers_tokens_that_no_cache_keeps() {
    let mut ports = Ports::new();
    ports.logins.expect_refresh().once().returning(|token| {
        assert_eq!(token.expose_secret(), "lrr_before");
        Ok(tokens())
    });
    let app = ports.app();
    let reply = app
        .anonymous(Method::POST, REFRESH)
        .json(r#"{"refresh_token":"lrr_before"}"#)
        .send()
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.value(), tokens_shown());
}

#[tokio::test]
async fn id_32_id_34_a_refresh_token_that_does_not_count_is_401() {
    for (error, code) in [
        (RefreshError::Invalid, "refresh_invalid"),
        (RefreshError::Reused, "refresh_reused"),
    ] {
        let mut ports = Ports::new();
        ports.logins.expect_refresh().return_once(|_| Err(error));
        let app = ports.app();
        let call = app.anonymous(Method::POST, REFRESH);
        let reply = call.json(r#"{"refresh_token":"lrr_secret"}"#).send().await;
        reply.problem(401, code);
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        assert!(!reply.body.contains("lrr_secret"));
    }
    let app = Ports::new().app();
    for (body, pointer, code) in [
        ("{}", "/refresh_token", "required"),
        (r#"{"refresh_token":"x","all":true}"#, "/all", "unknown_field"),
    ] {
        let reply = app.anonymous(Method::POST, REFRESH).json(body).send().await;
        reply.refused(pointer, code);
    }
}

#[tokio::test]
async fn id_35_a_logout_needs_no_body() {
    for (body, expected) in [
        (None, false),
        (Some("{}"), false),
        (Some(r#"{"all":null}"#), false),
        (Some(r#"{"all":false}"#), false),
        (Some(r#"{"all":true}"#), true),
    ] {
        let mut ports = Ports::new();
        ports.logins.expect_log_out().once().returning(move |who, all| {
            assert_eq!((who, all), (&caller(), expected));
            Ok(())
        });
        let app = ports.app();
        let call = app.call(Method::POST, LOGOUT);
        let reply = match body {
            Some(body) => call.json(body).send().await,
            None => call.send().await,
        };
        assert_eq!((reply.status.as_u16(), reply.body.as_str()), (204, ""));
    }
    let app = Ports::new().app();
    let reply = app
        .call(Method::POST, LOGOUT)
        .json(r#"{"everywhere":true}"#)
        .send()
        .await;
    reply.refused("/everywhere", "unknown_field");
    let reply = app
        .call(Method::POST, LOGOUT)
        .header("content-length", "2")
        .body("{}")
        .send()
        .await;
    reply.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn id_35_logging_out_again_is_204_and_ends_nothing() {
    let app = Ports::new().app();
    for body in ["{}", r#"{"all":true}"#] {
        let call = app
            .anonymous(Method::POST, LOGOUT)
            .header("authorization", "Bearer logged out");
        assert_eq!(call.json(body).send().await.status, 204);
    }
    // Everywhere else the token is none.
    let call = app
        .anonymous(Method::GET, LOGINS)
        .header("authorization", "Bearer logged out");
    call.send().await.problem(401, "token_invalid");
    for (token, code) in [("expired", "token_expired"), ("bad", "token_invalid")] {
        let call = app
            .anonymous(Method::POST, LOGOUT)
            .header("authorization", &format!("Bearer {token}"));
        call.send().await.problem(401, code);
    }
}

#[tokio::test]
async fn id_35_who_has_no_login_does_not_log_out() {
    let mut ports = Ports::new();
    ports
        .logins
        .expect_log_out()
        .returning(|_, _| Err(LogOutError::InteractiveLoginRequired));
    let reply = ports.app().call(Method::POST, LOGOUT).send().await;
    reply.problem(403, "interactive_login_required");
}

#[tokio::test]
async fn id_35_the_list_of_logins_marks_the_current_one() {
    let login = |id, method| Login {
        owner_id: OWNER,
        id: LoginId(Uuid::from_u128(id)),
        method,
        user_agent: Some("a browser".into()),
        ip_address: None,
        created_at: at(1),
        last_used_at: at(2),
        expires_at: at(3),
        revoked: None,
    };
    let mut ports = Ports::new();
    ports.logins.expect_list().once().returning(move |who, page| {
        assert_eq!((who, page.limit, page.cursor.as_deref()), (&caller(), 2, Some("c1")));
        Ok(Page {
            data: vec![login(0x10, LoginMethod::Password), login(0x11, LoginMethod::SignUp)],
            next_cursor: Some("c2".into()),
        })
    });
    let reply = ports.app().get(&format!("{LOGINS}?limit=2&cursor=c1")).send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("link"),
        Some("</api/v1/auth/logins?limit=2&cursor=c2>; rel=\"next\"")
    );
    let shown = |id: &str, current, method| {
        json!({
            "id": id, "current": current, "method": method, "user_agent": "a browser", "ip_address": null,
            "created_at": "2026-01-01T00:00:01.000000Z", "last_used_at": "2026-01-01T00:00:02.000000Z",
            "expires_at": "2026-01-01T00:00:03.000000Z"
        })
    };
    let expected = json!({"data": [
        shown("00000000-0000-0000-0000-000000000010", true, "password"),
        shown("00000000-0000-0000-0000-000000000011", false, "sign_up"),
    ], "next_cursor": "c2"});
    assert_eq!(reply.value(), expected);
}

#[tokio::test]
async fn id_35_a_login_is_ended_by_its_id() {
    let mut ports = Ports::new();
    ports.logins.expect_end().times(2).returning(|who, id| {
        assert_eq!(*who, caller());
        match id.0.as_u128() {
            0x11 => Ok(()),
            _ => Err(NotFoundError::NotFound),
        }
    });
    let app = ports.app();
    let end = async |id: &str| app.call(Method::DELETE, &format!("{LOGINS}/{id}")).send().await;
    assert_eq!(end("00000000-0000-0000-0000-000000000011").await.status, 204);
    end("00000000-0000-0000-0000-000000000012")
        .await
        .problem(404, "not_found");
    end("eleven").await.problem(400, "malformed_id");
}
