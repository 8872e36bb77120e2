//! External issuers: what is configured about them, and what they sign.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use larder_conformance::{PUBLISHING_ISSUER, SHARED_ISSUER, Settings, Signature};
use larder_security::{ExternalAlgorithm, ExternalIssuer, ExternalTokens, IssuerKeys};
use larder_services::identity::ExternalIssuers;

const SECRET: &str = "an invented secret that is shared with the issuer";

/// The issuers of every case.
pub(crate) fn issuers(settings: &Settings) -> ExternalIssuers {
    let shared = ExternalIssuer {
        issuer: SHARED_ISSUER.into(),
        audience: "authenticated".into(),
        algorithms: vec![ExternalAlgorithm::Hs256],
        keys: IssuerKeys::Secret(SECRET.into()),
    };
    let publishing = settings.jwks_url.as_ref().map(|address| ExternalIssuer {
        issuer: PUBLISHING_ISSUER.into(),
        algorithms: vec![ExternalAlgorithm::Es256],
        keys: IssuerKeys::Published(address.parse().expect("an address of this machine")),
        ..shared.clone()
    });
    let accepted: Vec<ExternalIssuer> = [Some(shared), publishing].into_iter().flatten().collect();
    let names = accepted.iter().map(|issuer| issuer.issuer.clone());
    ExternalIssuers {
        policies: HashMap::from_iter(names.map(|name| (name, settings.issuer))),
        verifier: Arc::new(ExternalTokens::new(accepted, "larder").unwrap_or_else(|(_, error)| panic!("{error}"))),
    }
}

/// The P-256 key of a number, in PKCS#8.
fn key(number: u8) -> EncodingKey {
    let head = [
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
    ];
    EncodingKey::from_ec_der(&[&head[..], &[number; 32]].concat())
}

pub(crate) fn token(header: &str, claims: &str, signature: &Signature) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let secret = |secret: &str| EncodingKey::from_secret(secret.as_bytes());
    let signed = match signature {
        Signature::Shared => sign(message.as_bytes(), &secret(SECRET), Algorithm::HS256),
        Signature::Secret(text) => sign(message.as_bytes(), &secret(text), Algorithm::HS256),
        Signature::Key(number) => sign(message.as_bytes(), &key(*number), Algorithm::ES256),
        Signature::None => Ok(String::new()),
    };
    format!("{message}.{}", signed.expect("a good key"))
}

pub(crate) fn published_key(kid: &str, number: u8) -> String {
    let mut jwk = Jwk::from_encoding_key(&key(number), Algorithm::ES256).expect("a good key");
    jwk.common.key_id = Some(kid.to_owned());
    serde_json::to_string(&jwk).expect("a key is JSON")
}
