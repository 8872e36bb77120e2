//! The external issuers whose tokens are accepted (`ID-50`).

use std::collections::BTreeSet;

use figment::value::{Dict, Value};
use larder_domain::identity::IssuerPolicy;
use larder_security::{ExternalAlgorithm, ExternalIssuer, ExternalTokens, IssuerKeys, JwksAddress};
use secrecy::SecretString;

use super::problem::Problem;
use super::reader::Reader;
use super::setting::Setting;
use super::source::MASK;

/// The key of the list of external issuers.
pub(crate) const EXTERNAL_ISSUERS: &str = "identity.external_issuers";

const ALGORITHMS: [(&str, ExternalAlgorithm); 4] = [
    ("HS256", ExternalAlgorithm::Hs256),
    ("ES256", ExternalAlgorithm::Es256),
    ("RS256", ExternalAlgorithm::Rs256),
    ("EdDSA", ExternalAlgorithm::EdDsa),
];

const FIELDS: [&str; 9] = [
    "name",
    "iss",
    "aud",
    "algorithms",
    "secret",
    "jwks_url",
    "auto_create",
    "trust_email",
    "allow_anonymous",
];

/// One entry of `identity.external_issuers`.
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// What people call it.
    pub name: String,
    /// How its tokens are judged.
    pub issuer: ExternalIssuer,
    /// What becomes of their subjects.
    pub policy: IssuerPolicy,
}

impl IssuerConfig {
    /// The secret that is shared with it.
    pub(super) fn secret(&self) -> Option<SecretString> {
        match &self.issuer.keys {
            IssuerKeys::Secret(secret) => Some(secret.clone()),
            IssuerKeys::Published(_) => None,
        }
    }
}

/// Reads and checks the list. `own` is the `iss` of our own tokens.
pub(super) fn read(reader: &mut Reader, own: &str) -> Vec<IssuerConfig> {
    let Some(list) = reader.find_list(EXTERNAL_ISSUERS) else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    let mut issuers: Vec<IssuerConfig> = Vec::with_capacity(list.value.len());
    let mut shown = Vec::with_capacity(list.value.len());
    let mut names = BTreeSet::new();
    for (index, entry) in list.value.iter().enumerate() {
        let read = read_issuer(entry).and_then(|issuer| {
            if names.insert(issuer.name.clone()) {
                Ok(issuer)
            } else {
                Err(Problem::new("another issuer has the same `name`"))
            }
        });
        match read {
            Ok(issuer) => {
                shown.push(show(&issuer));
                issuers.push(issuer);
            }
            Err(problem) => problems.push((index, problem)),
        }
    }
    // With an entry missing the others' places would not be theirs.
    if problems.is_empty()
        && let Err((index, error)) =
            ExternalTokens::new(issuers.iter().map(|issuer| issuer.issuer.clone()).collect(), own)
    {
        problems.push((index, Problem::new(crate::exit::chain(&error))));
    }
    for (index, problem) in problems {
        let key = format!("{EXTERNAL_ISSUERS}[{index}]");
        reader.problems.add(problem.of(key).from(&list.origin));
    }
    reader.show(EXTERNAL_ISSUERS, toml::Value::Array(shown));
    issuers
}

fn read_issuer(entry: &Value) -> Result<IssuerConfig, Problem> {
    let entry = entry.as_dict().ok_or_else(|| Problem::new("must be a table"))?;
    if let Some(unknown) = entry.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let known = FIELDS.join("`, `");
        return Err(Problem::new(format!("has no `{unknown}`; there are `{known}`")));
    }
    let default = IssuerPolicy::default();
    let policy = IssuerPolicy {
        auto_create: optional(entry, "auto_create")?.unwrap_or(default.auto_create),
        trust_email: optional(entry, "trust_email")?.unwrap_or(default.trust_email),
        allow_anonymous: optional(entry, "allow_anonymous")?.unwrap_or(default.allow_anonymous),
    };
    let keys = match (
        optional::<String>(entry, "secret")?,
        optional::<String>(entry, "jwks_url")?,
    ) {
        (Some(secret), None) if secret.contains(MASK) => {
            let text = format!("replace {MASK} with the value that it stands for");
            return Err(Problem::coded("masked_value", text));
        }
        (Some(secret), None) => IssuerKeys::Secret(secret.into()),
        (None, Some(address)) => {
            let address: JwksAddress = address
                .parse()
                .map_err(|error| Problem::new(format!("`jwks_url` {error}")))?;
            IssuerKeys::Published(address)
        }
        _ => return Err(Problem::new("must have either `secret` or `jwks_url`")),
    };
    Ok(IssuerConfig {
        name: required(entry, "name")?,
        issuer: ExternalIssuer {
            issuer: required(entry, "iss")?,
            audience: required(entry, "aud")?,
            algorithms: algorithms(entry)?,
            keys,
        },
        policy,
    })
}

fn optional<T: Setting>(entry: &Dict, field: &str) -> Result<Option<T>, Problem> {
    let Some(value) = entry.get(field) else { return Ok(None) };
    match T::read(value) {
        Some(value) => Ok(Some(value)),
        None => Err(Problem::new(format!("`{field}` must be {}", T::EXPECTED))),
    }
}

fn required(entry: &Dict, field: &str) -> Result<String, Problem> {
    optional::<String>(entry, field)?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Problem::new(format!("must have `{field}`, a text that is not empty")))
}

fn algorithms(entry: &Dict) -> Result<Vec<ExternalAlgorithm>, Problem> {
    let words = entry.get("algorithms").and_then(Value::as_array);
    let found: Option<Vec<ExternalAlgorithm>> = words.and_then(|words| {
        let find = |word: &Value| {
            let known = ALGORITHMS.iter().find(|(known, _)| word.as_str() == Some(*known));
            known.map(|(_, algorithm)| *algorithm)
        };
        words.iter().map(find).collect()
    });
    found.ok_or_else(|| {
        let known = ALGORITHMS.map(|(word, _)| word).join(", ");
        Problem::new(format!("must have `algorithms`, a list of {known}"))
    })
}

fn show(config: &IssuerConfig) -> toml::Value {
    let word = |algorithm: &ExternalAlgorithm| {
        let known = ALGORITHMS.iter().find(|(_, known)| known == algorithm);
        known.map(|(word, _)| toml::Value::from(*word))
    };
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), config.name.as_str().into());
    table.insert("iss".to_owned(), config.issuer.issuer.as_str().into());
    table.insert("aud".to_owned(), config.issuer.audience.as_str().into());
    let algorithms = config.issuer.algorithms.iter().filter_map(word).collect();
    table.insert("algorithms".to_owned(), toml::Value::Array(algorithms));
    match &config.issuer.keys {
        IssuerKeys::Secret(_) => table.insert("secret".to_owned(), MASK.into()),
        IssuerKeys::Published(address) => table.insert("jwks_url".to_owned(), address.to_string().into()),
    };
    table.insert("auto_create".to_owned(), config.policy.auto_create.into());
    table.insert("trust_email".to_owned(), config.policy.trust_email.into());
    table.insert("allow_anonymous".to_owned(), config.policy.allow_anonymous.into());
    toml::Value::Table(table)
}
