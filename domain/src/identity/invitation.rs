use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::user::check_email;
use crate::identity::{Role, email_norm};
use crate::{Code, Instant, Invalid, InvitationId, OwnerId, Violations};

/// The 32 secret bytes of an invitation. Only their SHA-256 is stored.
pub type InvitationSecret = [u8; 32];

/// An invitation as its holder has it: the row's key in clear, and the secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvitationToken {
    /// The row.
    pub id: InvitationId,
    /// What proves that the holder was given it.
    pub secret: InvitationSecret,
}

impl InvitationToken {
    const PREFIX: &str = "lri_";

    /// Reads the text that was handed out; `None` when it can't be one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(Self::PREFIX)?).ok()?;
        let (id, secret) = bytes.split_first_chunk::<16>()?;
        Some(Self {
            id: InvitationId(Uuid::from_bytes(*id)),
            secret: secret.try_into().ok()?,
        })
    }

    /// The text that is handed out, once: `lri_` and base64url of the id and the secret.
    pub fn text(&self) -> String {
        let keys = [self.id.0.as_bytes().as_slice(), &self.secret].concat();
        format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(keys))
    }
}

/// A single-use permission to sign up (`ID-04`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
    /// Binds it to an address, in its compared form.
    pub email_norm: Option<String>,
    /// The roles that the new account gets.
    pub roles: Vec<Role>,
    /// The administrator who made it.
    pub created_by: OwnerId,
    /// When it was made.
    pub created_at: Instant,
    /// When it ends.
    pub expires_at: Instant,
    /// When and by whom it was used.
    pub used: Option<(Instant, OwnerId)>,
    /// When it was revoked.
    pub revoked_at: Option<Instant>,
}

/// What is sent to make an invitation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InvitationDraft {
    /// Binds it to an address.
    pub email: Option<String>,
    /// The roles that the new account gets.
    pub roles: Vec<Role>,
    /// When it ends, in the future; a week after it was made unless sent.
    pub expires_at: Option<Instant>,
}

impl InvitationDraft {
    /// How long an invitation counts unless its draft says otherwise.
    pub const COUNTS_FOR: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 60 * 60);

    /// The invitation that `created_by` makes of it (`ID-04`).
    pub fn make(
        self,
        id: InvitationId,
        secret_hash: [u8; 32],
        created_by: OwnerId,
        now: Instant,
    ) -> Result<Invitation, Invalid> {
        let mut violations = Violations::new();
        if let Some(email) = &self.email {
            check_email(email, &mut violations);
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            violations.add("/expires_at", Code::OutOfRange, "must lie in the future");
        }
        violations.finish(Invitation {
            id,
            secret_hash,
            email_norm: self.email.as_deref().map(email_norm),
            roles: Role::sorted(self.roles),
            created_by,
            created_at: now,
            expires_at: self.expires_at.unwrap_or_else(|| now.plus(Self::COUNTS_FOR)),
            used: None,
            revoked_at: None,
        })
    }
}

impl Invitation {
    /// Whether it still admits somebody with this email at `now`.
    pub fn admits(&self, email: Option<&str>, now: Instant) -> bool {
        let is_open = self.used.is_none() && self.revoked_at.is_none() && now < self.expires_at;
        let fits = match &self.email_norm {
            Some(bound) => email.is_some_and(|email| email_norm(email) == *bound),
            None => true,
        };
        is_open && fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_invitation_reads_back() {
        let token = InvitationToken {
            id: InvitationId(Uuid::from_u128(7)),
            secret: [0xfb; 32],
        };
        let text = token.text();
        assert!(text.starts_with("lri_") && text.len() == 68);
        assert!(InvitationToken::parse(&text).is_some_and(|read| read == token));
        for wrong in [
            "",
            "lri_",
            "lri_AAAA",
            &text[4..],
            &text[..67],
            &format!("{text}AAAA"),
            &format!("{text}="),
        ] {
            assert!(InvitationToken::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn id_04_an_invitation_counts_for_a_week_unless_it_says_otherwise() {
        let id = InvitationId(Uuid::from_u128(7));
        let (admin, now) = (OwnerId(Uuid::from_u128(1)), Instant::EPOCH);
        let draft = InvitationDraft {
            email: Some(" Ann@Example.com ".into()),
            roles: vec![Role::Worker, Role::Worker],
            expires_at: None,
        };
        let made = draft.clone().make(id, [2; 32], admin, now).unwrap();
        assert_eq!(made.email_norm.as_deref(), Some("ann@example.com"));
        assert_eq!(made.roles, [Role::Worker]);
        assert_eq!(made.expires_at, now.plus(InvitationDraft::COUNTS_FOR));
        let bad = InvitationDraft {
            email: Some("nobody".into()),
            expires_at: Some(now),
            ..draft
        };
        let refused = bad.make(id, [2; 32], admin, now).unwrap_err();
        let pointers: Vec<&str> = refused.violations().iter().map(|v| v.pointer.as_str()).collect();
        assert_eq!(pointers, ["/email", "/expires_at"]);
    }

    #[test]
    fn id_04_open_unexpired_and_for_this_address() {
        let at = |second: i64| Instant::from_micros(second * 1_000_000).unwrap();
        let open = Invitation {
            id: InvitationId(Uuid::nil()),
            secret_hash: [0; 32],
            email_norm: None,
            roles: vec![],
            created_by: OwnerId(Uuid::nil()),
            created_at: at(0),
            expires_at: at(10),
            used: None,
            revoked_at: None,
        };
        assert!(open.admits(None, at(9)));
        assert!(!open.admits(None, at(10)));
        assert!(
            !Invitation {
                revoked_at: Some(at(1)),
                ..open.clone()
            }
            .admits(None, at(2))
        );
        assert!(
            !Invitation {
                used: Some((at(1), OwnerId(Uuid::nil()))),
                ..open.clone()
            }
            .admits(None, at(2))
        );
        let bound = Invitation {
            email_norm: Some("ann@example.com".into()),
            ..open
        };
        assert!(bound.admits(Some(" ANN@example.com"), at(1)));
        assert!(!bound.admits(Some("bob@example.com"), at(1)));
        assert!(!bound.admits(None, at(1)));
    }
}
