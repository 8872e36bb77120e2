//! Where values come from: `CF-01` to `CF-08`.

use super::*;

const KEY: &str = "database.pool.size";

fn size(config: &Config) -> usize {
    match &chat(config).store {
        StoreTarget::Sqlite(target) => target.pool.size,
        other => postgres_of(other).server.pool.size,
    }
}

fn postgres_of(store: &StoreTarget) -> &PostgresTarget {
    match store {
        StoreTarget::PgSqlx(target) | StoreTarget::PgTokio(target) => target,
        StoreTarget::Sqlite(_) => panic!("{store:?}"),
    }
}

/// Scenario 1.
#[test]
fn cf_01_each_removal_lets_the_next_origin_through() {
    let origin = |config: &Config| {
        let line = config.to_toml(true);
        let line = line.lines().find(|line| line.starts_with("pool.size = ")).unwrap();
        line.split_once(" # ").unwrap().1.to_owned()
    };
    let mut given = Given::new(&[("LARDER_DATABASE__POOL__SIZE", "4"), ("DB_POOL_SIZE", "3")])
        .file("[database]\npool.size = 2")
        .set(KEY, "5");
    let config = given.ok();
    assert_eq!((size(&config), origin(&config).as_str()), (5, "--set"));
    given.inputs.flags.clear();
    let config = given.ok();
    assert_eq!(
        (size(&config), origin(&config).as_str()),
        (4, "LARDER_DATABASE__POOL__SIZE")
    );
    let given = given.without("LARDER_DATABASE__POOL__SIZE");
    let config = given.ok();
    assert_eq!((size(&config), origin(&config).as_str()), (3, "DB_POOL_SIZE"));
    let given = given.without("DB_POOL_SIZE");
    let config = given.ok();
    assert_eq!(size(&config), 2);
    assert!(origin(&config).ends_with("larder.toml, line 2"), "{}", origin(&config));
    let config = given.file("").ok();
    assert_eq!((size(&config), origin(&config).as_str()), (10, "default"));
}

/// Scenario 1.
#[test]
fn cf_01_every_origin_of_a_key_is_told_the_one_that_counts_first() {
    let config = Given::new(&[("LARDER_DATABASE__POOL__SIZE", "4"), ("DB_POOL_SIZE", "3")])
        .set(KEY, "5")
        .ok();
    let told: Vec<&str> = config
        .given
        .iter()
        .filter(|(key, _)| key == KEY)
        .map(|(_, origin)| origin.as_str())
        .collect();
    assert_eq!(told, ["--set", "LARDER_DATABASE__POOL__SIZE", "DB_POOL_SIZE"]);
}

/// Scenario 3.
#[test]
fn cf_02_variables_of_another_prefix() {
    let acme = [
        ("ACME_DATABASE__HOST", "db.example.com"),
        ("ACME_DATABASE__PORT", "6432"),
        ("ACME_DATABASE__NAME", "app"),
        ("ACME_DATABASE__USER", "ann"),
        ("ACME_DATABASE__PASSWORD", "p@/:w"),
        ("ACME_SERVICE_HOST", "10.0.0.1"),
        ("ACME_DATABASE__CHARSET", "utf8"),
    ];
    let mut by_flag = Given::new(&acme);
    by_flag.inputs.env_prefix = Some("ACME".to_owned());
    for given in [by_flag, Given::new(&acme).with("LARDER_ENV_PREFIX", "ACME")] {
        let config = given.ok();
        let server = &postgres(chat(&config)).server;
        assert_eq!(server.host, larder_sql::target::Host::Tcp("db.example.com".into()));
        assert_eq!(
            (server.port, server.user.as_str(), server.database.as_str()),
            (6432, "ann", "app")
        );
        assert_eq!(
            server.password.as_ref().map(|password| password.expose()),
            Some("p@/:w")
        );
        // What such a prefix has besides may be meant for others (`CF-06`).
        assert!(
            is_warned(&config, "ignored_variable", &["ACME_SERVICE_HOST"]),
            "{:?}",
            config.warnings
        );
        assert!(
            config
                .warnings
                .iter()
                .any(|text| text.contains("ACME_DATABASE__CHARSET")),
            "{:?}",
            config.warnings
        );
        // It is an alias, so Larder's own variable wins (`CF-01`).
        let config = given.with("LARDER_DATABASE__PORT", "7000").ok();
        assert_eq!(postgres(chat(&config)).server.port, 7000);
    }
    for prefix in ["LARDER", "A-B", "_", "with space"] {
        let error = Given::new(&[("LARDER_ENV_PREFIX", prefix)]).refused();
        assert!(error.contains("LARDER_ENV_PREFIX") && !error.contains("A-B"), "{error}");
    }
}

/// Scenario 6.
#[test]
fn cf_03_a_named_file_must_be_there_and_be_toml() {
    let mut given = Given::new(&[]);
    let missing = given.folder.path().join("missing.toml");
    given.inputs.file = Some(missing.clone());
    assert!(given.refused().contains("missing.toml"));
    given.inputs.file = None;
    let given = given.with("LARDER_CONFIG", missing.to_str().unwrap());
    assert!(given.refused().contains("missing.toml"));

    let error = load_file("[database]\nurl = postgres://ann:s3cr3t@localhost/app\n").unwrap_err();
    assert!(error.contains("line 2") && !error.contains("s3cr3t"), "{error}");
}

#[test]
fn cf_03_a_file_of_variables_counts_where_it_is_named() {
    let text = "# a comment\nLARDER_DATABASE__POOL__SIZE=4\nexport DB_MAX_OVERFLOW=1\nDB_ECHO=\nDB_POOL_RECYCLE='60'\n";
    let given = Given::new(&[]).env_file(text);
    let config = given.ok();
    assert_eq!(size(&config), 4);
    let printed = config.to_toml(true);
    assert!(
        printed.contains("pool.size = 4 # LARDER_DATABASE__POOL__SIZE in "),
        "{printed}"
    );
    assert!(printed.contains("pool.max_overflow = 1 #"), "{printed}");
    assert!(printed.contains("pool.max_lifetime = \"1m\" #"), "{printed}");
    // A variable of the process counts more than one of the same name in the file.
    assert_eq!(size(&given.with("LARDER_DATABASE__POOL__SIZE", "5").ok()), 5);

    let error = Given::new(&[])
        .env_file("DB_POOL_SIZE=1\nthis s3cr3t is no line\n")
        .refused();
    assert!(error.contains("larder.env") && !error.contains("s3cr3t"), "{error}");
    let mut given = Given::new(&[]);
    given.inputs.env_file = Some(given.folder.path().join("missing.env"));
    assert!(given.refused().contains("missing.env"));
    // Every character of a password means itself.
    for (line, password) in [
        ("pa$word$$x", "pa$word$$x"),
        ("\"a b ${HOME} \\\" #\"", "a b ${HOME} \" #"),
        ("'a $HOME \\ \" #'", "a $HOME \\ \" #"),
    ] {
        let text = format!("LARDER_DATABASE__HOST=localhost\nLARDER_DATABASE__PASSWORD={line}\n");
        let config = Given::new(&[]).env_file(&text).ok();
        let found = postgres(chat(&config)).server.password.as_ref().unwrap();
        assert_eq!(found.expose(), password, "{line}");
    }
    // Without being named it is not read.
    let given = Given::new(&[]).env_file("DB_POOL_SIZE=ten");
    let inputs = Inputs {
        env_file: None,
        ..given.inputs.clone()
    };
    assert!(Config::load(&inputs).is_ok());
}

/// Scenario 4.
#[test]
fn cf_04_the_empty_text_is_unset() {
    let config = load(&[
        ("LARDER_DATABASE__URL", ""),
        ("LARDER_HTTP__LISTEN", ""),
        ("LARDER_DATABASE__POOL__SIZE", ""),
        ("LARDER_CONFIG", ""),
        ("DB_POOL_SIZE", ""),
        ("MAIN_DB_URL", ""),
        ("NODE_ENV", ""),
    ])
    .unwrap();
    assert_eq!(config.http.listen.port(), 8080);
    assert_eq!((size(&config), driver(chat(&config))), (10, "sqlite"));
    assert!(config.warnings.is_empty() && config.given.is_empty(), "{config:?}");
}

#[test]
fn cf_04_a_secret_from_a_file() {
    let given = Given::new(&[]);
    let path = given.write("url", "postgres://ann:pw@localhost/of_file\n");
    for name in ["LARDER_DATABASE__URL", "MAIN_DB_URL"] {
        let file = (&*format!("{name}_FILE"), path.to_str().unwrap());
        let config = load(&[file]).unwrap();
        assert_eq!(postgres(chat(&config)).server.database, "of_file", "{name}");
        let error = load(&[file, (name, "postgres://localhost/app")]).unwrap_err();
        assert!(error.contains(file.0) && error.contains("only one of"), "{error}");
    }
    // One line end is cut, and no more.
    let password = given.write("password", " pw \n\n");
    let host = ("SUPABASE_DB_HOST", "localhost");
    let config = load(&[host, ("SUPABASE_DB_PASSWORD_FILE", password.to_str().unwrap())]).unwrap();
    let found = postgres(chat(&config)).server.password.as_ref().unwrap();
    assert_eq!(found.expose(), " pw \n");

    let missing = given.folder.path().join("missing");
    let error = load(&[("LARDER_DATABASE__URL_FILE", missing.to_str().unwrap())]).unwrap_err();
    assert!(error.contains("can't be read"), "{error}");
    // What is no secret has no such form.
    let error = load(&[("LARDER_HTTP__LISTEN_FILE", "x")]).unwrap_err();
    assert!(error.contains("http.listen_file"), "{error}");
}

/// Scenario 5.
#[test]
fn cf_05_all_errors_together_with_key_and_origin_and_never_the_value() {
    let error = Given::new(&[
        ("LARDER_DATABASE__POOL__SIZE", "ten-thousand"),
        ("LARDER_IDENTITY__SIGN_UP", "perhaps"),
        ("LARDER_IDENTITY__BCRYPT_COST", "16"),
        ("LARDER_DATABASE__URL", "postgres://ann:s3cr3t@x@localhost/app"),
        ("DB_MAX_OVERFLOW", "a-dozen"),
        ("DB_ECHO", "loudly"),
    ])
    .file("[http]\ndrain = \"sooooon\"\n")
    .refused();
    for named in [
        "http.drain",
        "larder.toml, line 2",
        "LARDER_DATABASE__POOL__SIZE",
        "LARDER_IDENTITY__SIGN_UP",
        "from 10 to 15",
        "url_password_not_encoded",
        "DB_MAX_OVERFLOW",
        "DB_ECHO",
    ] {
        assert!(error.contains(named), "{named}: {error}");
    }
    for value in ["sooooon", "ten-thousand", "perhaps", "16", "s3cr3t", "dozen", "loudly"] {
        assert!(!error.contains(value), "{value}: {error}");
    }
}

/// Scenario 7.
#[test]
fn cf_05_booleans_of_other_deployments() {
    for text in ["1", "TRUE", "on", "Yes"] {
        let config = load(&[("DB_ECHO", text)]).unwrap();
        assert!(config.to_toml(false).contains("log_sql = true"), "{text}");
    }
    let config = load(&[("DB_ECHO", "off")]).unwrap();
    assert!(config.to_toml(false).contains("log_sql = false"));
}

/// Scenario 6.
#[test]
fn cf_06_unknown_names_are_refused_with_the_nearest() {
    let error = load(&[("LARDER_DATABASE__HOTS", "db.example.com")]).unwrap_err();
    assert!(
        error.contains("LARDER_DATABASE__HOTS") && error.contains("`database.host`"),
        "{error}"
    );
    let error = load_file("environment = \"test\"\n[identity]\nsignup = \"open\"").unwrap_err();
    assert!(
        error.contains("line 3") && error.contains("`identity.sign_up`"),
        "{error}"
    );
    let error = load_file("[databases.kitchen]\nurl = \"sqlite:a.db\"").unwrap_err();
    assert!(
        error.contains("databases.kitchen.url") && error.contains("the contexts are identity, chat"),
        "{error}"
    );
    let error = Given::new(&[]).set("database.pool.sise", "3").refused();
    assert!(
        error.contains("--set") && error.contains("`database.pool.size`"),
        "{error}"
    );
}

/// Scenario 6.
#[test]
fn cf_06_names_that_an_orchestrator_adds_are_warned_about() {
    let config = load(&[("LARDER_SERVICE_HOST", "10.0.0.1"), ("PATH", "/bin")]).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].contains("LARDER_SERVICE_HOST") && !config.warnings[0].contains("10.0.0.1"));
}

/// Scenario 4.
#[test]
fn cf_07_of_two_aliases_that_disagree_the_first_counts() {
    let given = Given::new(&[
        ("SUPABASE_DB_HOST", "b.example.com"),
        ("SUPABASE_HOST", "a.example.com"),
    ]);
    let config = given.ok();
    let host = |config: &Config| config.to_toml(false).contains("host = \"a.example.com\"");
    assert!(host(&config), "{}", config.to_toml(false));
    assert!(
        is_warned(&config, "shadowed", &["SUPABASE_HOST", "SUPABASE_DB_HOST"]),
        "{:?}",
        config.warnings
    );
    assert!(!config.warnings.iter().any(|text| text.contains("example.com")));
    // Nothing is shadowed where both say the same, nor where the other one is of a lower level.
    let config = load(&[
        ("SUPABASE_DB_HOST", "a.example.com"),
        ("SUPABASE_HOST", "a.example.com"),
    ])
    .unwrap();
    assert!(host(&config) && config.warnings.is_empty(), "{:?}", config.warnings);
    let config = load(&[
        ("SUPABASE_DB_HOST", "b.example.com"),
        ("LARDER_DATABASE__HOST", "a.example.com"),
    ])
    .unwrap();
    assert!(host(&config) && config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn cf_07_every_alias_reaches_its_key() {
    let postgres = ("DATABASE_URL", "postgres://localhost/app");
    let ca = Given::new(&[]);
    let ca = ca.write("ca.pem", super::database::CERTIFICATE);
    for (alias, text, key, shown) in [
        ("DB_POOL_SIZE", "4", "pool.size", "4"),
        ("DB_MAX_OVERFLOW", "0", "pool.max_overflow", "0"),
        ("DB_POOL_RECYCLE", "1800", "pool.max_lifetime", "\"30m\""),
        ("DB_CONNECT_TIMEOUT", "7", "pool.connect_timeout", "\"7s\""),
        ("DB_POOL_TIMEOUT", "9", "pool.acquire_timeout", "\"9s\""),
        ("DB_ECHO", "1", "log_sql", "true"),
        ("MAIN_DB_SCHEMA", "aiapp", "schema", "\"aiapp\""),
        (
            "DIRECT_URL",
            "postgres://localhost:5433/app",
            "migrate_url",
            "\"postgres://localhost:5433/app\"",
        ),
        (
            "SUPABASE_SSL_CERT_PATH",
            ca.to_str().unwrap(),
            "tls.ca_file",
            ca.to_str().unwrap(),
        ),
        ("SUPABASE_SSL_SKIP_HOSTNAME_CHECK", "true", "tls.mode", "\"verify-ca\""),
    ] {
        let printed = load(&[postgres, (alias, text)]).unwrap().to_toml(true);
        let line = printed
            .lines()
            .find(|line| line.starts_with(&format!("{key} = ")))
            .unwrap();
        assert!(line.contains(shown) && line.ends_with(&format!("# {alias}")), "{line}");
    }
    for (alias, text, key, shown) in [
        ("SUPABASE_HOST", "a.example.com:6000", "host", "\"a.example.com\""),
        ("SUPABASE_HOST", "a.example.com:6000", "port", "6000"),
        ("SUPABASE_DB_HOST", "[::1]:6000", "host", "\"::1\""),
        ("SUPABASE_DB_PORT", "6001", "port", "6001"),
        ("SUPABASE_DB_NAME", "app", "name", "\"app\""),
        ("SUPABASE_DB_USER", "ann", "user", "\"ann\""),
        ("SUPABASE_DB_PASSWORD", "pw", "password", "\"********\""),
        ("SUPABASE_DB_PASS", "pw", "password", "\"********\""),
    ] {
        let host = ("LARDER_DATABASE__HOST", "b.example.com");
        let variables = if alias.ends_with("HOST") {
            vec![(alias, text)]
        } else {
            vec![host, (alias, text)]
        };
        let printed = load(&variables).unwrap().to_toml(true);
        let line = printed
            .lines()
            .find(|line| line.starts_with(&format!("{key} = ")))
            .unwrap();
        assert_eq!(line, format!("{key} = {shown} # {alias}"));
    }
    for (alias, text, environment) in [
        ("NODE_ENV", "test", Environment::Test),
        ("ENVIRONMENT", "local", Environment::Development),
    ] {
        assert_eq!(load(&[(alias, text)]).unwrap().environment, environment);
    }
    let config = load(&[("MAIN_DB_URL", "postgres://localhost/main"), postgres]).unwrap();
    assert_eq!(super::postgres(chat(&config)).server.database, "main");
    let error = load(&[("SUPABASE_HOST", "::1")]).unwrap_err();
    assert!(error.contains("SUPABASE_HOST") && error.contains("brackets"), "{error}");
    let error = load(&[postgres, ("SUPABASE_SSL_SKIP_HOSTNAME_CHECK", "maybe")]).unwrap_err();
    assert!(error.contains("SUPABASE_SSL_SKIP_HOSTNAME_CHECK"), "{error}");
}

#[test]
fn cf_07_an_unchecked_host_name_is_warned_about() {
    let variables = [
        ("SUPABASE_HOST", "a.example.com"),
        ("SUPABASE_SSL_SKIP_HOSTNAME_CHECK", "1"),
    ];
    let config = load(&variables).unwrap();
    assert!(is_warned(
        &config,
        "hostname_unchecked",
        &["SUPABASE_SSL_SKIP_HOSTNAME_CHECK"]
    ));
    let config = load(&[variables[0], ("SUPABASE_SSL_SKIP_HOSTNAME_CHECK", "no")]).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn cf_07_a_direct_address_alone_is_used_for_everything() {
    let direct = ("DIRECT_URL", "postgres://ann:pw@localhost:5433/app");
    let config = load(&[direct]).unwrap();
    let target = postgres(chat(&config));
    assert_eq!((target.server.port, &target.migrate), (5433, &None));
    assert!(
        is_warned(&config, "direct_url_only", &["DIRECT_URL"]),
        "{:?}",
        config.warnings
    );
    let config = load(&[direct, ("DATABASE_URL", "postgres://ann:pw@localhost/app")]).unwrap();
    let target = postgres(chat(&config));
    let migrate = target.migrate.as_ref().unwrap();
    assert_eq!((target.server.port, migrate.port), (5432, 5433));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn cf_07_the_expected_kind_of_database() {
    let postgres = ("DATABASE_URL", "postgres://localhost/app");
    for (variables, refused) in [
        (vec![("DB_TYPE", "sqlite")], None),
        (vec![("DB_TYPE", "postgresql")], Some("db_type_conflict")),
        (vec![postgres, ("DB_TYPE", "PostgreSQL")], None),
        (vec![postgres, ("DB_TYPE", "pg")], None),
        (vec![postgres, ("DB_TYPE", "postgres")], None),
        (vec![postgres, ("DB_TYPE", "sqlite")], Some("db_type_conflict")),
        (vec![postgres, ("DB_TYPE", "mysql")], Some("unsupported_database")),
        (vec![("DB_TYPE", "mariadb")], Some("unsupported_database")),
        (vec![postgres, ("DB_TYPE", "oracle")], Some("DB_TYPE must be")),
    ] {
        match (load(&variables), refused) {
            (Ok(_), None) => {}
            (Err(error), Some(code)) => {
                assert!(error.contains(code) && error.contains("DB_TYPE"), "{error}");
                assert!(!error.contains("oracle") && !error.contains("mariadb"), "{error}");
            }
            (outcome, expected) => panic!("{variables:?}: {outcome:?}, not {expected:?}"),
        }
    }
}

#[test]
fn cf_07_logins_of_vendors_are_ignored() {
    let config = load(&[
        ("GARMIN_ENABLED", "true"),
        ("GARMIN_PASSWORD", "s3cr3t"),
        ("WITHINGS_CLIENT_ID", "s3cr3t"),
    ])
    .unwrap();
    for name in ["GARMIN_ENABLED", "GARMIN_PASSWORD", "WITHINGS_CLIENT_ID"] {
        assert!(is_warned(&config, "ignored_variable", &[name]), "{:?}", config.warnings);
    }
    assert!(!format!("{config:?}").contains("s3cr3t"));
}

/// Scenario 25.
#[test]
fn cf_08_variables_of_libpq_have_no_effect() {
    let address = ("LARDER_DATABASE__URL", "postgres://ann:pw@db.example.com/app");
    let libpq = [
        ("PGHOST", "elsewhere.example.com"),
        ("PGPORT", "1"),
        ("PGUSER", "bob"),
        ("PGPASSWORD", "s3cr3t"),
        ("PGDATABASE", "other"),
        ("PGSSLMODE", "disable"),
        ("PGOPTIONS", "-c search_path=other"),
        ("PGPASSFILE", "/root/.pgpass"),
        ("PGSERVICE", "other"),
    ];
    let plain = load(&[address]).unwrap();
    let config = load(&[&[address][..], &libpq[..]].concat()).unwrap();
    assert_eq!(config.databases, plain.databases);
    assert!(!format!("{config:?}").contains("s3cr3t"));
    // A warning where the key that says the same is not set.
    for name in ["PGPORT", "PGSSLMODE", "PGOPTIONS", "PGSERVICE"] {
        assert!(
            is_warned(&config, "libpq_ignored", &[name]),
            "{name}: {:?}",
            config.warnings
        );
    }
    for name in ["PGHOST", "PGUSER", "PGPASSWORD", "PGDATABASE"] {
        assert!(
            !is_warned(&config, "libpq_ignored", &[name]),
            "{name}: {:?}",
            config.warnings
        );
    }
    let config = load(&libpq).unwrap();
    assert_eq!(driver(chat(&config)), "sqlite");
    assert!(
        is_warned(&config, "libpq_ignored", &["PGHOST", "database.host"]),
        "{:?}",
        config.warnings
    );
}
