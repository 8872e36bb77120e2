//! Which store each context uses: `CF-01`, `CF-10` to `CF-12`, `CF-20` to `CF-24`, `CF-30`, `CF-31`, `CF-40`, `CF-43`, `CF-44`.

use larder_sql::target::{Host, PoolerMode, Prepared, Tls};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::*;

/// What stands for a certificate where none is ever used.
pub(super) const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

const URL: &str = "LARDER_DATABASE__URL";

fn server_of(url: &str) -> larder_sql::target::PostgresServer {
    postgres(chat(&load(&[(URL, url)]).unwrap())).server.clone()
}

fn password(database: &Database) -> Option<&str> {
    let password = postgres(database).server.password.as_ref();
    password.map(|password| password.expose())
}

/// Scenario 8.
#[test]
fn cf_11_nothing_configured_is_a_file_of_the_environment() {
    let config = load(&[]).unwrap();
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(sqlite_path(identity(&config)), Path::new("./larder-development.db"));
    assert_eq!(identity(&config), chat(&config));
    assert!(chat(&config).migrate_on_start);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.identity.sign_up, SignUpMode::Invite);
    assert_eq!(config.identity.access_ttl, Duration::from_secs(900));
    assert_eq!(config.identity.bcrypt_cost, 12);
    assert!(config.identity.jwt.keys.is_empty());
    let config = load(&[("LARDER_ENVIRONMENT", "test"), ("LARDER_DATA_DIR", "/var/lib/larder")]).unwrap();
    assert_eq!(sqlite_path(chat(&config)), Path::new("/var/lib/larder/larder-test.db"));
}

/// Scenario 8.
#[test]
fn cf_11_production_is_never_made_up() {
    for variable in [
        ("LARDER_ENVIRONMENT", "production"),
        ("LARDER_ENVIRONMENT", "staging"),
        ("NODE_ENV", "production"),
        ("NODE_ENV", "hetzner"),
    ] {
        let error = load(&[variable]).unwrap_err();
        for named in ["database_missing", URL, "LARDER_DATABASE__HOST", "database.path"] {
            assert!(error.contains(named), "{named}: {error}");
        }
        assert_eq!(error.matches("database_missing").count(), 1, "{error}");
        // A part of an address is no address.
        assert!(load(&[variable, ("SUPABASE_DB_USER", "ann")]).is_err());
    }
    let file = load(&[
        ("LARDER_ENVIRONMENT", "production"),
        ("LARDER_DATABASE__PATH", "/data/larder.db"),
    ]);
    assert_eq!(sqlite_path(chat(&file.unwrap())), Path::new("/data/larder.db"));
}

/// Scenarios 8 and 9.
#[test]
fn cf_10_words_for_an_environment() {
    for (word, environment) in [
        ("production", Environment::Production),
        ("hetzner", Environment::Production),
        ("nonprod", Environment::Staging),
        ("local", Environment::Development),
    ] {
        let config = load(&[("NODE_ENV", word), (URL, "postgres://localhost/app")]).unwrap();
        assert_eq!(config.environment, environment, "{word}");
    }
    for variables in [[("NODE_ENV", "produktion")], [("ENVIRONMENT", "Production")]] {
        let error = load(&variables).unwrap_err();
        let (name, word) = variables[0];
        assert!(error.contains(name) && error.contains("environment"), "{error}");
        assert!(!error.contains(word), "{error}");
    }
}

#[test]
fn cf_10_more_words_by_environment_aliases() {
    let given = Given::new(&[("NODE_ENV", "prod-eu"), (URL, "postgres://localhost/app")])
        .file("[environment_aliases]\nprod-eu = \"production\"\nproduction = \"test\"");
    let config = given.ok();
    assert_eq!(config.environment, Environment::Production);
    assert!(
        config
            .to_toml(false)
            .contains("[environment_aliases]\nprod-eu = \"production\""),
        "{}",
        config.to_toml(false)
    );
    // A word that is known already keeps its meaning.
    let given = given.without("NODE_ENV").with("NODE_ENV", "production");
    assert_eq!(given.ok().environment, Environment::Production);
    let given = given.without("NODE_ENV").with("LARDER_ENVIRONMENT", "stage1");
    let given = given.with("LARDER_ENVIRONMENT_ALIASES__STAGE1", "staging");
    assert_eq!(given.ok().environment, Environment::Staging);
    let given = given.with("LARDER_ENVIRONMENT_ALIASES__OTHER", "nowhere");
    assert!(given.refused().contains("environment_aliases.other"));
}

/// Scenario 9.
#[test]
fn cf_12_schema_and_migrations_of_each_environment() {
    for (environment, schema, migrates) in [
        ("production", "larder", false),
        ("staging", "larder_staging", false),
        ("local", "larder_dev", true),
        ("test", "larder_test", true),
    ] {
        let config = load(&[
            ("NODE_ENV", environment),
            (URL, "postgres://localhost/app"),
            ("LARDER_DATABASES__CHAT__URL", "postgres://localhost/chat"),
        ])
        .unwrap();
        for database in config.databases.values() {
            let target = postgres(database);
            assert_eq!(target.schema, schema, "{environment}");
            assert_eq!(target.search_path, [schema], "{environment}");
            assert_eq!(database.migrate_on_start, migrates, "{environment}");
        }
    }
    // A schema that is set explicitly is used as written.
    let config = load(&[
        ("NODE_ENV", "local"),
        (URL, "postgres://localhost/app"),
        ("MAIN_DB_SCHEMA", "larder"),
    ]);
    assert_eq!(postgres(chat(&config.unwrap())).schema, "larder");
}

#[test]
fn cf_01_of_url_host_and_path_the_higher_level_wins_then_the_url() {
    let url = (URL, "postgres://localhost/app");
    let config = Given::new(&[url]).file("database.path = \"a.db\"").ok();
    assert_eq!(postgres(chat(&config)).server.database, "app");
    let of_file = Given::new(&[]).file("database.url = \"postgres://localhost/app\"");
    let config = of_file.with("LARDER_DATABASE__PATH", "b.db").ok();
    assert_eq!(sqlite_path(chat(&config)), Path::new("b.db"));
    let config = load(&[url, ("LARDER_DATABASE__PATH", "b.db")]).unwrap();
    assert_eq!(postgres(chat(&config)).server.database, "app");

    let host = |config: &Config| postgres(chat(config)).server.host.clone();
    let (a, b) = (Host::Tcp("a.example.com".into()), Host::Tcp("b.example.com".into()));
    let both = Given::new(&[
        ("LARDER_DATABASE__HOST", "b.example.com"),
        (URL, "postgres://a.example.com/app"),
    ]);
    assert_eq!(host(&both.ok()), a);
    // MAIN_DB_URL is an alias, so the host is of a higher level.
    let both = both.without(URL).with("MAIN_DB_URL", "postgres://a.example.com/app");
    assert_eq!(host(&both.ok()), b);
    assert_eq!(postgres(chat(&both.ok())).server.database, "postgres");
}

#[test]
fn cf_01_parts_fill_what_a_winning_url_leaves_out() {
    let parts = [
        ("LARDER_DATABASE__USER", "ann"),
        ("LARDER_DATABASE__PASSWORD", "pw"),
        ("LARDER_DATABASE__NAME", "app"),
        ("LARDER_DATABASE__PORT", "6000"),
    ];
    let server = |url: &str| {
        postgres(chat(&load(&[&parts[..], &[(URL, url)]].concat()).unwrap()))
            .server
            .clone()
    };
    let filled = server("postgres://db.example.com");
    assert_eq!(
        (filled.user.as_str(), filled.database.as_str(), filled.port),
        ("ann", "app", 6000)
    );
    assert_eq!(filled.password.as_ref().map(|password| password.expose()), Some("pw"));
    let whole = server("postgres://bob:other@db.example.com:7000/else");
    assert_eq!(
        (whole.user.as_str(), whole.database.as_str(), whole.port),
        ("bob", "else", 7000)
    );
    assert_eq!(whole.password.as_ref().map(|password| password.expose()), Some("other"));
}

#[test]
fn cf_01_a_context_overrides_single_keys_and_inherits_no_address() {
    let file = r#"
        [database]
        url = "postgres://ann:pw@db.example.com/app"
        migrate_url = "postgres://ann:pw@direct.example.com/app"
        driver = "sqlx"
        lock_timeout = "1s"
        [databases.identity]
        schema = "people"
        pool.size = 3
        [databases.chat]
        url = "sqlite:chat.db"
    "#;
    // A variable of [database] stays below a key of the context's own.
    let config = Given::new(&[("LARDER_DATABASE__SCHEMA", "shared")]).file(file).ok();
    let target = postgres(identity(&config));
    assert_eq!(
        (
            driver(identity(&config)),
            target.schema.as_str(),
            target.server.pool.size
        ),
        ("sqlx", "people", 3)
    );
    assert_eq!(target.server.timeouts.lock, Duration::from_secs(1));
    assert_eq!(sqlite_path(chat(&config)), Path::new("chat.db"));

    for own in [
        "url = \"postgres://other.example.com/chat\"",
        "host = \"other.example.com\"",
    ] {
        let file = format!(
            "[database]\nurl = \"postgres://ann:pw@db.example.com:6000/app?pgbouncer=true\"\n\
             migrate_url = \"postgres://ann:pw@direct.example.com/app\"\npassword = \"pw\"\nstatement_timeout = \"7s\"\n\
             [databases.chat]\n{own}"
        );
        let config = load_file(&file).unwrap();
        let target = postgres(chat(&config));
        assert_eq!((target.server.user.as_str(), target.server.port), ("postgres", 5432));
        assert!(
            target.server.password.is_none() && target.migrate.is_none(),
            "{target:?}"
        );
        assert_eq!(target.server.mode, PoolerMode::Direct, "what a URL says stays with it");
        assert_eq!(target.server.timeouts.statement, Duration::from_secs(7));
    }
}

#[test]
fn cf_01_a_context_may_have_a_database_of_its_own_on_the_default_server() {
    let file = r#"
        [database]
        url = "postgres://ann:pw@db.example.com/app"
        migrate_url = "postgres://ann:pw@direct.example.com/app"
        [databases.chat]
        name = "chat"
    "#;
    let config = load_file(file).unwrap();
    let (ours, theirs) = (postgres(chat(&config)), postgres(identity(&config)));
    assert_eq!(
        (ours.server.database.as_str(), theirs.server.database.as_str()),
        ("chat", "app")
    );
    assert_eq!(password(chat(&config)), Some("pw"));
    // Migrations go to the same database.
    assert_eq!(ours.migrate.as_ref().unwrap().database, "chat");
}

/// Scenario 2.
#[test]
fn cf_01_a_url_of_one_context_beside_the_parts_of_the_others() {
    let config = Given::new(&[
        ("SUPABASE_HOST", "db.example.com"),
        ("SUPABASE_DB_USER", "ann"),
        ("SUPABASE_DB_PASSWORD", "pw"),
        ("LARDER_DATABASES__CHAT__URL", "postgres://bob@blood.example.com/blood"),
    ])
    .ok();
    let own = &postgres(chat(&config)).server;
    assert_eq!(own.host, Host::Tcp("blood.example.com".into()));
    assert_eq!((own.user.as_str(), password(chat(&config))), ("bob", None));
    let others = &postgres(identity(&config)).server;
    assert_eq!(others.host, Host::Tcp("db.example.com".into()));
    assert_eq!((others.user.as_str(), password(identity(&config))), ("ann", Some("pw")));
}

/// Scenario 12.
#[test]
fn cf_21_every_character_may_be_in_a_password() {
    let every: String = (' '..='~').collect();
    let parts = load(&[
        ("LARDER_DATABASE__HOST", "db.example.com"),
        ("LARDER_DATABASE__PASSWORD", &every),
    ])
    .unwrap();
    let encoded = utf8_percent_encode(&every, NON_ALPHANUMERIC);
    let url = load(&[(URL, &format!("postgres://postgres:{encoded}@db.example.com"))]).unwrap();
    assert_eq!(password(chat(&parts)), Some(every.as_str()));
    assert_eq!(parts.databases, url.databases);

    let error = load(&[(URL, "postgres://ann:a@b#c@db.example.com/app")]).unwrap_err();
    assert!(
        error.contains("url_password_not_encoded") && error.contains("%40"),
        "{error}"
    );
    for piece in ["a@b", "b#c", "ann", "db.example.com"] {
        assert!(!error.contains(piece), "{piece}: {error}");
    }
}

/// Scenario 13.
#[test]
fn cf_20_schemes() {
    let expected = server_of("postgres://ann:pw@db.example.com/app");
    for scheme in ["postgresql", "postgresql+asyncpg", "postgres+psycopg2"] {
        assert_eq!(server_of(&format!("{scheme}://ann:pw@db.example.com/app")), expected);
    }
    for url in ["mysql://ann:pw@db.example.com/app", "https://db.example.com"] {
        assert!(load(&[(URL, url)]).unwrap_err().contains("unsupported_database"));
    }
}

#[test]
fn a_host_is_one_name_or_address_or_a_folder() {
    let server =
        |host: &str| load(&[("LARDER_DATABASE__HOST", host)]).map(|config| postgres(chat(&config)).server.clone());
    for (host, expected, tls) in [
        ("db.example.com", Host::Tcp("db.example.com".into()), Tls::VERIFY_FULL),
        ("::1", Host::Tcp("::1".into()), Tls::Off),
        ("/run/postgresql", Host::Socket("/run/postgresql".into()), Tls::Off),
    ] {
        let server = server(host).unwrap();
        assert_eq!((server.host, server.tls), (expected, tls));
    }
    for host in [
        "db.example.com:5432",
        "a.example.com,b.example.com",
        "postgres://db",
        "a b",
    ] {
        let error = server(host).unwrap_err();
        assert!(error.contains("database.host") && !error.contains(host), "{error}");
    }
    let error = load(&[("LARDER_DATABASE__HOST", "localhost"), ("LARDER_DATABASE__PORT", "0")]);
    assert!(error.unwrap_err().contains("from 1 to 65535"));
}

/// Scenario 14.
#[test]
fn cf_22_the_search_path_of_an_address() {
    for query in [
        "options=-csearch_path%3Dblood",
        "options=-c%20search_path=blood",
        "schema=blood",
    ] {
        let config = load(&[(URL, &format!("postgres://localhost/app?{query}"))]).unwrap();
        let target = postgres(chat(&config));
        assert_eq!(
            (target.schema.as_str(), &target.search_path[..]),
            ("blood", &["blood".to_owned()][..])
        );
    }
    let config = load(&[(
        URL,
        "postgres://localhost/app?options=-csearch_path%3D%22Mixed-Case%22,public",
    )])
    .unwrap();
    let target = postgres(chat(&config));
    assert_eq!(target.schema, "Mixed-Case");
    assert_eq!(target.search_path, ["Mixed-Case", "public"]);
    let config = load(&[(
        URL,
        "postgres://localhost/app?options=-c%20statement_timeout%3D5s%20-c%20lock_timeout%3D100%20\
         -cidle_in_transaction_session_timeout%3D1min",
    )]);
    let timeouts = postgres(chat(&config.unwrap())).server.timeouts;
    assert_eq!(timeouts.statement, Duration::from_secs(5));
    assert_eq!(timeouts.lock, Duration::from_millis(100));
    assert_eq!(timeouts.idle_in_transaction, Duration::from_secs(60));
    for (options, code) in [
        ("-cwork_mem%3D1GB", "option_unsupported"),
        ("-c%20role%3Dadmin", "option_unsupported"),
        ("search_path%3Da", "url_invalid"),
        ("-csearch_path%3D", "url_invalid"),
        ("-cstatement_timeout%3Dsoon", "url_invalid"),
    ] {
        let error = load(&[(URL, &format!("postgres://localhost/app?options={options}"))]).unwrap_err();
        assert!(error.contains(code), "{options}: {error}");
        for value in ["1GB", "admin", "soon"] {
            assert!(!error.contains(value), "{error}");
        }
    }
}

#[test]
fn cf_22_the_schema_of_an_address_and_of_a_key() {
    let url = (URL, "postgres://localhost/app?schema=of_url");
    let schema = |given: Given| postgres(chat(&given.ok())).schema.clone();
    assert_eq!(schema(Given::new(&[url])), "of_url");
    assert_eq!(
        schema(Given::new(&[url, ("LARDER_DATABASE__SCHEMA", "of_key")])),
        "of_key"
    );
    assert_eq!(
        schema(Given::new(&[url]).file("database.schema = \"of_file\"")),
        "of_url"
    );
    assert_eq!(
        schema(Given::new(&[url, ("LARDER_DATABASES__CHAT__SCHEMA", "own")])),
        "own"
    );
    assert_eq!(
        schema(Given::new(&[
            ("LARDER_DATABASE__SCHEMA", "of_key"),
            ("LARDER_DATABASES__CHAT__URL", "postgres://localhost/b?schema=own_url"),
        ])),
        "own_url"
    );
    // A search path has the schema first, wherever it was named.
    let config = load(&[url, ("LARDER_DATABASE__SEARCH_PATH", "public, of_url")]).unwrap();
    assert_eq!(postgres(chat(&config)).search_path, ["of_url", "public"]);
}

/// Scenario 14.
#[test]
fn cf_23_schema_names() {
    let url = (URL, "postgres://localhost/app");
    let long = "x".repeat(64);
    for name in ["pg_x", "information_schema", "a\tb", long.as_str()] {
        let error = load(&[url, ("LARDER_DATABASE__SCHEMA", name)]).unwrap_err();
        assert!(error.contains("database.schema"), "{error}");
        assert!(load(&[url, ("LARDER_DATABASE__SEARCH_PATH", name)]).is_err());
        assert!(load_file("[database]\nurl = \"postgres://localhost/app\"\nschema = \"\"").is_err());
    }
    for name in ["Mixed-Case", "with space", "a\"b", &long[1..]] {
        assert_eq!(
            postgres(chat(&load(&[url, ("LARDER_DATABASE__SCHEMA", name)]).unwrap())).schema,
            name
        );
    }
}

/// Scenario 15.
#[test]
fn cf_24_an_address_as_hosted_postgresql_shows_it() {
    let config = load(&[
        (
            "DATABASE_URL",
            "postgres://postgres.ref:pw@eu.pooler.example.com:6543/postgres?pgbouncer=true",
        ),
        (
            "DIRECT_URL",
            "postgres://postgres.ref:pw@eu.pooler.example.com:5432/postgres",
        ),
    ])
    .unwrap();
    let target = postgres(chat(&config));
    assert_eq!(target.server.mode, PoolerMode::Transaction);
    assert_eq!(target.server.prepared, Prepared::Unnamed);
    let migrate = target.migrate.as_ref().unwrap();
    assert_eq!((migrate.port, migrate.mode), (5432, PoolerMode::Session));
    assert_eq!(migrate.prepared, Prepared::Named);
    assert_eq!(migrate.tls, Tls::VERIFY_FULL);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn cf_24_parameters_of_an_address() {
    let ca = Given::new(&[]);
    let ca = ca.write("ca.pem", CERTIFICATE);
    let url = format!(
        "postgres://db.example.com/app?connection_limit=3&pool_timeout=7&connect_timeout=9&application_name=a%20b\
         &sslmode=verify-ca&sslrootcert={}&statement_cache_size=0&prepared_statements=false\
         &prepared_statement_cache_size=0&pgbouncer=false",
        ca.display()
    );
    let config = load(&[(URL, &url)]).unwrap();
    let server = &postgres(chat(&config)).server;
    assert_eq!((server.pool.size, server.pool.max_overflow), (3, 0));
    assert_eq!(server.pool.acquire_timeout, Duration::from_secs(7));
    assert_eq!(server.pool.connect_timeout, Duration::from_secs(9));
    assert_eq!(server.application_name, "a b");
    let verified = Tls::Verified {
        host_name: false,
        ca_file: Some(ca),
    };
    assert_eq!(server.tls, verified);
    assert_eq!(server.mode, PoolerMode::Direct);
    for name in [
        "statement_cache_size",
        "prepared_statement_cache_size",
        "prepared_statements",
    ] {
        assert!(
            is_warned(&config, "url_parameter_dropped", &[name, URL]),
            "{:?}",
            config.warnings
        );
    }
    // A key of the same level says more than a parameter.
    let config = load(&[(URL, &url), ("LARDER_DATABASE__POOL__SIZE", "4")]).unwrap();
    assert_eq!(postgres(chat(&config)).server.pool.size, 4);
    let config = load(&[(URL, &url), ("DB_POOL_SIZE", "4")]).unwrap();
    assert_eq!(postgres(chat(&config)).server.pool.size, 3);
    for (query, code) in [
        ("target_session_attrs=read-write", "url_unknown_parameter"),
        ("connection_limit=0", "url_invalid"),
        ("pgbouncer=perhaps", "url_invalid"),
        ("schema=a&schema=b", "url_invalid"),
    ] {
        let error = load(&[(URL, &format!("postgres://localhost/app?{query}"))]).unwrap_err();
        assert!(error.contains(code), "{error}");
        assert!(!error.contains("read-write") && !error.contains("perhaps"), "{error}");
    }
}

/// Scenario 18.
#[test]
fn cf_30_tls_is_verified_for_every_other_machine() {
    let off = Tls::Off;
    let verify_ca = || Tls::Verified {
        host_name: false,
        ca_file: None,
    };
    for (url, expected) in [
        ("postgres://db.example.com/app", Tls::VERIFY_FULL),
        ("postgres://10.0.0.7/app", Tls::VERIFY_FULL),
        ("postgres://db.example.com/app?sslmode=require", Tls::VERIFY_FULL),
        ("postgres://db.example.com/app?sslmode=verify-ca", verify_ca()),
        ("postgres://localhost/app", off.clone()),
        ("postgres://[::1]/app?sslmode=disable", off.clone()),
        ("postgres://%2Frun%2Fpostgresql/app?sslmode=prefer", off.clone()),
        ("postgres://localhost/app?sslmode=verify-full", Tls::VERIFY_FULL),
        ("postgres://localhost/app?sslmode=require", Tls::VERIFY_FULL),
    ] {
        assert_eq!(server_of(url).tls, expected, "{url}");
    }
    let remote = "postgres://db.example.com/app";
    let config = load(&[(URL, &format!("{remote}?sslmode=require"))]).unwrap();
    assert!(is_warned(&config, "tls_raised", &[URL]), "{:?}", config.warnings);
    for mode in ["disable", "allow", "prefer"] {
        let url = format!("{remote}?sslmode={mode}");
        let error = load(&[(URL, &url)]).unwrap_err();
        assert!(error.contains("tls_insecure") && error.contains(URL), "{error}");
        let allowed = load(&[(URL, &url), ("LARDER_DATABASE__TLS__ALLOW_INSECURE", "true")]).unwrap();
        assert_eq!(postgres(chat(&allowed)).server.tls, off, "{mode}");
        assert!(is_warned(
            &allowed,
            "tls_insecure",
            &["LARDER_DATABASE__TLS__ALLOW_INSECURE"]
        ));
    }
    let error = load(&[(URL, remote), ("LARDER_DATABASE__TLS__MODE", "disable")]).unwrap_err();
    assert!(error.contains("database.tls.mode"), "{error}");
    // Alone it changes nothing, and is warned about.
    let allowed = load(&[(URL, remote), ("LARDER_DATABASE__TLS__ALLOW_INSECURE", "true")]).unwrap();
    assert_eq!(postgres(chat(&allowed)).server.tls, Tls::VERIFY_FULL);
    assert!(is_warned(&allowed, "tls_insecure", &[]));
}

#[test]
fn cf_30_the_address_of_migrations_is_protected_as_well() {
    let error = load(&[
        (URL, "postgres://db.example.com/app"),
        ("DIRECT_URL", "postgres://direct.example.com/app?sslmode=disable"),
    ])
    .unwrap_err();
    assert!(
        error.contains("tls_insecure") && error.contains("DIRECT_URL"),
        "{error}"
    );
}

/// Scenario 19.
#[test]
fn cf_31_a_ca_file_that_can_not_be_used_is_an_error() {
    let given = Given::new(&[]);
    let good = given.write("good.pem", CERTIFICATE);
    let config = load(&[
        (URL, "postgres://db.example.com"),
        ("SUPABASE_SSL_CERT_PATH", good.to_str().unwrap()),
    ]);
    let verified = Tls::Verified {
        host_name: true,
        ca_file: Some(good),
    };
    assert_eq!(postgres(chat(&config.unwrap())).server.tls, verified);
    let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    for path in [
        given.folder.path().join("missing.pem"),
        given.folder.path().to_owned(),
        given.write("empty.pem", ""),
        given.write("key.pem", key),
        given.write(
            "broken.pem",
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
        ),
    ] {
        let path = path.to_str().unwrap();
        for host in ["db.example.com", "localhost"] {
            let url = format!("postgres://{host}/app");
            let error = load(&[(URL, &url), ("SUPABASE_SSL_CERT_PATH", path)]).unwrap_err();
            assert!(
                error.contains("tls_ca_unreadable") && error.contains("SUPABASE_SSL_CERT_PATH"),
                "{error}"
            );
        }
    }
}

#[test]
fn cf_40_the_mode_of_a_pooler() {
    for (url, mode) in [
        ("postgres://db.example.com/app", PoolerMode::Direct),
        ("postgres://db.example.com:6543/app", PoolerMode::Transaction),
        ("postgres://db.example.com:6432/app", PoolerMode::Direct),
        ("postgres://db.example.com/app?pgbouncer=true", PoolerMode::Transaction),
        ("postgres://a.b@eu.pooler.example.com/app", PoolerMode::Session),
        ("postgres://a.b@eu.pooler.example.com:6543/app", PoolerMode::Transaction),
        ("postgres://eu-pooler.example.com/app", PoolerMode::Direct),
    ] {
        let server = server_of(url);
        assert_eq!(server.mode, mode, "{url}");
        let is_unnamed = server.prepared == Prepared::Unnamed;
        assert_eq!(is_unnamed, mode == PoolerMode::Transaction, "{url}");
    }
    let explicit = load(&[
        (URL, "postgres://db.example.com:6543/app"),
        ("LARDER_DATABASE__POOL__MODE", "session"),
    ]);
    assert_eq!(postgres(chat(&explicit.unwrap())).server.mode, PoolerMode::Session);
    let config = load(&[(URL, "postgres://eu.pooler.example.com/app")]).unwrap();
    assert!(is_warned(&config, "pooler_user", &[URL]), "{:?}", config.warnings);
    let config = load(&[
        (URL, "postgres://db.example.com/app"),
        ("DIRECT_URL", "postgres://db.example.com:6543/app"),
    ])
    .unwrap();
    assert!(
        is_warned(&config, "migrate_url_pooled", &["DIRECT_URL"]),
        "{:?}",
        config.warnings
    );
}

#[test]
fn cf_43_named_statements_need_a_session() {
    let prepared = |mode: &str, prepared: &str| {
        let config = load(&[
            (URL, "postgres://localhost/app"),
            ("LARDER_DATABASE__POOL__MODE", mode),
            ("LARDER_DATABASE__POOL__PREPARED", prepared),
        ]);
        config.map(|config| postgres(chat(&config)).server.prepared)
    };
    for mode in ["direct", "session"] {
        assert_eq!(prepared(mode, "auto"), Ok(Prepared::Named));
        assert_eq!(prepared(mode, "named"), Ok(Prepared::Named));
        assert_eq!(prepared(mode, "unnamed"), Ok(Prepared::Unnamed));
    }
    assert_eq!(prepared("transaction", "auto"), Ok(Prepared::Unnamed));
    let error = prepared("transaction", "named").unwrap_err();
    assert!(
        error.contains("prepared_unsupported") && error.contains("database.pool.prepared"),
        "{error}"
    );
}

#[test]
fn cf_44_equal_stores_are_equal() {
    let url = (URL, "postgres://ann:pw@localhost/app");
    let config = load(&[url, ("LARDER_DATABASES__CHAT__POOL__SIZE", "10")]).unwrap();
    assert_eq!(identity(&config).store, chat(&config).store);
    let config = load(&[
        url,
        ("LARDER_DATABASES__CHAT__URL", "postgres://ann:other@localhost/app"),
    ])
    .unwrap();
    assert_ne!(identity(&config).store, chat(&config).store);
    let config = load(&[url, ("LARDER_DATABASES__CHAT__SCHEMA", "other")]).unwrap();
    assert_ne!(identity(&config).store, chat(&config).store);
    assert_eq!(postgres(identity(&config)).server, postgres(chat(&config)).server);
    let config = load(&[url, ("LARDER_DATABASES__CHAT__POOL__DEDICATED", "true")]).unwrap();
    assert_ne!(postgres(identity(&config)).server, postgres(chat(&config)).server);
    let config = load(&[url, ("LARDER_DATABASE__POOL__DEDICATED", "true")]).unwrap();
    assert_ne!(postgres(identity(&config)).server, postgres(chat(&config)).server);
}

#[test]
fn drivers_and_their_other_names() {
    let url = (URL, "postgres://localhost/app");
    for (word, expected) in [
        ("sqlx", "sqlx"),
        ("pg-sqlx", "sqlx"),
        ("tokio-postgres", "tokio-postgres"),
        ("pg-tokio", "tokio-postgres"),
    ] {
        let config = load(&[url, ("LARDER_DATABASE__DRIVER", word)]).unwrap();
        assert_eq!(driver(chat(&config)), expected, "{word}");
    }
    assert!(load(&[("LARDER_DATABASE__DRIVER", "sqlx")]).is_ok());
    for (variables, code) in [
        (
            vec![(URL, "sqlite:a.db"), ("LARDER_DATABASE__DRIVER", "tokio-postgres")],
            "driver_unsupported",
        ),
        (vec![("LARDER_DATABASE__DRIVER", "tokio-postgres")], "database_missing"),
        (
            vec![url, ("LARDER_DATABASE__DRIVER", "oracle")],
            "must be one of sqlx, tokio-postgres",
        ),
    ] {
        let error = load(&variables).unwrap_err();
        assert!(error.contains(code) && !error.contains("oracle"), "{error}");
    }
    // A driver for the others is no mistake of the context that has a file.
    let config = load(&[
        url,
        ("LARDER_DATABASE__DRIVER", "tokio-postgres"),
        ("LARDER_DATABASES__CHAT__PATH", "chat.db"),
    ]);
    assert_eq!(driver(chat(&config.unwrap())), "sqlite");
}

#[test]
fn what_reaches_the_store() {
    let config = load(&[
        (URL, "postgres://ann:p%40w@db.example.com:6432/app?connect_timeout=9"),
        ("LARDER_DATABASE__POOL__SIZE", "4"),
        ("LARDER_DATABASE__POOL__MAX_LIFETIME", "10m"),
        ("LARDER_DATABASE__POOL__IDLE_TIMEOUT", "1m"),
        ("LARDER_DATABASE__STATEMENT_TIMEOUT", "2m"),
        ("LARDER_DATABASE__LOG_SQL", "yes"),
        ("LARDER_DATABASE__STARTUP__REQUIRE_DATABASE", "true"),
        ("LARDER_DATABASE__STARTUP__WAIT", "7s"),
    ])
    .unwrap();
    let target = postgres(identity(&config));
    let server = &target.server;
    assert_eq!(server.host, Host::Tcp("db.example.com".into()));
    assert_eq!(
        (server.port, server.user.as_str(), server.database.as_str()),
        (6432, "ann", "app")
    );
    assert_eq!(password(identity(&config)), Some("p@w"));
    assert_eq!(server.tls, Tls::VERIFY_FULL);
    assert_eq!((server.pool.size, server.pool.max_overflow), (4, 10));
    assert_eq!(server.pool.max_lifetime, Duration::from_secs(600));
    assert_eq!(server.pool.idle_timeout, Duration::from_secs(60));
    assert_eq!(server.pool.connect_timeout, Duration::from_secs(9));
    assert_eq!(server.timeouts.statement, Duration::from_secs(120));
    assert_eq!(server.timeouts.lock, Duration::from_secs(3));
    assert_eq!(server.timeouts.idle_in_transaction, Duration::from_secs(30));
    assert!(target.log_sql);
    assert_eq!(identity(&config).require_within, Some(Duration::from_secs(7)));
    assert_eq!(load(&[]).unwrap().databases[&Context::Chat].require_within, None);
}

#[test]
fn disabled_contexts_need_no_store() {
    let config = load(&[
        ("LARDER_ENVIRONMENT", "production"),
        ("LARDER_DISABLED_CONTEXTS", "chat"),
        ("LARDER_DATABASES__IDENTITY__URL", "postgres://localhost/app"),
    ])
    .unwrap();
    assert!(!config.databases.contains_key(&Context::Chat) && config.databases.contains_key(&Context::Identity));
    let of_file = load_file("disabled_contexts = [\"chat\"]").unwrap();
    assert!(!of_file.databases.contains_key(&Context::Chat));
    let error = load(&[("LARDER_DISABLED_CONTEXTS", "identity")]).unwrap_err();
    assert!(
        error.contains("disabled_contexts") && error.contains("can't be disabled"),
        "{error}"
    );
    let error = load(&[("LARDER_DISABLED_CONTEXTS", "chat, kitchen")]).unwrap_err();
    assert!(
        error.contains("must be a list of identity, chat") && !error.contains("kitchen"),
        "{error}"
    );
}

#[test]
fn contexts_whose_outage_is_borne() {
    let config = load(&[("LARDER_READY__OPTIONAL", "chat")]).unwrap();
    assert_eq!(config.optional_contexts, [Context::Chat]);
    assert!(load(&[]).unwrap().optional_contexts.is_empty());
}
