//! Accounts in the store.

use larder_domain::identity::{LoginName, Role, User};
use larder_domain::{Instant, OwnerId};
use larder_ports::outbound::{Rule, StorageError};

use crate::Fixture;
use crate::schedule::{Ending, at_once, overlap, overlap_then, retrying};

impl Fixture {
    async fn found_as(&self, typed: &str) -> Option<OwnerId> {
        let mut view = self.identity_view().await;
        let found = view.users().find_by_login_name(&LoginName::parse(typed)).await.unwrap();
        found.map(|user| user.id)
    }

    async fn replace_user(&self, user: &User, expected: i64) -> Result<bool, StorageError> {
        let mut unit = self.identity_unit().await;
        let replaced = unit.users().update(user, expected).await?;
        unit.commit().await.map(|()| replaced)
    }
}

pub async fn id_01_a_name_in_any_spelling_is_one_account(fixture: Fixture) {
    let ann = fixture.new_user("Straße", Some("Ann@Example.com"));
    fixture.store_user(&ann).await.unwrap();
    for typed in [
        "Straße",
        "STRASSE",
        "strasse",
        " straße ",
        "ann@example.com",
        " ANN@EXAMPLE.COM ",
    ] {
        assert_eq!(fixture.found_as(typed).await, Some(ann.id), "{typed}");
    }
    for typed in ["Strase", "ann", "Ann@Example", "strasse@example.com", "", "%", "stra_e"] {
        assert_eq!(fixture.found_as(typed).await, None, "{typed}");
    }
    assert_eq!(fixture.user(ann.id).await, Some(ann));
}

pub async fn id_01_names_that_only_look_alike_are_several_accounts(fixture: Fixture) {
    for username in [
        "jurgen", "jürgen", "juergen", "jurgen.", "jurgen_", "jurgen-", "ıris", "iris",
    ] {
        let user = fixture.new_user(username, Some(&format!("{username}@example.com")));
        fixture.store_user(&user).await.unwrap();
        assert_eq!(fixture.found_as(username).await, Some(user.id), "{username}");
        assert_eq!(
            fixture.found_as(&format!("{username}@example.com")).await,
            Some(user.id),
            "{username}"
        );
    }
}

pub async fn id_01_a_taken_name_is_refused(fixture: Fixture) {
    let ann = fixture.new_user("Ann", Some("ann@example.com"));
    fixture.store_user(&ann).await.unwrap();
    let same_id = User {
        id: ann.id,
        ..fixture.new_user("carl", None)
    };
    for (user, rule) in [
        (fixture.new_user("aNN", None), Rule::UsernameTaken),
        (fixture.new_user("bob", Some("ANN@example.com")), Rule::EmailTaken),
        (same_id, Rule::UserIdTaken),
    ] {
        let refused = fixture.store_user(&user).await;
        assert!(
            matches!(&refused, Err(StorageError::Broken(broken)) if *broken == rule),
            "{refused:?}"
        );
    }
    assert_eq!(fixture.user(ann.id).await, Some(ann));
    assert_eq!(fixture.found_as("bob").await, None);
}

pub async fn id_01_any_number_of_accounts_has_no_email(fixture: Fixture) {
    for username in ["ann", "bob"] {
        fixture.store_user(&fixture.new_user(username, None)).await.unwrap();
    }
    assert_eq!(fixture.found_as("@").await, None);
}

pub async fn id_01_an_update_to_a_taken_name_is_refused(fixture: Fixture) {
    let ann = fixture.new_user("ann", Some("ann@example.com"));
    let bob = fixture.new_user("bob", Some("bob@example.com"));
    fixture.store_user(&ann).await.unwrap();
    fixture.store_user(&bob).await.unwrap();
    for (username, email, rule) in [
        ("ANN", "bob@example.com", Rule::UsernameTaken),
        ("bob", "Ann@example.com", Rule::EmailTaken),
    ] {
        let changed = User {
            username: username.into(),
            email: Some(email.into()),
            version: 2,
            ..bob.clone()
        };
        let refused = fixture.replace_user(&changed, 1).await;
        assert!(
            matches!(&refused, Err(StorageError::Broken(broken)) if *broken == rule),
            "{refused:?}"
        );
    }
    assert_eq!(fixture.user(bob.id).await, Some(bob));
}

pub async fn id_01_of_two_units_with_one_name_one_is_refused(fixture: Fixture) {
    let cases = [
        (
            fixture.new_user("ann", None),
            fixture.new_user("ANN", None),
            Rule::UsernameTaken,
        ),
        (
            fixture.new_user("bob", Some("b@example.com")),
            fixture.new_user("carl", Some("B@example.com")),
            Rule::EmailTaken,
        ),
    ];
    for (one, other, rule) in cases {
        let answers = overlap(
            &*fixture.identity,
            async |unit| unit.users().insert(&one).await,
            async |unit| unit.users().insert(&other).await,
        )
        .await;
        assert!(
            matches!(&answers, [Ok(()), Err(StorageError::Broken(broken))] if *broken == rule),
            "{answers:?}"
        );
        assert_eq!(fixture.user(one.id).await, Some(one));
        assert_eq!(fixture.user(other.id).await, None);
    }
}

pub async fn id_01_the_name_of_a_unit_that_was_dropped_is_free(fixture: Fixture) {
    let (one, other) = (fixture.new_user("ann", None), fixture.new_user("ann", None));
    let answers = overlap_then(
        &*fixture.identity,
        async |unit| unit.users().insert(&one).await,
        Ending::Drop,
        async |unit| unit.users().insert(&other).await,
    )
    .await;
    assert!(matches!(answers, [Ok(None), Ok(Some(()))]), "{answers:?}");
    assert_eq!(fixture.found_as("ann").await, Some(other.id));
}

pub async fn id_03_the_first_account_is_claimed_once(fixture: Fixture) {
    let ever = async || fixture.identity_view().await.users().any_ever().await.unwrap();
    assert!(!ever().await);
    let (one, other) = (fixture.owner(), fixture.owner());
    for (id, is_first) in [(one, true), (other, false), (one, false)] {
        let mut unit = fixture.identity_unit().await;
        assert_eq!(unit.users().claim_first(id).await.unwrap(), is_first);
        unit.commit().await.unwrap();
        assert!(ever().await);
    }
}

pub async fn id_03_of_two_units_one_claims_the_first_account(fixture: Fixture) {
    let (one, other) = (fixture.owner(), fixture.owner());
    let answers = overlap(
        &*fixture.identity,
        async |unit| unit.users().claim_first(one).await,
        async |unit| unit.users().claim_first(other).await,
    )
    .await;
    assert!(matches!(answers, [Ok(true), Ok(false)]), "{answers:?}");
}

pub async fn id_03_a_claim_that_was_dropped_does_not_count(fixture: Fixture) {
    let (one, other) = (fixture.owner(), fixture.owner());
    let answers = overlap_then(
        &*fixture.identity,
        async |unit| unit.users().claim_first(one).await,
        Ending::Drop,
        async |unit| unit.users().claim_first(other).await,
    )
    .await;
    assert!(matches!(answers, [Ok(None), Ok(Some(true))]), "{answers:?}");
}

pub async fn id_03_of_many_units_one_claims_the_first_account(fixture: Fixture) {
    let claims = at_once(20, async |_| {
        let id = fixture.owner();
        retrying(async || {
            let mut unit = fixture.identity.begin(larder_ports::outbound::Access::Write).await?;
            let is_first = unit.users().claim_first(id).await?;
            unit.commit().await.map(|()| is_first)
        })
        .await
        .unwrap()
    })
    .await;
    assert_eq!(claims.into_iter().filter(|is_first| *is_first).count(), 1);
}

pub async fn id_41_an_update_needs_the_version_that_it_expects(fixture: Fixture) {
    let ann = fixture.new_user("ann", Some("ann@example.com"));
    fixture.store_user(&ann).await.unwrap();
    let changed = User {
        username: "anna".into(),
        email: None,
        email_verified_at: None,
        password_hash: None,
        password_changed_at: None,
        roles: vec![Role::Admin, Role::Worker],
        disabled_at: Some(Instant::EPOCH),
        updated_at: fixture.advance(60),
        version: 2,
        ..ann.clone()
    };
    for unexpected in [0, 2, -1, i64::MAX] {
        assert!(!fixture.replace_user(&changed, unexpected).await.unwrap());
        assert_eq!(fixture.user(ann.id).await.as_ref(), Some(&ann));
    }
    assert!(fixture.replace_user(&changed, 1).await.unwrap());
    assert!(!fixture.replace_user(&changed, 1).await.unwrap());
    assert_eq!(fixture.user(ann.id).await, Some(changed));
    // Both old names are free, and only the new one finds the account.
    assert_eq!(fixture.found_as("ann").await, None);
    assert_eq!(fixture.found_as("ann@example.com").await, None);
    assert_eq!(fixture.found_as("anna").await, Some(ann.id));
    fixture
        .store_user(&fixture.new_user("ann", Some("ann@example.com")))
        .await
        .unwrap();
}

pub async fn id_41_of_two_updates_of_one_version_one_wins(fixture: Fixture) {
    let ann = fixture.new_user("ann", None);
    fixture.store_user(&ann).await.unwrap();
    let [one, other] = ["one", "other"].map(|username| User {
        username: username.into(),
        version: 2,
        ..ann.clone()
    });
    let answers = overlap(
        &*fixture.identity,
        async |unit| unit.users().update(&one, 1).await,
        async |unit| unit.users().update(&other, 1).await,
    )
    .await;
    assert!(matches!(answers, [Ok(true), Ok(false)]), "{answers:?}");
    assert_eq!(fixture.user(ann.id).await, Some(one));
}

pub async fn id_14_a_noted_login_is_no_change_of_the_account(fixture: Fixture) {
    let ann = fixture.new_user("ann", None);
    fixture.store_user(&ann).await.unwrap();
    let now = fixture.advance(60);
    let mut unit = fixture.identity_unit().await;
    unit.users().note_login(ann.id, now).await.unwrap();
    unit.commit().await.unwrap();
    let expected = User {
        last_login_at: Some(now),
        ..ann
    };
    assert_eq!(fixture.user(expected.id).await, Some(expected));
}
