//! Moments written as date, time and zone.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{EXAMPLES, Reason, out_of_range};

/// RFC 3339, or a beginning of it, in lower case, with or without a zone behind.
pub(super) fn calendar(words: &str) -> Result<DateTime<Utc>, Reason> {
    let mut rest = words;
    let unreadable = || EXAMPLES.to_owned();
    let year = number(&mut rest, "", 4).ok_or_else(unreadable)?;
    let month = number(&mut rest, "-", 2);
    let day = month.and_then(|_| number(&mut rest, "-", 2));
    let mut time = [0; 3];
    let mut nanosecond = 0;
    if day.is_some()
        && let Some(hour) = number(&mut rest, "t", 2).or_else(|| number(&mut rest, " ", 2))
    {
        let minute = number(&mut rest, ":", 2);
        let second = minute.and_then(|_| number(&mut rest, ":", 2));
        time = [hour, minute.unwrap_or(0), second.unwrap_or(0)];
        if second.is_some()
            && let Some(behind) = rest.strip_prefix('.')
        {
            let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=9).contains(&digits) {
                return Err("a fraction has 1 to 9 digits; write it like `2026-11-22T05:40:12.503Z`".to_owned());
            }
            nanosecond = format!("{:0<9}", &behind[..digits]).parse().unwrap_or(0);
            rest = &behind[digits..];
        }
    }
    let east = zone(rest.trim_start())?;

    if year == 0 {
        return Err(out_of_range());
    }
    let (month, day) = (month.unwrap_or(1), day.unwrap_or(1));
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).unwrap_or(0), month, day).ok_or_else(|| {
        format!("the calendar has no {year:04}-{month:02}-{day:02}; write a day that exists, such as `2026-11-22`")
    })?;
    let moment = match time {
        [24, ..] => return Err("hour 24 is hour 00 of the next day; write it like `2026-11-23T00:00:00Z`".to_owned()),
        [_, _, 60] => {
            return Err(
                "leap seconds are not kept; write second 59, or 00 of the next minute, like `2026-11-22T05:41:00Z`".to_owned()
            );
        }
        [hour, minute, second] => date
            .and_hms_nano_opt(hour, minute, second, nanosecond)
            .ok_or("times run from 00:00:00 to 23:59:59; write it like `2026-11-22T05:40:00Z`")?,
    };
    moment.checked_sub_signed(east).map(|moment| moment.and_utc()).ok_or_else(out_of_range)
}

/// Takes `mark` and exactly so many digits off the beginning of `rest`, or nothing.
fn number(rest: &mut &str, mark: &str, digits: usize) -> Option<u32> {
    let (number, behind) = rest.strip_prefix(mark)?.split_at_checked(digits)?;
    let whole = number.bytes().all(|b| b.is_ascii_digit()) && !behind.starts_with(|c: char| c.is_ascii_digit());
    *rest = if whole { behind } else { return None };
    number.parse().ok()
}

/// How far east of UTC the zone is.
fn zone(text: &str) -> Result<TimeDelta, Reason> {
    let minutes = match text {
        "" | "z" | "utc" => Some(0),
        "am" | "pm" => return Err("hours run from 00 to 23; write it like `2026-11-22T17:40:00Z`".to_owned()),
        _ => offset(text),
    };
    minutes.map(TimeDelta::minutes).ok_or_else(|| {
        if text.contains(|c: char| c.is_alphabetic()) {
            "names of zones are not known here; give the offset, such as `+01:00`: `2026-11-22T05:40:00+01:00`".to_owned()
        } else {
            format!("`{text}` is no offset such as `+01:00` and no time of day such as `05:40`; {EXAMPLES}")
        }
    })
}

/// `+02:00`, `+0200` or `+02` in minutes.
fn offset(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text.strip_prefix(['+', '-'])?;
    let digits = match digits.split_once(':') {
        Some((hours, minutes)) if hours.len() == 2 && minutes.len() == 2 => format!("{hours}{minutes}"),
        None if digits.len() == 2 => format!("{digits}00"),
        None if digits.len() == 4 => digits.to_owned(),
        _ => return None,
    };
    let value: i64 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    let (hours, minutes) = (value / 100, value % 100);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}
