//! Who may not do what: every operation of the served OpenAPI document, asked for by everybody who must be turned away.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Adapter, Answer, Answering, Installation, Person, Service, claims, password};

on_every_adapter!(everybody_but_the_owner_is_turned_away);

const KEY: &str = "the key that the tests sign with";
const OTHER_KEY: &str = "the key that some attacker has...";
const ISSUER: &str = "https://issuer.example.com";
const NOBODYS: &str = "0199d3a0-0000-7000-8000-00000000ffff";

/// What may be done without a token; anything else must say in the document which tokens open it.
const PUBLIC: [&str; 9] = [
    "compat_log_in",
    "compat_log_in_mounted",
    "sign_up",
    "log_in",
    "refresh_tokens",
    "welcome",
    "livez",
    "readyz",
    "health",
];

/// Whose business an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Business {
    /// The caller's alone: it names nothing that could be somebody else's.
    Own,
    /// That of the owner of what it names, in the path or in the body.
    Owner,
    /// The same, of what lies in the trash.
    OwnerOfTrash,
    /// A list of one's own, narrowed to something that might be somebody else's.
    Narrowed,
    /// An administrator's.
    Admin,
}

/// A row per operation: its body, or the query of a GET. `{...}` stands for an id.
fn table() -> BTreeMap<&'static str, (Business, Value)> {
    use Business::{Admin, Narrowed, Own, Owner, OwnerOfTrash};
    let text = json!({"sender_role": "user", "text": "Mine"});
    let rows = [
        ("get_account", Own, Value::Null),
        ("change_account", Own, json!({"username": "mallory"})),
        (
            "change_password",
            Own,
            json!({"current_password": password("ann"), "new_password": password("mallory")}),
        ),
        ("log_out", Own, json!({"all": true})),
        (
            "erase_account",
            Own,
            json!({"current_password": password("ann"), "confirm": "ann"}),
        ),
        ("get_erasure", Admin, Value::Null),
        ("list_logins", Own, Value::Null),
        ("end_login", Owner, Value::Null),
        ("list_api_tokens", Own, Value::Null),
        (
            "create_api_token",
            Own,
            json!({"name": "Mine", "scopes": ["chat:read"]}),
        ),
        ("get_api_token", Owner, Value::Null),
        ("revoke_api_token", Owner, Value::Null),
        ("list_identities", Own, Value::Null),
        ("link_identity", Own, json!({"token": "some"})),
        ("unlink_identity", Owner, Value::Null),
        ("list_users", Admin, Value::Null),
        ("get_user", Admin, Value::Null),
        ("change_user", Admin, json!({"disabled": false})),
        ("list_invitations", Admin, Value::Null),
        ("create_invitation", Admin, json!({})),
        ("revoke_invitation", Admin, Value::Null),
        ("list_sessions", Own, Value::Null),
        ("create_session", Own, json!({"name": "Mine"})),
        ("resolve_session", Own, json!({"character_name": "Mine"})),
        ("get_session", Owner, Value::Null),
        ("change_session", Owner, json!({"name": "Mine"})),
        ("delete_session", Owner, Value::Null),
        ("restore_session", OwnerOfTrash, Value::Null),
        ("list_tags", Own, Value::Null),
        ("rename_tag", Owner, json!({"from": "{tag}", "to": "mine"})),
        ("list_prompts", Own, Value::Null),
        ("create_prompt", Own, json!({"title": "Mine", "text": "Mine"})),
        ("get_prompt", Owner, Value::Null),
        ("change_prompt", Owner, json!({"text": "Mine"})),
        ("delete_prompt", Owner, Value::Null),
        ("restore_prompt", OwnerOfTrash, Value::Null),
        ("list_summaries", Own, Value::Null),
        ("get_summary", Owner, Value::Null),
        ("put_summary", Owner, summary()),
        ("delete_summary", Owner, Value::Null),
        ("list_messages", Owner, Value::Null),
        ("append_message", Owner, text.clone()),
        (
            "take_turn",
            Owner,
            json!({"session_id": "{session_id}", "messages": [text]}),
        ),
        ("get_message", Owner, Value::Null),
        ("change_message", Owner, json!({"text": "Mine"})),
        ("put_message", Owner, text.clone()),
        ("delete_message", Owner, Value::Null),
        ("delete_messages", Owner, json!({"ids": ["{message_id}"]})),
        ("restore_message", OwnerOfTrash, Value::Null),
        (
            "attach_to_message",
            Owner,
            json!({"attachments": [{"kind": "file", "url": "https://example.com/mine.txt"}]}),
        ),
        ("grow_message", Owner, json!({"offset": 0, "text": "Mine"})),
        ("list_revisions", Owner, Value::Null),
        ("get_revision", Owner, Value::Null),
        ("mark_favourite", Owner, Value::Null),
        ("unmark_favourite", Owner, Value::Null),
        ("list_favourites", Own, Value::Null),
        ("export_favourites", Own, Value::Null),
        (
            "compat_change_session",
            Owner,
            json!({"session_id": "{session_id}", "session_name": "Mine"}),
        ),
        ("compat_list_sessions", Own, json!({})),
        ("compat_search_sessions", Own, json!({"search_text": "secret"})),
        ("compat_delete_session", Owner, json!({"session_id": "{session_id}"})),
        ("compat_get_prompts", Own, Value::Null),
        ("compat_list_prompts", Own, json!({})),
        ("compat_prompts", Own, Value::Null),
        ("compat_create_prompt", Own, json!({"title": "Mine", "prompt": "Mine"})),
        (
            "compat_change_prompt",
            Owner,
            json!({"prompt_id": "{prompt_id}", "title": "Mine"}),
        ),
        ("compat_delete_prompt", Owner, json!({"prompt_id": "{prompt_id}"})),
        (
            "compat_create_task",
            Own,
            json!({"ai_character_name": "mine", "task_description": "Mine"}),
        ),
        ("list_files", Narrowed, json!({"session_id": "{session_id}"})),
        ("search", Narrowed, json!({"q": "secret", "session_id": "{session_id}"})),
    ];
    rows.into_iter()
        .map(|(id, business, sent)| (id, (business, sent)))
        .collect()
}

/// What the name of an operation of the compatibility surface ends with under its mount. Its row is that of its twin.
const MOUNTED: &str = "_mounted";

fn summary() -> Value {
    json!({"text": "Secret", "key_topics": [], "entities": [], "model_name": "some", "config_version": 1})
}

/// An operation of the document with its row.
#[derive(Debug)]
struct Operation {
    id: String,
    method: Method,
    path: String,
    /// The names of the schemes of which any opens it.
    schemes: BTreeSet<String>,
    conditional: bool,
    /// Whether it is one of the compatibility surface, whose failures have another form.
    old: bool,
    business: Business,
    sent: Value,
}

type Ids = BTreeMap<&'static str, String>;

/// Reads the document, whose public operations must be the known ones, and of which each other must have a row.
async fn operations(service: &Service) -> Vec<Operation> {
    let served = service.get("/openapi.json").expect(200).await;
    let document = served.json();
    let rows = table();
    let mut unused: BTreeSet<&str> = rows.keys().copied().collect();
    let (mut found, mut public) = (Vec::new(), BTreeSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"]
                .as_str()
                .expect("an operation has an id")
                .to_owned();
            let Some(security) = operation["security"].as_array() else {
                public.insert(id);
                continue;
            };
            let row = id.strip_suffix(MOUNTED).unwrap_or(&id);
            unused.remove(row);
            let (business, sent) = rows
                .get(row)
                .cloned()
                .unwrap_or_else(|| panic!("The operation `{id}` has no row in the table of {}.", file!()));
            assert!(business != Business::Own || !path.contains('{'), "{id} names something");
            let schemes: BTreeSet<String> = security
                .iter()
                .flat_map(|demand| demand.as_object().unwrap().keys().cloned())
                .collect();
            assert!(schemes.contains("bearer"), "{id} opens to access tokens");
            let parameters = operation["parameters"].as_array();
            found.push(Operation {
                id,
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                schemes,
                conditional: parameters.is_some_and(|list| list.iter().any(|one| one["name"] == "If-Match")),
                old: operation["deprecated"] == true,
                business,
                sent,
            });
        }
    }
    assert!(unused.is_empty(), "rows without an operation: {unused:?}");
    assert_eq!(public, PUBLIC.map(str::to_owned).into(), "the public operations");
    // A path that is there twice hides the operations of its first place from every reader.
    let written = served.text.matches("\"operationId\"").count();
    assert_eq!(found.len() + public.len(), written, "a path is written twice");
    found
}

impl Operation {
    async fn ask(&self, service: &Service, ids: &Ids, token: Option<&str>) -> Answer {
        let fill = |text: &str| {
            ids.iter().fold(text.to_owned(), |text, (name, id)| {
                text.replace(&format!("{{{name}}}"), id)
            })
        };
        let sent: Value = serde_json::from_str(&fill(&self.sent.to_string())).unwrap();
        let mut path = fill(&self.path);
        assert!(!path.contains('{'), "no id for {path}");
        if self.method == Method::GET
            && let Some(query) = sent.as_object()
        {
            let query: Vec<String> = query
                .iter()
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
                .collect();
            path = format!("{path}?{}", query.join("&"));
        }
        let mut request = service.request(self.method.clone(), &path);
        if self.conditional {
            // A version that nothing has: whoever may know that the thing exists is told 412.
            request = request.header("if-match", "\"999\"");
        }
        if self.method != Method::GET && !sent.is_null() {
            request = request.json(&sent);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.answer().await
    }

    /// Asserts that the answer is this refusal, and gives it.
    fn refused(&self, why: &str, answer: &Answer, status: u16, code: &str) -> Value {
        assert_eq!(answer.status, status, "{}, {why}: {answer:?}", self.id);
        if !self.old {
            return answer.problem(code);
        }
        let failure = answer.failure();
        match status {
            401 => assert_eq!(failure["data"], json!({"reason": code}), "{}, {why}", self.id),
            403 => assert_eq!(failure["message"], "Insufficient scope", "{}, {why}", self.id),
            _ => assert!(failure["message"].as_str().unwrap().ends_with("not found"), "{failure}"),
        }
        failure
    }
}

fn signed(algorithm: Algorithm, key: &str, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some("a".to_owned());
    encode(&header, claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
}

fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "none", "typ": "at+jwt", "kid": "a"});
    format!("{}.{}.", part(&header), part(claims))
}

/// ID-22, ID-42, ID-61, ID-62, conventions §1.
async fn everybody_but_the_owner_is_turned_away(adapter: Adapter) {
    let keys = format!("[{{ kid = \"a\", secret = \"{KEY}\" }}]");
    let issuers = format!(
        "[{{ name = \"some\", iss = \"{ISSUER}\", aud = \"larder\", algorithms = [\"HS256\"], secret = \"{OTHER_KEY}\" }}]"
    );
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_IDENTITY__JWT__KEYS", &keys)
        .with("LARDER_IDENTITY__EXTERNAL_ISSUERS", &issuers);
    let service = larder.start().await;
    let operations = operations(&service).await;
    let admin = service.sign_up("ada").await;
    let (ann, bob) = (service.sign_up("ann").await, service.sign_up("bob").await);
    let (ids, trash) = things(&service, &admin, &ann).await;

    bad_tokens_open_nothing(&service, &operations, &ids, &ann).await;
    narrow_tokens_open_little(&service, &operations, &ids, &ann).await;

    let before = readable(&service, &operations, &ids, &admin, &ann).await;
    strangers_find_nothing(&service, &operations, [&ids, &trash], &bob).await;
    let after = readable(&service, &operations, &ids, &admin, &ann).await;
    assert_eq!(before, after, "what strangers tried changed nothing");

    owners_find_it(&service, operations, [&ids, &trash], &admin, &ann).await;
}

/// One of everything that has an owner, of Ann's, and the same of what lies in the trash.
async fn things(service: &Service, admin: &Person, ann: &Person) -> (Ids, Ids) {
    let id = |value: &Value| value.as_str().expect("an id").to_owned();
    let make = async |person: &Person, path: &str, body: Value, status: u16| {
        let request = service.post(&format!("/api/v1{path}"), &body);
        request.bearer_auth(&person.token).expect(status).await.json()
    };
    let delete = async |path: String| {
        let request = service.request(Method::DELETE, &format!("/api/v1/chat{path}"));
        request
            .header("if-match", "*")
            .bearer_auth(&ann.token)
            .expect(204)
            .await;
    };
    let turn = json!({
        "session": {"name": "Secret", "tags": ["secret"]},
        "messages": [
            {"sender_role": "user", "text": "Secret"},
            {"sender_role": "assistant", "text": "Secret too"},
        ],
    });
    let (kept, removed) = (
        make(ann, "/chat/turns", turn.clone(), 201).await,
        make(ann, "/chat/turns", turn, 201).await,
    );
    let prompt = json!({"title": "Secret", "text": "Secret"});
    let kept_prompt = make(ann, "/chat/prompts", prompt, 201).await;
    let prompt = json!({"title": "Secret too", "text": "Secret"});
    let removed_prompt = make(ann, "/chat/prompts", prompt, 201).await;
    let (session, message) = (id(&kept["session"]["id"]), id(&kept["messages"][0]["id"]));
    service
        .request(Method::PUT, &format!("/api/v1/chat/sessions/{session}/summary"))
        .json(&summary())
        .bearer_auth(&ann.token)
        .expect(201)
        .await;
    // Gives the message a revision.
    service
        .request(Method::PATCH, &format!("/api/v1/chat/messages/{message}"))
        .json(&json!({"text": "Secret, edited"}))
        .bearer_auth(&ann.token)
        .expect(200)
        .await;

    let token = make(
        ann,
        "/auth/api-tokens",
        json!({"name": "Some", "scopes": ["chat:read"]}),
        201,
    )
    .await;
    let outside = json!({"iss": ISSUER, "aud": "larder", "sub": "ann-1", "iat": 1, "exp": 9_999_999_999_u64});
    let outside = encode(
        &Header::new(Algorithm::HS256),
        &outside,
        &EncodingKey::from_secret(OTHER_KEY.as_bytes()),
    );
    let identity = make(ann, "/auth/identities", json!({"token": outside.unwrap()}), 201).await;
    let other_login = claims(&service.log_in("ann").await.token)["sid"].clone();
    let invitation = make(admin, "/auth/invitations", json!({}), 201).await;
    let eve = service.sign_up("eve").await;
    let erasure = json!({"current_password": password("eve"), "confirm": "eve"});
    let erasure = id(&make(&eve, "/auth/account/erasure", erasure, 202).await["erasure_id"]);

    let ids = Ids::from([
        ("session_id", session),
        ("message_id", message),
        ("revision", "1".to_owned()),
        ("tag", "secret".to_owned()),
        ("prompt_id", id(&kept_prompt["id"])),
        ("token_id", id(&token["id"])),
        ("identity_id", id(&identity["id"])),
        ("login_id", id(&other_login)),
        ("user_id", id(&ann.user["id"])),
        ("invitation_id", id(&invitation["id"])),
        ("erasure_id", erasure),
    ]);
    let trash = Ids::from([
        ("session_id", id(&removed["session"]["id"])),
        ("message_id", id(&kept["messages"][1]["id"])),
        ("prompt_id", id(&removed_prompt["id"])),
    ]);
    delete(format!("/sessions/{}", trash["session_id"])).await;
    delete(format!("/messages/{}", trash["message_id"])).await;
    delete(format!("/prompts/{}", trash["prompt_id"])).await;
    (ids, trash)
}

async fn bad_tokens_open_nothing(service: &Service, operations: &[Operation], ids: &Ids, ann: &Person) {
    let good = claims(&ann.token);
    let mut late = good.clone();
    late["exp"] = json!(good["iat"].as_i64().unwrap() - 60);
    let forged = signed(Algorithm::HS256, KEY, &good);
    let account = service.get("/api/v1/auth/account").bearer_auth(forged);
    // Else the tokens below might be bad for another reason than the one they are for.
    account.expect(200).await;

    let tokens = [
        ("no token", None, "token_missing"),
        ("garbage", Some("garbage".to_owned()), "token_invalid"),
        ("expired", Some(signed(Algorithm::HS256, KEY, &late)), "token_expired"),
        ("HS512", Some(signed(Algorithm::HS512, KEY, &good)), "token_invalid"),
        ("alg none", Some(unsigned(&good)), "token_invalid"),
        (
            "another key",
            Some(signed(Algorithm::HS256, OTHER_KEY, &good)),
            "token_invalid",
        ),
    ];
    for operation in operations {
        for (why, token, code) in &tokens {
            let answer = operation.ask(service, ids, token.as_deref()).await;
            operation.refused(why, &answer, 401, code);
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
        }
    }
}

async fn narrow_tokens_open_little(service: &Service, operations: &[Operation], ids: &Ids, ann: &Person) {
    let document = service.get("/openapi.json").expect(200).await.json();
    let scopes = document["components"]["schemas"]["Scope"]["enum"].as_array().unwrap();
    let issue = async |scopes: Vec<&Value>| {
        let name = format!("Narrow {}", serde_json::to_string(&scopes).unwrap().len());
        let body = json!({"name": format!("{name} {}", scopes.len()), "scopes": scopes});
        let request = service.post("/api/v1/auth/api-tokens", &body).bearer_auth(&ann.token);
        request.expect(201).await.json()["token"].as_str().unwrap().to_owned()
    };
    let full = issue(scopes.iter().collect()).await;
    let mut narrow = BTreeMap::new();
    for operation in operations {
        let opening: Vec<&String> = operation.schemes.iter().filter(|name| *name != "bearer").collect();
        match opening[..] {
            [] => {
                let answer = operation.ask(service, ids, Some(&full)).await;
                operation.refused("an API token", &answer, 403, "interactive_login_required");
            }
            [scheme] if scheme == "api_token" => {
                let answer = operation.ask(service, ids, Some(&full)).await;
                assert_eq!(answer.status, 200, "{}: {answer:?}", operation.id);
            }
            [scheme] => {
                let scope = scheme.replace('_', ":");
                if !narrow.contains_key(&scope) {
                    let (fitting, others) = scopes.iter().partition(|other| **other == *scope);
                    narrow.insert(scope.clone(), (issue(fitting).await, issue(others).await));
                }
                let (fitting, others) = &narrow[&scope];
                let answer = operation.ask(service, ids, Some(others)).await;
                operation.refused("every other scope", &answer, 403, "insufficient_scope");
                assert!(answer.header("www-authenticate").contains(&scope), "{answer:?}");
                if operation.method == Method::GET {
                    let answer = operation.ask(service, ids, Some(fitting)).await;
                    assert_eq!(answer.status, 200, "{}: {answer:?}", operation.id);
                }
            }
            _ => panic!("{} demands {opening:?}, which the matrix does not know", operation.id),
        }
    }
}

async fn strangers_find_nothing(service: &Service, operations: &[Operation], [ids, trash]: [&Ids; 2], bob: &Person) {
    let unknown: Ids = ids
        .keys()
        .map(|name| match *name {
            "revision" => (*name, "1".to_owned()),
            "tag" => (*name, "nothing".to_owned()),
            _ => (*name, NOBODYS.to_owned()),
        })
        .collect();
    for operation in operations {
        let ids = match operation.business {
            Business::Own => continue,
            Business::OwnerOfTrash => trash,
            Business::Owner | Business::Narrowed | Business::Admin => ids,
        };
        let foreign = operation.ask(service, ids, Some(&bob.token)).await;
        let random = operation.ask(service, &unknown, Some(&bob.token)).await;
        if operation.business == Business::Narrowed {
            assert_eq!(
                (foreign.status, &foreign.text),
                (random.status, &random.text),
                "{operation:?}"
            );
            assert_eq!(foreign.json()["data"], json!([]), "{operation:?}");
            continue;
        }
        let (status, code) = match operation.business {
            Business::Admin => (403, "role_required"),
            _ => (404, "not_found"),
        };
        let [foreign, random] = [("another owner's", foreign), ("a random id", random)].map(|(why, answer)| {
            let mut problem = operation.refused(why, &answer, status, code);
            problem["request_id"] = Value::Null;
            problem["instance"] = Value::Null;
            problem
        });
        assert_eq!(foreign, random, "{}", operation.id);
    }
}

/// All that Ann and the administrator read. It also shows that the ids are those of things that exist.
async fn readable(
    service: &Service,
    operations: &[Operation],
    ids: &Ids,
    admin: &Person,
    ann: &Person,
) -> BTreeMap<String, String> {
    let mut read = BTreeMap::new();
    for operation in operations.iter().filter(|one| one.method == Method::GET) {
        let reader = if operation.business == Business::Admin {
            admin
        } else {
            ann
        };
        let answer = operation.ask(service, ids, Some(&reader.token)).await;
        assert_eq!(answer.status, 200, "{}: {answer:?}", operation.id);
        // An erasure goes on by itself, and an export tells when it was made.
        if !["get_erasure", "export_favourites"].contains(&operation.id.as_str()) {
            read.insert(operation.id.clone(), answer.text);
        }
    }
    read
}

/// Those who may are not turned away with the very requests that strangers sent: what these met was no other obstacle.
async fn owners_find_it(
    service: &Service,
    mut operations: Vec<Operation>,
    [ids, trash]: [&Ids; 2],
    admin: &Person,
    ann: &Person,
) {
    operations.retain(|one| one.method != Method::GET && one.business != Business::Own);
    // What can be deleted under a condition only is so; else it is gone for the twin.
    let deletes = |one: &Operation| one.id.contains("delete");
    operations.retain(|one| !(deletes(one) && one.id.ends_with(MOUNTED)));
    operations.sort_by_key(|one| (deletes(one), one.old, one.id.clone()));
    for operation in operations {
        let (person, ids) = match operation.business {
            Business::Admin => (admin, ids),
            Business::OwnerOfTrash => (ann, trash),
            _ => (ann, ids),
        };
        let answer = operation.ask(service, ids, Some(&person.token)).await;
        let found = matches!(answer.status, 200..=299 | 409 | 412);
        assert!(found, "{}: {answer:?}", operation.id);
    }
}
