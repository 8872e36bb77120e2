//! Accounts of external issuers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_domain::identity::{ErasedSubject, ExternalIdentity, IssuerPolicy, Principal, PrincipalKind, Role, User};
use larder_domain::{ExternalIdentityId, Instant, OwnerId};
use larder_ports::inbound::identity::{AuthenticationError, LinkError, SignUp, SignUpError, UnlinkError};
use larder_ports::inbound::{Done, Once, PageRequest};
use larder_ports::outbound::identity::{KnownSubject, Subject};
use larder_ports::outbound::{RequestKey, Rule, StorageError, StoredAnswer};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fixture::{PUBLISHING_ISSUER, SHARED_ISSUER, Signature};
use crate::make::{device, sign_up};
use crate::schedule::{at_once, overlap};
use crate::{Fixture, Settings, SignUpMode};

const UUID: &str = "0197a3c2-1111-4222-8333-444455556666";

const TRUSTING: IssuerPolicy = IssuerPolicy {
    auto_create: true,
    trust_email: true,
    allow_anonymous: false,
};

impl Fixture {
    fn under(&self, issuer: IssuerPolicy) -> Self {
        self.with(Settings {
            issuer,
            ..Settings::default()
        })
    }

    fn claims(&self, issuer: &str, subject: &str, more: &str) -> String {
        let now = self.now().as_micros() / 1_000_000;
        format!(
            r#"{{"iss":"{issuer}","aud":"authenticated","sub":"{subject}","iat":{now},"exp":{}{more}}}"#,
            now + 3_600
        )
    }

    /// A token of the issuer that shares a secret, with more claims: `,"email":"ann@example.com"`.
    fn external(&self, subject: &str, more: &str) -> String {
        let claims = self.claims(SHARED_ISSUER, subject, more);
        self.application()
            .external_token(r#"{"alg":"HS256"}"#, &claims, &Signature::Shared)
    }

    fn external_ann(&self) -> String {
        self.external("subject of ann", r#","email":"ann@example.com""#)
    }

    async fn enters(&self, token: &str) -> Result<Principal, AuthenticationError> {
        self.authentication.authenticate(token).await
    }

    async fn local(&self, username: &str, email: Option<&str>) -> Principal {
        let request = SignUp {
            email: email.map(str::to_owned),
            ..sign_up(username)
        };
        let signed_in = self.accounts.sign_up(request, device()).await.unwrap();
        let token = signed_in.tokens.access_token.expose_secret();
        self.enters(token).await.unwrap()
    }

    async fn link(&self, caller: &Principal, token: &str) -> Result<Done<ExternalIdentity>, LinkError> {
        self.external_identities.link(caller, &token.into(), None).await
    }

    async fn identities(&self, caller: &Principal) -> Vec<ExternalIdentity> {
        let page = self.external_identities.list(caller, PageRequest::first()).await;
        page.unwrap().data
    }

    fn subject(&self, issuer: &str, subject: &str) -> Subject {
        Subject {
            issuer: issuer.into(),
            subject: subject.into(),
            hash: self.application().digest_text(subject),
        }
    }

    fn identity_of(&self, user_id: OwnerId, issuer: &str, subject: &str) -> ExternalIdentity {
        ExternalIdentity {
            id: ExternalIdentityId(self.id()),
            user_id,
            issuer: issuer.into(),
            subject: subject.into(),
            email: Some("someone@example.com".into()),
            created_at: self.now(),
            last_seen_at: self.now(),
        }
    }

    async fn store_identity(&self, identity: &ExternalIdentity) -> Result<(), StorageError> {
        let mut unit = self.identity_unit().await;
        unit.external_identities().insert(identity).await?;
        unit.commit().await
    }

    async fn known(&self, issuer: &str, subject: &str) -> Option<KnownSubject> {
        let subject = self.subject(issuer, subject);
        let mut view = self.identity_view().await;
        view.external_identities().find_with_user(&subject).await.unwrap()
    }

    /// Erases an account as the end of an erasure does: rows and trace in one commit.
    async fn erase_subject(&self, user_id: OwnerId, issuer: &str, subject: &str) -> Instant {
        let erased_at = self.now();
        let mut unit = self.identity_unit().await;
        unit.erasures().delete_account(user_id).await.unwrap();
        for (issuer, subject) in [
            (issuer, subject.to_owned()),
            (ErasedSubject::LOCAL, user_id.to_string()),
        ] {
            let erased = ErasedSubject {
                issuer: issuer.into(),
                subject_hash: self.application().digest_text(&subject),
                user_id,
                erased_at,
            };
            unit.erasures().remember(&erased).await.unwrap();
        }
        unit.commit().await.unwrap();
        erased_at
    }

    async fn stored(&self, username: &str) -> User {
        let user = self.new_user(username, None);
        self.store_user(&user).await.unwrap();
        user
    }
}

fn id_of(done: Done<ExternalIdentity>) -> ExternalIdentityId {
    match done {
        Done::Now(identity) => identity.id,
        Done::Before(answer) => panic!("{answer:?}"),
    }
}

pub async fn id_53_a_subject_is_found_with_its_account(fixture: Fixture) {
    let (ann, bob) = (fixture.stored("ann").await, fixture.stored("bob").await);
    let of_ann = fixture.identity_of(ann.id, "https://a.example.com", "x");
    let of_bob = ExternalIdentity {
        email: None,
        ..fixture.identity_of(bob.id, "https://b.example.com", "x")
    };
    fixture.store_identity(&of_ann).await.unwrap();
    fixture.store_identity(&of_bob).await.unwrap();
    for (identity, user) in [(of_ann, ann), (of_bob, bob)] {
        let known = fixture.known(&identity.issuer, "x").await;
        let expected = KnownSubject {
            identity,
            user,
            erased_at: None,
        };
        assert_eq!(known, Some(expected));
    }
    assert_eq!(fixture.known("https://a.example.com", "X").await, None);
    assert_eq!(fixture.known("https://c.example.com", "x").await, None);
}

pub async fn id_53_a_pair_of_issuer_and_subject_is_there_once(fixture: Fixture) {
    let (ann, bob) = (fixture.stored("ann").await, fixture.stored("bob").await);
    let first = fixture.identity_of(ann.id, "https://a.example.com", "x");
    fixture.store_identity(&first).await.unwrap();
    for user_id in [ann.id, bob.id] {
        let again = fixture.identity_of(user_id, "https://a.example.com", "x");
        let refused = fixture.store_identity(&again).await;
        assert!(
            matches!(refused, Err(StorageError::Broken(Rule::ExternalIdentityTaken))),
            "{refused:?}"
        );
    }
    for (issuer, subject) in [("https://a.example.com", "y"), ("https://b.example.com", "x")] {
        let other = fixture.identity_of(bob.id, issuer, subject);
        fixture.store_identity(&other).await.unwrap();
    }
}

pub async fn id_54_of_two_units_with_one_subject_one_is_refused(fixture: Fixture) {
    let (ann, bob) = (fixture.stored("ann").await, fixture.stored("bob").await);
    let of_ann = fixture.identity_of(ann.id, "https://a.example.com", "x");
    let of_bob = fixture.identity_of(bob.id, "https://a.example.com", "x");
    let answers = overlap(
        &*fixture.identity,
        async |unit| unit.external_identities().insert(&of_ann).await,
        async |unit| unit.external_identities().insert(&of_bob).await,
    )
    .await;
    assert!(
        matches!(
            answers,
            [Ok(()), Err(StorageError::Broken(Rule::ExternalIdentityTaken))]
        ),
        "{answers:?}"
    );
    assert_eq!(fixture.known("https://a.example.com", "x").await.unwrap().user, ann);
}

pub async fn id_56_the_erasure_of_a_subject_is_found_with_it(fixture: Fixture) {
    let ann = fixture.stored("ann").await;
    let first = fixture.identity_of(ann.id, "https://a.example.com", "x");
    fixture.store_identity(&first).await.unwrap();
    let erased_at = fixture.erase_subject(ann.id, "https://a.example.com", "x").await;
    assert_eq!(fixture.known("https://a.example.com", "x").await, None);
    let subject = fixture.subject("https://a.example.com", "x");
    let other = fixture.subject("https://b.example.com", "x");
    let mut view = fixture.identity_view().await;
    assert_eq!(
        view.external_identities().erased_at(&subject).await.unwrap(),
        Some(erased_at)
    );
    assert_eq!(view.external_identities().erased_at(&other).await.unwrap(), None);
    drop(view);
    let bob = fixture.stored("bob").await;
    let second = fixture.identity_of(bob.id, "https://a.example.com", "x");
    fixture.store_identity(&second).await.unwrap();
    let known = fixture.known("https://a.example.com", "x").await.unwrap();
    assert_eq!((known.user, known.erased_at), (bob, Some(erased_at)));
}

pub async fn identities_are_listed_by_id_and_deleted_by_their_account_only(fixture: Fixture) {
    let (ann, bob) = (fixture.stored("ann").await, fixture.stored("bob").await);
    let identities: Vec<ExternalIdentity> = (0..5)
        .map(|number| fixture.identity_of(ann.id, "https://a.example.com", &format!("{number}")))
        .collect();
    for identity in identities.iter().rev() {
        fixture.store_identity(identity).await.unwrap();
    }
    let mut view = fixture.identity_view().await;
    let list = view.external_identities();
    assert_eq!(list.list(ann.id, None, 3).await.unwrap(), identities[..3]);
    assert_eq!(
        list.list(ann.id, Some(identities[2].id), 3).await.unwrap(),
        identities[3..]
    );
    assert_eq!(list.list(bob.id, None, 3).await.unwrap(), []);
    drop(view);

    let mut unit = fixture.identity_unit().await;
    let listed = unit.external_identities();
    assert_eq!(listed.delete(bob.id, identities[0].id).await.unwrap(), None);
    assert_eq!(
        listed.delete(ann.id, identities[0].id).await.unwrap().as_ref(),
        Some(&identities[0])
    );
    assert_eq!(listed.delete(ann.id, identities[0].id).await.unwrap(), None);
    assert!(listed.has_others(ann.id, identities[1].id).await.unwrap());
    assert!(!listed.has_others(bob.id, identities[1].id).await.unwrap());
    for identity in &identities[2..] {
        listed.delete(ann.id, identity.id).await.unwrap();
    }
    assert!(!listed.has_others(ann.id, identities[1].id).await.unwrap());
    unit.commit().await.unwrap();
}

pub async fn a_noted_sight_never_moves_back(fixture: Fixture) {
    let ann = fixture.stored("ann").await;
    let identity = fixture.identity_of(ann.id, "https://a.example.com", "x");
    fixture.store_identity(&identity).await.unwrap();
    let later = ExternalIdentity {
        email: None,
        last_seen_at: fixture.advance(90),
        ..identity.clone()
    };
    for seen in [&later, &identity] {
        let mut unit = fixture.identity_unit().await;
        unit.external_identities().note_sight(seen).await.unwrap();
        unit.commit().await.unwrap();
        assert_eq!(
            fixture.known("https://a.example.com", "x").await.unwrap().identity,
            later
        );
    }
}

pub async fn id_50_an_unknown_issuer_is_refused(fixture: Fixture) {
    for issuer in ["https://unknown.example.com", "larder", ""] {
        let claims = fixture.claims(issuer, UUID, "");
        let token = fixture
            .application()
            .external_token(r#"{"alg":"HS256"}"#, &claims, &Signature::Shared);
        let refused = fixture.enters(&token).await;
        assert!(
            matches!(refused, Err(AuthenticationError::Invalid)),
            "{issuer}: {refused:?}"
        );
    }
}

pub async fn id_51_anonymous_users_are_let_in_only_if_configured(fixture: Fixture) {
    let anonymous = fixture.external("nobody", r#","is_anonymous":true"#);
    let refused = fixture.enters(&anonymous).await;
    assert!(
        matches!(refused, Err(AuthenticationError::AccountUnknown)),
        "{refused:?}"
    );
    assert!(fixture.known(SHARED_ISSUER, "nobody").await.is_none());
    let generous = fixture.under(IssuerPolicy {
        allow_anonymous: true,
        ..IssuerPolicy::default()
    });
    generous.enters(&anonymous).await.unwrap();
    // What was remembered of somebody else's policy does not open the door.
    assert!(fixture.enters(&anonymous).await.is_err());
}

pub async fn id_51_an_expired_token_says_so(fixture: Fixture) {
    let token = fixture.external_ann();
    fixture.enters(&token).await.unwrap();
    fixture.advance(3_600 + 30);
    fixture.enters(&token).await.unwrap();
    fixture.advance(1);
    let refused = fixture.enters(&token).await;
    assert!(matches!(refused, Err(AuthenticationError::Expired)), "{refused:?}");
}

pub async fn id_53_the_caller_is_who_the_row_says(fixture: Fixture) {
    let token = fixture.external_ann();
    let first = fixture.enters(&token).await.unwrap();
    let known = fixture.known(SHARED_ISSUER, "subject of ann").await.unwrap();
    assert_eq!(first.kind, PrincipalKind::External(known.identity.id));
    assert_eq!((first.owner_id, &first.name), (known.user.id, &known.user.username));
    fixture
        .change_user(&known.user, |user| {
            user.username = "renamed".into();
            user.email = None;
            user.roles = vec![Role::Worker];
        })
        .await;
    let second = fixture.enters(&token).await.unwrap();
    let expected = Principal {
        name: "renamed".into(),
        email: None,
        roles: vec![Role::Worker],
        ..first
    };
    assert_eq!(second, expected);
}

pub async fn id_53_a_disabled_account_is_not_let_in(fixture: Fixture) {
    let token = fixture.external_ann();
    fixture.enters(&token).await.unwrap();
    let user = fixture.known(SHARED_ISSUER, "subject of ann").await.unwrap().user;
    let now = fixture.now();
    fixture.change_user(&user, |user| user.disabled_at = Some(now)).await;
    let refused = fixture.enters(&token).await;
    assert!(matches!(refused, Err(AuthenticationError::Invalid)), "{refused:?}");
}

pub async fn id_53_a_cached_caller_is_asked_for_again_in_time(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        ..Settings::default()
    });
    let token = fixture.external_ann();
    fixture.enters(&token).await.unwrap();
    let user = fixture.known(SHARED_ISSUER, "subject of ann").await.unwrap().user;
    let now = fixture.now();
    fixture.change_user(&user, |user| user.disabled_at = Some(now)).await;
    fixture.advance(29);
    fixture.enters(&token).await.unwrap();
    fixture.advance(1);
    assert!(fixture.enters(&token).await.is_err());
}

pub async fn id_53_a_use_is_noted_once_a_minute(fixture: Fixture) {
    let made_at = fixture.now();
    let seen = async |fixture: &Fixture| {
        let known = fixture.known(SHARED_ISSUER, "subject of ann").await.unwrap();
        (known.identity.last_seen_at, known.identity.email)
    };
    fixture.enters(&fixture.external_ann()).await.unwrap();
    fixture.advance(59);
    let moved = fixture.external("subject of ann", r#","email":"moved@example.com""#);
    fixture.enters(&moved).await.unwrap();
    assert_eq!(seen(&fixture).await, (made_at, Some("ann@example.com".into())));
    let noted_at = fixture.advance(1);
    let first = fixture.enters(&moved).await.unwrap();
    assert_eq!(seen(&fixture).await, (noted_at, Some("moved@example.com".into())));
    assert_eq!(
        first.email.as_deref(),
        Some("ann@example.com"),
        "the account's own email stays"
    );
}

pub async fn t_021_fifty_first_requests_of_one_subject_make_one_user(fixture: Fixture) {
    let token = fixture.external(UUID, r#","email":"ann@example.com""#);
    let callers = at_once(50, async |_| fixture.enters(&token).await.unwrap()).await;
    assert!(callers.iter().all(|caller| *caller == callers[0]));
    assert_eq!(callers[0].owner_id.to_string(), UUID);
    let user = fixture.user(callers[0].owner_id).await.unwrap();
    assert_eq!((user.email.as_deref(), user.version), (Some("ann@example.com"), 1));
    assert_eq!(fixture.identities(&callers[0]).await.len(), 1);
}

pub async fn id_54_fifty_first_requests_without_a_uuid_make_one_user(fixture: Fixture) {
    let token = fixture.external("auth0|ann", "");
    let callers = at_once(50, async |_| fixture.enters(&token).await.unwrap()).await;
    assert!(callers.iter().all(|caller| *caller == callers[0]));
    let user = fixture.user(callers[0].owner_id).await.unwrap();
    assert!(user.username.starts_with("user-") && user.email.is_none() && user.password_hash.is_none());
}

pub async fn id_54_an_id_that_was_a_users_is_not_given_again(fixture: Fixture) {
    let local = fixture.local("ann", None).await;
    let token = fixture.external(&local.owner_id.to_string(), "");
    let stranger = fixture.enters(&token).await.unwrap();
    assert_ne!(stranger.owner_id, local.owner_id);

    let first = fixture.enters(&fixture.external(UUID, "")).await.unwrap();
    assert_eq!(first.owner_id.to_string(), UUID);
    fixture.erase_subject(first.owner_id, SHARED_ISSUER, UUID).await;
    fixture.advance(1);
    let second = fixture.enters(&fixture.external(UUID, "")).await.unwrap();
    assert_ne!(second.owner_id, first.owner_id);
}

pub async fn id_54_the_email_is_taken_over_and_verified_if_it_is_trusted(fixture: Fixture) {
    for (number, policy, more, is_verified) in [
        (1, IssuerPolicy::default(), "", false),
        (2, TRUSTING, "", true),
        (3, TRUSTING, r#","email_verified":false"#, false),
    ] {
        let more = format!(r#","email":"Ann.{number}@example.com"{more}"#);
        let token = fixture.external(&format!("subject {number}"), &more);
        let caller = fixture.under(policy).enters(&token).await.unwrap();
        let user = fixture.user(caller.owner_id).await.unwrap();
        assert_eq!(user.email, Some(format!("Ann.{number}@example.com")));
        assert_eq!(user.email_verified_at.is_some(), is_verified, "{number}");
    }
    for useless in ["", "no address", "a b@example.com"] {
        let token = fixture.external(&format!("with {useless}"), &format!(r#","email":"{useless}""#));
        assert_eq!(fixture.enters(&token).await.unwrap().email, None, "{useless}");
    }
}

pub async fn id_54_without_auto_create_the_account_is_unknown(fixture: Fixture) {
    let strict = fixture.under(IssuerPolicy {
        auto_create: false,
        ..TRUSTING
    });
    let token = strict.external_ann();
    let refused = strict.enters(&token).await;
    assert!(
        matches!(refused, Err(AuthenticationError::AccountUnknown)),
        "{refused:?}"
    );
    assert!(strict.known(SHARED_ISSUER, "subject of ann").await.is_none());
    let local = strict.local("ann", None).await;
    strict.link(&local, &token).await.unwrap();
    assert_eq!(strict.enters(&token).await.unwrap().owner_id, local.owner_id);
}

pub async fn id_54_a_generated_name_that_is_taken_is_no_obstacle(fixture: Fixture) {
    let squatter = fixture.new_user("squatter", None);
    // The second id that is drawn from here on names the newcomer.
    let next = uuid::Uuid::from_u128(squatter.id.0.as_u128() + 2).simple().to_string();
    let squatter = User {
        username: format!("user-{}", &next[20..]),
        ..squatter
    };
    fixture.store_user(&squatter).await.unwrap();
    let caller = fixture.enters(&fixture.external_ann()).await.unwrap();
    assert_ne!(caller.name, squatter.username);
    assert!(caller.name.starts_with("user-"));
}

pub async fn id_03_an_external_first_account_makes_nobody_admin(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        sign_up: SignUpMode::Invite,
        ..Settings::default()
    });
    let first = fixture.enters(&fixture.external_ann()).await.unwrap();
    assert_eq!(first.roles, []);
    let uninvited = fixture.accounts.sign_up(sign_up("bob"), device()).await;
    assert!(
        matches!(uninvited, Err(SignUpError::InvitationInvalid)),
        "{uninvited:?}"
    );
    let open = fixture.with(Settings::default());
    assert_eq!(open.local("bob", None).await.roles, []);
}

pub async fn t_023_a_claimed_role_grants_nothing(fixture: Fixture) {
    let boasting =
        r#","role":"admin","roles":["admin"],"user_metadata":{"roles":["admin"]},"app_metadata":{"role":"admin"}"#;
    let caller = fixture.enters(&fixture.external(UUID, boasting)).await.unwrap();
    assert_eq!(caller.roles, []);
    assert_eq!(fixture.user(caller.owner_id).await.unwrap().roles, []);
}

pub async fn t_024_an_unverified_address_must_be_linked_by_its_holder(fixture: Fixture) {
    let fixture = fixture.under(TRUSTING);
    let local = fixture.local("ann", Some("Ann@example.com")).await;
    let token = fixture.external_ann();
    let refused = fixture.enters(&token).await;
    assert!(
        matches!(refused, Err(AuthenticationError::IdentityLinkRequired)),
        "{refused:?}"
    );
    assert!(fixture.known(SHARED_ISSUER, "subject of ann").await.is_none());
    let id = id_of(fixture.link(&local, &token).await.unwrap());
    let caller = fixture.enters(&token).await.unwrap();
    let expected = Principal {
        kind: PrincipalKind::External(id),
        ..local
    };
    assert_eq!(caller, expected);
}

pub async fn id_55_trusted_and_verified_addresses_link_themselves(fixture: Fixture) {
    let local = fixture.local("ann", Some("ann@example.com")).await;
    let user = fixture.user(local.owner_id).await.unwrap();
    let now = fixture.now();
    fixture
        .change_user(&user, |user| user.email_verified_at = Some(now))
        .await;
    let token = fixture.external_ann();
    // The holder verified it; whether the issuer did is not trusted.
    let refused = fixture.enters(&token).await;
    assert!(
        matches!(refused, Err(AuthenticationError::IdentityLinkRequired)),
        "{refused:?}"
    );
    let trusting = fixture.under(TRUSTING);
    let doubted = fixture.external("subject of ann", r#","email":"ann@example.com","email_verified":false"#);
    assert!(matches!(
        trusting.enters(&doubted).await,
        Err(AuthenticationError::IdentityLinkRequired)
    ));
    let callers = at_once(20, async |_| trusting.enters(&token).await.unwrap().owner_id).await;
    assert_eq!(callers, [local.owner_id; 20]);
    assert_eq!(fixture.identities(&local).await.len(), 1);
}

pub async fn id_55_a_disabled_account_is_linked_to_nobody(fixture: Fixture) {
    let local = fixture.local("ann", Some("ann@example.com")).await;
    let user = fixture.user(local.owner_id).await.unwrap();
    let now = fixture.now();
    let disable = |user: &mut User| {
        user.email_verified_at = Some(now);
        user.disabled_at = Some(now);
    };
    fixture.change_user(&user, disable).await;
    let trusting = fixture.under(TRUSTING);
    let refused = trusting.enters(&fixture.external_ann()).await;
    assert!(matches!(refused, Err(AuthenticationError::Invalid)), "{refused:?}");
    let refused = fixture.link(&local, &fixture.external("another", "")).await;
    assert!(matches!(refused, Err(LinkError::AccountUnknown)), "{refused:?}");
    assert_eq!(fixture.identities(&local).await, []);
}

pub async fn id_55_an_identity_is_linked_once(fixture: Fixture) {
    let (ann, bob) = (fixture.local("ann", None).await, fixture.local("bob", None).await);
    let token = fixture.external_ann();
    fixture.link(&ann, &token).await.unwrap();
    for caller in [&ann, &bob] {
        let refused = fixture.link(caller, &token).await;
        assert!(matches!(refused, Err(LinkError::IdentityTaken)), "{refused:?}");
    }
    // An account that a token brought in is somebody, too.
    let own = fixture.external("own account", "");
    fixture.enters(&own).await.unwrap();
    let refused = fixture.link(&bob, &own).await;
    assert!(matches!(refused, Err(LinkError::IdentityTaken)), "{refused:?}");
    let links = at_once(10, async |number| {
        let caller = if number % 2 == 0 { &ann } else { &bob };
        fixture.link(caller, &fixture.external("contested", "")).await.is_ok()
    })
    .await;
    assert_eq!(links.into_iter().filter(|is_linked| *is_linked).count(), 1);
}

pub async fn id_55_a_token_that_does_not_count_links_nothing(fixture: Fixture) {
    let ann = fixture.local("ann", None).await;
    let expired = fixture.external_ann();
    let anonymous = fixture.external("nobody", r#","is_anonymous":true"#);
    let refused = fixture.link(&ann, &anonymous).await;
    assert!(matches!(refused, Err(LinkError::AccountUnknown)), "{refused:?}");
    fixture.advance(3_600 + 31);
    for token in [expired.as_str(), "", "a.b.c"] {
        let refused = fixture.link(&ann, token).await;
        assert!(matches!(refused, Err(LinkError::TokenInvalid)), "{refused:?}");
    }
    let gone = fixture.enters(&fixture.external(UUID, "")).await.unwrap();
    let old = fixture.external(UUID, "");
    fixture.erase_subject(gone.owner_id, SHARED_ISSUER, UUID).await;
    let refused = fixture.link(&ann, &old).await;
    assert!(matches!(refused, Err(LinkError::TokenInvalid)), "{refused:?}");
    assert_eq!(fixture.identities(&ann).await, []);
}

pub async fn id_55_a_repeated_link_gets_the_answer_of_the_first(fixture: Fixture) {
    let ann = fixture.local("ann", None).await;
    let token = fixture.external_ann();
    let once = || Once {
        request: RequestKey {
            key: "link".into(),
            fingerprint: [1; 32],
        },
        answer: Arc::new(|identity: &ExternalIdentity| StoredAnswer {
            status: 201,
            body: identity.id.to_string(),
            ..StoredAnswer::default()
        }),
    };
    let link = async |token: &str| {
        fixture
            .external_identities
            .link(&ann, &token.into(), Some(once()))
            .await
    };
    assert!(matches!(link("a.b.c").await, Err(LinkError::TokenInvalid)));
    let first = id_of(link(&token).await.unwrap());
    fixture.advance(4_000);
    match link(&token).await.unwrap() {
        Done::Before(answer) => assert_eq!(answer.body, first.to_string()),
        Done::Now(identity) => panic!("{identity:?}"),
    }
    assert_eq!(fixture.identities(&ann).await.len(), 1);
}

pub async fn id_55_the_last_means_of_login_stays(fixture: Fixture) {
    let external = fixture.enters(&fixture.external_ann()).await.unwrap();
    let only = fixture.identities(&external).await.remove(0);
    let unlink = async |caller: &Principal, id| fixture.external_identities.unlink(caller, id).await;
    let refused = unlink(&external, only.id).await;
    assert!(matches!(refused, Err(UnlinkError::LastCredential)), "{refused:?}");
    fixture.enters(&fixture.external_ann()).await.unwrap();

    let local = fixture.local("bob", None).await;
    let token = fixture.external("subject of bob", "");
    let id = id_of(fixture.link(&local, &token).await.unwrap());
    let foreign = unlink(&external, id).await;
    assert!(matches!(foreign, Err(UnlinkError::NotFound)), "{foreign:?}");
    unlink(&local, id).await.unwrap();
    let again = unlink(&local, id).await;
    assert!(matches!(again, Err(UnlinkError::NotFound)), "{again:?}");
}

pub async fn id_55_of_two_means_of_login_removed_at_once_one_stays(fixture: Fixture) {
    let caller = fixture.enters(&fixture.external_ann()).await.unwrap();
    let second = fixture.identity_of(caller.owner_id, SHARED_ISSUER, "second");
    fixture.store_identity(&second).await.unwrap();
    let ids: Vec<_> = fixture
        .identities(&caller)
        .await
        .iter()
        .map(|identity| identity.id)
        .collect();
    assert_eq!(ids.len(), 2);
    let removed = at_once(2, async |number| {
        fixture.external_identities.unlink(&caller, ids[number]).await.is_ok()
    })
    .await;
    assert_eq!(removed.into_iter().filter(|is_removed| *is_removed).count(), 1);
    assert_eq!(fixture.identities(&caller).await.len(), 1);
}

pub async fn id_55_an_unlinked_token_stops_working_at_once(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        issuer: IssuerPolicy {
            auto_create: false,
            ..IssuerPolicy::default()
        },
        ..Settings::default()
    });
    let local = fixture.local("ann", None).await;
    let token = fixture.external_ann();
    let id = id_of(fixture.link(&local, &token).await.unwrap());
    assert_eq!(fixture.enters(&token).await.unwrap().owner_id, local.owner_id);
    fixture.external_identities.unlink(&local, id).await.unwrap();
    let refused = fixture.enters(&token).await;
    assert!(
        matches!(refused, Err(AuthenticationError::AccountUnknown)),
        "{refused:?}"
    );
}

pub async fn identities_are_paged_by_their_own_account(fixture: Fixture) {
    let (ann, bob) = (fixture.local("ann", None).await, fixture.local("bob", None).await);
    for number in 0..5 {
        let token = fixture.external(&format!("subject {number}"), "");
        fixture.link(&ann, &token).await.unwrap();
    }
    let page = |cursor| PageRequest { limit: 2, cursor };
    let (mut met, mut cursor) = (Vec::new(), None);
    loop {
        let read = fixture.external_identities.list(&ann, page(cursor)).await.unwrap();
        met.extend(read.data.into_iter().map(|identity| identity.subject));
        cursor = read.next_cursor;
        if cursor.is_none() {
            break;
        }
        assert!(
            fixture
                .external_identities
                .list(&bob, page(cursor.clone()))
                .await
                .is_err()
        );
    }
    assert_eq!(met, ["subject 0", "subject 1", "subject 2", "subject 3", "subject 4"]);
    assert_eq!(fixture.identities(&bob).await, []);
}

pub async fn t_025_an_old_external_token_stays_refused_after_the_erasure(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        ..Settings::default()
    });
    let old = fixture.external_ann();
    let first = fixture.enters(&old).await.unwrap();
    fixture.advance(60);
    fixture
        .erase_subject(first.owner_id, SHARED_ISSUER, "subject of ann")
        .await;
    let of_that_second = fixture.external_ann();
    fixture.advance(1);
    for token in [&old, &of_that_second] {
        let refused = fixture.enters(token).await;
        assert!(matches!(refused, Err(AuthenticationError::Invalid)), "{refused:?}");
    }
    let later = fixture.enters(&fixture.external_ann()).await.unwrap();
    assert_ne!(later.owner_id, first.owner_id);
    // Whether it is remembered or read, the new account is not open to the old token.
    for seconds in [0, 60] {
        fixture.advance(seconds);
        let refused = fixture.enters(&old).await;
        assert!(matches!(refused, Err(AuthenticationError::Invalid)), "{refused:?}");
    }
}

/// Publishes keys on this machine and counts how often they were read.
struct Publisher {
    address: String,
    document: Arc<Mutex<Option<String>>>,
    reads: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

impl Publisher {
    async fn of(keys: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let (document, reads) = (Arc::new(Mutex::new(None::<String>)), Arc::new(AtomicUsize::new(0)));
        let (documents, counts) = (Arc::clone(&document), Arc::clone(&reads));
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counts.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                let document = documents.lock().unwrap().clone();
                let answer = match document {
                    Some(text) => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()),
                    None => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let publisher = Self {
            address,
            document,
            reads,
            server,
        };
        publisher.publish(keys);
        publisher
    }

    fn publish(&self, keys: &[String]) {
        *self.document.lock().unwrap() = Some(format!(r#"{{"keys":[{}]}}"#, keys.join(",")));
    }

    fn shut(&self) {
        *self.document.lock().unwrap() = None;
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fixture {
    fn trusting_keys_of(&self, publisher: &Publisher) -> Self {
        self.with(Settings {
            jwks_url: Some(publisher.address.clone()),
            ..Settings::default()
        })
    }

    /// A token of the publishing issuer, signed with the key of this number under the name `kid`.
    fn published(&self, kid: &str, number: u8) -> String {
        let claims = self.claims(PUBLISHING_ISSUER, UUID, "");
        let header = format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#);
        self.application()
            .external_token(&header, &claims, &Signature::Key(number))
    }
}

pub async fn t_022_keys_rotate_and_outlive_their_address(fixture: Fixture) {
    let key = |kid: &str, number| fixture.application().published_key(kid, number);
    let publisher = Publisher::of(&[key("old", 1)]).await;
    let fixture = fixture.trusting_keys_of(&publisher);
    fixture.enters(&fixture.published("old", 1)).await.unwrap();
    assert_eq!(publisher.reads(), 1);
    publisher.publish(&[key("new", 2), key("old", 1)]);
    fixture.advance(1);
    fixture.enters(&fixture.published("new", 2)).await.unwrap();
    assert_eq!(publisher.reads(), 2);
    fixture.advance(60);
    let refused = at_once(100, async |number| {
        let token = fixture.published(&format!("random-{number}"), 3);
        matches!(fixture.enters(&token).await, Err(AuthenticationError::Invalid))
    })
    .await;
    assert!(refused.into_iter().all(|is_refused| is_refused));
    assert_eq!(publisher.reads(), 3);
    publisher.shut();
    for seconds in [0, 600, 23 * 3_600] {
        fixture.advance(seconds);
        fixture.enters(&fixture.published("old", 1)).await.unwrap();
        fixture.enters(&fixture.published("new", 2)).await.unwrap();
    }
}

pub async fn id_52_without_keys_the_issuer_is_unavailable_and_local_logins_go_on(fixture: Fixture) {
    let publisher = Publisher::of(&[]).await;
    publisher.shut();
    let fixture = fixture.trusting_keys_of(&publisher);
    let refused = fixture.enters(&fixture.published("old", 1)).await;
    assert!(
        matches!(refused, Err(AuthenticationError::IssuerUnavailable)),
        "{refused:?}"
    );
    let ann = fixture.local("ann", None).await;
    fixture.enters(&fixture.external_ann()).await.unwrap();
    let link = fixture.link(&ann, &fixture.published("old", 1)).await;
    assert!(matches!(link, Err(LinkError::IssuerUnavailable)), "{link:?}");
    assert_eq!(publisher.reads(), 1, "a down address is not asked by every request");
}

pub async fn t_023_a_token_brings_neither_its_key_nor_its_algorithm(fixture: Fixture) {
    let published = fixture.application().published_key("a", 1);
    let publisher = Publisher::of(std::slice::from_ref(&published)).await;
    let fixture = fixture.trusting_keys_of(&publisher);
    fixture.enters(&fixture.published("a", 1)).await.unwrap();
    let claims = fixture.claims(PUBLISHING_ISSUER, UUID, "");
    let attackers = fixture.application().published_key("a", 9);
    for (header, signature) in [
        (r#"{"alg":"HS256","kid":"a"}"#.to_owned(), Signature::Secret(published)),
        (
            format!(r#"{{"alg":"ES256","kid":"a","jwk":{attackers}}}"#),
            Signature::Key(9),
        ),
        (r#"{"alg":"none","kid":"a"}"#.to_owned(), Signature::None),
        (r#"{"alg":"ES256","kid":"a"}"#.to_owned(), Signature::None),
    ] {
        let token = fixture.application().external_token(&header, &claims, &signature);
        let refused = fixture.enters(&token).await;
        assert!(
            matches!(refused, Err(AuthenticationError::Invalid)),
            "{header}: {refused:?}"
        );
    }
}
