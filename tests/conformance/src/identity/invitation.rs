//! Invitations in the store.

use std::time::Duration;

use larder_domain::identity::{Invitation, Role};
use larder_domain::{Instant, InvitationId, OwnerId};

use crate::Fixture;
use crate::schedule::{Ending, at_once, overlap, overlap_then, retrying};

impl Fixture {
    async fn invitation(&self, id: InvitationId) -> Option<Invitation> {
        self.identity_view().await.invitations().find(id).await.unwrap()
    }

    async fn consume(&self, id: InvitationId, user_id: OwnerId, now: Instant) -> bool {
        let mut unit = self.identity_unit().await;
        let consumed = unit.invitations().consume(id, user_id, now).await.unwrap();
        unit.commit().await.unwrap();
        consumed
    }
}

pub async fn id_04_an_invitation_is_used_once(fixture: Fixture) {
    let id = fixture
        .invite(|invitation| invitation.roles = vec![Role::Worker])
        .await
        .id;
    let before = fixture.invitation(id).await.unwrap();
    assert_eq!(
        (before.used, before.roles.as_slice()),
        (None, [Role::Worker].as_slice())
    );
    let (guest, late) = (fixture.owner(), fixture.owner());
    let now = fixture.advance(60);
    assert!(fixture.consume(id, guest, now).await);
    assert!(!fixture.consume(id, late, fixture.advance(60)).await);
    assert!(!fixture.consume(id, guest, now).await);
    let expected = Invitation {
        used: Some((now, guest)),
        ..before
    };
    assert_eq!(fixture.invitation(id).await, Some(expected));
}

pub async fn id_04_what_expired_or_was_revoked_is_not_used(fixture: Fixture) {
    let now = fixture.now();
    let expiring = fixture
        .invite(|invitation| invitation.expires_at = now.plus(Duration::from_secs(1)))
        .await
        .id;
    let revoked = fixture.invite(|invitation| invitation.revoked_at = Some(now)).await.id;
    let guest = fixture.owner();
    assert!(!fixture.consume(revoked, guest, now).await);
    assert!(!fixture.consume(expiring, guest, now.plus(Duration::from_secs(1))).await);
    assert!(!fixture.consume(InvitationId(fixture.id()), guest, now).await);
    for id in [expiring, revoked] {
        assert_eq!(fixture.invitation(id).await.unwrap().used, None);
    }
    assert!(
        fixture
            .consume(expiring, guest, now.plus(Duration::from_micros(999_999)))
            .await
    );
}

pub async fn id_04_of_two_units_one_uses_it(fixture: Fixture) {
    let id = fixture.invite(|_| ()).await.id;
    let (one, other) = (fixture.owner(), fixture.owner());
    let now = fixture.now();
    let answers = overlap(
        &*fixture.identity,
        async |unit| unit.invitations().consume(id, one, now).await,
        async |unit| unit.invitations().consume(id, other, now).await,
    )
    .await;
    assert!(matches!(answers, [Ok(true), Ok(false)]), "{answers:?}");
    assert_eq!(fixture.invitation(id).await.unwrap().used, Some((now, one)));
}

pub async fn id_04_a_use_that_was_dropped_does_not_count(fixture: Fixture) {
    let id = fixture.invite(|_| ()).await.id;
    let (one, other) = (fixture.owner(), fixture.owner());
    let now = fixture.now();
    let answers = overlap_then(
        &*fixture.identity,
        async |unit| unit.invitations().consume(id, one, now).await,
        Ending::Drop,
        async |unit| unit.invitations().consume(id, other, now).await,
    )
    .await;
    assert!(matches!(answers, [Ok(None), Ok(Some(true))]), "{answers:?}");
    assert_eq!(fixture.invitation(id).await.unwrap().used, Some((now, other)));
}

pub async fn id_04_of_many_units_one_uses_it(fixture: Fixture) {
    let id = fixture.invite(|_| ()).await.id;
    let uses = at_once(12, async |_| {
        let guest = fixture.owner();
        retrying(async || {
            let mut unit = fixture.identity.begin(larder_ports::outbound::Access::Write).await?;
            let consumed = unit.invitations().consume(id, guest, fixture.now()).await?;
            unit.commit().await.map(|()| consumed)
        })
        .await
        .unwrap()
    })
    .await;
    assert_eq!(uses.into_iter().filter(|consumed| *consumed).count(), 1);
}
