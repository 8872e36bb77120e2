//! An external issuer for tests: keys made of invented bytes, and a server that publishes them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use larder_domain::Instant;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// 2026-04-11T09:00:00Z.
pub(crate) const NOW: i64 = 1_775_898_000;

pub(crate) const ISSUER: &str = "https://issuer.example.com";

pub(crate) const SECRET: &str = "an invented secret that is shared with the issuer";

/// An instant so many seconds after [`NOW`].
pub(crate) fn later(seconds: i64) -> Instant {
    Instant::from_micros((NOW + seconds) * 1_000_000).unwrap()
}

/// An EC key on P-256 in PKCS#8, made of 32 invented bytes.
pub(crate) fn ec_key(byte: u8) -> EncodingKey {
    let head = [
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
    ];
    EncodingKey::from_ec_der(&[&head[..], &[byte; 32]].concat())
}

/// An Ed25519 key in PKCS#8, made of 32 invented bytes.
pub(crate) fn ed_key(byte: u8) -> EncodingKey {
    let head = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    ];
    EncodingKey::from_ed_der(&[&head[..], &[byte; 32]].concat())
}

/// The public half of a key as an issuer publishes it.
pub(crate) fn published(kid: &str, key: &EncodingKey, algorithm: Algorithm) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    serde_json::to_value(jwk).unwrap()
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "authenticated", "sub": "ann", "iat": NOW, "exp": NOW + 3600,
        "email": "ann@example.com", "role": "authenticated",
    })
}

pub(crate) fn with(mut object: Value, key: &str, value: Value) -> Value {
    object[key] = value;
    object
}

pub(crate) fn without(mut object: Value, key: &str) -> Value {
    object.as_object_mut().unwrap().remove(key);
    object
}

/// A token with any header and claims, signed in any way.
pub(crate) fn sign(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// Publishes a document on this machine and counts how often it was read.
pub(crate) struct Publisher {
    pub(crate) address: String,
    answer: Arc<Mutex<String>>,
    reads: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

impl Publisher {
    pub(crate) async fn of(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let answer: Arc<Mutex<String>> = Arc::default();
        let reads = Arc::new(AtomicUsize::new(0));
        let (answers, counts) = (Arc::clone(&answer), Arc::clone(&reads));
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counts.fetch_add(1, Ordering::SeqCst);
                let mut asked = [0; 4096];
                let _ = stream.read(&mut asked).await;
                let answer = answers.lock().unwrap().clone();
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let publisher = Self {
            address,
            answer,
            reads,
            server,
        };
        publisher.publish(keys);
        publisher
    }

    pub(crate) fn publish(&self, keys: &[Value]) {
        self.say("200 OK", &json!({ "keys": keys }).to_string());
    }

    pub(crate) fn say(&self, status: &str, body: &str) {
        *self.answer.lock().unwrap() = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.server.abort();
    }
}
