//! Counts of messages and bytes over time: kept per minute, given per minute, hour or day, and drawn.

mod picture;
mod row;
mod step;

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;

use chrono::{DateTime, NaiveDateTime, Utc};

pub use picture::Look;
pub use step::Step;

/// How many messages and bytes were published in each minute. It takes about 60 bytes of memory for each minute that has messages.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// By minutes since 1970.
    minutes: BTreeMap<i64, Count>,
    total: Count,
}

/// What was published from `start` (inclusive) to `end` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// A whole minute, hour or day in UTC.
    pub start: DateTime<Utc>,
    /// The beginning of the next bucket.
    pub end: DateTime<Utc>,
    /// Number of messages.
    pub messages: u64,
    /// Sum of their sizes.
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    messages: u64,
    bytes: u64,
}

/// One bucket that has messages, or all that have none up to the next that has: buckets are numbered since 1970.
struct Run {
    buckets: Range<i64>,
    count: Count,
}

impl Timeline {
    /// Adds a message of so many `bytes`, published in this `second` (UTC).
    pub fn add(&mut self, second: NaiveDateTime, bytes: u64) {
        let minute = second.and_utc().timestamp().div_euclid(60);
        let message = Count { messages: 1, bytes };
        self.minutes.entry(minute).or_default().add(message);
        self.total.add(message);
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty()
    }

    /// Number of all messages.
    pub fn messages(&self) -> u64 {
        self.total.messages
    }

    /// Sum of the sizes of all messages.
    pub fn bytes(&self) -> u64 {
        self.total.bytes
    }

    /// The beginnings of the first and of the last minute that have messages.
    pub fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let (first, _) = self.minutes.first_key_value()?;
        let (last, _) = self.minutes.last_key_value()?;
        Some((at_minute(*first), at_minute(*last)))
    }

    /// Every bucket from the first to the last one with messages, the empty ones between them included; earlier ones down to the one of `since`
    /// and later ones up to `until` (exclusive) too, where these are given. Nothing is cut off. Made one by one, since a span may be of centuries.
    pub fn buckets(
        &self,
        step: Step,
        since: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> impl Iterator<Item = Bucket> {
        self.runs(step, since, until)
            .flat_map(move |run| run.buckets.map(move |at| Run { buckets: at..at + 1, count: run.count }.bucket(step)))
    }

    /// The buckets of [`Self::buckets`], with neighbours that are empty as one.
    fn runs(&self, step: Step, since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> impl Iterator<Item = Run> {
        let Range { start: mut at, end } =
            self.covered(since, until).map_or(0..0, |covered| step.bucket_of(covered.start)..step.bucket_behind(covered.end));
        let mut filled = self.filled(step).peekable();
        iter::from_fn(move || {
            let run = match filled.next_if(|run| run.buckets.start == at) {
                Some(run) => run,
                None => Run { buckets: at..filled.peek().map_or(end, |next| next.buckets.start), count: Count::default() },
            };
            at = run.buckets.end;
            (!run.buckets.is_empty()).then_some(run)
        })
    }

    /// The buckets that have messages.
    fn filled(&self, step: Step) -> impl Iterator<Item = Run> {
        let bucket = move |minute: &i64| minute.div_euclid(step.minutes());
        let mut minutes = self.minutes.iter().peekable();
        iter::from_fn(move || {
            let (minute, count) = minutes.next()?;
            let at = bucket(minute);
            let mut count = *count;
            while let Some((_, more)) = minutes.next_if(|(minute, _)| bucket(minute) == at) {
                count.add(*more);
            }
            Some(Run { buckets: at..at + 1, count })
        })
    }

    /// From the first message or an earlier `since` to the last message or a later `until`: where a lack of messages means something.
    fn covered(&self, since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> Option<Range<DateTime<Utc>>> {
        let first = self.minutes.first_key_value().map(|(minute, _)| at_minute(*minute));
        let last_end = self.minutes.last_key_value().map(|(minute, _)| at_minute(minute + 1));
        let start = first.into_iter().chain(since).min()?;
        let end = last_end.into_iter().chain(until).max()?;
        (start < end).then_some(start..end)
    }
}

impl Count {
    fn add(&mut self, more: Self) {
        self.messages = self.messages.saturating_add(more.messages);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

impl Run {
    fn bucket(&self, step: Step) -> Bucket {
        Bucket {
            start: at_minute(self.buckets.start * step.minutes()),
            end: at_minute(self.buckets.end * step.minutes()),
            messages: self.count.messages,
            bytes: self.count.bytes,
        }
    }
}

/// The nearest moment there is, since a bucket at an end of the calendar may reach beyond it.
fn at_minute(minute: i64) -> DateTime<Utc> {
    let furthest = if minute < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp(minute * 60, 0).unwrap_or(furthest)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::moment::{moment, shown};

    fn at(text: &str) -> DateTime<Utc> {
        moment(text, DateTime::UNIX_EPOCH).expect("a moment")
    }

    fn timeline(messages: &[(&str, u64)]) -> Timeline {
        let mut timeline = Timeline::default();
        messages.iter().for_each(|(second, bytes)| timeline.add(at(second).naive_utc(), *bytes));
        timeline
    }

    fn buckets(timeline: &Timeline, step: Step, since: Option<&str>, until: Option<&str>) -> Vec<(String, u64, u64)> {
        let start = |bucket: Bucket| shown(bucket.start).replace(":00 UTC", "");
        timeline
            .buckets(step, since.map(at), until.map(at))
            .map(|bucket| (start(bucket), bucket.messages, bucket.bytes))
            .collect()
    }

    #[test]
    fn empty_buckets_are_buckets() {
        let timeline = timeline(&[("2026-11-22T05:42:00Z", 1), ("2026-11-22T05:40:59Z", 20), ("2026-11-22T05:40:00Z", 300)]);
        let row = |start: &str, messages, bytes| (format!("2026-11-22 {start}"), messages, bytes);
        let whole = [row("05:40", 2, 320), row("05:41", 0, 0), row("05:42", 1, 1)];
        assert_eq!(buckets(&timeline, Step::Minute, None, None), whole);
        assert_eq!(buckets(&timeline, Step::Hour, None, None), [row("05:00", 3, 321)]);
        assert_eq!(buckets(&timeline, Step::Day, None, None), [row("00:00", 3, 321)]);
        assert_eq!((timeline.messages(), timeline.bytes()), (3, 321));
        assert_eq!(timeline.span(), Some((at("2026-11-22T05:40Z"), at("2026-11-22T05:42Z"))));
    }

    #[test]
    fn since_and_until_extend_and_cut_nothing() {
        let timeline = timeline(&[("2026-11-22T05:40:30Z", 7)]);
        let row = |start: &str, messages| (format!("2026-11-22 {start}"), messages, messages * 7);
        for (since, until, all) in [
            ("2026-11-22T05:39:59Z", "2026-11-22T05:41:00Z", vec![row("05:39", 0), row("05:40", 1)]),
            ("2026-11-22T05:40:59Z", "2026-11-22T05:41:00.1Z", vec![row("05:40", 1), row("05:41", 0)]),
            ("2026-11-23", "2026-11-21", vec![row("05:40", 1)]),
        ] {
            assert_eq!(buckets(&timeline, Step::Minute, Some(since), Some(until)), all, "{since} {until}");
        }
    }

    #[test]
    fn without_messages_only_what_both_ends_hold_is_there() {
        let none = Timeline::default();
        let (since, until) = (Some("2026-11-22"), Some("2026-11-24T00:00:01Z"));
        assert!(none.is_empty() && none.span().is_none());
        assert_eq!(buckets(&none, Step::Day, since, until).len(), 3);
        assert_eq!(buckets(&none, Step::Day, since, None), []);
        assert_eq!(buckets(&none, Step::Day, until, since), []);
    }

    #[test]
    fn centuries_are_made_one_by_one_and_the_ends_of_the_calendar_do_no_harm() {
        let mut timeline = timeline(&[("0001-01-01", 1), ("9999-12-31T23:59:59Z", 1)]);
        assert_eq!(timeline.runs(Step::Minute, None, None).count(), 3);
        assert_eq!(timeline.buckets(Step::Minute, None, None).nth(1).map(|bucket| bucket.messages), Some(0));
        timeline.add(NaiveDateTime::MIN, u64::MAX);
        timeline.add(NaiveDateTime::MAX, u64::MAX);
        assert_eq!((timeline.messages(), timeline.bytes()), (4, u64::MAX));
        for step in [Step::Minute, Step::Hour, Step::Day] {
            let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
            assert_eq!(
                timeline.runs(step, Some(first), Some(last)).map(|run| run.bucket(step)).filter(|run| run.messages > 0).count(),
                4
            );
            assert!(timeline.buckets(step, Some(last), Some(first)).next().is_some());
        }
    }

    proptest! {
        #[test]
        fn buckets_hold_everything_and_touch(
            messages in prop::collection::vec((-200_000i64..200_000, 0u64..1 << 40), 1..40),
            ends in prop::option::of((-300_000i64..300_000, -300_000i64..300_000)),
            step in prop::sample::select(vec![Step::Minute, Step::Hour, Step::Day]),
        ) {
            let moment = |second| DateTime::from_timestamp(second, 500_000_000).expect("a moment");
            let (since, until) = ends.map(|(since, until)| (moment(since), moment(until))).unzip();
            let mut timeline = Timeline::default();
            messages.iter().for_each(|(second, bytes)| timeline.add(moment(*second).naive_utc(), *bytes));
            let buckets: Vec<_> = timeline.buckets(step, since, until).collect();
            prop_assert_eq!(buckets.iter().map(|bucket| bucket.messages).sum::<u64>(), timeline.messages());
            prop_assert_eq!(buckets.iter().map(|bucket| bucket.bytes).sum::<u64>(), messages.iter().map(|(_, bytes)| bytes).sum::<u64>());
            prop_assert!(buckets.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(buckets.iter().all(|bucket| bucket.end - bucket.start == TimeDelta::minutes(step.minutes())));
            let holds = |bucket: &Bucket, second: &i64| bucket.messages > 0 && (bucket.start..bucket.end).contains(&moment(*second));
            prop_assert!(messages.iter().all(|(second, _)| buckets.iter().any(|bucket| holds(bucket, second))));
            prop_assert!(since.is_none_or(|since| buckets[0].start <= since));
            prop_assert!(until.is_none_or(|until| buckets[buckets.len() - 1].end >= until));
        }
    }
}
