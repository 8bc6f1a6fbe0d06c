//! Which messages are meant. The same for every command; what a key can tell is not asked of the record.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use persistor_core::{KeyBounds, ParsedKey, PublishTime, Record, escape};

use crate::attribute_filter::AttributeFilter;
use crate::moment::shown;

/// Conditions that all have to be met; each is met where it is empty.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    streams: BTreeSet<String>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    ids: BTreeSet<String>,
    attributes: Vec<AttributeFilter>,
    /// As they stand in keys.
    encoded_streams: BTreeSet<String>,
    encoded_ids: BTreeSet<String>,
}

impl Selection {
    /// All messages.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only messages of one of these streams.
    #[must_use]
    pub fn streams(mut self, streams: impl IntoIterator<Item = String>) -> Self {
        self.streams.extend(streams);
        self.encoded_streams = self.streams.iter().map(|stream| escape(stream)).collect();
        self
    }

    /// Only messages published at `since` or later, and before `until`.
    #[must_use]
    pub fn between(self, since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> Self {
        Self { since, until, ..self }
    }

    /// Only messages with one of these ids.
    #[must_use]
    pub fn ids(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.ids.extend(ids);
        self.encoded_ids = self.ids.iter().map(|id| escape(id)).collect();
        self
    }

    /// Only messages whose attributes meet all of these.
    #[must_use]
    pub fn attributes(mut self, filters: impl IntoIterator<Item = AttributeFilter>) -> Self {
        self.attributes.extend(filters);
        self
    }

    /// From when on.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        self.since
    }

    /// Before when.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        self.until
    }

    /// Whether few of many are looked for: ids or attributes are asked for.
    pub fn is_search(&self) -> bool {
        !self.ids.is_empty() || !self.attributes.is_empty()
    }

    /// Whether messages of this stream can be selected.
    pub(crate) fn has_stream(&self, stream: &str) -> bool {
        self.streams.is_empty() || self.streams.contains(stream)
    }

    /// What is known of the keys of selected messages.
    pub(crate) fn bounds(&self) -> KeyBounds {
        let mut bounds = KeyBounds {
            streams: self.streams.iter().cloned().collect(),
            first: self.since.map(|since| within_years(since.naive_utc())),
            // The last second of which a part lies before.
            last: self
                .until
                .map(|until| within_years(until.naive_utc().checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or_default())),
            ids: self.ids.iter().cloned().collect(),
            ..KeyBounds::default()
        };
        for (name, value) in self.attributes.iter().filter_map(AttributeFilter::exactly) {
            bounds.attributes.insert(name.to_owned(), vec![value.to_owned()]);
        }
        bounds
    }

    /// What a key tells: selected, not selected, or that its record has to be asked.
    pub(crate) fn by_key(&self, key: &ParsedKey) -> Option<bool> {
        let by_stream =
            if self.streams.is_empty() { Some(true) } else { key.stream.as_ref().map(|s| self.encoded_streams.contains(s)) };
        let by_id = Some(self.ids.is_empty() || self.encoded_ids.contains(&key.id));
        let by_attributes = self.attributes.is_empty().then_some(true);
        let parts = [by_stream, by_id, self.by_date(&key.date), by_attributes];
        if parts.contains(&Some(false)) {
            return Some(false);
        }
        parts.iter().all(Option::is_some).then_some(true)
    }

    fn by_date(&self, date: &[u32]) -> Option<bool> {
        if self.since.is_none() && self.until.is_none() {
            return Some(true);
        }
        let (from, to) = interval(date)?;
        let (since, until) = (self.since.map(|since| since.naive_utc()), self.until.map(|until| until.naive_utc()));
        if since.is_some_and(|since| to <= since) || until.is_some_and(|until| from >= until) {
            return Some(false);
        }
        (since.is_none_or(|since| since <= from) && until.is_none_or(|until| to <= until)).then_some(true)
    }

    /// Whether the message of a record is selected.
    pub fn matches(&self, record: &Record) -> bool {
        let time = instant(record.publish_time());
        (self.streams.is_empty() || self.streams.contains(record.stream().as_str()))
            && (self.ids.is_empty() || self.ids.contains(record.id().as_str()))
            && self.since.is_none_or(|since| time >= since.naive_utc())
            && self.until.is_none_or(|until| time < until.naive_utc())
            && self.attributes.iter().all(|filter| filter.matches(record))
    }
}

/// All conditions, in words that are equal where they are.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut conditions: Vec<String> = self.streams.iter().map(|stream| format!("stream={stream}")).collect();
        conditions.extend(self.since.map(|since| format!("since={}", shown(since))));
        conditions.extend(self.until.map(|until| format!("until={}", shown(until))));
        conditions.extend(self.ids.iter().map(|id| format!("id={id}")));
        conditions.extend(self.attributes.iter().map(|filter| format!("attribute {filter}")));
        if conditions.is_empty() { f.write_str("all") } else { f.write_str(&conditions.join(" ")) }
    }
}

/// Keys have four digits for the year.
fn within_years(time: NaiveDateTime) -> NaiveDateTime {
    let year = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
    time.clamp(year(0, 1, 1).into(), year(9999, 12, 31).and_hms_opt(23, 59, 59).unwrap_or_default())
}

/// A publish time to the nanosecond.
pub(crate) fn instant(time: &PublishTime) -> NaiveDateTime {
    let nanoseconds = format!("{:0<9}", time.fraction()).parse().unwrap_or(0);
    time.second() + TimeDelta::nanoseconds(nanoseconds)
}

/// What a key's date covers: from, and before.
pub(crate) fn interval(date: &[u32]) -> Option<(NaiveDateTime, NaiveDateTime)> {
    let part = |n: usize| date.get(n).copied().unwrap_or(0);
    let day = NaiveDate::from_ymd_opt(i32::try_from(part(0)).ok()?, part(1), part(2))?;
    let from = day.and_hms_opt(part(3), part(4), part(5))?;
    let length = match date.len() {
        3 => TimeDelta::days(1),
        4 => TimeDelta::hours(1),
        5 => TimeDelta::minutes(1),
        _ => TimeDelta::seconds(1),
    };
    Some((from, from + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<DateTime<Utc>> {
        Some(text.parse().expect("a time"))
    }

    /// Each by itself: the message of `record_with` meets the first of each, and not the second.
    fn conditions() -> [[Selection; 2]; 5] {
        let (before, after) = (at("2026-11-22T05:40:12.503Z"), at("2026-11-22T05:40:12.503000001Z"));
        let tenant = |text: &str| Selection::all().attributes([text.parse::<AttributeFilter>().expect("a filter")]);
        [
            ["orders", "refunds"].map(|stream| Selection::all().streams([stream.to_owned()])),
            ["1", "2"].map(|id| Selection::all().ids([id.to_owned()])),
            [before, after].map(|since| Selection::all().between(since, None)),
            [after, before].map(|until| Selection::all().between(None, until)),
            [tenant("tenant=north"), tenant("tenant=south")],
        ]
    }

    #[test]
    fn every_condition_has_to_be_met() {
        let record = crate::testing::record_with([("tenant", "north".into())]);
        assert!(Selection::all().matches(&record));
        let joined = |chosen: [usize; 5]| {
            let mut all = Selection::all();
            for (condition, chosen) in conditions().into_iter().zip(chosen) {
                let [met, unmet] = condition;
                let one = if chosen == 0 { met } else { unmet };
                all.streams.extend(one.streams);
                all.ids.extend(one.ids);
                all.since = all.since.or(one.since);
                all.until = all.until.or(one.until);
                all.attributes.extend(one.attributes);
            }
            all
        };
        assert!(joined([0; 5]).matches(&record));
        for unmet in 0..5 {
            let chosen = std::array::from_fn(|at| usize::from(at == unmet));
            assert!(!joined(chosen).matches(&record), "{}", joined(chosen));
        }
    }

    #[test]
    fn what_is_another_selection_is_other_words() {
        let mut words: BTreeSet<String> = conditions().as_flattened().iter().map(ToString::to_string).collect();
        words.insert(Selection::all().to_string());
        assert_eq!(words.len(), 11, "{words:?}");
        let search: Vec<_> = conditions().map(|[one, _]| one.is_search()).into();
        assert_eq!(search, [false, true, false, false, true]);
    }
}
