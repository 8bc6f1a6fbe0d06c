//! Which names can be keys of the messages that are looked for: what a reader has to list, and nothing more than a template allows to leave out.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;

use super::{Date, Part, Template, date_text};
use crate::digest::sha256_hex;
use crate::escape::escape;

/// The most ranges that the digits of a shard are spelled out into.
const MOST_SHARDS: usize = 4096;

/// What is known of the messages that are looked for. What is empty or none is not known.
#[derive(Clone, Debug, Default)]
pub struct KeyBounds {
    /// Their streams, unescaped.
    pub streams: Vec<String>,
    /// The publish second from which on, in UTC.
    pub first: Option<NaiveDateTime>,
    /// The last publish second, itself included.
    pub last: Option<NaiveDateTime>,
    /// Their message ids, unescaped.
    pub ids: Vec<String>,
    /// The texts that an attribute has, by its name.
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// Names in byte order: those that start with `prefix`, from `from` on, before `end`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameRange {
    /// What all of them start with; it may end inside a segment.
    pub prefix: String,
    /// The first of them is this or later; it starts with `prefix`.
    pub from: String,
    /// They are before this; without it, all to the end of `prefix`.
    pub end: Option<String>,
}

/// What a listing has to cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRanges {
    /// Without overlap, in the order of names.
    pub ranges: Vec<NameRange>,
    /// Whether a time or an id narrows them. If not, they hold whole streams, or the whole archive.
    pub narrowed: bool,
}

impl Template {
    /// The ranges that hold every key of this template within the bounds. They may hold other names too.
    pub fn ranges(&self, bounds: &KeyBounds) -> NameRanges {
        let mut found = NameRanges { ranges: Vec::new(), narrowed: false };
        if bounds.ids.is_empty() {
            self.ranges_of(bounds, None, &mut found);
        } else {
            bounds.ids.iter().for_each(|id| self.ranges_of(bounds, Some(id), &mut found));
        }
        found.ranges = NameRange::union(found.ranges);
        found
    }

    /// What stands before the stream, where the stream is the first thing that varies and fills its segment: then one stream after the other can be
    /// found by asking for the first name behind those of the last one.
    pub fn before_stream(&self) -> Option<String> {
        let mut before = String::new();
        for segment in &self.segments {
            match segment.as_slice() {
                [Part::Stream] => return Some(before),
                [Part::Literal(text)] => before.push_str(&format!("{text}/")),
                _ => return None,
            }
        }
        None
    }

    fn ranges_of(&self, bounds: &KeyBounds, id: Option<&str>, found: &mut NameRanges) {
        let slash = Part::Literal("/".to_owned());
        let mut parts: Vec<&Part> = self.segments.iter().flat_map(|segment| segment.iter().chain([&slash])).collect();
        parts.pop();
        let mut prefixes = vec![String::new()];
        for (at, part) in parts.iter().enumerate() {
            let values = match part {
                Part::Literal(text) => vec![text.clone()],
                Part::Stream => bounds.streams.iter().map(|stream| escape(stream)).collect(),
                Part::Attribute { name, .. } => {
                    bounds.attributes.get(name).into_iter().flatten().map(|value| escape(value)).collect()
                }
                Part::Id => {
                    found.narrowed |= id.is_some();
                    id.map(escape).into_iter().collect()
                }
                Part::Shard(digits) => match id {
                    Some(id) => vec![sha256_hex(id.as_bytes())[..*digits].to_owned()],
                    None if worth_spelling_out(&parts[at..], bounds, *digits, prefixes.len()) => {
                        (0..1_usize << (4 * digits)).map(|shard| format!("{shard:0digits$x}")).collect()
                    }
                    None => Vec::new(),
                },
                Part::Date(date) => match (bounds.first, bounds.last) {
                    (Some(first), Some(last)) if same_until(*date, first, last) => {
                        found.narrowed = true;
                        vec![date_text(*date, &first)]
                    }
                    (None, None) => Vec::new(),
                    (first, last) => {
                        found.narrowed = true;
                        let (first, last) = (first.map(|time| run(&parts[at..], time)), last.map(|time| run(&parts[at..], time)));
                        found.ranges.extend(prefixes.into_iter().map(|prefix| NameRange {
                            from: format!("{prefix}{}", first.as_deref().unwrap_or_default()),
                            end: last.as_ref().map(|last| behind(format!("{prefix}{last}"))),
                            prefix,
                        }));
                        return;
                    }
                },
                Part::Digest => Vec::new(),
            };
            if values.is_empty() {
                break;
            }
            prefixes = prefixes.iter().flat_map(|prefix| values.iter().map(move |value| format!("{prefix}{value}"))).collect();
        }
        found.ranges.extend(prefixes.into_iter().map(NameRange::of));
    }
}

impl NameRange {
    /// All names that start with `prefix`.
    pub fn of(prefix: String) -> Self {
        Self { from: prefix.clone(), prefix, end: None }
    }

    /// The first text behind all names of this range; none where there is no name behind them.
    fn limit(&self) -> Option<String> {
        self.end.clone().or_else(|| (!self.prefix.is_empty()).then(|| behind(self.prefix.clone())))
    }

    /// The same names in the order of names, each once.
    pub fn union(mut ranges: Vec<Self>) -> Vec<Self> {
        ranges.sort_by(|a, b| a.from.cmp(&b.from));
        let mut union: Vec<Self> = Vec::new();
        for range in ranges {
            match union.last_mut() {
                Some(last) if last.limit().is_none_or(|limit| range.from < limit) => {
                    let common = last.prefix.bytes().zip(range.prefix.bytes()).take_while(|(a, b)| a == b).count();
                    let ends = last.limit().zip(range.limit());
                    last.prefix.truncate(common);
                    last.end =
                        ends.map(|(a, b)| a.max(b)).filter(|end| last.prefix.is_empty() || *end < behind(last.prefix.clone()));
                }
                _ => union.push(range),
            }
        }
        union
    }
}

/// The first text behind all that start with `text`, which is not empty. Keys are ASCII below U+007F, so there is one.
fn behind(mut text: String) -> String {
    let last = text.pop().map_or('\u{1}', |last| char::from_u32(u32::from(last) + 1).unwrap_or(char::MAX));
    text.push(last);
    text
}

/// The parts of a date, and the text between, up to the first part of another kind.
fn run(parts: &[&Part], time: NaiveDateTime) -> String {
    let text = |part: &&Part| match part {
        Part::Literal(text) => Some(text.clone()),
        Part::Date(date) => Some(date_text(*date, &time)),
        _ => None,
    };
    parts.iter().map_while(text).collect()
}

/// Whether two moments are the same as far as this part of their dates.
fn same_until(date: Date, first: NaiveDateTime, last: NaiveDateTime) -> bool {
    [Date::Year, Date::Month, Date::Day, Date::Hour, Date::Minute, Date::Second]
        .into_iter()
        .take_while(|part| *part <= date)
        .all(|part| date_text(part, &first) == date_text(part, &last))
}

/// Whether what comes behind a shard is known, so that asking for every shard asks for less than asking for all names.
fn worth_spelling_out(parts: &[&Part], bounds: &KeyBounds, digits: usize, prefixes: usize) -> bool {
    let next = parts.iter().skip(1).find(|part| !matches!(part, Part::Literal(_)));
    let known = match next {
        Some(Part::Stream) => !bounds.streams.is_empty(),
        Some(Part::Date(_)) => bounds.first.is_some() || bounds.last.is_some(),
        Some(Part::Attribute { name, .. }) => bounds.attributes.contains_key(name),
        _ => false,
    };
    known && digits < 4 && (prefixes << (4 * digits)) <= MOST_SHARDS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Attribute, Entity, Message, MessageId, PublishTime, Stream};

    fn second(text: &str) -> NaiveDateTime {
        PublishTime::parse(text).expect("a time").second()
    }

    fn shown(template: &str, bounds: &KeyBounds) -> Vec<String> {
        let found = Template::parse(template).expect("a template").ranges(bounds);
        let show = |range: NameRange| format!("{} {} {}", range.prefix, range.from, range.end.unwrap_or_default());
        found.ranges.into_iter().map(show).chain([format!("narrowed {}", found.narrowed)]).collect()
    }

    #[test]
    fn a_minute_is_one_prefix_and_a_span_has_both_ends() {
        let minute = KeyBounds {
            streams: vec!["orders".into(), "a/b".into()],
            first: Some(second("2026-11-22T05:40:00Z")),
            last: Some(second("2026-11-22T05:40:59Z")),
            ..KeyBounds::default()
        };
        assert_eq!(
            shown(crate::DEFAULT_TEMPLATE, &minute),
            [
                "a~2Fb/2026/11/22/05/40 a~2Fb/2026/11/22/05/4000- a~2Fb/2026/11/22/05/4059.",
                "orders/2026/11/22/05/40 orders/2026/11/22/05/4000- orders/2026/11/22/05/4059.",
                "narrowed true"
            ]
        );
        let since = KeyBounds { last: None, streams: vec!["orders".into()], ..minute.clone() };
        assert_eq!(shown(crate::DEFAULT_TEMPLATE, &since), ["orders/ orders/2026/11/22/05/4000- ", "narrowed true"]);
        let all = KeyBounds { first: None, last: None, streams: Vec::new(), ids: vec!["7".into()], ..minute.clone() };
        assert_eq!(shown(crate::DEFAULT_TEMPLATE, &all), ["  ", "narrowed false"]);
        let sharded = "{shard:1}/{stream}/{time:%Y/%m/%d}/{id}-{digest}";
        let shards = shown(sharded, &minute);
        assert_eq!((shards.len(), shards[1].as_str()), (33, "0/orders/2026/11/22/ 0/orders/2026/11/22/ "));
        let digit = &sha256_hex(b"7")[..1];
        assert_eq!(shown(sharded, &all), [format!("{digit}/ {digit}/ "), "narrowed false".to_owned()]);
        let one = KeyBounds { ids: vec!["7".into()], ..since };
        let by_id = "{id}/{stream}/{time:%Y/%m/%d}/{digest}";
        assert_eq!(shown(by_id, &one), ["7/orders/ 7/orders/2026/11/22/ ", "narrowed true"]);
    }

    #[test]
    fn an_id_narrows_by_itself() {
        let one = KeyBounds { ids: vec!["7".into()], ..KeyBounds::default() };
        assert_eq!(shown("{id}/{stream}/{time:%Y/%m/%d}/{digest}", &one), ["7/ 7/ ", "narrowed true"]);
    }

    #[test]
    fn shards_are_spelled_out_only_where_that_asks_for_less() {
        let streams = |count: usize| KeyBounds { streams: (0..count).map(|n| n.to_string()).collect(), ..KeyBounds::default() };
        let since = KeyBounds { first: Some(second("2026-11-22T05:40:00Z")), ..KeyBounds::default() };
        let until = KeyBounds { first: None, last: since.first, ..KeyBounds::default() };
        let by_attribute = KeyBounds { attributes: [("t".to_owned(), vec!["a".to_owned()])].into(), ..KeyBounds::default() };
        let nothing = KeyBounds::default();
        for (template, bounds, ranges) in [
            ("{shard:3}/{stream}/{time:%Y/%m/%d}/{id}-{digest}", &streams(1), 4096),
            ("{shard:4}/{stream}/{time:%Y/%m/%d}/{id}-{digest}", &streams(1), 1),
            ("{shard:1}/{stream}/{time:%Y/%m/%d}/{id}-{digest}", &streams(2), 32),
            ("{shard:1}/{stream}/{time:%Y/%m/%d}/{id}-{digest}", &nothing, 1),
            ("{shard:1}/{time:%Y/%m/%d}/{stream}/{id}-{digest}", &since, 16),
            ("{shard:1}/{time:%Y/%m/%d}/{stream}/{id}-{digest}", &until, 16),
            ("{shard:1}/{time:%Y/%m/%d}/{stream}/{id}-{digest}", &nothing, 1),
            ("{shard:1}/{attribute:t|x}/{time:%Y/%m/%d}/{stream}/{id}-{digest}", &by_attribute, 16),
            ("{shard:1}/{attribute:t|x}/{time:%Y/%m/%d}/{stream}/{id}-{digest}", &since, 1),
            // What stands before counts too: 16 streams by 256 shards are the most, 17 are too many.
            ("{stream}/{shard:2}/{time:%Y/%m/%d}/{id}-{digest}", &KeyBounds { first: since.first, ..streams(16) }, 4096),
            ("{stream}/{shard:2}/{time:%Y/%m/%d}/{id}-{digest}", &KeyBounds { first: since.first, ..streams(17) }, 17),
        ] {
            assert_eq!(shown(template, bounds).len() - 1, ranges, "{template} {bounds:?}");
        }
    }

    #[test]
    fn what_overlaps_is_listed_once() {
        let range = |prefix: &str, from: &str, end: Option<&str>| NameRange {
            prefix: prefix.into(),
            from: from.into(),
            end: end.map(Into::into),
        };
        let union = NameRange::union(vec![
            range("b/", "b/5", None),
            range("a/2", "a/21", Some("a/25")),
            range("a/", "a/23", Some("a/4")),
            range("a/", "a/4", None),
        ]);
        assert_eq!(union, [range("a/", "a/21", Some("a/4")), range("a/", "a/4", None), range("b/", "b/5", None)]);
        assert_eq!(NameRange::union(vec![range("a", "a", None), range("", "", None)]), [range("", "", None)]);
    }

    #[test]
    fn streams_can_be_skipped_where_they_come_first() {
        for (template, before) in [
            (crate::DEFAULT_TEMPLATE, Some("")),
            ("a/b/{stream}/{time:%Y%m%d}/{id}-{digest}", Some("a/b/")),
            ("{shard:2}/{stream}/{time:%Y%m%d}/{id}-{digest}", None),
            ("{stream}-{time:%Y%m%d}/{id}-{digest}", None),
        ] {
            assert_eq!(Template::parse(template).expect("a template").before_stream().as_deref(), before, "{template}");
        }
    }

    proptest! {
        #[test]
        fn no_key_within_the_bounds_is_outside_of_the_ranges(
            template in prop::sample::select(vec![
                crate::DEFAULT_TEMPLATE,
                "{time:%Y-%m-%d}/{stream}/{attribute:t|none}/{id}-{digest}",
                "{shard:1}/{stream}/x-{time:%Y/%m/%d/%H%M}/{id}-{digest}",
                "{attribute:t|none}/{shard:2}/{time:%Y%m%d}-{id}/{stream}-{digest}",
                "{id}/{stream}/{time:%Y/%m/%d}/{digest}",
            ]),
            at in 0_i64..200_000, from in 0_i64..200_000, span in 0_i64..100_000,
            (has_first, has_last, has_stream, has_id, has_attribute) in any::<(bool, bool, bool, bool, bool)>(),
            (stream, id, value) in ("[a-c/~.]{1,3}", "[0-9a-f-]{1,4}", prop::option::of("[xy_]{0,2}")),
        ) {
            let time = |seconds: i64| second("2026-12-30T23:00:00Z") + chrono::TimeDelta::seconds(seconds);
            let (first, last) = (time(from), time(from + span));
            let publish_time = PublishTime::parse(&format!("{}Z", time(at).format("%Y-%m-%dT%H:%M:%S"))).expect("a time");
            let message = Message::new(
                Entity::new("e").expect("text"), Stream::new(stream.as_str()).expect("text"), MessageId::new(id.as_str()).expect("text"),
                publish_time, bytes::Bytes::new(),
            ).with_attributes(value.iter().map(|value| ("t".to_owned(), Attribute::from(value.as_str()))).collect());
            let bounds = KeyBounds {
                streams: if has_stream { vec!["other".to_owned(), stream] } else { Vec::new() },
                first: has_first.then_some(first), last: has_last.then_some(last),
                ids: if has_id { vec![id, "9".to_owned()] } else { Vec::new() },
                attributes: value.filter(|_| has_attribute).map(|value| ("t".to_owned(), vec![value])).into_iter().collect(),
            };
            let template = Template::parse(template).expect("a template");
            let key = template.render(&message).to_string();
            let holds = |range: &NameRange| {
                key.starts_with(&range.prefix) && key >= range.from && range.end.as_ref().is_none_or(|end| key < *end)
            };
            let ranges = template.ranges(&bounds).ranges;
            let within = (!has_first || time(at) >= first) && (!has_last || time(at) <= last);
            prop_assert!(ranges.iter().filter(|range| holds(range)).count() == usize::from(within) || !within && ranges.iter().filter(|range| holds(range)).count() <= 1, "{} in {:?}", key, ranges);
            for two in ranges.windows(2) {
                prop_assert!(two[0].limit().is_some_and(|limit| limit <= two[1].from));
            }
        }
    }
}
