//! A copy into another store: what arrives, what is left out, and how it ends where the target fails, for a while or for good.

mod common;
#[path = "common/failing.rs"]
mod failing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use common::{message, persist};
use failing::FailingReader;
use futures_util::TryStreamExt as _;
use persistor_core::testing::{Fault as TargetFault, FaultPlan, FaultyWriter};
use persistor_core::{
    Creation, DEFAULT_TEMPLATE, Entry, ErrorKind, Key, Layout, MemoryStore, Metadata, PublishTime, Reader as _, RecordPlace,
    Result, Writer,
};
use persistor_recover::replay::Ended;
use persistor_recover::{Archive, Copied, Fault, Finding, Selection, Source, Wanted, copy, measure};
use tokio::sync::watch;

const MESSAGES: u64 = 200;
const PATIENCE: Duration = Duration::from_secs(300);

fn all() -> Wanted {
    Wanted { selection: Arc::new(Selection::all()), source: Source::Listing, limit: None, rejected: true }
}

/// Messages, some of them with records that do not fit into metadata, a rejected call, and two layouts.
async fn source() -> MemoryStore {
    let store = MemoryStore::new();
    let long = "x".repeat(5000);
    let messages: Vec<_> = (0..MESSAGES)
        .map(|id| {
            let tenant = if id % 7 == 0 { long.as_str() } else { "north" };
            message("orders", &id.to_string(), "2026-11-22T05:40:12Z", Some(tenant), &format!("payload {id}"))
        })
        .collect();
    persist(Arc::new(store.clone()), "{stream}/{time:%Y/%m/%d}/x-{id}-{digest}", RecordPlace::Auto, messages[..10].to_vec())
        .await;
    persist(Arc::new(store.clone()), DEFAULT_TEMPLATE, RecordPlace::Auto, messages).await;
    let rejected = Key::parse("_persistor/rejected/abc").expect("a key");
    store.create(&rejected, &[Bytes::from_static(b"a call")], &Metadata::new(), None).await.expect("stored");
    store
}

/// All blobs but for the time at which they were made.
async fn blobs(store: &MemoryStore) -> Vec<(Entry, Vec<u8>)> {
    let entries: Vec<_> = store.list("", None).try_collect().await.expect("a listing");
    let mut blobs = Vec::new();
    for entry in entries {
        let chunks = store.read(&entry.key().expect("a key"), None).await.expect("a blob");
        let content: Vec<Bytes> = chunks.try_collect().await.expect("a blob");
        blobs.push((Entry { created: Default::default(), ..entry }, content.concat()));
    }
    blobs
}

async fn copied(from: &MemoryStore, to: Arc<dyn Writer>, wanted: Wanted) -> (Copied, Vec<Fault>) {
    let archive = Archive::open(Arc::new(from.clone())).await.expect("an archive");
    let mut faults = Vec::new();
    let (_stop, stopped) = watch::channel(false);
    let copied = copy(&archive, &to, wanted, PATIENCE, stopped, &mut |finding| faults.push(finding.fault)).await;
    (copied, faults)
}

#[tokio::test]
async fn everything_arrives_as_it_is_and_once() {
    let (from, to) = (source().await, MemoryStore::new());
    let (first, _) = copied(&from, Arc::new(to.clone()), all()).await;
    assert_eq!((first.messages, first.existed, first.layouts, first.rejected), (MESSAGES + 10, 0, 2, 1));
    assert!(matches!(first.ended, Ended::Done), "{first:?}");
    assert_eq!(blobs(&from).await, blobs(&to).await);
    let (again, _) = copied(&from, Arc::new(to.clone()), all()).await;
    assert_eq!((again.messages, again.bytes, again.existed), (0, 0, MESSAGES + 10));
    assert_eq!(blobs(&from).await, blobs(&to).await);
    let archive = Archive::open(Arc::new(from)).await.expect("an archive");
    assert_eq!(measure(&archive, all(), &mut |_| {}).await.expect("measured"), (first.messages, first.bytes));
}

#[tokio::test]
async fn what_cannot_be_read_is_told_apart_from_what_is_damaged() {
    let store = source().await;
    let entries: Vec<Entry> = store.list("orders/2026/11/22/05/", None).try_collect().await.expect("a listing");
    let key = entries[20].key().expect("a key");
    for (kind, expected) in [
        (ErrorKind::NotFound, Some(Fault::Vanished)),
        (ErrorKind::Damaged, Some(Fault::PayloadDiffers)),
        (ErrorKind::Unavailable, None),
        (ErrorKind::Denied, None),
    ] {
        let archive = Archive::open(Arc::new(FailingReader { store: store.clone(), key: key.clone(), kind })).await;
        let (to, mut faults) = (MemoryStore::new(), Vec::new());
        let (_stop, stopped) = watch::channel(false);
        let target: Arc<dyn Writer> = Arc::new(to.clone());
        let archive = archive.expect("an archive");
        let mut damage = |finding: Finding| {
            if finding.fault.is_damage() {
                faults.push((finding.fault, finding.name));
            }
        };
        let copied = copy(&archive, &target, all(), PATIENCE, stopped, &mut damage).await;
        match expected {
            Some(fault) => {
                assert_eq!(faults, [(fault, key.to_string())], "{kind:?}");
                assert!(matches!(copied.ended, Ended::Done), "{copied:?}");
                assert_eq!((copied.messages, copied.damage), (MESSAGES + 9, 1), "{kind:?}");
            }
            // The archive cannot be read just now: that says nothing about a message.
            None => {
                assert_eq!(faults, [], "{kind:?}");
                assert!(matches!(&copied.ended, Ended::Failed(error) if error.kind() == kind), "{copied:?}");
            }
        }
        assert!(blobs(&to).await.iter().all(|(entry, _)| entry.name != key.as_str()), "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_narrowed_leaves_the_rest() {
    let (from, to) = (source().await, MemoryStore::new());
    let (some, _) = copied(&from, Arc::new(to.clone()), Wanted { limit: Some(5), rejected: false, ..all() }).await;
    assert_eq!((some.messages, some.layouts, some.rejected), (5, 2, 0));
    let none = Wanted { selection: Arc::new(Selection::all().streams(["none".to_owned()])), rejected: false, ..all() };
    let empty = MemoryStore::new();
    let (none, _) = copied(&from, Arc::new(empty.clone()), none).await;
    assert_eq!((none.messages, none.layouts), (0, 0));
    assert!(blobs(&empty).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_fails_for_a_while_gets_everything() {
    let (from, to) = (source().await, MemoryStore::new());
    let writer = Arc::new(FaultyWriter::new(Arc::new(to.clone()), FaultPlan::none()));
    writer.follow(FaultPlan::random(7, [(300, TargetFault::Fail(ErrorKind::Unavailable)), (100, TargetFault::LoseReply)]));
    // The layouts are not tried again: a target that is not there is to be said at once.
    let mut runs = 0;
    while !matches!(copied(&from, writer.clone(), all()).await.0.ended, Ended::Done) {
        runs += 1;
        assert!(runs < 20);
    }
    assert!(writer.counts().failed > 50 && writer.counts().lost > 10, "{:?}", writer.counts());
    assert_eq!(blobs(&from).await, blobs(&to).await);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_fails_for_good_or_refuses_ends_it() {
    let from = source().await;
    for (kind, waits) in [(ErrorKind::Unavailable, true), (ErrorKind::Denied, false), (ErrorKind::Invalid, false)] {
        let to = MemoryStore::new();
        let mut faults = vec![None; 40];
        faults.extend(vec![Some(TargetFault::Fail(kind)); 100_000]);
        let writer = Arc::new(FaultyWriter::new(Arc::new(to.clone()), FaultPlan::listed(faults)));
        let start = tokio::time::Instant::now();
        let (ended, _) = copied(&from, writer.clone(), all()).await;
        let Ended::Failed(error) = ended.ended else { panic!("{ended:?}") };
        assert_eq!(error.kind(), kind);
        assert_eq!(start.elapsed() > PATIENCE / 2, waits, "{:?}", start.elapsed());
        assert!(ended.messages > 0);
        // The same again goes on.
        writer.follow(FaultPlan::none());
        let (rest, _) = copied(&from, writer, all()).await;
        assert!(rest.existed >= ended.messages, "{rest:?}");
        assert_eq!(rest.messages + rest.existed, MESSAGES + 10);
        assert_eq!(blobs(&from).await, blobs(&to).await);
    }
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_it_is_asked_to_whatever_the_target_does() {
    let from = source().await;
    let archive = Archive::open(Arc::new(from.clone())).await.expect("an archive");
    let mut faults = vec![None; 2];
    faults.extend(vec![Some(TargetFault::Fail(ErrorKind::Unavailable)); 100_000]);
    let to: Arc<dyn Writer> = Arc::new(FaultyWriter::new(Arc::new(MemoryStore::new()), FaultPlan::listed(faults)));
    let (stop, stopped) = watch::channel(false);
    let start = tokio::time::Instant::now();
    let mut ignored = |_| {};
    let (copied, ()) = tokio::join!(copy(&archive, &to, all(), PATIENCE, stopped, &mut ignored), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.send_replace(true);
    });
    assert!(matches!(copied.ended, Ended::Stopped), "{copied:?}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// A target that takes layouts, and nothing else to its end.
#[derive(Debug)]
struct Hanging(MemoryStore);

#[async_trait]
impl Writer for Hanging {
    fn keeps_metadata(&self) -> bool {
        true
    }

    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, time: Option<&PublishTime>) -> Result<Creation> {
        if !key.is_reserved() {
            std::future::pending::<()>().await;
        }
        self.0.create(key, content, metadata, time).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_target_stays_within_the_memory() {
    let from = MemoryStore::new();
    let payload = "x".repeat(3 << 20);
    let messages = (0..32).map(|id| message("orders", &id.to_string(), "2026-11-22T05:40:12Z", None, &payload));
    persist(Arc::new(from.clone()), DEFAULT_TEMPLATE, RecordPlace::Auto, messages.collect()).await;
    let archive = Archive::open(Arc::new(from)).await.expect("an archive");
    let (_stop, stopped) = watch::channel(false);
    let (to, mut found): (Arc<dyn Writer>, _) = (Arc::new(Hanging(MemoryStore::new())), |_| ());
    let copying = tokio::time::timeout(PATIENCE, copy(&archive, &to, all(), PATIENCE, stopped, &mut found));
    assert!(copying.await.is_err(), "it does not hang");
    let read = archive.progress().bytes();
    assert!((48 << 20..=64 << 20).contains(&read), "{read} bytes were read");
}

#[tokio::test]
async fn a_damaged_payload_is_left_out_and_said() {
    let (from, spoiled, to) = (source().await, MemoryStore::new(), MemoryStore::new());
    let mut victims = 0;
    for (entry, mut content) in blobs(&from).await {
        // Of the same length; memory sums it up anew, so that already the listing shows it.
        if content == b"payload 150" {
            content = b"pAyload 150".to_vec();
            victims += 1;
        }
        spoiled.create(&entry.key().expect("a key"), &[content.into()], &entry.metadata, None).await.expect("stored");
    }
    assert_eq!(victims, 1);
    let (copied, faults) = copied(&spoiled, Arc::new(to.clone()), all()).await;
    assert_eq!((copied.messages, copied.damage), (MESSAGES + 9, 1));
    assert_eq!(faults.iter().filter(|fault| fault.is_damage()).count(), 1, "{faults:?}");
    assert!(blobs(&to).await.iter().all(|(_, content)| content != b"pAyload 150" && content != b"payload 150"));
}

#[tokio::test]
async fn a_damaged_layout_is_left_out_and_said_and_a_later_one_goes_with_the_rest() {
    let (from, to) = (source().await, MemoryStore::new());
    let (damaged, later) = ("_persistor/layout/0123.json", "_persistor/layout/4567.json");
    let sound = Layout::default().encode();
    for (name, content) in [(damaged, sound.clone()), (later, sound.replace("persistor/1", "persistor/2"))] {
        let key = Key::parse(name).expect("a key");
        from.create(&key, &[content.into()], &Metadata::new(), None).await.expect("stored");
    }
    let (copied, faults) = copied(&from, Arc::new(to.clone()), all()).await;
    assert!(matches!(copied.ended, Ended::Done), "{copied:?}");
    assert_eq!((copied.messages, copied.layouts, copied.damage), (MESSAGES + 10, 3, 1));
    assert_eq!(faults[..2], [Fault::LayoutDamaged, Fault::Later]);
    let expected: Vec<_> = blobs(&from).await.into_iter().filter(|(entry, _)| entry.name != damaged).collect();
    assert_eq!(blobs(&to).await, expected);
}

#[tokio::test]
async fn nothing_is_there_without_its_layouts() {
    let from = source().await;
    let to = MemoryStore::new();
    // The second layout is refused, so nothing that comes behind it may be there.
    let refused = FaultPlan::listed(vec![None, Some(TargetFault::Fail(ErrorKind::Denied))]);
    let writer = Arc::new(FaultyWriter::new(Arc::new(to.clone()), FaultPlan::none()));
    writer.follow(refused);
    let (copied, _) = copied(&from, writer, all()).await;
    assert!(matches!(copied.ended, Ended::Failed(_)), "{copied:?}");
    let names: Vec<_> = blobs(&to).await.into_iter().map(|(entry, _)| entry.name).collect();
    assert!(names.len() == 1 && names[0].starts_with("_persistor/layout/"), "{names:?}");
}
