//! Tokens of programs.

use std::time::Duration;

use larder_domain::identity::{ApiToken, ApiTokenDraft, PrincipalKind, Role, Scope, Scopes};
use larder_domain::{ApiTokenId, OwnerId};
use larder_ports::inbound::identity::{AuthenticationError, CreateApiTokenError, NewApiToken};
use larder_ports::inbound::{Done, NotFoundError, Once, PageRequest};
use larder_ports::outbound::identity::ApiTokenState;
use larder_ports::outbound::{RequestKey, Rule, StorageError, StoredAnswer};
use secrecy::ExposeSecret;

use crate::make::{device, sign_up};
use crate::schedule::{at_once, overlap};
use crate::{Fixture, Settings};

fn reading() -> Scopes {
    [Scope::ChatRead].into_iter().collect()
}

fn draft(name: &str) -> ApiTokenDraft {
    ApiTokenDraft {
        id: None,
        name: name.into(),
        scopes: reading(),
        expires_at: None,
    }
}

impl Fixture {
    fn new_api_token(&self, owner_id: OwnerId, name: &str) -> ApiToken {
        ApiToken {
            owner_id,
            id: ApiTokenId(self.id()),
            name: name.into(),
            secret_hash: [9; 32],
            scopes: [Scope::ChatWrite, Scope::AgentsRead, Scope::Worker]
                .into_iter()
                .collect(),
            created_at: self.now(),
            expires_at: Some(self.now().plus(Duration::from_secs(60))),
            last_used_at: None,
            revoked_at: None,
        }
    }

    async fn store_api_token(&self, token: &ApiToken) -> Result<(), StorageError> {
        let mut unit = self.identity_unit().await;
        unit.api_tokens().insert(token).await?;
        unit.commit().await
    }

    pub(crate) async fn newcomer(&self, username: &str) -> OwnerId {
        self.accounts
            .sign_up(sign_up(username), device())
            .await
            .unwrap()
            .user
            .id
    }

    /// A token that was made now.
    pub(crate) async fn api_token(&self, owner_id: OwnerId, draft: ApiTokenDraft) -> NewApiToken {
        match self.api_tokens.create(owner_id, draft, None).await.unwrap() {
            Done::Now(made) => made,
            Done::Before(answer) => panic!("{answer:?}"),
        }
    }

    /// A token that may read conversations.
    pub(crate) async fn reading_token(&self, owner_id: OwnerId) -> NewApiToken {
        self.api_token(owner_id, draft("reader")).await
    }

    pub(crate) async fn admits(&self, token: &str) -> bool {
        match self.authentication.authenticate(token).await {
            Ok(_) => true,
            Err(AuthenticationError::Invalid | AuthenticationError::LoginEnded) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn last_used_at(&self, token: &ApiToken) -> Option<larder_domain::Instant> {
        self.api_tokens
            .get(token.owner_id, token.id)
            .await
            .unwrap()
            .last_used_at
    }
}

pub async fn id_60_a_token_reads_back_with_its_account(fixture: Fixture) {
    let user = fixture.new_user("ann", Some("ann@example.com"));
    fixture.store_user(&user).await.unwrap();
    let token = fixture.new_api_token(user.id, "Straße");
    fixture.store_api_token(&token).await.unwrap();
    let mut view = fixture.identity_view().await;
    assert_eq!(
        view.api_tokens().find(user.id, token.id).await.unwrap(),
        Some(token.clone())
    );
    let found = view.api_tokens().find_with_user(user.id, token.id).await.unwrap();
    assert_eq!(found, Some((token.clone(), user)));
    let stranger = fixture.owner();
    assert_eq!(view.api_tokens().find(stranger, token.id).await.unwrap(), None);
    assert_eq!(
        view.api_tokens().find_with_user(stranger, token.id).await.unwrap(),
        None
    );
}

pub async fn id_60_a_name_is_taken_until_its_token_is_revoked(fixture: Fixture) {
    let (ann, bob) = (fixture.new_user("ann", None), fixture.new_user("bob", None));
    fixture.store_user(&ann).await.unwrap();
    fixture.store_user(&bob).await.unwrap();
    let first = fixture.new_api_token(ann.id, "Straße");
    fixture.store_api_token(&first).await.unwrap();
    let second = fixture.new_api_token(ann.id, "STRASSE");
    let refused = fixture.store_api_token(&second).await;
    assert!(
        matches!(refused, Err(StorageError::Broken(Rule::ApiTokenNameTaken))),
        "{refused:?}"
    );
    let same_id = ApiToken {
        id: first.id,
        ..fixture.new_api_token(ann.id, "other")
    };
    let refused = fixture.store_api_token(&same_id).await;
    assert!(
        matches!(refused, Err(StorageError::Broken(Rule::ApiTokenIdTaken))),
        "{refused:?}"
    );
    let of_bob = ApiToken {
        id: first.id,
        ..fixture.new_api_token(bob.id, "Straße")
    };
    fixture.store_api_token(&of_bob).await.unwrap();
    let mut unit = fixture.identity_unit().await;
    assert!(unit.api_tokens().revoke(ann.id, first.id, fixture.now()).await.unwrap());
    unit.commit().await.unwrap();
    fixture.store_api_token(&second).await.unwrap();
    let mut view = fixture.identity_view().await;
    let kept = view.api_tokens().find(bob.id, first.id).await.unwrap().unwrap();
    assert_eq!(kept.revoked_at, None, "a token of another owner with the same id");
}

pub async fn id_60_of_two_units_with_one_name_one_is_refused(fixture: Fixture) {
    let user = fixture.new_user("ann", None);
    fixture.store_user(&user).await.unwrap();
    let tokens = [
        fixture.new_api_token(user.id, "same"),
        fixture.new_api_token(user.id, "SAME"),
    ];
    let [first, second] = overlap(
        fixture.identity.as_ref(),
        async |unit: &mut _| {
            larder_ports::outbound::identity::IdentityUnit::api_tokens(unit)
                .insert(&tokens[0])
                .await
        },
        async |unit: &mut _| {
            larder_ports::outbound::identity::IdentityUnit::api_tokens(unit)
                .insert(&tokens[1])
                .await
        },
    )
    .await;
    assert!(first.is_ok(), "{first:?}");
    assert!(
        matches!(
            second,
            Err(StorageError::Broken(Rule::ApiTokenNameTaken) | StorageError::Contended)
        ),
        "{second:?}"
    );
    let mut view = fixture.identity_view().await;
    assert_eq!(view.api_tokens().count_active(user.id, fixture.now()).await.unwrap(), 1);
}

pub async fn id_60_a_token_lets_its_owner_in(fixture: Fixture) {
    let ann = fixture.newcomer("ann").await;
    let made = fixture.reading_token(ann).await;
    let text = made.text.expose_secret();
    assert!(text.starts_with("lrd_"));
    let principal = fixture.authentication.authenticate(text).await.unwrap();
    assert_eq!((principal.owner_id, principal.name.as_str()), (ann, "ann"));
    assert_eq!(principal.kind, PrincipalKind::ApiToken(made.token.id, reading()));
    assert_eq!(
        principal.roles,
        [],
        "the first account is an administrator, its token is not"
    );
}

pub async fn id_60_another_secret_is_refused(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        ..Settings::default()
    });
    let ann = fixture.newcomer("ann").await;
    let made = fixture.reading_token(ann).await;
    let text = made.text.expose_secret();
    let last = if text.ends_with('A') { "E" } else { "A" };
    let changed = format!("{}{last}", &text[..text.len() - 1]);
    for _ in 0..2 {
        assert!(!fixture.admits(&changed).await);
        assert!(!fixture.admits("lrd_").await);
        assert!(!fixture.admits(&text[..60]).await);
        assert!(fixture.admits(text).await);
    }
}

pub async fn id_61_worker_is_lent_and_admin_never(fixture: Fixture) {
    let ann = fixture.newcomer("ann").await;
    let all = ApiTokenDraft {
        scopes: Scope::ALL.iter().copied().collect(),
        ..draft("all")
    };
    let made = fixture.api_token(ann, all).await;
    let token = made.text.expose_secret();
    let roles = async || fixture.authentication.authenticate(token).await.unwrap().roles;
    assert_eq!(roles().await, []);
    let user = fixture.user(ann).await.unwrap();
    fixture
        .change_user(&user, |user| user.roles = vec![Role::Admin, Role::Worker])
        .await;
    assert_eq!(roles().await, [Role::Worker]);
}

pub async fn id_60_the_number_of_active_tokens_is_limited(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        max_api_tokens: 3,
        ..Settings::default()
    });
    let ann = fixture.newcomer("ann").await;
    let answers = at_once(8, async |number| {
        let draft = draft(&format!("token {number}"));
        fixture.api_tokens.create(ann, draft, None).await
    })
    .await;
    let made = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(made, 3);
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(_) | Err(CreateApiTokenError::LimitReached))),
        "{answers:?}"
    );
    let listed = fixture
        .api_tokens
        .list(ann, ApiTokenState::Active, PageRequest::first())
        .await
        .unwrap();
    fixture.api_tokens.revoke(ann, listed.data[0].id).await.unwrap();
    fixture.api_token(ann, draft("room again")).await;
}

pub async fn id_60_names_and_ids_of_active_tokens_are_taken(fixture: Fixture) {
    let ann = fixture.newcomer("ann").await;
    let first = fixture.api_token(ann, draft("Import")).await.token;
    let refused = fixture.api_tokens.create(ann, draft("IMPORT"), None).await;
    assert!(matches!(refused, Err(CreateApiTokenError::NameTaken)), "{refused:?}");
    let same_id = ApiTokenDraft {
        id: Some(first.id),
        ..draft("other")
    };
    let refused = fixture.api_tokens.create(ann, same_id, None).await;
    assert!(matches!(refused, Err(CreateApiTokenError::IdTaken)), "{refused:?}");
    let short = ApiTokenDraft {
        expires_at: Some(fixture.now().plus(Duration::from_secs(60))),
        ..draft("short")
    };
    fixture.api_token(ann, short).await;
    fixture.advance(60);
    fixture.api_token(ann, draft("SHORT")).await;
}

pub async fn id_61_a_draft_that_breaks_a_rule_makes_nothing(fixture: Fixture) {
    let ann = fixture.newcomer("ann").await;
    for (refused, pointer) in [
        (draft(""), "/name"),
        (draft(&"x".repeat(101)), "/name"),
        (draft("a\0b"), "/name"),
        (
            ApiTokenDraft {
                scopes: Scopes::default(),
                ..draft("x")
            },
            "/scopes",
        ),
        (
            ApiTokenDraft {
                expires_at: Some(fixture.now()),
                ..draft("x")
            },
            "/expires_at",
        ),
    ] {
        match fixture.api_tokens.create(ann, refused, None).await {
            Err(CreateApiTokenError::Invalid(invalid)) => assert_eq!(invalid.violations()[0].pointer, pointer),
            other => panic!("{pointer}: {other:?}"),
        }
    }
    let listed = fixture
        .api_tokens
        .list(ann, ApiTokenState::All, PageRequest::first())
        .await
        .unwrap();
    assert!(listed.data.is_empty());
}

pub async fn id_60_last_used_at_moves_once_a_minute(fixture: Fixture) {
    let ann = fixture.newcomer("ann").await;
    let made = fixture.reading_token(ann).await;
    assert_eq!(fixture.last_used_at(&made.token).await, None);
    let text = made.text.expose_secret();
    let first = fixture.now();
    assert!(fixture.admits(text).await);
    assert_eq!(fixture.last_used_at(&made.token).await, Some(first));
    fixture.advance(59);
    assert!(fixture.admits(text).await);
    assert_eq!(fixture.last_used_at(&made.token).await, Some(first));
    let later = fixture.advance(1);
    assert!(fixture.admits(text).await);
    assert_eq!(fixture.last_used_at(&made.token).await, Some(later));
}

pub async fn id_60_tokens_are_listed_newest_first(fixture: Fixture) {
    let (ann, bob) = (fixture.newcomer("ann").await, fixture.newcomer("bob").await);
    fixture.reading_token(bob).await;
    let mut made = Vec::new();
    for number in 0..5 {
        if number != 2 {
            fixture.advance(1);
        }
        made.push(fixture.api_token(ann, draft(&format!("token {number}"))).await.token.id);
    }
    made.reverse();
    fixture.api_tokens.revoke(ann, made[1]).await.unwrap();
    for (state, expected) in [
        (ApiTokenState::All, made.clone()),
        (ApiTokenState::Active, [&made[..1], &made[2..]].concat()),
    ] {
        let mut met = Vec::new();
        let mut page = PageRequest { limit: 2, cursor: None };
        loop {
            let listed = fixture.api_tokens.list(ann, state, page).await.unwrap();
            met.extend(listed.data.iter().map(|token| token.id));
            let Some(cursor) = listed.next_cursor else { break };
            page = PageRequest {
                limit: 2,
                cursor: Some(cursor),
            };
        }
        assert_eq!(met, expected, "{state:?}");
    }
}

pub async fn id_63_what_was_revoked_is_refused_at_once(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        ..Settings::default()
    });
    let (ann, bob) = (fixture.newcomer("ann").await, fixture.newcomer("bob").await);
    let made = fixture.reading_token(ann).await;
    let text = made.text.expose_secret();
    assert!(fixture.admits(text).await);
    let id = made.token.id;
    let refused = fixture.api_tokens.revoke(bob, id).await;
    assert!(matches!(refused, Err(NotFoundError::NotFound)), "{refused:?}");
    assert!(fixture.admits(text).await);
    let revoked = fixture.now();
    for _ in 0..2 {
        fixture.api_tokens.revoke(ann, id).await.unwrap();
        assert!(!fixture.admits(text).await);
        fixture.advance(1);
    }
    assert_eq!(fixture.api_tokens.get(ann, id).await.unwrap().revoked_at, Some(revoked));
    let unknown = fixture.api_tokens.revoke(ann, ApiTokenId(fixture.id())).await;
    assert!(matches!(unknown, Err(NotFoundError::NotFound)), "{unknown:?}");
    let foreign = fixture.api_tokens.get(bob, id).await;
    assert!(matches!(foreign, Err(NotFoundError::NotFound)), "{foreign:?}");
}

pub async fn id_63_what_expired_is_refused(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        ..Settings::default()
    });
    let ann = fixture.newcomer("ann").await;
    let short = ApiTokenDraft {
        expires_at: Some(fixture.now().plus(Duration::from_secs(10))),
        ..draft("short")
    };
    let made = fixture.api_token(ann, short).await;
    let text = made.text.expose_secret();
    assert!(fixture.admits(text).await);
    fixture.advance(10);
    assert!(!fixture.admits(text).await, "remembered, but not beyond its end");
}

pub async fn t_020_a_repeated_request_gives_no_secret(fixture: Fixture) {
    let ann = fixture.newcomer("ann").await;
    let once = || Once {
        request: RequestKey {
            key: "key".into(),
            fingerprint: [1; 32],
        },
        answer: std::sync::Arc::new(|token: &ApiToken| StoredAnswer {
            status: 201,
            location: None,
            etag: None,
            body: format!("\"{}\"", token.id),
        }),
    };
    let answers = at_once(4, async |_| {
        fixture.api_tokens.create(ann, draft("x"), Some(once())).await
    })
    .await;
    let mut made = Vec::new();
    for answer in answers {
        match answer.unwrap() {
            Done::Now(new) => made.push(new),
            Done::Before(answer) => assert!(!answer.body.contains("lrd_")),
        }
    }
    assert_eq!(made.len(), 1);
    assert!(fixture.admits(made[0].text.expose_secret()).await);
    let listed = fixture
        .api_tokens
        .list(ann, ApiTokenState::All, PageRequest::first())
        .await
        .unwrap();
    assert_eq!(listed.data.len(), 1);
    let other = Once {
        request: RequestKey {
            key: "key".into(),
            fingerprint: [2; 32],
        },
        ..once()
    };
    let reused = fixture.api_tokens.create(ann, draft("y"), Some(other)).await;
    assert!(matches!(reused, Err(CreateApiTokenError::KeyReused(_))), "{reused:?}");
}
