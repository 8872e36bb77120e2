//! Accounts and callers over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Adapter, Answer, Answering, Installation, at_once, password, sign_up};

on_every_adapter!(
    an_account_is_made_and_logs_in_by_name_and_by_email,
    t_001_of_20_first_sign_ups_at_once_exactly_one_is_admin,
    t_002_an_email_in_any_spelling_is_one_account,
    t_003_an_invitation_admits_one,
    t_004_a_bad_password_makes_no_account,
    a_second_stranger_needs_an_invitation_by_default,
    t_005_every_login_that_fails_is_answered_alike,
    t_012_a_caller_without_a_good_token_is_turned_away,
    a_taken_name_is_a_conflict_and_a_bad_one_is_explained,
);

async fn an_account_is_made_and_logs_in_by_name_and_by_email(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let made = service.post("/api/v1/auth/sign-up", &sign_up("ann")).expect(201).await;
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.json();
    assert_eq!(made["token_type"], "Bearer");
    assert_eq!(made["expires_in"], 900);
    assert_eq!(made["user"]["username"], "ann");
    assert_eq!(made["user"]["email"], "ann@example.com");
    assert_eq!(made["user"]["roles"], json!(["admin"]));
    for login in ["ann", "ANN", "Ann@Example.com"] {
        let body = json!({"login": login, "password": password("ann")});
        let answer = service.post("/api/v1/auth/login", &body).expect(200).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.json()["user"]["id"], made["user"]["id"]);
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let account = service
            .get("/api/v1/auth/account")
            .bearer_auth(token)
            .expect(200)
            .await
            .json();
        assert_eq!(account["id"], made["user"]["id"]);
        assert!(account["last_login_at"].is_string(), "{account}");
    }
}

/// T-001.
async fn t_001_of_20_first_sign_ups_at_once_exactly_one_is_admin(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let mut sign_ups: JoinSet<Answer> = (0..20)
        .map(|n| {
            service
                .post("/api/v1/auth/sign-up", &sign_up(&format!("person-{n}")))
                .answer()
        })
        .collect();
    let mut admins = 0;
    while let Some(answer) = sign_ups.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        let roles = answer.json()["user"]["roles"].clone();
        assert!(roles == json!(["admin"]) || roles == json!([]), "{roles}");
        admins += usize::from(roles == json!(["admin"]));
    }
    assert_eq!(admins, 1);
}

async fn t_002_an_email_in_any_spelling_is_one_account(adapter: Adapter) {
    let larder = Installation::without_schema(adapter).await;
    let service = larder.start().await;
    let path = "/api/v1/auth/sign-up";
    let person =
        |username: &str, email: &str| json!({"username": username, "password": password("ann"), "email": email});
    let made = service.post(path, &person("ann", "Ann@Example.org")).expect(201).await;
    assert_eq!(made.json()["user"]["email"], "Ann@Example.org");
    let taken = service.post(path, &person("bob", " ann@example.ORG")).expect(409).await;
    taken.problem("email_taken");
    let body = json!({"login": "ANN@example.org", "password": password("ann")});
    let signed_in = service.post("/api/v1/auth/login", &body).expect(200).await;
    assert_eq!(signed_in.json()["user"]["id"], made.json()["user"]["id"]);
}

async fn t_003_an_invitation_admits_one(adapter: Adapter) {
    let mut larder = Installation::without_schema(adapter)
        .await
        .with("LARDER_IDENTITY__SIGN_UP", "invite");
    let service = larder.start().await;
    let admin = service.sign_up("admin").await;
    let invited = service.by(&admin).make("/auth/invitations", &json!({})).await;
    let path = "/api/v1/auth/sign-up";
    let with_invitation = |username: &str| {
        let mut body = sign_up(username);
        body["invitation"] = invited["invitation"].clone();
        body
    };
    let answers = at_once(["ann", "bob"].map(|name| service.post(path, &with_invitation(name)))).await;
    let (admitted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((admitted.len(), refused.len()), (1, 1), "{answers:?}");
    refused[0].problem("invitation_invalid");
    // An outsider learns nothing about who is there.
    for name in ["zoe", "admin"] {
        let refused = service.post(path, &sign_up(name)).expect(403).await;
        refused.problem("invitation_invalid");
    }
    service.stop().await;

    larder.set("LARDER_IDENTITY__SIGN_UP", "closed");
    let service = larder.start().await;
    let refused = service.post(path, &with_invitation("zoe")).expect(403).await;
    refused.problem("sign_up_closed");
}

async fn t_004_a_bad_password_makes_no_account(adapter: Adapter) {
    let larder = Installation::without_schema(adapter).await;
    let service = larder.start().await;
    for (username, password, code) in [
        ("somebody", "nine char".to_owned(), "password_too_short"),
        ("somebody", "x".repeat(73), "password_too_long"),
        // 25 characters of three bytes each.
        ("somebody", "\u{20ac}".repeat(25), "password_too_long"),
        ("somebody", "ten chars\0".to_owned(), "password_weak"),
        ("Some-Body.1", "some-body.1".to_owned(), "password_weak"),
    ] {
        let body = json!({"username": username, "password": password});
        let refused = service.post("/api/v1/auth/sign-up", &body).expect(422).await;
        assert_eq!(
            refused.problem(code)["errors"][0]["pointer"],
            "/password",
            "{refused:?}"
        );
    }
    // Had there been any, this would not be the first.
    assert_eq!(service.sign_up("ann").await.user["roles"], json!(["admin"]));
}

/// ID-02.
async fn a_second_stranger_needs_an_invitation_by_default(adapter: Adapter) {
    let larder = Installation::new(adapter).await.with("LARDER_IDENTITY__SIGN_UP", "");
    let service = larder.start().await;
    service.sign_up("ann").await;
    let refused = service.post("/api/v1/auth/sign-up", &sign_up("bob")).expect(403).await;
    refused.problem("invitation_invalid");
    let closed = larder.with("LARDER_IDENTITY__SIGN_UP", "closed");
    let service = closed.start().await;
    let refused = service.post("/api/v1/auth/sign-up", &sign_up("bob")).expect(403).await;
    refused.problem("sign_up_closed");
    service.log_in("ann").await;
}

/// ID-10.
async fn t_005_every_login_that_fails_is_answered_alike(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let admin = service.sign_up("ann").await;
    let disabled = service.sign_up("bob").await;
    let path = format!("/api/v1/auth/users/{}", disabled.user["id"].as_str().unwrap());
    service
        .request(Method::PATCH, &path)
        .json(&json!({"disabled": true}))
        .bearer_auth(&admin.token)
        .expect(200)
        .await;
    let mut answers = Vec::new();
    for (login, password) in [
        ("ann", "not the password".to_owned()),
        ("nobody", "not the password".to_owned()),
        ("ann", "x".repeat(73)),
        ("bob", password("bob")),
    ] {
        let body = json!({"login": login, "password": password});
        let answer = service.post("/api/v1/auth/login", &body).expect(401).await;
        let mut problem = answer.problem("invalid_credentials");
        problem["request_id"] = Value::Null;
        let mut headers = answer.headers.clone();
        headers.remove("x-request-id");
        headers.remove("date");
        answers.push((problem, headers));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

/// ID-22.
async fn t_012_a_caller_without_a_good_token_is_turned_away(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let token = service.sign_up("ann").await.token;
    let path = "/api/v1/chat/sessions";
    let (head, _signature) = token.rsplit_once('.').unwrap();
    let cases = [
        (service.get(path), "token_missing"),
        (
            service
                .get(&format!("{path}?limit=1&token={token}"))
                .header("cookie", format!("token={token}")),
            "token_missing",
        ),
        (service.get(path).header("authorization", &token), "token_missing"),
        (
            service.get(path).basic_auth("ann", Some(password("ann"))),
            "token_missing",
        ),
        (service.get(path).bearer_auth("nonsense"), "token_invalid"),
        (service.get(path).bearer_auth(format!("{head}.AAAA")), "token_invalid"),
    ];
    for (request, code) in cases {
        let answer = request.answer().await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
        answer.problem(code);
    }
    service.get(path).bearer_auth(&token).expect(200).await;
    // Without a token, nobody learns whether a path id exists.
    let unknown = format!("{path}/00000000-0000-7000-8000-000000000000");
    service
        .request(Method::DELETE, &unknown)
        .expect(401)
        .await
        .problem("token_missing");
}

async fn a_taken_name_is_a_conflict_and_a_bad_one_is_explained(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    service.sign_up("ann").await;
    let path = "/api/v1/auth/sign-up";
    let mut taken = sign_up("ANN");
    taken["email"] = json!("other@example.com");
    service.post(path, &taken).expect(409).await.problem("username_taken");
    let mut taken = sign_up("bob");
    taken["email"] = json!(" ANN@example.COM");
    service.post(path, &taken).expect(409).await.problem("email_taken");
    for (username, password, pointer, code) in [
        ("b", "long enough for it", "/username", "too_short"),
        ("bob", "tiny one", "/password", "password_too_short"),
        ("bob", &"x".repeat(73), "/password", "password_too_long"),
        ("bob-the-builder", "bob-the-builder", "/password", "password_weak"),
    ] {
        let body = json!({"username": username, "password": password});
        let answer = service.post(path, &body).expect(422).await;
        let errors = answer.json()["errors"].clone();
        assert_eq!(
            (&errors[0]["pointer"], &errors[0]["code"]),
            (&json!(pointer), &json!(code)),
            "{answer:?}"
        );
        assert!(!answer.text.contains(password), "{answer:?}");
    }
}
