use std::fmt;

/// Why a value is refused. The text form is part of the public contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Code {
    /// A value is missing or was sent as `null` where one is needed.
    Required,
    /// Shorter than allowed.
    TooShort,
    /// Longer than allowed.
    TooLong,
    /// More entries than allowed.
    TooMany,
    /// A number, or an instant, outside its range.
    OutOfRange,
    /// Not of the form that the field has.
    BadFormat,
    /// Of another JSON type than the field.
    WrongType,
    /// A text holds U+0000, which no engine can keep.
    Nul,
    /// A field that the resource doesn't have.
    UnknownField,
    /// A field that only Larder sets.
    ReadOnly,
    /// A field that never changes once it is stored.
    ImmutableField,
    /// The same value twice where each may occur once.
    Duplicate,
    /// JSON nested deeper than allowed.
    TooDeep,
    /// A complete message without content (`CH-04`).
    EmptyMessage,
    /// A search without a letter or number (`CH-41`).
    EmptyQuery,
    /// A URL that is no URL, or of a scheme that is refused (`CH-36`).
    BadUrl,
    /// A task field on a session that is no task (`CH-25`).
    TaskWithoutStatus,
    /// `ID-05`.
    PasswordTooShort,
    /// `ID-05`.
    PasswordTooLong,
    /// `ID-05`.
    PasswordWeak,
    /// `ID-40`.
    PasswordUnchanged,
}

impl Code {
    /// The code as the wire shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::TooMany => "too_many",
            Self::OutOfRange => "out_of_range",
            Self::BadFormat => "bad_format",
            Self::WrongType => "wrong_type",
            Self::Nul => "nul_character",
            Self::UnknownField => "unknown_field",
            Self::ReadOnly => "read_only",
            Self::ImmutableField => "immutable_field",
            Self::Duplicate => "duplicate",
            Self::TooDeep => "too_deep",
            Self::EmptyMessage => "empty_message",
            Self::EmptyQuery => "empty_query",
            Self::BadUrl => "bad_url",
            Self::TaskWithoutStatus => "task_without_status",
            Self::PasswordTooShort => "password_too_short",
            Self::PasswordTooLong => "password_too_long",
            Self::PasswordWeak => "password_weak",
            Self::PasswordUnchanged => "password_unchanged",
        }
    }

    /// Whether the code names a rule of its own in the closed list of problem codes, not merely a wrong form.
    pub fn is_particular(self) -> bool {
        matches!(
            self,
            Self::ReadOnly
                | Self::ImmutableField
                | Self::EmptyMessage
                | Self::EmptyQuery
                | Self::BadUrl
                | Self::TaskWithoutStatus
                | Self::PasswordTooShort
                | Self::PasswordTooLong
                | Self::PasswordWeak
                | Self::PasswordUnchanged
        )
    }
}

/// One refused value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Where, as a JSON pointer into what was sent: `/messages/1/text`.
    pub pointer: String,
    /// Why.
    pub code: Code,
    /// One sentence for a person. It never repeats the value.
    pub message: String,
}

/// What was sent breaks at least one rule; nothing was stored.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Invalid(Vec<Violation>);

impl Invalid {
    /// A single violation.
    pub fn one(pointer: impl Into<String>, code: Code, message: impl Into<String>) -> Self {
        Self(vec![Violation {
            pointer: pointer.into(),
            code,
            message: message.into(),
        }])
    }

    /// The same, of a part: every pointer starts with `prefix`.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        for violation in &mut self.0 {
            violation.pointer.insert_str(0, prefix);
        }
        self
    }

    /// All of them, at least one.
    pub fn violations(&self) -> &[Violation] {
        &self.0
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", violation.pointer, violation.message)?;
        }
        Ok(())
    }
}

/// Collects violations, so that a client learns of all of them at once.
#[derive(Debug, Default)]
pub struct Violations {
    prefix: String,
    found: Vec<Violation>,
}

impl Violations {
    /// None so far; pointers start at the root.
    pub fn new() -> Self {
        Self::default()
    }

    /// None so far; every pointer starts with `prefix` (`/messages/1`).
    pub fn under(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            found: Vec::new(),
        }
    }

    /// Notes a violation. `pointer` is relative to the prefix: `/text`, or empty for the thing itself.
    pub fn add(&mut self, pointer: &str, code: Code, message: impl Into<String>) {
        self.found.push(Violation {
            pointer: format!("{}{pointer}", self.prefix),
            code,
            message: message.into(),
        });
    }

    /// Takes over what another check found.
    pub fn merge(&mut self, other: Self) {
        self.found.extend(other.found);
    }

    /// Keeps a value, or notes why it is refused.
    pub fn keep<T>(&mut self, checked: Result<T, Self>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(other) => {
                self.merge(other);
                None
            }
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `value`, if nothing was found.
    pub fn finish<T>(self, value: T) -> Result<T, Invalid> {
        if self.found.is_empty() {
            Ok(value)
        } else {
            Err(Invalid(self.found))
        }
    }
}

impl From<Violations> for Invalid {
    fn from(violations: Violations) -> Self {
        Self(violations.found)
    }
}

impl From<Invalid> for Violations {
    /// To go on collecting after a check that was complete in itself.
    fn from(invalid: Invalid) -> Self {
        Self {
            prefix: String::new(),
            found: invalid.0,
        }
    }
}
