use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Code, Violations};

/// What a free JSON field may hold.
#[derive(Clone, Copy, Debug)]
pub struct JsonRule {
    /// The outermost shape.
    pub shape: JsonShape,
    /// Most bytes of the canonical form.
    pub max_bytes: usize,
    /// Deepest nesting; the outermost object or array counts as one.
    pub max_depth: usize,
}

/// The outermost shape of a free JSON field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JsonShape {
    /// An object.
    Object,
    /// An array of at most so many objects.
    ObjectArray(usize),
}

/// JSON whose meaning is the client's own, in the one form that every engine gives back.
///
/// Object keys are sorted by code point, there is no white space, and numbers read as PostgreSQL's `jsonb` shows them:
/// `1e2` is `100`, `-0` is `0`, `1.50` stays `1.50`. Numbers of any size keep every digit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FreeJson(String);

impl FreeJson {
    /// Checks and canonicalises a JSON text. Violations are noted at `pointer` and below.
    ///
    /// Besides the rule itself, what no engine or not every engine can keep is refused: a key twice in one object, U+0000 in a
    /// text, an exponent beyond 308.
    pub fn parse(raw: &str, rule: JsonRule, pointer: &str) -> Result<Self, Violations> {
        let shape_is_right = match rule.shape {
            JsonShape::Object => raw.trim_start().starts_with('{'),
            JsonShape::ObjectArray(_) => raw.trim_start().starts_with('['),
        };
        let refuse = |code, message: String| {
            let mut violations = Violations::new();
            violations.add(pointer, code, message);
            Err(violations)
        };
        if !shape_is_right {
            return match rule.shape {
                JsonShape::Object => refuse(Code::WrongType, "must be an object".into()),
                JsonShape::ObjectArray(_) => refuse(Code::WrongType, "must be an array of objects".into()),
            };
        }
        if let JsonShape::ObjectArray(most) = rule.shape {
            let entries: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
            if entries.len() > most {
                return refuse(Code::TooMany, format!("must have at most {most} entries"));
            }
            if entries.iter().any(|entry| !entry.get().starts_with('{')) {
                return refuse(Code::WrongType, "must be an array of objects".into());
            }
        }
        let mut text = String::with_capacity(raw.len());
        match write_canonical(raw, rule.max_depth, &mut text) {
            Ok(()) if text.len() > rule.max_bytes => {
                refuse(Code::TooLong, format!("must have at most {} bytes", rule.max_bytes))
            }
            Ok(()) => Ok(Self(text)),
            Err(Unfit { code, message }) => refuse(code, message.into()),
        }
    }

    /// Reads what a store kept. Any JSON text is accepted; `None` when it is none.
    pub fn from_stored(raw: &str) -> Option<Self> {
        let mut text = String::with_capacity(raw.len());
        write_canonical(raw, usize::MAX, &mut text).ok().map(|()| Self(text))
    }

    /// This object after a merge patch (RFC 7396): a member that is `null` goes, an object merges, anything else replaces.
    /// `stored` is none where there was no object yet.
    pub fn merge(stored: Option<&Self>, patch: &str, rule: JsonRule, pointer: &str) -> Result<Self, Violations> {
        let patch = Self::parse(patch, rule, pointer)?;
        let mut text = String::new();
        let merged = write_merged(stored.map(Self::as_str), patch.as_str(), &mut text);
        let refused = match merged {
            Ok(()) if text.len() <= rule.max_bytes => return Ok(Self(text)),
            Ok(()) => unfit(Code::TooLong, "would become too long"),
            Err(unfit) => unfit,
        };
        let mut violations = Violations::new();
        violations.add(pointer, refused.code, refused.message);
        Err(violations)
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `{}` or `[]`.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 2
    }
}

struct Unfit {
    code: Code,
    message: &'static str,
}

const fn unfit(code: Code, message: &'static str) -> Unfit {
    Unfit { code, message }
}

fn malformed(_: serde_json::Error) -> Unfit {
    unfit(Code::BadFormat, "must be JSON")
}

fn write_canonical(raw: &str, depth_left: usize, out: &mut String) -> Result<(), Unfit> {
    let raw = raw.trim();
    match raw.as_bytes().first() {
        Some(b'{' | b'[') if depth_left == 0 => Err(unfit(Code::TooDeep, "is nested too deep")),
        Some(b'{') => {
            let Members(mut members) = serde_json::from_str(raw).map_err(malformed)?;
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return Err(unfit(Code::Duplicate, "has a key twice in one object"));
            }
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(key, out)?;
                out.push(':');
                write_canonical(value.get(), depth_left - 1, out)?;
            }
            out.push('}');
            Ok(())
        }
        Some(b'[') => {
            let entries: Vec<&RawValue> = serde_json::from_str(raw).map_err(malformed)?;
            out.push('[');
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(entry.get(), depth_left - 1, out)?;
            }
            out.push(']');
            Ok(())
        }
        Some(b'"') => write_text(&serde_json::from_str::<String>(raw).map_err(malformed)?, out),
        Some(b'-' | b'0'..=b'9') => write_number(raw, out),
        _ => {
            serde_json::from_str::<Option<bool>>(raw).map_err(malformed)?;
            out.push_str(raw);
            Ok(())
        }
    }
}

/// Merges two canonical texts, of which `patch` is an object.
fn write_merged(stored: Option<&str>, patch: &str, out: &mut String) -> Result<(), Unfit> {
    let members = |text| {
        let Members(members) = serde_json::from_str(text).map_err(malformed)?;
        Ok(members
            .into_iter()
            .map(|(key, value)| (key, value.get()))
            .collect::<BTreeMap<_, _>>())
    };
    let mut merged = match stored {
        Some(stored) if stored.starts_with('{') => members(stored)?,
        _ => BTreeMap::new(),
    };
    let patch = members(patch)?;
    for (key, value) in &patch {
        if *value == "null" {
            merged.remove(key);
        } else {
            merged.entry(key.clone()).or_insert("null");
        }
    }
    out.push('{');
    for (index, (key, stored)) in merged.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(key, out)?;
        out.push(':');
        match patch.get(key) {
            None => out.push_str(stored),
            Some(value) if value.starts_with('{') => write_merged(Some(stored), value, out)?,
            Some(value) => out.push_str(value),
        }
    }
    out.push('}');
    Ok(())
}

fn write_text(text: &str, out: &mut String) -> Result<(), Unfit> {
    if text.contains('\0') {
        return Err(unfit(Code::Nul, "must not contain the character U+0000"));
    }
    out.push_str(&serde_json::to_string(text).map_err(malformed)?);
    Ok(())
}

/// Writes a number as PostgreSQL's `numeric` shows it: without exponent, with as many decimals as were written.
fn write_number(raw: &str, out: &mut String) -> Result<(), Unfit> {
    const MOST: i64 = 308;
    let beyond = unfit(Code::OutOfRange, "has a number with an exponent beyond 308");
    let (mantissa, exponent) = match raw.find(['e', 'E']) {
        Some(at) => (&raw[..at], raw[at + 1..].parse::<i64>().unwrap_or(i64::MAX)),
        None => (raw, 0),
    };
    if !(-MOST..=MOST).contains(&exponent) {
        return Err(beyond);
    }
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !(whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())) {
        return Err(unfit(Code::BadFormat, "must be JSON"));
    }
    let digits = format!("{whole}{fraction}");
    if digits.len() > 2_000 {
        return Err(unfit(Code::OutOfRange, "has a number with more than 2000 digits"));
    }
    // The decimal point stands before digits[point]; it may lie outside of them on either side.
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX) + exponent;
    let mut integer = String::new();
    let mut decimals = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let before_point = i64::try_from(index).unwrap_or(i64::MAX) < point;
        if before_point {
            integer.push(digit)
        } else {
            decimals.push(digit)
        }
    }
    let missing_before = point - i64::try_from(digits.len()).unwrap_or(i64::MAX);
    integer.extend(std::iter::repeat_n('0', usize::try_from(missing_before).unwrap_or(0)));
    decimals.insert_str(0, &"0".repeat(usize::try_from(-point).unwrap_or(0)));
    let integer = integer.trim_start_matches('0');
    let is_zero = integer.is_empty() && decimals.bytes().all(|byte| byte == b'0');
    if negative && !is_zero {
        out.push('-');
    }
    out.push_str(if integer.is_empty() { "0" } else { integer });
    if !decimals.is_empty() {
        out.push('.');
        out.push_str(&decimals);
    }
    Ok(())
}

/// The members of an object in the order written, doubles included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OBJECT: JsonRule = JsonRule {
        shape: JsonShape::Object,
        max_bytes: 1_000,
        max_depth: 3,
    };

    fn canonical(raw: &str) -> Result<String, Code> {
        FreeJson::parse(raw, OBJECT, "/x")
            .map(|json| json.as_str().to_owned())
            .map_err(|violations| crate::Invalid::from(violations).violations()[0].code)
    }

    fn merged(stored: Option<&str>, patch: &str) -> String {
        let stored = stored.map(|raw| FreeJson::parse(raw, OBJECT, "/x").unwrap());
        FreeJson::merge(stored.as_ref(), patch, OBJECT, "/x")
            .unwrap()
            .as_str()
            .to_owned()
    }

    #[test]
    fn ch_10_an_object_merges_as_rfc_7396_says() {
        for (stored, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
            ("{}", r#"{"a":{"bb":{"c":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merged(Some(stored), patch), result, "{stored} {patch}");
        }
        assert_eq!(merged(None, r#"{"b":1e2,"a":null}"#), r#"{"b":100}"#);
    }

    #[test]
    fn ch_90_a_merged_object_keeps_the_limits() {
        let half = format!(r#"{{"a":"{}"}}"#, "x".repeat(600));
        let stored = FreeJson::parse(&half, OBJECT, "/x").unwrap();
        assert!(FreeJson::merge(Some(&stored), &half, OBJECT, "/x").is_ok());
        let other = half.replace('a', "b");
        let refused = FreeJson::merge(Some(&stored), &other, OBJECT, "/x").unwrap_err();
        assert_eq!(crate::Invalid::from(refused).violations()[0].code, Code::TooLong);
        assert!(FreeJson::merge(Some(&stored), "[]", OBJECT, "/x").is_err());
    }

    #[test]
    fn keys_are_sorted_and_white_space_is_gone() {
        assert_eq!(
            canonical(r#" { "b" : [ 1 , null ], "a" : { "z":true,"y":"\u00e9\n"} } "#).unwrap(),
            r#"{"a":{"y":"é\n","z":true},"b":[1,null]}"#
        );
    }

    #[test]
    fn numbers_read_as_jsonb_shows_them() {
        for (written, read) in [
            ("1e2", "100"),
            ("1.50", "1.50"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("1.50e1", "15.0"),
            ("1.5e3", "1500"),
            ("1E-3", "0.001"),
            ("-12.5e-2", "-0.125"),
            ("0e5", "0"),
            ("0.0010e2", "0.10"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("9007199254740993", "9007199254740993"),
        ] {
            assert_eq!(
                canonical(&format!(r#"{{"n":{written}}}"#)).unwrap(),
                format!(r#"{{"n":{read}}}"#),
                "{written}"
            );
        }
    }

    #[test]
    fn what_an_engine_could_not_keep_is_refused() {
        assert_eq!(canonical(r#"{"a":1,"a":2}"#), Err(Code::Duplicate));
        assert_eq!(canonical(r#"{"a":"\u0000"}"#), Err(Code::Nul));
        assert_eq!(canonical(r#"{"a":1e309}"#), Err(Code::OutOfRange));
        assert_eq!(canonical(r#"{"a":1e-309}"#), Err(Code::OutOfRange));
        assert_eq!(canonical(r#"{"a":1e99999999999999999999}"#), Err(Code::OutOfRange));
        assert_eq!(canonical(r#"{"a":[[[1]]]}"#), Err(Code::TooDeep));
        assert_eq!(canonical(r#"{"a":"\ud800"}"#), Err(Code::BadFormat));
        assert_eq!(canonical("[]"), Err(Code::WrongType));
        assert_eq!(canonical("7"), Err(Code::WrongType));
    }

    #[test]
    fn an_array_field_takes_a_bounded_number_of_objects() {
        let rule = JsonRule {
            shape: JsonShape::ObjectArray(2),
            max_bytes: 100,
            max_depth: 3,
        };
        assert!(FreeJson::parse(r#"[{},{"a":1}]"#, rule, "/x").is_ok());
        for raw in ["[{},{},{}]", "[1]", "{}"] {
            assert!(FreeJson::parse(raw, rule, "/x").is_err(), "{raw}");
        }
    }

    #[test]
    fn the_canonical_form_is_what_is_measured() {
        let rule = JsonRule { max_bytes: 7, ..OBJECT };
        assert!(FreeJson::parse(r#"{   "a":   1   }"#, rule, "/x").is_ok());
        assert!(FreeJson::parse(r#"{"a":1e2}"#, rule, "/x").is_err());
    }

    proptest! {
        #[test]
        fn canonical_is_a_fixed_point(whole in "-?(0|[1-9][0-9]{0,25})", fraction in "(\\.[0-9]{1,9})?", exponent in "([eE][+-]?[0-9]{1,2})?", key in "\\PC{0,6}") {
            let raw = format!("{{{}:{whole}{fraction}{exponent}}}", serde_json::to_string(&key).unwrap());
            let once = canonical(&raw).unwrap();
            prop_assert_eq!(canonical(&once).unwrap(), once.clone());
            let number = format!("{whole}{fraction}{exponent}");
            let shown = once.rsplit_once(':').unwrap().1.trim_end_matches('}');
            prop_assert_eq!(number.parse::<f64>().unwrap(), shown.parse::<f64>().unwrap());
        }
    }
}
