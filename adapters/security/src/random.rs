use larder_ports::outbound::SecretSource;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Secret bytes from the operating system, digests with SHA-256, comparison in constant time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomSecrets;

impl SecretSource for RandomSecrets {
    /// # Panics
    ///
    /// When the operating system has no randomness to give. No secret can be made then, and a weaker one must not be.
    #[expect(
        clippy::expect_used,
        reason = "without randomness every answer would be a guessable secret"
    )]
    fn draw(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the operating system gives random bytes");
        secret
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    fn same(&self, a: &[u8; 32], b: &[u8; 32]) -> bool {
        a.ct_eq(b).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ() {
        assert_ne!(RandomSecrets.draw(), RandomSecrets.draw());
    }

    #[test]
    fn the_digest_is_sha_256() {
        // FIPS 180-4: SHA-256 of 32 zero bytes.
        let expected = [
            0x66, 0x68, 0x7a, 0xad, 0xf8, 0x62, 0xbd, 0x77, 0x6c, 0x8f, 0xc1, 0x8b, 0x8e, 0x9f, 0x8e, 0x20, 0x08, 0x97,
            0x14, 0x85, 0x6e, 0xe2, 0x33, 0xb3, 0x90, 0x2a, 0x59, 0x1d, 0x0d, 0x5f, 0x29, 0x25,
        ];
        assert_eq!(RandomSecrets.digest(&[0; 32]), expected);
    }

    #[test]
    fn one_bit_makes_a_difference() {
        let secret = RandomSecrets.draw();
        let mut other = secret;
        other[31] ^= 1;
        assert!(RandomSecrets.same(&secret, &secret));
        assert!(!RandomSecrets.same(&secret, &other));
    }
}
