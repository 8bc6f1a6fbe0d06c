//! Moments as people write them, for `--since` and `--until`: read, and shown again. What time it is comes from the caller.

mod calendar;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use persistor_core::{Error, ErrorKind, Result};

use calendar::calendar;

/// A reason not to read a text, with what to write instead.
type Reason = String;

const EXAMPLES: &str = "write it like `2026-11-22T05:40:00Z`, `2026-11-22` or `2h ago`";

/// The moment that `text` names, in UTC and in the years 0001–9999.
///
/// Read are RFC 3339 and shorter forms of it (`2026-11-22T05:40:12.503Z`, `2026-11-22 05:40`, `2026-11-22`, `2026-11`), which mean the beginning
/// of what they name, in UTC unless an offset follows (`2026-11-22 05:40 +02:00`); `now`; `today` and `yesterday` in place of a date; and
/// durations before `now` (`2h ago`, `1 day 6 hours ago`), in which a month is 30.44 days and a year 365.25. Case and outer space do not matter.
///
/// # Errors
/// [`ErrorKind::Invalid`] with the text, the reason and what to write instead.
pub fn moment(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let text = text.trim();
    read(text, now).map_err(|reason| Error::new(ErrorKind::Invalid, format!("`{text}` is no moment that can be read: {reason}")))
}

/// `2026-11-22 05:40:12 UTC`, with as many digits of fraction as it needs. [`moment`] reads it again.
pub fn shown(moment: DateTime<Utc>) -> String {
    let digits = moment.format("%Y-%m-%d %H:%M:%S%.9f").to_string();
    format!("{} UTC", digits.trim_end_matches('0').trim_end_matches('.'))
}

fn read(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Reason> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    let day = |days| now.date_naive().checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN);
    let moment = if words == "now" {
        now
    } else if let Some(rest) = words.strip_prefix("today") {
        calendar(&format!("{}{rest}", day(0)))?
    } else if let Some(rest) = words.strip_prefix("yesterday") {
        calendar(&format!("{}{rest}", day(1)))?
    } else if words.ends_with("ago") {
        let span = duration(&text[..text.len() - "ago".len()])?;
        now.checked_sub_signed(span).ok_or_else(out_of_range)?
    } else {
        calendar(&words).map_err(|reason| better_reason(text, &words).unwrap_or(reason))?
    };
    if (1..=9999).contains(&moment.year()) { Ok(moment) } else { Err(out_of_range()) }
}

fn out_of_range() -> Reason {
    format!("moments lie in the years 0001 to 9999; {EXAMPLES}")
}

fn duration(text: &str) -> Result<TimeDelta, Reason> {
    // Two reasons: nobody means more, and the parser panics on some sums near 2^64 seconds.
    if text.bytes().filter(u8::is_ascii_digit).count() > 11 {
        return Err(format!("the duration has more than 11 digits; {EXAMPLES}"));
    }
    if text.split(|c: char| !c.is_ascii_alphabetic()).any(|unit| unit == "M") {
        return Err("`M` may be months or minutes; write `3 months ago` or `3m ago`".to_owned());
    }
    let span = humantime::parse_duration(&text.to_ascii_lowercase())
        .map_err(|_| "before `ago` stands a duration; write it like `90m ago`, `3 days ago` or `1 hour 30 min ago`".to_owned())?;
    TimeDelta::from_std(span).map_err(|_| out_of_range())
}

/// What to say about a text that was plainly meant as something else.
fn better_reason(text: &str, words: &str) -> Option<Reason> {
    let only_digits = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let numbers: Vec<_> = words.split(['.', '/', '-']).take_while(only_digits).collect();
    if words.is_empty() {
        Some(format!("it is empty; {EXAMPLES}"))
    } else if duration(text).is_ok() {
        Some(format!("a duration needs its direction; write `{text} ago`"))
    } else if words.starts_with("in ") || words == "tomorrow" {
        Some(format!("what lies ahead is written out; {EXAMPLES}"))
    } else if only_digits(&words) && words.len() > 4 {
        Some("a bare number may be seconds, milliseconds or a date; write RFC 3339, such as `2026-11-22T05:40:00Z`".to_owned())
    } else if numbers.len() >= 2 && numbers[0].len() > 4 {
        Some(out_of_range())
    } else if numbers.len() >= 2 && !(numbers[0].len() == 4 && numbers[1].len() == 2 && words[4..].starts_with('-')) {
        Some("a date is year, month and day with hyphens, four digits and two each; write it like `2026-11-22`".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_326_012, 503_000_000).expect("a moment")
    }

    fn refusal(text: &str) -> String {
        let error = moment(text, now()).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    }

    #[test]
    fn what_people_write_is_read() {
        for (text, read) in [
            ("2026-11-22T05:40:12.503Z", "2026-11-22 05:40:12.503 UTC"),
            ("2026-11-22t05:40:12.000000001z", "2026-11-22 05:40:12.000000001 UTC"),
            (" 2026-11-22  05:40:10\tutc ", "2026-11-22 05:40:10 UTC"),
            ("2026-11-22T00:10+02:00", "2026-11-21 22:10:00 UTC"),
            ("2026-11-22 05:40 +0200", "2026-11-22 03:40:00 UTC"),
            ("2026-11-22 05 -02", "2026-11-22 07:00:00 UTC"),
            ("2026-12-31T23:59:59-00:30", "2027-01-01 00:29:59 UTC"),
            ("2024-02-29", "2024-02-29 00:00:00 UTC"),
            ("2026-11-22 +02:00", "2026-11-21 22:00:00 UTC"),
            ("2026-11-22-02:00", "2026-11-22 02:00:00 UTC"),
            ("2026-11", "2026-11-01 00:00:00 UTC"),
            ("2026", "2026-01-01 00:00:00 UTC"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31 23:59:59.999999999 UTC"),
            ("Now", "2026-11-22 05:40:12.503 UTC"),
            ("today", "2026-11-22 00:00:00 UTC"),
            ("Yesterday", "2026-11-21 00:00:00 UTC"),
            ("yesterday 18:30 +01:00", "2026-11-21 17:30:00 UTC"),
            ("2h ago", "2026-11-22 03:40:12.503 UTC"),
            ("2H AGO", "2026-11-22 03:40:12.503 UTC"),
            ("90m ago", "2026-11-22 04:10:12.503 UTC"),
            ("1d 6h ago", "2026-11-20 23:40:12.503 UTC"),
            ("3 days ago", "2026-11-19 05:40:12.503 UTC"),
            ("1 hour 30 min ago", "2026-11-22 04:10:12.503 UTC"),
            ("503ms ago", "2026-11-22 05:40:12 UTC"),
        ] {
            assert_eq!(moment(text, now()).map(shown).map_err(|error| error.to_string()).as_deref(), Ok(read), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_why_and_what_to_write() {
        for (text, reason) in [
            ("", "it is empty"),
            ("2026-02-29", "the calendar has no 2026-02-29"),
            ("2026-13", "the calendar has no 2026-13-01"),
            ("2026-11-22T24:00:00Z", "`2026-11-23T00:00:00Z`"),
            ("2026-11-22T05:40:60Z", "leap seconds are not kept"),
            ("2026-11-22T05:60Z", "times run from 00:00:00 to 23:59:59"),
            ("2026-11-22T05:40:12.Z", "a fraction has 1 to 9 digits"),
            ("2026-11-22T05:40:12.1234567890Z", "a fraction has 1 to 9 digits"),
            ("0000-12-31", "years 0001 to 9999"),
            ("0001-01-01 +00:01", "years 0001 to 9999"),
            ("9999-12-31T23:59:59-00:01", "years 0001 to 9999"),
            ("2h", "write `2h ago`"),
            ("5 minutes", "write `5 minutes ago`"),
            ("in 2h", "what lies ahead is written out"),
            ("ago", "before `ago` stands a duration"),
            ("an hour ago", "before `ago` stands a duration"),
            ("1M ago", "write `3 months ago` or `3m ago`"),
            ("3000 years ago", "years 0001 to 9999"),
            ("9999999999 years ago", "years 0001 to 9999"),
            ("99999999999 years ago", "years 0001 to 9999"),
            ("18446744073709551615s 1000000000ns ago", "more than 11 digits"),
            ("2026-11-22T05:40+1:00", "no offset"),
            ("2026-11-22T05:40+01:5", "no offset"),
            ("2026-11-22T05:40+01:005", "no offset"),
            ("2026-11-22T05:40+01:60", "no offset"),
            ("2026-11-22 05:40 CET", "give the offset, such as `+01:00`"),
            ("2026-11-22T05:40+01:00[Europe/Berlin]", "give the offset, such as `+01:00`"),
            ("2026-11-22 05:40 PM", "hours run from 00 to 23"),
            ("2026-11-22 05:40 +2", "`+2` is no offset"),
            ("2026-11-22 05:40+24:00", "`+24:00` is no offset"),
            ("22.11.2026", "write it like `2026-11-22`"),
            ("11/22/2026 05:40", "write it like `2026-11-22`"),
            ("2026/11/22", "write it like `2026-11-22`"),
            ("22-11-2026", "write it like `2026-11-22`"),
            ("2026-1-5", "write it like `2026-11-22`"),
            ("1795325412", "write RFC 3339"),
            ("12026-11-22", "years 0001 to 9999"),
            ("last week", "write it like"),
        ] {
            let refusal = refusal(text);
            assert!(refusal.contains(reason) && refusal.starts_with(&format!("`{text}`")), "{refusal}");
            assert!(["`2026-11-2", " ago`"].iter().any(|example| refusal.contains(example)), "{refusal}");
        }
    }

    #[test]
    fn a_clock_at_the_end_of_time_does_no_harm() {
        for now in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            for text in ["now", "today", "yesterday", "1s ago", "9999 years ago"] {
                assert!(moment(text, now).is_err(), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn rfc_3339_and_what_is_shown_are_read_again(second in -62_135_596_800i64..=253_402_300_799, nanosecond in 0u32..1_000_000_000) {
            let given = DateTime::from_timestamp(second, nanosecond).expect("a moment");
            for text in [given.to_rfc3339(), shown(given), given.format("%Y-%m-%d %H:%M:%S%.9f+00").to_string()] {
                prop_assert_eq!(moment(&text, now()).map_err(|error| error.to_string()), Ok(given));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC*", near in "[0-9tzTZ:. +/é-]{0,30}|([0-9]{1,20}(s|ns|[A-Za-zµ ]{1,6}) ?){1,3}(ago)?") {
            for text in [&text, &near] {
                if let Err(error) = moment(text, now()) {
                    prop_assert!(error.to_string().contains(text.trim()));
                }
            }
        }
    }
}
