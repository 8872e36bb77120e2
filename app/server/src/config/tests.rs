use std::fs;
use std::path::Path;

use larder_domain::identity::IssuerPolicy;
use larder_sql::target::{Host, Tls};
use tempfile::TempDir;

use super::*;

const SECRET: &str = "an invented secret of 40 bytes for tests";

/// A configuration from variables alone. The file that is named has nothing in it, so that no `larder.toml` of the folder counts.
fn load(variables: &[(&str, &str)]) -> Result<Config, String> {
    load_with_file("", variables, &[])
}

fn load_with_file(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Config, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("larder.toml");
    fs::write(&path, file).unwrap();
    load_from(Some(&path), variables, flags)
}

fn load_from(
    file: Option<&Path>,
    variables: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Config, String> {
    let inputs = Inputs {
        file: file.map(Path::to_owned),
        variables: variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        flags: flags
            .iter()
            .map(|(key, value)| Flag {
                key,
                name: "--flag",
                value: (*value).to_owned(),
            })
            .collect(),
    };
    Config::load(&inputs).map_err(|error| error.to_string())
}

fn sqlite_path(database: &Database) -> &Path {
    match &database.store {
        StoreTarget::Sqlite(target) => &target.path,
        other => panic!("{other:?}"),
    }
}

fn postgres(database: &Database) -> (&'static str, &larder_sql::target::PostgresTarget) {
    match &database.store {
        StoreTarget::PgSqlx(target) => ("pg-sqlx", target),
        StoreTarget::PgTokio(target) => ("pg-tokio", target),
        other => panic!("{other:?}"),
    }
}

#[test]
fn cf_11_nothing_configured_is_a_file_of_the_environment() {
    let config = load(&[]).unwrap();
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(
        sqlite_path(&config.identity_database),
        Path::new("./larder-development.db")
    );
    assert_eq!(config.identity_database.store, config.chat_database.store);
    assert!(config.identity_database.migrate_on_start);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.identity.sign_up, SignUpMode::Invite);
    assert_eq!(config.identity.access_ttl, Duration::from_secs(900));
    assert_eq!(config.identity.bcrypt_cost, 12);
    assert!(config.identity.jwt.keys.is_empty());
    let config = load(&[("LARDER_ENVIRONMENT", "test"), ("LARDER_DATA_DIR", "/var/lib/larder")]).unwrap();
    assert_eq!(
        sqlite_path(&config.chat_database),
        Path::new("/var/lib/larder/larder-test.db")
    );
}

#[test]
fn cf_11_production_is_never_made_up() {
    for environment in ["production", "staging", "hetzner"] {
        let error = load(&[("LARDER_ENVIRONMENT", environment)]).unwrap_err();
        assert!(
            error.contains("database_missing") && error.contains("LARDER_DATABASE__URL"),
            "{error}"
        );
        assert_eq!(error.matches("database_missing").count(), 1, "{error}");
    }
    let file = load(&[
        ("LARDER_ENVIRONMENT", "production"),
        ("LARDER_DATABASE__PATH", "/data/larder.db"),
    ])
    .unwrap();
    assert_eq!(sqlite_path(&file.chat_database), Path::new("/data/larder.db"));
    assert!(
        load(&[("LARDER_ENVIRONMENT", "produktion")])
            .unwrap_err()
            .contains("environment")
    );
}

#[test]
fn cf_12_schema_and_migrations_of_each_environment() {
    for (environment, schema, migrates) in [
        ("production", "larder", false),
        ("staging", "larder_staging", false),
        ("development", "larder_dev", true),
        ("test", "larder_test", true),
    ] {
        let config = load(&[
            ("LARDER_ENVIRONMENT", environment),
            ("LARDER_DATABASE__URL", "postgres://localhost/app"),
        ])
        .unwrap();
        let (driver, target) = postgres(&config.chat_database);
        assert_eq!((driver, target.schema.as_str()), ("pg-tokio", schema), "{environment}");
        assert_eq!(config.chat_database.migrate_on_start, migrates, "{environment}");
    }
}

#[test]
fn cf_01_flag_then_variable_then_file_then_default() {
    let file = "[http]\nlisten = \"127.0.0.1:1\"\n";
    let variable = [("LARDER_HTTP__LISTEN", "127.0.0.1:2")];
    let flag = [("http.listen", "127.0.0.1:3")];
    let port = |config: Result<Config, String>| config.unwrap().http.listen.port();
    assert_eq!(port(load_with_file(file, &variable, &flag)), 3);
    assert_eq!(port(load_with_file(file, &variable, &[])), 2);
    assert_eq!(port(load_with_file(file, &[], &[])), 1);
    assert_eq!(port(load_with_file("", &[], &[])), 8080);
}

#[test]
fn cf_01_between_url_and_path_the_higher_level_wins_then_the_url() {
    let url = ("LARDER_DATABASE__URL", "postgres://localhost/app");
    let config = load_with_file("database.path = \"a.db\"", &[url], &[]).unwrap();
    assert_eq!(postgres(&config.chat_database).1.server.database, "app");
    let file = "database.url = \"postgres://localhost/app\"";
    let config = load_with_file(file, &[("LARDER_DATABASE__PATH", "b.db")], &[]).unwrap();
    assert_eq!(sqlite_path(&config.chat_database), Path::new("b.db"));
    let config = load(&[url, ("LARDER_DATABASE__PATH", "b.db")]).unwrap();
    assert_eq!(postgres(&config.chat_database).1.server.database, "app");
}

#[test]
fn cf_01_a_context_overrides_single_keys_and_inherits_no_address() {
    let file = r#"
        [database]
        url = "postgres://ann:pw@db.example.com/app"
        driver = "pg-sqlx"
        lock_timeout = "1s"
        [databases.identity]
        schema = "people"
        pool.size = 3
        [databases.chat]
        url = "sqlite:chat.db"
    "#;
    // A variable of [database] stays below a key of the context's own.
    let config = load_with_file(file, &[("LARDER_DATABASE__SCHEMA", "shared")], &[]).unwrap();
    let (driver, target) = postgres(&config.identity_database);
    assert_eq!(
        (driver, target.schema.as_str(), target.server.pool.size),
        ("pg-sqlx", "people", 3)
    );
    assert_eq!(target.server.timeouts.lock, Duration::from_secs(1));
    assert_eq!(sqlite_path(&config.chat_database), Path::new("chat.db"));

    let file = "[database]\nurl = \"postgres://ann:pw@db.example.com/app\"\n[databases.chat]\nurl = \"postgres://other.example.com/chat\"";
    let config = load_with_file(file, &[], &[]).unwrap();
    let (_, target) = postgres(&config.chat_database);
    assert_eq!(
        (target.server.user.as_str(), target.server.password.is_none()),
        ("postgres", true)
    );
}

#[test]
fn cf_22_the_schema_of_an_address_and_of_a_key() {
    let url = ("LARDER_DATABASE__URL", "postgres://localhost/app?schema=of_url");
    let schema = |config: Result<Config, String>| postgres(&config.unwrap().chat_database).1.schema.clone();
    assert_eq!(schema(load(&[url])), "of_url");
    assert_eq!(schema(load(&[url, ("LARDER_DATABASE__SCHEMA", "of_key")])), "of_key");
    assert_eq!(
        schema(load_with_file("database.schema = \"of_file\"", &[url], &[])),
        "of_url"
    );
    assert_eq!(schema(load(&[url, ("LARDER_DATABASES__CHAT__SCHEMA", "own")])), "own");
    assert_eq!(
        schema(load(&[
            ("LARDER_DATABASE__SCHEMA", "of_key"),
            ("LARDER_DATABASES__CHAT__URL", "postgres://localhost/b?schema=own_url"),
        ])),
        "own_url"
    );
}

#[test]
fn cf_23_schema_names() {
    let url = ("LARDER_DATABASE__URL", "postgres://localhost/app");
    let long = "x".repeat(64);
    for name in ["pg_x", "information_schema", "a\tb", long.as_str()] {
        let error = load(&[url, ("LARDER_DATABASE__SCHEMA", name)]).unwrap_err();
        assert!(error.contains("database.schema"), "{error}");
    }
    assert!(load(&[url, ("LARDER_DATABASE__SCHEMA", "Mixed-Case")]).is_ok());
}

#[test]
fn drivers_and_their_other_names() {
    let url = ("LARDER_DATABASE__URL", "postgres://localhost/app");
    for (word, expected) in [
        ("pg-sqlx", "pg-sqlx"),
        ("sqlx", "pg-sqlx"),
        ("pg-tokio", "pg-tokio"),
        ("tokio-postgres", "pg-tokio"),
    ] {
        let config = load(&[url, ("LARDER_DATABASE__DRIVER", word)]).unwrap();
        assert_eq!(postgres(&config.chat_database).0, expected, "{word}");
    }
    for word in ["sqlite", "sqlx"] {
        assert!(load(&[("LARDER_DATABASE__DRIVER", word)]).is_ok(), "{word}");
    }
    for (variables, code) in [
        (vec![url, ("LARDER_DATABASE__DRIVER", "sqlite")], "driver_unsupported"),
        (
            vec![
                ("LARDER_DATABASE__URL", "sqlite:a.db"),
                ("LARDER_DATABASE__DRIVER", "pg-tokio"),
            ],
            "driver_unsupported",
        ),
        (vec![("LARDER_DATABASE__DRIVER", "pg-tokio")], "database_missing"),
        (
            vec![url, ("LARDER_DATABASE__DRIVER", "oracle")],
            "must be one of sqlite",
        ),
    ] {
        let error = load(&variables).unwrap_err();
        assert!(error.contains(code) && !error.contains("oracle"), "{error}");
    }
}

#[test]
fn cf_44_equal_stores_are_equal() {
    let config = load(&[
        ("LARDER_DATABASE__URL", "postgres://ann:pw@localhost/app"),
        ("LARDER_DATABASES__CHAT__POOL__SIZE", "10"),
    ])
    .unwrap();
    assert_eq!(config.identity_database.store, config.chat_database.store);
    let config = load(&[
        ("LARDER_DATABASE__URL", "postgres://ann:pw@localhost/app"),
        ("LARDER_DATABASES__CHAT__URL", "postgres://ann:other@localhost/app"),
    ])
    .unwrap();
    assert_ne!(config.identity_database.store, config.chat_database.store);
}

#[test]
fn what_reaches_the_store() {
    let config = load(&[
        (
            "LARDER_DATABASE__URL",
            "postgres://ann:p%40w@db.example.com:6432/app?connect_timeout=9",
        ),
        ("LARDER_DATABASE__POOL__SIZE", "4"),
        ("LARDER_DATABASE__STATEMENT_TIMEOUT", "2m"),
    ])
    .unwrap();
    let (_, target) = postgres(&config.identity_database);
    assert_eq!(target.server.host, Host::Tcp("db.example.com".into()));
    assert_eq!(
        (
            target.server.port,
            target.server.user.as_str(),
            target.server.database.as_str()
        ),
        (6432, "ann", "app")
    );
    assert_eq!(
        target.server.password.as_ref().map(|password| password.expose()),
        Some("p@w")
    );
    assert_eq!(target.server.tls, Tls::VERIFY_FULL);
    assert_eq!(target.server.pool.size, 4);
    assert_eq!(target.server.pool.connect_timeout, Duration::from_secs(9));
    assert_eq!(target.server.timeouts.statement, Duration::from_secs(120));
    assert_eq!(target.server.timeouts.lock, Duration::from_secs(3));
    assert_eq!(target.server.timeouts.idle_in_transaction, Duration::from_secs(30));
}

#[test]
fn cf_04_the_empty_text_is_unset() {
    let config = load(&[
        ("LARDER_DATABASE__URL", ""),
        ("LARDER_HTTP__LISTEN", ""),
        ("LARDER_DATABASE__POOL__SIZE", ""),
        ("LARDER_CONFIG", ""),
    ])
    .unwrap();
    assert_eq!(config.http.listen.port(), 8080);
}

#[test]
fn cf_04_a_secret_from_a_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("url");
    fs::write(&path, "postgres://ann:pw@localhost/of_file\n").unwrap();
    let file = ("LARDER_DATABASE__URL_FILE", path.to_str().unwrap());
    assert_eq!(
        postgres(&load(&[file]).unwrap().chat_database).1.server.database,
        "of_file"
    );

    let error = load(&[file, ("LARDER_DATABASE__URL", "postgres://localhost/app")]).unwrap_err();
    assert!(error.contains("LARDER_DATABASE__URL_FILE"), "{error}");
    let missing = folder.path().join("missing");
    let error = load(&[("LARDER_DATABASE__URL_FILE", missing.to_str().unwrap())]).unwrap_err();
    assert!(error.contains("can't be read"), "{error}");
    // What is no secret has no such form.
    assert!(
        load(&[("LARDER_HTTP__LISTEN_FILE", "x")])
            .unwrap_err()
            .contains("http.listen_file")
    );
}

#[test]
fn cf_05_all_errors_together_with_key_and_origin_and_never_the_value() {
    let error = load_with_file(
        "[http]\ndrain = \"sooooon\"\n",
        &[
            ("LARDER_DATABASE__POOL__SIZE", "ten-thousand"),
            ("LARDER_IDENTITY__SIGN_UP", "perhaps"),
            ("LARDER_IDENTITY__BCRYPT_COST", "16"),
            ("LARDER_DATABASE__URL", "postgres://ann:s3cr3t@x@localhost/app"),
        ],
        &[],
    )
    .unwrap_err();
    for named in [
        "http.drain",
        "larder.toml, line 2",
        "LARDER_DATABASE__POOL__SIZE",
        "LARDER_IDENTITY__SIGN_UP",
        "from 10 to 15",
        "url_password_not_encoded",
    ] {
        assert!(error.contains(named), "{named}: {error}");
    }
    for value in ["sooooon", "ten-thousand", "perhaps", "16", "s3cr3t"] {
        assert!(!error.contains(value), "{value}: {error}");
    }
}

#[test]
fn cf_06_unknown_names_are_refused_with_the_nearest() {
    let error = load(&[("LARDER_DATABASE__DIRVER", "sqlite")]).unwrap_err();
    assert!(
        error.contains("LARDER_DATABASE__DIRVER") && error.contains("`database.driver`"),
        "{error}"
    );
    let error = load_with_file("environment = \"test\"\n[identity]\nsignup = \"open\"", &[], &[]).unwrap_err();
    assert!(
        error.contains("line 3") && error.contains("`identity.sign_up`"),
        "{error}"
    );
    let error = load_with_file("[databases.kitchen]\nurl = \"sqlite:a.db\"", &[], &[]).unwrap_err();
    assert!(error.contains("databases.kitchen.url"), "{error}");
}

#[test]
fn cf_06_names_that_an_orchestrator_adds_are_warned_about() {
    let config = load(&[
        ("LARDER_SERVICE_HOST", "10.0.0.1"),
        ("PATH", "/bin"),
        ("PGHOST", "elsewhere"),
    ])
    .unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].contains("LARDER_SERVICE_HOST") && !config.warnings[0].contains("10.0.0.1"));
}

#[test]
fn cf_03_a_named_file_must_be_there_and_be_toml() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing.toml");
    assert!(
        load_from(Some(&missing), &[], &[])
            .unwrap_err()
            .contains("missing.toml")
    );
    let of_variable = load_from(None, &[("LARDER_CONFIG", missing.to_str().unwrap())], &[]);
    assert!(of_variable.unwrap_err().contains("missing.toml"));

    let error = load_with_file("[database]\nurl = postgres://ann:s3cr3t@localhost/app\n", &[], &[]).unwrap_err();
    assert!(error.contains("line 2") && !error.contains("s3cr3t"), "{error}");
}

#[test]
fn weak_hashes_are_for_tests_only() {
    assert!(load(&[("LARDER_IDENTITY__BCRYPT_COST", "4")]).is_err());
    let weak = [
        ("LARDER_IDENTITY__BCRYPT_COST", "4"),
        ("LARDER_IDENTITY__ALLOW_WEAK_HASHES", "true"),
    ];
    assert_eq!(load(&weak).unwrap().identity.bcrypt_cost, 4);
}

#[test]
fn id_21_signing_keys() {
    let as_text = format!("[{{ kid = \"a\", secret = \"{SECRET}\" }}]");
    let config = load(&[("LARDER_IDENTITY__JWT__KEYS", &as_text)]).unwrap();
    assert_eq!(config.identity.jwt.keys[0].kid, "a");
    let file = format!(
        "[[identity.jwt.keys]]\nkid = \"b\"\nsecret = \"{SECRET}\"\n[[identity.jwt.keys]]\nkid = \"a\"\nsecret = \"{SECRET}\""
    );
    let config = load_with_file(&file, &[], &[]).unwrap();
    assert_eq!(config.identity.jwt.keys.len(), 2);

    for (keys, named) in [
        (
            "[{ kid = \"a\", secret = \"0123456789abcdef0123456789abcde\" }]",
            "fewer than 32 bytes",
        ),
        ("[{ kid = \"a\" }]", "identity.jwt.keys[0]"),
        (
            "[{ kid = \"a\", secret = \"0123\", pem = \"0123\" }]",
            "identity.jwt.keys[0]",
        ),
        (
            "[{ kid = \"a\", secret = \"0123\", use = \"0123\" }]",
            "identity.jwt.keys[0]",
        ),
        ("[{ kid = \"a\", secret = \"********\" }]", "masked_value"),
        ("0123", "list of tables"),
        ("[0123", "list of tables"),
    ] {
        let error = load(&[("LARDER_IDENTITY__JWT__KEYS", keys)]).unwrap_err();
        assert!(error.contains(named) && !error.contains("0123"), "{error}");
    }
}

#[test]
fn id_50_external_issuers() {
    let file = format!(
        "[[identity.external_issuers]]\nname = \"shared\"\niss = \"https://a.example.com\"\naud = \"authenticated\"\n\
         algorithms = [\"HS256\"]\nsecret = \"{SECRET}\"\n\
         [[identity.external_issuers]]\nname = \"published\"\niss = \"https://b.example.com\"\naud = \"authenticated\"\n\
         algorithms = [\"ES256\", \"RS256\", \"EdDSA\"]\njwks_url = \"http://127.0.0.1:9/keys\"\nauto_create = false\n\
         trust_email = true\nallow_anonymous = \"yes\""
    );
    let config = load_with_file(&file, &[], &[]).unwrap();
    let [shared, published] = &config.identity.external_issuers[..] else {
        panic!("{:?}", config.identity.external_issuers);
    };
    assert_eq!(
        (shared.name.as_str(), shared.issuer.issuer.as_str()),
        ("shared", "https://a.example.com")
    );
    assert_eq!(shared.policy, IssuerPolicy::default());
    let all = IssuerPolicy {
        auto_create: false,
        trust_email: true,
        allow_anonymous: true,
    };
    assert_eq!((published.policy, published.issuer.algorithms.len()), (all, 3));
    let printed = config.to_toml();
    assert!(
        !printed.contains(SECRET) && printed.contains("jwks_url = \"http://127.0.0.1:9/keys\""),
        "{printed}"
    );
    assert!(!format!("{config:?}").contains(SECRET));
    // What is printed is a file again, once the secret is put back.
    let again = load_with_file(&printed.replace("********", SECRET), &[], &[]).unwrap();
    assert_eq!(again.to_toml(), printed);
}

#[test]
fn id_50_issuers_that_can_not_be_used_are_named() {
    let good = format!(
        "name = \"n\", iss = \"https://a.example.com\", aud = \"x\", algorithms = [\"HS256\"], secret = \"{SECRET}\""
    );
    for (entry, named) in [
        (
            good.replace("HS256", "none"),
            "`algorithms`, a list of HS256, ES256, RS256, EdDSA",
        ),
        (good.replace("[\"HS256\"]", "[]"), "`algorithms` must not be empty"),
        (good.replace("[\"HS256\"]", "\"HS256\""), "`algorithms`, a list"),
        (good.replace("HS256", "ES256"), "HS256 alone with `secret`"),
        (good.replace(SECRET, &SECRET[..31]), "fewer than 32 bytes"),
        (good.replace(SECRET, "********"), "masked_value"),
        (good.replace("https://a.example.com", "larder"), "`iss` must"),
        (good.replace("iss =", "issuer ="), "has no `issuer`"),
        (good.replace("\"n\"", "\"\""), "must have `name`"),
        (good.replace("aud = \"x\", ", ""), "must have `aud`"),
        (
            format!("{good}, jwks_url = \"https://a.example.com/keys\""),
            "either `secret` or `jwks_url`",
        ),
        (format!("{good}, trust_email = \"perhaps\""), "`trust_email` must be"),
        (
            good.replace(
                &format!("secret = \"{SECRET}\""),
                "jwks_url = \"http://a.example.com/keys\"",
            )
            .replace("HS256", "ES256"),
            "`jwks_url` must be an https address",
        ),
        (
            good.replace(
                &format!("secret = \"{SECRET}\""),
                "jwks_url = \"http://127.0.0.1:9/keys\"",
            ),
            "any of ES256, RS256, EdDSA with `jwks_url`",
        ),
    ] {
        let list = format!("[{{ {entry} }}]");
        let error = load(&[("LARDER_IDENTITY__EXTERNAL_ISSUERS", &list)]).unwrap_err();
        assert!(error.contains("identity.external_issuers[0]"), "{error}");
        assert!(error.contains(named) && !error.contains("invented"), "{error}");
    }
    let other_iss = good.replace("a.example", "b.example");
    for (second, named) in [
        (&good, "same `name`"),
        (&good.replace("\"n\"", "\"m\""), "same `iss`"),
        (&other_iss, "same `name`"),
    ] {
        let list = format!("[{{ {good} }}, {{ {second} }}]");
        let error = load(&[("LARDER_IDENTITY__EXTERNAL_ISSUERS", &list)]).unwrap_err();
        assert!(
            error.contains("identity.external_issuers[1]") && error.contains(named),
            "{error}"
        );
    }
}

#[test]
fn cf_56_printed_secrets_are_masked_and_the_rest_is_a_file_again() {
    let keys = format!("[{{ kid = \"a\", secret = \"{SECRET}\" }}]");
    let config = load(&[
        ("LARDER_DATABASE__URL", "postgres://ann:s3cr3t@localhost/app"),
        ("LARDER_IDENTITY__JWT__KEYS", &keys),
    ])
    .unwrap();
    let printed = config.to_toml();
    assert!(printed.contains("postgres://ann:********@localhost/app"), "{printed}");
    assert!(
        !printed.contains("s3cr3t") && !printed.contains("invented"),
        "{printed}"
    );
    let error = load_with_file(&printed, &[], &[]).unwrap_err();
    assert_eq!(error.matches("masked_value").count(), 2, "{error}");
    let filled = printed
        .replace("postgres://ann:********", "postgres://ann:s3cr3t")
        .replace("********", SECRET);
    assert_eq!(load_with_file(&filled, &[], &[]).unwrap().to_toml(), printed);
}

#[test]
fn cf_56_every_configuration_reads_back_what_it_prints() {
    for variables in [
        vec![],
        vec![("LARDER_ENVIRONMENT", "test"), ("LARDER_HTTP__BODY_LIMIT", "3000")],
        vec![("LARDER_DATABASE__URL", "postgres://ann@localhost/app?schema=x")],
        vec![
            ("LARDER_DATABASE__PATH", "a.db"),
            ("LARDER_DATABASES__CHAT__URL", "postgres://ann@localhost/app"),
            ("LARDER_IDENTITY__ACCESS_TTL", "90s"),
        ],
    ] {
        let printed = load(&variables).unwrap().to_toml();
        let again = load_with_file(&printed, &[], &[]);
        assert_eq!(again.unwrap().to_toml(), printed, "{variables:?}");
    }
}

#[test]
fn nothing_secret_is_in_the_debug_text() {
    let keys = format!("[{{ kid = \"a\", secret = \"{SECRET}\" }}]");
    let config = load(&[
        ("LARDER_DATABASE__URL", "postgres://ann:s3cr3t@localhost/app"),
        ("LARDER_IDENTITY__JWT__KEYS", &keys),
    ])
    .unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("s3cr3t") && !shown.contains("invented"), "{shown}");
}
