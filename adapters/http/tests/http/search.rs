//! Search.

use larder_domain::chat::{SenderRole, SessionDraft};
use larder_domain::search::Query;
use larder_domain::{MessageId, SessionId};
use larder_ports::inbound::chat::{MessageHit, SearchError, SearchRequest};
use larder_ports::inbound::{BadCursor, Page};
use larder_ports::outbound::chat::{FoundMessage, MessageScope, TagMatch};
use uuid::Uuid;

use crate::support::{OWNER, Ports, at, session};

const SEARCH: &str = "/api/v1/chat/search";

#[tokio::test]
async fn ch_42_a_page_of_messages() {
    let mut ports = Ports::new();
    ports
        .search
        .expect_messages()
        .once()
        .returning(|owner_id, request, scope, page| {
            let expected = SearchRequest {
                query: "visit \"lond".into(),
                from: Some(at(1)),
                to: Some(at(2)),
                tags: vec!["a".into(), "b".into()],
                tag_match: TagMatch::All,
                character: Some("guide".into()),
                content: None,
            };
            assert_eq!((owner_id, request), (OWNER, expected));
            let only = MessageScope {
                role: Some(SenderRole::User),
                session_id: Some(SessionId(Uuid::from_u128(8))),
            };
            assert_eq!((scope, page.limit, page.cursor.as_deref()), (only, 3, Some("c1")));
            let text = "Visit London";
            let hit = MessageHit {
                message: FoundMessage {
                    id: MessageId(Uuid::from_u128(7)),
                    position: 4,
                    sender_role: SenderRole::User,
                    sender_name: None,
                    text: text.into(),
                    created_at: at(1),
                },
                session: session(SessionDraft::default()),
                excerpt: larder_domain::search::Excerpt::of(text, &Query::parse("visit lond").unwrap()),
            };
            Ok(Page {
                data: vec![hit],
                next_cursor: Some("c2".into()),
            })
        });
    let query = format!(
        "{SEARCH}?q=visit%20%22lond&from={}&to={}&tag=a&tag=b&tag_match=all&character=guide&role=user&session_id={}&limit=3&cursor=c1",
        at(1),
        at(2),
        Uuid::from_u128(8)
    );
    let reply = ports.app().get(&query).send().await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("link").unwrap().contains("cursor=c2"));
    let hit = &reply.value()["data"][0];
    assert_eq!(
        hit["message"].to_string(),
        format!(
            r#"{{"created_at":"{}","excerpt":"Visit London","highlights":[{{"end":5,"start":0}},{{"end":12,"start":6}}],"id":"{}","position":4,"sender_name":null,"sender_role":"user"}}"#,
            at(1),
            Uuid::from_u128(7)
        )
    );
    assert_eq!(hit["session"]["id"], session(SessionDraft::default()).id.to_string());
}

#[tokio::test]
async fn ch_42_a_page_of_sessions() {
    let mut ports = Ports::new();
    ports
        .search
        .expect_sessions()
        .once()
        .returning(|owner_id, request, page| {
            assert_eq!((owner_id, request.query.as_str(), page.limit), (OWNER, "x", 50));
            Ok(Page {
                data: vec![session(SessionDraft::default())],
                next_cursor: None,
            })
        });
    let reply = ports.app().get(&format!("{SEARCH}?q=x&type=sessions")).send().await;
    assert_eq!(reply.status, 200);
    let hit = &reply.value()["data"][0];
    assert!(hit["message"].is_null());
    assert_eq!(hit["session"]["message_count"], 0);
}

#[tokio::test]
async fn ch_41_what_is_refused() {
    let mut ports = Ports::new();
    ports.search.expect_messages().returning(|_, request, _, _| {
        Query::parse(&request.query)?;
        Err(SearchError::BadCursor(BadCursor))
    });
    let app = ports.app();
    app.get(&format!("{SEARCH}?q=%25"))
        .send()
        .await
        .refused("/query/q", "empty_query");
    app.get(&format!("{SEARCH}?q=x&cursor=y"))
        .send()
        .await
        .problem(400, "bad_cursor");
    for (query, pointer, code) in [
        ("q=x&type=files", "/query/type", "bad_format"),
        ("q=x&role=king", "/query/role", "bad_format"),
        ("q=x&type=sessions&role=user", "/query/role", "unknown_field"),
        (
            "q=x&type=sessions&session_id=00000000-0000-0000-0000-000000000001",
            "/query/session_id",
            "unknown_field",
        ),
    ] {
        app.get(&format!("{SEARCH}?{query}"))
            .send()
            .await
            .refused(pointer, code);
    }
    app.get(SEARCH).send().await.problem(422, "invalid");
}
