use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bcrypt::HashParts;
use larder_ports::outbound::{Event, HashingError, Observer, PasswordHasher, Unobserved};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Most bytes that bcrypt reads.
const MAX_BYTES: usize = 72;

/// The cheapest cost that bcrypt knows.
const MIN_COST: u32 = 4;

/// Salt and hash that belong to no password. What they compare to is never looked at; comparing costs what any hash of the same cost
/// does.
const DUMMY: &str = "......................ooooooooooooooooooooooooooooooO";

/// How passwords are hashed.
#[derive(Clone, Copy, Debug)]
pub struct BcryptConfig {
    /// The logarithm of the work, 4 to 31.
    pub cost: u32,
    /// Most hashes computed at once, at least 1.
    pub workers: usize,
    /// Longest wait for a free worker.
    pub max_wait: Duration,
}

/// Hashes passwords with bcrypt on a bounded number of blocking threads (`ID-06`).
#[derive(Clone)]
pub struct BcryptHasher {
    cost: u32,
    workers: Arc<Semaphore>,
    max_wait: Duration,
    observer: Arc<dyn Observer>,
}

impl BcryptHasher {
    /// A hasher. Nothing is computed yet; a cost outside 4 to 31 fails the first hash.
    pub fn new(config: BcryptConfig) -> Self {
        Self {
            cost: config.cost,
            workers: Arc::new(Semaphore::new(config.workers.max(1))),
            max_wait: config.max_wait,
            observer: Arc::new(Unobserved),
        }
    }

    /// Tells somebody how many passwords wait, and for how long.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Runs `work` on a blocking thread once a worker is free.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashingError> + Send + 'static,
    ) -> Result<T, HashingError> {
        let waiting = Waiting::new(self.observer.as_ref());
        let permit = timeout(self.max_wait, Arc::clone(&self.workers).acquire_owned())
            .await
            .map_err(|_| HashingError::Overloaded)?
            .map_err(internal)?;
        waiting.end();
        spawn_blocking(move || {
            // The worker is busy until the work is done, even if nobody waits for it any more.
            let _permit = permit;
            work()
        })
        .await
        .map_err(internal)?
    }
}

#[async_trait]
impl PasswordHasher for BcryptHasher {
    async fn hash(&self, password: &SecretString) -> Result<String, HashingError> {
        let (cost, password) = (self.cost, password.clone());
        if !is_whole(password.expose_secret()) {
            return Err(internal("the password could only be hashed in part"));
        }
        self.run(move || bcrypt::hash(password.expose_secret(), cost).map_err(internal))
            .await
    }

    async fn verify(&self, password: &SecretString, hash: Option<String>) -> Result<bool, HashingError> {
        let (cost, password) = (self.cost, password.clone());
        self.run(move || compare(password.expose_secret(), hash.as_deref(), cost))
            .await
    }

    fn is_outdated(&self, hash: &str) -> bool {
        parse(hash).is_none_or(|parts| parts.get_cost() != self.cost)
    }
}

/// A password in the queue. It is told once how its waiting ended, also when the request is cancelled.
struct Waiting<'a> {
    observer: &'a dyn Observer,
    since: Instant,
    is_over: bool,
}

impl<'a> Waiting<'a> {
    fn new(observer: &'a dyn Observer) -> Self {
        observer.observe(Event::HashingQueued);
        Self {
            observer,
            since: Instant::now(),
            is_over: false,
        }
    }

    /// A worker was found.
    fn end(mut self) {
        self.is_over = true;
        let waited = self.since.elapsed();
        self.observer.observe(Event::HashingBegan { waited });
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.observer.observe(Event::HashingGivenUp);
        }
    }
}

/// Whether bcrypt reads all of a password, not merely what comes before byte 73 or a NUL.
fn is_whole(password: &str) -> bool {
    password.len() <= MAX_BYTES && !password.contains('\0')
}

/// The parts of a hash of one of the accepted versions.
///
/// `$2x$` is left out: it marks hashes of a broken implementation, which other passwords fit as well.
fn parse(hash: &str) -> Option<HashParts> {
    let is_accepted = ["$2a$", "$2b$", "$2y$"].iter().any(|version| hash.starts_with(version));
    let parts: HashParts = is_accepted.then(|| hash.parse().ok())??;
    (MIN_COST..=31).contains(&parts.get_cost()).then_some(parts)
}

/// Compares at the configured cost whatever is there to compare with (`ID-11`).
fn compare(password: &str, hash: Option<&str>, cost: u32) -> Result<bool, HashingError> {
    let parsed = hash.and_then(parse);
    if hash.is_some() && parsed.is_none() {
        tracing::error!("a stored password hash can't be read; the login is refused");
    }
    match (hash, parsed) {
        (Some(hash), Some(parts)) if is_whole(password) => {
            let fits = bcrypt::verify(password, hash).map_err(internal)?;
            if !fits {
                // 2^k + 2^k + 2^(k+1) + ... + 2^(cost-1) = 2^cost: a cheaper hash costs what the configured one would.
                for missing in parts.get_cost()..cost {
                    spend(missing)?;
                }
            }
            Ok(fits)
        }
        _ => {
            spend(cost)?;
            Ok(false)
        }
    }
}

/// Costs one verification.
fn spend(cost: u32) -> Result<(), HashingError> {
    bcrypt::verify("", &format!("$2b${cost:02}${DUMMY}"))
        .map(drop)
        .map_err(internal)
}

fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> HashingError {
    HashingError::Internal(error.into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn hasher(workers: usize, max_wait: Duration) -> BcryptHasher {
        BcryptHasher::new(BcryptConfig {
            cost: 5,
            workers,
            max_wait,
        })
    }

    fn patient() -> BcryptHasher {
        hasher(2, Duration::from_secs(60))
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_only() {
        let hash = patient().hash(&"correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$2b$05$"), "{hash}");
        assert!(
            patient()
                .verify(&"correct horse".into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(!patient().verify(&"Correct horse".into(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn hashes_of_other_programs_are_read() {
        // One password, made by Python's bcrypt; 2a, 2b and 2y name the same computation for it.
        let tail = "EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";
        for version in ["2a", "2b", "2y"] {
            let hash = format!("${version}$04${tail}");
            assert!(
                patient()
                    .verify(&"correctbatteryhorsestapler".into(), Some(hash))
                    .await
                    .unwrap(),
                "{version}"
            );
        }
        let broken = format!("$2x$04${tail}");
        assert!(
            !patient()
                .verify(&"correctbatteryhorsestapler".into(), Some(broken))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn id_05_all_72_bytes_count_and_73_are_refused() {
        let longest = "x".repeat(72);
        let hash = patient().hash(&longest.as_str().into()).await.unwrap();
        assert!(
            patient()
                .verify(&longest.as_str().into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        let other_end = format!("{}y", "x".repeat(71));
        assert!(!patient().verify(&other_end.into(), Some(hash.clone())).await.unwrap());
        assert!(!patient().verify(&"x".repeat(73).into(), Some(hash)).await.unwrap());
        assert!(matches!(
            patient().hash(&"x".repeat(73).into()).await,
            Err(HashingError::Internal(_))
        ));
    }

    #[tokio::test]
    async fn id_06_no_hash_and_an_unreadable_hash_are_a_failed_login() {
        for hash in [
            None,
            Some(""),
            Some("plain text"),
            Some("$2b$05$short"),
            Some("$argon2id$v=19$m=4096$c2FsdA$aGFzaA"),
            Some("$2b$99$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie"),
            Some("$2b$00$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie"),
        ] {
            let fits = patient().verify(&"".into(), hash.map(str::to_owned)).await.unwrap();
            assert!(!fits, "{hash:?}");
        }
    }

    #[test]
    fn the_dummy_hash_is_one_that_bcrypt_computes() {
        for cost in [4, 12] {
            assert_eq!(
                parse(&format!("$2b${cost:02}${DUMMY}")).map(|parts| parts.get_cost()),
                Some(cost)
            );
        }
    }

    #[test]
    fn only_the_configured_cost_is_up_to_date() {
        let tail = "EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";
        assert!(!patient().is_outdated(&format!("$2b$05${tail}")));
        assert!(patient().is_outdated(&format!("$2b$04${tail}")));
        assert!(patient().is_outdated(&format!("$2b$06${tail}")));
        assert!(patient().is_outdated("unreadable"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn never_more_at_once_than_there_are_workers() {
        let hasher = hasher(2, Duration::from_secs(60));
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (hasher, running, most) = (hasher.clone(), running.clone(), most.clone());
                tokio::spawn(async move {
                    hasher
                        .run(move || {
                            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            std::thread::sleep(Duration::from_millis(20));
                            running.fetch_sub(1, Ordering::SeqCst);
                            Ok(())
                        })
                        .await
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn id_06_waiting_too_long_is_overload() {
        let hasher = hasher(1, Duration::from_millis(20));
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let busy = tokio::spawn({
            let hasher = hasher.clone();
            async move { hasher.run(move || hold.recv().map_err(internal)).await }
        });
        while hasher.workers.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(hasher.hash(&"a".into()).await, Err(HashingError::Overloaded)));
        release.send(()).unwrap();
        busy.await.unwrap().unwrap();
        assert!(hasher.hash(&"a".into()).await.is_ok());
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_does_not_free_a_worker_that_still_works() {
        let hasher = hasher(1, Duration::from_millis(20));
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let given_up = timeout(
            Duration::from_millis(5),
            hasher.run(move || hold.recv().map_err(internal)),
        )
        .await;
        assert!(given_up.is_err());
        assert_eq!(hasher.workers.available_permits(), 0);
        release.send(()).unwrap();
    }
}
