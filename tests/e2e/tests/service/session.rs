//! Sessions and tasks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, By, at_once, each, id_of, two_people};

on_every_adapter!(
    t_050_paging_meets_each_old_session_once,
    t_051_a_cursor_is_of_one_owner_and_one_list,
    t_054_a_task_has_a_status,
    t_055_a_character_resolves_to_one_session,
    t_056_a_patch_may_move_a_session_in_the_list,
    t_070_a_session_comes_back_as_it_went,
);

const SESSIONS: &str = "/chat/sessions";

async fn ids(caller: By<'_>, path: &str) -> Vec<String> {
    caller.list(path).await.iter().map(id_of).collect()
}

async fn t_050_paging_meets_each_old_session_once(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..120 {
        let id = id_of(&ann.make(SESSIONS, &json!({})).await);
        let body = json!({"last_update": "2026-03-01T10:00:00Z"});
        ann.patch(&format!("{SESSIONS}/{id}"), &body).expect(200).await;
        met.insert(id, 0);
    }
    // They come and go before, among and behind the old ones.
    let churn = async |number: u32| {
        for day in ["2026-02-28", "2026-03-01", "2026-03-02"] {
            let path = format!("{SESSIONS}/{}", id_of(&ann.make(SESSIONS, &json!({})).await));
            let body = json!({"last_update": format!("{day}T10:00:00Z")});
            ann.patch(&path, &body).expect(200).await;
            if number == 1 {
                ann.delete(&path).expect(204).await;
            }
        }
    };
    let (mut path, mut page) = (format!("{SESSIONS}?limit=50"), 0);
    loop {
        let answer = ann.read(&path).await;
        for session in answer["data"].as_array().unwrap() {
            if let Some(count) = met.get_mut(&id_of(session)) {
                *count += 1;
            }
        }
        let Some(cursor) = answer["next_cursor"].as_str() else {
            break;
        };
        path = format!("{SESSIONS}?limit=50&cursor={cursor}");
        churn(page).await;
        page += 1;
    }
    assert!(page >= 2);
    assert!(met.values().all(|count| *count == 1), "{met:?}");
}

async fn t_051_a_cursor_is_of_one_owner_and_one_list(adapter: Adapter) {
    let (_larder, service, ann, bob) = two_people(adapter).await;
    let (ann, bob) = (service.by(&ann), service.by(&bob));
    for caller in [ann, ann, bob, bob] {
        caller.make(SESSIONS, &json!({})).await;
    }
    let page = ann.read(&format!("{SESSIONS}?limit=1")).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let mut forged = cursor.to_owned();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    for (caller, query) in [
        (bob, format!("cursor={cursor}")),
        (ann, format!("cursor={cursor}&tag=work")),
        (ann, format!("cursor={cursor}&deleted=only")),
        (ann, format!("cursor={forged}")),
        (ann, "cursor=".to_owned()),
        (ann, "cursor=AAAA".to_owned()),
    ] {
        let refused = caller.get(&format!("{SESSIONS}?{query}")).expect(400).await;
        refused.problem("bad_cursor");
    }
    let tags = ann.get(&format!("/chat/favourites?cursor={cursor}")).expect(400).await;
    tags.problem("bad_cursor");
    assert_eq!(ann.list(&format!("{SESSIONS}?limit=1&cursor={cursor}")).await.len(), 1);
}

async fn t_054_a_task_has_a_status(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let plain = id_of(&ann.make(SESSIONS, &json!({"name": "Plain"})).await);
    let task = id_of(&ann.make(SESSIONS, &json!({"name": "Task"})).await);
    let path = format!("{SESSIONS}/{task}");
    for body in [
        json!({"task_priority": "high"}),
        json!({"task_description": "Buy milk"}),
    ] {
        let refused = ann.patch(&path, &body).expect(422).await;
        refused.problem("task_without_status");
    }
    let made = ann
        .patch(&path, &json!({"task_status": "active"}))
        .expect(200)
        .await
        .json();
    assert_eq!(
        (&made["task_status"], &made["task_priority"]),
        (&json!("active"), &json!("medium"))
    );
    let fields = json!({"task_priority": "high", "task_description": "Buy milk"});
    ann.patch(&path, &fields).expect(200).await;
    for (filter, found) in [
        ("task_status=any", &task),
        ("task_status=active", &task),
        ("task_status=active&task_priority=high", &task),
        ("task_status=none", &plain),
    ] {
        assert_eq!(
            ids(ann, &format!("{SESSIONS}?{filter}")).await,
            std::slice::from_ref(found),
            "{filter}"
        );
    }
    for filter in ["task_status=done", "task_status=any&task_priority=low"] {
        assert_eq!(
            ids(ann, &format!("{SESSIONS}?{filter}")).await,
            [] as [String; 0],
            "{filter}"
        );
    }
    let cleared = ann.patch(&path, &json!({"task_status": null})).expect(200).await.json();
    for field in ["task_status", "task_priority", "task_description"] {
        assert_eq!(cleared[field], Value::Null, "{field}");
    }
    assert_eq!(ann.list(&format!("{SESSIONS}?task_status=none")).await.len(), 2);
}

async fn t_055_a_character_resolves_to_one_session(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let resolve = || ann.post("/chat/sessions/resolve", &json!({"character_name": "Ada"}));
    let answers = at_once((0..50).map(|_| resolve())).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        49,
        "{statuses:?}"
    );
    let first = id_of(&answers[0].json());
    assert!(answers.iter().all(|answer| id_of(&answer.json()) == first));
    ann.delete(&format!("{SESSIONS}/{first}")).expect(204).await;
    let second = id_of(&resolve().expect(201).await.json());
    assert_ne!(second, first);
    ann.restore(&format!("{SESSIONS}/{first}")).expect(200).await;
    resolve().expect(200).await;
    assert_eq!(ann.list(&format!("{SESSIONS}?character=Ada")).await.len(), 2);
}

async fn t_056_a_patch_may_move_a_session_in_the_list(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let older = id_of(&ann.make(SESSIONS, &json!({"name": "Older", "tags": ["work"]})).await);
    let newer = id_of(&ann.make(SESSIONS, &json!({"name": "Newer"})).await);
    let path = format!("{SESSIONS}/{older}");
    ann.patch(&path, &json!({"model_name": "large"})).expect(200).await;
    assert_eq!(ids(ann, SESSIONS).await, [newer.clone(), older.clone()]);
    let body = json!({"last_update": "2126-03-01T11:00:00+01:00", "name": null, "tags": null});
    let moved = ann.patch(&path, &body).expect(200).await.json();
    assert_eq!(moved["last_update"], "2126-03-01T10:00:00.000000Z");
    assert_eq!((&moved["name"], &moved["tags"]), (&Value::Null, &json!([])));
    assert_eq!(ids(ann, SESSIONS).await, [older.clone(), newer.clone()]);
    ann.patch(&path, &json!({"last_update": "2020-03-01T10:00:00Z"}))
        .expect(200)
        .await;
    assert_eq!(ids(ann, SESSIONS).await, [newer, older]);
}

async fn t_070_a_session_comes_back_as_it_went(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let texts = ["apricot one", "apricot two", "apricot three"];
    let (session, messages) = ann.converse(&texts).await;
    let path = format!("{SESSIONS}/{session}");
    let attachments = json!({"attachments": [{"kind": "file", "url": "https://example.com/apricot.pdf"}]});
    ann.post(&format!("/chat/messages/{}/attachments", messages[0]), &attachments)
        .expect(200)
        .await;
    ann.mark(&messages[0]).await;
    ann.patch(
        &format!("/chat/messages/{}", messages[0]),
        &json!({"text": "apricot 1"}),
    )
    .expect(200)
    .await;
    ann.delete(&format!("/chat/messages/{}", messages[1])).expect(204).await;
    let before = ann.list(&format!("{path}/messages")).await;
    assert_eq!(each(&before, "id"), [messages[0].as_str(), messages[2].as_str()]);

    ann.delete(&path).expect(204).await;
    ann.delete(&path).expect(404).await;
    let absent = async || {
        for path in [
            path.clone(),
            format!("{path}/messages"),
            format!("{path}/summary"),
            format!("/chat/messages/{}", messages[0]),
            format!("/chat/messages/{}/revisions", messages[0]),
            format!("/chat/messages/{}/revisions/1", messages[0]),
        ] {
            ann.get(&path).expect(404).await.problem("not_found");
        }
        let empty = [
            "/chat/search?q=apricot",
            "/chat/search?q=apricot&type=sessions",
            "/chat/files",
            "/chat/favourites",
        ];
        for list in [&empty[..], &[SESSIONS]].concat() {
            assert_eq!(ann.list(list).await, [] as [Value; 0], "{list}");
        }
    };
    absent().await;
    let trashed = ann.list(&format!("{path}/messages?deleted=with")).await;
    assert_eq!(trashed.len(), 3);

    let restored = ann.restore(&path).expect(200).await.json();
    assert_eq!(restored["message_count"], 2);
    assert_eq!(ann.list(&format!("{path}/messages")).await, before);
    assert_eq!(ann.list("/chat/search?q=apricot").await.len(), 2);
    assert_eq!(ann.list("/chat/files").await.len(), 1);

    ann.delete(&format!("{path}?purge=true")).expect(204).await;
    absent().await;
    ann.get(&format!("{path}/messages?deleted=with")).expect(404).await;
    ann.restore(&path).expect(404).await;
    assert_eq!(ann.list(&format!("{SESSIONS}?deleted=with")).await, [] as [Value; 0]);
}
