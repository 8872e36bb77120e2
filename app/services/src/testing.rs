//! What the tests of several use cases share.

use larder_domain::OwnerId;
use larder_ports::outbound::Seal;
use uuid::Uuid;

/// An owner of its own for every number.
pub(crate) fn owner(number: u128) -> OwnerId {
    OwnerId(Uuid::from_u128(number << 64))
}

/// Seals in plain sight: the text is the context and the payload.
pub(crate) struct PlainSeal;

impl Seal for PlainSeal {
    fn seal(&self, context: &[u8], payload: &[u8]) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("{}.{}", hex(context), hex(payload))
    }

    fn open(&self, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        let (_, payload) = sealed.split_once('.')?;
        let payload: Vec<u8> = (0..payload.len() / 2)
            .map(|n| u8::from_str_radix(payload.get(2 * n..2 * n + 2)?, 16).ok())
            .collect::<Option<_>>()?;
        (self.seal(context, &payload) == sealed).then_some(payload)
    }
}
