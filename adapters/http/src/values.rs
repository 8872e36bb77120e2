//! The values of the wire: how each is written, read, and described in the OpenAPI document.
//!
//! Messages of refused values are made from the schema, never from what was sent.

use std::borrow::Cow;
use std::fmt;

use larder_domain::{Code, FreeJson, Instant, InvalidInstant, Patch};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{MaybeUndefined, ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// What starts the message of a refusal that carries its own code: serde's errors are text only.
const CODED: char = '\u{1}';

/// A refusal by a value's own rule. Read back by [`coded`].
pub(crate) fn refuse<E: Error>(code: Code, message: impl fmt::Display) -> E {
    let letter = if code == Code::OutOfRange { 'r' } else { 'f' };
    E::custom(format_args!("{CODED}{letter}{message}"))
}

/// The code and the message of a [`refuse`]d value.
pub(crate) fn coded(message: &str) -> Option<(Code, &str)> {
    let rest = message.strip_prefix(CODED)?;
    match rest.strip_prefix('r') {
        Some(message) => Some((Code::OutOfRange, message)),
        None => Some((Code::BadFormat, rest.get(1..)?)),
    }
}

/// Implements what the document needs to know of a type whose JSON form is given by serde.
macro_rules! describe {
    ($name:ident $(<$param:ident : $bound:ident>)?, $text:expr, $schema:expr $(, $register:expr)?) => {
        impl$(<$param: $bound>)? Type for $name$(<$param>)? {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                $text.into()
            }

            fn schema_ref() -> MetaSchemaRef {
                $schema
            }

            $(fn register(registry: &mut Registry) {
                let register: fn(&mut Registry) = $register;
                register(registry);
            })?

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }

        impl$(<$param: $bound>)? ParseFromJSON for $name$(<$param>)? {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                serde_json::from_value(value.unwrap_or_default()).map_err(ParseError::custom)
            }
        }

        impl$(<$param: $bound>)? ToJSON for $name$(<$param>)? {
            fn to_json(&self) -> Option<Value> {
                serde_json::to_value(self).ok()
            }
        }
    };
}

/// The same for a type around another one, of which it has the schema.
macro_rules! describe_as_inner {
    ($name:ident $(, $flag:ident)?; $required:expr, $schema:expr, $as_raw:expr) => {
        impl<T: Type $(, const $flag: bool)?> Type for $name<T $(, $flag)?> {
            const IS_REQUIRED: bool = $required;
            type RawValueType = T::RawValueType;
            type RawElementValueType = T::RawElementValueType;

            fn name() -> Cow<'static, str> {
                T::name()
            }

            fn schema_ref() -> MetaSchemaRef {
                $schema
            }

            fn register(registry: &mut Registry) {
                T::register(registry);
            }

            fn as_raw_value(&self) -> Option<&T::RawValueType> {
                let as_raw: fn(&Self) -> Option<&T> = $as_raw;
                as_raw(self)?.as_raw_value()
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a T::RawElementValueType> + 'a> {
                let as_raw: fn(&Self) -> Option<&T> = $as_raw;
                match as_raw(self) {
                    Some(inner) => inner.raw_element_iter(),
                    None => Box::new(std::iter::empty()),
                }
            }
        }
    };
}

pub(crate) use {describe, describe_as_inner};

pub(crate) fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}

/// An instant: RFC 3339 with an offset in requests, UTC with six decimals and `Z` in answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Timestamp(pub(crate) Instant);

describe!(
    Timestamp,
    "string_date-time",
    inline(MetaSchema::new_with_format("string", "date-time"))
);

impl ParseFromParameter for Timestamp {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Instant::parse(text).map(Self).map_err(ParseError::custom)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
                Instant::parse(text).map(Timestamp).map_err(|invalid| match invalid {
                    InvalidInstant::Format => refuse(Code::BadFormat, invalid),
                    InvalidInstant::Range => refuse(Code::OutOfRange, invalid),
                })
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// JSON whose meaning is the client's own. It is carried as text, so that numbers keep every digit.
macro_rules! free_json {
    ($(#[$doc:meta])* $name:ident, $text:literal, $schema:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub(crate) struct $name(pub(crate) String);

        describe!($name, $text, inline($schema));

        impl From<FreeJson> for $name {
            fn from(json: FreeJson) -> Self {
                Self(json.as_str().to_owned())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
                raw.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = Box::<RawValue>::deserialize(deserializer)?;
                Ok(Self(Box::<str>::from(raw).into_string()))
            }
        }
    };
}

free_json! {
    /// An object.
    JsonObject, "object", MetaSchema {
        additional_properties: Some(Box::new(inline(MetaSchema::ANY))),
        ..MetaSchema::new("object")
    }
}

free_json! {
    /// An array of objects.
    JsonObjects, "array_object", MetaSchema {
        items: Some(Box::new(inline(MetaSchema::new("object")))),
        ..MetaSchema::new("array")
    }
}

/// A value that may be null. In an answer it is always there; in a request absent and null mean the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Nullable<T, const ALWAYS: bool = true>(pub(crate) Option<T>);

/// A field of a request that need not be sent.
pub(crate) type Optional<T> = Nullable<T, false>;

describe_as_inner!(Nullable, ALWAYS; ALWAYS, nullable(T::schema_ref()), |nullable| nullable.0.as_ref());

/// A schema that takes null too.
pub(crate) fn nullable(schema: MetaSchemaRef) -> MetaSchemaRef {
    schema.merge(MetaSchema {
        nullable: true,
        ..MetaSchema::ANY
    })
}

impl<T: ParseFromJSON, const ALWAYS: bool> ParseFromJSON for Nullable<T, ALWAYS> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Option::parse_from_json(value).map(Self).map_err(ParseError::propagate)
    }
}

impl<T: ToJSON, const ALWAYS: bool> ToJSON for Nullable<T, ALWAYS> {
    fn to_json(&self) -> Option<Value> {
        self.0.to_json()
    }
}

impl<T, const ALWAYS: bool> Default for Nullable<T, ALWAYS> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T, const ALWAYS: bool> From<Option<T>> for Nullable<T, ALWAYS> {
    fn from(value: Option<T>) -> Self {
        Self(value)
    }
}

impl<T: Serialize, const ALWAYS: bool> Serialize for Nullable<T, ALWAYS> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const ALWAYS: bool> Deserialize<'de> for Nullable<T, ALWAYS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

/// A closed list of words. The words themselves are the domain's.
pub(crate) trait Vocabulary: Copy + Send + Sync + 'static {
    /// The name in the document.
    const NAME: &'static str;
    /// What it lists.
    const MEANING: &'static str;

    /// Every value, in order.
    fn all() -> &'static [Self];

    /// The word of a value.
    fn word(self) -> &'static str;
}

/// One word of a [`Vocabulary`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word<V>(pub(crate) V);

impl<V: Vocabulary> Word<V> {
    fn find(word: &str) -> Option<Self> {
        V::all().iter().copied().find(|value| value.word() == word).map(Self)
    }
}

describe!(
    Word<V: Vocabulary>,
    V::NAME,
    MetaSchemaRef::Reference(V::NAME.to_owned()),
    |registry| registry.create_schema::<Self, _>(V::NAME.to_owned(), |_| MetaSchema {
        description: Some(V::MEANING),
        enum_items: V::all().iter().map(|value| Value::from(value.word())).collect(),
        ..MetaSchema::new("string")
    })
);

impl<V: Vocabulary> ParseFromParameter for Word<V> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Self::find(text).ok_or_else(|| ParseError::custom("not one of the words"))
    }
}

impl<V: Vocabulary> Serialize for Word<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<'de, V: Vocabulary> Deserialize<'de> for Word<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<V>(std::marker::PhantomData<V>);

        impl<V: Vocabulary> Visitor<'_> for Text<V> {
            type Value = Word<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word<V>, E> {
                Word::find(text).ok_or_else(|| {
                    let words: Vec<&str> = V::all().iter().map(|value| value.word()).collect();
                    refuse(Code::BadFormat, format_args!("must be one of: {}", words.join(", ")))
                })
            }
        }

        deserializer.deserialize_str(Text(std::marker::PhantomData))
    }
}

/// Gives words of the domain their name in the document.
macro_rules! vocabulary {
    ($($of:ty, $name:literal, $meaning:literal;)+) => {$(
        impl $crate::values::Vocabulary for $of {
            const NAME: &'static str = $name;
            const MEANING: &'static str = $meaning;

            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    )+};
}
pub(crate) use vocabulary;

/// An object, and nothing but an object: what serde derives would also take an array of the fields in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Strict<T>(pub(crate) T);

describe_as_inner!(Strict; T::IS_REQUIRED, T::schema_ref(), |strict| Some(&strict.0));

impl<T: ParseFromJSON> ParseFromJSON for Strict<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        T::parse_from_json(value).map(Self).map_err(ParseError::propagate)
    }
}

impl<T: ToJSON> ToJSON for Strict<T> {
    fn to_json(&self) -> Option<Value> {
        self.0.to_json()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Strict<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Strict<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Strict)
            }
        }

        deserializer.deserialize_map(Object(std::marker::PhantomData))
    }
}

/// One field of a merge patch.
pub(crate) fn patch<T, U>(field: MaybeUndefined<T>, convert: impl FnOnce(T) -> U) -> Patch<U> {
    match field {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Clear,
        MaybeUndefined::Value(value) => Patch::Set(convert(value)),
    }
}
