//! Search.

use reqwest::{RequestBuilder, Url};
use serde_json::{Value, json};

use crate::harness::{Adapter, Answering, By, Installation, each, two_people};

on_every_adapter!(
    t_063_words_are_found_without_case_and_accent,
    t_064_a_session_with_many_hits_is_one,
    t_065_the_next_search_agrees_with_every_change,
);

fn search(caller: By<'_>, query: &str, more: &str) -> RequestBuilder {
    let query = Url::parse_with_params("http://example.com", [("q", query)]).unwrap();
    caller.get(&format!("/chat/search?{}&{more}", query.query().unwrap()))
}

async fn hits(caller: By<'_>, query: &str, more: &str) -> Vec<Value> {
    let Value::Array(hits) = search(caller, query, more).expect(200).await.json()["data"].take() else {
        panic!("{query} is answered by no list");
    };
    hits
}

async fn t_063_words_are_found_without_case_and_accent(adapter: Adapter) {
    let (_larder, service, ann, bob) = two_people(adapter).await;
    let (ann, bob) = (service.by(&ann), service.by(&bob));
    ann.converse(&["Visit London", "Crème brûlée", "100%_done"]).await;
    for (query, found) in [
        ("lond", &["Visit London"][..]),
        ("CREME", &["Crème brûlée"]),
        ("brulee creme", &["Crème brûlée"]),
        ("100 done", &["100%_done"]),
        ("done visit", &[]),
        ("ondon", &[]),
        ("lon visit", &[]),
    ] {
        let excerpts: Vec<Value> = hits(ann, query, "")
            .await
            .iter()
            .map(|hit| hit["message"]["excerpt"].clone())
            .collect();
        assert_eq!(excerpts, found, "{query}");
    }
    for query in ["%", "_", "\"", "*", " "] {
        search(ann, query, "").expect(422).await.problem("empty_query");
    }
    for query in ["word ".repeat(17), "x".repeat(201)] {
        search(ann, &query, "").expect(422).await.problem("invalid");
    }
    let hit = &hits(ann, "creme", "").await[0]["message"];
    assert_eq!(hit["highlights"], json!([{"start": 0, "end": 5}]));
    assert_eq!(hits(bob, "london", "").await, [] as [Value; 0]);
}

async fn t_064_a_session_with_many_hits_is_one(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let (one, _) = ann.converse(&["cherry"]).await;
    let (many, _) = ann.converse(&["cherry"; 20]).await;
    let messages = vec![json!({"sender_role": "user", "text": "cherry pie"}); 20];
    for _ in 0..4 {
        ann.make("/chat/turns", &json!({"session_id": many, "messages": messages}))
            .await;
    }
    let found = hits(ann, "cherry", "type=sessions&limit=2").await;
    assert_eq!(each(&each(&found, "session"), "id"), [many.as_str(), one.as_str()]);
    assert_eq!(hits(ann, "cherry", "limit=200").await.len(), 101);
    search(ann, "cherry", &format!("type=sessions&session_id={one}"))
        .expect(422)
        .await;
}

async fn t_065_the_next_search_agrees_with_every_change(adapter: Adapter) {
    let (_larder, service, ann, _) = two_people(adapter).await;
    let ann = service.by(&ann);
    let (session, messages) = ann.converse(&["quince jelly"]).await;
    let (session, message) = (
        format!("/chat/sessions/{session}"),
        format!("/chat/messages/{}", messages[0]),
    );
    let found = async |quinces: usize, medlars: usize| {
        for (query, expected) in [("quince", quinces), ("medlar", medlars)] {
            for of in ["messages", "sessions"] {
                assert_eq!(
                    hits(ann, query, &format!("type={of}")).await.len(),
                    expected,
                    "{of} with {query}"
                );
            }
        }
    };
    found(1, 0).await;
    ann.patch(&message, &json!({"text": "medlar jelly"})).expect(200).await;
    found(0, 1).await;
    ann.delete(&message).expect(204).await;
    found(0, 0).await;
    ann.restore(&message).expect(200).await;
    found(0, 1).await;
    ann.delete(&session).expect(204).await;
    found(0, 0).await;
    ann.restore(&session).expect(200).await;
    found(0, 1).await;
    ann.delete(&format!("{message}?purge=true")).expect(204).await;
    found(0, 0).await;
    ann.patch(&session, &json!({"name": "Quince"})).expect(200).await;
    assert_eq!(hits(ann, "quince", "type=sessions").await.len(), 1);
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % below as u64).unwrap()
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }
}

const WORDS: [&str; 32] = [
    "London",
    "londres",
    "LONG",
    "Crème",
    "creme",
    "brûlée",
    "Straße",
    "STRASSE",
    "naïve",
    "co-operate",
    "100%",
    "_done",
    "it's",
    "Москва",
    "москве",
    "Ёлка",
    "Αθήνα",
    "ΑΘΗΝΑΣ",
    "ß",
    "ﬁne",
    "東京",
    "東京都",
    "ภาษาไทย",
    "שלום",
    "سلام",
    "नमस्ते",
    "🦀",
    "x86",
    "Ⅻ",
    "e\u{301}te",
    "été",
    "İstanbul",
];

#[tokio::test]
async fn t_066_every_adapter_finds_the_same() {
    let mut answers: Vec<Vec<String>> = Vec::new();
    for adapter in [Adapter::Sqlite, Adapter::PgSqlx, Adapter::PgTokio] {
        let larder = Installation::without_schema(adapter).await;
        let service = larder.start().await;
        let ann = service.sign_up("ann").await;
        let ann = service.by(&ann);
        let mut dice = Dice(66);
        for turn in 0..25 {
            let messages: Vec<Value> = (0..20)
                .map(|number| {
                    let id = format!("0199d3a0-0000-7000-8000-{:012x}", turn * 20 + number);
                    let words: Vec<&str> = (0..=dice.roll(30)).map(|_| dice.pick(&WORDS)).collect();
                    json!({"id": id, "sender_role": "user", "text": words.join(dice.pick(&[" ", ", ", "\n", "-"]))})
                })
                .collect();
            ann.make("/chat/turns", &json!({"messages": messages})).await;
        }
        let mut found = Vec::new();
        for _ in 0..200 {
            let words: Vec<&str> = (0..=dice.roll(3)).map(|_| dice.pick(&WORDS)).collect();
            let mut query = words.join(" ");
            // Often only the beginning of the last word.
            for _ in 0..dice.roll(3) {
                query.pop();
            }
            let answer = search(ann, &query, "limit=200").answer().await;
            found.push(match answer.status {
                200 => each(answer.json()["data"].as_array().unwrap(), "message")
                    .iter()
                    .map(|hit| format!("{query}: {} {} {}", hit["id"], hit["excerpt"], hit["highlights"]))
                    .collect::<Vec<_>>()
                    .join("\n"),
                422 => format!("{query}: {}", answer.problem("empty_query")["code"]),
                _ => panic!("{query}: {answer:?}"),
            });
        }
        answers.push(found);
    }
    let hits = answers[0]
        .iter()
        .filter(|found| found.contains("highlights") || found.contains('['))
        .count();
    assert!(hits > 100, "only {hits} queries find anything");
    for other in &answers[1..] {
        for (one, other) in answers[0].iter().zip(other) {
            assert_eq!(one, other);
        }
    }
}
