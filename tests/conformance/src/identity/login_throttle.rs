//! Counters of attempts to log in, in the store.

use std::time::Duration;

use larder_domain::identity::LoginThrottle;
use larder_ports::outbound::StorageError;
use larder_ports::outbound::identity::IdentityUnit;

use crate::Fixture;
use crate::schedule::{Ending, at_once, overlap, overlap_then, retrying};

const KEY: [u8; 32] = [7; 32];

/// Counts one attempt under a key, whatever the pauses.
async fn count(unit: &mut dyn IdentityUnit, key: &[u8; 32], fixture: &Fixture) -> Result<i64, StorageError> {
    let now = fixture.now();
    let mut throttle = unit.login_throttles().lock(key, now).await?;
    throttle.failures += 1;
    throttle.last_failed_at = now;
    unit.login_throttles().update(key, &throttle).await?;
    Ok(throttle.failures)
}

impl Fixture {
    /// What stands under a key. Looking makes a counter, which is undone.
    async fn throttle(&self, key: &[u8; 32]) -> LoginThrottle {
        let mut unit = self.identity_unit().await;
        let throttle = unit.login_throttles().lock(key, self.now()).await.unwrap();
        unit.rollback().await.unwrap();
        throttle
    }
}

pub async fn id_12_a_counter_reads_back(fixture: Fixture) {
    assert_eq!(fixture.throttle(&KEY).await, LoginThrottle::none(fixture.now()));
    let throttle = LoginThrottle {
        failures: 7,
        last_failed_at: fixture.now(),
        blocked_until: Some(fixture.now().plus(Duration::from_micros(4_000_001))),
    };
    let mut unit = fixture.identity_unit().await;
    unit.login_throttles().lock(&KEY, fixture.now()).await.unwrap();
    unit.login_throttles().update(&KEY, &throttle).await.unwrap();
    unit.commit().await.unwrap();
    fixture.advance(60);
    assert_eq!(fixture.throttle(&KEY).await, throttle);
    assert_eq!(fixture.throttle(&[8; 32]).await.failures, 0);
    let mut unit = fixture.identity_unit().await;
    unit.login_throttles().reset(&KEY).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(fixture.throttle(&KEY).await, LoginThrottle::none(fixture.now()));
}

pub async fn id_12_of_two_units_the_second_sees_the_count_of_the_first(fixture: Fixture) {
    // First under a key that nobody used, where both make the counter, then under one that is there.
    for expected in [(1, 2), (3, 4)] {
        let [one, other] = overlap(
            &*fixture.identity,
            async |unit| count(unit, &KEY, &fixture).await,
            async |unit| count(unit, &KEY, &fixture).await,
        )
        .await;
        assert_eq!((one.unwrap(), other.unwrap()), expected);
    }
    let [dropped, counted] = overlap_then(
        &*fixture.identity,
        async |unit| count(unit, &KEY, &fixture).await,
        Ending::Drop,
        async |unit| count(unit, &KEY, &fixture).await,
    )
    .await;
    assert_eq!((dropped.unwrap(), counted.unwrap()), (None, Some(5)));
}

pub async fn id_12_of_many_units_none_is_left_out_of_the_count(fixture: Fixture) {
    let mut counts = at_once(20, async |_| {
        let counted = retrying(async || {
            let mut unit = fixture.identity.begin(larder_ports::outbound::Access::Write).await?;
            let counted = count(unit.as_mut(), &KEY, &fixture).await?;
            unit.commit().await?;
            Ok(counted)
        });
        counted.await.unwrap()
    })
    .await;
    counts.sort_unstable();
    assert_eq!(counts, (1..=20).collect::<Vec<i64>>());
}

pub async fn id_12_counters_of_before_are_swept(fixture: Fixture) {
    let keys: Vec<[u8; 32]> = (0..30).map(|number| [number; 32]).collect();
    let mut unit = fixture.identity_unit().await;
    for key in &keys {
        count(unit.as_mut(), key, &fixture).await.unwrap();
    }
    unit.commit().await.unwrap();
    let later = fixture.advance(60);
    let mut unit = fixture.identity_unit().await;
    count(unit.as_mut(), &KEY, &fixture).await.unwrap();
    unit.commit().await.unwrap();
    // A bounded number at a time, until none is left but the one that was used since.
    for _ in 0..2 {
        let mut unit = fixture.identity_unit().await;
        unit.login_throttles().sweep(later).await.unwrap();
        unit.commit().await.unwrap();
    }
    for key in &keys {
        assert_eq!(fixture.throttle(key).await.failures, if *key == KEY { 2 } else { 0 });
    }
}
