//! Replay over a store in memory and a sink that fails: order, completeness, what a journal knows, pace, and what is refused.

mod common;
#[path = "replay/ledger.rs"]
mod ledger;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta};
use common::{message, persist};
use futures_util::stream::{BoxStream, StreamExt as _};
use ledger::{Fate, Ledger, text};
use persistor_core::{
    DEFAULT_TEMPLATE, Error, FolderStore, Key, MemoryStore, Message, Metadata, Property, RecordPlace, Result, Writer as _,
};
use persistor_recover::replay::{
    Account, Begin, BlobJournal, Ended, FileJournal, Headway, History, Itinerary, Journal, JournalStore, Manner, Order, Terms,
    load, plan_replay, run,
};
use persistor_recover::{Archive, Fault, Finding, MARK_REPLAY, Selection, Sink, Source};
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
    let (stop, stopped) = watch::channel(false);
    if let Some(after) = asked.stop {
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let _ = stop.send(true);
        });
    }
    let headway = Arc::new(Headway::default());
    let mut found = |finding| findings.push(finding);
    let account = run(items, &sink, journal.as_mut(), &asked.manner, &headway, stopped, &mut found).await;
    assert_eq!(headway.confirmed(), account.confirmed);
    Came { itinerary, account, findings }
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
    let stored = stored(messages).await;
    let reserved = || Ledger::new(7, |_| Fate::Take).limited(|limits| limits.reserved = &["goog"]);
    let sink = Arc::new(reserved());
    let came = replay(&stored, &sink, &Asked::default(), None).await;
    let bytes: usize = sink.taken().iter().map(|message| message.payload.len()).sum();
    assert_eq!(came.itinerary.total, came.account.confirmed);
    assert_eq!((came.itinerary.total.messages, came.itinerary.total.bytes), (140, bytes as u64));
    assert_eq!(came.itinerary.ordered, 90);
    assert_eq!(came.itinerary.replays, BTreeMap::from([("night".to_owned(), 1)]));
    assert_eq!(came.itinerary.stripped, BTreeMap::from([("googclient_x".to_owned(), 50)]));
    let hours: u64 = came.itinerary.hours.values().map(|amount| amount.messages).sum();
    assert_eq!(hours, 140);
    assert!(sink.taken().iter().all(|message| message.attributes.is_empty()));

    let sink = Arc::new(reserved());
    let terms = Terms { mark: Some("second".into()), replays: true, limit: None, went_on: None };
    let came = replay(&stored, &sink, &Asked { terms, ..Asked::default() }, None).await;
    assert_eq!(came.account.confirmed.messages, 141);
    assert!(sink.taken().iter().all(|message| message.attributes[MARK_REPLAY].text() == "second"));
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
    let sink = Arc::new(Ledger::new(5, |_| Fate::Take));
    let came = replay(&stored, &sink, &Asked::default(), None).await;
    let faults: Vec<_> = came.findings.iter().map(|finding| (finding.fault, finding.name.as_str())).collect();
    assert_eq!(faults, [(Fault::PayloadDiffers, keys[13].as_str())]);
    assert_eq!((sink.taken().len(), came.account.damaged), (19, 1));
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

fn begin() -> Begin {
    Begin {
        name: "night".to_owned(),
        at: "2026-11-22 05:40:12 UTC".to_owned(),
        terms: BTreeMap::from([("to".to_owned(), "ledger".to_owned())]),
    }
}

async fn journal(path: &Path) -> (Journal, History) {
    // A run that was broken off may still be writing its last lines.
    let file = loop {
        match FileJournal::open(path) {
            Err(error) if error.kind() == persistor_core::ErrorKind::Invalid => tokio::task::yield_now().await,
            file => break file.expect("a file"),
        }
    };
    Journal::open(Box::new(file), &begin()).await.expect("a journal")
}

/// The keys that a journal names as about to be sent more than once.
fn named_twice(journal: &str) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in journal.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for key in line["sending"]["keys"].as_array().into_iter().flatten() {
            *counts.entry(key.as_str().expect("a key").to_owned()).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key).collect()
}

#[tokio::test]
async fn a_run_that_is_broken_off_anywhere_goes_on_and_names_what_is_sent_twice() {
    let stored = Arc::new(stored(keyed(40, 100)).await);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let sink = Arc::new(Ledger::new(7, |_| Fate::Take));
    let mut runs = 0;
    for after in [20, 31, 17, 55, 40, 23, 60_000] {
        let (stored, sink, path) = (stored.clone(), sink.clone(), path.clone());
        let run = tokio::spawn(async move {
            let journal = journal(&path).await;
            replay(&stored, &sink, &Asked::default(), Some(journal)).await.account
        });
        let mut run = run;
        runs += 1;
        tokio::select! {
            account = &mut run => {
                let account = account.expect("it ends");
                assert!(matches!(account.ended, Ended::Done));
                assert_eq!(account.before + account.confirmed.messages, 4000);
                break;
            }
            () = tokio::time::sleep(Duration::from_millis(after)) => {
                run.abort();
                let _ = run.await;
            }
        }
    }
    assert!(runs > 3, "it was not broken off: {runs}");
    let counts = sink.counts();
    assert_eq!(counts.len(), 4000);
    let twice: BTreeSet<_> = counts.into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key).collect();
    let journal_text = fs::read_to_string(&path).expect("the journal");
    let named = named_twice(&journal_text);
    assert!(twice.is_subset(&named), "{:?}", twice.difference(&named));
    // What was under way is bounded: sixteen sendings of seven.
    assert!(named.len() <= 16 * 7 * (runs - 1), "{} of {runs} runs", named.len());
    let (_, history) = journal(&path).await;
    assert!(history.has_ended() && history.confirmed() == 4000 && history.in_doubt().count() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_journal_torn_at_any_byte_of_its_last_line_is_what_it_was_before_it() {
    let stored = stored(unordered(30)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let sink = Arc::new(Ledger::new(4, |_| Fate::Take));
    let came = replay(&stored, &sink, &Asked::default(), Some(journal(&path).await)).await;
    assert_eq!(came.account.confirmed.messages, 30);
    let whole = fs::read(&path).expect("the journal");
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    let mut lengths = 0;
    // Torn in the line of the end, of an answer, of a sending, and the first one.
    for pair in std::iter::once((0, ends[0])).chain(ends.windows(2).map(|pair| (pair[0], pair[1]))) {
        let known = |history: &History| {
            let doubt: Vec<_> = history.in_doubt().map(ToOwned::to_owned).collect();
            (history.goes_on(), history.confirmed(), history.has_ended(), doubt)
        };
        let torn = folder.path().join("torn");
        fs::write(&torn, &whole[..pair.0]).expect("a file");
        let expected = known(&journal(&torn).await.1);
        for length in pair.0..pair.1 {
            lengths += 1;
            fs::write(&torn, &whole[..length]).expect("a file");
            let (_, history) = journal(&torn).await;
            assert_eq!(known(&history), expected, "torn at {length}");
            // What was appended then is read again.
            let again = known(&journal(&torn).await.1);
            assert_eq!((again.1, &again.3), (expected.1, &expected.3), "torn at {length}");
        }
    }
    assert_eq!(lengths, whole.len());
    // A change before the end is no tear.
    for at in (0..ends[ends.len() - 1]).step_by(11) {
        let mut changed = whole.clone();
        changed[at] = if changed[at] == b'~' { b'!' } else { b'~' };
        let other = folder.path().join("changed");
        fs::write(&other, changed).expect("a file");
        let store = Box::new(FileJournal::open(&other).expect("a file"));
        let error = Journal::open(store, &begin()).await.err();
        // The last line end is what makes the last line a line.
        if at + 1 < whole.len() {
            assert!(error.is_some_and(|error| error.kind() == persistor_core::ErrorKind::Damaged), "changed at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_is_of_one_name_and_one_set_of_terms_and_one_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let held = journal(&path).await;
    let error = FileJournal::open(&path).expect_err("it is in use");
    assert!(error.to_string().contains("is running"), "{error}");
    drop(held);
    let others = [
        (Begin { name: "day".to_owned(), ..begin() }, "`night`"),
        (
            Begin { terms: BTreeMap::from([("to".to_owned(), "other".to_owned())]), ..begin() },
            "to: it began with `ledger`, and now it is `other`",
        ),
        (Begin { terms: BTreeMap::new(), ..begin() }, "now it is nothing"),
    ];
    let open = async |begin: &Begin| Journal::open(Box::new(FileJournal::open(&path).expect("a file")), begin).await;
    // As long as nothing was sent, what was said can be said anew.
    for (other, _) in &others {
        let (_, history) = open(other).await.expect("nothing was sent");
        assert!(!history.goes_on());
    }
    let sink = Arc::new(Ledger::new(4, |_| Fate::Take));
    replay(&stored(unordered(3)).await, &sink, &Asked::default(), Some(journal(&path).await)).await;
    for (other, told) in &others {
        let error = open(other).await.expect_err("other terms");
        assert!(error.kind() == persistor_core::ErrorKind::Invalid && error.to_string().contains(told), "{error}");
    }
    let (_, history) = journal(&path).await;
    assert_eq!(history.began(), Some("2026-11-22 05:40:12 UTC"));
    // What is no journal is left as it is.
    for text in ["precious", "precious\nfile\n", "{\"a\":1}", "{"] {
        let other = folder.path().join("other");
        fs::write(&other, text).expect("a file");
        let opened = Journal::open(Box::new(FileJournal::open(&other).expect("a file")), &begin()).await;
        // One brace can be the beginning of a line.
        assert_eq!(opened.is_err(), text != "{", "{text}");
        assert!(text == "{" || fs::read_to_string(&other).expect("a file") == text);
    }
}

/// A journal of which one sees what would survive a crash of the machine.
#[derive(Debug)]
struct Surviving {
    file: FileJournal,
    appended: String,
    durable: Arc<Mutex<String>>,
}

#[async_trait]
impl JournalStore for Surviving {
    async fn read(&mut self) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.file.read().await
    }

    async fn cut(&mut self, length: u64) -> Result<()> {
        self.file.cut(length).await
    }

    async fn append(&mut self, lines: Bytes, durable: bool) -> Result<()> {
        self.appended.push_str(&text(&lines));
        if durable {
            self.durable.lock().expect("no panic").clone_from(&self.appended);
        }
        self.file.append(lines, durable).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_in_the_journal_before_and_what_was_not_all_sent_has_no_end() {
    for refused in [None, Some("7")] {
        let stored = stored(unordered(40)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let durable = Arc::new(Mutex::new(String::new()));
        let file = FileJournal::open(&folder.path().join("journal")).expect("a file");
        let store = Surviving { file, appended: String::new(), durable: durable.clone() };
        let known = durable.clone();
        let sink = Arc::new(Ledger::new(4, move |message| {
            let sending = format!("\"{}\"", message.original.key);
            assert!(known.lock().expect("no panic").contains(&sending), "sent before the journal knows");
            if Some(message.original.id.as_str()) == refused { Fate::Refuse } else { Fate::Take }
        }));
        let journal = Journal::open(Box::new(store), &begin()).await.expect("a journal");
        let came = replay(&stored, &sink, &Asked::default(), Some(journal)).await;
        assert!(matches!(came.account.ended, Ended::Done), "{:?}", came.account);
        assert_eq!(came.account.refusals, u64::from(refused.is_some()));
        let durable = durable.lock().expect("no panic");
        let ends = durable.lines().filter(|line| line.contains("\"end\"")).count();
        assert_eq!(ends, usize::from(refused.is_none()), "{durable}");
    }
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

/// A file that is full after so many appends, and then has room again: the one that did not fit is half there.
#[derive(Debug)]
struct Full(FileJournal, usize);

#[async_trait]
impl JournalStore for Full {
    async fn read(&mut self) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.0.read().await
    }

    async fn cut(&mut self, length: u64) -> Result<()> {
        self.0.cut(length).await
    }

    async fn append(&mut self, lines: Bytes, durable: bool) -> Result<()> {
        self.1 = self.1.wrapping_sub(1);
        if self.1 == 0 {
            self.0.append(lines.slice(..lines.len() / 2), durable).await?;
            return Err(Error::new(persistor_core::ErrorKind::Unavailable, "no space left"));
        }
        self.0.append(lines, durable).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_full_for_a_moment_ends_the_run_and_can_be_read_again() {
    let stored = stored(unordered(500)).await;
    for appends in [3, 4, 5, 8] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let sink = Arc::new(Ledger::new(4, |_| Fate::Take));
        let full = Box::new(Full(FileJournal::open(&path).expect("a file"), appends));
        let first =
            replay(&stored, &sink, &Asked::default(), Some(Journal::open(full, &begin()).await.expect("a journal"))).await;
        assert!(
            matches!(&first.account.ended, Ended::Failed(error) if error.to_string() == "no space left"),
            "{:?}",
            first.account
        );
        let second = replay(&stored, &sink, &Asked::default(), Some(journal(&path).await)).await;
        assert_eq!(second.account.before + second.account.confirmed.messages, 500);
        let text = fs::read_to_string(&path).expect("the journal");
        let doubts: BTreeSet<String> = text
            .lines()
            .flat_map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
                let keys = line["resumed"]["in_doubt"].as_array().cloned().unwrap_or_default();
                keys.into_iter().map(|key| key.as_str().expect("a key").to_owned()).collect::<Vec<_>>()
            })
            .collect();
        let twice: BTreeSet<_> = sink.counts().into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key).collect();
        assert!(twice.is_subset(&doubts), "{appends}");
        assert_eq!(sink.counts().len(), 500);
    }
}

/// A journal that was read already when it is opened, and found empty: another one was opened between.
#[derive(Debug)]
struct Read(BlobJournal);

#[async_trait]
impl JournalStore for Read {
    async fn read(&mut self) -> Result<BoxStream<'static, Result<Bytes>>> {
        Ok(futures_util::stream::empty().boxed())
    }

    async fn cut(&mut self, _length: u64) -> Result<()> {
        Ok(())
    }

    async fn append(&mut self, lines: Bytes, durable: bool) -> Result<()> {
        self.0.append(lines, durable).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_in_an_archive_goes_on_and_two_at_the_same_time_are_found_out() {
    let stored = stored(unordered(100)).await;
    let store = MemoryStore::new();
    let open =
        || -> Box<dyn JournalStore> { Box::new(BlobJournal::new(Arc::new(store.clone()), Arc::new(store.clone()), "night")) };
    let sink = Arc::new(Ledger::new(5, |_| Fate::Take));
    let asked = Asked { stop: Some(Duration::from_millis(26)), ..Asked::default() };
    let first = replay(&stored, &sink, &asked, Some(Journal::open(open(), &begin()).await.expect("a journal"))).await;
    assert!(matches!(first.account.ended, Ended::Stopped));
    let (journal, history) = Journal::open(open(), &begin()).await.expect("it goes on");
    assert_eq!(history.confirmed(), first.account.confirmed.messages);
    // Another one opens it meanwhile, and so makes the next blob.
    Journal::open(open(), &begin()).await.expect("a second one");
    let second = replay(&stored, &sink, &Asked::default(), Some((journal, history))).await;
    assert!(
        matches!(&second.account.ended, Ended::Failed(error) if error.to_string().contains("elsewhere")),
        "{:?}",
        second.account
    );
    assert_eq!(second.account.confirmed.messages, 0);
    let third = replay(&stored, &sink, &Asked::default(), Some(Journal::open(open(), &begin()).await.expect("a journal"))).await;
    assert_eq!(third.account.before + third.account.confirmed.messages, 100);
    assert!(sink.counts().values().all(|count| *count == 1));
    // Two that open it at the very same time do not both have it.
    let empty = MemoryStore::new();
    let (reader, writer) = (Arc::new(empty.clone()), Arc::new(empty.clone()));
    let mut stores = [(); 2].map(|()| BlobJournal::new(writer.clone(), reader.clone(), "night"));
    for store in &mut stores {
        drop(store.read().await.expect("it is empty"));
    }
    let mut opened = 0;
    for store in stores {
        opened += usize::from(Journal::open(Box::new(Read(store)), &begin()).await.is_ok());
    }
    assert_eq!(opened, 1);
    // It lies in the archive and is no message.
    store.create(&Key::parse("x").expect("a key"), &[], &Metadata::new(), None).await.expect("a blob");
    let archive = Archive::open(Arc::new(store)).await.expect("it opens");
    let mut findings = Vec::new();
    let mut found = |finding: Finding| findings.push(finding.name);
    let (all, read) = (Arc::new(Selection::all()), persistor_recover::ReadData::No);
    persistor_recover::verify(&archive, &all, Source::Listing, read, &mut found).await.expect("a summary");
    assert_eq!(findings, [persistor_core::LAYOUT_PREFIX, "x"]);
}
