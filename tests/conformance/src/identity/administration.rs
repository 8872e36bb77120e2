//! What administrators and the command line do with accounts and invitations.

use std::sync::Arc;
use std::time::Duration;

use larder_domain::identity::{Invitation, InvitationDraft, Role, User, UserPatch};
use larder_domain::{InvitationId, OwnerId, Patch};
use larder_ports::inbound::identity::{
    ChangeUser, ChangeUserError, CreateInvitationError, LogIn, LogInError, NewInvitation, SetPasswordError, SignUp,
    SignUpError,
};
use larder_ports::inbound::{Done, ListError, NotFoundError, Once, PageRequest};
use larder_ports::outbound::identity::UserFilter;
use larder_ports::outbound::{RequestKey, StoredAnswer};
use secrecy::ExposeSecret;

use crate::make::{device, log_in, sign_up};
use crate::schedule::at_once;
use crate::{Fixture, Settings, SignUpMode};

fn roles(roles: &[Role]) -> UserPatch {
    UserPatch {
        roles: Patch::Set(roles.to_vec()),
        ..UserPatch::default()
    }
}

fn disabled(disabled: bool) -> UserPatch {
    UserPatch {
        disabled: Patch::Set(disabled),
        ..UserPatch::default()
    }
}

impl Fixture {
    async fn administer(&self, id: OwnerId, patch: UserPatch) -> Result<User, ChangeUserError> {
        let change = ChangeUser {
            id,
            patch,
            if_match: None,
        };
        self.users.change(change).await
    }

    async fn names_listed(&self, filter: UserFilter) -> Vec<String> {
        let admin = self.owner();
        let mut names = Vec::new();
        let mut page = PageRequest { limit: 2, cursor: None };
        loop {
            let listed = self.users.list(admin, filter, page).await.unwrap();
            names.extend(listed.data.into_iter().map(|user| user.username));
            let Some(cursor) = listed.next_cursor else { return names };
            page = PageRequest {
                limit: 2,
                cursor: Some(cursor),
            };
        }
    }

    async fn make_invitation(&self, draft: InvitationDraft) -> NewInvitation {
        match self.invitations.create(self.owner(), draft, None).await.unwrap() {
            Done::Now(made) => made,
            Done::Before(answer) => panic!("{answer:?}"),
        }
    }
}

fn invited(username: &str, made: &NewInvitation) -> SignUp {
    SignUp {
        invitation: Some(made.text.expose_secret().into()),
        ..sign_up(username)
    }
}

pub async fn id_42_accounts_are_listed_by_role_and_state(fixture: Fixture) {
    for (index, name) in ["ann", "bob", "carl", "dora", "emil"].into_iter().enumerate() {
        if index != 2 {
            fixture.advance(1);
        }
        let id = fixture.newcomer(name).await;
        let user = fixture.user(id).await.unwrap();
        let now = fixture.now();
        fixture
            .change_user(&user, |user| {
                user.roles = match name {
                    "ann" => vec![Role::Admin],
                    "bob" => vec![Role::Admin, Role::Worker],
                    "dora" => vec![Role::Worker],
                    _ => vec![],
                };
                user.disabled_at = ["bob", "carl"].contains(&name).then_some(now);
            })
            .await;
    }
    let by = |role, disabled| UserFilter { role, disabled };
    assert_eq!(
        fixture.names_listed(by(None, None)).await,
        ["ann", "bob", "carl", "dora", "emil"]
    );
    assert_eq!(fixture.names_listed(by(Some(Role::Admin), None)).await, ["ann", "bob"]);
    assert_eq!(
        fixture.names_listed(by(Some(Role::Worker), Some(false))).await,
        ["dora"]
    );
    assert_eq!(fixture.names_listed(by(None, Some(true))).await, ["bob", "carl"]);
    assert_eq!(
        fixture.names_listed(by(None, Some(false))).await,
        ["ann", "dora", "emil"]
    );
}

pub async fn id_42_a_cursor_belongs_to_its_filter(fixture: Fixture) {
    let admin = fixture.newcomer("ann").await;
    fixture.newcomer("bob").await;
    let first = PageRequest { limit: 1, cursor: None };
    let page = fixture.users.list(admin, UserFilter::default(), first).await.unwrap();
    let next = PageRequest {
        limit: 1,
        cursor: page.next_cursor,
    };
    let enabled = UserFilter {
        disabled: Some(false),
        ..UserFilter::default()
    };
    let refused = fixture.users.list(admin, enabled, next.clone()).await;
    assert!(matches!(refused, Err(ListError::BadCursor(_))), "{refused:?}");
    let foreign = fixture.users.list(fixture.owner(), UserFilter::default(), next).await;
    assert!(matches!(foreign, Err(ListError::BadCursor(_))), "{foreign:?}");
}

pub async fn id_42_roles_count_at_once(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        ..Settings::default()
    });
    fixture.newcomer("admin").await;
    let ann = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let token = ann.tokens.access_token.expose_secret();
    let seen = async || fixture.authentication.authenticate(token).await.unwrap().roles;
    assert_eq!(seen().await, []);
    let changed = fixture
        .administer(ann.user.id, roles(&[Role::Worker, Role::Admin]))
        .await
        .unwrap();
    assert_eq!(
        (changed.roles.as_slice(), changed.version),
        (&[Role::Admin, Role::Worker][..], 2)
    );
    assert_eq!(fixture.user(ann.user.id).await, Some(changed));
    assert_eq!(seen().await, [Role::Admin, Role::Worker]);
}

pub async fn id_42_a_change_needs_the_version_that_was_read(fixture: Fixture) {
    fixture.newcomer("admin").await;
    let ann = fixture.newcomer("ann").await;
    let change = |if_match| ChangeUser {
        id: ann,
        patch: roles(&[Role::Worker]),
        if_match,
    };
    let stale = fixture.users.change(change(Some(7))).await;
    assert!(matches!(stale, Err(ChangeUserError::Stale)), "{stale:?}");
    assert_eq!(fixture.users.change(change(Some(1))).await.unwrap().version, 2);
    assert_eq!(
        fixture.users.change(change(Some(2))).await.unwrap().version,
        2,
        "nothing changed"
    );
    let unknown = fixture.administer(fixture.owner(), roles(&[])).await;
    assert!(matches!(unknown, Err(ChangeUserError::NotFound)), "{unknown:?}");
    let unknown = fixture.users.get(fixture.owner()).await;
    assert!(matches!(unknown, Err(NotFoundError::NotFound)), "{unknown:?}");
}

pub async fn id_42_an_email_is_marked_verified(fixture: Fixture) {
    let request = SignUp {
        email: Some("ann@example.com".into()),
        ..sign_up("ann")
    };
    let ann = fixture.accounts.sign_up(request, device()).await.unwrap().user.id;
    let bob = fixture.newcomer("bob").await;
    let verified = || UserPatch {
        email_verified: Patch::Set(true),
        ..UserPatch::default()
    };
    let changed = fixture.administer(ann, verified()).await.unwrap();
    assert_eq!(changed.email_verified_at, Some(fixture.now()));
    let refused = fixture.administer(bob, verified()).await;
    assert!(matches!(refused, Err(ChangeUserError::Invalid(_))), "{refused:?}");
}

pub async fn t_027_disabling_ends_logins_and_enabling_brings_none_back(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        ..Settings::default()
    });
    fixture.newcomer("admin").await;
    let ann = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let id = ann.user.id;
    let api = fixture.reading_token(id).await;
    let tokens = [ann.tokens.access_token.expose_secret(), api.text.expose_secret()];
    for token in tokens {
        assert!(fixture.admits(token).await);
    }
    fixture.administer(id, disabled(true)).await.unwrap();
    for token in tokens {
        assert!(!fixture.admits(token).await);
    }
    assert!(fixture.logins.refresh(&ann.tokens.refresh_token).await.is_err());
    let refused = fixture.accounts.log_in(log_in("ann"), device()).await;
    assert!(matches!(refused, Err(LogInError::InvalidCredentials)), "{refused:?}");
    fixture.administer(id, disabled(false)).await.unwrap();
    assert!(!fixture.admits(tokens[0]).await, "the old login stays dead");
    assert!(fixture.logins.refresh(&ann.tokens.refresh_token).await.is_err());
    assert!(fixture.admits(tokens[1]).await, "the API token works");
    fixture.accounts.log_in(log_in("ann"), device()).await.unwrap();
}

pub async fn id_42_no_login_survives_a_disabling_at_the_same_time(fixture: Fixture) {
    fixture.newcomer("admin").await;
    let ann = fixture.newcomer("ann").await;
    let (logged_in, changed) = tokio::join!(
        fixture.accounts.log_in(log_in("ann"), device()),
        fixture.administer(ann, disabled(true)),
    );
    changed.unwrap();
    match logged_in {
        Ok(signed_in) => assert!(!fixture.admits(signed_in.tokens.access_token.expose_secret()).await),
        Err(LogInError::InvalidCredentials) => {}
        Err(error) => panic!("{error:?}"),
    }
}

pub async fn id_43_the_last_administrator_stays(fixture: Fixture) {
    let ann = fixture.newcomer("ann").await;
    let bob = fixture.newcomer("bob").await;
    for patch in [roles(&[]), roles(&[Role::Worker]), disabled(true)] {
        let refused = fixture.administer(ann, patch).await;
        assert!(matches!(refused, Err(ChangeUserError::LastAdmin)), "{refused:?}");
    }
    assert!(fixture.user(ann).await.unwrap().is_enabled_admin());
    fixture
        .administer(ann, roles(&[Role::Admin, Role::Worker]))
        .await
        .unwrap();
    fixture.administer(bob, roles(&[Role::Admin])).await.unwrap();
    fixture.administer(bob, disabled(true)).await.unwrap();
    let refused = fixture.administer(ann, disabled(true)).await;
    assert!(
        matches!(refused, Err(ChangeUserError::LastAdmin)),
        "a disabled one does not count: {refused:?}"
    );
    fixture.administer(bob, disabled(false)).await.unwrap();
    fixture.administer(ann, disabled(true)).await.unwrap();
}

pub async fn t_018_of_two_administrators_who_demote_each_other_one_stays(fixture: Fixture) {
    let people = [fixture.newcomer("ann").await, fixture.newcomer("bob").await];
    fixture.administer(people[1], roles(&[Role::Admin])).await.unwrap();
    let answers = at_once(2, async |number| {
        fixture.administer(people[1 - number], roles(&[])).await
    })
    .await;
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(done, 1, "{answers:?}");
    assert!(
        answers
            .iter()
            .any(|answer| matches!(answer, Err(ChangeUserError::LastAdmin)))
    );
    let admins = UserFilter {
        role: Some(Role::Admin),
        ..UserFilter::default()
    };
    assert_eq!(fixture.names_listed(admins).await.len(), 1);
}

pub async fn id_43_of_many_administrators_who_go_at_once_one_stays(fixture: Fixture) {
    let mut people = Vec::new();
    for number in 0..6 {
        let id = fixture.newcomer(&format!("user{number}")).await;
        fixture.administer(id, roles(&[Role::Admin])).await.unwrap();
        people.push(id);
    }
    let answers = at_once(6, async |number| {
        let patch = if number % 2 == 0 { roles(&[]) } else { disabled(true) };
        fixture.administer(people[number], patch).await
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5, "{answers:?}");
    assert!(
        answers
            .iter()
            .any(|answer| matches!(answer, Err(ChangeUserError::LastAdmin)))
    );
}

pub async fn id_02_the_command_line_sets_a_password(fixture: Fixture) {
    let ann = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let fresh = "another good password";
    fixture.users.set_password(" ANN", &fresh.into()).await.unwrap();
    assert!(!fixture.admits(ann.tokens.access_token.expose_secret()).await);
    let old = fixture.accounts.log_in(log_in("ann"), device()).await;
    assert!(matches!(old, Err(LogInError::InvalidCredentials)), "{old:?}");
    let new = LogIn {
        login: "ann".into(),
        password: fresh.into(),
    };
    fixture.accounts.log_in(new, device()).await.unwrap();
    let short = fixture.users.set_password("ann", &"short".into()).await;
    assert!(matches!(short, Err(SetPasswordError::Invalid(_))), "{short:?}");
    for unknown in ["nobody", "nobody@example.com", "a\0b"] {
        let refused = fixture.users.set_password(unknown, &fresh.into()).await;
        assert!(matches!(refused, Err(SetPasswordError::NotFound)), "{refused:?}");
    }
}

pub async fn id_03_the_command_line_promotes(fixture: Fixture) {
    fixture.newcomer("first").await;
    let ann = fixture.newcomer("ann").await;
    let promoted = fixture.users.promote("Ann").await.unwrap();
    assert_eq!((promoted.id, promoted.roles.as_slice()), (ann, &[Role::Admin][..]));
    assert_eq!(
        fixture.users.promote("ann").await.unwrap(),
        promoted,
        "twice is no change"
    );
    let unknown = fixture.users.promote("nobody").await;
    assert!(matches!(unknown, Err(NotFoundError::NotFound)), "{unknown:?}");
}

pub async fn t_003_of_two_uses_of_an_invitation_at_once_one_is_admitted(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        sign_up: SignUpMode::Invite,
        ..Settings::default()
    });
    fixture.newcomer("first").await;
    let made = fixture.make_invitation(InvitationDraft::default()).await;
    assert!(made.text.expose_secret().starts_with("lri_"));
    let answers = at_once(2, async |number| {
        let request = invited(&format!("user{number}"), &made);
        fixture.accounts.sign_up(request, device()).await
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(
        answers
            .iter()
            .any(|answer| matches!(answer, Err(SignUpError::InvitationInvalid)))
    );
    let without = fixture.accounts.sign_up(sign_up("other"), device()).await;
    assert!(matches!(without, Err(SignUpError::InvitationInvalid)), "{without:?}");
    let closed = fixture.with(Settings {
        sign_up: SignUpMode::Closed,
        ..Settings::default()
    });
    let refused = closed.accounts.sign_up(sign_up("other"), device()).await;
    assert!(matches!(refused, Err(SignUpError::Closed)), "{refused:?}");
}

pub async fn id_04_an_invitation_is_listed_and_revoked(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        sign_up: SignUpMode::Invite,
        ..Settings::default()
    });
    let admin = fixture.newcomer("first").await;
    let mut made = Vec::new();
    for number in 0..3 {
        let draft = InvitationDraft {
            email: Some(format!("User{number}@example.com")),
            roles: vec![Role::Worker],
            expires_at: None,
        };
        made.push(fixture.make_invitation(draft).await);
        fixture.advance(u64::from(number > 0));
    }
    made.reverse();
    let first = PageRequest { limit: 2, cursor: None };
    let page = fixture.invitations.list(admin, first).await.unwrap();
    let expected: Vec<&Invitation> = made.iter().map(|new| &new.invitation).collect();
    assert_eq!(page.data.iter().collect::<Vec<_>>(), expected[..2]);
    let rest = PageRequest {
        limit: 2,
        cursor: page.next_cursor,
    };
    assert_eq!(
        fixture.invitations.list(admin, rest).await.unwrap().data,
        [expected[2].clone()]
    );

    let (revoked, used) = (&made[0], &made[1]);
    for _ in 0..2 {
        fixture.invitations.revoke(revoked.invitation.id).await.unwrap();
    }
    let refused = fixture.accounts.sign_up(invited("user2", revoked), device()).await;
    assert!(matches!(refused, Err(SignUpError::InvitationInvalid)), "{refused:?}");
    let request = SignUp {
        email: Some("user1@example.com".into()),
        ..invited("user1", used)
    };
    let user = fixture.accounts.sign_up(request, device()).await.unwrap().user;
    assert_eq!(user.roles, [Role::Worker]);
    fixture.invitations.revoke(used.invitation.id).await.unwrap();
    let mut view = fixture.identity_view().await;
    let kept = view.invitations().find(used.invitation.id).await.unwrap().unwrap();
    assert_eq!((kept.used.map(|(_, by)| by), kept.revoked_at), (Some(user.id), None));
    let unknown = fixture.invitations.revoke(InvitationId(fixture.id())).await;
    assert!(matches!(unknown, Err(NotFoundError::NotFound)), "{unknown:?}");
}

pub async fn id_04_a_bad_invitation_is_refused(fixture: Fixture) {
    for draft in [
        InvitationDraft {
            email: Some("nobody".into()),
            ..InvitationDraft::default()
        },
        InvitationDraft {
            expires_at: Some(fixture.now()),
            ..InvitationDraft::default()
        },
    ] {
        let refused = fixture.invitations.create(fixture.owner(), draft, None).await;
        assert!(matches!(refused, Err(CreateInvitationError::Invalid(_))), "{refused:?}");
    }
}

pub async fn id_04_a_repeated_request_makes_one_invitation(fixture: Fixture) {
    let admin = fixture.newcomer("first").await;
    let once = || Once {
        request: RequestKey {
            key: "key".into(),
            fingerprint: [1; 32],
        },
        answer: Arc::new(|invitation: &Invitation| StoredAnswer {
            status: 201,
            location: None,
            etag: None,
            body: format!("\"{}\"", invitation.id),
        }),
    };
    for is_first in [true, false] {
        let answer = fixture
            .invitations
            .create(admin, InvitationDraft::default(), Some(once()))
            .await
            .unwrap();
        assert_eq!(matches!(answer, Done::Now(_)), is_first);
    }
    let listed = fixture.invitations.list(admin, PageRequest::first()).await.unwrap();
    assert_eq!(listed.data.len(), 1);
}
