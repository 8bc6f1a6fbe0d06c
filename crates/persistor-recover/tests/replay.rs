//! Replay over a store in memory and a sink that fails: order, completeness, what a journal knows, pace, and what is refused.

#[path = "replay/archived.rs"]
mod archived;
mod common;
#[path = "replay/journals.rs"]
mod journals;
#[path = "replay/ledger.rs"]
mod ledger;
#[path = "replay/lines.rs"]
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta};
use common::{message, persist};
use futures_util::stream::{BoxStream, StreamExt as _};
use journals::journal;
use ledger::{Fate, Ledger, text};
use persistor_core::{
    Creation, DEFAULT_TEMPLATE, Error, FolderStore, Key, MemoryStore, Message, Metadata, Property, PublishTime, RecordPlace,
    Result, Writer,
};
use persistor_recover::replay::{
    Account, Begin, BlobJournal, Ended, FileJournal, Headway, History, Itinerary, Journal, JournalStore, Load, Manner, Order,
    Terms, load, plan_replay, run,
};
use persistor_recover::{Archive, Fault, Finding, MARK_ID, MARK_REPLAY, Selection, Sink, Source};
use tokio::sync::watch;
use tokio::time::Instant;

/// An archive in memory.
struct Stored {
    archive: Arc<Archive>,
}

async fn stored(messages: Vec<Message>) -> Stored {
    let store = MemoryStore::new();
    persist(Arc::new(store.clone()), DEFAULT_TEMPLATE, RecordPlace::Auto, messages).await;
    Stored { archive: Archive::open(Arc::new(store)).await.expect("it opens") }
}

/// Messages of so many ordering keys, by turns; the payload says which one of its key it is. Published within a few seconds, so that the keys' order is not that of names.
fn keyed(keys: usize, of_each: usize) -> Vec<Message> {
    let start = DateTime::from_timestamp(1_763_790_012, 0).expect("a time");
    (0..keys * of_each)
        .map(|number| {
            let time = (start + TimeDelta::milliseconds(number as i64 / 5)).to_rfc3339_opts(SecondsFormat::Millis, true);
            let payload = format!("{} of {}", number / keys, number % keys);
            message("orders", &format!("{}", 7 + number * 3), &time, None, &payload)
                .with_property(Property::OrderingKey, format!("key {}", number % keys).as_str())
        })
        .collect()
}

fn unordered(count: usize) -> Vec<Message> {
    let start = DateTime::from_timestamp(1_763_790_012, 0).expect("a time");
    let time = |number| (start + TimeDelta::milliseconds(number as i64)).to_rfc3339_opts(SecondsFormat::Millis, true);
    (0..count).map(|number| message("orders", &number.to_string(), &time(number), None, &format!("{number}"))).collect()
}

#[derive(Clone)]
struct Asked {
    terms: Terms,
    manner: Manner,
    memory: u64,
    stop: Option<Duration>,
}

impl Default for Asked {
    fn default() -> Self {
        let manner = Manner { order: Order::Key, rate: None, at_once: 16, patience: Duration::from_secs(60), damaged: 0 };
        Self { terms: Terms { mark: None, replays: false, limit: None, went_on: None }, manner, memory: 64 << 20, stop: None }
    }
}

struct Came {
    itinerary: Itinerary,
    account: Account,
    findings: Vec<Finding>,
}

async fn replay(stored: &Stored, sink: &Arc<Ledger>, asked: &Asked, journal: Option<(Journal, History)>) -> Came {
    let sink: Arc<dyn Sink> = sink.clone();
    let mut findings = Vec::new();
    let selection = Arc::new(Selection::all());
    let mut found = |finding| findings.push(finding);
    let planned = plan_replay(&stored.archive, &selection, Source::Listing, &asked.terms, sink.as_ref(), &mut found).await;
    let mut planned = planned.expect("a plan");
    let itinerary = std::mem::take(&mut planned.itinerary);
    let (mut journal, history) = journal.map_or((None, History::default()), |(journal, history)| (Some(journal), history));
    let items = load(&stored.archive, planned, &asked.terms, &sink, Arc::new(history), asked.manner.at_once, asked.memory);
    let account = sent(items, &sink, asked, journal.as_mut(), &mut findings).await;
    Came { itinerary, account, findings }
}

/// Sends what is loaded. What is shown meanwhile is what it came to.
async fn sent(
    items: BoxStream<'static, Result<Load>>,
    sink: &Arc<dyn Sink>,
    asked: &Asked,
    journal: Option<&mut Journal>,
    findings: &mut Vec<Finding>,
) -> Account {
    let (stop, stopped) = watch::channel(false);
    if let Some(after) = asked.stop {
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let _ = stop.send(true);
        });
    }
    let headway = Arc::new(Headway::default());
    let mut found = |finding| findings.push(finding);
    let account = run(items, sink, journal, &asked.manner, &headway, stopped, &mut found).await;
    assert_eq!((headway.confirmed(), headway.failures()), (account.confirmed, account.failures));
    let damaged = account.damaged - asked.manner.damaged;
    assert_eq!(headway.passed(), account.before + account.confirmed.messages + account.refusals + damaged);
    account
}

/// Chance that is the same in every run.
fn chance(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// The messages of each ordering key by their number, in the order in which they were taken.
fn by_key(sink: &Ledger) -> BTreeMap<String, Vec<usize>> {
    let mut taken: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for message in sink.taken() {
        let number = text(&message.payload).split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
        taken.entry(message.ordering_key.expect("an ordering key")).or_default().push(number);
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn each_key_keeps_its_order_and_nothing_is_missing_while_the_sink_fails() {
    let stored = stored(keyed(50, 1000)).await;
    for (seed, lost_answers) in [(1, false), (2, false), (3, true)] {
        let mut chance = chance(seed);
        let sink = Arc::new(Ledger::new(20, move |_| match chance() % 50 {
            0 => Fate::Fail,
            1 if lost_answers => Fate::TakeAndFail,
            _ => Fate::Take,
        }));
        let came = replay(&stored, &sink, &Asked::default(), None).await;
        assert!(matches!(came.account.ended, Ended::Done), "{:?}", came.account.ended);
        assert_eq!(came.account.confirmed.messages, 50_000);
        assert!(came.account.failures > 100, "the sink hardly failed: {}", came.account.failures);
        let taken = by_key(&sink);
        assert_eq!(taken.len(), 50);
        for (key, mut numbers) in taken {
            if lost_answers {
                // Those that came twice came again at once, with those behind them: the first time of each is what counts.
                let mut seen = BTreeSet::new();
                numbers.retain(|number| seen.insert(*number));
            }
            assert!(numbers.iter().copied().eq(0..1000), "{key} of seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_in_one_order_is_one_after_the_other_and_no_order_is_side_by_side() {
    let stored = stored(keyed(5, 40)).await;
    let with = |order| Asked { manner: Manner { order, ..Asked::default().manner }, ..Asked::default() };
    let mut chance = chance(4);
    let sink = Arc::new(Ledger::new(20, move |_| if chance().is_multiple_of(10) { Fate::Fail } else { Fate::Take }));
    replay(&stored, &sink, &with(Order::All), None).await;
    let ids: Vec<usize> = sink.taken().iter().map(|message| message.original.id.parse().expect("a number")).collect();
    assert!(ids.iter().copied().eq((0..200).map(|number| 7 + number * 3)));
    assert_eq!(sink.most_under_way.load(SeqCst), 1);

    let sink = Arc::new(Ledger::new(1, |_| Fate::Take));
    replay(&stored, &sink, &with(Order::Key), None).await;
    assert_eq!(sink.most_under_way.load(SeqCst), 5);
    let sink = Arc::new(Ledger::new(1, |_| Fate::Take));
    let came = replay(&stored, &sink, &with(Order::None), None).await;
    assert_eq!((sink.most_under_way.load(SeqCst), came.account.confirmed.messages), (16, 200));
    assert!(sink.taken().iter().all(|message| message.ordering_key.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_what_happens() {
    let mut messages = keyed(3, 30);
    messages.extend(
        unordered(50).into_iter().map(|message| message.with_attributes(BTreeMap::from([("googclient_x".into(), "1".into())]))),
    );
    let mut replayed = message("orders", "900", "2026-11-22T05:40:12Z", None, "again");
    replayed = replayed.with_attributes(BTreeMap::from([(MARK_REPLAY.to_owned(), "night".into())]));
    messages.push(replayed);
    // Of another stream, the first and the last one of all.
    let ends = ["2025-11-22T05:40:11.999Z", "2026-11-22T05:40:12Z"];
    messages.extend(ends.map(|time| message("zebra", time, time, None, "x")));
    let stored = stored(messages).await;
    let reserved = || Ledger::new(7, |_| Fate::Take).limited(|limits| limits.reserved = &["goog"]);
    let sink = Arc::new(reserved());
    let came = replay(&stored, &sink, &Asked::default(), None).await;
    let bytes: usize = sink.taken().iter().map(|message| message.payload.len()).sum();
    assert_eq!(came.itinerary.total, came.account.confirmed);
    assert_eq!((came.itinerary.total.messages, came.itinerary.total.bytes), (142, bytes as u64));
    assert_eq!(came.itinerary.ordered, 90);
    assert_eq!(came.itinerary.replays, BTreeMap::from([("night".to_owned(), 1)]));
    assert_eq!(came.itinerary.stripped, BTreeMap::from([("googclient_x".to_owned(), 50)]));
    assert_eq!(came.itinerary.ends, Some((ends[0].to_owned(), ends[1].to_owned())));
    let hours: u64 = came.itinerary.hours.values().map(|amount| amount.messages).sum();
    assert_eq!(hours, 142);
    assert!(sink.taken().iter().all(|message| message.attributes.is_empty()));

    let sink = Arc::new(reserved());
    let terms = Terms { mark: Some("second".into()), replays: true, limit: None, went_on: None };
    let came = replay(&stored, &sink, &Asked { terms: terms.clone(), ..Asked::default() }, None).await;
    assert_eq!((came.account.confirmed.messages, came.itinerary.unmarked, came.account.unmarked), (143, 0, 0));
    assert!(sink.taken().iter().all(|message| message.attributes[MARK_REPLAY].text() == "second"));

    // Those with an attribute of their own have no room for three more.
    let sink = Arc::new(Ledger::new(7, |_| Fate::Take).limited(|limits| limits.attributes = Some(3)));
    let came = replay(&stored, &sink, &Asked { terms, ..Asked::default() }, None).await;
    assert_eq!((came.account.confirmed.messages, came.itinerary.unmarked, came.account.unmarked), (143, 50, 50));
    let unmarked = sink.taken().iter().filter(|message| !message.attributes.contains_key(MARK_ID)).count();
    assert_eq!(unmarked, 50);
}

#[tokio::test(start_paused = true)]
async fn a_message_under_the_keys_of_two_layouts_is_sent_once() {
    let store = MemoryStore::new();
    for template in [DEFAULT_TEMPLATE, "{shard:1}/{stream}/{time:%Y/%m/%d}/{id}-{digest}"] {
        persist(Arc::new(store.clone()), template, RecordPlace::Auto, unordered(30)).await;
    }
    let stored = Stored { archive: Archive::open(Arc::new(store)).await.expect("it opens") };
    let sink = Arc::new(Ledger::new(4, |_| Fate::Take));
    let came = replay(&stored, &sink, &Asked::default(), None).await;
    assert_eq!((came.itinerary.total.messages, came.itinerary.duplicates, sink.taken().len()), (30, 30, 30));
}

#[tokio::test(start_paused = true)]
async fn what_the_sink_cannot_carry_is_known_before_and_what_it_refuses_keeps_nothing_back() {
    let stored = stored(keyed(4, 25)).await;
    let small = Arc::new(Ledger::new(5, |_| Fate::Take).limited(|limits| limits.message = Some(13)));
    let came = replay(&stored, &small, &Asked::default(), None).await;
    // `10 of 0` with `key 0` are 12 bytes, `9 of 0` one less.
    assert_eq!((came.itinerary.misfit, came.itinerary.total.messages), (0, 100));
    let smaller = Arc::new(Ledger::new(5, |_| Fate::Take).limited(|limits| limits.message = Some(11)));
    let came = replay(&stored, &smaller, &Asked::default(), None).await;
    assert_eq!((came.itinerary.misfit, came.itinerary.total.messages, smaller.taken().len()), (60, 40, 40));
    assert!(came.itinerary.misfits[0].reason.contains("12 bytes"), "{:?}", came.itinerary.misfits[0]);

    let sink =
        Arc::new(Ledger::new(5, |message| if text(&message.payload).starts_with("7 ") { Fate::Refuse } else { Fate::Take }));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let came = replay(&stored, &sink, &Asked::default(), Some(journal(&path).await)).await;
    assert_eq!((came.account.refusals, came.account.confirmed.messages), (4, 96));
    let refused: BTreeSet<_> = came.account.refused.iter().map(|misfit| misfit.key.as_str()).collect();
    assert_eq!(refused.len(), 4, "{:?}", came.account.refused);
    assert!(came.account.refused.iter().all(|misfit| misfit.reason == "it is not wanted: its schema is unknown"));
    let taken = sink.counts();
    assert!(refused.iter().all(|key| !taken.contains_key(*key)));
    // What was refused was not taken: there is no doubt about it, and it is not done.
    let (_, history) = journal(&path).await;
    assert!(!history.has_ended() && history.confirmed() == 96 && history.in_doubt().count() == 0);
    assert!(matches!(came.account.ended, Ended::Done));
    for numbers in by_key(&sink).values() {
        assert!(numbers.iter().copied().eq((0..25).filter(|number| *number != 7)), "{numbers:?}");
    }
    // Where nothing is wanted at all, it is not about the messages.
    let sink = Arc::new(Ledger::new(5, |_| Fate::Refuse));
    let came = replay(&self::stored(unordered(1000)).await, &sink, &Asked::default(), None).await;
    assert!(matches!(came.account.ended, Ended::Failed(_)) && came.account.refusals < 300, "{:?}", came.account);
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_is_not_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FolderStore::open(folder.path()).expect("a folder");
    let keys = persist(Arc::new(store.clone()), DEFAULT_TEMPLATE, RecordPlace::Auto, unordered(20)).await;
    // As long as before, so that no listing shows it.
    let victim = folder.path().join(keys[13].as_str());
    let length = fs::metadata(&victim).expect("a payload").len();
    fs::write(&victim, vec![b'?'; length as usize]).expect("a file");
    let stored = Stored { archive: Archive::open(Arc::new(store)).await.expect("it opens") };
    let journal_folder = tempfile::tempdir().expect("a folder");
    let path = journal_folder.path().join("journal");
    // As many refused as damaged: neither makes up for the other.
    let sink = Arc::new(Ledger::new(5, |message| if message.original.id == "7" { Fate::Refuse } else { Fate::Take }));
    let came = replay(&stored, &sink, &Asked::default(), Some(journal(&path).await)).await;
    let faults: Vec<_> = came.findings.iter().map(|finding| (finding.fault, finding.name.as_str())).collect();
    assert_eq!(faults, [(Fault::PayloadDiffers, keys[13].as_str())]);
    assert_eq!((sink.taken().len(), came.account.damaged, came.account.refusals), (18, 1, 1));
    let text = fs::read_to_string(&path).expect("the journal");
    let line = format!("\"damaged\":{{\"key\":\"{}\",\"fault\":\"payload-differs\"}}", keys[13]);
    assert!(text.contains(&line) && !journal(&path).await.1.has_ended(), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_held_and_a_sink_that_fails_for_too_long_is_given_up() {
    let stored = stored(unordered(300)).await;
    let rate = |text: &str| Manner { rate: text.parse().ok(), ..Asked::default().manner };
    for (text, seconds) in [("10/s", 30.0), ("100/s", 3.0), ("79B/s", 10.0)] {
        let sink = Arc::new(Ledger::new(5, |_| Fate::Take));
        let start = Instant::now();
        let came = replay(&stored, &sink, &Asked { manner: rate(text), ..Asked::default() }, None).await;
        // 300 numbers are 790 bytes.
        assert_eq!((came.account.confirmed.messages, came.account.confirmed.bytes), (300, 790));
        let took = start.elapsed().as_secs_f64();
        assert!(took > seconds - 0.2 && took < seconds + 0.2, "{text}: {took}");
    }
    let sink = Arc::new(Ledger::new(5, |_| Fate::Fail));
    let start = Instant::now();
    let came = replay(&stored, &sink, &Asked::default(), None).await;
    assert!(matches!(&came.account.ended, Ended::Failed(error) if error.to_string() == "busy"), "{:?}", came.account.ended);
    let took = start.elapsed();
    assert!(took > Duration::from_secs(60) && took < Duration::from_secs(63), "{took:?}");
    // Between two attempts it rests, a second on average in the end.
    let (attempts, one) = (Arc::new(AtomicUsize::new(0)), self::stored(unordered(1)).await);
    let counted = attempts.clone();
    let sink = Arc::new(Ledger::new(5, move |_| {
        counted.fetch_add(1, SeqCst);
        Fate::Fail
    }));
    replay(&one, &sink, &Asked::default(), None).await;
    assert!((20..1000).contains(&attempts.load(SeqCst)), "{attempts:?}");
    // One that lets nobody send is not asked again.
    let sink = Arc::new(Ledger::new(5, |_| Fate::Deny));
    let start = Instant::now();
    let came = replay(&stored, &sink, &Asked::default(), None).await;
    assert!(matches!(&came.account.ended, Ended::Failed(error) if error.to_string() == "no right"), "{:?}", came.account.ended);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(came.account.failures, 0, "what is not sent again is not counted so");
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_asked_and_waits_for_what_is_under_way() {
    let stored = stored(unordered(1000)).await;
    let sink = Arc::new(Ledger::new(5, |_| Fate::Take));
    let asked = Asked { stop: Some(Duration::from_millis(102)), ..Asked::default() };
    let came = replay(&stored, &sink, &asked, None).await;
    assert!(matches!(came.account.ended, Ended::Stopped));
    let confirmed = came.account.confirmed.messages;
    assert!(confirmed > 100 && confirmed < 900 && confirmed == sink.taken().len() as u64, "{confirmed}");
}

#[tokio::test(start_paused = true)]
async fn payloads_that_wait_stay_within_the_memory() {
    let payload = "x".repeat(1 << 20);
    let messages = (0..64).map(|number| message("orders", &number.to_string(), "2026-11-22T05:40:12Z", None, &payload));
    let stored = stored(messages.collect()).await;
    let sink = Arc::new(Ledger::new(1, |_| Fate::Hang));
    let asked = Asked { memory: 8 << 20, ..Asked::default() };
    let hanging = tokio::time::timeout(Duration::from_secs(600), replay(&stored, &sink, &asked, None)).await;
    assert!(hanging.is_err(), "it does not hang");
    let read = stored.archive.progress().bytes();
    assert!((6 << 20..=8 << 20).contains(&read), "{read} bytes were read");
}

#[tokio::test(start_paused = true)]
async fn a_message_without_an_answer_goes_again() {
    let stored = stored(unordered(50)).await;
    let sink = Arc::new(Ledger::new(8, |_| Fate::Take).taciturn());
    let came = replay(&stored, &sink, &Asked::default(), None).await;
    assert!(matches!(came.account.ended, Ended::Done), "{:?}", came.account);
    assert_eq!(came.account.confirmed.messages, 50);
    assert_eq!(sink.counts().len(), 50);
    assert!(sink.counts().values().any(|count| *count > 1));
}
