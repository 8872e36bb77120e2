//! What the OpenAPI document must say about every operation, new ones included.

use std::collections::BTreeSet;
use std::path::Path;

use larder_http::openapi_document;
use larder_ports::inbound::Failure;
use larder_ports::inbound::chat::{AppendError, ChangeSessionError, CreateSessionError};
use larder_ports::inbound::identity::{LogInError, SignUpError};
use poem::http::Method;
use serde_json::Value;

use crate::support::Ports;

const PUBLIC: [&str; 6] = [
    "/",
    "/livez",
    "/readyz",
    "/health",
    "/api/v1/auth/sign-up",
    "/api/v1/auth/login",
];

fn document() -> Value {
    serde_json::from_str(&openapi_document()).unwrap()
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
fn every_operation_that_is_not_public_requires_a_token() {
    for (path, method, operation) in operations() {
        let security = &operation["security"];
        if PUBLIC.contains(&path.as_str()) {
            assert!(security.is_null(), "{method} {path}");
        } else {
            assert_eq!(security.to_string(), r#"[{"bearer":[]}]"#, "{method} {path}");
        }
    }
    let scheme = &document()["components"]["securitySchemes"]["bearer"];
    assert_eq!((&scheme["type"], &scheme["scheme"]), (&"http".into(), &"bearer".into()));
}

#[test]
fn every_operation_declares_its_statuses() {
    const GENERAL: [&str; 11] = [
        "400", "401", "403", "405", "413", "415", "422", "429", "500", "503", "504",
    ];
    for (path, method, operation) in operations() {
        let responses = operation["responses"].as_object().unwrap();
        let successes = responses.keys().filter(|status| status.starts_with('2')).count();
        assert_eq!(successes, 1, "{method} {path}");
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
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{method} {path}: {status}");
        }
        // What an operation is about may be missing, and who names a version may name an old one.
        assert_eq!(
            responses.contains_key("404"),
            path.contains('{') || path.ends_with("/turns"),
            "{method} {path}"
        );
        let takes = |name: &str| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            parameters.clone().any(|parameter| parameter["name"] == name)
        };
        assert_eq!(responses.contains_key("412"), takes("If-Match"), "{method} {path}");
        assert_eq!(responses.contains_key("304"), takes("If-None-Match"), "{method} {path}");
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
        "Page_Session",
        "Page_Message",
    ] {
        let schema = &document["components"]["schemas"][name];
        let fields = schema["properties"].as_object().unwrap().len();
        assert_eq!(schema["required"].as_array().unwrap().len(), fields, "{name}");
    }
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
    let app = ports.app();
    let document = document();
    for (path, method, operation) in operations() {
        for (media_type, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
            let schema = content["schema"]["$ref"].as_str().unwrap().trim_start_matches('#');
            let example = &document.pointer(schema).unwrap()["example"];
            assert!(example.is_object(), "{method} {path} has no example");
            let uri = path.replace("{session_id}", "00000000-0000-0000-0000-000000000051");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let call = app
                .call(method, &uri)
                .header("content-type", media_type)
                .body(example.to_string());
            call.send().await.problem(503, "contended");
        }
    }
}
