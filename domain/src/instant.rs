use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// A point in time in UTC with microsecond precision, within the years 1 to 9999.
///
/// Its text form is RFC 3339 with exactly six decimals and `Z`, so that it has one spelling on the wire and sorts as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

/// The text or number is not an instant that Larder can keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidInstant {
    /// Not RFC 3339, which also means: a date and time with an offset.
    #[error("must be a date and time with an offset, as RFC 3339 has it")]
    Format,
    /// Before the year 1 or after 9999.
    #[error("must lie within the years 1 to 9999")]
    Range,
}

impl Instant {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    const FIRST: i64 = -62_135_596_800_000_000;
    const LAST: i64 = 253_402_300_799_999_999;
    /// The first instant of the year 1.
    pub const MIN: Self = Self(Self::FIRST);
    /// The last instant of the year 9999.
    pub const MAX: Self = Self(Self::LAST);

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn from_micros(micros: i64) -> Result<Self, InvalidInstant> {
        if (Self::FIRST..=Self::LAST).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(InvalidInstant::Range)
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339. What is finer than a microsecond is cut off.
    pub fn parse(text: &str) -> Result<Self, InvalidInstant> {
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidInstant::Format)?;
        Self::from_micros(parsed.timestamp_micros())
    }

    /// This instant moved forward; stays at the last possible instant instead of leaving the range.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(Self::LAST))
    }

    /// This instant moved back; stays at the first possible instant instead of leaving the range.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros).max(Self::FIRST))
    }

    /// This instant without its fraction of a second, as the times of a token have it (`ID-20`).
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1_000_000))
    }

    /// The time from `earlier` to this instant; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl From<DateTime<Utc>> for Instant {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros().clamp(Self::FIRST, Self::LAST))
    }
}

impl From<Instant> for DateTime<Utc> {
    fn from(instant: Instant) -> Self {
        DateTime::from_timestamp_micros(instant.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&DateTime::from(*self).to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_spelling_with_six_decimals() {
        let instant = Instant::parse("2026-04-11T11:00:01.25+02:00").unwrap();
        assert_eq!(instant.to_string(), "2026-04-11T09:00:01.250000Z");
    }

    #[test]
    fn a_time_without_offset_is_refused() {
        for text in ["2026-04-11T11:00:01", "2026-04-11", "11:00", "", "2026-04-11 11:00:01"] {
            assert_eq!(Instant::parse(text), Err(InvalidInstant::Format), "{text}");
        }
    }

    #[test]
    fn finer_than_a_microsecond_is_cut() {
        let instant = Instant::parse("2026-04-11T11:00:01.123456789Z").unwrap();
        assert_eq!(instant.to_string(), "2026-04-11T11:00:01.123456Z");
    }

    #[test]
    fn the_range_is_the_years_1_to_9999() {
        assert_eq!(
            Instant::from_micros(Instant::FIRST).unwrap().to_string(),
            "0001-01-01T00:00:00.000000Z"
        );
        assert_eq!(
            Instant::from_micros(Instant::LAST).unwrap().to_string(),
            "9999-12-31T23:59:59.999999Z"
        );
        assert_eq!(Instant::from_micros(Instant::LAST + 1), Err(InvalidInstant::Range));
        assert_eq!(
            Instant::from_micros(Instant::LAST)
                .unwrap()
                .plus(Duration::from_secs(1))
                .as_micros(),
            Instant::LAST
        );
    }

    #[test]
    fn moves_within_the_range() {
        let instant = Instant::from_micros(-1_500_000).unwrap();
        assert_eq!(instant.minus(Duration::from_secs(1)).as_micros(), -2_500_000);
        assert_eq!(
            Instant::from_micros(Instant::FIRST)
                .unwrap()
                .minus(Duration::from_secs(1))
                .as_micros(),
            Instant::FIRST
        );
        assert_eq!(instant.whole_seconds().as_micros(), -2_000_000);
        assert_eq!(instant.whole_seconds().whole_seconds(), instant.whole_seconds());
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(micros in Instant::FIRST..=Instant::LAST) {
            let instant = Instant::from_micros(micros).unwrap();
            prop_assert_eq!(Instant::parse(&instant.to_string()).unwrap(), instant);
        }

        #[test]
        fn sorts_as_text_like_as_time(a in Instant::FIRST..=Instant::LAST, b in Instant::FIRST..=Instant::LAST) {
            let (a, b) = (Instant::from_micros(a).unwrap(), Instant::from_micros(b).unwrap());
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
