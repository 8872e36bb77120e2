//! An account goes, with all that its owner has.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Adapter, Answering, Installation, Person, Service, password, until};

on_every_adapter!(
    t_025_an_erased_account_leaves_nothing,
    t_025_an_erasure_goes_on_after_a_restart,
);

/// The service waits two of these between the passes.
const CACHE: (&str, &str) = ("LARDER_IDENTITY__PRINCIPAL_CACHE_TTL", "1s");

impl Service {
    /// An administrator, and somebody else with a conversation and an API token.
    async fn two_people(&self) -> (Person, Person, String) {
        let (admin, ann) = (self.sign_up("admin").await, self.sign_up("ann").await);
        let turn = json!({"messages": [{"sender_role": "user", "text": "secret of ann"}]});
        self.post("/api/v1/chat/turns", &turn)
            .bearer_auth(&ann.token)
            .expect(201)
            .await;
        let made = self
            .post(
                "/api/v1/auth/api-tokens",
                &json!({"name": "reader", "scopes": ["chat:read"]}),
            )
            .bearer_auth(&ann.token)
            .expect(201)
            .await;
        let api_token = made.json()["token"].as_str().unwrap().to_owned();
        self.get("/api/v1/chat/sessions")
            .bearer_auth(&api_token)
            .expect(200)
            .await;
        (admin, ann, api_token)
    }

    /// Where its progress can be read.
    async fn erase(&self, ann: &Person) -> String {
        let request = json!({"confirm": "ann", "current_password": password("ann")});
        let begun = self
            .post("/api/v1/auth/account/erasure", &request)
            .bearer_auth(&ann.token)
            .expect(202)
            .await;
        begun.header("location").to_owned()
    }

    async fn until_erased(&self, location: &str, admin: &Person) {
        let done = until("the erasure is done", async || {
            let answer = self.get(location).bearer_auth(&admin.token).answer().await;
            let erasure = answer.json();
            (erasure["state"] == "done").then_some(erasure)
        })
        .await;
        assert_eq!(done["contexts"]["chat"]["state"], "done", "{done}");
        assert_eq!(done["contexts"]["chat"]["rows"], 2, "{done}");
    }
}

async fn t_025_an_erased_account_leaves_nothing(adapter: Adapter) {
    let larder = Installation::new(adapter).await.with(CACHE.0, CACHE.1);
    let service = larder.start().await;
    let (admin, ann, api_token) = service.two_people().await;
    let location = service.erase(&ann).await;
    for token in [&ann.token, &api_token] {
        service
            .get("/api/v1/chat/sessions")
            .bearer_auth(token)
            .expect(401)
            .await;
    }
    service.until_erased(&location, &admin).await;
    let again = service.sign_up("ann").await;
    assert_ne!(again.user["id"], ann.user["id"]);
    let seen = service
        .get("/api/v1/chat/sessions")
        .bearer_auth(&again.token)
        .expect(200)
        .await;
    assert_eq!(seen.json()["data"], json!([]));
    let gone = format!("/api/v1/auth/users/{}", ann.user["id"].as_str().unwrap());
    service
        .request(Method::GET, &gone)
        .bearer_auth(&admin.token)
        .expect(404)
        .await;
}

async fn t_025_an_erasure_goes_on_after_a_restart(adapter: Adapter) {
    let larder = Installation::new(adapter).await.with(CACHE.0, CACHE.1);
    let service = larder.start().await;
    let (_, ann, _) = service.two_people().await;
    let location = service.erase(&ann).await;
    service.kill().await;
    let service = larder.start().await;
    let admin = service.log_in("admin").await;
    service.until_erased(&location, &admin).await;
}
