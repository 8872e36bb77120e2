//! What the OpenAPI document must say about every operation, new ones included.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use larder_http::openapi_document;
use larder_ports::inbound::Failure;
use larder_ports::inbound::chat::{AppendError, ChangeSessionError, CreateSessionError, EditMessageError};
use larder_ports::inbound::chat::{
    ChangePromptError, ChangeSummaryError, CreatePromptError, RenameTagError, ResolveSessionError,
};
use larder_ports::inbound::chat::{ListError, NotFoundError, SearchError};
use larder_ports::inbound::identity::LinkError;
use larder_ports::inbound::identity::{
    ChangeAccountError, ChangePasswordError, LogInError, LogOutError, RefreshError, SignUpError,
};
use larder_ports::inbound::identity::{ChangeUserError, CreateApiTokenError, CreateInvitationError, EraseAccountError};
use poem::http::Method;
use serde_json::Value;

use crate::support::Ports;

const PUBLIC: [&str; 7] = [
    "/",
    "/livez",
    "/readyz",
    "/health",
    "/api/v1/auth/sign-up",
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
];

/// What the compatibility surface reads by POST.
const READS: [&str; 3] = ["/sessions/list", "/sessions/search", "/prompts/list"];

fn document() -> Value {
    serde_json::from_str(&openapi_document()).unwrap()
}

/// Whether an operation is one of the compatibility surface.
fn is_old(operation: &Value) -> bool {
    operation["deprecated"] == true
}

/// Path, method and description of every operation.
fn operations() -> Vec<(String, String, Value)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap();
            operations
                .iter()
                .map(|(method, operation)| (path.clone(), method.clone(), operation.clone()))
        })
        .collect()
}

#[test]
fn the_committed_document_is_the_one_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/openapi.json");
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        committed.trim_end() == openapi_document(),
        "openapi/openapi.json is not the document of this code. Refresh it: cargo run -- openapi > openapi/openapi.json"
    );
}

#[test]
fn the_document_is_stable() {
    assert_eq!(openapi_document(), openapi_document());
}

#[test]
fn every_operation_has_a_name_a_summary_a_tag_and_described_parameters() {
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations() {
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(!name.is_empty(), "{method} {path}");
        assert!(names.insert(name), "{method} {path}: its name is another operation's");
        assert!(operation["summary"].is_string(), "{method} {path}");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{method} {path}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(
                parameter["description"].is_string(),
                "{method} {path}: {}",
                parameter["name"]
            );
        }
    }
    assert!(names.len() >= 16);
}

#[test]
fn every_operation_that_is_not_public_says_which_tokens_open_it() {
    for (path, method, operation) in operations() {
        let security = &operation["security"];
        let tokens = match (path.as_str(), method.as_str()) {
            (path, _) if PUBLIC.contains(&path) => {
                assert!(security.is_null(), "{method} {path}");
                continue;
            }
            ("/api/v1/auth/account", "get") => r#"[{"bearer":[]},{"api_token":[]}]"#,
            (path, _) if path.starts_with("/api/v1/auth/") => r#"[{"bearer":[]}]"#,
            // What is asked for by POST and changes nothing.
            (path, "post") if path.ends_with("/chat/auth/login") => {
                assert!(security.is_null(), "{method} {path}");
                continue;
            }
            (path, "post") if READS.iter().any(|read| path.ends_with(read)) => r#"[{"bearer":[]},{"chat_read":[]}]"#,
            (_, "get") => r#"[{"bearer":[]},{"chat_read":[]}]"#,
            _ => r#"[{"bearer":[]},{"chat_write":[]}]"#,
        };
        assert_eq!(security.to_string(), tokens, "{method} {path}");
    }
    let document = document();
    for (name, scheme) in document["components"]["securitySchemes"].as_object().unwrap() {
        assert_eq!(
            (&scheme["type"], &scheme["scheme"]),
            (&"http".into(), &"bearer".into()),
            "{name}"
        );
        assert!(!scheme["description"].as_str().unwrap().is_empty(), "{name}");
    }
}

#[test]
fn every_operation_declares_its_statuses() {
    const GENERAL: [&str; 11] = [
        "400", "401", "403", "405", "413", "415", "422", "429", "500", "503", "504",
    ];
    for (path, method, operation) in operations() {
        let responses = operation["responses"].as_object().unwrap();
        let successes = responses.keys().filter(|status| status.starts_with('2')).count();
        assert!((1..=2).contains(&successes), "{method} {path}");
        let demanded: &[&str] = if path.starts_with("/api/") {
            &GENERAL
        } else {
            &["405", "500", "504"]
        };
        for status in demanded {
            assert!(responses.contains_key(*status), "{method} {path}: {status}");
        }
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
            if path == "/readyz" && status == "503" {
                continue;
            }
            let (media_type, form) = match is_old(&operation) {
                true => ("application/json", "#/components/schemas/CompatFailure"),
                false => ("application/problem+json", "#/components/schemas/Problem"),
            };
            let schema = &response["content"][media_type]["schema"]["$ref"];
            assert_eq!(schema, form, "{method} {path}: {status}");
        }
        if is_old(&operation) {
            continue;
        }
        // What an operation is about may be missing, and who names a version may name an old one.
        assert_eq!(
            responses.contains_key("404"),
            path.contains('{') || path.ends_with("/turns") || path.ends_with("/tags/rename"),
            "{method} {path}"
        );
        let takes = |name: &str| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            parameters.clone().any(|parameter| parameter["name"] == name)
        };
        assert_eq!(responses.contains_key("412"), takes("If-Match"), "{method} {path}");
        // A PUT takes it too, to insert only.
        let is_read = method == "get" && takes("If-None-Match");
        assert_eq!(responses.contains_key("304"), is_read, "{method} {path}");
    }
}

#[test]
fn every_post_that_creates_may_be_repeated() {
    for (path, method, operation) in operations() {
        // Nobody is known yet who could repeat a sign-up, and a session is resolved by a name that is there once.
        let is_excepted = path.ends_with("/sign-up") || path.ends_with("/resolve");
        if method == "post" && !is_excepted && operation["responses"]["201"].is_object() {
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            assert!(
                parameters.any(|parameter| parameter["name"] == "Idempotency-Key"),
                "{path}"
            );
        }
    }
}

#[test]
fn every_field_of_an_answer_is_required_and_described() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name}.{field}");
        }
    }
    for name in [
        "Session",
        "Message",
        "Attachment",
        "User",
        "SignedIn",
        "Tokens",
        "Login",
        "Page_Session",
        "Page_Message",
        "TagCount",
        "Prompt",
        "Summary",
        "SummaryEntry",
    ] {
        let schema = &document["components"]["schemas"][name];
        let fields = schema["properties"].as_object().unwrap().len();
        assert_eq!(schema["required"].as_array().unwrap().len(), fields, "{name}");
    }
}

/// Generators of clients drop what combines a reference with anything.
#[test]
fn a_reference_is_combined_with_nothing() {
    fn check(value: &Value, at: &str) {
        let inner: Box<dyn Iterator<Item = (String, &Value)>> = match value {
            Value::Object(fields) => Box::new(fields.iter().map(|(name, value)| (name.clone(), value))),
            Value::Array(items) => Box::new(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, value)| (index.to_string(), value)),
            ),
            _ => return,
        };
        if let Some(parts) = value["allOf"].as_array() {
            assert_eq!(parts.len(), 1, "{at}");
        }
        for (name, value) in inner {
            check(value, &format!("{at}/{name}"));
        }
    }
    let document = document();
    assert!(document.to_string().contains("\"allOf\""));
    check(&document, "");
}

#[test]
fn the_problem_codes_are_a_closed_list() {
    let document = document();
    let codes = document["components"]["schemas"]["ProblemCode"]["enum"]
        .as_array()
        .unwrap();
    let distinct: BTreeSet<String> = codes.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), codes.len());
    assert!(codes.contains(&"token_missing".into()) && codes.contains(&"deadline_exceeded".into()));
}

/// Also where several APIs share a path.
#[tokio::test]
async fn a_wrong_method_is_told_those_of_the_document() {
    let app = Ports::new().app();
    let mut paths: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, method, _) in operations() {
        let methods = paths.entry(path).or_default();
        if method == "get" {
            methods.insert("HEAD".to_owned());
        }
        methods.insert(method.to_uppercase());
    }
    for (path, methods) in paths {
        let reply = app.call(Method::TRACE, &path.replace(['{', '}'], "")).send().await;
        assert_eq!(reply.status, 405, "{path}");
        let allowed = reply.header("allow").unwrap_or_default().split(", ").map(str::to_owned);
        assert_eq!(allowed.collect::<BTreeSet<String>>(), methods, "{path}");
    }
}

/// Every body that the document shows as an example gets as far as its use case.
#[tokio::test]
async fn every_example_is_accepted() {
    let mut ports = Ports::new();
    let contended = || Failure::Contended;
    ports
        .accounts
        .expect_sign_up()
        .returning(move |_, _| Err(SignUpError::Failure(contended())));
    ports
        .accounts
        .expect_log_in()
        .returning(move |_, _| Err(LogInError::Failure(contended())));
    ports
        .accounts
        .expect_log_in_compat()
        .returning(move |_, _| Err(LogInError::Failure(contended())));
    ports
        .sessions
        .expect_list_from()
        .returning(move |_, _, _, _| Err(ListError::Failure(contended())));
    ports
        .sessions
        .expect_remove()
        .returning(move |_, _, _| Err(NotFoundError::Failure(contended())));
    ports
        .search
        .expect_sessions()
        .returning(move |_, _, _| Err(SearchError::Failure(contended())));
    ports.prompts.expect_all().returning(move |_| Err(contended()));
    ports
        .prompts
        .expect_delete()
        .returning(move |_, _, _| Err(ChangePromptError::Failure(contended())));
    ports
        .accounts
        .expect_change()
        .returning(move |_, _| Err(ChangeAccountError::Failure(contended())));
    ports
        .accounts
        .expect_change_password()
        .returning(move |_, _, _| Err(ChangePasswordError::Failure(contended())));
    ports
        .logins
        .expect_refresh()
        .returning(move |_| Err(RefreshError::Failure(contended())));
    ports
        .logins
        .expect_log_out()
        .returning(move |_, _| Err(LogOutError::Failure(contended())));
    ports
        .external_identities
        .expect_link()
        .returning(move |_, _, _| Err(LinkError::Failure(contended())));
    ports
        .sessions
        .expect_create()
        .returning(move |_, _| Err(CreateSessionError::Failure(contended())));
    ports
        .sessions
        .expect_change()
        .returning(move |_, _| Err(ChangeSessionError::Failure(contended())));
    ports
        .messages
        .expect_append()
        .returning(move |_, _, _, _| Err(AppendError::Failure(contended())));
    ports
        .messages
        .expect_take_turn()
        .returning(move |_, _| Err(AppendError::Failure(contended())));
    ports
        .edits
        .expect_change()
        .returning(move |_, _| Err(EditMessageError::Failure(contended())));
    ports
        .edits
        .expect_put()
        .returning(move |_, _| Err(EditMessageError::Failure(contended())));
    ports
        .edits
        .expect_attach()
        .returning(move |_, _| Err(EditMessageError::Failure(contended())));
    ports
        .edits
        .expect_grow()
        .returning(move |_, _, _| Err(EditMessageError::Failure(contended())));
    ports
        .edits
        .expect_delete_batch()
        .returning(move |_, _, _| Err(EditMessageError::Failure(contended())));
    ports
        .sessions
        .expect_resolve()
        .returning(move |_, _| Err(ResolveSessionError::Failure(contended())));
    ports
        .tags
        .expect_rename()
        .returning(move |_, _| Err(RenameTagError::Failure(contended())));
    ports
        .prompts
        .expect_create()
        .returning(move |_, _| Err(CreatePromptError::Failure(contended())));
    ports
        .prompts
        .expect_change()
        .returning(move |_, _| Err(ChangePromptError::Failure(contended())));
    ports
        .summaries
        .expect_put()
        .returning(move |_, _| Err(ChangeSummaryError::Failure(contended())));
    ports
        .api_tokens
        .expect_create()
        .returning(move |_, _, _| Err(CreateApiTokenError::Failure(contended())));
    ports
        .users
        .expect_change()
        .returning(move |_| Err(ChangeUserError::Failure(contended())));
    ports
        .invitations
        .expect_create()
        .returning(move |_, _, _| Err(CreateInvitationError::Failure(contended())));
    ports
        .erasures
        .expect_start()
        .returning(move |_, _| Err(EraseAccountError::Failure(contended())));
    let app = ports.app();
    let document = document();
    for (path, method, operation) in operations() {
        for (media_type, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
            let schema = content["schema"]["$ref"].as_str().unwrap().trim_start_matches('#');
            let example = &document.pointer(schema).unwrap()["example"];
            assert!(example.is_object(), "{method} {path} has no example");
            let uri = path
                .replace("{session_id}", "00000000-0000-0000-0000-000000000051")
                .replace("{message_id}", "00000000-0000-0000-0000-00000000003e")
                .replace("{prompt_id}", "00000000-0000-0000-0000-000000000009")
                .replace("{user_id}", "00000000-0000-0000-0000-00000000000a");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let call = app
                .by("admin", method, &uri)
                .header("content-type", media_type)
                .header("if-match", "*")
                .body(example.to_string());
            let reply = call.send().await;
            match is_old(&operation) {
                true => reply.failure(503, "Service temporarily unavailable"),
                false => drop(reply.problem(503, "contended")),
            }
        }
    }
}
