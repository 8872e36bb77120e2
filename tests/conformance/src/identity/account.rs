//! Signing up and signing in.

use std::time::Duration;

use larder_domain::identity::{AccountPatch, Invitation, LoginMethod, Principal, PrincipalKind, Role, User};
use larder_domain::{Code, Patch};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::identity::{
    ChangeAccount, ChangeAccountError, ChangePassword, ChangePasswordError, ClientInfo, LogIn, LogInError, SignUp,
    SignUpError, SignedIn, Throttled, Tokens,
};
use secrecy::ExposeSecret;

use crate::make::{PASSWORD, device, log_in, sign_up};
use crate::schedule::at_once;
use crate::{Fixture, Settings, SignUpMode};

impl Fixture {
    fn in_mode(&self, sign_up: SignUpMode) -> Self {
        self.with(Settings {
            sign_up,
            ..Settings::default()
        })
    }

    async fn principal(&self, signed_in: &SignedIn) -> Principal {
        let token = signed_in.tokens.access_token.expose_secret();
        self.authentication.authenticate(token).await.unwrap()
    }

    async fn can_log_in(&self, login: &str) -> bool {
        match self.accounts.log_in(log_in(login), device()).await {
            Ok(_) => true,
            Err(LogInError::InvalidCredentials) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// A sign-up with a fresh invitation, changed as `shape` says.
    async fn invited(&self, username: &str, shape: impl FnOnce(&mut Invitation)) -> SignUp {
        SignUp {
            invitation: Some(self.invite(shape).await.text().into()),
            ..sign_up(username)
        }
    }

    async fn is_uninvited(&self, request: SignUp) -> bool {
        let answer = self.accounts.sign_up(request, device()).await;
        matches!(answer, Err(SignUpError::InvitationInvalid))
    }
}

pub async fn id_01_t_002_a_login_name_in_any_spelling_signs_in(fixture: Fixture) {
    let request = SignUp {
        email: Some(" Ann@Example.com ".into()),
        ..sign_up("Jürgen.S")
    };
    let made = fixture.accounts.sign_up(request, device()).await.unwrap().user;
    assert_eq!(
        (made.username.as_str(), made.email.as_deref()),
        ("Jürgen.S", Some("Ann@Example.com"))
    );
    for typed in [
        "Jürgen.S",
        "JÜRGEN.s",
        "Ju\u{308}rgen.S",
        " jürgen.s",
        "ann@example.com",
        "ANN@EXAMPLE.COM ",
    ] {
        assert_eq!(
            fixture.accounts.log_in(log_in(typed), device()).await.unwrap().user.id,
            made.id,
            "{typed}"
        );
    }
    for (username, email, is_username) in [
        ("jÜRGEN.s", "other@example.com", true),
        ("other", " aNN@example.com", false),
    ] {
        let request = SignUp {
            email: Some(email.into()),
            ..sign_up(username)
        };
        let refused = fixture.accounts.sign_up(request, device()).await.unwrap_err();
        assert!(
            match refused {
                SignUpError::UsernameTaken => is_username,
                SignUpError::EmailTaken => !is_username,
                _ => false,
            },
            "{refused:?}"
        );
    }
    assert!(!fixture.can_log_in("other").await);
}

pub async fn id_01_many_sign_ups_under_one_name_give_one_account(fixture: Fixture) {
    let answers = at_once(8, async |number| {
        let username = if number % 2 == 0 { "ann" } else { "ANN" };
        fixture.accounts.sign_up(sign_up(username), device()).await
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter()
            .all(|answer| matches!(answer, Err(SignUpError::UsernameTaken))),
        "{lost:?}"
    );
}

pub async fn id_02_open_admits_everybody(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Open);
    for username in ["ann", "bob"] {
        let signed_in = fixture.accounts.sign_up(sign_up(username), device()).await.unwrap();
        assert_eq!(fixture.principal(&signed_in).await.owner_id, signed_in.user.id);
        assert!(fixture.can_log_in(username).await);
    }
}

pub async fn id_02_invite_admits_the_first_and_then_the_invited(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Invite);
    fixture.accounts.sign_up(sign_up("first"), device()).await.unwrap();
    assert!(fixture.is_uninvited(sign_up("second")).await);
    let invited = fixture.invited("second", |_| ()).await;
    fixture.accounts.sign_up(invited, device()).await.unwrap();
    assert!(fixture.can_log_in("second").await);
}

pub async fn id_02_nobody_uninvited_learns_which_accounts_exist(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Invite);
    fixture.accounts.sign_up(sign_up("first"), device()).await.unwrap();
    let garbage = |username: &str, text: &str| SignUp {
        invitation: Some(text.into()),
        ..sign_up(username)
    };
    for username in ["first", "nobody"] {
        assert!(fixture.is_uninvited(sign_up(username)).await);
        for text in ["", "lri_", "lri_AAAA", "\0", &format!("lri_{}", "A".repeat(64))] {
            assert!(fixture.is_uninvited(garbage(username, text)).await, "{text}");
        }
    }
}

pub async fn id_02_closed_admits_nobody_but_the_command_line(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Closed);
    let invited = fixture.invited("ann", |_| ()).await;
    for request in [sign_up("ann"), invited] {
        let refused = fixture.accounts.sign_up(request, device()).await;
        assert!(matches!(refused, Err(SignUpError::Closed)), "{refused:?}");
    }
    assert!(!fixture.can_log_in("ann").await);
    let made = fixture.accounts.create(sign_up("ann")).await.unwrap();
    assert_eq!(made.roles, [Role::Admin]);
    assert!(fixture.can_log_in("ann").await);
}

pub async fn id_02_the_command_line_makes_accounts_in_every_mode(fixture: Fixture) {
    for (mode, username) in [
        (SignUpMode::Open, "ann"),
        (SignUpMode::Invite, "bob"),
        (SignUpMode::Closed, "carl"),
    ] {
        let fixture = fixture.in_mode(mode);
        let made = fixture.accounts.create(sign_up(username)).await.unwrap();
        assert_eq!(
            made.roles.as_slice(),
            if mode == SignUpMode::Open {
                &[Role::Admin][..]
            } else {
                &[]
            }
        );
        assert!(fixture.can_log_in(username).await);
        let again = fixture.accounts.create(sign_up(username)).await;
        assert!(matches!(again, Err(SignUpError::UsernameTaken)), "{again:?}");
    }
}

pub async fn id_03_t_001_of_20_first_sign_ups_one_is_admin(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Open);
    let roles = at_once(20, async |number| {
        let signed_in = fixture
            .accounts
            .sign_up(sign_up(&format!("user{number}")), device())
            .await
            .unwrap();
        let stored = fixture.user(signed_in.user.id).await.unwrap();
        assert_eq!(stored.roles, signed_in.user.roles);
        stored.roles
    })
    .await;
    let admins = roles.iter().filter(|roles| roles.contains(&Role::Admin)).count();
    assert_eq!((roles.len(), admins), (20, 1));
}

pub async fn id_03_of_many_first_sign_ups_in_invite_mode_one_is_admitted(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Invite);
    let answers = at_once(8, async |number| {
        fixture
            .accounts
            .sign_up(sign_up(&format!("user{number}")), device())
            .await
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter()
            .all(|answer| matches!(answer, Err(SignUpError::InvitationInvalid))),
        "{lost:?}"
    );
}

pub async fn id_03_a_first_sign_up_that_is_refused_claims_nothing(fixture: Fixture) {
    let short = SignUp {
        password: "short".into(),
        ..sign_up("ann")
    };
    fixture.accounts.sign_up(short, device()).await.unwrap_err();
    assert!(!fixture.identity_view().await.users().any_ever().await.unwrap());
    let first = fixture.accounts.sign_up(sign_up("bob"), device()).await.unwrap();
    assert_eq!(first.user.roles, [Role::Admin]);
}

pub async fn id_04_an_invitation_gives_its_roles_once(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Invite);
    fixture.accounts.sign_up(sign_up("first"), device()).await.unwrap();
    let invited = fixture
        .invited("second", |invitation| invitation.roles = vec![Role::Worker])
        .await;
    let second = fixture.accounts.sign_up(invited.clone(), device()).await.unwrap().user;
    assert_eq!(fixture.user(second.id).await.unwrap().roles, [Role::Worker]);
    let again = SignUp {
        username: "third".into(),
        ..invited
    };
    assert!(fixture.is_uninvited(again).await);
}

pub async fn id_04_t_003_of_two_uses_at_once_one_is_admitted(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Invite);
    fixture.accounts.sign_up(sign_up("first"), device()).await.unwrap();
    for round in 0..5 {
        let invitation = fixture.invite(|_| ()).await.text();
        let names = [format!("one{round}"), format!("other{round}")];
        let answers = at_once(2, async |number| {
            let request = SignUp {
                invitation: Some(invitation.clone().into()),
                ..sign_up(&names[number])
            };
            fixture.accounts.sign_up(request, device()).await
        })
        .await;
        let admitted: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(admitted.iter().filter(|is_in| **is_in).count(), 1, "{answers:?}");
        for ((answer, name), is_in) in answers.into_iter().zip(&names).zip(admitted) {
            assert!(
                is_in || matches!(answer, Err(SignUpError::InvitationInvalid)),
                "{answer:?}"
            );
            assert_eq!(fixture.can_log_in(name).await, is_in);
        }
    }
}

pub async fn id_04_an_invitation_may_be_bound_to_an_address(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Invite);
    fixture.accounts.sign_up(sign_up("first"), device()).await.unwrap();
    let invited = fixture
        .invited("ann", |invitation| {
            invitation.email_norm = Some("ann@example.com".into())
        })
        .await;
    for email in [None, Some("bob@example.com".to_owned())] {
        let request = SignUp {
            email,
            ..invited.clone()
        };
        assert!(fixture.is_uninvited(request).await);
    }
    let request = SignUp {
        email: Some(" ANN@example.com".into()),
        ..invited
    };
    fixture.accounts.sign_up(request, device()).await.unwrap();
}

pub async fn id_04_an_invitation_that_expired_or_was_revoked_admits_nobody(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Invite);
    fixture.accounts.sign_up(sign_up("first"), device()).await.unwrap();
    let now = fixture.now();
    let revoked = fixture
        .invited("ann", |invitation| invitation.revoked_at = Some(now))
        .await;
    assert!(fixture.is_uninvited(revoked).await);
    let week = fixture.invited("bob", |_| ()).await;
    let also = fixture.invited("carl", |_| ()).await;
    fixture.advance(7 * 24 * 3_600 - 1);
    fixture.accounts.sign_up(week, device()).await.unwrap();
    fixture.advance(1);
    assert!(fixture.is_uninvited(also).await);
}

pub async fn id_04_another_secret_does_not_open_an_invitation(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Invite);
    fixture.accounts.sign_up(sign_up("first"), device()).await.unwrap();
    let mut token = fixture.invite(|_| ()).await;
    token.secret[31] ^= 1;
    let forged = SignUp {
        invitation: Some(token.text().into()),
        ..sign_up("ann")
    };
    assert!(fixture.is_uninvited(forged).await);
    token.secret[31] ^= 1;
    let genuine = SignUp {
        invitation: Some(token.text().into()),
        ..sign_up("ann")
    };
    fixture.accounts.sign_up(genuine, device()).await.unwrap();
}

pub async fn id_04_a_refused_name_leaves_the_invitation_unused(fixture: Fixture) {
    let fixture = fixture.in_mode(SignUpMode::Invite);
    fixture.accounts.sign_up(sign_up("first"), device()).await.unwrap();
    let invited = fixture.invited("FIRST", |_| ()).await;
    let refused = fixture.accounts.sign_up(invited.clone(), device()).await;
    assert!(matches!(refused, Err(SignUpError::UsernameTaken)), "{refused:?}");
    let request = SignUp {
        username: "second".into(),
        ..invited
    };
    fixture.accounts.sign_up(request, device()).await.unwrap();
}

pub async fn id_05_t_004_a_bad_password_makes_no_account(fixture: Fixture) {
    let long = "x".repeat(73);
    for (password, code) in [
        ("123456789", Code::PasswordTooShort),
        (long.as_str(), Code::PasswordTooLong),
        ("with\0a nul in it", Code::PasswordWeak),
        ("ANN.EXAMPLE", Code::PasswordWeak),
        ("ann@EXAMPLE.com", Code::PasswordWeak),
    ] {
        let request = SignUp {
            password: password.into(),
            email: Some("ann@example.com".into()),
            ..sign_up("Ann.Example")
        };
        let refused = fixture.accounts.sign_up(request, device()).await;
        let Err(SignUpError::Invalid(refused)) = refused else {
            panic!("{refused:?}")
        };
        let violation = &refused.violations()[0];
        assert_eq!((violation.pointer.as_str(), violation.code), ("/password", code));
    }
    assert!(!fixture.identity_view().await.users().any_ever().await.unwrap());
}

pub async fn id_05_a_password_counts_to_its_last_byte(fixture: Fixture) {
    let whole = "x".repeat(72);
    let request = SignUp {
        password: whole.as_str().into(),
        ..sign_up("ann")
    };
    fixture.accounts.sign_up(request, device()).await.unwrap();
    for (password, fits) in [
        (whole.clone(), true),
        ("x".repeat(71), false),
        (format!("{}y", "x".repeat(71)), false),
        ("X".repeat(72), false),
    ] {
        let request = LogIn {
            login: "ann".into(),
            password: password.into(),
        };
        assert_eq!(fixture.accounts.log_in(request, device()).await.is_ok(), fits);
    }
}

pub async fn id_10_t_005_there_is_one_answer_to_every_failed_login(fixture: Fixture) {
    fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let disabled = fixture
        .accounts
        .sign_up(sign_up("disabled"), device())
        .await
        .unwrap()
        .user;
    let bare = fixture.new_user("passwordless", None);
    fixture
        .store_user(&User {
            password_hash: None,
            password_changed_at: None,
            ..bare
        })
        .await
        .unwrap();
    let unreadable = fixture.new_user("unreadable", None);
    fixture
        .store_user(&User {
            password_hash: Some("no hash at all".into()),
            ..unreadable
        })
        .await
        .unwrap();
    fixture
        .change_user(&disabled, |user| user.disabled_at = Some(user.created_at))
        .await;

    for (login, password) in [
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("ann", "not the password"),
        ("ann", ""),
        ("ann", &format!("{PASSWORD}{}", "x".repeat(72))),
        ("ann", &format!("{PASSWORD}\0")),
        ("ann\0", PASSWORD),
        ("", PASSWORD),
        ("disabled", PASSWORD),
        ("passwordless", PASSWORD),
        ("unreadable", PASSWORD),
    ] {
        let request = LogIn {
            login: login.into(),
            password: password.into(),
        };
        let refused = fixture.accounts.log_in(request, device()).await;
        assert!(
            matches!(refused, Err(LogInError::InvalidCredentials)),
            "{login:?}: {refused:?}"
        );
    }
    assert!(fixture.can_log_in("ann").await);
}

pub async fn id_14_above_the_limit_the_login_used_longest_ago_ends(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        max_logins: 3,
        ..Settings::default()
    });
    let mut logins = vec![fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap()];
    for _ in 0..4 {
        fixture.advance(1);
        logins.push(fixture.accounts.log_in(log_in("ann"), device()).await.unwrap());
    }
    for (login, is_live) in logins.iter().zip([false, false, true, true, true]) {
        let token = login.tokens.access_token.expose_secret();
        assert_eq!(fixture.authentication.authenticate(token).await.is_ok(), is_live);
    }
}

pub async fn id_14_logins_at_once_stay_within_the_limit(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        max_logins: 3,
        ..Settings::default()
    });
    fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    // As many as may be under way at once under one name (`ID-12`).
    let logins = at_once(5, async |_| {
        fixture.accounts.log_in(log_in("ann"), device()).await.unwrap()
    })
    .await;
    let mut live = 0;
    for login in &logins {
        let token = login.tokens.access_token.expose_secret();
        live += usize::from(fixture.authentication.authenticate(token).await.is_ok());
    }
    assert_eq!(live, 3);
}

pub async fn id_14_a_login_sweeps_what_ended_more_than_seven_days_ago(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        login_ttl: Duration::from_secs(3_600),
        ..Settings::default()
    });
    let first = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let PrincipalKind::Login(id) = fixture.principal(&first).await.kind else {
        panic!("a login")
    };
    let is_there = async || {
        let mut view = fixture.identity_view().await;
        view.logins().find_with_user(first.user.id, id).await.unwrap().is_some()
    };
    fixture.advance(3_600 + 7 * 24 * 3_600 - 1);
    fixture.accounts.log_in(log_in("ann"), device()).await.unwrap();
    assert!(is_there().await);
    fixture.advance(2);
    fixture.accounts.log_in(log_in("ann"), device()).await.unwrap();
    assert!(!is_there().await);
}

pub async fn id_14_a_login_notes_the_device_and_the_time(fixture: Fixture) {
    fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let now = fixture.advance(60);
    let device = ClientInfo {
        user_agent: Some("ü".repeat(500)),
        ip_address: Some("2001:db8::1".into()),
    };
    let signed_in = fixture.accounts.log_in(log_in("ann"), device).await.unwrap();
    assert_eq!(signed_in.user.last_login_at, Some(now));
    let principal = fixture.principal(&signed_in).await;
    let PrincipalKind::Login(id) = principal.kind else {
        panic!("a login")
    };
    let mut view = fixture.identity_view().await;
    let (login, user) = view
        .logins()
        .find_with_user(principal.owner_id, id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(login.user_agent, Some("ü".repeat(400)));
    assert_eq!(login.ip_address.as_deref(), Some("2001:db8::1"));
    assert_eq!((login.created_at, login.last_used_at), (now, now));
    // What was answered is what is stored, and a login is no change of the account.
    assert_eq!(user, signed_in.user);
    assert_eq!(user.version, 1);
    drop(view);
    assert_eq!(fixture.accounts.account(&principal).await.unwrap(), user);
}

pub async fn co_12_a_login_of_an_old_client_counts_longer_and_ends_all_the_same(fixture: Fixture) {
    fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let signed_in = fixture.accounts.log_in_compat(log_in("ann"), device()).await.unwrap();
    assert_eq!(signed_in.tokens.expires_in, Duration::from_secs(86_400));
    let principal = fixture.principal(&signed_in).await;
    let page = fixture.logins.list(&principal, PageRequest::first()).await.unwrap();
    let own = page
        .data
        .iter()
        .find(|login| principal.kind == PrincipalKind::Login(login.id));
    assert_eq!(own.map(|login| login.method), Some(LoginMethod::Compat));
    // Longer than any other token.
    fixture.advance(86_000);
    fixture.principal(&signed_in).await;
    let refreshed = fixture.logins.refresh(&signed_in.tokens.refresh_token).await.unwrap();
    assert_eq!(refreshed.expires_in, Settings::default().access_ttl);
    fixture.logins.log_out(&principal, true).await.unwrap();
    let token = signed_in.tokens.access_token.expose_secret();
    assert!(fixture.authentication.authenticate(token).await.is_err());
    // The same answers and the same counter as for any login.
    let refused = fixture.accounts.log_in_compat(guess("ann"), device()).await;
    assert!(matches!(refused, Err(LogInError::InvalidCredentials)), "{refused:?}");
    fixture.guess_wrong("ann", 4).await;
    let refused = fixture.accounts.log_in_compat(log_in("ann"), device()).await;
    assert!(matches!(refused, Err(LogInError::Throttled(_))), "{refused:?}");
}

/// A login with a wrong password.
fn guess(login: &str) -> LogIn {
    LogIn {
        login: login.into(),
        password: "not the password".into(),
    }
}

impl Fixture {
    async fn log_in_with(&self, request: LogIn) -> Result<SignedIn, LogInError> {
        self.accounts.log_in(request, device()).await
    }

    /// Guesses that are refused for being wrong.
    async fn guess_wrong(&self, login: &str, count: usize) {
        for _ in 0..count {
            let refused = self.log_in_with(guess(login)).await;
            assert!(matches!(refused, Err(LogInError::InvalidCredentials)), "{refused:?}");
        }
    }

    /// Seconds until the next attempt.
    async fn wait_of(&self, request: LogIn) -> u64 {
        match self.log_in_with(request).await {
            Err(LogInError::Throttled(Throttled(wait))) => wait.as_secs(),
            other => panic!("{other:?}"),
        }
    }
}

pub async fn id_12_t_007_after_five_wrong_passwords_there_is_a_pause(fixture: Fixture) {
    fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    for login in ["ann", "nobody"] {
        fixture.guess_wrong(login, 5).await;
        // Whether the name is known or not, the right password included.
        assert_eq!(fixture.wait_of(log_in(login)).await, 1);
        assert_eq!(fixture.wait_of(guess(login)).await, 1);
    }
    fixture.advance(1);
    assert!(fixture.can_log_in("ann").await);
    assert!(!fixture.can_log_in("nobody").await);
    // The one is forgotten, the other goes on.
    fixture.guess_wrong("ann", 5).await;
    assert_eq!(fixture.wait_of(log_in("nobody")).await, 2);
}

pub async fn id_12_the_pause_doubles_up_to_15_minutes(fixture: Fixture) {
    fixture.guess_wrong("nobody", 5).await;
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        assert_eq!(fixture.wait_of(guess("nobody")).await, wait);
        fixture.advance(wait - 1);
        // What is refused is not counted, so the end does not move.
        assert_eq!(fixture.wait_of(guess("nobody")).await, 1);
        fixture.advance(1);
        fixture.guess_wrong("nobody", 1).await;
    }
    fixture.advance(24 * 3_600);
    fixture.guess_wrong("nobody", 5).await;
    assert_eq!(fixture.wait_of(guess("nobody")).await, 1);
}

pub async fn id_12_t_008_guesses_at_once_do_not_pass_the_counter(fixture: Fixture) {
    fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    for login in ["ann", "nobody"] {
        let answers = at_once(30, async |_| fixture.log_in_with(guess(login)).await).await;
        let wrong = |answer: &Result<_, _>| matches!(answer, Err(LogInError::InvalidCredentials));
        assert_eq!(answers.iter().filter(|answer| wrong(answer)).count(), 5);
        let throttled = |answer: &Result<_, _>| matches!(answer, Err(LogInError::Throttled(_)));
        assert_eq!(answers.iter().filter(|answer| throttled(answer)).count(), 25);
    }
}

pub async fn id_12_names_are_counted_each_on_its_own(fixture: Fixture) {
    let request = SignUp {
        email: Some("ann@example.com".into()),
        ..sign_up("ann")
    };
    let signed_in = fixture.accounts.sign_up(request, device()).await.unwrap();
    fixture.accounts.sign_up(sign_up("bob"), device()).await.unwrap();
    // Every spelling is the same name.
    for login in ["ann", "ANN", " Ann ", "ann", "aNN"] {
        fixture.guess_wrong(login, 1).await;
    }
    assert_eq!(fixture.wait_of(log_in("ann")).await, 1);
    assert!(fixture.can_log_in("bob").await);
    assert!(fixture.can_log_in("ann@example.com").await);
    // Success under one name leaves the other one alone, and who is signed in goes on.
    assert_eq!(fixture.wait_of(log_in("ann")).await, 1);
    fixture.principal(&signed_in).await;
    fixture.logins.refresh(&signed_in.tokens.refresh_token).await.unwrap();
}

pub async fn id_14_t_028_the_51st_login_ends_the_one_used_longest_ago(fixture: Fixture) {
    let first = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap().tokens;
    fixture.advance(1);
    let second = fixture.log_in_with(log_in("ann")).await.unwrap().tokens;
    for _ in 0..48 {
        fixture.advance(1);
        fixture.log_in_with(log_in("ann")).await.unwrap();
    }
    // The first one is used, so the second one is the oldest.
    fixture.advance(1);
    let first = fixture.logins.refresh(&first.refresh_token).await.unwrap();
    fixture.log_in_with(log_in("ann")).await.unwrap();
    assert!(fixture.token_counts(&first).await);
    assert!(!fixture.token_counts(&second).await);
}

const NEW: &str = "staple of another horse";

fn new_password(current: &str, new: &str) -> ChangePassword {
    ChangePassword {
        current: current.into(),
        new: new.into(),
        revoke_api_tokens: false,
    }
}

impl Fixture {
    async fn token_counts(&self, tokens: &Tokens) -> bool {
        let token = tokens.access_token.expose_secret();
        self.authentication.authenticate(token).await.is_ok()
    }

    async fn change_password(&self, caller: &Principal, change: ChangePassword) -> Result<Tokens, ChangePasswordError> {
        self.accounts.change_password(caller, change, device()).await
    }

    async fn change_account(
        &self,
        caller: &Principal,
        patch: AccountPatch,
        current_password: Option<&str>,
    ) -> Result<User, ChangeAccountError> {
        let change = ChangeAccount {
            patch,
            current_password: current_password.map(Into::into),
            if_match: None,
        };
        self.accounts.change(caller, change).await
    }
}

pub async fn id_40_t_017_a_new_password_ends_every_login_and_opens_one(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        ..Settings::default()
    });
    let one = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let other = fixture.log_in_with(log_in("ann")).await.unwrap();
    let stranger = fixture.accounts.sign_up(sign_up("bob"), device()).await.unwrap();
    let caller = fixture.principal(&one).await;
    fixture.principal(&other).await;
    let now = fixture.advance(5);
    let tokens = fixture
        .change_password(&caller, new_password(PASSWORD, NEW))
        .await
        .unwrap();
    for ended in [&one.tokens, &other.tokens] {
        assert!(!fixture.token_counts(ended).await);
        fixture.logins.refresh(&ended.refresh_token).await.unwrap_err();
    }
    assert!(fixture.token_counts(&tokens).await);
    assert!(fixture.token_counts(&stranger.tokens).await);
    fixture.logins.refresh(&tokens.refresh_token).await.unwrap();
    assert!(!fixture.can_log_in("ann").await);
    let request = LogIn {
        login: "ann".into(),
        password: NEW.into(),
    };
    fixture.log_in_with(request).await.unwrap();
    let user = fixture.user(caller.owner_id).await.unwrap();
    assert_eq!((user.password_changed_at, user.version), (Some(now), 2));
}

pub async fn id_40_a_new_password_needs_the_current_one_and_keeps_the_rules(fixture: Fixture) {
    let signed_in = fixture
        .accounts
        .sign_up(sign_up("ann-the-first"), device())
        .await
        .unwrap();
    let caller = fixture.principal(&signed_in).await;
    let long = "x".repeat(73);
    for (new, code) in [
        ("short", Code::PasswordTooShort),
        (long.as_str(), Code::PasswordTooLong),
        ("ANN-the-first", Code::PasswordWeak),
        (PASSWORD, Code::PasswordUnchanged),
    ] {
        let refused = fixture.change_password(&caller, new_password(PASSWORD, new)).await;
        let Err(ChangePasswordError::Invalid(refused)) = refused else {
            panic!("{refused:?}")
        };
        let violation = &refused.violations()[0];
        assert_eq!((violation.pointer.as_str(), violation.code), ("/new_password", code));
    }
    let refused = fixture.change_password(&caller, new_password(NEW, NEW)).await;
    assert!(
        matches!(refused, Err(ChangePasswordError::CurrentPasswordWrong)),
        "{refused:?}"
    );
    assert!(fixture.token_counts(&signed_in.tokens).await);
    assert!(fixture.can_log_in("ann-the-first").await);
}

pub async fn id_40_wrong_current_passwords_are_counted(fixture: Fixture) {
    let signed_in = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let caller = fixture.principal(&signed_in).await;
    let email = AccountPatch {
        email: Patch::Set("ann@example.com".into()),
        ..AccountPatch::default()
    };
    for _ in 0..3 {
        let refused = fixture
            .change_password(&caller, new_password("not the password", NEW))
            .await;
        assert!(matches!(refused, Err(ChangePasswordError::CurrentPasswordWrong)));
    }
    // Whatever the password is asked for.
    for _ in 0..2 {
        let refused = fixture
            .change_account(&caller, email.clone(), Some("not the password"))
            .await;
        assert!(matches!(refused, Err(ChangeAccountError::CurrentPasswordWrong)));
    }
    let refused = fixture.change_password(&caller, new_password(PASSWORD, NEW)).await;
    assert!(matches!(refused, Err(ChangePasswordError::Throttled(_))), "{refused:?}");
    let refused = fixture.change_account(&caller, email, Some(PASSWORD)).await;
    assert!(matches!(refused, Err(ChangeAccountError::Throttled(_))), "{refused:?}");
    // Counted under the id: logging in by name goes on.
    assert!(fixture.can_log_in("ann").await);
    fixture.advance(1);
    let again = fixture.change_password(&caller, new_password(PASSWORD, NEW)).await;
    again.unwrap();
}

pub async fn id_40_of_two_changes_at_once_one_wins(fixture: Fixture) {
    let signed_in = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let caller = fixture.principal(&signed_in).await;
    fixture.advance(1);
    let answers = at_once(2, async |number| {
        let new = format!("{NEW} {number}");
        fixture.change_password(&caller, new_password(PASSWORD, &new)).await
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        matches!(lost[0], Err(ChangePasswordError::CurrentPasswordWrong)),
        "{lost:?}"
    );
    assert!(fixture.token_counts(won[0].as_ref().unwrap()).await);
}

pub async fn id_40_no_login_with_the_old_password_slips_through(fixture: Fixture) {
    for round in 0..4 {
        let username = format!("ann{round}");
        let signed_in = fixture.accounts.sign_up(sign_up(&username), device()).await.unwrap();
        let caller = fixture.principal(&signed_in).await;
        fixture.advance(1);
        let (changed, logins) = tokio::join!(
            fixture.change_password(&caller, new_password(PASSWORD, NEW)),
            at_once(4, async |_| fixture.log_in_with(log_in(&username)).await),
        );
        let tokens = changed.unwrap();
        for login in logins.into_iter().flatten() {
            assert!(!fixture.token_counts(&login.tokens).await);
        }
        assert!(fixture.token_counts(&tokens).await);
    }
}

pub async fn id_41_t_028_another_email_needs_the_password(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        principal_cache_ttl: Duration::from_secs(30),
        ..Settings::default()
    });
    let request = SignUp {
        email: Some("ann@example.com".into()),
        ..sign_up("ann")
    };
    let signed_in = fixture.accounts.sign_up(request, device()).await.unwrap();
    let now = fixture.now();
    fixture
        .change_user(&signed_in.user, |user| user.email_verified_at = Some(now))
        .await;
    let caller = fixture.principal(&signed_in).await;
    let email = |text: &str| AccountPatch {
        email: Patch::Set(text.into()),
        ..AccountPatch::default()
    };
    for password in [None, Some("not the password")] {
        let refused = fixture
            .change_account(&caller, email("new@example.com"), password)
            .await;
        assert!(
            matches!(refused, Err(ChangeAccountError::CurrentPasswordWrong)),
            "{refused:?}"
        );
    }
    let now = fixture.advance(5);
    let changed = fixture
        .change_account(&caller, email(" New@example.com "), Some(PASSWORD))
        .await
        .unwrap();
    assert_eq!(changed.email.as_deref(), Some("New@example.com"));
    assert_eq!((changed.email_verified_at, changed.updated_at), (None, now));
    assert_eq!(fixture.user(caller.owner_id).await.unwrap(), changed);
    // Felt at once, also where the caller was remembered.
    let principal = fixture.principal(&signed_in).await;
    assert_eq!(principal.email.as_deref(), Some("New@example.com"));
    assert!(fixture.can_log_in("new@example.com").await);
    assert!(!fixture.can_log_in("ann@example.com").await);
}

pub async fn id_41_a_username_and_an_email_are_one_accounts(fixture: Fixture) {
    let request = SignUp {
        email: Some("bob@example.com".into()),
        ..sign_up("bob")
    };
    fixture.accounts.sign_up(request, device()).await.unwrap();
    let signed_in = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let caller = fixture.principal(&signed_in).await;
    let rename = |name: &str| AccountPatch {
        username: Patch::Set(name.into()),
        ..AccountPatch::default()
    };
    let refused = fixture.change_account(&caller, rename("BOB"), None).await;
    assert!(matches!(refused, Err(ChangeAccountError::UsernameTaken)), "{refused:?}");
    let email = AccountPatch {
        email: Patch::Set("BOB@example.com".into()),
        ..AccountPatch::default()
    };
    let refused = fixture.change_account(&caller, email, Some(PASSWORD)).await;
    assert!(matches!(refused, Err(ChangeAccountError::EmailTaken)), "{refused:?}");
    let refused = fixture.change_account(&caller, rename("a b"), None).await;
    assert!(matches!(refused, Err(ChangeAccountError::Invalid(_))), "{refused:?}");
    // A new name needs no password, and its new spelling is the same name.
    for name in ["anna", "Anna"] {
        assert_eq!(
            fixture
                .change_account(&caller, rename(name), None)
                .await
                .unwrap()
                .username,
            name
        );
    }
    assert!(fixture.can_log_in("anna").await && !fixture.can_log_in("ann").await);
}

pub async fn id_41_a_change_is_of_one_version_and_nothing_is_no_change(fixture: Fixture) {
    let signed_in = fixture.accounts.sign_up(sign_up("ann"), device()).await.unwrap();
    let caller = fixture.principal(&signed_in).await;
    fixture.advance(5);
    let same = AccountPatch {
        username: Patch::Set("ann".into()),
        email: Patch::Clear,
    };
    for patch in [AccountPatch::default(), same] {
        let user = fixture.change_account(&caller, patch, None).await.unwrap();
        assert_eq!(user, signed_in.user);
    }
    let answers = at_once(4, async |number| {
        let change = ChangeAccount {
            patch: AccountPatch {
                username: Patch::Set(format!("ann{number}")),
                ..AccountPatch::default()
            },
            current_password: None,
            if_match: Some(1),
        };
        fixture.accounts.change(&caller, change).await
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter()
            .all(|answer| matches!(answer, Err(ChangeAccountError::Stale))),
        "{lost:?}"
    );
    assert_eq!(fixture.user(caller.owner_id).await.unwrap(), *won[0].as_ref().unwrap());
}
