//! The command line.

use serde_json::json;

use crate::harness::{Adapter, Answering, Installation, password};
use crate::http::assert_committed;

on_every_adapter!(
    migrate_is_repeatable,
    the_first_user_is_made_by_the_command_line,
    the_command_line_sets_passwords_and_promotes,
    the_configuration_is_printed_without_secrets,
);

async fn migrate_is_repeatable(adapter: Adapter) {
    let larder = Installation::without_schema(adapter).await;
    for _ in 0..2 {
        let migrated = larder.run(&["migrate"], "").await;
        assert_eq!(migrated.code, Some(0), "{migrated:?}");
    }
    larder.start().await.sign_up("ann").await;
}

/// ID-02, ID-03.
async fn the_first_user_is_made_by_the_command_line(adapter: Adapter) {
    let larder = Installation::new(adapter)
        .await
        .with("LARDER_IDENTITY__SIGN_UP", "closed");
    let input = format!("{}\n", password("ann"));
    let made = larder
        .run(&["user", "create", "ann", "--email", "ann@example.com"], &input)
        .await;
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(!format!("{made:?}").contains(&password("ann")), "{made:?}");
    let taken = larder.run(&["user", "create", "Ann"], &input).await;
    assert!(
        taken.code.is_some_and(|code| code != 0) && taken.stderr.contains("username"),
        "{taken:?}"
    );

    let service = larder.start().await;
    assert_eq!(service.log_in("ann").await.user["roles"], json!(["admin"]));
    let login = json!({"login": "ann@example.com", "password": password("ann")});
    service.post("/api/v1/auth/login", &login).expect(200).await;
}

/// ID-02, ID-03.
async fn the_command_line_sets_passwords_and_promotes(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    service.sign_up("first").await;
    let ann = service.sign_up("ann").await;
    assert_eq!(ann.user["roles"], json!([]));

    let fresh = "another horse of ann";
    let set = larder
        .run(&["user", "set-password", "Ann"], &format!("{fresh}\n"))
        .await;
    assert_eq!(set.code, Some(0), "{set:?}");
    assert!(!format!("{set:?}").contains(fresh), "{set:?}");
    let promoted = larder.run(&["user", "promote", "ann@example.com"], "").await;
    assert_eq!(promoted.code, Some(0), "{promoted:?}");
    let old = json!({"login": "ann", "password": password("ann")});
    service.post("/api/v1/auth/login", &old).expect(401).await;
    let new = json!({"login": "ann", "password": fresh});
    let signed_in = service.post("/api/v1/auth/login", &new).expect(200).await;
    assert_eq!(signed_in.json()["user"]["roles"], json!(["admin"]));

    for (arguments, input) in [
        (&["user", "set-password", "nobody"][..], "a good password\n"),
        (&["user", "set-password", "ann"][..], "short\n"),
        (&["user", "promote", "nobody"][..], ""),
    ] {
        let refused = larder.run(arguments, input).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
}

/// CF-56.
async fn the_configuration_is_printed_without_secrets(adapter: Adapter) {
    let larder = Installation::without_schema(adapter).await;
    let printed = larder.run(&["config", "print"], "").await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let configuration: toml::Table = printed
        .stdout
        .parse()
        .unwrap_or_else(|error| panic!("{error}: {printed:?}"));
    assert_eq!(
        configuration["identity"]["sign_up"].as_str(),
        Some("open"),
        "{printed:?}"
    );
    if adapter != Adapter::Sqlite {
        let text = format!("{}{}", printed.stdout, printed.stderr);
        assert!(
            text.contains("********") && !text.contains(&larder.database().password()),
            "{printed:?}"
        );
    }
}

#[tokio::test]
async fn help_is_worth_reading() {
    let larder = Installation::without_schema(Adapter::Sqlite).await;
    let help = larder.run(&["--help"], "").await;
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for expected in ["serve", "migrate", "openapi", "config", "user", "LARDER_DATABASE__URL"] {
        assert!(help.stdout.contains(expected), "{expected} in {}", help.stdout);
    }
    let unknown = larder.run(&["sevre"], "").await;
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("serve"), "{unknown:?}");
}

#[tokio::test]
async fn the_contract_is_printed() {
    let larder = Installation::without_schema(Adapter::Sqlite).await;
    let printed = larder.run(&["openapi"], "").await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert_committed(&serde_json::from_str(&printed.stdout).expect("JSON"));
}

/// CF-05, CF-06.
#[tokio::test]
async fn all_mistakes_of_a_configuration_are_reported_together() {
    let larder = Installation::without_schema(Adapter::Sqlite)
        .await
        .with("LARDER_IDENTITY__BCRYPT_COST", "eleven-ish")
        .with("LARDER_HTTP__LISTEN", "somewhere-else");
    let refused = larder.run(&["serve"], "").await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for name in ["LARDER_IDENTITY__BCRYPT_COST", "LARDER_HTTP__LISTEN"] {
        assert!(refused.stderr.contains(name), "{name} in {}", refused.stderr);
    }
    for value in ["eleven-ish", "somewhere-else"] {
        assert!(!refused.stderr.contains(value), "{}", refused.stderr);
    }
    let larder = Installation::without_schema(Adapter::Sqlite)
        .await
        .with("LARDER_DATABASE__DRIVRE", "sqlite");
    let refused = larder.run(&["serve"], "").await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("LARDER_DATABASE__DRIVRE"), "{refused:?}");
}
