//! The types that a key's value may have: how each is read from text or TOML, and shown again.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use figment::value::Value;
use ipnet::IpNet;
use larder_domain::Instant;
use larder_http::Origin;
use secrecy::{ExposeSecret, SecretString};

use super::source::MASK;

/// A type that a key may have.
pub(crate) trait Setting: Sized {
    /// What a value must be, for a person: "must be {EXPECTED}".
    const EXPECTED: &'static str;

    /// Reads a value. Variables and flags always give text.
    fn read(value: &Value) -> Option<Self>;

    /// The value as TOML that `read` takes again. A secret is masked.
    fn show(&self) -> toml::Value;
}

impl Setting for String {
    const EXPECTED: &'static str = "a text";

    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }

    fn show(&self) -> toml::Value {
        self.as_str().into()
    }
}

impl Setting for SecretString {
    const EXPECTED: &'static str = "a text";

    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(Self::from)
    }

    fn show(&self) -> toml::Value {
        let shown = if self.expose_secret().is_empty() { "" } else { MASK };
        shown.into()
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn read(value: &Value) -> Option<Self> {
        value.as_str().filter(|text| !text.is_empty()).map(Self::from)
    }

    fn show(&self) -> toml::Value {
        self.to_string_lossy().as_ref().into()
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str = "an address with a port, such as 127.0.0.1:8080 or [::]:8080";

    fn read(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }

    fn show(&self) -> toml::Value {
        self.to_string().into()
    }
}

/// Networks: a list, or a text with commas. An address alone is the network of that address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Networks(pub(crate) Vec<IpNet>);

impl Setting for Networks {
    const EXPECTED: &'static str = "a list of addresses or networks, such as 10.0.0.0/8, ::1";

    fn read(value: &Value) -> Option<Self> {
        let read = |text: &str| {
            let text = text.trim();
            let alone = text.parse::<IpAddr>().map(IpNet::from);
            alone.ok().or_else(|| text.parse().ok())
        };
        let list = match value {
            Value::Array(_, list) => list.iter().map(|item| read(item.as_str()?)).collect(),
            Value::String(_, text) if text.trim().is_empty() => Some(Vec::new()),
            Value::String(_, text) => text.split(',').map(read).collect(),
            _ => None,
        };
        list.map(Self)
    }

    fn show(&self) -> toml::Value {
        self.0.iter().map(IpNet::to_string).collect::<Vec<String>>().into()
    }
}

/// An address to listen at, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Listener(pub(crate) Option<SocketAddr>);

impl Listener {
    const OFF: &str = "off";
}

impl Setting for Listener {
    const EXPECTED: &'static str = "an address with a port, such as 127.0.0.1:8081, or off";

    fn read(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "" | Self::OFF => Some(Self(None)),
            _ => SocketAddr::read(value).map(Some).map(Self),
        }
    }

    fn show(&self) -> toml::Value {
        self.0.map_or(Self::OFF.into(), |address| address.show())
    }
}

/// The address of a collector of traces, or none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct CollectorUrl(pub(crate) Option<String>);

impl CollectorUrl {
    const OFF: &str = "off";
}

impl Setting for CollectorUrl {
    const EXPECTED: &'static str =
        "an address without TLS and without a path, such as http://127.0.0.1:4318 (a collector beside Larder), or off";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?.trim();
        if text.is_empty() || text == Self::OFF {
            return Some(Self(None));
        }
        let address = text.strip_prefix("http://")?.trim_end_matches('/');
        let (host, port) = address.rsplit_once(':')?;
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let is_host = !host.is_empty()
            && (is_bracketed || !host.contains(':'))
            && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c));
        let is_address = is_host && port.parse::<u16>().is_ok_and(|port| port > 0);
        is_address.then(|| Self(Some(format!("http://{address}"))))
    }

    fn show(&self) -> toml::Value {
        self.0.as_deref().unwrap_or(Self::OFF).into()
    }
}

/// Origins of a browser's pages: a list, or a text with commas.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Origins(pub(crate) Vec<Origin>);

impl Setting for Origins {
    const EXPECTED: &'static str =
        "a list of origins, such as https://app.example.com, each exactly as a browser sends it";

    fn read(value: &Value) -> Option<Self> {
        let list = match value {
            Value::Array(_, list) => list.iter().map(|item| Origin::parse(item.as_str()?)).collect(),
            Value::String(_, text) if text.trim().is_empty() => Some(Vec::new()),
            Value::String(_, text) => text.split(',').map(|item| Origin::parse(item.trim())).collect(),
            _ => None,
        };
        list.map(Self)
    }

    fn show(&self) -> toml::Value {
        self.0.iter().map(Origin::to_string).collect::<Vec<String>>().into()
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "one of true, false, 1, 0, yes, no, on, off";

    fn read(value: &Value) -> Option<Self> {
        if let Some(bool) = value.to_bool() {
            return Some(bool);
        }
        match whole(value) {
            Some(0) => return Some(false),
            Some(1) => return Some(true),
            _ => {}
        }
        match value.as_str()?.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    fn show(&self) -> toml::Value {
        (*self).into()
    }
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl Setting for $number {
            const EXPECTED: &'static str = "a whole number";

            fn read(value: &Value) -> Option<Self> {
                Self::try_from(whole(value)?).ok()
            }

            fn show(&self) -> toml::Value {
                toml::Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )+};
}

whole_numbers!(u16, u32, usize);

/// Reads a list, or a text with commas.
impl Setting for Vec<String> {
    const EXPECTED: &'static str = "a list of texts, or one text with commas";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Array(_, list) => list.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            Value::String(_, text) if text.trim().is_empty() => Some(Vec::new()),
            Value::String(_, text) => Some(text.split(',').map(|item| item.trim().to_owned()).collect()),
            _ => None,
        }
    }

    fn show(&self) -> toml::Value {
        self.clone().into()
    }
}

/// A type whose values are a few words. Words after a `|` are read as well, but never shown.
macro_rules! words {
    ($type:ty, $first:literal $(| $first_other:literal)* => $first_value:expr
        $(, $word:literal $(| $other:literal)* => $value:expr)+ $(,)?) => {
        impl $crate::config::setting::Setting for $type {
            const EXPECTED: &'static str = concat!("one of ", $first $(, ", ", $word)+);

            fn read(value: &figment::value::Value) -> Option<Self> {
                match value.as_str()? {
                    $first $(| $first_other)* => Some($first_value),
                    $($word $(| $other)* => Some($value),)+
                    _ => None,
                }
            }

            fn show(&self) -> toml::Value {
                let words = [($first, $first_value) $(, ($word, $value))+];
                let word = words.iter().find(|(_, value)| value == self);
                word.map_or("", |(word, _)| *word).into()
            }
        }
    };
}

pub(super) use words;

impl Setting for Duration {
    const EXPECTED: &'static str = "a duration: seconds, or a number with a unit, such as 500ms, 15m or 2h 30m";

    fn read(value: &Value) -> Option<Self> {
        match whole(value) {
            Some(seconds) => Some(Self::from_secs(seconds)),
            None => humantime::parse_duration(value.as_str()?.trim()).ok(),
        }
    }

    fn show(&self) -> toml::Value {
        const UNITS: [(u128, &str); 5] = [
            (86_400_000_000_000, "d"),
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
        ];
        let nanos = self.as_nanos();
        match UNITS.iter().find(|(unit, _)| nanos > 0 && nanos.is_multiple_of(*unit)) {
            Some((unit, name)) => format!("{}{name}", nanos / unit).into(),
            None => humantime::format_duration(*self).to_string().into(),
        }
    }
}

impl Setting for Instant {
    const EXPECTED: &'static str =
        "a day, or a date and time with an offset, such as 2027-06-30 or 2027-06-30T12:00:00Z";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?.trim();
        let day = Self::parse(&format!("{text}T00:00:00Z"));
        day.or_else(|_| Self::parse(text)).ok()
    }

    fn show(&self) -> toml::Value {
        self.to_string().into()
    }
}

/// A size in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Bytes(pub(crate) usize);

impl Setting for Bytes {
    const EXPECTED: &'static str = "a size: bytes, or a number with a unit, such as 512KiB or 1MiB";

    fn read(value: &Value) -> Option<Self> {
        if let Some(bytes) = whole(value) {
            return usize::try_from(bytes).ok().map(Self);
        }
        let text = value.as_str()?.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);
        let factor: usize = match unit.trim() {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        number.parse::<usize>().ok()?.checked_mul(factor).map(Self)
    }

    fn show(&self) -> toml::Value {
        let (number, unit) = match self.0 {
            bytes if bytes > 0 && bytes.is_multiple_of(1 << 20) => (bytes >> 20, "MiB"),
            bytes if bytes > 0 && bytes.is_multiple_of(1 << 10) => (bytes >> 10, "KiB"),
            bytes => (bytes, "B"),
        };
        format!("{number}{unit}").into()
    }
}

/// A whole number of TOML, or digits.
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Num(_, number) => u64::try_from(number.to_u128_lossy()?).ok(),
        Value::String(_, text) => {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| text.parse().ok())?
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Setting>(value: impl Into<Value>) -> Option<T> {
        T::read(&value.into())
    }

    #[test]
    fn cf_05_durations() {
        for (text, expected) in [
            ("900", Some(Duration::from_secs(900))),
            ("0", Some(Duration::ZERO)),
            ("15m", Some(Duration::from_secs(900))),
            ("2h 30m", Some(Duration::from_secs(9000))),
            ("250ms", Some(Duration::from_millis(250))),
            ("30d", Some(Duration::from_secs(30 * 86_400))),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(read::<Duration>(text), expected, "{text}");
        }
        assert_eq!(read::<Duration>(900_i64), Some(Duration::from_secs(900)));
        assert_eq!(read::<Duration>(-900_i64), None);
        assert_eq!(read::<Duration>(1.5), None);
    }

    #[test]
    fn cf_05_booleans_in_any_case() {
        for text in ["true", "TRUE", "1", "yes", "Yes", "on"] {
            assert_eq!(read::<bool>(text), Some(true), "{text}");
        }
        for text in ["false", "0", "no", "OFF"] {
            assert_eq!(read::<bool>(text), Some(false), "{text}");
        }
        assert_eq!(read::<bool>("ja"), None);
        assert_eq!(read::<bool>(2_i64), None);
        assert_eq!(read::<bool>(true), Some(true));
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("1048576", Some(1 << 20)),
            ("1MiB", Some(1 << 20)),
            ("512 KiB", Some(512 << 10)),
            ("7B", Some(7)),
            ("1MB", None),
            ("MiB", None),
            ("99999999999999999999GiB", None),
        ] {
            assert_eq!(read::<Bytes>(text), expected.map(Bytes), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for (millis, shown) in [
            (0, "0s"),
            (1, "1ms"),
            (1_000, "1s"),
            (1_500, "1500ms"),
            (900_000, "15m"),
            (5_400_000, "90m"),
            (7_776_000_000, "90d"),
        ] {
            let duration = Duration::from_millis(millis);
            assert_eq!(duration.show().as_str(), Some(shown));
            assert_eq!(read(shown), Some(duration));
        }
        let odd = Duration::from_nanos(1_000_001);
        assert_eq!(read(odd.show().as_str().unwrap()), Some(odd));
        for bytes in [0, 1, 1024, 1500, 1 << 20, 3 << 20] {
            assert_eq!(
                read::<Bytes>(Bytes(bytes).show().as_str().unwrap()),
                Some(Bytes(bytes)),
                "{bytes}"
            );
        }
    }

    #[test]
    fn instants_and_days() {
        let instant = |text: &str| Some(Instant::parse(text).unwrap());
        assert_eq!(read("2027-06-30"), instant("2027-06-30T00:00:00Z"));
        assert_eq!(read("2027-06-30T14:00:00+02:00"), instant("2027-06-30T12:00:00Z"));
        for text in ["2027-06-31", "2027-06-30T14:00:00", "soon", ""] {
            assert_eq!(read::<Instant>(text), None, "{text}");
        }
        let shown = instant("2027-06-30T12:00:00Z").unwrap().show();
        assert_eq!(read(shown.as_str().unwrap()), instant("2027-06-30T12:00:00Z"));
    }

    #[test]
    fn networks_in_a_list_or_a_text() {
        let nets = |texts: &[&str]| Some(Networks(texts.iter().map(|text| text.parse().unwrap()).collect()));
        assert_eq!(read::<Networks>(""), nets(&[]));
        assert_eq!(
            read::<Networks>("10.0.0.0/8, ::1,127.0.0.1"),
            nets(&["10.0.0.0/8", "::1/128", "127.0.0.1/32"])
        );
        assert_eq!(
            read::<Networks>(vec!["fd00::/8", "127.0.0.1"]),
            nets(&["fd00::/8", "127.0.0.1/32"])
        );
        for text in ["10.0.0.0/33", "proxy.example.com", ",", "127.0.0.1:80"] {
            assert_eq!(read::<Networks>(text), None, "{text}");
        }
        assert_eq!(read::<Networks>(7_i64), None);
        assert_eq!(nets(&["::1/128"]).unwrap().show().to_string(), r#"["::1/128"]"#);
    }

    #[test]
    fn a_listener_may_be_off() {
        assert_eq!(read::<Listener>("off"), Some(Listener(None)));
        assert_eq!(read::<Listener>(""), Some(Listener(None)));
        let address = "127.0.0.1:9".parse().unwrap();
        assert_eq!(read::<Listener>("127.0.0.1:9"), Some(Listener(Some(address))));
        assert_eq!(read::<Listener>("9"), None);
        assert_eq!(Listener(None).show().as_str(), Some("off"));
    }

    #[test]
    fn collectors_have_a_host_and_a_port() {
        for text in [
            "http://127.0.0.1:4318",
            "http://[::1]:4318",
            "http://collector.example.com:4318",
        ] {
            let shown = read::<CollectorUrl>(text).map(|url| url.show());
            assert_eq!(shown, Some(text.into()), "{text}");
        }
        assert_eq!(
            read("http://localhost:4318/"),
            Some(CollectorUrl(Some("http://localhost:4318".into())))
        );
        assert_eq!(read("off"), Some(CollectorUrl(None)));
        assert_eq!(read(""), Some(CollectorUrl(None)));
        for text in [
            "https://127.0.0.1:4318",
            "127.0.0.1:4318",
            "http://127.0.0.1",
            "http://:4318",
            "http://127.0.0.1:0",
            "http://127.0.0.1:4318/v1/traces",
            "http://ann:pw@127.0.0.1:4318",
        ] {
            assert_eq!(read::<CollectorUrl>(text), None, "{text}");
        }
    }

    #[test]
    fn origins_are_exact() {
        let shown = |text: &str| read::<Origins>(text).map(|origins| origins.show().to_string());
        assert_eq!(
            shown("https://app.example.com, http://localhost:3000").as_deref(),
            Some(r#"["https://app.example.com", "http://localhost:3000"]"#)
        );
        assert_eq!(shown("").as_deref(), Some("[]"));
        for text in [
            "*",
            "https://*.example.com",
            "app.example.com",
            "https://app.example.com/",
            "null",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_whole_and_in_range() {
        assert_eq!(read::<u32>("12"), Some(12));
        assert_eq!(read::<u32>(12_i64), Some(12));
        for text in ["-1", "+1", "1_000", "0x10", "4294967296", "ten", ""] {
            assert_eq!(read::<u32>(text), None, "{text}");
        }
    }
}
