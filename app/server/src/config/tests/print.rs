//! What is shown of a configuration: `CF-56`.

use super::*;

fn given() -> Given {
    let keys = format!("[{{ kid = \"a\", secret = \"{SECRET}\" }}]");
    Given::new(&[
        ("LARDER_DATABASE__URL", "postgres://ann:s3cr3t@localhost/app"),
        ("DIRECT_URL", "postgres://ann:s3cr3t@localhost:5433/app"),
        ("LARDER_IDENTITY__JWT__KEYS", &keys),
    ])
}

/// Scenario 26.
#[test]
fn cf_56_printed_secrets_are_masked_and_the_rest_is_a_file_again() {
    let config = given().ok();
    for text in [
        config.to_toml(false),
        config.to_toml(true),
        config.to_json(false),
        config.to_json(true),
        format!("{config:?}"),
    ] {
        assert!(!text.contains("s3cr3t") && !text.contains("invented"), "{text}");
    }
    let printed = config.to_toml(false);
    assert!(printed.contains("password = \"********\""), "{printed}");
    assert!(
        printed.contains("\"postgres://ann:********@localhost:5433/app\""),
        "{printed}"
    );
    let error = load_file(&printed).unwrap_err();
    assert_eq!(error.matches("masked_value").count(), 3, "{error}");
    assert!(
        error.contains("database.password") && error.contains("database.migrate_url"),
        "{error}"
    );
    let filled = printed
        .replace("postgres://ann:********", "postgres://ann:s3cr3t")
        .replace("password = \"********\"", "password = \"s3cr3t\"")
        .replace("********", SECRET);
    let again = load_file(&filled).unwrap();
    assert_eq!((again.to_toml(false), again.databases), (printed, config.databases));
}

#[test]
fn cf_56_every_configuration_reads_back_what_it_prints() {
    for variables in [
        vec![],
        vec![("LARDER_ENVIRONMENT", "test"), ("LARDER_HTTP__BODY_LIMIT", "3000")],
        vec![("LARDER_DATABASE__URL", "postgres://ann@localhost/app?schema=x")],
        vec![(
            "LARDER_DATABASE__URL",
            "postgres://ann@db.example.com:6543/app?sslmode=require&connection_limit=3&options=-csearch_path%3Da,b",
        )],
        vec![
            (
                "LARDER_DATABASE__URL",
                "postgres://ann@db.example.com/app?sslmode=disable",
            ),
            ("LARDER_DATABASE__TLS__ALLOW_INSECURE", "yes"),
        ],
        vec![
            ("LARDER_DATABASE__PATH", "a.db"),
            ("LARDER_DATABASES__CHAT__URL", "postgres://ann@localhost/app"),
            ("LARDER_IDENTITY__ACCESS_TTL", "90s"),
        ],
        vec![
            ("LARDER_DATABASE__HOST", "/run/postgresql"),
            ("LARDER_DATABASES__CHAT__POOL__SIZE", "3"),
            ("LARDER_ENVIRONMENT_ALIASES__EU1", "test"),
        ],
        vec![("LARDER_DISABLED_CONTEXTS", "chat"), ("LARDER_READY__OPTIONAL", "chat")],
    ] {
        let config = load(&variables).unwrap();
        for printed in [config.to_toml(false), config.to_toml(true)] {
            let again = load_file(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
            assert_eq!(again.to_toml(false), config.to_toml(false), "{variables:?}");
            assert_eq!(again.databases, config.databases, "{variables:?}");
        }
    }
}

#[test]
fn cf_56_origins_as_json() {
    let config = load(&[("DB_POOL_SIZE", "4")]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&config.to_json(true)).unwrap();
    assert_eq!(json["database.pool.size"]["value"], 4);
    assert_eq!(json["database.pool.size"]["origin"], "DB_POOL_SIZE");
    assert_eq!(json["environment"]["origin"], "default");
    let json: serde_json::Value = serde_json::from_str(&config.to_json(false)).unwrap();
    assert_eq!(json["database"]["pool"]["size"], 4);
}
