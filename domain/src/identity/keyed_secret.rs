use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::OwnerId;

/// A token as its holder has it: the keys of its row in clear, and the 32 random bytes that prove it. Only the SHA-256 of those
/// bytes is stored (`ID-30`, `ID-60`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyedSecret {
    /// Whose it is.
    pub owner_id: OwnerId,
    /// The id of the row.
    pub id: Uuid,
    /// What proves that the holder was given it.
    pub secret: [u8; 32],
}

impl KeyedSecret {
    /// What a refresh token starts with.
    pub const REFRESH: &str = "lrr_";
    /// What an API token starts with.
    pub const API_TOKEN: &str = "lrd_";

    /// Reads the text that was handed out; `None` when it can't be one that starts with `prefix`.
    pub fn parse(prefix: &str, text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(prefix)?).ok()?;
        let (owner_id, rest) = bytes.split_first_chunk::<16>()?;
        let (id, secret) = rest.split_first_chunk::<16>()?;
        Some(Self {
            owner_id: OwnerId(Uuid::from_bytes(*owner_id)),
            id: Uuid::from_bytes(*id),
            secret: secret.try_into().ok()?,
        })
    }

    /// The text that is handed out, once: `prefix` and base64url of owner id, id and secret.
    pub fn text(&self, prefix: &str) -> String {
        let keys = [self.owner_id.0.as_bytes().as_slice(), self.id.as_bytes(), &self.secret].concat();
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(keys))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PREFIX: &str = KeyedSecret::REFRESH;

    #[test]
    fn id_30_the_text_of_a_token_reads_back_and_nothing_else_does() {
        let token = KeyedSecret {
            owner_id: OwnerId(Uuid::from_u128(7)),
            id: Uuid::from_u128(9),
            secret: [0xfb; 32],
        };
        let text = token.text(PREFIX);
        assert!(text.starts_with("lrr_") && text.len() == 90, "{text}");
        assert!(KeyedSecret::parse(PREFIX, &text).is_some_and(|read| read == token));
        assert!(KeyedSecret::parse(KeyedSecret::API_TOKEN, &text).is_none());
        for wrong in [
            "",
            "lrr_",
            "lrr_AAAA",
            &text[4..],
            &text[..89],
            &format!("{text}AAAA"),
            &format!("{text}="),
            &format!(" {text}"),
        ] {
            assert!(KeyedSecret::parse(PREFIX, wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn id_30_every_token_reads_back(owner_id: u128, id: u128, secret: [u8; 32]) {
            let token = KeyedSecret { owner_id: OwnerId(Uuid::from_u128(owner_id)), id: Uuid::from_u128(id), secret };
            prop_assert!(KeyedSecret::parse(PREFIX, &token.text(PREFIX)).is_some_and(|read| read == token));
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            prop_assert!(KeyedSecret::parse(PREFIX, &text).is_none());
            let _ = KeyedSecret::parse(PREFIX, &format!("lrr_{text}"));
        }
    }
}
