//! What is somebody else's is answered like what does not exist (conventions §1).

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, Installation, two_people};

on_every_adapter!(
    t_036_a_stranger_sees_nothing,
    t_035_the_same_id_under_two_owners_is_no_conflict
);

const NOBODYS: &str = "0199d3a0-0000-7000-8000-00000000ffff";

async fn t_036_a_stranger_sees_nothing(adapter: Adapter) {
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
    let summary = json!({"text": "Mine", "key_topics": [], "entities": [], "model_name": "some", "config_version": 1});
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
            service.request(Method::POST, &format!("{path}/restore")),
            service.get(&format!("{path}/summary")),
            service.request(Method::PUT, &format!("{path}/summary")).json(&summary),
            service.request(Method::DELETE, &format!("{path}/summary")),
            service
                .request(Method::PUT, &format!("{path}/messages/{message}"))
                .json(&text),
            service
                .request(Method::PATCH, &format!("/api/v1/chat/messages/{message}"))
                .json(&json!({"text": "Mine"})),
            service.request(Method::DELETE, &format!("/api/v1/chat/messages/{message}")),
            service.request(Method::POST, &format!("/api/v1/chat/messages/{message}/restore")),
            service.get(&format!("/api/v1/chat/messages/{message}/revisions")),
            service.request(Method::PUT, &format!("/api/v1/chat/messages/{message}/favourite")),
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

async fn t_035_the_same_id_under_two_owners_is_no_conflict(adapter: Adapter) {
    let (_larder, service, ann, bob) = two_people(adapter).await;
    for person in [&ann, &bob] {
        let by = service.by(person);
        let fields = json!({"id": NOBODYS, "name": person.user["username"]});
        let message = json!({"id": NOBODYS, "sender_role": "user", "text": person.user["username"]});
        by.make("/chat/turns", &json!({"session": fields, "messages": [message]}))
            .await;
    }
    for person in [&ann, &bob] {
        let by = service.by(person);
        let (session, message) = (format!("/chat/sessions/{NOBODYS}"), format!("/chat/messages/{NOBODYS}"));
        let before = by.read(&session).await;
        for (path, body) in [
            ("/chat/sessions".to_owned(), json!({"id": NOBODYS})),
            (
                format!("{session}/messages"),
                json!({"id": NOBODYS, "sender_role": "user", "text": "Again"}),
            ),
        ] {
            by.post(&path, &body).expect(409).await.problem("id_taken");
        }
        assert_eq!(by.read(&session).await, before);
        assert_eq!(before["name"], person.user["username"]);
        assert_eq!(by.read(&message).await["text"], person.user["username"]);
    }
}
