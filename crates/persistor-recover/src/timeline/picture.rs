//! A timeline as a person sees it at a terminal: a bar for each bucket, and where there was nothing.

use chrono::{DateTime, Utc};

use super::row::{Columns, Hole, counted, in_words};
use super::{Bucket, Step, Timeline};
use crate::figures;

/// How a picture is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns of the terminal. From 40 on, no line is longer.
    pub width: usize,
    /// Whether holes are coloured, with ANSI escapes: yellow, and red for the longest.
    pub color: bool,
    /// Whether bars and holes are drawn with block and line characters, not with `#` and `-`.
    pub unicode: bool,
}

impl Timeline {
    /// A row for each bucket of [`Self::buckets`] with its messages and bytes, one row for each hole, which is a run of empty buckets, and a
    /// sentence that sums up; each line ends with a line feed. A hole at an edge begins at `since` or ends at `until`, not with the bucket, since
    /// nobody looked beyond. Lengths of holes are given in their two largest units, rounded down.
    pub fn picture(&self, step: Step, since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>, look: Look) -> String {
        let hole = |bucket: &Bucket| {
            let covered = self.covered(since, until)?;
            let start = bucket.start.max(covered.start);
            (bucket.messages == 0).then(|| Hole { start, length: bucket.end.min(covered.end) - start })
        };
        let buckets = || self.runs(step, since, until).map(|run| run.bucket(step));
        let longest = buckets()
            .filter_map(|bucket| hole(&bucket))
            .reduce(|longest, hole| if hole.length > longest.length { hole } else { longest });
        let (headings, labels) = match step {
            Step::Minute | Step::Hour => ("%Y-%m-%d UTC", "%H:%M"),
            Step::Day => ("%Y-%m UTC", "%a %d"),
        };
        let margin = |label: &str| format!("  {label}  ");
        let width = look.width.saturating_sub(margin(&DateTime::UNIX_EPOCH.format(labels).to_string()).len());
        let columns = Columns::fitting(buckets(), width);

        let mut lines = Vec::new();
        let mut heading = String::new();
        let mut holes = 0;
        for bucket in buckets() {
            let next_heading = bucket.start.format(headings).to_string();
            if next_heading != heading {
                lines.push(next_heading.clone());
                heading = next_heading;
            }
            let (start, row) = if let Some(hole) = hole(&bucket) {
                holes += 1;
                (hole.start, hole.row(width, longest.as_ref().is_some_and(|longest| longest.start == hole.start), look))
            } else {
                (bucket.start, columns.row(&bucket, look))
            };
            lines.push(margin(&start.format(labels).to_string()) + &row);
        }
        lines.extend(wrapped(&self.summary(step, holes, longest), look.width));
        lines.join("\n") + "\n"
    }

    /// What the picture sums up to, in parts that are not broken.
    fn summary(&self, step: Step, holes: u64, longest: Option<Hole>) -> Vec<String> {
        let Some((first, last)) = self.span() else { return vec!["no messages".to_owned()] };
        let messages = counted(self.messages(), "message") + ",";
        let bytes = figures::bytes(self.bytes()) + ",";
        let Some(hole) = longest else { return vec![messages, bytes, "no holes".to_owned()] };
        let day = hole.start.date_naive();
        let start = hole.start.format(match step {
            Step::Day => "from %Y-%m-%d",
            _ if first.date_naive() == day && last.date_naive() == day => "from %H:%M",
            _ => "from %Y-%m-%d %H:%M",
        });
        let length = format!("{}{}", if holes > 1 { "longest " } else { "" }, in_words(hole.length));
        vec![messages, bytes, counted(holes, "hole") + ",", length, start.to_string()]
    }
}

/// The parts with spaces between them, on as many lines as they need.
fn wrapped(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + part.len() <= width => *line += &format!(" {part}"),
            _ => lines.push(part.clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::moment::moment;

    fn at(text: &str) -> DateTime<Utc> {
        moment(text, DateTime::UNIX_EPOCH).expect("a moment")
    }

    /// Buckets of so many messages, each of 2,650 bytes.
    fn timeline(buckets: &[(&str, u64)]) -> Timeline {
        let mut timeline = Timeline::default();
        for (second, messages) in buckets {
            (0..*messages).for_each(|_| timeline.add(at(second).naive_utc(), 2650));
        }
        timeline
    }

    const EVENING: [(&str, u64); 5] = [
        ("2026-11-22T23:40:00Z", 1204),
        ("2026-11-22T23:41:59Z", 1010),
        ("2026-11-22T23:49:00Z", 240),
        ("2026-11-22T23:51:00Z", 1),
        ("2026-11-23T00:00:00Z", 2407),
    ];

    fn look(width: usize, color: bool, unicode: bool) -> Look {
        Look { width, color, unicode }
    }

    #[test]
    fn an_evening_at_80_columns() {
        let picture = timeline(&EVENING).picture(Step::Minute, None, None, look(80, false, true));
        assert_eq!(
            picture,
            "\
2026-11-22 UTC
  23:40  ██████████████████████████▌                            1,204     3.2 MB
  23:41  ██████████████████████▏                                1,010     2.7 MB
  23:42  ╌╌╌ nothing for 7 minutes ╌╌╌
  23:49  █████▎                                                   240   636.0 kB
  23:50  ╌╌╌ nothing for 1 minute ╌╌╌
  23:51  ▏                                                          1     2.7 kB
  23:52  ╌╌╌ nothing for 8 minutes ╌╌╌
2026-11-23 UTC
  00:00  █████████████████████████████████████████████████████  2,407     6.4 MB
4,862 messages, 12.9 MB, 3 holes, longest 8 minutes from 2026-11-22 23:52
"
        );
    }

    #[test]
    fn the_edges_and_colors_at_40_columns_without_unicode() {
        let (since, until) = (Some(at("2026-11-22T23:35:30Z")), Some(at("2026-11-23T00:05Z")));
        let picture = timeline(&EVENING).picture(Step::Minute, since, until, look(40, true, false));
        assert_eq!(
            picture.replace('\x1b', "ESC"),
            "\
2026-11-22 UTC
  23:35  ESC[33mnone in 4 minutes 30 secondsESC[0m
  23:40  ######         1,204     3.2 MB
  23:41  #####          1,010     2.7 MB
  23:42  ESC[33m--- nothing for 7 minutes ---ESC[0m
  23:49  #                240   636.0 kB
  23:50  ESC[33m--- nothing for 1 minute ---ESC[0m
  23:51  #                  1     2.7 kB
  23:52  ESC[1;31m--- nothing for 8 minutes ---ESC[0m
2026-11-23 UTC
  00:00  #############  2,407     6.4 MB
  00:01  ESC[33m--- nothing for 4 minutes ---ESC[0m
4,862 messages, 12.9 MB, 5 holes,
longest 8 minutes from 2026-11-22 23:52
"
        );
    }

    #[test]
    fn an_evening_at_20_columns() {
        let picture = timeline(&EVENING).picture(Step::Minute, None, None, look(20, false, true));
        assert_eq!(
            picture,
            "\
2026-11-22 UTC
  23:40  1,204
  23:41  1,010
  23:42  ╌ 7 minutes
  23:49    240
  23:50  ╌ 1 minute
  23:51      1
  23:52  ╌ 8 minutes
2026-11-23 UTC
  00:00  2,407
4,862 messages,
12.9 MB, 3 holes,
longest 8 minutes
from 2026-11-22 23:52
"
        );
    }

    #[test]
    fn days_and_their_months() {
        let days = timeline(&[("2026-11-29", 4), ("2026-11-30", 2), ("2026-12-03", 1)]);
        let picture = days.picture(Step::Day, None, Some(at("2026-12-04 06:30")), look(60, false, true));
        assert_eq!(
            picture,
            "\
2026-11 UTC
  Sun 29  █████████████████████████████████████  4   10.6 kB
  Mon 30  ██████████████████▌                    2    5.3 kB
2026-12 UTC
  Tue 01  ╌╌╌ nothing for 2 days ╌╌╌
  Thu 03  █████████▎                             1    2.7 kB
  Fri 04  ╌╌╌ nothing for 6 hours 30 minutes ╌╌╌
7 messages, 18.6 kB, 2 holes, longest 2 days from 2026-12-01
"
        );
    }

    #[test]
    fn one_day_needs_no_date_and_no_messages_are_one_hole() {
        let day = [("2026-11-22T05:00:00Z", 1), ("2026-11-22T08:00:00Z", 1), ("2026-11-22T11:00:00Z", 1)];
        let one = timeline(&day[..2]).picture(Step::Hour, None, None, look(80, false, true));
        assert!(one.ends_with("\n2 messages, 5.3 kB, 1 hole, 2 hours from 06:00\n"), "{one}");
        let alike = timeline(&day).picture(Step::Hour, None, None, look(80, false, true));
        assert!(alike.ends_with("\n3 messages, 8.0 kB, 2 holes, longest 2 hours from 06:00\n"), "{alike}");
        let full = timeline(&EVENING[..2]).picture(Step::Minute, None, None, look(80, false, true));
        assert!(full.ends_with("\n2,214 messages, 5.9 MB, no holes\n"), "{full}");
        let none = Timeline::default();
        let picture = none.picture(Step::Hour, Some(at("2026-11-22 05:40")), Some(at("2026-11-22 08:10")), look(80, false, true));
        assert_eq!(picture, "2026-11-22 UTC\n  05:40  ╌╌╌ nothing for 2 hours 30 minutes ╌╌╌\nno messages\n");
        assert_eq!(none.picture(Step::Hour, None, None, look(80, false, true)), "no messages\n");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            messages in prop::collection::vec((0i64..1 << 34, 0u64..1 << 60, 1u64..u64::MAX), 0..12),
            since in prop::option::of(0i64..1 << 34),
            width in 40usize..220,
            unicode: bool,
            step in prop::sample::select(vec![Step::Minute, Step::Hour, Step::Day]),
        ) {
            let moment = |second| DateTime::from_timestamp(second, 0).expect("a moment");
            let mut timeline = Timeline::default();
            for (second, bytes, times) in messages {
                timeline.add(moment(second).naive_utc(), bytes);
                let many = timeline.minutes.entry(second / 60).or_default();
                many.messages = many.messages.saturating_add(times);
                timeline.total.messages = timeline.total.messages.saturating_add(times);
            }
            let since = since.map(moment);
            let picture = timeline.picture(step, since, since.map(|since| since + TimeDelta::seconds(3_605)), look(width, false, unicode));
            prop_assert!(picture.lines().all(|line| line.chars().count() <= width), "{}", picture);
            prop_assert!(unicode || picture.is_ascii());
        }
    }
}
