use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::identity::{Role, email_norm};
use crate::{Instant, InvitationId, OwnerId};

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
