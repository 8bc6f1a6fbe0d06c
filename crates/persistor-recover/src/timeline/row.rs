//! The rows of a picture behind their labels: bars with figures, and holes.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Bucket, Look};
use crate::figures;

/// Numbers far from the beginning of their row are hard to match with it, so a bar never gets longer.
const LONGEST_BAR: usize = 80;
/// A shorter bar tells nothing.
const SHORTEST_BAR: usize = 4;

/// Widths of a row's parts; 0 for a part that does not fit.
pub(super) struct Columns {
    bar: usize,
    messages: usize,
    bytes: usize,
    /// The number of messages that fills a bar.
    largest: u64,
}

impl Columns {
    /// The widths with which the rows of all `buckets` fit into `width` columns.
    pub(super) fn fitting(buckets: impl Iterator<Item = Bucket>, width: usize) -> Self {
        let (mut largest, mut bytes) = (1, 0);
        for bucket in buckets.filter(|bucket| bucket.messages > 0) {
            largest = largest.max(bucket.messages);
            bytes = bytes.max(figures::bytes(bucket.bytes).len());
        }
        let messages = figures::count(largest).len();
        let figures = messages + "   ".len() + bytes;
        let bar = width.saturating_sub(figures + "  ".len()).min(LONGEST_BAR);
        Self { bar: if bar < SHORTEST_BAR { 0 } else { bar }, messages, bytes: if figures > width { 0 } else { bytes }, largest }
    }

    pub(super) fn row(&self, bucket: &Bucket, look: Look) -> String {
        let mut row = String::new();
        if self.bar > 0 {
            row += &format!("{:<1$}  ", bar(bucket.messages, self.largest, self.bar, look.unicode), self.bar);
        }
        row += &format!("{:>1$}", figures::count(bucket.messages), self.messages);
        if self.bytes > 0 {
            row += &format!("   {:>1$}", figures::bytes(bucket.bytes), self.bytes);
        }
        row
    }
}

/// A bar of at most `width` columns that shows at least a sliver.
fn bar(messages: u64, largest: u64, width: usize, unicode: bool) -> String {
    let scaled =
        |steps: usize| usize::try_from(u128::from(messages) * steps as u128 / u128::from(largest)).unwrap_or(steps).max(1);
    if unicode {
        let eighths = scaled(width * 8);
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        "█".repeat(eighths / 8) + rest
    } else {
        "#".repeat(scaled(width))
    }
}

/// A stretch without messages.
pub(super) struct Hole {
    pub(super) start: DateTime<Utc>,
    pub(super) length: TimeDelta,
}

impl Hole {
    /// The most telling of the forms that fit into `width` columns.
    pub(super) fn row(&self, width: usize, is_longest: bool, look: Look) -> String {
        let mark = if look.unicode { "╌" } else { "-" };
        let (line, length) = (mark.repeat(3), in_words(self.length));
        let forms = [
            format!("{line} nothing for {length} {line}"),
            format!("nothing for {length}"),
            format!("none in {length}"),
            format!("{mark} {length}"),
        ];
        let form = forms.iter().find(|form| form.chars().count() <= width).unwrap_or(&forms[3]);
        match (look.color, is_longest) {
            (false, _) => form.clone(),
            (true, false) => format!("\x1b[33m{form}\x1b[0m"),
            (true, true) => format!("\x1b[1;31m{form}\x1b[0m"),
        }
    }
}

/// The two largest units, rounded down.
pub(super) fn in_words(length: TimeDelta) -> String {
    let seconds = length.num_seconds().unsigned_abs();
    let units =
        [(seconds / 86_400, "day"), (seconds / 3600 % 24, "hour"), (seconds / 60 % 60, "minute"), (seconds % 60, "second")];
    let largest = units.into_iter().skip_while(|(n, _)| *n == 0).take(2).filter(|(n, _)| *n > 0);
    let words: Vec<_> = largest.map(|(n, unit)| counted(n, unit)).collect();
    if words.is_empty() { "less than a second".to_owned() } else { words.join(" ") }
}

/// `no holes`, `1 hole`, `1,204 holes`.
pub(super) fn counted(n: u64, noun: &str) -> String {
    match n {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", figures::count(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_nothing() {
        for (messages, unicode, ascii) in
            [(0, "▏", "#"), (1, "▏", "#"), (500, "██", "##"), (560, "██▏", "##"), (999, "███▉", "###"), (1000, "████", "####")]
        {
            assert_eq!(bar(messages, 1000, 4, true), unicode);
            assert_eq!(bar(messages, 1000, 4, false), ascii);
        }
        assert_eq!(bar(u64::MAX, u64::MAX, 3, true), "███");
    }

    #[test]
    fn lengths_are_told_in_two_units() {
        let minute = 60_000;
        for (milliseconds, words) in [
            (999, "less than a second"),
            (1000, "1 second"),
            (7 * minute, "7 minutes"),
            (7 * minute + 37_000, "7 minutes 37 seconds"),
            (60 * minute, "1 hour"),
            (125 * minute, "2 hours 5 minutes"),
            (1445 * minute, "1 day"),
            (730_000 * 1440 * minute + 1439 * minute, "730,000 days 23 hours"),
        ] {
            assert_eq!(in_words(TimeDelta::milliseconds(milliseconds)), words);
        }
    }
}
