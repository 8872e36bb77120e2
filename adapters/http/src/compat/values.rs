//! The values of the surface: how each is read and written.

use std::borrow::Cow;
use std::fmt;

use larder_domain::{Code, Instant, InvalidInstant};
use larder_ports::inbound::PageRequest;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::body::Payload;
use crate::problem::Problem;
use crate::values::Optional;
use crate::values::{describe, describe_as_inner, inline, nullable, refuse};

/// A body as it is sent to the surface: whose data it is about is the token's matter, so what it says of that is read over
/// (`CO-01`); and it counts as JSON without saying so (`CO-04`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Sent<T>(pub(super) T);

/// The keys that are read over, whatever their value.
const OF_CUSTOMER: [&str; 2] = ["customer_id", "customerId"];

describe_as_inner!(Sent; T::IS_REQUIRED, T::schema_ref(), |sent| Some(&sent.0));

impl<T: Payload> Payload for Sent<T> {
    const EXAMPLE: &'static str = T::EXAMPLE;
    const MAY_BE_UNTYPED: bool = true;

    fn is_read_only(pointer: &str) -> bool {
        T::is_read_only(pointer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Sent<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Sent<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sent<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(WithoutCustomer(map))).map(Sent)
            }
        }

        deserializer.deserialize_map(Object(std::marker::PhantomData))
    }
}

/// An object without the keys that are read over.
struct WithoutCustomer<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutCustomer<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = seed;
        loop {
            match self.0.next_key_seed(UnlessOfCustomer(seed))? {
                None => return Ok(None),
                Some(Key::Of(key)) => return Ok(Some(key)),
                Some(Key::ReadOver(unused)) => {
                    self.0.next_value::<IgnoredAny>()?;
                    seed = unused;
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

enum Key<T, K> {
    Of(T),
    ReadOver(K),
}

/// Reads a key, inside of the key's own place so that a refusal points to it.
struct UnlessOfCustomer<K>(K);

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for UnlessOfCustomer<K> {
    type Value = Key<K::Value, K>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let name = String::deserialize(deserializer)?;
        if OF_CUSTOMER.contains(&name.as_str()) {
            return Ok(Key::ReadOver(self.0));
        }
        self.0.deserialize(name.into_deserializer()).map(Key::Of)
    }
}

/// A field of an answer that may have no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Field<T> {
    /// It has one.
    Value(T),
    /// Shown as null.
    Null,
    /// Left out.
    #[default]
    Absent,
}

impl<T> Field<T> {
    fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Null | Self::Absent => None,
        }
    }

    /// Whether it is left out.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Left out where there is no value.
    pub(super) fn perhaps(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }
}

describe_as_inner!(Field; false, nullable(T::schema_ref()), |field| field.value());

impl<T: ParseFromJSON> ParseFromJSON for Field<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let value = Option::parse_from_json(value).map_err(ParseError::propagate)?;
        Ok(value.map_or(Self::Null, Self::Value))
    }
}

impl<T: ToJSON> ToJSON for Field<T> {
    fn to_json(&self) -> Option<Value> {
        self.value()?.to_json()
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

/// How many rows are wanted (`CO-06`).
pub(super) fn limit(sent: Optional<i64>) -> Result<u32, Problem> {
    const DEFAULT: u32 = 30;
    match sent.0 {
        None => Ok(DEFAULT),
        Some(0) => Ok(PageRequest::MAX_LIMIT),
        Some(limit) if limit > 0 => {
            Ok(u32::try_from(limit).map_or(PageRequest::MAX_LIMIT, |limit| limit.min(PageRequest::MAX_LIMIT)))
        }
        Some(_) => Err(Problem::violation("/limit", Code::OutOfRange, "must be 0 or more")),
    }
}

/// How many rows are skipped (`CO-06`).
pub(super) fn offset(sent: Optional<i64>) -> Result<u32, Problem> {
    const MOST: u32 = 10_000;
    let offset = u32::try_from(sent.0.unwrap_or_default()).ok();
    offset
        .filter(|offset| *offset <= MOST)
        .ok_or_else(|| Problem::violation("/offset", Code::OutOfRange, "must be from 0 to 10000"))
}

/// What an operation does with fields that have no value (`CO-08`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nulls {
    /// Shows them as null.
    Kept,
    /// Leaves them out.
    Stripped,
}

impl Nulls {
    /// A field by this policy.
    pub(super) fn show<T>(self, value: Option<T>) -> Field<T> {
        match (value, self) {
            (Some(value), _) => Field::Value(value),
            (None, Self::Kept) => Field::Null,
            (None, Self::Stripped) => Field::Absent,
        }
    }
}

/// An instant (`CO-07`): RFC 3339 with an offset, or a bare day, which is its first instant in UTC. Answers have `+00:00`, and six
/// decimals or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment(pub(super) Instant);

describe!(
    Moment,
    "string_date-time",
    inline(MetaSchema::new_with_format("string", "date-time"))
);

impl Moment {
    fn parse(text: &str) -> Result<Self, InvalidInstant> {
        let is_day = text.len() == "2026-01-01".len();
        let instant = match is_day {
            true => Instant::parse(&format!("{text}T00:00:00Z")),
            false => Instant::parse(text),
        };
        instant.map(Self)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let text = text.trim_end_matches('Z');
        write!(f, "{}+00:00", text.strip_suffix(".000000").unwrap_or(text))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
                Moment::parse(text).map_err(|invalid| match invalid {
                    InvalidInstant::Format => refuse(
                        Code::BadFormat,
                        "must be a day, or a date and time with an offset, as RFC 3339 has them",
                    ),
                    InvalidInstant::Range => refuse(Code::OutOfRange, invalid),
                })
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// An id that may be sent as an empty text, which is as if it was absent (`CO-05`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct SentId(pub(super) Option<Uuid>);

describe!(
    SentId,
    "compat_id",
    inline(MetaSchema {
        description: Some("A UUID; an empty text is as if it was absent."),
        ..MetaSchema::new("string")
    })
);

impl Serialize for SentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = SentId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SentId, E> {
                if text.is_empty() {
                    return Ok(SentId(None));
                }
                match text.parse() {
                    Ok(id) => Ok(SentId(Some(id))),
                    Err(_) => Err(refuse(Code::BadFormat, "must be a UUID")),
                }
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn co_07_instants_have_an_offset_and_six_decimals_or_none() {
        for (sent, shown) in [
            ("2026-04-11T11:00:01+02:00", "2026-04-11T09:00:01+00:00"),
            ("2026-04-11T09:00:01.25Z", "2026-04-11T09:00:01.250000+00:00"),
            ("2026-04-11T09:00:01.000000Z", "2026-04-11T09:00:01+00:00"),
            ("2026-04-11", "2026-04-11T00:00:00+00:00"),
        ] {
            assert_eq!(Moment::parse(sent).unwrap().to_string(), shown, "{sent}");
        }
        for text in [
            "2026-04-11T09:00:01",
            "2026-04-31",
            "2026-4-11",
            "",
            "yesterday",
            "20260411",
        ] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn co_01_whose_data_it_is_is_read_over() {
        #[derive(Deserialize, PartialEq, Debug)]
        #[serde(deny_unknown_fields)]
        struct Body {
            a: i64,
        }
        let read = |text: &str| serde_json::from_str::<Sent<Body>>(text);
        for text in [
            r#"{"a": 1}"#,
            r#"{"customer_id": 7, "a": 1}"#,
            r#"{"a": 1, "customerId": {"x": [null]}, "customer_id": "z"}"#,
        ] {
            assert_eq!(read(text).unwrap(), Sent(Body { a: 1 }), "{text}");
        }
        for text in [r#"{"a": 1, "customer": 1}"#, r#"{"customer_id": 1}"#, "[1]", "null"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn co_06_limits_and_offsets() {
        let limited = |sent| limit(Some(sent).into()).ok();
        assert_eq!(limit(None.into()).ok(), Some(30));
        for (sent, rows) in [(0, 200), (1, 1), (200, 200), (201, 200), (i64::MAX, 200)] {
            assert_eq!(limited(sent), Some(rows), "{sent}");
        }
        assert_eq!(limited(-1), None);
        let skipped = |sent| offset(Some(sent).into()).ok();
        assert_eq!(offset(None.into()).ok(), Some(0));
        assert_eq!((skipped(0), skipped(10_000)), (Some(0), Some(10_000)));
        assert_eq!((skipped(10_001), skipped(-1), skipped(1 << 40)), (None, None, None));
    }

    #[test]
    fn co_05_an_empty_id_is_as_if_it_was_absent() {
        let read = |text: &str| serde_json::from_str::<SentId>(text).map(|id| id.0);
        assert_eq!(read("\"\"").unwrap(), None);
        let id = "0199d3a0-0000-7000-8000-00000000ffff";
        assert_eq!(read(&format!("\"{id}\"")).unwrap(), id.parse().ok());
        for text in ["7", "\"7\"", "null", "\" \""] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
