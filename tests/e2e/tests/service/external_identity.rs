//! Accounts of external issuers.

use serde_json::{Value, json};

use crate::harness::{
    Adapter, Answering, Installation, Key, Publisher, Service, at_once, id_of, password, published, token, until,
};

on_every_adapter!(
    t_021_fifty_first_requests_make_one_user,
    t_022_keys_rotate_and_outlive_their_address,
    t_023_a_token_brings_neither_its_key_nor_its_rights,
    t_024_an_unverified_address_must_be_linked_by_its_holder,
    t_025_an_old_external_token_stays_refused_after_the_erasure,
);

const SHARED: &str = "https://shared.example.com";
const PUBLISHING: &str = "https://publishing.example.com";
const SECRET: &str = "an invented secret that is shared with the issuer";
const SUBJECT: &str = "6a3d6b5e-1d3c-4b6a-9d51-3f1c2c5e7a10";
const ACCOUNT: &str = "/auth/account";

/// An installation that trusts an issuer with a shared secret, and one that publishes its keys where there is one.
async fn trusting(adapter: Adapter, publisher: Option<&Publisher>) -> Installation {
    let mut issuers = vec![format!(
        "{{ name = \"shared\", iss = \"{SHARED}\", aud = \"authenticated\", algorithms = [\"HS256\"], secret = \"{SECRET}\" }}"
    )];
    if let Some(publisher) = publisher {
        issuers.push(format!(
            "{{ name = \"publishing\", iss = \"{PUBLISHING}\", aud = \"authenticated\", algorithms = [\"ES256\"], \
             jwks_url = \"{}\" }}",
            publisher.address()
        ));
    }
    Installation::without_schema(adapter).await.with(
        "LARDER_IDENTITY__EXTERNAL_ISSUERS",
        &format!("[{}]", issuers.join(", ")),
    )
}

fn claims(issuer: &str, more: Value) -> Value {
    let mut claims = json!({"iss": issuer, "aud": "authenticated", "sub": SUBJECT, "iat": 1, "exp": 9_999_999_999_u64});
    claims
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    claims
}

fn shared(more: Value) -> String {
    token(
        &json!({"alg": "HS256", "typ": "JWT"}),
        &claims(SHARED, more),
        Key::Secret(SECRET),
    )
}

fn by_key(kid: &str, number: u8) -> String {
    token(
        &json!({"alg": "ES256", "kid": kid}),
        &claims(PUBLISHING, json!({})),
        Key::Pair(number),
    )
}

async fn status(service: &Service, token: &str) -> u16 {
    service.with_token(token).get(ACCOUNT).answer().await.status
}

async fn t_021_fifty_first_requests_make_one_user(adapter: Adapter) {
    let larder = trusting(adapter, None).await;
    let service = larder.start().await;
    let admin = service.sign_up("admin").await;
    let token = shared(json!({"email": "ann@example.com"}));
    let outside = service.with_token(&token);
    for answer in at_once((0..50).map(|_| outside.get(ACCOUNT))).await {
        assert_eq!(
            (answer.status, &answer.json()["id"]),
            (200, &json!(SUBJECT)),
            "{answer:?}"
        );
    }
    let users = service.by(&admin).list("/auth/users").await;
    assert_eq!(users.len(), 2);
    let ann = service.by(&admin).read(&format!("/auth/users/{SUBJECT}")).await;
    assert_eq!(
        (&ann["email"], &ann["has_password"], &ann["roles"]),
        (&json!("ann@example.com"), &json!(false), &json!([]))
    );
}

async fn t_022_keys_rotate_and_outlive_their_address(adapter: Adapter) {
    let publisher = Publisher::open(vec![published("old", 1)]).await;
    let larder = trusting(adapter, Some(&publisher)).await;
    let service = larder.start().await;
    assert_eq!((status(&service, &by_key("old", 1)).await, publisher.reads()), (200, 1));
    publisher.publish(vec![published("new", 2), published("old", 1)]);
    assert_eq!((status(&service, &by_key("new", 2)).await, publisher.reads()), (200, 2));
    let tokens: Vec<String> = (0..100).map(|number| by_key(&format!("random-{number}"), 3)).collect();
    for answer in at_once(tokens.iter().map(|token| service.with_token(token).get(ACCOUNT))).await {
        assert_eq!(answer.status, 401, "{answer:?}");
        answer.problem("token_invalid");
    }
    assert!(publisher.reads() <= 3, "{} reads", publisher.reads());
    drop(publisher);
    for token in [by_key("old", 1), by_key("new", 2)] {
        assert_eq!(status(&service, &token).await, 200);
    }
}

async fn t_023_a_token_brings_neither_its_key_nor_its_rights(adapter: Adapter) {
    let key = published("a", 1);
    let publisher = Publisher::open(vec![key.clone()]).await;
    let larder = trusting(adapter, Some(&publisher)).await;
    let service = larder.start().await;
    service.sign_up("admin").await;
    assert_eq!(status(&service, &by_key("a", 1)).await, 200);
    let (good, text) = (claims(PUBLISHING, json!({})), key.to_string());
    for (why, token) in [
        (
            "the public key as a secret",
            token(&json!({"alg": "HS256", "kid": "a"}), &good, Key::Secret(&text)),
        ),
        (
            "its own key",
            token(
                &json!({"alg": "ES256", "kid": "a", "jwk": published("a", 9)}),
                &good,
                Key::Pair(9),
            ),
        ),
        (
            "its own key, unnamed",
            token(&json!({"alg": "ES256", "jwk": published("a", 9)}), &good, Key::Pair(9)),
        ),
        (
            "no signature",
            token(&json!({"alg": "none", "kid": "a"}), &good, Key::None),
        ),
        (
            "an unknown issuer",
            token(
                &json!({"alg": "HS256"}),
                &claims("https://other.example.com", json!({})),
                Key::Secret(SECRET),
            ),
        ),
        (
            "the algorithm of another issuer",
            token(
                &json!({"alg": "ES256", "kid": "a"}),
                &claims(SHARED, json!({})),
                Key::Pair(1),
            ),
        ),
    ] {
        let answer = service.with_token(&token).get(ACCOUNT).answer().await;
        assert_eq!(answer.status, 401, "{why}: {answer:?}");
        answer.problem("token_invalid");
    }
    let more = json!({"role": "admin", "roles": ["admin"], "app_metadata": {"roles": ["admin"]}, "user_metadata": {"role": "admin"}});
    let token = shared(more);
    let outside = service.with_token(&token);
    assert_eq!(outside.read(ACCOUNT).await["roles"], json!([]));
    outside.get("/auth/users").expect(403).await.problem("role_required");
}

async fn t_024_an_unverified_address_must_be_linked_by_its_holder(adapter: Adapter) {
    let larder = trusting(adapter, None).await;
    let service = larder.start().await;
    service.sign_up("admin").await;
    let ann = service.sign_up("ann").await;
    let (session, _) = service.by(&ann).converse(&["Mine"]).await;
    let token = shared(json!({"email": "ANN@example.com"}));
    let outside = service.with_token(&token);
    for path in [ACCOUNT, "/chat/sessions", &format!("/chat/sessions/{session}")] {
        let refused = outside.get(path).expect(403).await;
        refused.problem("identity_link_required");
    }
    let linked = service
        .by(&ann)
        .make("/auth/identities", &json!({"token": token}))
        .await;
    assert_eq!(
        (&linked["issuer"], &linked["subject"]),
        (&json!(SHARED), &json!(SUBJECT))
    );
    assert_eq!(outside.read(ACCOUNT).await["id"], ann.user["id"]);
    assert_eq!(id_of(&outside.list("/chat/sessions").await[0]), session);
    let bob = service.sign_up("bob").await;
    let taken = service
        .by(&bob)
        .post("/auth/identities", &json!({"token": token}))
        .expect(409)
        .await;
    taken.problem("identity_taken");
}

async fn t_025_an_old_external_token_stays_refused_after_the_erasure(adapter: Adapter) {
    let larder = trusting(adapter, None)
        .await
        .with("LARDER_IDENTITY__PRINCIPAL_CACHE_TTL", "1s");
    let service = larder.start().await;
    let (admin, ann) = (service.sign_up("admin").await, service.sign_up("ann").await);
    let old = shared(json!({}));
    service.by(&ann).make("/auth/identities", &json!({"token": old})).await;
    assert_eq!(status(&service, &old).await, 200);
    let request = json!({"confirm": "ann", "current_password": password("ann")});
    let begun = service
        .by(&ann)
        .post("/auth/account/erasure", &request)
        .expect(202)
        .await;
    assert_eq!(status(&service, &old).await, 401);
    let erasure = begun.header("location").to_owned();
    until("the erasure is done", async || {
        (service.by(&admin).read(&erasure).await["state"] == "done").then_some(())
    })
    .await;
    assert_eq!(status(&service, &old).await, 401);
    // One that was made afterwards is a newcomer's.
    let fresh = shared(json!({"iat": 4_000_000_000_u64}));
    let newcomer = service.with_token(&fresh).get(ACCOUNT).answer().await;
    assert_ne!(newcomer.json()["id"], ann.user["id"], "{newcomer:?}");
}
