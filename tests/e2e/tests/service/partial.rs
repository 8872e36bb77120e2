//! Partial answers. T-077, which is about time that passes, is a case of `tests/conformance` with a settable clock.

use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, By, Installation, at_once, id_of, two_people};

on_every_adapter!(
    t_076_chunks_continue_what_is_stored,
    t_076_two_writers_of_one_stream_end_with_the_exact_text,
    t_078_acknowledged_chunks_survive_a_kill,
);

/// Makes a partial message and gives its path.
async fn partial(caller: By<'_>, text: &str) -> String {
    let message = json!({"sender_role": "assistant", "status": "partial", "text": text});
    let made = caller.make("/chat/turns", &json!({"messages": [message]})).await;
    format!("/chat/messages/{}", id_of(&made["messages"][0]))
}

async fn t_076_chunks_continue_what_is_stored(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let path = partial(ann, "").await;
    let chunk =
        |offset: usize, text: &str| ann.post(&format!("{path}/chunks"), &json!({"offset": offset, "text": text}));
    for (offset, text, length) in [
        (0, "Zoë", 3),
        (3, " and ", 8),
        // Again, and all of it.
        (3, " and ", 8),
        (0, "Zoë and ", 8),
        // An overlap, counted in characters.
        (2, "ë and 🦀", 9),
        (9, "", 9),
    ] {
        let grown = chunk(offset, text).expect(200).await.json();
        assert_eq!(grown["length"], length, "{offset} {text}: {grown}");
        assert_eq!(grown["reasoning_length"], 0);
    }
    for (offset, text) in [(10, "gap"), (0, "Zoe"), (8, "!")] {
        let problem = chunk(offset, text).expect(409).await.problem("chunk_mismatch");
        assert_eq!(
            (&problem["length"], &problem["reasoning_length"]),
            (&json!(9), &json!(0))
        );
    }
    let reasoning = json!({"reasoning_offset": 0, "reasoning": "because"});
    let grown = ann.post(&format!("{path}/chunks"), &reasoning).expect(200).await.json();
    assert_eq!((&grown["length"], &grown["reasoning_length"]), (&json!(9), &json!(7)));
    let done = json!({"status": "complete", "usage": {"output_tokens": 4}});
    let message = ann.patch(&path, &done).expect(200).await.json();
    assert_eq!(
        (&message["text"], &message["revision"]),
        (&json!("Zoë and 🦀"), &json!(1))
    );
    chunk(9, "late").expect(409).await.problem("message_not_partial");
    ann.patch(&path, &json!({"status": "partial"}))
        .expect(409)
        .await
        .problem("message_not_partial");
}

async fn t_076_two_writers_of_one_stream_end_with_the_exact_text(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let path = partial(ann, "").await;
    let text: String = ('a'..='z').cycle().take(200).collect();
    // Both send the whole stream in pieces of their own; whoever is told of a gap goes back to what is stored.
    let write = async |size: usize| {
        let mut offset = 0;
        while offset < text.len() {
            let end = text.len().min(offset + size);
            let chunk = json!({"offset": offset, "text": &text[offset..end]});
            let answer = ann.post(&format!("{path}/chunks"), &chunk).answer().await;
            let told = usize::try_from(answer.json()["length"].as_u64().unwrap()).unwrap();
            offset = match answer.status {
                200 => end,
                409 => offset.min(told),
                _ => panic!("{answer:?}"),
            };
        }
    };
    tokio::join!(write(7), write(11));
    let done = ann
        .patch(&path, &json!({"status": "complete"}))
        .expect(200)
        .await
        .json();
    assert_eq!(done["text"], text);
    // The same chunk at once is there once.
    let path = partial(ann, "").await;
    let chunk = json!({"offset": 0, "text": "once"});
    for answer in at_once((0..20).map(|_| ann.post(&format!("{path}/chunks"), &chunk))).await {
        assert_eq!(
            (answer.status, &answer.json()["length"]),
            (200, &json!(4)),
            "{answer:?}"
        );
    }
    assert_eq!(ann.read(&path).await["text"], "once");
}

async fn t_078_acknowledged_chunks_survive_a_kill(adapter: Adapter) {
    let larder = Installation::without_schema(adapter).await;
    let service = larder.start().await;
    let person = service.sign_up("ann").await;
    let path = partial(service.by(&person), "").await;
    let mut text = String::new();
    for number in 0..20 {
        let piece = format!("{number} ");
        let chunk = json!({"offset": text.len(), "text": piece});
        service
            .by(&person)
            .post(&format!("{path}/chunks"), &chunk)
            .expect(200)
            .await;
        text.push_str(&piece);
    }
    service.kill().await;
    let service = larder.start().await;
    let read: Value = service.by(&person).read(&path).await;
    assert_eq!((&read["text"], &read["status"]), (&json!(text), &json!("partial")));
    let chunk = json!({"offset": text.len(), "text": "on"});
    service
        .by(&person)
        .post(&format!("{path}/chunks"), &chunk)
        .expect(200)
        .await;
}
