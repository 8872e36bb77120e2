//! Favourites and their export.

use larder_domain::Day;
use larder_domain::chat::SessionHeader;
use larder_ports::inbound::chat::{EditMessageError, Export, Favourite, MessageTag};
use larder_ports::inbound::{Failure, Page};
use larder_ports::outbound::Outage;
use poem::http::Method;
use serde_json::json;

use crate::support::{MESSAGE, MESSAGE_PATH, OWNER, Ports, SESSION, at, message, said};

const EXPORT: &str = "/api/v1/chat/favourites/export";

fn favourite(text: &str) -> Favourite {
    Favourite {
        message: message(said(text)),
        session: SessionHeader {
            id: SESSION,
            name: Some("Lisbon".into()),
            character_name: None,
            tags: vec![],
        },
    }
}

/// Two pages with one favourite each, then none.
fn exporting() -> Ports {
    let mut ports = Ports::new();
    ports.favourites.expect_start_export().returning(|owner_id| {
        assert_eq!(owner_id, OWNER);
        Ok(Export {
            exported_at: at(9),
            day: Day::of_utc(at(9)),
        })
    });
    let mut pages = vec![vec![], vec![favourite("b")], vec![favourite("a")]];
    ports
        .favourites
        .expect_export()
        .times(3)
        .returning(move |_, export, after| {
            assert_eq!((export.exported_at, after.is_none()), (at(9), pages.len() == 3));
            Ok(pages.pop().unwrap())
        });
    ports
}

#[tokio::test]
async fn ch_30_a_mark_is_set_and_removed() {
    let mut ports = Ports::new();
    ports
        .favourites
        .expect_mark()
        .returning(|owner_id, id, favourite, if_match| {
            assert_eq!((owner_id, id), (OWNER, MESSAGE));
            let tag = MessageTag {
                version: 2,
                is_lapsed: false,
            };
            match (favourite, if_match) {
                (true, None) => Ok(()),
                (false, Some(sent)) if sent == tag => Ok(()),
                _ => Err(EditMessageError::Stale),
            }
        });
    let app = ports.app();
    let path = format!("{MESSAGE_PATH}/favourite");
    assert_eq!(app.call(Method::PUT, &path).send().await.status, 204);
    let unmark = app.call(Method::DELETE, &path).header("if-match", "\"2\"").send().await;
    assert_eq!(unmark.status, 204);
    app.call(Method::DELETE, &path).send().await.problem(412, "stale");
}

#[tokio::test]
async fn ch_30_the_list_shows_message_and_session() {
    let mut ports = Ports::new();
    ports.favourites.expect_list().returning(|_, _| {
        Ok(Page {
            data: vec![favourite("x")],
            next_cursor: None,
        })
    });
    let reply = ports.app().get("/api/v1/chat/favourites").send().await;
    let row = &reply.value()["data"][0];
    assert_eq!(row["message"]["text"], "x");
    let session = json!({
        "id": "00000000-0000-0000-0000-000000000051", "name": "Lisbon", "character_name": null, "tags": []
    });
    assert_eq!(row["session"], session);
}

#[tokio::test]
async fn ch_31_json_is_one_object_of_all_pages() {
    let reply = exporting().app().get(EXPORT).send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let disposition = "attachment; filename=\"favourites-20260101.json\"";
    assert_eq!(reply.header("content-disposition"), Some(disposition));
    let start =
        r#"{"format":"larder.favourites","version":1,"exported_at":"2026-01-01T00:00:09.000000Z","data":[{"message":"#;
    assert!(reply.body.starts_with(start), "{}", reply.body);
    let data = reply.value()["data"].as_array().unwrap().clone();
    let texts: Vec<_> = data
        .iter()
        .map(|row| row["message"]["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["a", "b"]);
}

#[tokio::test]
async fn ch_32_markdown_is_a_file_of_text() {
    let reply = exporting().app().get(&format!("{EXPORT}?format=markdown")).send().await;
    assert_eq!(reply.header("content-type"), Some("text/markdown; charset=utf-8"));
    let disposition = "attachment; filename=\"favourites-20260101.md\"";
    assert_eq!(reply.header("content-disposition"), Some(disposition));
    let of =
        |text: &str| format!("\n---\n\n## Lisbon\n\n2026-01-01T00:00:02.000000Z · user · <{MESSAGE_PATH}>\n\n{text}\n");
    let head = "# Favourite messages\n\nExported 2026-01-01T00:00:09.000000Z\n";
    assert_eq!(reply.body, format!("{head}{}{}", of("a"), of("b")));
    let reply = Ports::new().app().get(&format!("{EXPORT}?format=pdf")).send().await;
    reply.refused("/query/format", "bad_format");
}

#[tokio::test]
async fn a_store_that_is_away_is_told_by_a_status() {
    let mut ports = Ports::new();
    ports.favourites.expect_start_export().returning(|_| {
        Ok(Export {
            exported_at: at(9),
            day: Day::of_utc(at(9)),
        })
    });
    ports
        .favourites
        .expect_export()
        .returning(|_, _, _| Err(Failure::Unavailable(Outage::Unreachable, None)));
    ports
        .app()
        .get(EXPORT)
        .send()
        .await
        .problem(503, "database_unavailable");
}
