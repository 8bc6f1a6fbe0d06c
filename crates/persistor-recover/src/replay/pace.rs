//! How fast messages are sent: so many, or so many bytes, a second, evenly. Crates that limit rates have clocks of their own; this one has tokio's, which tests can hold.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use persistor_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

/// What is sent ahead of time at most, so that messages can go together.
const AHEAD: Duration = Duration::from_millis(100);

/// A rate as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Messages a second.
    Messages(f64),
    /// Bytes of payloads a second.
    Bytes(f64),
}

impl FromStr for Rate {
    type Err = Error;

    /// Reads `500/s`, `30/m`, `5MiB/s`, `200kB/s`: a number, a unit of bytes or none, and `/s`, `/m` or `/h`.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            let text = "no rate: one is messages or bytes in a time, such as `500/s`, `30/m` or `5MiB/s`";
            Error::new(ErrorKind::Invalid, text)
        };
        let (amount, time) = text.trim().rsplit_once('/').ok_or_else(invalid)?;
        let seconds = match time {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(invalid()),
        };
        let amount = amount.trim();
        let digits = amount.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(amount.len());
        let number: f64 = amount[..digits].parse().map_err(|_| invalid())?;
        let unit = match amount[digits..].trim() {
            "" => None,
            "B" => Some(1.0),
            "kB" | "KB" => Some(1e3),
            "MB" => Some(1e6),
            "GB" => Some(1e9),
            "KiB" | "kiB" => Some(1024.0),
            "MiB" => Some(1_048_576.0),
            "GiB" => Some(1_073_741_824.0),
            _ => return Err(invalid()),
        };
        let a_second = number * unit.unwrap_or(1.0) / seconds;
        if !a_second.is_finite() || a_second <= 0.0 {
            return Err(invalid());
        }
        Ok(if unit.is_some() { Self::Bytes(a_second) } else { Self::Messages(a_second) })
    }
}

impl Rate {
    /// How long so many messages with so many bytes take.
    pub fn time(self, messages: u64, bytes: u64) -> Duration {
        let seconds = match self {
            Self::Messages(a_second) => messages as f64 / a_second,
            Self::Bytes(a_second) => bytes as f64 / a_second,
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Messages(a_second) => write!(f, "{a_second} messages a second"),
            Self::Bytes(a_second) => write!(f, "{} a second", crate::figures::bytes(*a_second as u64)),
        }
    }
}

/// Keeps to a rate. What was missed is not made up for.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: Option<Rate>,
    /// When everything that was sent so far is due.
    due: Instant,
}

impl Pace {
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self { rate, due: Instant::now() }
    }

    /// When the next message may go, if it may not now.
    pub(crate) fn wait(&self) -> Option<Instant> {
        self.rate?;
        let from = self.due.checked_sub(AHEAD)?;
        (from > Instant::now()).then_some(from)
    }

    /// A message with so many bytes goes.
    pub(crate) fn take(&mut self, bytes: u64) {
        if let Some(rate) = self.rate {
            let due = self.due.max(Instant::now());
            // A rate may be so low that the next moment is out of sight.
            let far = Duration::from_secs(366 * 86_400);
            self.due = due + rate.time(1, bytes).min(far);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, rate) in [
            ("500/s", Rate::Messages(500.0)),
            (" 0.5/s ", Rate::Messages(0.5)),
            ("30/m", Rate::Messages(0.5)),
            ("7200/h", Rate::Messages(2.0)),
            ("5MiB/s", Rate::Bytes(5_242_880.0)),
            ("200 kB/s", Rate::Bytes(200_000.0)),
            ("1B/s", Rate::Bytes(1.0)),
            ("1KB/s", Rate::Bytes(1e3)),
            ("2MB/s", Rate::Bytes(2e6)),
            ("1GB/s", Rate::Bytes(1e9)),
            ("1KiB/s", Rate::Bytes(1024.0)),
            ("1kiB/s", Rate::Bytes(1024.0)),
            ("60MiB/min", Rate::Bytes(1_048_576.0)),
            ("1GiB/s", Rate::Bytes(1_073_741_824.0)),
        ] {
            assert_eq!(text.parse::<Rate>().ok(), Some(rate), "{text}");
        }
        assert_eq!(Rate::Messages(0.5).to_string(), "0.5 messages a second");
        assert_eq!(Rate::Bytes(2000.0).to_string(), "2.0 kB a second");
        for text in ["", "500", "/s", "0/s", "-1/s", "5MiB", "5mb/s", "five/s", "1/d", "1e400/s", "NaN/s", "inf/s", "5 /s/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    /// Messages of so many bytes for a minute of a paused clock.
    async fn a_minute(rate: &str, bytes: u64) -> u64 {
        let (mut pace, start, mut sent) = (Pace::new(rate.parse().ok()), Instant::now(), 0);
        loop {
            if let Some(wait) = pace.wait() {
                tokio::time::sleep_until(wait).await;
            }
            if start.elapsed() >= Duration::from_secs(60) {
                return sent;
            }
            pace.take(bytes);
            sent += 1;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_held_over_a_minute() {
        for (rate, bytes, expected) in
            [("10/s", 1, 600), ("1000/s", 1, 60_000), ("5MiB/s", 65_536, 4800), ("5MiB/s", 10_000_000, 32), ("1/m", 1, 1)]
        {
            let sent = a_minute(rate, bytes).await;
            // A tenth of a second ahead, and the one that is due when the minute ends.
            let ahead = expected / 600 + 2;
            assert!(sent >= expected && sent <= expected + ahead, "{rate}: {sent} of {expected}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_missed_is_not_made_up_for() {
        let mut pace = Pace::new("10/s".parse().ok());
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let mut at_once = 0;
        while pace.wait().is_none() {
            pace.take(1);
            at_once += 1;
        }
        assert_eq!(at_once, 2);
    }
}
