//! What is somebody else's is answered like what does not exist (conventions §1).

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, Installation};

on_every_adapter!(a_stranger_sees_nothing, the_same_id_under_two_owners_is_no_conflict);

const NOBODYS: &str = "0199d3a0-0000-7000-8000-00000000ffff";

/// T-036.
async fn a_stranger_sees_nothing(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let (ann, bob) = (service.sign_up("ann").await, service.sign_up("bob").await);
    let turn = json!({"messages": [{"sender_role": "user", "text": "Secret"}]});
    let made = service
        .post("/api/v1/chat/turns", &turn)
        .bearer_auth(&ann.token)
        .expect(201)
        .await
        .json();
    let session = made["session"]["id"].as_str().unwrap();
    let message = made["messages"][0]["id"].as_str().unwrap();

    let text = json!({"sender_role": "user", "text": "Hello"});
    let requests = |session: &str, message: &str| -> Vec<RequestBuilder> {
        let path = format!("/api/v1/chat/sessions/{session}");
        vec![
            service.get(&path),
            service.get(&format!("{path}/messages")),
            service.get(&format!("/api/v1/chat/messages/{message}")),
            service.post(&format!("{path}/messages"), &text),
            service.post(
                "/api/v1/chat/turns",
                &json!({"session_id": session, "messages": [text]}),
            ),
            service.request(Method::PATCH, &path).json(&json!({"name": "Mine"})),
            service
                .request(Method::PATCH, &path)
                .header("if-match", "\"1\"")
                .json(&json!({"name": "Mine"})),
            service.request(Method::DELETE, &path),
        ]
    };
    for (foreign, unknown) in requests(session, message).into_iter().zip(requests(NOBODYS, NOBODYS)) {
        let foreign = foreign.bearer_auth(&bob.token).expect(404).await;
        let unknown = unknown.bearer_auth(&bob.token).expect(404).await;
        let anonymous = |mut problem: Value| {
            problem["request_id"] = Value::Null;
            problem["instance"] = Value::Null;
            problem
        };
        assert_eq!(
            anonymous(foreign.problem("not_found")),
            anonymous(unknown.problem("not_found"))
        );
    }
    let listed = service
        .get("/api/v1/chat/sessions")
        .bearer_auth(&bob.token)
        .expect(200)
        .await
        .json();
    assert_eq!(listed["data"], json!([]));

    let path = format!("/api/v1/chat/sessions/{session}");
    let untouched = service.get(&path).bearer_auth(&ann.token).expect(200).await.json();
    assert_eq!(untouched, made["session"]);
}

/// T-035.
async fn the_same_id_under_two_owners_is_no_conflict(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let mut names = Vec::new();
    for person in [service.sign_up("ann").await, service.sign_up("bob").await] {
        let body = json!({"id": NOBODYS, "name": person.user["username"]});
        service
            .post("/api/v1/chat/sessions", &body)
            .bearer_auth(&person.token)
            .expect(201)
            .await;
        names.push((person.token, person.user["username"].clone()));
    }
    for (token, name) in names {
        let read = service
            .get(&format!("/api/v1/chat/sessions/{NOBODYS}"))
            .bearer_auth(token)
            .expect(200)
            .await;
        assert_eq!(read.json()["name"], name);
    }
}
