//! The publish time: the broker's instant, with the broker's own digits.

use std::cmp::Ordering;
use std::fmt;

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};

use crate::error::{Error, Result};

/// A moment in UTC, years 0001–9999, with as many digits of fraction (0–9) as the broker gave. Ordered as instants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublishTime {
    second: NaiveDateTime,
    fraction: String,
}

impl PublishTime {
    /// Reads RFC 3339 with an upper-case `T`, an upper-case `Z` or a numeric offset, 0–9 digits of fraction and seconds 00–59.
    /// The offset is taken into account and not kept; the digits of the fraction are kept as they stand.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with the reason.
    pub fn parse(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            Error::invalid("publish time is not RFC 3339 like `2026-11-22T05:40:12.503Z` (years 0001–9999, seconds 00–59, at most 9 digits of fraction)")
        })
    }

    /// The second it falls in (floor), in UTC.
    pub fn second(&self) -> NaiveDateTime {
        self.second
    }

    /// The digits of the fraction as the broker wrote them, perhaps none.
    pub fn fraction(&self) -> &str {
        &self.fraction
    }
}

fn parse(text: &str) -> Option<PublishTime> {
    let bytes = text.as_bytes();
    let number = |from: usize, digits: usize| -> Option<u32> {
        let part = bytes.get(from..from + digits)?;
        part.iter().all(u8::is_ascii_digit).then(|| part.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| bytes.get(*at) != Some(mark)) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 2)?, number(8, 2)?)?;
    let local = date.and_hms_opt(number(11, 2)?, number(14, 2)?, number(17, 2)?)?;

    let mut at = 19;
    let mut fraction = "";
    if bytes.get(at) == Some(&b'.') {
        let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        fraction = &text[at + 1..at + 1 + digits];
        at += 1 + digits;
    }
    let offset = match (bytes.get(at)?, bytes.len() - at) {
        (b'Z', 1) => 0,
        (sign @ (b'+' | b'-'), 6) if bytes[at + 3] == b':' => {
            let (hours, minutes) = (number(at + 1, 2)?, number(at + 4, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = i64::from(hours * 60 + minutes);
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let second = local.checked_sub_signed(TimeDelta::minutes(offset))?;
    (1..=9999).contains(&second.year()).then(|| PublishTime { second, fraction: fraction.to_owned() })
}

/// RFC 3339 in UTC with `Z` and the broker's own digits of fraction.
impl fmt::Display for PublishTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.second;
        write!(f, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", t.year(), t.month(), t.day(), t.hour(), t.minute(), t.second())?;
        if !self.fraction.is_empty() {
            write!(f, ".{}", self.fraction)?;
        }
        f.write_str("Z")
    }
}

impl Ord for PublishTime {
    fn cmp(&self, other: &Self) -> Ordering {
        // Digits behind a point have the order of their texts; `.5` and `.50` are one instant, but two texts, and not equal.
        (self.second, &self.fraction).cmp(&(other.second, &other.fraction))
    }
}

impl PartialOrd for PublishTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        PublishTime::parse(text).ok().map(|time| time.to_string())
    }

    #[test]
    fn the_brokers_digits_are_kept_and_the_offset_is_applied() {
        for (given, kept) in [
            ("2026-11-22T05:40:12Z", "2026-11-22T05:40:12Z"),
            ("2026-11-22T05:40:12.5Z", "2026-11-22T05:40:12.5Z"),
            ("2026-11-22T05:40:12.500Z", "2026-11-22T05:40:12.500Z"),
            ("2026-11-22T05:40:12.123456789Z", "2026-11-22T05:40:12.123456789Z"),
            ("2026-11-22T00:10:12.5+02:00", "2026-11-21T22:10:12.5Z"),
            ("2026-12-31T23:59:59-00:30", "2027-01-01T00:29:59Z"),
            ("2026-11-22T05:40:12+23:59", "2026-11-21T05:41:12Z"),
            ("2026-11-22T05:40:12-23:59", "2026-11-23T05:39:12Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ] {
            assert_eq!(shown(given).as_deref(), Some(kept), "{given}");
        }
    }

    #[test]
    fn all_else_is_refused() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22t05:40:12Z",
            "2026-11-22T05:40:12z",
            "2026-11-22 05:40:12Z",
            "2026-11-22T05:40:12",
            "2026-11-22T05:40:60Z",
            "2026-11-22T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-22T05:40:12.Z",
            "2026-11-22T05:40:12.1234567890Z",
            "2026-11-22T05:40:12+2:00",
            "2026-11-22T05:40:12+0200",
            "2026-11-22T05:40:12+24:00",
            "2026-11-22T05:40:12+00:60",
            "2026-11-22T05:40:12+02.00",
            "2026-11-22T05:40:12.+02:00",
            "2026/11-22T05:40:12Z",
            "2026-11/22T05:40:12Z",
            "2026-11-22T05.40:12Z",
            "2026-11-22T05:40.12Z",
            "2026-11-22T05:40:12ZZ",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "12026-11-22T05:40:12Z",
            " 2026-11-22T05:40:12Z",
            "2026-11-22T05:40:1２Z",
            "-026-11-22T05:40:12Z",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn order_is_the_order_of_instants() {
        let fractions = ["", ".0", ".000000001", ".09", ".1", ".10", ".499999999", ".5", ".50", ".500000001", ".9"];
        let times = fractions.map(|fraction| format!("2026-11-22T05:40:12{fraction}Z")).into_iter();
        let times: Vec<_> = ["2026-11-22T05:40:11.9Z".to_owned()]
            .into_iter()
            .chain(times)
            .chain(["2026-11-22T05:40:13Z".to_owned()])
            .map(|text| PublishTime::parse(&text).expect("valid"))
            .collect();
        assert!(times.is_sorted_by(|earlier, later| earlier < later));
    }
}
