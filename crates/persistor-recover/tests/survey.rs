//! Which streams there are and what they are doing: under every kind of layout, with pages that end anywhere, at both ends of the years.

mod common;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::{message, persist};
use persistor_core::{DEFAULT_TEMPLATE, Entity, Key, MemoryStore, Message, Metadata, RecordPlace, Writer};
use persistor_recover::{Archive, Selection, State, StreamSurvey, estimate, status, streams};

const TEMPLATES: [&str; 7] = [
    DEFAULT_TEMPLATE,
    "kept/{stream}/{time:%Y/%m/%d}/{id}-{digest}",
    "{shard:1}/{stream}/{time:%Y/%m/%d}/{attribute:tenant|none}/{id}-{digest}",
    "{stream}/{attribute:tenant|none}/{time:%Y/%m/%d/%H%M%S}-{id}-{digest}",
    "{stream}/{shard:1}/{time:%Y/%m/%d/%H%M%S}-{id}-{digest}",
    "{stream}/{time:%Y/%m/%d}/{attribute:tenant|none}/{time:%H%M%S}-{id}-{digest}",
    "{time:%Y/%m}/{stream}/{time:%d%H%M%S}-{id}-{digest}",
];

fn now() -> DateTime<Utc> {
    "2026-11-22T05:40:00Z".parse().expect("a time")
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

async fn store(template: &str, messages: Vec<Message>) -> MemoryStore {
    let store = MemoryStore::new();
    persist(Arc::new(store.clone()), template, RecordPlace::Auto, messages).await;
    store
}

async fn open(store: &MemoryStore) -> Arc<Archive> {
    Archive::open(Arc::new(store.clone())).await.expect("opened")
}

async fn survey(archive: &Arc<Archive>, count: bool) -> Vec<StreamSurvey> {
    let survey = streams(archive, now(), count);
    // Halving has to come to an end: it is no measure of speed.
    tokio::time::timeout(std::time::Duration::from_secs(300), survey).await.expect("an end").expect("a survey")
}

/// As far as keys under that template tell it before they leave the order of time.
fn told(template: &str, time: &str) -> DateTime<Utc> {
    let time: DateTime<Utc> = time.parse().expect("a time");
    let to_the_day = TEMPLATES[1..3].contains(&template) || template == TEMPLATES[5];
    let whole = if to_the_day { 86_400 } else { 1 };
    DateTime::from_timestamp(time.timestamp().div_euclid(whole) * whole, 0).expect("a time")
}

#[tokio::test]
async fn a_stream_of_any_length_has_its_ends_under_every_layout() {
    for template in TEMPLATES {
        let counts: &[u64] = if template == DEFAULT_TEMPLATE { &[1, 999, 1000, 1001, 5000] } else { &[1, 1001] };
        for &count in counts {
            for second in ["2026-11-22T05:39:59Z", "2020-02-29T00:00:00.5Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9Z"] {
                let messages = (0..count).map(|id| message("orders", &id.to_string(), second, None, "x")).collect();
                let store = store(template, messages).await;
                let archive = open(&store).await;
                for counted in [false, true] {
                    let found = survey(&archive, counted).await;
                    let [orders] = &found[..] else { panic!("{template}, {count} at {second}: {found:?}") };
                    assert_eq!(orders.stream, "orders");
                    assert_eq!((orders.first, orders.last), (told(template, second), told(template, second)), "{template}");
                    let known = orders.messages.unwrap_or(count);
                    assert!(known == count && (!counted || orders.messages.is_some()), "{template}, {count}: {found:?}");
                }
                let estimated = estimate(&archive, &Selection::all(), now()).await.expect("an estimate");
                // How many there are within one second, no page tells.
                let likely = count.min(1000) / 2..=count * 2;
                assert!(estimated.is_none_or(|n| likely.contains(&n)), "{template}, {count}: {estimated:?}");
            }
        }
    }
}

#[tokio::test]
async fn messages_at_both_ends_of_the_years_do_not_hide_each_other() {
    let (first, last) = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z");
    for template in TEMPLATES {
        for (early, today, late) in [(1, 1, 1), (1, 1500, 1), (1500, 1, 1), (1, 1, 1500), (1001, 1500, 1001), (1, 5000, 0)] {
            let all = [(early, first), (today, "2026-11-20T07:08:09Z"), (late, last)];
            let of = |(count, time)| (0..count).map(move |id: i32| message("a/b", &id.to_string(), time, None, time));
            let store = store(template, all.into_iter().flat_map(of).collect()).await;
            let found = survey(&open(&store).await, false).await;
            let [stream] = &found[..] else { panic!("{template}: {found:?}") };
            let last = if late == 0 { all[1].1 } else { last };
            assert_eq!((stream.stream.as_str(), stream.first, stream.last), ("a/b", told(template, first), told(template, last)));
        }
    }
}

#[tokio::test]
async fn other_names_in_front_hide_no_stream() {
    let times = ["2026-11-20T07:08:09Z", "2026-11-21T07:08:09Z"];
    for count in [999, 1000, 1001, 2500] {
        let store = store(DEFAULT_TEMPLATE, times.map(|time| message("orders", time, time, None, "x")).to_vec()).await;
        for foreign in 0..count {
            let key = Key::parse(format!("orders/0-{foreign:04}")).expect("a key");
            store.create(&key, &[], &Metadata::new(), None).await.expect("stored");
        }
        let found = survey(&open(&store).await, false).await;
        let [orders] = &found[..] else { panic!("{count}: {found:?}") };
        assert_eq!([orders.first, orders.last], times.map(|time| told(DEFAULT_TEMPLATE, time)), "{count}");
    }
}

#[tokio::test]
async fn streams_of_every_name_are_told_apart() {
    let (long, longer) = ("long-name-".repeat(20), "long-name-".repeat(21));
    for template in TEMPLATES {
        let names = ["a", "a-b", "a/b", "a0", "..", "\u{e9}", "_a", "~", &long, &longer];
        let time = text(now() - TimeDelta::minutes(10));
        let messages = names.map(|name| message(name, "1", &time, Some("t"), "x"));
        let store = store(template, messages.to_vec()).await;
        for foreign in ["lost/found", "lost/2026/x", "notes", "a/2026/x", "a/notes"] {
            store.create(&Key::parse(foreign).expect("a key"), &[], &Metadata::new(), None).await.expect("stored");
        }
        let archive = open(&store).await;
        let mut expected = names;
        expected.sort_unstable();
        for count in [false, true] {
            let found: Vec<_> = survey(&archive, count).await.into_iter().map(|survey| survey.stream).collect();
            assert_eq!(found, expected, "{template}");
        }
        let found = status(&archive, &Selection::all(), now(), &mut |_| ()).await.expect("a status");
        for stream in &found {
            assert_eq!((stream.hour(), stream.minutes[50], stream.state), (1, 1, State::Silent), "{template}: {}", stream.stream);
        }
        assert_eq!(found.into_iter().map(|status| status.stream).collect::<Vec<_>>(), expected, "{template}");
    }
}

#[tokio::test]
async fn an_estimate_is_near_or_none_where_keys_tell_no_more_than_the_day() {
    for (days, a_day) in [(20, 300), (3, 1500)] {
        let from = now() - TimeDelta::days(days);
        let at = |n| from + TimeDelta::seconds(n * 86_400 / a_day);
        let messages = (0..days * a_day).map(|n| message("orders", &n.to_string(), &text(at(n)), None, "x"));
        let archive = open(&store(TEMPLATES[1], messages.collect()).await).await;
        let estimated = estimate(&archive, &Selection::all(), now()).await.expect("an estimate");
        if a_day == 300 {
            assert!(estimated.is_some_and(|n| (3000..=12_000).contains(&n)), "{estimated:?}");
        } else {
            assert_eq!(estimated, None);
        }
    }
}

#[tokio::test]
async fn the_last_of_many_messages_of_one_second_is_found() {
    let time = "2020-02-29T00:00:00Z";
    let mut messages: Vec<_> = (1000..3500).map(|id| message("orders", &id.to_string(), time, None, "x")).collect();
    let other = Entity::new("projects/shop/subscriptions/z").expect("text");
    let like = message("orders", "9999", time, None, "x");
    let (stream, id, time) = (like.stream().clone(), like.id().clone(), like.publish_time().clone());
    messages.push(Message::new(other, stream, id, time, like.payload().clone()));
    let found = survey(&open(&store(DEFAULT_TEMPLATE, messages).await).await, false).await;
    let entities: Vec<_> = found[0].entities.iter().map(String::as_str).collect();
    assert_eq!(entities, ["projects/shop/subscriptions/orders", "projects/shop/subscriptions/z"]);
}

#[tokio::test]
async fn two_layouts_are_one_archive() {
    let store = MemoryStore::new();
    for (template, from) in [(TEMPLATES[2], "2026-11-19T00:00:00Z"), (DEFAULT_TEMPLATE, "2026-11-20T00:00:00Z")] {
        let from: DateTime<Utc> = from.parse().expect("a time");
        let messages = (0..1200).map(|n| message("orders", &n.to_string(), &text(from + TimeDelta::minutes(n)), None, "x"));
        persist(Arc::new(store.clone()), template, RecordPlace::Auto, messages.collect()).await;
    }
    let found = survey(&open(&store).await, true).await;
    let [orders] = &found[..] else { panic!("{found:?}") };
    assert_eq!((text(orders.first), text(orders.last)), ("2026-11-19T00:00:00Z".to_owned(), "2026-11-20T19:59:00Z".to_owned()));
    assert_eq!(orders.messages, Some(2400));
    assert_eq!(survey(&open(&store).await, false).await[0].last, orders.last);
}

#[tokio::test]
async fn an_empty_archive_has_no_streams() {
    let archive = open(&MemoryStore::new()).await;
    assert!(survey(&archive, false).await.is_empty() && survey(&archive, true).await.is_empty());
    assert!(status(&archive, &Selection::all(), now(), &mut |_| ()).await.expect("a status").is_empty());
    assert_eq!(estimate(&archive, &Selection::all(), now()).await.expect("an estimate"), Some(0));
}

#[tokio::test]
async fn the_last_hour_of_each_stream() {
    for template in TEMPLATES {
        let at = |stream: &str, minutes: i64| {
            message(stream, &minutes.to_string(), &text(now() - TimeDelta::minutes(minutes)), None, "")
        };
        let messages = [
            (0..60).map(|n| at("busy", n)).collect::<Vec<_>>(),
            (10..60).map(|n| at("stopped", n)).collect(),
            vec![at("idle", 61), at("ahead", -100_000)],
        ];
        let store = store(template, messages.concat()).await;
        let archive = open(&store).await;
        let found = status(&archive, &Selection::all(), now(), &mut |finding| panic!("{finding:?}")).await.expect("a status");
        let seen: Vec<_> = found.iter().map(|s| (s.stream.as_str(), s.state, s.hour(), s.recent())).collect();
        let expected = [
            // What is dated into the future is no sign of life.
            ("ahead", State::Idle, 0, 0),
            ("busy", State::Archiving, 60, 6),
            ("idle", State::Idle, 0, 0),
            ("stopped", State::Silent, 50, 0),
        ];
        assert_eq!(seen, expected, "{template}");
        let one = Selection::all().streams(["stopped".to_owned()]);
        let found = status(&archive, &one, now(), &mut |_| ()).await.expect("a status");
        assert_eq!(found.iter().map(|s| (s.stream.as_str(), s.last)).collect::<Vec<_>>().first().map(|s| s.0), Some("stopped"));
        assert_eq!(found.len(), 1, "{template}");
    }
}
