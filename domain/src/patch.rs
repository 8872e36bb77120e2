/// One field of a JSON Merge Patch (RFC 7396): absent keeps, `null` clears, a value sets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Patch<T> {
    /// The field was not sent.
    #[default]
    Keep,
    /// The field was sent as `null`.
    Clear,
    /// The field was sent with a value.
    Set(T),
}

impl<T> Patch<T> {
    /// The patched value of a field that may be empty.
    pub fn apply(self, stored: Option<T>) -> Option<T> {
        match self {
            Self::Keep => stored,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }

    /// The patched value of a field that always has one; `null` sets it back to `default`.
    pub fn apply_or(self, stored: T, default: T) -> T {
        match self {
            Self::Keep => stored,
            Self::Clear => default,
            Self::Set(value) => value,
        }
    }

    /// Whether the field was not sent.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The value that was sent, if one was.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }
}
