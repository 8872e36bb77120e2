use std::time::Duration;

use uuid::Uuid;

use super::{User, UserDraft};
use crate::{ExternalIdentityId, Instant, OwnerId};

/// A subject of an external issuer, and the account that it stands for (`ID-53`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalIdentity {
    /// Its id.
    pub id: ExternalIdentityId,
    /// The account.
    pub user_id: OwnerId,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `sub` of its tokens.
    pub subject: String,
    /// The email of the last token that was looked at.
    pub email: Option<String>,
    /// When it was first seen, or linked.
    pub created_at: Instant,
    /// The last use, exact to a minute.
    pub last_seen_at: Instant,
}

impl ExternalIdentity {
    /// How exact `last_seen_at` is: it moves at most once in this time.
    pub const SIGHT_IS_NOTED_EVERY: Duration = Duration::from_secs(60);

    /// Whether a use at `now` is worth noting.
    pub fn is_sight_noted(&self, now: Instant) -> bool {
        now >= self.last_seen_at.plus(Self::SIGHT_IS_NOTED_EVERY)
    }
}

/// What is configured about the accounts of an external issuer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IssuerPolicy {
    /// Whether a subject that is seen for the first time gets an account.
    pub auto_create: bool,
    /// Whether the issuer's word that an email is the subject's own counts.
    pub trust_email: bool,
    /// Whether anonymous users of the issuer are let in.
    pub allow_anonymous: bool,
}

impl Default for IssuerPolicy {
    fn default() -> Self {
        Self {
            auto_create: true,
            trust_email: false,
            allow_anonymous: false,
        }
    }
}

/// What a verified token of an external issuer says. Nothing else in it counts, so nothing in it grants anything (`ID-53`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalClaims {
    /// `iss`, one of the configured ones.
    pub issuer: String,
    /// `sub`, 1 to 255 characters.
    pub subject: String,
    /// `email`, if it is one that an account can have.
    pub email: Option<String>,
    /// Whether the token itself says that the email was not verified.
    pub is_email_unverified: bool,
    /// Whether this is an anonymous user of the issuer.
    pub is_anonymous: bool,
    /// `iat`, in whole seconds.
    pub issued_at: Instant,
}

impl ExternalClaims {
    /// Most characters of a subject.
    pub const MAX_SUBJECT: usize = 255;

    /// `email` as an account can have it; anything else counts as none.
    pub fn usable_email(email: Option<String>) -> Option<String> {
        // The name is any good one: the draft is only asked about the email.
        UserDraft::new("user".to_owned(), email).ok()?.email
    }

    /// Whether the token is not younger than the erasure of its subject (`ID-56`). The times of a token have no fractions, so one
    /// made in the very second of the erasure counts as older.
    pub fn predates(&self, erased_at: Instant) -> bool {
        self.issued_at <= erased_at
    }

    /// The id that an account of this subject gets if it was never a user's: the subject, if that is a UUID in its usual spelling
    /// (`ID-54`).
    pub fn proposed_id(&self) -> Option<OwnerId> {
        let id = Uuid::try_parse(&self.subject).ok()?;
        (!id.is_nil() && id.hyphenated().to_string() == self.subject).then_some(OwnerId(id))
    }

    /// Whether the issuer's word makes the email verified.
    fn vouches_for_email(&self, policy: IssuerPolicy) -> bool {
        policy.trust_email && !self.is_email_unverified && self.email.is_some()
    }

    /// Whether the subject is linked to the account that has its email without anybody asking for it (`ID-55`): both sides must have
    /// verified the address, or a stranger could wait behind it.
    pub fn links_itself_to(&self, holder: &User, policy: IssuerPolicy) -> bool {
        self.vouches_for_email(policy) && holder.email_verified_at.is_some()
    }

    /// The account of a subject that is seen for the first time: without password and without roles.
    pub fn newcomer(&self, id: OwnerId, username: String, policy: IssuerPolicy, now: Instant) -> User {
        User {
            id,
            username,
            email: self.email.clone(),
            email_verified_at: self.vouches_for_email(policy).then_some(now),
            password_hash: None,
            password_changed_at: None,
            roles: Vec::new(),
            disabled_at: None,
            last_login_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// The generated username of a newcomer: `user-` and the last twelve digits of a fresh id.
    pub fn generated_username(fresh: Uuid) -> String {
        let digits = fresh.simple().to_string();
        format!("user-{}", &digits[digits.len() - 12..])
    }

    /// The identity of this subject.
    pub fn identity(&self, id: ExternalIdentityId, user_id: OwnerId, now: Instant) -> ExternalIdentity {
        ExternalIdentity {
            id,
            user_id,
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            email: self.email.clone(),
            created_at: now,
            last_seen_at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SUBJECT: &str = "0197a3c2-1111-4222-8333-444455556666";
    const TRUSTING: IssuerPolicy = IssuerPolicy {
        auto_create: true,
        trust_email: true,
        allow_anonymous: false,
    };

    fn at(second: i64) -> Instant {
        Instant::from_micros(second * 1_000_000).unwrap()
    }

    fn claims(subject: &str) -> ExternalClaims {
        ExternalClaims {
            issuer: "https://issuer.example.com".into(),
            subject: subject.into(),
            email: Some("ann@example.com".into()),
            is_email_unverified: false,
            is_anonymous: false,
            issued_at: at(100),
        }
    }

    fn newcomer(claims: &ExternalClaims, policy: IssuerPolicy) -> User {
        claims.newcomer(OwnerId(Uuid::from_u128(1)), "user-1".into(), policy, at(100))
    }

    #[test]
    fn id_54_a_subject_that_is_a_uuid_becomes_the_id() {
        assert_eq!(
            claims(SUBJECT).proposed_id().map(|id| id.to_string()).as_deref(),
            Some(SUBJECT)
        );
        for other in [
            "",
            "ann",
            "0197A3C2-1111-4222-8333-444455556666",
            "0197a3c2111142228333444455556666",
            "{0197a3c2-1111-4222-8333-444455556666}",
            "urn:uuid:0197a3c2-1111-4222-8333-444455556666",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(claims(other).proposed_id(), None, "{other}");
        }
    }

    #[test]
    fn id_54_an_email_is_verified_if_it_is_trusted() {
        assert_eq!(
            newcomer(&claims(SUBJECT), IssuerPolicy::default()).email_verified_at,
            None
        );
        let trusted = newcomer(&claims(SUBJECT), TRUSTING);
        assert_eq!(trusted.email.as_deref(), Some("ann@example.com"));
        assert_eq!(trusted.email_verified_at, Some(at(100)));
        let doubted = ExternalClaims {
            is_email_unverified: true,
            ..claims(SUBJECT)
        };
        assert_eq!(newcomer(&doubted, TRUSTING).email_verified_at, None);
        let without = ExternalClaims {
            email: None,
            ..claims(SUBJECT)
        };
        assert_eq!(newcomer(&without, TRUSTING).email_verified_at, None);
    }

    #[test]
    fn id_53_a_newcomer_has_no_role_and_no_password() {
        let user = newcomer(&claims(SUBJECT), TRUSTING);
        assert!(user.roles.is_empty() && user.password_hash.is_none());
    }

    #[test]
    fn id_55_links_itself_only_if_both_sides_verified() {
        let holder = newcomer(&claims(SUBJECT), TRUSTING);
        let unverified = User {
            email_verified_at: None,
            ..holder.clone()
        };
        let doubted = ExternalClaims {
            is_email_unverified: true,
            ..claims("x")
        };
        for (claims, holder, policy, links) in [
            (&claims("x"), &holder, TRUSTING, true),
            (&claims("x"), &unverified, TRUSTING, false),
            (&claims("x"), &holder, IssuerPolicy::default(), false),
            (&doubted, &holder, TRUSTING, false),
        ] {
            assert_eq!(claims.links_itself_to(holder, policy), links);
        }
    }

    #[test]
    fn id_56_a_token_of_the_second_of_the_erasure_is_older() {
        let half_past = Instant::from_micros(100_500_000).unwrap();
        assert!(claims(SUBJECT).predates(half_past));
        assert!(claims(SUBJECT).predates(at(100)));
        assert!(!claims(SUBJECT).predates(at(99)));
        assert!(!claims(SUBJECT).predates(Instant::from_micros(99_999_999).unwrap()));
    }

    #[test]
    fn emails_that_no_account_can_have_count_as_none() {
        for (email, usable) in [
            (Some(" ann@example.com "), Some("ann@example.com")),
            (Some(""), None),
            (Some("ann"), None),
            (Some("a b@example.com"), None),
            (Some("a\0@example.com"), None),
            (None, None),
        ] {
            let found = ExternalClaims::usable_email(email.map(str::to_owned));
            assert_eq!(found.as_deref(), usable, "{email:?}");
        }
        assert_eq!(
            ExternalClaims::usable_email(Some(format!("{}@x", "a".repeat(253)))),
            None
        );
    }

    #[test]
    fn a_sight_is_noted_once_a_minute() {
        let identity = claims(SUBJECT).identity(ExternalIdentityId(Uuid::nil()), OwnerId(Uuid::nil()), at(0));
        assert!(!identity.is_sight_noted(at(59)));
        assert!(identity.is_sight_noted(at(60)));
    }

    proptest! {
        #[test]
        fn id_54_a_generated_username_is_always_a_good_one(id in any::<u128>()) {
            let username = ExternalClaims::generated_username(Uuid::from_u128(id));
            prop_assert!(UserDraft::new(username, None).is_ok());
        }
    }
}
