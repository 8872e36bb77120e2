//! The public keys that an external issuer publishes (`ID-52`).

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use larder_domain::Instant;
use larder_ports::outbound::BoxError;
use serde::Deserialize;

use crate::external::ExternalAlgorithm;
use crate::fetch::{Fetcher, JwksAddress};

/// How long a set counts before it is fetched again.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// How long the last good set serves while the address is down.
const LAST_GOOD: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest time between two fetches because of unknown keys, and between two attempts to replace a set that still serves.
const PAUSE: Duration = Duration::from_secs(60);

/// The shortest time between two attempts while there is no set at all.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Fewest bits of an RSA modulus.
const MIN_RSA_BITS: usize = 2048;

/// The keys behind one address, fetched when they are needed.
#[derive(Clone)]
pub(crate) struct Jwks(Arc<Inner>);

struct Inner {
    address: JwksAddress,
    fetcher: Arc<Fetcher>,
    state: Mutex<State>,
    /// Held while the keys are fetched, so that everybody shares one fetch.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    last_good: Option<Fetched>,
    /// When the last attempt failed, unless one succeeded since.
    failed_at: Option<Instant>,
    /// When keys were last fetched because one was unknown.
    missed_at: Option<Instant>,
}

struct Fetched {
    keys: Vec<Key>,
    at: Instant,
}

struct Key {
    kid: String,
    algorithm: ExternalAlgorithm,
    key: DecodingKey,
}

/// No key could be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoKey {
    /// The issuer has no such key for this algorithm.
    Unknown,
    /// Nobody knows what keys the issuer has.
    Unavailable,
}

/// What the state allows without a fetch.
enum Decision {
    Known(Result<DecodingKey, NoKey>),
    Fetch { is_miss: bool },
}

impl Jwks {
    pub(crate) fn new(address: JwksAddress, fetcher: Arc<Fetcher>) -> Self {
        Self(Arc::new(Inner {
            address,
            fetcher,
            state: Mutex::default(),
            fetching: Arc::default(),
        }))
    }

    /// The key of this name for this algorithm.
    pub(crate) async fn key(
        &self,
        kid: &str,
        algorithm: ExternalAlgorithm,
        now: Instant,
    ) -> Result<DecodingKey, NoKey> {
        if let Decision::Known(answer) = self.0.state().decide(kid, algorithm, now) {
            return answer;
        }
        let turn = Arc::clone(&self.0.fetching).lock_owned().await;
        let is_miss = match self.0.state().decide(kid, algorithm, now) {
            Decision::Known(answer) => return answer,
            Decision::Fetch { is_miss } => is_miss,
        };
        if is_miss {
            self.0.state().missed_at = Some(now);
        }
        let inner = Arc::clone(&self.0);
        // A task of its own: a request that is given up must not take the others' fetch with it.
        let fetched = tokio::spawn(async move {
            inner.fetch(now).await;
            drop(turn);
        });
        if fetched.await.is_err() {
            return Err(NoKey::Unavailable);
        }
        match self.0.state().decide(kid, algorithm, now) {
            Decision::Known(answer) => answer,
            Decision::Fetch { .. } => Err(NoKey::Unavailable),
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    async fn fetch(&self, now: Instant) {
        let fetched = self.fetcher.fetch(&self.address).await;
        let keys = fetched.and_then(|document| read(&document));
        let mut state = self.state();
        match keys {
            Ok(keys) => {
                tracing::debug!(address = %self.address, keys = keys.len(), "fetched the keys of an issuer");
                state.last_good = Some(Fetched { keys, at: now });
                state.failed_at = None;
            }
            Err(error) => {
                tracing::warn!(address = %self.address, error, "the keys of an issuer could not be fetched");
                state.failed_at = Some(now);
            }
        }
    }
}

impl State {
    fn decide(&self, kid: &str, algorithm: ExternalAlgorithm, now: Instant) -> Decision {
        let is_over = |since: Option<Instant>, pause| since.is_none_or(|since| now.since(since) >= pause);
        let Some(good) = self.last_good.as_ref().filter(|good| now.since(good.at) < LAST_GOOD) else {
            return match is_over(self.failed_at, FIRST_PAUSE) {
                true => Decision::Fetch { is_miss: false },
                false => Decision::Known(Err(NoKey::Unavailable)),
            };
        };
        if now.since(good.at) >= FRESH && is_over(self.failed_at, PAUSE) {
            return Decision::Fetch { is_miss: false };
        }
        let mut named = good.keys.iter().filter(|key| key.kid == kid).peekable();
        // What was fetched for this very request is not fetched again for it.
        if named.peek().is_none() && good.at < now && is_over(self.missed_at, PAUSE) {
            return Decision::Fetch { is_miss: true };
        }
        let found = named.find(|key| key.algorithm == algorithm);
        Decision::Known(found.map(|found| found.key.clone()).ok_or(NoKey::Unknown))
    }
}

/// The usable keys of a document. One that can't be used is passed over, a document that is no key set at all is an error.
fn read(document: &[u8]) -> Result<Vec<Key>, BoxError> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }

    let set: Set = serde_json::from_slice(document)?;
    let keys = set.keys.into_iter().filter_map(|value| {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        usable(&jwk)
    });
    Ok(keys.collect())
}

/// A key for the one algorithm that its kind is for. A shared secret never comes this way.
fn usable(jwk: &Jwk) -> Option<Key> {
    let kid = jwk.common.key_id.clone()?;
    let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let operations = jwk.common.key_operations.as_ref();
    if !is_for_signatures || operations.is_some_and(|operations| !operations.contains(&KeyOperations::Verify)) {
        return None;
    }
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let has_32 = |text: &str| bytes(text).is_some_and(|bytes| bytes.len() == 32);
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = bytes(&rsa.n)?;
            let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
            ((modulus.len() - zeros) * 8 >= MIN_RSA_BITS).then_some(ExternalAlgorithm::Rs256)?
        }
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
            (has_32(&ec.x) && has_32(&ec.y)).then_some(ExternalAlgorithm::Es256)?
        }
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => {
            has_32(&okp.x).then_some(ExternalAlgorithm::EdDsa)?
        }
        _ => return None,
    };
    let declared = jwk.common.key_algorithm;
    if declared.is_some_and(|declared| declared != algorithm.wire().into()) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(Key { kid, algorithm, key })
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::Algorithm;
    use serde_json::{Value, json};
    use tokio::task::JoinSet;

    use super::*;
    use crate::testing::{Publisher, ec_key, ed_key, later, published};

    const ES256: ExternalAlgorithm = ExternalAlgorithm::Es256;

    fn ec(kid: &str, byte: u8) -> Value {
        published(kid, &ec_key(byte), Algorithm::ES256)
    }

    fn over(publisher: &Publisher) -> Jwks {
        Jwks::new(
            publisher.address.parse().unwrap(),
            Arc::new(Fetcher::new(false).unwrap()),
        )
    }

    async fn has(jwks: &Jwks, kid: &str, second: i64) -> Result<(), NoKey> {
        jwks.key(kid, ES256, later(second)).await.map(|_| ())
    }

    #[tokio::test]
    async fn id_52_a_set_counts_for_ten_minutes() {
        let publisher = Publisher::of(&[ec("a", 1)]).await;
        let jwks = over(&publisher);
        for second in [0, 1, 599] {
            assert_eq!(has(&jwks, "a", second).await, Ok(()));
        }
        assert_eq!(publisher.reads(), 1);
        publisher.publish(&[ec("b", 2)]);
        assert_eq!(
            has(&jwks, "a", 600).await,
            Err(NoKey::Unknown),
            "a removed key ends with its set"
        );
        assert_eq!(publisher.reads(), 2);
        assert_eq!(has(&jwks, "b", 600).await, Ok(()));
    }

    #[tokio::test]
    async fn t_022_a_rotated_key_is_found_and_random_ones_ask_once_a_minute() {
        let publisher = Publisher::of(&[ec("old", 1)]).await;
        let jwks = over(&publisher);
        assert_eq!(has(&jwks, "old", 0).await, Ok(()));
        publisher.publish(&[ec("new", 2), ec("old", 1)]);
        assert_eq!(has(&jwks, "new", 1).await, Ok(()));
        assert_eq!(publisher.reads(), 2);
        for number in 0..100 {
            assert_eq!(has(&jwks, &format!("random-{number}"), 2).await, Err(NoKey::Unknown));
        }
        assert_eq!(publisher.reads(), 2);
        for number in 0..100 {
            assert_eq!(has(&jwks, &format!("random-{number}"), 61).await, Err(NoKey::Unknown));
        }
        assert_eq!(publisher.reads(), 3);
        assert_eq!(has(&jwks, "old", 61).await, Ok(()));
    }

    #[tokio::test]
    async fn t_022_with_the_address_down_the_old_keys_go_on_for_a_day() {
        let publisher = Publisher::of(&[ec("a", 1)]).await;
        let jwks = over(&publisher);
        assert_eq!(has(&jwks, "a", 0).await, Ok(()));
        publisher.say("503 Service Unavailable", "");
        for second in [600, 601, 659] {
            assert_eq!(has(&jwks, "a", second).await, Ok(()));
        }
        assert_eq!(publisher.reads(), 2, "the address is asked once a minute");
        assert_eq!(has(&jwks, "a", 660).await, Ok(()));
        assert_eq!(publisher.reads(), 3);
        assert_eq!(has(&jwks, "b", 661).await, Err(NoKey::Unknown));
        let day = 24 * 60 * 60;
        assert_eq!(has(&jwks, "a", day - 1).await, Ok(()));
        assert_eq!(has(&jwks, "a", day).await, Err(NoKey::Unavailable));
        publisher.publish(&[ec("a", 1)]);
        assert_eq!(has(&jwks, "a", day + 10).await, Ok(()));
    }

    #[tokio::test]
    async fn id_52_without_a_set_the_issuer_is_unavailable_and_asked_every_five_seconds() {
        let publisher = Publisher::of(&[]).await;
        for nonsense in ["", "[]", "{}", r#"{"keys": 7}"#, "<html>"] {
            publisher.say("200 OK", nonsense);
            let (jwks, before) = (over(&publisher), publisher.reads());
            for second in [0, 1, 4] {
                assert_eq!(has(&jwks, "a", second).await, Err(NoKey::Unavailable), "{nonsense}");
            }
            assert_eq!(publisher.reads(), before + 1);
            publisher.publish(&[ec("a", 1)]);
            assert_eq!(has(&jwks, "a", 5).await, Ok(()));
        }
    }

    #[tokio::test]
    async fn id_52_everybody_shares_one_fetch() {
        let publisher = Publisher::of(&[ec("a", 1)]).await;
        let jwks = over(&publisher);
        let mut requests = JoinSet::new();
        for _ in 0..50 {
            let jwks = jwks.clone();
            requests.spawn(async move { has(&jwks, "a", 0).await });
        }
        assert!(requests.join_all().await.into_iter().all(|found| found == Ok(())));
        assert_eq!(publisher.reads(), 1);
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_does_not_take_the_fetch_with_it() {
        let publisher = Publisher::of(&[ec("a", 1)]).await;
        let jwks = over(&publisher);
        tokio::select! {
            biased;
            _ = has(&jwks, "a", 0) => panic!("not given up"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(has(&jwks, "a", 0).await, Ok(()));
        assert_eq!(publisher.reads(), 1);
    }

    #[test]
    fn id_51_only_keys_that_may_sign_and_can_not_be_broken() {
        let good = ec("a", 1);
        let with = |key: &Value, name: &str, value: Value| {
            let mut key = key.clone();
            key[name] = value;
            key
        };
        let rsa = |bits: usize| {
            let modulus = URL_SAFE_NO_PAD.encode(vec![0xff; bits / 8]);
            json!({"kty": "RSA", "kid": "a", "n": modulus, "e": "AQAB"})
        };
        let okp = published("a", &ed_key(1), Algorithm::EdDSA);
        let padded = URL_SAFE_NO_PAD.encode([vec![0; 200], vec![0xff; 100]].concat());
        for (key, usable) in [
            (good.clone(), Some(ES256)),
            (with(&good, "alg", json!("ES256")), Some(ES256)),
            (with(&good, "use", json!("sig")), Some(ES256)),
            (with(&good, "key_ops", json!(["verify"])), Some(ES256)),
            (okp.clone(), Some(ExternalAlgorithm::EdDsa)),
            (rsa(2048), Some(ExternalAlgorithm::Rs256)),
            (with(&good, "alg", json!("ES384")), None),
            (with(&good, "alg", json!("HS256")), None),
            (with(&good, "use", json!("enc")), None),
            (with(&good, "key_ops", json!(["sign"])), None),
            (with(&good, "crv", json!("P-384")), None),
            (with(&good, "x", json!("AAAA")), None),
            (with(&good, "kid", json!(null)), None),
            (with(&okp, "x", json!("AAAA")), None),
            (with(&okp, "x", json!("")), None),
            (rsa(1024), None),
            (with(&rsa(2048), "n", json!(padded)), None),
            (with(&rsa(2048), "alg", json!("HS256")), None),
            (json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0", "alg": "HS256"}), None),
            (json!({"kty": "new", "kid": "a"}), None),
            (json!("key"), None),
        ] {
            let keys = read(json!({ "keys": [key, good] }).to_string().as_bytes()).unwrap();
            let first = (keys.len() == 2).then(|| keys[0].algorithm);
            assert_eq!(first, usable, "{key}");
        }
    }
}
