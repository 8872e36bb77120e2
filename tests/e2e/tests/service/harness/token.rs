//! Tokens that the service did not make, and an issuer of them that publishes its keys.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a token is signed with.
#[derive(Clone, Copy)]
pub(crate) enum Key<'a> {
    /// HS256 with a secret.
    Secret(&'a str),
    /// ES256 with the pair of keys of a number.
    Pair(u8),
    /// Not at all.
    None,
}

/// A token with this header and these claims.
pub(crate) fn token(header: &Value, claims: &Value, key: Key<'_>) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = match key {
        Key::Secret(secret) => sign(
            text.as_bytes(),
            &EncodingKey::from_secret(secret.as_bytes()),
            Algorithm::HS256,
        ),
        Key::Pair(number) => sign(text.as_bytes(), &pair(number), Algorithm::ES256),
        Key::None => Ok(String::new()),
    };
    format!("{text}.{}", signature.expect("a good key"))
}

/// The payload of a token.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a payload");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON")
}

/// The P-256 keys of a number, in PKCS#8.
fn pair(number: u8) -> EncodingKey {
    let head = [
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
    ];
    EncodingKey::from_ec_der(&[&head[..], &[number; 32]].concat())
}

/// The public key of a number as an issuer publishes it.
pub(crate) fn published(kid: &str, number: u8) -> Value {
    let mut jwk = Jwk::from_encoding_key(&pair(number), Algorithm::ES256).expect("a good key");
    jwk.common.key_id = Some(kid.to_owned());
    json!(jwk)
}

/// A place where the keys of an issuer can be read, until the value is dropped.
pub(crate) struct Publisher {
    address: String,
    keys: Arc<Mutex<Vec<Value>>>,
    reads: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Publisher {
    pub(crate) async fn open(keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = format!("http://{}/keys", listener.local_addr().expect("its address"));
        let (keys, reads) = (Arc::new(Mutex::new(keys)), Arc::new(AtomicUsize::new(0)));
        let (shown, counted) = (Arc::clone(&keys), Arc::clone(&reads));
        let server = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = client.read_u8().await else { break };
                    request.push(byte);
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let body = json!({"keys": *shown.lock().expect("no panic")}).to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                // A client that left gets no answer.
                let _ = client.write_all((head + &body).as_bytes()).await;
            }
        });
        Self {
            address,
            keys,
            reads,
            server,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn publish(&self, keys: Vec<Value>) {
        *self.keys.lock().expect("no panic") = keys;
    }

    /// How often the keys were read.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.server.abort();
    }
}
