//! Favourites, and audits of files.

use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, each, id_of, two_people};

on_every_adapter!(
    t_060_live_favourites_are_listed_and_exported,
    t_061_files_are_found_by_extension_and_by_name,
    t_062_what_lies_on_a_device_is_found_only_when_asked_for,
);

/// What every adapter must export, to the byte, but for ids and instants.
const MARKDOWN: &str = "# Favourite messages\n\nExported -\n\n---\n\n## Trip\n\n- · user · </api/v1/chat/messages/->\n\nFirst\nline\n\n\
    ---\n\n## New chat\n\n- · assistant · </api/v1/chat/messages/->\n\nThird\n\n\
    - file: https://example.com/plan.pdf (the *plan*)\n- image: https://example.com/map.png\n";

async fn t_060_live_favourites_are_listed_and_exported(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let favourite = |role: &str, text: &str| json!({"sender_role": role, "text": text, "favourite": true});
    let mut third = favourite("assistant", "Third");
    third["attachments"] = json!([
        {"kind": "image", "url": "https://example.com/map.png"},
        {"kind": "file", "url": "https://example.com/plan.pdf", "description": "the *plan*"},
    ]);
    let mut made = Vec::new();
    for (session, message) in [
        (
            json!({"name": "Trip", "tags": ["travel"]}),
            favourite("user", "First\nline"),
        ),
        (json!({"name": "Gone"}), favourite("user", "Second")),
        (json!({}), third),
        (json!({}), json!({"sender_role": "user", "text": "No favourite"})),
    ] {
        made.push(
            ann.make("/chat/turns", &json!({"session": session, "messages": [message]}))
                .await,
        );
    }
    ann.delete(&format!("/chat/sessions/{}", id_of(&made[1]["session"])))
        .expect(204)
        .await;
    let (first, third) = (&made[0]["messages"][0], &made[2]["messages"][0]);

    let listed = ann.list("/chat/favourites").await;
    assert_eq!(each(&listed, "message"), [third.clone(), first.clone()]);
    let session = &listed[1]["session"];
    assert_eq!(session.as_object().unwrap().len(), 4);
    for field in ["id", "name", "character_name", "tags"] {
        assert_eq!(session[field], made[0]["session"][field]);
    }

    let exported = ann.get("/chat/favourites/export").expect(200).await;
    let file = |extension: &str, answer: &crate::harness::Answer| {
        let disposition = answer.header("content-disposition").to_owned();
        let day = disposition
            .strip_prefix("attachment; filename=\"favourites-")
            .and_then(|rest| rest.strip_suffix(&format!(".{extension}\"")));
        assert!(
            day.is_some_and(|day| day.len() == 8 && day.parse::<u32>().is_ok()),
            "{disposition}"
        );
    };
    file("json", &exported);
    assert_eq!(exported.header("content-type"), "application/json");
    let export = exported.json();
    assert_eq!(
        (&export["format"], &export["version"]),
        (&json!("larder.favourites"), &json!(1))
    );
    assert_eq!(
        each(export["data"].as_array().unwrap(), "message"),
        [first.clone(), third.clone()]
    );
    assert_eq!(export["data"][0]["session"], *session);

    let exported = ann.get("/chat/favourites/export?format=markdown").expect(200).await;
    file("md", &exported);
    assert_eq!(exported.header("content-type"), "text/markdown; charset=utf-8");
    let mut text = exported.text.clone();
    let stamp = text
        .lines()
        .find_map(|line| line.strip_prefix("Exported "))
        .unwrap()
        .to_owned();
    for own in [
        &first["id"],
        &first["created_at"],
        &third["id"],
        &third["created_at"],
        &json!(stamp),
    ] {
        text = text.replace(own.as_str().unwrap(), "-");
    }
    assert_eq!(text, MARKDOWN);
}

async fn t_061_files_are_found_by_extension_and_by_name(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    for (role, url) in [
        ("assistant", "https://h/a/Report.PDF?x=1"),
        ("user", "https://h/b/report.pdf"),
    ] {
        let message = json!({"sender_role": role, "attachments": [{"kind": "file", "url": url}]});
        ann.make("/chat/turns", &json!({"messages": [message]})).await;
    }
    for (query, found) in [
        ("extension=.pdf", &["user", "assistant"][..]),
        ("extension=PDF", &["user", "assistant"]),
        ("name=report.pdf", &["user", "assistant"]),
        ("name=eport", &[]),
        ("name=report", &[]),
        ("extension=df", &[]),
        ("ai_only=true", &["assistant"]),
        ("name=REPORT.pdf&extension=pdf&ai_only=true&kind=file", &["assistant"]),
        ("kind=image", &[]),
    ] {
        let hits = ann.list(&format!("/chat/files?{query}")).await;
        assert_eq!(each(&hits, "sender_role"), *found, "{query}");
    }
}

async fn t_062_what_lies_on_a_device_is_found_only_when_asked_for(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let (device, https) = ("/storage/emulated/0/notes.txt", "https://example.com/notes.txt");
    let attachments: Vec<Value> = [device, https]
        .iter()
        .map(|url| json!({"kind": "file", "url": url}))
        .collect();
    let message = json!({"sender_role": "user", "attachments": attachments});
    ann.make("/chat/turns", &json!({"messages": [message]})).await;
    for (query, found) in [("", &[https][..]), ("?include_local=true", &[device, https])] {
        let hits = ann.list(&format!("/chat/files{query}")).await;
        let urls: Vec<&str> = hits
            .iter()
            .map(|hit| hit["attachment"]["url"].as_str().unwrap())
            .collect();
        assert_eq!(urls, found, "{query}");
    }
}
