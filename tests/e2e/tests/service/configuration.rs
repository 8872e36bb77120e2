//! What the process makes of its configuration. The rules themselves are tested where they are written, without a process.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::harness::{Adapter, Answering, Installation, Outcome, Relay};

mod everywhere {
    use super::*;

    on_every_adapter!(
        cf_55_a_check_has_an_exit_code_and_changes_nothing,
        cf_56_no_secret_is_in_the_log_at_its_finest_level,
        disabled_contexts_are_not_there,
    );
}

on_postgres!(
    cf_02_parts_of_another_prefix_are_a_store,
    cf_08_variables_of_libpq_change_no_connection,
    cf_08_no_password_is_found_by_itself,
    cf_20_cf_24_addresses_of_other_programs,
    cf_21_every_character_in_a_password,
    cf_22_cf_23_the_schema_of_an_address,
    an_optional_context_may_be_away,
);

/// Every printable character of ASCII.
fn every_character() -> String {
    (' '..='~').collect()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

impl Outcome {
    /// Everything that was printed, after a look at the exit code.
    fn ended(&self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Scenario 8.
#[tokio::test]
async fn cf_11_production_is_never_made_up() {
    for (name, word, named) in [
        ("NODE_ENV", "production", "database_missing"),
        ("NODE_ENV", "produktion", "environment (from NODE_ENV)"),
    ] {
        let larder = Installation::without_schema(Adapter::Sqlite).await.with(name, word);
        for command in [&["serve"][..], &["migrate"], &["config", "check"], &["config", "print"]] {
            let told = larder.run(command, "").await.ended(2);
            assert!(told.contains(named) && !told.contains("produktion"), "{told}");
        }
        assert!(!larder.data_folder().exists(), "nothing was made");
    }
}

/// Scenarios 5 and 6. CF-50: before the port is opened, which would be told.
#[tokio::test]
async fn cf_05_errors_end_the_start() {
    let larder = Installation::without_schema(Adapter::Sqlite)
        .await
        .with("DB_POOL_SIZE", "ten")
        .with("LARDER_DATABASE__HOTS", "x.example.com")
        .with("LARDER_SERVICE_HOST", "10.0.0.1");
    let told = larder.run(&["serve"], "").await.ended(2);
    for named in ["DB_POOL_SIZE", "LARDER_DATABASE__HOTS", "`database.host`"] {
        assert!(told.contains(named), "{named}: {told}");
    }
    for hidden in ["ten\n", "x.example.com", "takes requests"] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
    let missing = larder.run(&["serve", "--config", "missing.toml"], "").await.ended(2);
    assert!(missing.contains("missing.toml"), "{missing}");
}

/// Scenario 3.
async fn cf_02_parts_of_another_prefix_are_a_store(adapter: Adapter) {
    let mut larder = Installation::without_schema(adapter).await;
    larder.unset("LARDER_DATABASE__URL");
    for (part, value) in larder.database().parts() {
        larder.set(&format!("ACME_DATABASE__{part}"), &value);
    }
    let larder = larder.with("LARDER_ENV_PREFIX", "ACME");
    let service = larder.start().await;
    service.sign_up("ann").await;
    let printed = larder.run(&["config", "print", "--origin"], "").await.ended(0);
    assert!(printed.contains("# ACME_DATABASE__HOST"), "{printed}");
}

/// Scenario 25.
async fn cf_08_variables_of_libpq_change_no_connection(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with(
            "PGOPTIONS",
            "-c default_transaction_read_only=on -c search_path=nowhere",
        )
        .with("PGSSLMODE", "verify-full")
        .with("PGSSLROOTCERT", "/nowhere/root.crt")
        .with("PGSSLCERT", "/nowhere/client.crt")
        .with("PGSSLKEY", "/nowhere/client.key")
        .with("PGHOST", "nowhere.example.com")
        .with("PGUSER", "nobody")
        .with("PGPASSWORD", "wrong")
        .with("PGAPPNAME", "somebody-else");
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let created = service
        .post("/api/v1/chat/sessions", &json!({}))
        .bearer_auth(&ann.token);
    created.expect(201).await;
    let names = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid()";
    assert_eq!(larder.database().query(names).await, ["larder"]);
    let (_, log) = service.printed();
    for name in ["PGOPTIONS", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT"] {
        assert!(log.contains(&format!("libpq_ignored: {name}")), "{name}: {log}");
    }
    assert!(!log.contains("libpq_ignored: PGHOST"), "its key is set: {log}");
    // It is the process that was started that serves, not a child of it.
    assert_eq!(service.stop().await.code, Some(0));
}

/// Scenario 25: the server wants a password, and only a key gives one.
async fn cf_08_no_password_is_found_by_itself(adapter: Adapter) {
    let mut larder = Installation::new(adapter).await;
    let password = larder.database().password();
    let url = larder.database().url(larder.database().address().1);
    larder.set("LARDER_DATABASE__URL", &url.replace(&format!(":{password}@"), "@"));
    let home = larder.folder().to_owned();
    let file = home.join(".pgpass");
    fs::write(&file, format!("*:*:*:*:{password}\n")).unwrap();
    owner_only(&file);
    let larder = larder
        .with("HOME", home.to_str().unwrap())
        .with("PGPASSFILE", file.to_str().unwrap())
        .with("PGPASSWORD", &password);
    let refused = larder.run(&["config", "check", "--connect"], "").await.ended(7);
    assert!(!refused.contains(&password), "{refused}");
}

#[cfg(unix)]
fn owner_only(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn owner_only(_: &Path) {}

/// Scenarios 13 and 15.
async fn cf_20_cf_24_addresses_of_other_programs(adapter: Adapter) {
    let mut larder = Installation::without_schema(adapter).await;
    let url = larder.database().url(larder.database().address().1);
    let rest = url.strip_prefix("postgres").unwrap();
    let parameters = "pgbouncer=true&connection_limit=3&prepared_statements=false&application_name=other";
    larder.set(
        "LARDER_DATABASE__URL",
        &format!("postgresql+asyncpg{rest}?{parameters}"),
    );
    let service = larder.start().await;
    service.sign_up("ann").await;
    let names = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid()";
    assert_eq!(larder.database().query(names).await, ["other"]);
    larder.set("LARDER_DATABASE__URL", &format!("mysql{rest}"));
    let refused = larder.run(&["config", "check"], "").await.ended(2);
    assert!(refused.contains("unsupported_database"), "{refused}");
}

/// Scenario 12.
async fn cf_21_every_character_in_a_password(adapter: Adapter) {
    let mut larder = Installation::without_schema(adapter).await;
    let password = every_character();
    let role = larder.database().role(&password).await;
    let (host, port) = larder.database().address();
    let database = larder.database().name().to_owned();
    let url = |password: &str| format!("postgres://{}:{password}@{host}:{port}/{database}", role.name());
    // Reached, and nothing is there yet.
    larder.set("LARDER_DATABASE__URL", &url(&encoded(&password)));
    larder
        .run(
            &["config", "check", "--connect", "--set", "database.migrate_on_start=no"],
            "",
        )
        .await
        .ended(8);

    larder.set("LARDER_DATABASE__URL", &url("a@b#c"));
    let refused = larder.run(&["config", "check"], "").await.ended(2);
    assert!(refused.contains("url_password_not_encoded"), "{refused}");
    assert!(!refused.contains("a@b") && !refused.contains("b#c"), "{refused}");

    larder.unset("LARDER_DATABASE__URL");
    for (part, value) in larder.database().parts() {
        larder.set(&format!("LARDER_DATABASE__{part}"), &value);
    }
    larder.set("LARDER_DATABASE__USER", role.name());
    larder.set("LARDER_DATABASE__PASSWORD", &password);
    larder.run(&["config", "check", "--connect"], "").await.ended(8);
    larder.set("LARDER_DATABASE__PASSWORD", &password[1..]);
    let refused = larder.run(&["config", "check", "--connect"], "").await.ended(7);
    assert!(!refused.contains(&password[1..]), "{refused}");
}

/// Scenario 14.
async fn cf_22_cf_23_the_schema_of_an_address(adapter: Adapter) {
    let mut larder = Installation::without_schema(adapter).await;
    let url = larder.database().url(larder.database().address().1);
    for (query, schema) in [
        ("options=-csearch_path%3Dblood", "blood"),
        ("schema=Red%20Blood", "Red Blood"),
        ("options=-c%20search_path%3D%22Mixed-Case%22,public", "Mixed-Case"),
    ] {
        larder.set("LARDER_DATABASE__URL", &format!("{url}?{query}"));
        larder.start().await.sign_up("ann").await;
        let schemas = "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE 'chat%'";
        let schemas = larder.database().query(schemas).await;
        assert!(schemas.iter().any(|name| name == schema), "{schema}: {schemas:?}");
    }
    let public = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    assert!(larder.database().query(public).await.is_empty());
    larder.set("LARDER_DATABASE__URL", &format!("{url}?schema=pg_x"));
    larder.run(&["config", "check"], "").await.ended(2);
}

/// Scenario 24.
async fn cf_55_a_check_has_an_exit_code_and_changes_nothing(adapter: Adapter) {
    let mut larder = Installation::without_schema(adapter).await;
    let told = larder.run(&["config", "check"], "").await.ended(0);
    assert!(
        told.contains("http.listen") && told.contains("LARDER_HTTP__LISTEN"),
        "{told}"
    );
    assert!(told.contains("The configuration can be used."), "{told}");
    let before = larder.state().await;
    let told = larder.run(&["config", "check", "--connect"], "").await.ended(8);
    assert!(told.contains("larder migrate"), "{told}");
    assert_eq!(larder.state().await, before);

    larder.run(&["migrate"], "").await.ended(0);
    let before = larder.state().await;
    let told = larder.run(&["config", "check", "--connect"], "").await.ended(0);
    assert!(told.contains("ready"), "{told}");
    assert_eq!(larder.state().await, before);

    larder.set("LARDER_SERVICE_HOST", "10.0.0.1");
    let told = larder.run(&["config", "check"], "").await.ended(0);
    assert!(
        told.contains("warning: ignored_variable: LARDER_SERVICE_HOST"),
        "{told}"
    );
    larder.run(&["config", "check", "--strict"], "").await.ended(2);
    larder.unset("LARDER_SERVICE_HOST");
    larder.run(&["config", "check", "--strict"], "").await.ended(0);
    if adapter != Adapter::Sqlite {
        let port = Relay::free_port().await;
        larder.set("LARDER_DATABASE__URL", &larder.database().url(port));
        larder.run(&["config", "check", "--connect"], "").await.ended(7);
        larder.run(&["config", "check"], "").await.ended(0);
    }
}

/// Scenario 26.
async fn cf_56_no_secret_is_in_the_log_at_its_finest_level(adapter: Adapter) {
    let mut larder = Installation::new(adapter).await.with("LARDER_LOG__FILTER", "trace");
    let jwt = "an invented secret of 40 bytes for tests";
    larder.set(
        "LARDER_IDENTITY__JWT__KEYS",
        &format!("[{{ kid = \"a\", secret = \"{jwt}\" }}]"),
    );
    let mut secrets = vec![jwt.to_owned()];
    if adapter != Adapter::Sqlite {
        larder.set("LARDER_DATABASE__LOG_SQL", "true");
        secrets.push(larder.database().password());
    }
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let session = service
        .post("/api/v1/chat/sessions", &json!({"name": "a name of ann"}))
        .bearer_auth(&ann.token);
    session.expect(201).await;
    let ended = service.stop().await;
    let checked = larder.run(&["config", "check", "--connect"], "").await;
    let printed = larder.run(&["config", "print", "--origin"], "").await;
    let as_json = larder.run(&["config", "print", "--format", "json"], "").await;
    for outcome in [ended, checked, printed, as_json] {
        let told = outcome.ended(0);
        for secret in secrets.iter().map(String::as_str).chain(["a name of ann"]) {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
}

/// `disabled_contexts`: their paths are not there and they need no store.
async fn disabled_contexts_are_not_there(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_DISABLED_CONTEXTS", "chat");
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    for path in ["/api/v1/chat/sessions", "/api/v1/chat/prompts"] {
        let missing = service.get(path).bearer_auth(&ann.token).expect(404).await;
        missing.problem("route_not_found");
    }
    let ready = service.get("/readyz").expect(200).await.json();
    let contexts = ready["contexts"].as_array().unwrap();
    assert!(contexts.iter().all(|context| context["context"] != "chat"), "{ready}");
}

/// `ready.optional`: the outage of such a context keeps `/readyz` green.
async fn an_optional_context_may_be_away(adapter: Adapter) {
    let mut larder = Installation::new(adapter).await;
    let port = Relay::free_port().await;
    let away = larder.database().url(port);
    larder.set("LARDER_DATABASES__CHAT__URL", &away);
    let larder = larder.with("LARDER_READY__OPTIONAL", "chat");
    let service = larder.start().await;
    let ready = service.get("/readyz").expect(200).await.json();
    assert_eq!(ready["status"], "ready");
    let contexts = ready["contexts"].as_array().unwrap();
    let chat = contexts.iter().find(|context| context["context"] == "chat").unwrap();
    assert_eq!(chat["state"], "unavailable");
    let ann = service.sign_up("ann").await;
    let refused = service.get("/api/v1/chat/sessions").bearer_auth(&ann.token);
    refused.expect(503).await.problem("database_unavailable");
}
