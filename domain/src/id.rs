use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// An account, and with it the owner of every row that the person has in any context.
    OwnerId,
    /// One signed-in device.
    LoginId,
    /// One link in the chain of refresh tokens of a login.
    RefreshTokenId,
    /// A single-use permission to sign up.
    InvitationId,
    /// One token of a program.
    ApiTokenId,
    /// One request to erase an account.
    ErasureId,
    /// A subject of an external issuer, as an account has it.
    ExternalIdentityId,
    /// One conversation.
    SessionId,
    /// One message of a conversation.
    MessageId,
    /// One image or file of a message.
    AttachmentId,
    /// Several agents in one conversation.
    GroupId,
    /// A saved template.
    PromptId,
    /// The digest of a session.
    SummaryId,
}
