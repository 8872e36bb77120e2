//! The labels on conversations.

use larder_domain::chat::Tag;
use larder_ports::inbound::Page;
use larder_ports::inbound::chat::{RenameTag, RenameTagError};
use larder_ports::outbound::chat::TagCount;
use poem::http::Method;

use crate::support::{OWNER, Ports};

const TAGS: &str = "/api/v1/chat/tags";
const RENAME: &str = "/api/v1/chat/tags/rename";

#[tokio::test]
async fn ch_24_a_page_of_tags() {
    let mut ports = Ports::new();
    ports.tags.expect_list().once().returning(|owner_id, page| {
        assert_eq!((owner_id, page.limit, page.cursor.as_deref()), (OWNER, 3, Some("c1")));
        let count = TagCount {
            tag: Tag::from_stored("Straße".into()),
            session_count: 2,
        };
        Ok(Page {
            data: vec![count],
            next_cursor: Some("c2".into()),
        })
    });
    let reply = ports.app().get(&format!("{TAGS}?limit=3&cursor=c1")).send().await;
    assert_eq!(
        (reply.status.as_u16(), reply.body.as_str()),
        (
            200,
            r#"{"data":[{"tag":"Straße","session_count":2}],"next_cursor":"c2"}"#
        )
    );
    let link = "</api/v1/chat/tags?limit=3&cursor=c2>; rel=\"next\"";
    assert_eq!(reply.header("link"), Some(link));
}

#[tokio::test]
async fn ch_24_renaming_answers_the_number_of_changed_sessions() {
    let mut ports = Ports::new();
    ports.tags.expect_rename().once().returning(|owner_id, rename| {
        let expected = RenameTag {
            from: "a".into(),
            to: "B".into(),
        };
        assert_eq!((owner_id, rename), (OWNER, expected));
        Ok(3)
    });
    ports
        .tags
        .expect_rename()
        .returning(|_, _| Err(RenameTagError::NotFound));
    let app = ports.app();
    let body = r#"{"from":"a","to":"B"}"#;
    let reply = app.call(Method::POST, RENAME).json(body).send().await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, r#"{"changed":3}"#));
    let reply = app.call(Method::POST, RENAME).json(body).send().await;
    reply.problem(404, "not_found");
}

#[tokio::test]
async fn ch_24_both_names_are_needed() {
    let app = Ports::new().app();
    for (body, pointer, code) in [
        (r#"{"from":"a"}"#, "/to", "required"),
        (r#"{"from":null,"to":"b"}"#, "/from", "required"),
        (r#"{"from":"a","to":"b","merge":true}"#, "/merge", "unknown_field"),
    ] {
        let reply = app.call(Method::POST, RENAME).json(body).send().await;
        reply.refused(pointer, code);
    }
}
