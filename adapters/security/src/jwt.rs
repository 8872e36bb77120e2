use std::fmt;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use larder_domain::identity::Role;
use larder_domain::{Instant, LoginId, OwnerId};
use larder_ports::outbound::{AccessClaims, TokenError, TokenIssuer, TokenVerifier};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `typ` of every token (RFC 9068).
const TYPE: &str = "at+jwt";

/// How far the clocks of two processes may be apart, in seconds.
pub(crate) const LEEWAY: i64 = 30;

/// Fewest bytes of a secret for HS256: as many as the hash has.
pub(crate) const MIN_SECRET: usize = 32;

/// PKCS#8 around the 32 bytes of an Ed25519 key (RFC 8410).
const ED25519_PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// How tokens are signed, and what else verifies (`ID-20`, `ID-21`).
#[derive(Clone, Debug)]
pub struct JwtConfig {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// The one algorithm that is used and accepted.
    pub algorithm: JwtAlgorithm,
    /// The first signs, all verify. At least one.
    pub keys: Vec<JwtKey>,
}

/// A signing algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// Ed25519.
    EdDsa,
}

impl JwtAlgorithm {
    fn wire(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

/// One key.
#[derive(Clone, Debug)]
pub struct JwtKey {
    /// Its name in the header of a token.
    pub kid: String,
    /// The key itself.
    pub material: KeyMaterial,
}

/// What a key is made of. Never shown by `Debug`.
#[derive(Clone, Debug)]
pub enum KeyMaterial {
    /// At least 32 bytes, for HS256.
    Secret(SecretSlice<u8>),
    /// A private key in PKCS#8 PEM, for EdDSA.
    Pem(SecretString),
    /// 32 random bytes, for either algorithm.
    Seed(SecretSlice<u8>),
}

impl KeyMaterial {
    /// The bytes from which other keys may be derived.
    pub fn to_bytes(&self) -> SecretSlice<u8> {
        match self {
            Self::Secret(bytes) | Self::Seed(bytes) => bytes.clone(),
            Self::Pem(pem) => pem.expose_secret().as_bytes().to_vec().into(),
        }
    }
}

/// Why a key can't be used. Names the key and never shows it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing to sign with.
    #[error("no signing key is given")]
    None,
    /// Two keys of one name.
    #[error("the key `{0}` is given twice")]
    Duplicate(String),
    /// A secret that can be guessed.
    #[error("the secret of the key `{0}` has fewer than {MIN_SECRET} bytes")]
    TooShort(String),
    /// Of another kind than the algorithm needs.
    #[error("the key `{0}` must be a secret, because the algorithm is HS256")]
    NotASecret(String),
    /// Not readable, or of another kind than the algorithm needs.
    #[error("the key `{0}` must be an Ed25519 private key in PKCS#8 PEM, because the algorithm is EdDSA")]
    NotEd25519(String),
}

struct Key {
    kid: String,
    signs: EncodingKey,
    verifies: DecodingKey,
}

/// Signs and checks access tokens: JWT of type `at+jwt`.
pub struct JwtTokens {
    issuer: String,
    audience: String,
    signing_header: Header,
    validation: Validation,
    /// At least one; the first signs.
    keys: Vec<Key>,
}

impl fmt::Debug for JwtTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtTokens")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("algorithm", &self.signing_header.alg)
            .finish_non_exhaustive()
    }
}

/// The claims as they are on the wire. Each JSON type is checked; unknown claims are none of our business.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    roles: Vec<String>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    iat: i64,
    exp: i64,
    jti: String,
}

impl JwtTokens {
    /// Checks the keys and gets ready.
    pub fn new(config: JwtConfig) -> Result<Self, KeyError> {
        let mut keys: Vec<Key> = Vec::with_capacity(config.keys.len());
        for key in config.keys {
            if keys.iter().any(|known| known.kid == key.kid) {
                return Err(KeyError::Duplicate(key.kid));
            }
            keys.push(Key::new(key, config.algorithm)?);
        }
        let mut signing_header = Header::new(config.algorithm.wire());
        signing_header.typ = Some(TYPE.to_owned());
        signing_header.kid = Some(keys.first().ok_or(KeyError::None)?.kid.clone());
        let mut validation = Validation::new(config.algorithm.wire());
        // Issuer, audience and times are judged here: the types strictly, the times by the clock that the caller hands in.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Self {
            issuer: config.issuer,
            audience: config.audience,
            signing_header,
            validation,
            keys,
        })
    }

    /// The claims of a token with a good signature, header, issuer and audience.
    fn read(&self, token: &str) -> Option<Claims> {
        let header = decode_header(token).ok()?;
        if header.typ.as_deref() != Some(TYPE) || header.crit.is_some() {
            return None;
        }
        let kid = header.kid?;
        let key = self.keys.iter().find(|key| key.kid == kid)?;
        let claims = decode::<Claims>(token, &key.verifies, &self.validation).ok()?.claims;
        (claims.iss == self.issuer && claims.aud == self.audience).then_some(claims)
    }
}

impl Key {
    fn new(key: JwtKey, algorithm: JwtAlgorithm) -> Result<Self, KeyError> {
        let JwtKey { kid, material } = key;
        match algorithm {
            JwtAlgorithm::Hs256 => {
                if matches!(material, KeyMaterial::Pem(_)) {
                    return Err(KeyError::NotASecret(kid));
                }
                let secret = material.to_bytes();
                let secret = secret.expose_secret();
                if secret.len() < MIN_SECRET {
                    return Err(KeyError::TooShort(kid));
                }
                Ok(Self {
                    kid,
                    signs: EncodingKey::from_secret(secret),
                    verifies: DecodingKey::from_secret(secret),
                })
            }
            JwtAlgorithm::EdDsa => {
                let signs = match &material {
                    KeyMaterial::Secret(_) => return Err(KeyError::NotEd25519(kid)),
                    KeyMaterial::Pem(pem) => EncodingKey::from_ed_pem(pem.expose_secret().as_bytes()),
                    KeyMaterial::Seed(seed) => Ok(EncodingKey::from_ed_der(
                        &[&ED25519_PKCS8[..], seed.expose_secret()].concat(),
                    )),
                };
                let pair = signs.and_then(|signs| {
                    let public = Jwk::from_encoding_key(&signs, Algorithm::EdDSA)?;
                    Ok((signs, DecodingKey::from_jwk(&public)?))
                });
                match pair {
                    Ok((signs, verifies)) => Ok(Self { kid, signs, verifies }),
                    // The source is left out: it may quote the key.
                    Err(_) => Err(KeyError::NotEd25519(kid)),
                }
            }
        }
    }
}

impl TokenIssuer for JwtTokens {
    fn issue(&self, claims: &AccessClaims) -> Result<SecretString, TokenError> {
        let key = self.keys.first().ok_or(TokenError::Signing)?;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: claims.owner_id.to_string(),
            sid: claims.login_id.to_string(),
            roles: claims.roles.iter().map(|role| role.as_str().to_owned()).collect(),
            name: claims.name.clone(),
            email: claims.email.clone(),
            iat: seconds(claims.issued_at),
            exp: seconds(claims.expires_at),
            jti: claims.token_id.to_string(),
        };
        encode(&self.signing_header, &claims, &key.signs)
            .map(SecretString::from)
            .map_err(|_| TokenError::Signing)
    }
}

impl TokenVerifier for JwtTokens {
    fn verify(&self, token: &str, now: Instant) -> Result<AccessClaims, TokenError> {
        let claims = self
            .read(token)
            .and_then(Claims::into_access)
            .ok_or(TokenError::Invalid)?;
        if seconds(claims.expires_at).saturating_add(LEEWAY) < seconds(now) {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }
}

impl Claims {
    fn into_access(self) -> Option<AccessClaims> {
        Some(AccessClaims {
            owner_id: OwnerId(id(&self.sub)?),
            login_id: LoginId(id(&self.sid)?),
            roles: self
                .roles
                .iter()
                .map(|role| Role::from_word(role))
                .collect::<Option<_>>()?,
            name: self.name,
            email: self.email,
            issued_at: instant(self.iat)?,
            expires_at: instant(self.exp)?,
            token_id: id(&self.jti)?,
        })
    }
}

/// An id in its one spelling.
fn id(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (id.hyphenated().to_string() == text).then_some(id)
}

pub(crate) fn seconds(instant: Instant) -> i64 {
    instant.as_micros().div_euclid(1_000_000)
}

pub(crate) fn instant(seconds: i64) -> Option<Instant> {
    Instant::from_micros(seconds.checked_mul(1_000_000)?).ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "an invented secret of 40 bytes for tests";
    /// The bytes of an invented Ed25519 key.
    const SEED: [u8; 32] = *b"32 bytes that serve as test seed";
    /// 2026-04-11T09:00:00Z.
    const NOW: i64 = 1_775_898_000;

    fn secret(kid: &str, secret: &str) -> JwtKey {
        JwtKey {
            kid: kid.into(),
            material: KeyMaterial::Secret(secret.as_bytes().to_vec().into()),
        }
    }

    fn pem_text() -> String {
        let der = STANDARD.encode([&ED25519_PKCS8[..], &SEED].concat());
        let label = "PRIVATE KEY";
        format!("-----BEGIN {label}-----\n{der}\n-----END {label}-----\n")
    }

    fn pem(kid: &str) -> JwtKey {
        JwtKey {
            kid: kid.into(),
            material: KeyMaterial::Pem(pem_text().into()),
        }
    }

    fn seed(kid: &str) -> JwtKey {
        JwtKey {
            kid: kid.into(),
            material: KeyMaterial::Seed(SEED.to_vec().into()),
        }
    }

    fn config(algorithm: JwtAlgorithm, keys: Vec<JwtKey>) -> JwtConfig {
        JwtConfig {
            issuer: "larder".into(),
            audience: "larder".into(),
            algorithm,
            keys,
        }
    }

    fn hs256() -> JwtTokens {
        JwtTokens::new(config(JwtAlgorithm::Hs256, vec![secret("a", SECRET)])).unwrap()
    }

    fn eddsa() -> JwtTokens {
        JwtTokens::new(config(JwtAlgorithm::EdDsa, vec![pem("a")])).unwrap()
    }

    fn at(seconds: i64) -> Instant {
        instant(seconds).unwrap()
    }

    fn access() -> AccessClaims {
        AccessClaims {
            owner_id: OwnerId(Uuid::from_u128(1)),
            login_id: LoginId(Uuid::from_u128(2)),
            roles: vec![Role::Admin],
            name: "ann".into(),
            email: Some("ann@example.com".into()),
            issued_at: at(NOW),
            expires_at: at(NOW + 900),
            token_id: Uuid::from_u128(3),
        }
    }

    fn claims() -> Value {
        json!({
            "iss": "larder", "aud": "larder", "sub": Uuid::from_u128(1), "sid": Uuid::from_u128(2), "roles": ["admin"],
            "name": "ann", "email": "ann@example.com", "iat": NOW, "exp": NOW + 900, "jti": Uuid::from_u128(3),
        })
    }

    fn header() -> Value {
        json!({"typ": "at+jwt", "alg": "HS256", "kid": "a"})
    }

    fn encoded(part: &Value) -> String {
        URL_SAFE_NO_PAD.encode(part.to_string())
    }

    /// A token with any header and claims, signed with HS256 and any secret.
    fn forge(header: &Value, claims: &Value, secret: &[u8]) -> String {
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256)
                .unwrap();
        format!("{message}.{signature}")
    }

    fn verify(header: &Value, claims: &Value) -> Result<AccessClaims, TokenError> {
        hs256().verify(&forge(header, claims, SECRET.as_bytes()), at(NOW))
    }

    fn with(mut object: Value, key: &str, value: Value) -> Value {
        object[key] = value;
        object
    }

    fn without(mut object: Value, key: &str) -> Value {
        object.as_object_mut().unwrap().remove(key);
        object
    }

    #[test]
    fn id_20_reads_back_what_it_issued() {
        for tokens in [hs256(), eddsa()] {
            let token = tokens.issue(&access()).unwrap();
            assert_eq!(tokens.verify(token.expose_secret(), at(NOW)), Ok(access()));
            let header = decode_header(token.expose_secret()).unwrap();
            assert_eq!(
                (header.typ.as_deref(), header.kid.as_deref()),
                (Some("at+jwt"), Some("a"))
            );
        }
    }

    #[test]
    fn id_20_the_claims_on_the_wire() {
        let token = hs256().issue(&access()).unwrap();
        let payload = token.expose_secret().split('.').nth(1).unwrap();
        let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(payload, claims());
        assert_eq!(verify(&header(), &claims()), Ok(access()));
    }

    #[test]
    fn id_20_a_token_without_email_is_good() {
        let expected = AccessClaims {
            email: None,
            ..access()
        };
        assert_eq!(verify(&header(), &without(claims(), "email")), Ok(expected.clone()));
        let token = hs256().issue(&expected).unwrap();
        assert_eq!(hs256().verify(token.expose_secret(), at(NOW)), Ok(expected));
    }

    #[test]
    fn t_011_every_other_claim_is_required() {
        for claim in ["iss", "aud", "sub", "sid", "roles", "name", "iat", "exp", "jti"] {
            let verified = verify(&header(), &without(claims(), claim));
            assert_eq!(verified, Err(TokenError::Invalid), "{claim}");
        }
    }

    #[test]
    fn t_011_json_types_are_strict() {
        for (claim, value) in [
            ("iss", json!(["larder"])),
            ("iss", json!("another")),
            ("aud", json!(["larder"])),
            ("aud", json!("another")),
            ("sub", json!(1)),
            ("sub", json!("1")),
            ("sub", json!("00000000000000000000000000000001")),
            ("sid", json!(null)),
            ("roles", json!("admin")),
            ("roles", json!([1])),
            ("roles", json!(["emperor"])),
            ("name", json!(7)),
            ("email", json!(7)),
            ("iat", json!("0")),
            ("exp", json!("9999999999")),
            ("exp", json!(9_999_999_999.5)),
            ("exp", json!(null)),
            ("exp", json!(i64::MAX)),
            ("jti", json!("x")),
        ] {
            let verified = verify(&header(), &with(claims(), claim, value.clone()));
            assert_eq!(verified, Err(TokenError::Invalid), "{claim} {value}");
        }
    }

    #[test]
    fn t_011_leeway_of_30_seconds_by_the_callers_clock() {
        let token = forge(&header(), &claims(), SECRET.as_bytes());
        for (past, expected) in [(0, Ok(access())), (20, Ok(access())), (30, Ok(access()))] {
            assert_eq!(hs256().verify(&token, at(NOW + 900 + past)), expected, "{past}");
        }
        assert_eq!(hs256().verify(&token, at(NOW + 900 + 31)), Err(TokenError::Expired));
        // What counts is the instant handed in, not the clock of the machine.
        let ancient = with(with(claims(), "exp", json!(10)), "iat", json!(0));
        assert!(
            hs256()
                .verify(&forge(&header(), &ancient, SECRET.as_bytes()), at(5))
                .is_ok()
        );
    }

    #[test]
    fn t_011_headers_that_are_refused() {
        for changed in [
            with(header(), "alg", json!("none")),
            with(header(), "alg", json!("HS384")),
            with(header(), "alg", json!("EdDSA")),
            without(header(), "alg"),
            with(header(), "kid", json!("b")),
            with(header(), "kid", json!("")),
            without(header(), "kid"),
            with(header(), "typ", json!("JWT")),
            without(header(), "typ"),
            with(header(), "crit", json!(["exp"])),
        ] {
            assert_eq!(verify(&changed, &claims()), Err(TokenError::Invalid), "{changed}");
        }
    }

    #[test]
    fn id_22_a_key_in_the_header_is_not_used() {
        let attackers = b"the attacker knows this secret very well";
        let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(attackers), "alg": "HS256"});
        for (name, value) in [
            ("jwk", jwk),
            ("jku", json!("https://example.com/keys")),
            ("x5u", json!("https://example.com/keys")),
        ] {
            let forged = forge(&with(header(), name, value), &claims(), attackers);
            assert_eq!(hs256().verify(&forged, at(NOW)), Err(TokenError::Invalid), "{name}");
        }
    }

    #[test]
    fn t_011_unsigned_and_mangled_tokens() {
        let none = json!({"typ": "at+jwt", "alg": "none", "kid": "a"});
        let good = forge(&header(), &claims(), SECRET.as_bytes());
        for token in [
            format!("{}.{}.", encoded(&none), encoded(&claims())),
            format!("{}.{}.", encoded(&header()), encoded(&claims())),
            format!("{}.{}", encoded(&header()), encoded(&claims())),
            format!("{good}."),
            format!("{good}A"),
            format!(" {good}"),
            good[1..].to_owned(),
            String::new(),
            "..".to_owned(),
            "a.b.c".to_owned(),
            "ÄÖÜ".to_owned(),
        ] {
            assert_eq!(hs256().verify(&token, at(NOW)), Err(TokenError::Invalid), "{token}");
        }
        assert!(hs256().verify(&good, at(NOW)).is_ok());
    }

    #[test]
    fn t_011_another_key_of_the_same_name() {
        let forged = forge(&header(), &claims(), b"another secret that has enough bytes, too");
        assert_eq!(hs256().verify(&forged, at(NOW)), Err(TokenError::Invalid));
    }

    #[test]
    fn t_023_hs256_with_the_public_key_where_eddsa_is_configured() {
        let public = eddsa().keys[0].verifies.try_get_as_bytes().unwrap().to_vec();
        for secret in [
            &public[..],
            pem_text().as_bytes(),
            URL_SAFE_NO_PAD.encode(&public).as_bytes(),
        ] {
            for alg in ["HS256", "EdDSA"] {
                let forged = forge(&with(header(), "alg", json!(alg)), &claims(), secret);
                assert_eq!(eddsa().verify(&forged, at(NOW)), Err(TokenError::Invalid), "{alg}");
            }
        }
    }

    #[test]
    fn id_21_the_first_key_signs_and_all_verify() {
        let other = "a second invented secret with 43 bytes here";
        let before = JwtTokens::new(config(JwtAlgorithm::Hs256, vec![secret("old", SECRET)])).unwrap();
        let after = JwtTokens::new(config(
            JwtAlgorithm::Hs256,
            vec![secret("new", other), secret("old", SECRET)],
        ))
        .unwrap();
        let (old, new) = (before.issue(&access()).unwrap(), after.issue(&access()).unwrap());
        assert_eq!(decode_header(new.expose_secret()).unwrap().kid.as_deref(), Some("new"));
        assert!(after.verify(old.expose_secret(), at(NOW)).is_ok());
        assert!(after.verify(new.expose_secret(), at(NOW)).is_ok());
        assert_eq!(before.verify(new.expose_secret(), at(NOW)), Err(TokenError::Invalid));
    }

    #[test]
    fn a_seed_serves_both_algorithms() {
        let from_seed = JwtTokens::new(config(JwtAlgorithm::EdDsa, vec![seed("a")])).unwrap();
        let token = from_seed.issue(&access()).unwrap();
        // The PEM of the tests holds the same 32 bytes.
        assert_eq!(eddsa().verify(token.expose_secret(), at(NOW)), Ok(access()));
        let shared = JwtTokens::new(config(JwtAlgorithm::Hs256, vec![seed("a")])).unwrap();
        let token = shared.issue(&access()).unwrap();
        assert!(shared.verify(token.expose_secret(), at(NOW)).is_ok());
        assert_eq!(eddsa().verify(token.expose_secret(), at(NOW)), Err(TokenError::Invalid));
    }

    #[test]
    fn id_21_bad_keys_are_named_and_not_shown() {
        let short = "x".repeat(31);
        for (algorithm, keys, expected) in [
            (JwtAlgorithm::Hs256, vec![], KeyError::None),
            (
                JwtAlgorithm::Hs256,
                vec![secret("a", &short)],
                KeyError::TooShort("a".into()),
            ),
            (
                JwtAlgorithm::Hs256,
                vec![secret("a", SECRET), secret("b", &short)],
                KeyError::TooShort("b".into()),
            ),
            (
                JwtAlgorithm::Hs256,
                vec![secret("a", SECRET), secret("a", SECRET)],
                KeyError::Duplicate("a".into()),
            ),
            (JwtAlgorithm::Hs256, vec![pem("a")], KeyError::NotASecret("a".into())),
            (
                JwtAlgorithm::EdDsa,
                vec![secret("a", SECRET)],
                KeyError::NotEd25519("a".into()),
            ),
            (
                JwtAlgorithm::EdDsa,
                vec![JwtKey {
                    kid: "a".into(),
                    material: KeyMaterial::Pem("no key".into()),
                }],
                KeyError::NotEd25519("a".into()),
            ),
        ] {
            let error = JwtTokens::new(config(algorithm, keys)).unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.to_string().contains(&short));
        }
        assert!(JwtTokens::new(config(JwtAlgorithm::Hs256, vec![secret("a", &"x".repeat(32))])).is_ok());
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let shown = format!("{:?} {:?} {:?} {:?}", secret("a", SECRET), pem("a"), seed("a"), hs256());
        assert!(
            !shown.contains("invented") && !shown.contains("MC4C") && !shown.contains("[51, 50"),
            "{shown}"
        );
    }
}
