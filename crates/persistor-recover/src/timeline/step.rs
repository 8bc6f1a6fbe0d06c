//! How much time one bucket takes.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use persistor_core::{Error, ErrorKind, Result};

/// How much time one bucket takes; hours and days are those of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Step {
    /// The finest step whose picture of so long a `span` fits on about 90 rows; days for all that is longer.
    pub fn for_span(span: TimeDelta) -> Self {
        if span <= TimeDelta::minutes(90) {
            Self::Minute
        } else if span <= TimeDelta::days(4) {
            Self::Hour
        } else {
            Self::Day
        }
    }

    pub(super) fn minutes(self) -> i64 {
        match self {
            Self::Minute => 1,
            Self::Hour => 60,
            Self::Day => 24 * 60,
        }
    }

    /// The number of the bucket that `moment` lies in.
    pub(super) fn bucket_of(self, moment: DateTime<Utc>) -> i64 {
        moment.timestamp().div_euclid(self.minutes() * 60)
    }

    /// The number of the first bucket that lies wholly at or behind `moment`.
    pub(super) fn bucket_behind(self, moment: DateTime<Utc>) -> i64 {
        self.bucket_of(moment - TimeDelta::nanoseconds(1)) + 1
    }
}

/// The words of [`Display`](fmt::Display): `minute`, `hour`, `day`.
impl FromStr for Step {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Minute, Self::Hour, Self::Day]
            .into_iter()
            .find(|step| step.to_string() == text)
            .ok_or_else(|| Error::new(ErrorKind::Invalid, format!("`{text}` is no step; write `minute`, `hour` or `day`")))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_shown() {
        for (step, word) in [(Step::Minute, "minute"), (Step::Hour, "hour"), (Step::Day, "day")] {
            assert_eq!(step.to_string(), word);
            assert_eq!(word.parse::<Step>().ok(), Some(step));
        }
        let error = "week".parse::<Step>().expect_err("no step");
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::Invalid, "`week` is no step; write `minute`, `hour` or `day`".to_owned())
        );
    }

    #[test]
    fn the_step_follows_from_the_span() {
        let second = TimeDelta::seconds(1);
        for (span, step) in [
            (TimeDelta::MIN, Step::Minute),
            (TimeDelta::minutes(90), Step::Minute),
            (TimeDelta::minutes(90) + second, Step::Hour),
            (TimeDelta::days(4), Step::Hour),
            (TimeDelta::days(4) + second, Step::Day),
            (TimeDelta::MAX, Step::Day),
        ] {
            assert_eq!(Step::for_span(span), step, "{span}");
        }
    }
}
