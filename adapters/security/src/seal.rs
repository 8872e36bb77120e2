use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use larder_ports::outbound::{KeyedDigest, Seal};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Bytes of the tag that are kept: 128 bits.
const TAG: usize = 16;

/// Separates the sealing key from every other use of the same key material.
const LABEL: &[u8] = b"larder seal v1";

/// Separates digests from seals under the same key: no seal starts with a length like that.
const DIGEST: [u8; 8] = u64::MAX.to_be_bytes();

/// Seals text with HMAC-SHA-256.
///
/// A sealed text is base64url without padding of `tag (16 bytes) || payload`. The payload can be read by anybody but made by
/// nobody else.
#[derive(Clone)]
pub struct HmacSeal {
    key: SecretSlice<u8>,
}

impl std::fmt::Debug for HmacSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HmacSeal").finish_non_exhaustive()
    }
}

impl HmacSeal {
    /// A seal whose key is derived from `material`, so that the material may serve another purpose as well.
    pub fn new(material: &SecretSlice<u8>) -> Self {
        let derived = mac(material.expose_secret(), &[LABEL]);
        Self {
            key: derived.to_vec().into(),
        }
    }

    fn tag(&self, context: &[u8], payload: &[u8]) -> [u8; TAG] {
        // The length keeps a byte from moving between context and payload unnoticed.
        let length = (context.len() as u64).to_be_bytes();
        let full = mac(self.key.expose_secret(), &[&length, context, payload]);
        let mut tag = [0; TAG];
        tag.copy_from_slice(&full[..TAG]);
        tag
    }
}

impl Seal for HmacSeal {
    fn seal(&self, context: &[u8], payload: &[u8]) -> String {
        let mut sealed = self.tag(context, payload).to_vec();
        sealed.extend_from_slice(payload);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    fn open(&self, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (tag, payload) = bytes.split_at_checked(TAG)?;
        bool::from(self.tag(context, payload).ct_eq(tag)).then(|| payload.to_vec())
    }
}

impl KeyedDigest for HmacSeal {
    fn keyed_digest(&self, purpose: &str, text: &[u8]) -> [u8; 32] {
        let length = (purpose.len() as u64).to_be_bytes();
        mac(self.key.expose_secret(), &[&DIGEST, &length, purpose.as_bytes(), text])
    }
}

/// HMAC-SHA-256 over the concatenated parts.
#[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seal(material: &[u8]) -> HmacSeal {
        HmacSeal::new(&material.to_vec().into())
    }

    #[test]
    fn another_key_or_another_context_opens_nothing() {
        let sealed = seal(b"one").seal(b"owner and list", b"place");
        assert_eq!(
            seal(b"one").open(b"owner and list", &sealed).as_deref(),
            Some(&b"place"[..])
        );
        assert_eq!(seal(b"two").open(b"owner and list", &sealed), None);
        assert_eq!(seal(b"one").open(b"another owner and list", &sealed), None);
    }

    #[test]
    fn the_sealing_key_is_not_the_material() {
        let tag = mac(b"one", &[&0_u64.to_be_bytes(), b"", b"payload"]);
        let mut forged = tag[..TAG].to_vec();
        forged.extend_from_slice(b"payload");
        assert_eq!(seal(b"one").open(b"", &URL_SAFE_NO_PAD.encode(forged)), None);
    }

    #[test]
    fn what_is_no_sealed_text_opens_to_nothing() {
        for text in ["", "a", "AAAA", "not base64!", "AAAAAAAAAAAAAAAAAAAAAA==", "ÄÖÜ"] {
            assert_eq!(seal(b"one").open(b"", text), None, "{text}");
        }
    }

    #[test]
    fn a_digest_depends_on_key_purpose_and_text() {
        let digest = |key: &[u8], purpose: &str, text: &[u8]| seal(key).keyed_digest(purpose, text);
        let one = digest(b"one", "name", b"ann");
        assert_eq!(one, digest(b"one", "name", b"ann"));
        for other in [
            digest(b"two", "name", b"ann"),
            digest(b"one", "user", b"ann"),
            digest(b"one", "name", b"bob"),
            // A letter does not move from the purpose to the text unnoticed.
            digest(b"one", "nam", b"eann"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_digest_is_no_seal() {
        let digest = seal(b"one").keyed_digest("name", b"ann");
        let mut forged = digest[..TAG].to_vec();
        forged.extend_from_slice(b"ann");
        assert_eq!(seal(b"one").open(b"name", &URL_SAFE_NO_PAD.encode(forged)), None);
    }

    #[test]
    fn nothing_of_the_key_is_shown() {
        assert_eq!(format!("{:?}", seal(b"one")), "HmacSeal { .. }");
    }

    proptest! {
        #[test]
        fn opens_what_it_sealed(context: Vec<u8>, payload: Vec<u8>) {
            let sealed = seal(b"one").seal(&context, &payload);
            prop_assert!(sealed.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
            prop_assert_eq!(seal(b"one").open(&context, &sealed), Some(payload));
        }

        #[test]
        fn any_changed_byte_is_refused(payload: Vec<u8>, at: prop::sample::Index, flip in 1_u8..) {
            let mut bytes = URL_SAFE_NO_PAD.decode(seal(b"one").seal(b"context", &payload)).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert_eq!(seal(b"one").open(b"context", &URL_SAFE_NO_PAD.encode(bytes)), None);
        }

        #[test]
        fn a_byte_does_not_move_from_context_to_payload(context: Vec<u8>, payload: Vec<u8>, moved: u8) {
            let mut longer = context.clone();
            longer.push(moved);
            let sealed = seal(b"one").seal(&longer, &payload);
            let tag = &URL_SAFE_NO_PAD.decode(sealed).unwrap()[..TAG];
            let forged = [tag, &[moved], &payload].concat();
            prop_assert_eq!(seal(b"one").open(&context, &URL_SAFE_NO_PAD.encode(forged)), None);
        }
    }
}
