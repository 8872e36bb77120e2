//! What administrators do, and what they can't.

use serde_json::json;

use crate::harness::{Adapter, Answering, at_once, password, two_people};

on_every_adapter!(
    t_018_of_two_administrators_who_demote_each_other_one_stays,
    t_027_disabling_ends_everything_and_enabling_brings_no_login_back,
);

async fn t_018_of_two_administrators_who_demote_each_other_one_stays(adapter: Adapter) {
    let (_larder, service, ann, bob) = two_people(adapter).await;
    for _ in 0..5 {
        // Whoever of the two was left promotes the other again.
        for (one, other) in [(&ann, &bob), (&bob, &ann)] {
            let path = format!("/auth/users/{}", other.id());
            service
                .by(one)
                .patch(&path, &json!({"roles": ["admin"]}))
                .answer()
                .await;
        }
        let demote = |by, whom: &crate::harness::Person| {
            let path = format!("/auth/users/{}", whom.id());
            service.by(by).patch(&path, &json!({"roles": []}))
        };
        let answers = at_once([demote(&ann, &bob), demote(&bob, &ann)]).await;
        let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((done.len(), refused.len()), (1, 1), "{answers:?}");
        match refused[0].status {
            409 => refused[0].problem("last_admin"),
            // The other one was faster by so much that the demoted was no administrator any more.
            _ => refused[0].problem("role_required"),
        };
        let admins = [&ann, &bob].map(|person| service.by(person).get("/auth/users").answer());
        let [one, other] = admins;
        let mut statuses = [one.await.status, other.await.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 403]);
    }
}

async fn t_027_disabling_ends_everything_and_enabling_brings_no_login_back(adapter: Adapter) {
    let (_larder, service, admin, bob) = two_people(adapter).await;
    let user = format!("/auth/users/{}", bob.id());
    let body = json!({"name": "Reader", "scopes": ["chat:read"]});
    let made = service.by(&bob).make("/auth/api-tokens", &body).await;
    let program = service.with_token(made["token"].as_str().unwrap());
    program.get("/chat/sessions").expect(200).await;
    let refused = service.by(&bob).get("/auth/users").expect(403).await;
    refused.problem("role_required");

    let refresh = json!({"refresh_token": bob.refresh_token});
    let credentials = json!({"login": "bob", "password": password("bob")});
    let statuses = async || {
        let mut statuses = Vec::new();
        for request in [
            service.by(&bob).get("/chat/sessions"),
            program.get("/chat/sessions"),
            service.post("/api/v1/auth/refresh", &refresh),
            service.post("/api/v1/auth/login", &credentials),
        ] {
            statuses.push(request.answer().await.status);
        }
        statuses
    };
    let disabled = service
        .by(&admin)
        .patch(&user, &json!({"disabled": true}))
        .expect(200)
        .await;
    assert_eq!(disabled.json()["disabled"], true);
    assert_eq!(statuses().await, [401, 401, 401, 401]);
    service
        .by(&admin)
        .patch(&user, &json!({"disabled": false}))
        .expect(200)
        .await;
    assert_eq!(statuses().await, [401, 200, 401, 200]);
}
