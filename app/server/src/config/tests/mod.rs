//! The rules of the configuration, over inputs that are made up: no variable and no file of the machine counts.

mod database;
mod print;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use larder_domain::identity::IssuerPolicy;
use larder_sql::target::{PostgresTarget, SqliteTarget};
use tempfile::TempDir;

use super::*;

const SECRET: &str = "an invented secret of 40 bytes for tests";

/// What a configuration is made from, in a folder of its own with an empty `larder.toml`.
struct Given {
    folder: TempDir,
    inputs: Inputs,
}

impl Given {
    fn new(variables: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let mut this = Self {
            folder,
            inputs: Inputs::default(),
        };
        for (name, value) in variables {
            this.inputs.variables.push((name.into(), value.into()));
        }
        this.file("")
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.inputs.variables.push((name.into(), value.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.inputs.variables.retain(|(other, _)| other != name);
        self
    }

    fn file(mut self, text: &str) -> Self {
        self.inputs.file = Some(self.write("larder.toml", text));
        self
    }

    fn env_file(mut self, text: &str) -> Self {
        self.inputs.env_file = Some(self.write("larder.env", text));
        self
    }

    fn set(mut self, key: &str, value: &str) -> Self {
        self.inputs.flags.push(Flag {
            key: key.to_owned(),
            name: "--set",
            value: value.to_owned(),
        });
        self
    }

    /// Writes a file into the folder.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn load(&self) -> Result<Config, String> {
        Config::load(&self.inputs).map_err(|error| error.to_string())
    }

    fn ok(&self) -> Config {
        self.load().unwrap()
    }

    /// The text of what is refused.
    fn refused(&self) -> String {
        self.load().unwrap_err()
    }
}

/// A configuration from variables alone.
fn load(variables: &[(&str, &str)]) -> Result<Config, String> {
    Given::new(variables).load()
}

fn load_file(text: &str) -> Result<Config, String> {
    Given::new(&[]).file(text).load()
}

fn chat(config: &Config) -> &Database {
    &config.databases[&Context::Chat]
}

fn identity(config: &Config) -> &Database {
    &config.databases[&Context::Identity]
}

fn sqlite_path(database: &Database) -> &Path {
    match &database.store {
        StoreTarget::Sqlite(SqliteTarget { path, .. }) => path,
        other => panic!("{other:?}"),
    }
}

fn postgres(database: &Database) -> &PostgresTarget {
    match &database.store {
        StoreTarget::PgSqlx(target) | StoreTarget::PgTokio(target) => target,
        other => panic!("{other:?}"),
    }
}

fn driver(database: &Database) -> &'static str {
    match &database.store {
        StoreTarget::Sqlite(_) => "sqlite",
        StoreTarget::PgSqlx(_) => "sqlx",
        StoreTarget::PgTokio(_) => "tokio-postgres",
    }
}

/// Whether a warning with this code names all of these.
fn is_warned(config: &Config, code: &str, names: &[&str]) -> bool {
    let mut warnings = config.warnings.iter();
    warnings.any(|text| text.contains(&format!("{code}: ")) && names.iter().all(|name| text.contains(name)))
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
    let config = load_file(&file).unwrap();
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
    let config = load_file(&file).unwrap();
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
    let printed = config.to_toml(false);
    assert!(
        !printed.contains(SECRET) && printed.contains("jwks_url = \"http://127.0.0.1:9/keys\""),
        "{printed}"
    );
    assert!(!format!("{config:?}").contains(SECRET));
    // What is printed is a file again, once the secret is put back.
    let again = load_file(&printed.replace("********", SECRET)).unwrap();
    assert_eq!(again.to_toml(false), printed);
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
