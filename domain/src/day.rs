use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::Instant;

/// A calendar day in somebody's own zone. Its text form is `YYYY-MM-DD`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Day(NaiveDate);

impl Day {
    /// The day of an instant in UTC.
    pub fn of_utc(instant: Instant) -> Self {
        Self(DateTime::<Utc>::from(instant).date_naive())
    }

    /// The day as it stands in file names: `YYYYMMDD`.
    pub fn compact(self) -> String {
        format!("{:04}{:02}{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_an_instant() {
        for (instant, day, compact) in [
            ("2026-02-28T23:59:59.999999Z", "2026-02-28", "20260228"),
            ("2026-03-01T00:00:00Z", "2026-03-01", "20260301"),
            ("0001-01-01T00:00:00Z", "0001-01-01", "00010101"),
        ] {
            let of = Day::of_utc(Instant::parse(instant).unwrap());
            assert_eq!((of.to_string().as_str(), of.compact().as_str()), (day, compact));
        }
    }
}
