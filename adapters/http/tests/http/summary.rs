//! Digests of conversations.

use larder_domain::SummaryId;
use larder_domain::chat::{Summary, SummaryState};
use larder_ports::inbound::Page;
use larder_ports::inbound::chat::{ChangeSummaryError, NotFoundError, SummaryEntry, SummaryStored, SummaryView};
use poem::http::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::{OWNER, Ports, SESSION, SESSION_PATH, at};

const SUMMARIES: &str = "/api/v1/chat/summaries";
const SUMMARY_PATH: &str = "/api/v1/chat/sessions/00000000-0000-0000-0000-000000000051/summary";
const DRAFT: &str = r#"{"text":"t","key_topics":["a"],"entities":[],"model_name":"m","config_version":1}"#;

fn summary() -> Summary {
    Summary {
        owner_id: OWNER,
        id: SummaryId(Uuid::from_u128(3)),
        session_id: SESSION,
        text: "t".into(),
        key_topics: vec!["a".into()],
        entities: vec![],
        model_name: "m".into(),
        config_version: 1,
        source_content_revision: 5,
        message_count: 4,
        first_message_at: Some(at(1)),
        last_message_at: None,
        generated_at: at(2),
        created_at: at(2),
        updated_at: at(2),
        version: 3,
    }
}

fn view(state: SummaryState) -> SummaryView {
    SummaryView {
        summary: summary(),
        state,
    }
}

#[tokio::test]
async fn ch_62_a_summary_that_became_stale_has_another_tag() {
    for (state, tag, reason) in [
        (SummaryState::Fresh, "\"3\"", None),
        (SummaryState::Content, "\"3-content\"", Some("content")),
        (SummaryState::Config, "\"3-config\"", Some("config")),
    ] {
        let mut ports = Ports::new();
        ports.summaries.expect_get().returning(move |owner_id, id| {
            assert_eq!((owner_id, id), (OWNER, SESSION));
            Ok(view(state))
        });
        let app = ports.app();
        let reply = app.get(SUMMARY_PATH).send().await;
        assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some(tag)));
        let expected = json!({
            "session_id": SESSION.0, "text": "t", "key_topics": ["a"], "entities": [], "model_name": "m",
            "config_version": 1, "source_content_revision": 5, "message_count": 4,
            "first_message_at": "2026-01-01T00:00:01.000000Z", "last_message_at": null,
            "generated_at": "2026-01-01T00:00:02.000000Z", "stale": reason.is_some(), "stale_reason": reason, "version": 3
        });
        assert_eq!(reply.value(), expected);
        let reply = app.get(SUMMARY_PATH).header("if-none-match", tag).send().await;
        assert_eq!(reply.status, 304);
        let reply = app
            .get(SUMMARY_PATH)
            .header("if-none-match", "\"3-other\"")
            .send()
            .await;
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn ch_60_put_answers_201_for_a_new_summary_and_200_for_a_replaced_one() {
    for is_new in [true, false] {
        let mut ports = Ports::new();
        ports.summaries.expect_put().once().returning(move |owner_id, put| {
            assert_eq!((owner_id, put.session_id, put.if_match), (OWNER, SESSION, None));
            assert_eq!(put.draft.source_content_revision, Some(5));
            Ok(SummaryStored {
                view: view(SummaryState::Fresh),
                is_new,
            })
        });
        let body = DRAFT.replace('}', r#","source_content_revision":5}"#);
        let reply = ports.app().call(Method::PUT, SUMMARY_PATH).json(&body).send().await;
        let (status, location) = if is_new { (201, Some(SUMMARY_PATH)) } else { (200, None) };
        assert_eq!((reply.status.as_u16(), reply.header("location")), (status, location));
        assert_eq!(reply.header("etag"), Some("\"3\""));
    }
}

#[tokio::test]
async fn ch_61_an_older_summary_is_409_and_another_version_412() {
    for (error, status, code) in [
        (ChangeSummaryError::Older, 409, "older_summary"),
        (ChangeSummaryError::Stale, 412, "stale"),
        (ChangeSummaryError::NotFound, 404, "not_found"),
    ] {
        let mut ports = Ports::new();
        ports.summaries.expect_put().return_once(move |_, put| {
            assert_eq!(put.if_match, Some(3));
            Err(error)
        });
        let app = ports.app();
        // The tag of a summary that was stale when it was read names its version too.
        let call = app.call(Method::PUT, SUMMARY_PATH).header("if-match", "\"3-content\"");
        call.json(DRAFT).send().await.problem(status, code);
    }
}

#[tokio::test]
async fn a_summary_is_deleted_as_the_version_that_was_read() {
    let mut ports = Ports::new();
    ports.summaries.expect_delete().returning(|_, id, if_match| {
        assert_eq!(id, SESSION);
        match if_match {
            None | Some(3) => Ok(()),
            Some(_) => Err(ChangeSummaryError::Stale),
        }
    });
    let app = ports.app();
    for (tag, status) in [("*", 204), ("\"3-config\"", 204), ("\"2\"", 412), ("3", 400)] {
        let call = app.call(Method::DELETE, SUMMARY_PATH).header("if-match", tag);
        assert_eq!(call.send().await.status.as_u16(), status, "{tag}");
    }
    assert_eq!(app.call(Method::DELETE, SUMMARY_PATH).send().await.status, 204);
}

#[tokio::test]
async fn ch_63_summaries_are_listed_by_state() {
    let mut ports = Ports::new();
    ports.summaries.expect_list().once().returning(|owner_id, state, page| {
        assert_eq!((owner_id, state, page.limit), (OWNER, Some(SummaryState::Content), 50));
        let entry = |state, summary| SummaryEntry {
            session_id: SESSION,
            session_name: Some("Trip".into()),
            state,
            summary,
        };
        Ok(Page {
            data: vec![
                entry(SummaryState::Content, Some(summary())),
                entry(SummaryState::Missing, None),
            ],
            next_cursor: None,
        })
    });
    let app = ports.app();
    let reply = app.get(&format!("{SUMMARIES}?state=content")).send().await;
    assert_eq!(reply.status, 200);
    let data = &reply.value()["data"];
    assert_eq!(
        (&data[0]["state"], &data[0]["summary"]["stale"]),
        (&json!("content"), &json!(true))
    );
    let missing = json!({"session_id": SESSION.0, "session_name": "Trip", "state": "missing", "summary": null});
    assert_eq!(data[1], missing);
    let reply = app.get(&format!("{SUMMARIES}?state=stale")).send().await;
    reply.refused("/query/state", "bad_format");
}

#[tokio::test]
async fn bodies_of_summaries_are_strict_and_a_missing_one_is_404() {
    let mut ports = Ports::new();
    ports
        .summaries
        .expect_get()
        .returning(|_, _| Err(NotFoundError::NotFound));
    let app = ports.app();
    app.get(SUMMARY_PATH).send().await.problem(404, "not_found");
    assert!(SUMMARY_PATH.starts_with(SESSION_PATH));
    for (body, pointer, code) in [
        ("{}", "/text", "required"),
        (&DRAFT.replace("[\"a\"]", "[7]"), "/key_topics/0", "wrong_type"),
        (&DRAFT.replace("\"m\"", "null"), "/model_name", "required"),
        (&DRAFT.replace('}', r#","stale":false}"#), "/stale", "read_only"),
        (
            &DRAFT.replace('}', r#","generated_at":null}"#),
            "/generated_at",
            "read_only",
        ),
        (&DRAFT.replace('}', r#","topic":1}"#), "/topic", "unknown_field"),
    ] {
        let reply = app.call(Method::PUT, SUMMARY_PATH).json(body).send().await;
        reply.refused(pointer, code);
    }
}
