use unicode_normalization::UnicodeNormalization;

use crate::chat::words;
use crate::{Code, Instant, Invalid, OwnerId, Patch, TextRule, Version, Violations, case_fold, check_text};

words! {
    /// What an account may do beyond its own data.
    Role {
        /// Manage accounts.
        Admin = "admin",
        /// Execute queued work.
        Worker = "worker",
    }
}

/// An account. Its id is the owner id of everything the person owns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// The owner id.
    pub id: OwnerId,
    /// As typed: 3 to 50 letters, digits, `.`, `_`, `-`.
    pub username: String,
    /// As typed, at most 254 characters.
    pub email: Option<String>,
    /// `None` whenever the email changes.
    pub email_verified_at: Option<Instant>,
    /// A modular-crypt bcrypt hash; `None` is an account without a local password.
    pub password_hash: Option<String>,
    /// When the password last changed.
    pub password_changed_at: Option<Instant>,
    /// Sorted, each once.
    pub roles: Vec<Role>,
    /// A disabled account can't log in, and none of its tokens works.
    pub disabled_at: Option<Instant>,
    /// The last successful login.
    pub last_login_at: Option<Instant>,
    /// When it was made.
    pub created_at: Instant,
    /// When the row last changed.
    pub updated_at: Instant,
    /// Rises with every change of the row.
    pub version: Version,
}

/// The checked names of a new account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserDraft {
    /// As typed.
    pub username: String,
    /// As typed.
    pub email: Option<String>,
}

impl UserDraft {
    /// Checks the names of a new account (`ID-01`, §2.2).
    pub fn new(username: String, email: Option<String>) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        check_text(&username, TextRule { min: 3, max: 50 }, "/username", &mut violations);
        if !username
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
        {
            violations.add(
                "/username",
                Code::BadFormat,
                "may have letters, digits, '.', '_' and '-' only",
            );
        } else if username_norm(&username).chars().count() > 50 {
            violations.add(
                "/username",
                Code::TooLong,
                "must have at most 50 characters in its folded form",
            );
        }
        if let Some(email) = &email {
            check_email(email, &mut violations);
        }
        if violations.is_empty() {
            Ok(Self {
                username,
                email: email.map(|email| email.trim().to_owned()),
            })
        } else {
            Err(violations)
        }
    }
}

/// What a person wants changed of the own account (`ID-41`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountPatch {
    /// The name that the person is shown under and logs in with.
    pub username: Patch<String>,
    /// `null` removes it.
    pub email: Patch<String>,
}

/// What an administrator changes of an account (`ID-42`): absent keeps, null is none or false.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UserPatch {
    /// All its roles.
    pub roles: Patch<Vec<Role>>,
    /// Whether it is disabled.
    pub disabled: Patch<bool>,
    /// Whether its email counts as verified.
    pub email_verified: Patch<bool>,
}

impl User {
    /// Whether it can administer now.
    pub fn is_enabled_admin(&self) -> bool {
        self.disabled_at.is_none() && self.roles.contains(&Role::Admin)
    }

    /// The account as an administrator changes it at `now`; `None` when the patch changes nothing (`ID-42`).
    pub fn administered(&self, patch: &UserPatch, now: Instant) -> Result<Option<Self>, Invalid> {
        let is_set = |patch: &Patch<bool>, before: bool| match patch {
            Patch::Keep => before,
            Patch::Clear => false,
            Patch::Set(value) => *value,
        };
        let (was_disabled, was_verified) = (self.disabled_at.is_some(), self.email_verified_at.is_some());
        let is_disabled = is_set(&patch.disabled, was_disabled);
        let is_verified = is_set(&patch.email_verified, was_verified);
        if is_verified && self.email.is_none() {
            let message = "can't be true of an account without an email";
            return Err(Invalid::one("/email_verified", Code::BadFormat, message));
        }
        let roles = match &patch.roles {
            Patch::Keep => self.roles.clone(),
            Patch::Clear => Vec::new(),
            Patch::Set(roles) => Role::sorted(roles.clone()),
        };
        let is_same = roles == self.roles && is_disabled == was_disabled && is_verified == was_verified;
        Ok((!is_same).then(|| Self {
            roles,
            disabled_at: is_disabled.then(|| self.disabled_at.unwrap_or(now)),
            email_verified_at: is_verified.then(|| self.email_verified_at.unwrap_or(now)),
            updated_at: now,
            version: self.version + 1,
            ..self.clone()
        }))
    }

    /// The account with a patch applied at `now`; equal to this one when nothing changes. Another email is an unverified one
    /// (`ID-41`).
    pub fn patched(&self, patch: AccountPatch, now: Instant) -> Result<Self, Invalid> {
        let mut violations = Violations::new();
        let username = match patch.username {
            Patch::Keep => self.username.clone(),
            Patch::Set(username) => username,
            Patch::Clear => {
                violations.add("/username", Code::Required, "can't be removed");
                self.username.clone()
            }
        };
        let email = patch.email.apply(self.email.clone());
        // What is kept was checked when it was set, perhaps by other rules.
        let is_new = (username != self.username, email != self.email);
        let mut user = self.clone();
        if is_new.0 || is_new.1 {
            let draft = UserDraft::new(username, email.filter(|_| is_new.1));
            if let Some(draft) = violations.keep(draft) {
                user.username = draft.username;
                if is_new.1 {
                    user.email = draft.email;
                }
            }
        }
        if user.email != self.email {
            user.email_verified_at = None;
        }
        if user != *self {
            user.updated_at = now;
            user.version = self.version + 1;
        }
        violations.finish(user)
    }

    /// The form of the username that is unique and looked up.
    pub fn username_norm(&self) -> String {
        username_norm(&self.username)
    }

    /// The form of the email that is unique and looked up.
    pub fn email_norm(&self) -> Option<String> {
        self.email.as_deref().map(email_norm)
    }
}

pub(super) fn check_email(email: &str, violations: &mut Violations) {
    let email = email.trim();
    check_text(email, TextRule::up_to(254), "/email", violations);
    let halves: Vec<&str> = email.split('@').collect();
    let well_formed = halves.len() == 2 && halves.iter().all(|half| !half.is_empty());
    if !well_formed || email.chars().any(|c| c.is_control() || c.is_whitespace()) {
        violations.add(
            "/email",
            Code::BadFormat,
            "must have exactly one '@' with text on both sides and no white space",
        );
    } else if email_norm(email).chars().count() > 254 {
        violations.add(
            "/email",
            Code::TooLong,
            "must have at most 254 characters in its folded form",
        );
    }
}

/// The compared form of a username: NFKC, case-folded (`ID-01`).
pub fn username_norm(username: &str) -> String {
    let composed: String = username.nfkc().collect();
    case_fold(&composed).nfkc().collect()
}

/// The compared form of an email: trimmed, NFKC, lower-cased whole (`ID-01`).
pub fn email_norm(email: &str) -> String {
    let composed: String = email.nfkc().collect();
    let folded: String = composed.to_lowercase().nfkc().collect();
    // Composing can bring white space to an end: some letters decompose into a space and marks.
    folded.trim().to_owned()
}

/// What somebody typed to log in: with `@` it is an email only, without it a username only, so it can't match two accounts
/// (`ID-01`). Holds the compared form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoginName {
    /// The compared form of an email.
    Email(String),
    /// The compared form of a username.
    Username(String),
}

impl LoginName {
    /// Judges what was typed. Anything is accepted: what can't be an account is an unknown one.
    pub fn parse(typed: &str) -> Self {
        let typed = typed.trim();
        if typed.contains('@') {
            Self::Email(email_norm(typed))
        } else {
            Self::Username(username_norm(typed))
        }
    }
}

impl Role {
    /// The list as it is stored: sorted by name, each once.
    pub fn sorted(mut roles: Vec<Self>) -> Vec<Self> {
        roles.sort_by_key(|role| role.as_str());
        roles.dedup();
        roles
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn id_01_spellings_of_one_account() {
        assert_eq!(
            LoginName::parse(" ANN@example.ORG "),
            LoginName::Email("ann@example.org".into())
        );
        assert_eq!(LoginName::parse("Ann"), LoginName::parse("aNN"));
        assert_eq!(username_norm("STRASSE"), username_norm("straße"));
        assert_ne!(email_norm("strasse@example.com"), email_norm("straße@example.com"));
    }

    #[test]
    fn names_of_a_new_account() {
        for (username, email, fits) in [
            ("ann", None, true),
            ("Ann.B_c-9", Some(" ann@example.com "), true),
            ("jürgen", None, true),
            ("an", None, false),
            ("a n", None, false),
            ("ann@example.com", None, false),
            ("ann\0", None, false),
            (&"x".repeat(51), None, false),
            ("ann", Some("ann"), false),
            ("ann", Some("@example.com"), false),
            ("ann", Some("a@b@c"), false),
            ("ann", Some("a b@example.com"), false),
            ("ann", Some("a\0@example.com"), false),
        ] {
            assert_eq!(
                UserDraft::new(username.into(), email.map(str::to_owned)).is_ok(),
                fits,
                "{username} {email:?}"
            );
        }
    }

    fn account() -> User {
        let start = Instant::EPOCH;
        User {
            id: OwnerId(uuid::Uuid::nil()),
            username: "ann".into(),
            email: Some("ann@example.com".into()),
            email_verified_at: Some(start),
            password_hash: None,
            password_changed_at: None,
            roles: Vec::new(),
            disabled_at: None,
            last_login_at: None,
            created_at: start,
            updated_at: start,
            version: 3,
        }
    }

    #[test]
    fn id_41_another_email_is_an_unverified_one() {
        let later = Instant::EPOCH.plus(std::time::Duration::from_secs(1));
        let set = |text: &str| Patch::Set(text.to_owned());
        let patched = |username, email| account().patched(AccountPatch { username, email }, later);

        for (username, email) in [
            (Patch::Keep, Patch::Keep),
            (set("ann"), set("ann@example.com")),
            (Patch::Keep, set(" ann@example.com ")),
        ] {
            assert_eq!(patched(username, email).unwrap(), account());
        }
        let renamed = patched(set("Ann.B"), Patch::Keep).unwrap();
        assert_eq!((renamed.username.as_str(), renamed.version), ("Ann.B", 4));
        assert_eq!(
            (renamed.email_verified_at, renamed.updated_at),
            (Some(Instant::EPOCH), later)
        );
        for (email, expected) in [(set("Ann@example.com"), Some("Ann@example.com")), (Patch::Clear, None)] {
            let moved = patched(Patch::Keep, email).unwrap();
            assert_eq!((moved.email.as_deref(), moved.email_verified_at), (expected, None));
            assert_eq!(moved.version, 4);
        }
    }

    #[test]
    fn id_41_what_a_patch_may_not_say() {
        let set = |text: &str| Patch::Set(text.to_owned());
        for (username, email, expected) in [
            (Patch::Clear, Patch::Keep, "/username"),
            (set("a b"), Patch::Keep, "/username"),
            (Patch::Keep, set("nobody"), "/email"),
            (Patch::Keep, set(""), "/email"),
        ] {
            let refused = account()
                .patched(AccountPatch { username, email }, Instant::EPOCH)
                .unwrap_err();
            assert!(refused.violations().iter().all(|found| found.pointer == expected));
        }
    }

    #[test]
    fn id_42_what_an_administrator_changes() {
        let now = Instant::EPOCH.plus(std::time::Duration::from_secs(1));
        let admin = User {
            roles: vec![Role::Admin],
            ..account()
        };
        let same = UserPatch {
            roles: Patch::Set(vec![Role::Admin, Role::Admin]),
            disabled: Patch::Clear,
            email_verified: Patch::Set(true),
        };
        for patch in [UserPatch::default(), same] {
            assert_eq!(admin.administered(&patch, now).unwrap(), None);
        }
        let all = UserPatch {
            roles: Patch::Set(vec![Role::Worker, Role::Admin]),
            disabled: Patch::Set(true),
            email_verified: Patch::Set(false),
        };
        let changed = admin.administered(&all, now).unwrap().unwrap();
        assert_eq!(changed.roles, [Role::Admin, Role::Worker]);
        assert_eq!((changed.disabled_at, changed.email_verified_at), (Some(now), None));
        assert_eq!((changed.updated_at, changed.version), (now, 4));
        assert!(admin.is_enabled_admin() && !changed.is_enabled_admin());
        let nameless = User {
            email: None,
            email_verified_at: None,
            ..admin
        };
        let verified = UserPatch {
            email_verified: Patch::Set(true),
            ..UserPatch::default()
        };
        assert!(nameless.administered(&verified, now).is_err());
    }

    proptest! {
        #[test]
        fn id_01_norms_are_fixed_points(name in "\\PC{1,20}") {
            prop_assert_eq!(username_norm(&username_norm(&name)), username_norm(&name));
            prop_assert_eq!(email_norm(&email_norm(&name)), email_norm(&name));
        }
    }
}
