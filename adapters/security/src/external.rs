use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use larder_domain::Instant;
use larder_domain::identity::{ErasedSubject, ExternalClaims};
use larder_ports::outbound::{BoxError, ExternalTokenError, ExternalTokenVerifier};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::fetch::{Fetcher, JwksAddress};
use crate::jwks::{Jwks, NoKey};
use crate::jwt::{LEEWAY, MIN_SECRET, instant, seconds};

/// Most characters of an issuer's name in its tokens.
const MAX_ISSUER: usize = 300;

/// An issuer whose tokens are accepted (`ID-50`).
#[derive(Clone, Debug)]
pub struct ExternalIssuer {
    /// `iss`, exactly as its tokens have it.
    pub issuer: String,
    /// What `aud` must be or hold.
    pub audience: String,
    /// The algorithms that are accepted; all must fit the keys.
    pub algorithms: Vec<ExternalAlgorithm>,
    /// What verifies.
    pub keys: IssuerKeys,
}

/// What the tokens of an issuer are verified with.
#[derive(Clone, Debug)]
pub enum IssuerKeys {
    /// A secret that it shares with us: HS256.
    Secret(SecretString),
    /// The public keys that it publishes.
    Published(JwksAddress),
}

/// An algorithm of an external issuer. There is no `none` to configure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExternalAlgorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// ECDSA on P-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl ExternalAlgorithm {
    pub(crate) fn wire(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

/// Why an issuer can't be accepted. Never shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Not something that a token can be judged by.
    #[error("`iss` must have 1 to {MAX_ISSUER} characters and be none of those that this service uses itself")]
    BadIssuer,
    /// Every token would be refused, or accepted that is for somebody else.
    #[error("`aud` must not be empty")]
    NoAudience,
    /// No token could be judged by one of them alone.
    #[error("another issuer has the same `iss`")]
    Duplicate,
    /// Every token would be refused.
    #[error("`algorithms` must not be empty")]
    NoAlgorithm,
    /// A public key must not be used as a secret, nor a secret as a public key (`ID-51`).
    #[error("`algorithms` must be HS256 alone with `secret`, and any of ES256, RS256, EdDSA with `jwks_url`")]
    Misfit,
    /// A secret that can be guessed.
    #[error("`secret` has fewer than {MIN_SECRET} bytes")]
    TooShort,
    /// Everybody may know it.
    #[error("`secret` is a key in PEM or JWK form, not a shared secret")]
    KeyAsSecret,
    /// TLS is not to be had.
    #[error("`jwks_url` can't be used")]
    Tls(#[source] BoxError),
}

enum Keys {
    Shared(DecodingKey),
    Published(Jwks),
}

struct Issuer {
    issuer: String,
    audience: String,
    algorithms: Vec<ExternalAlgorithm>,
    keys: Keys,
}

/// Checks tokens of external issuers.
pub struct ExternalTokens {
    issuers: Vec<Issuer>,
}

impl ExternalTokens {
    /// Checks the issuers and gets ready. `own` is the `iss` of our own tokens. An error tells which issuer it is about.
    pub fn new(issuers: Vec<ExternalIssuer>, own: &str) -> Result<Self, (usize, IssuerError)> {
        let is_encrypted = |keys: &IssuerKeys| matches!(keys, IssuerKeys::Published(address) if address.is_encrypted());
        let encrypted = issuers.iter().position(|issuer| is_encrypted(&issuer.keys));
        let fetcher = Fetcher::new(encrypted.is_some())
            .map_err(|error| (encrypted.unwrap_or_default(), IssuerError::Tls(error)))?;
        let fetcher = Arc::new(fetcher);
        let mut names = HashSet::from([own.to_owned(), ErasedSubject::LOCAL.to_owned()]);
        let mut ready = Vec::with_capacity(issuers.len());
        for (index, issuer) in issuers.into_iter().enumerate() {
            if ready.iter().any(|other: &Issuer| other.issuer == issuer.issuer) {
                return Err((index, IssuerError::Duplicate));
            }
            let is_named = (1..=MAX_ISSUER).contains(&issuer.issuer.chars().count()) && !issuer.issuer.contains('\0');
            if !is_named || !names.insert(issuer.issuer.clone()) {
                return Err((index, IssuerError::BadIssuer));
            }
            ready.push(Issuer::new(issuer, &fetcher).map_err(|error| (index, error))?);
        }
        Ok(Self { issuers: ready })
    }
}

impl Issuer {
    fn new(config: ExternalIssuer, fetcher: &Arc<Fetcher>) -> Result<Self, IssuerError> {
        if config.audience.is_empty() {
            return Err(IssuerError::NoAudience);
        }
        if config.algorithms.is_empty() {
            return Err(IssuerError::NoAlgorithm);
        }
        let is_shared = matches!(config.keys, IssuerKeys::Secret(_));
        if config
            .algorithms
            .iter()
            .any(|algorithm| (*algorithm == ExternalAlgorithm::Hs256) != is_shared)
        {
            return Err(IssuerError::Misfit);
        }
        let keys = match config.keys {
            IssuerKeys::Published(address) => Keys::Published(Jwks::new(address, Arc::clone(fetcher))),
            IssuerKeys::Secret(secret) => {
                let secret = secret.expose_secret();
                if secret.trim_start().starts_with("-----BEGIN") || secret.contains("\"kty\"") {
                    return Err(IssuerError::KeyAsSecret);
                }
                if secret.len() < MIN_SECRET {
                    return Err(IssuerError::TooShort);
                }
                Keys::Shared(DecodingKey::from_secret(secret.as_bytes()))
            }
        };
        Ok(Self {
            issuer: config.issuer,
            audience: config.audience,
            algorithms: config.algorithms,
            keys,
        })
    }

    /// The claims of a token with a good signature, issuer and audience.
    async fn read(&self, token: &str, now: Instant) -> Result<Claims, ExternalTokenError> {
        let header = decode_header(token).map_err(|_| ExternalTokenError::Invalid)?;
        let algorithm = self
            .algorithms
            .iter()
            .copied()
            .find(|algorithm| algorithm.wire() == header.alg);
        let (Some(algorithm), None) = (algorithm, header.crit) else {
            return Err(ExternalTokenError::Invalid);
        };
        let key = match &self.keys {
            Keys::Shared(key) => key.clone(),
            Keys::Published(jwks) => {
                let kid = header.kid.ok_or(ExternalTokenError::Invalid)?;
                jwks.key(&kid, algorithm, now).await.map_err(|none| match none {
                    NoKey::Unknown => ExternalTokenError::Invalid,
                    NoKey::Unavailable => ExternalTokenError::Unavailable,
                })?
            }
        };
        let mut validation = Validation::new(algorithm.wire());
        // Issuer, audience and times are judged here: the types strictly, the times by the clock that the caller hands in.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = decode::<Claims>(token, &key, &validation)
            .map_err(|_| ExternalTokenError::Invalid)?
            .claims;
        if claims.iss != self.issuer || !claims.aud.holds(&self.audience) {
            return Err(ExternalTokenError::Invalid);
        }
        Ok(claims)
    }
}

#[async_trait]
impl ExternalTokenVerifier for ExternalTokens {
    async fn verify(&self, token: &str, now: Instant) -> Result<ExternalClaims, ExternalTokenError> {
        #[derive(Deserialize)]
        struct Claimed {
            iss: String,
        }

        // Tells only whose keys are to judge the token.
        let claimed: Claimed = insecure_decode_claims(token).map_err(|_| ExternalTokenError::Invalid)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.issuer == claimed.iss);
        let issuer = issuer.ok_or(ExternalTokenError::Invalid)?;
        issuer.read(token, now).await?.judge(now)
    }
}

/// The claims that count. Each JSON type is checked; all others are none of our business.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    #[serde(deserialize_with = "date")]
    iat: i64,
    #[serde(deserialize_with = "date")]
    exp: i64,
    #[serde(default, deserialize_with = "optional_date")]
    nbf: Option<i64>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Option<serde_json::Value>,
    #[serde(default)]
    is_anonymous: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn holds(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// Seconds since the epoch as a JSON number; a fraction is cut.
fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let whole = number.as_i64().or_else(|| {
        let seconds = number.as_f64()?.floor();
        // Exact in this range, and far more than any instant needs.
        (seconds.abs() < 1e15).then_some(seconds as i64)
    });
    whole.ok_or_else(|| serde::de::Error::custom("out of range"))
}

fn optional_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    date(deserializer).map(Some)
}

impl Claims {
    fn judge(self, now: Instant) -> Result<ExternalClaims, ExternalTokenError> {
        let issued_at = instant(self.iat).ok_or(ExternalTokenError::Invalid)?;
        let expires_at = instant(self.exp).ok_or(ExternalTokenError::Invalid)?;
        let now = seconds(now);
        let begins = self.nbf.unwrap_or(self.iat).max(self.iat);
        let length = self.sub.chars().count();
        if begins.saturating_sub(LEEWAY) > now
            || !(1..=ExternalClaims::MAX_SUBJECT).contains(&length)
            || self.sub.contains('\0')
        {
            return Err(ExternalTokenError::Invalid);
        }
        if seconds(expires_at).saturating_add(LEEWAY) < now {
            return Err(ExternalTokenError::Expired);
        }
        Ok(ExternalClaims {
            issuer: self.iss,
            subject: self.sub,
            email: ExternalClaims::usable_email(self.email),
            is_email_unverified: self
                .email_verified
                .is_some_and(|verified| verified != true && verified != "true"),
            is_anonymous: self.is_anonymous == Some(true),
            issued_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::EncodingKey;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{
        ISSUER, NOW, Publisher, SECRET, claims, ec_key, ed_key, later, published, sign, with, without,
    };

    const OWN: &str = "larder";

    fn shared(secret: &str) -> ExternalIssuer {
        ExternalIssuer {
            issuer: ISSUER.into(),
            audience: "authenticated".into(),
            algorithms: vec![ExternalAlgorithm::Hs256],
            keys: IssuerKeys::Secret(secret.into()),
        }
    }

    fn publishing(address: &str, algorithms: &[ExternalAlgorithm]) -> ExternalIssuer {
        ExternalIssuer {
            algorithms: algorithms.to_vec(),
            keys: IssuerKeys::Published(address.parse().unwrap()),
            ..shared("")
        }
    }

    fn tokens(issuers: Vec<ExternalIssuer>) -> ExternalTokens {
        ExternalTokens::new(issuers, OWN).unwrap_or_else(|(index, error)| panic!("{index}: {error}"))
    }

    fn header() -> Value {
        json!({"typ": "JWT", "alg": "HS256"})
    }

    fn forge(header: &Value, claims: &Value, secret: &[u8]) -> String {
        sign(header, claims, &EncodingKey::from_secret(secret), Algorithm::HS256)
    }

    async fn verify(header: &Value, claims: &Value) -> Result<ExternalClaims, ExternalTokenError> {
        let token = forge(header, claims, SECRET.as_bytes());
        tokens(vec![shared(SECRET)]).verify(&token, later(0)).await
    }

    fn ann() -> ExternalClaims {
        ExternalClaims {
            issuer: ISSUER.into(),
            subject: "ann".into(),
            email: Some("ann@example.com".into()),
            is_email_unverified: false,
            is_anonymous: false,
            issued_at: later(0),
        }
    }

    #[tokio::test]
    async fn id_50_a_good_token_says_who_it_is() {
        assert_eq!(verify(&header(), &claims()).await, Ok(ann()));
        let audiences = json!(["other", "authenticated"]);
        assert_eq!(verify(&header(), &with(claims(), "aud", audiences)).await, Ok(ann()));
        let fractions = with(claims(), "iat", json!(NOW as f64 + 0.75));
        assert_eq!(verify(&header(), &fractions).await, Ok(ann()));
    }

    #[tokio::test]
    async fn id_50_each_issuer_judges_its_own_tokens_alone() {
        let other_secret = "another invented secret, of the other issuer";
        let other = ExternalIssuer {
            issuer: "https://other.example.com".into(),
            ..shared(other_secret)
        };
        let tokens = tokens(vec![shared(SECRET), other]);
        let of_other = with(claims(), "iss", json!("https://other.example.com"));
        for (claims, secret, is_good) in [
            (&claims(), SECRET, true),
            (&claims(), other_secret, false),
            (&of_other, other_secret, true),
            (&of_other, SECRET, false),
        ] {
            let token = forge(&header(), claims, secret.as_bytes());
            assert_eq!(
                tokens.verify(&token, later(0)).await.is_ok(),
                is_good,
                "{claims} {secret}"
            );
        }
        for unknown in [
            json!("https://issuer.example.com/"),
            json!("HTTPS://issuer.example.com"),
            json!(OWN),
            json!(7),
        ] {
            let token = forge(&header(), &with(claims(), "iss", unknown.clone()), SECRET.as_bytes());
            let verified = tokens.verify(&token, later(0)).await;
            assert_eq!(verified, Err(ExternalTokenError::Invalid), "{unknown}");
        }
    }

    #[tokio::test]
    async fn id_51_subject_audience_and_times_are_required() {
        for claim in ["iss", "aud", "sub", "iat", "exp"] {
            let verified = verify(&header(), &without(claims(), claim)).await;
            assert_eq!(verified, Err(ExternalTokenError::Invalid), "{claim}");
        }
        for (claim, value) in [
            ("aud", json!("other")),
            ("aud", json!([])),
            ("aud", json!(7)),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("sub", json!(null)),
            ("sub", json!("a\0b")),
            ("sub", json!("x".repeat(256))),
            ("iat", json!("0")),
            ("exp", json!("9999999999")),
            ("exp", json!(null)),
            ("exp", json!(1e300)),
            ("exp", json!(i64::MAX)),
            ("email", json!(7)),
            ("is_anonymous", json!("yes")),
        ] {
            let verified = verify(&header(), &with(claims(), claim, value.clone())).await;
            assert_eq!(verified, Err(ExternalTokenError::Invalid), "{claim} {value}");
        }
        assert!(
            verify(&header(), &with(claims(), "sub", json!("ä".repeat(255))))
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn id_51_times_have_a_leeway_of_30_seconds() {
        let token = forge(&header(), &claims(), SECRET.as_bytes());
        let begins = forge(&header(), &with(claims(), "nbf", json!(NOW + 100)), SECRET.as_bytes());
        let tokens = tokens(vec![shared(SECRET)]);
        for (token, second, expected) in [
            (&token, 3600 + 30, Ok(ann())),
            (&token, 3600 + 31, Err(ExternalTokenError::Expired)),
            (&token, -30, Ok(ann())),
            (&token, -31, Err(ExternalTokenError::Invalid)),
            (&begins, 70, Ok(ann())),
            (&begins, 69, Err(ExternalTokenError::Invalid)),
        ] {
            assert_eq!(tokens.verify(token, later(second)).await, expected, "{second}");
        }
    }

    #[tokio::test]
    async fn what_counts_of_the_rest() {
        for (claim, value, expected) in [
            (
                "is_anonymous",
                json!(true),
                ExternalClaims {
                    is_anonymous: true,
                    ..ann()
                },
            ),
            ("is_anonymous", json!(null), ann()),
            ("email", json!(""), ExternalClaims { email: None, ..ann() }),
            ("email", json!(null), ExternalClaims { email: None, ..ann() }),
            ("email_verified", json!(true), ann()),
            ("email_verified", json!("true"), ann()),
            ("email_verified", json!(null), ann()),
            (
                "email_verified",
                json!(false),
                ExternalClaims {
                    is_email_unverified: true,
                    ..ann()
                },
            ),
            (
                "email_verified",
                json!("false"),
                ExternalClaims {
                    is_email_unverified: true,
                    ..ann()
                },
            ),
            ("roles", json!(["admin"]), ann()),
            (
                "user_metadata",
                json!({"email_verified": false, "roles": ["admin"]}),
                ann(),
            ),
        ] {
            let verified = verify(&header(), &with(claims(), claim, value.clone())).await;
            assert_eq!(verified, Ok(expected), "{claim} {value}");
        }
    }

    #[tokio::test]
    async fn id_51_none_and_other_algorithms_are_refused() {
        for header in [
            with(header(), "alg", json!("none")),
            with(header(), "alg", json!("None")),
            with(header(), "alg", json!("HS384")),
            with(header(), "alg", json!("RS256")),
            without(header(), "alg"),
            with(header(), "crit", json!(["exp"])),
        ] {
            assert_eq!(
                verify(&header, &claims()).await,
                Err(ExternalTokenError::Invalid),
                "{header}"
            );
        }
        let good = forge(&header(), &claims(), SECRET.as_bytes());
        let (unsigned, _) = good.rsplit_once('.').unwrap();
        let tokens = tokens(vec![shared(SECRET)]);
        for token in [
            format!("{unsigned}."),
            unsigned.to_owned(),
            format!("{good}A"),
            String::new(),
            "..".into(),
        ] {
            assert_eq!(
                tokens.verify(&token, later(0)).await,
                Err(ExternalTokenError::Invalid),
                "{token}"
            );
        }
    }

    #[tokio::test]
    async fn id_22_a_key_in_the_header_is_not_used() {
        let attackers = b"the attacker knows this secret very well";
        let jwk = json!({"kty": "oct", "k": "dGhlIGF0dGFja2VyIGtub3dzIHRoaXMgc2VjcmV0IHZlcnkgd2VsbA", "alg": "HS256"});
        let tokens = tokens(vec![shared(SECRET)]);
        for (name, value) in [
            ("jwk", jwk),
            ("jku", json!("https://example.com/keys")),
            ("x5u", json!("https://example.com/keys")),
        ] {
            let token = forge(&with(header(), name, value), &claims(), attackers);
            assert_eq!(
                tokens.verify(&token, later(0)).await,
                Err(ExternalTokenError::Invalid),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn id_51_public_keys_of_every_kind_verify() {
        let (ec, ed) = (ec_key(7), ed_key(7));
        let publisher = Publisher::of(&[
            published("ec", &ec, Algorithm::ES256),
            published("ed", &ed, Algorithm::EdDSA),
        ])
        .await;
        let all = [
            ExternalAlgorithm::Es256,
            ExternalAlgorithm::EdDsa,
            ExternalAlgorithm::Rs256,
        ];
        let tokens = tokens(vec![publishing(&publisher.address, &all)]);
        for (kid, alg, key) in [("ec", Algorithm::ES256, &ec), ("ed", Algorithm::EdDSA, &ed)] {
            let token = sign(&json!({"alg": alg, "kid": kid}), &claims(), key, alg);
            assert_eq!(tokens.verify(&token, later(0)).await, Ok(ann()), "{kid}");
            let forged = sign(
                &json!({"alg": alg, "kid": kid}),
                &claims(),
                &match alg {
                    Algorithm::ES256 => ec_key(8),
                    _ => ed_key(8),
                },
                alg,
            );
            assert_eq!(
                tokens.verify(&forged, later(0)).await,
                Err(ExternalTokenError::Invalid),
                "{kid}"
            );
            let nameless = sign(&json!({"alg": alg}), &claims(), key, alg);
            assert_eq!(
                tokens.verify(&nameless, later(0)).await,
                Err(ExternalTokenError::Invalid),
                "{kid}"
            );
        }
        assert_eq!(publisher.reads(), 1);
    }

    #[tokio::test]
    async fn id_51_rs256_of_a_key_that_was_thrown_away() {
        let modulus = "8tRe9rePrHJ-u7vQh7IaXgExEZB3ogmac12Mp2hLqwqF_oyRwgEbyogaP6cO-fyXAKd0yfXjONiByX9kz-Ft02REhES5ZMe76f0B4YItV_pDFOebRzPFHt_3RH-rgiYssdSD5JhVdSU9H9oDlEKi_dVDZKJnYAKv9ge9DtmCRhkEVAlgavcYWk98maux52mnNYWgBTf1zpHShcgoLZ1Cyub6Fovmcb2xSz_2CXQ818xh2MI7uflyyzI6ln3_1EgRpy-pCj8JBiMbwGbplHK6Oe-sZd2GSw6PfLYvWTfWPB9lr3_DGcLCwh-2ic5UQAHex7-6nb_zLTJBNZDU4OgcuQ";
        let signature = "Tew0TD1Vuu0vUbgq_ByRJARdXWfGA2auXRLAgfpVQWeKVwdCWLlLh8WZxxVu9C-hjbzEzsPFlQgvQn_apuyf3Gjp5uu2AcYkDhXI0bFyZbYdy8JHsop_QFpCO5xK9hOacwdUvOwu9ijWaiQLuFvawxnMjttLdw0QpKcK_VNIzwQOXd49Y08pEGHqw7DPwg7JJCrbuap2-xKf783dC3UfZbHN2sME0oEEsliZjYOzJ9sGREv5i-pLrp5BvcEXeCIHCURzHSJA1_2_wL3pWUwFy3id6d9eJZKu8pk4Pm1cYmT38i7SSYwoFWP4sfUhlGUjiQ7cFNMkTdMhBNfzCpBsgw";
        let publisher =
            Publisher::of(&[json!({"kty": "RSA", "kid": "rsa", "use": "sig", "n": modulus, "e": "AQAB"})]).await;
        let encode = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
        let claims = format!(
            r#"{{"iss":"{ISSUER}","aud":"authenticated","sub":"ann","iat":{NOW},"exp":{}}}"#,
            NOW + 3600
        );
        let message = format!("{}.{}", encode(r#"{"alg":"RS256","kid":"rsa"}"#), encode(&claims));
        let tokens = tokens(vec![publishing(&publisher.address, &[ExternalAlgorithm::Rs256])]);
        let expected = ExternalClaims { email: None, ..ann() };
        assert_eq!(
            tokens.verify(&format!("{message}.{signature}"), later(0)).await,
            Ok(expected)
        );
        let broken = signature.replacen('T', "U", 1);
        let verified = tokens.verify(&format!("{message}.{broken}"), later(0)).await;
        assert_eq!(verified, Err(ExternalTokenError::Invalid));
    }

    #[tokio::test]
    async fn t_023_a_public_key_is_no_secret_and_a_header_brings_none() {
        let key = ec_key(7);
        let jwk = published("a", &key, Algorithm::ES256);
        let publisher = Publisher::of(std::slice::from_ref(&jwk)).await;
        let only = |algorithms: &[ExternalAlgorithm]| tokens(vec![publishing(&publisher.address, algorithms)]);
        let tokens = only(&[ExternalAlgorithm::Es256, ExternalAlgorithm::EdDsa]);
        let text = jwk.to_string();
        for secret in [text.as_str(), jwk["x"].as_str().unwrap(), ""] {
            let token = forge(&json!({"alg": "HS256", "kid": "a"}), &claims(), secret.as_bytes());
            assert_eq!(tokens.verify(&token, later(0)).await, Err(ExternalTokenError::Invalid));
        }
        let attackers = ec_key(9);
        let brings = json!({"alg": "ES256", "kid": "a", "jwk": published("a", &attackers, Algorithm::ES256)});
        let token = sign(&brings, &claims(), &attackers, Algorithm::ES256);
        assert_eq!(tokens.verify(&token, later(0)).await, Err(ExternalTokenError::Invalid));
        // The key fits, and the issuer does not use the algorithm.
        let good = sign(&json!({"alg": "ES256", "kid": "a"}), &claims(), &key, Algorithm::ES256);
        assert!(tokens.verify(&good, later(0)).await.is_ok());
        let verified = only(&[ExternalAlgorithm::EdDsa]).verify(&good, later(0)).await;
        assert_eq!(verified, Err(ExternalTokenError::Invalid));
        // The algorithm is allowed, and the key is of another kind.
        let other_kind = sign(
            &json!({"alg": "EdDSA", "kid": "a"}),
            &claims(),
            &ed_key(7),
            Algorithm::EdDSA,
        );
        assert_eq!(
            tokens.verify(&other_kind, later(0)).await,
            Err(ExternalTokenError::Invalid)
        );
    }

    #[tokio::test]
    async fn id_52_without_any_keys_the_issuer_is_unavailable() {
        let publisher = Publisher::of(&[]).await;
        publisher.say("500 Internal Server Error", "");
        let tokens = tokens(vec![publishing(&publisher.address, &[ExternalAlgorithm::Es256])]);
        let token = sign(
            &json!({"alg": "ES256", "kid": "a"}),
            &claims(),
            &ec_key(7),
            Algorithm::ES256,
        );
        assert_eq!(
            tokens.verify(&token, later(0)).await,
            Err(ExternalTokenError::Unavailable)
        );
        // What can't be good in any case asks nobody.
        let misfit = forge(&json!({"alg": "HS256", "kid": "a"}), &claims(), SECRET.as_bytes());
        assert_eq!(
            tokens.verify(&misfit, later(10)).await,
            Err(ExternalTokenError::Invalid)
        );
        assert_eq!(publisher.reads(), 1);
    }

    #[test]
    fn id_51_what_can_not_be_configured() {
        let jwk = r#"{"kty": "EC", "crv": "P-256", "x": "abc", "y": "def"}"#.repeat(2);
        let refused = |issuers: Vec<ExternalIssuer>| ExternalTokens::new(issuers, OWN).err().unwrap();
        let address = "http://127.0.0.1:9/keys";
        type Check = fn(&IssuerError) -> bool;
        let cases: Vec<(ExternalIssuer, Check)> = vec![
            (shared(&"x".repeat(31)), |error| matches!(error, IssuerError::TooShort)),
            (
                ExternalIssuer {
                    algorithms: vec![],
                    ..shared(SECRET)
                },
                |error| matches!(error, IssuerError::NoAlgorithm),
            ),
            (shared("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ"), |error| {
                matches!(error, IssuerError::KeyAsSecret)
            }),
            (shared(&jwk), |error| matches!(error, IssuerError::KeyAsSecret)),
            (
                ExternalIssuer {
                    algorithms: vec![ExternalAlgorithm::Es256],
                    ..shared(SECRET)
                },
                |error| matches!(error, IssuerError::Misfit),
            ),
            (
                ExternalIssuer {
                    algorithms: vec![ExternalAlgorithm::Hs256, ExternalAlgorithm::Es256],
                    ..shared(SECRET)
                },
                |error| matches!(error, IssuerError::Misfit),
            ),
            (publishing(address, &[ExternalAlgorithm::Hs256]), |error| {
                matches!(error, IssuerError::Misfit)
            }),
            (
                publishing(address, &[ExternalAlgorithm::Es256, ExternalAlgorithm::Hs256]),
                |error| matches!(error, IssuerError::Misfit),
            ),
            (
                ExternalIssuer {
                    audience: String::new(),
                    ..shared(SECRET)
                },
                |error| matches!(error, IssuerError::NoAudience),
            ),
            (
                ExternalIssuer {
                    issuer: OWN.into(),
                    ..shared(SECRET)
                },
                |error| matches!(error, IssuerError::BadIssuer),
            ),
            (
                ExternalIssuer {
                    issuer: "local".into(),
                    ..shared(SECRET)
                },
                |error| matches!(error, IssuerError::BadIssuer),
            ),
            (
                ExternalIssuer {
                    issuer: String::new(),
                    ..shared(SECRET)
                },
                |error| matches!(error, IssuerError::BadIssuer),
            ),
            (
                ExternalIssuer {
                    issuer: "x".repeat(301),
                    ..shared(SECRET)
                },
                |error| matches!(error, IssuerError::BadIssuer),
            ),
        ];
        for (issuer, check) in cases {
            let (index, error) = refused(vec![issuer.clone()]);
            assert!(index == 0 && check(&error), "{issuer:?}: {error}");
            assert!(!error.to_string().contains("invented"));
        }
        let twice = refused(vec![shared(SECRET), shared(SECRET)]);
        assert!(matches!(twice, (1, IssuerError::Duplicate)));
        assert!(!format!("{:?}", shared(SECRET)).contains("invented"));
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_panics(token in "[A-Za-z0-9_=-]{0,40}(\\.[A-Za-z0-9_=-]{0,40}){0,3}|\\PC{0,60}") {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let verified = runtime.block_on(tokens(vec![shared(SECRET)]).verify(&token, later(0)));
            prop_assert_eq!(verified, Err(ExternalTokenError::Invalid));
        }
    }
}
