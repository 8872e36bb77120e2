use larder_domain::{
    ApiTokenId, AttachmentId, ErasureId, ExternalIdentityId, GroupId, Instant, InvitationId, LoginId, MessageId,
    OwnerId, PromptId, RefreshTokenId, SessionId, SummaryId,
};
use uuid::Uuid;

/// A parameter of a statement. Its [`Kind`] alone decides the type that the database is told, whether there is a value or not,
/// so that no engine has to guess the type of a parameter.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// An id.
    Uuid(Option<Uuid>),
    /// A text; also JSON, which the statement casts.
    Text(Option<&'a str>),
    /// A whole number.
    Int(Option<i64>),
    /// Yes or no.
    Bool(Option<bool>),
    /// An instant.
    Instant(Option<Instant>),
    /// Bytes.
    Bytes(Option<&'a [u8]>),
}

/// The type of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `uuid`, or a blob of 16 bytes.
    Uuid,
    /// `text`.
    Text,
    /// `bigint`, or an integer.
    Int,
    /// `boolean`, or 0 and 1.
    Bool,
    /// `timestamptz`, or microseconds since the epoch.
    Instant,
    /// `bytea`, or a blob.
    Bytes,
}

impl Value<'_> {
    /// The type that the database is told.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Uuid(_) => Kind::Uuid,
            Self::Text(_) => Kind::Text,
            Self::Int(_) => Kind::Int,
            Self::Bool(_) => Kind::Bool,
            Self::Instant(_) => Kind::Instant,
            Self::Bytes(_) => Kind::Bytes,
        }
    }
}

macro_rules! values {
    ($($from:ty => $variant:ident($of:expr)),+ $(,)?) => {$(
        impl From<$from> for Value<'_> {
            fn from(value: $from) -> Self {
                let convert: fn($from) -> _ = $of;
                Self::$variant(Some(convert(value)))
            }
        }

        impl From<Option<$from>> for Value<'_> {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value.map($of))
            }
        }
    )+};
}

values! {
    Uuid => Uuid(|id| id),
    OwnerId => Uuid(|id| id.0),
    SessionId => Uuid(|id| id.0),
    MessageId => Uuid(|id| id.0),
    AttachmentId => Uuid(|id| id.0),
    GroupId => Uuid(|id| id.0),
    PromptId => Uuid(|id| id.0),
    SummaryId => Uuid(|id| id.0),
    LoginId => Uuid(|id| id.0),
    RefreshTokenId => Uuid(|id| id.0),
    InvitationId => Uuid(|id| id.0),
    ApiTokenId => Uuid(|id| id.0),
    ErasureId => Uuid(|id| id.0),
    ExternalIdentityId => Uuid(|id| id.0),
    Instant => Instant(|instant| instant),
    i64 => Int(|number| number),
    u32 => Int(i64::from),
    bool => Bool(|flag| flag),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::Text(text.as_deref())
    }
}

impl<'a> From<&'a [u8; 32]> for Value<'a> {
    fn from(bytes: &'a [u8; 32]) -> Self {
        Self::Bytes(Some(bytes))
    }
}
