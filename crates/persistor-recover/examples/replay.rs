//! How fast a replay is where nothing but Persistor is slow: `cargo run --release -p persistor-recover --example replay`. A store whose every read takes 10 ms, a folder, and
//! a sink that takes everything at once. Messages a second, and the most memory.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use persistor_core::{
    Entity, Entry, FolderStore, Key, Layout, MemoryStore, Message, MessageId, Persist, PublishTime, Reader, RecordPlace, Result,
    Stream, Writer,
};
use persistor_recover::replay::{Begin, Ended, FileJournal, Headway, Journal, Manner, Order, Terms, load, plan_replay, run};
use persistor_recover::{Archive, Capabilities, Feeds, Outgoing, Selection, Sink, Source};
use tokio::sync::watch;

/// A store that takes its time for every read.
#[derive(Debug)]
struct Slow(MemoryStore, Duration);

#[async_trait]
impl Reader for Slow {
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        tokio::time::sleep(self.1).await;
        self.0.read(key, range).await
    }

    fn list(&self, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
        self.0.list(prefix, from)
    }
}

/// A sink that takes everything.
#[derive(Debug)]
struct Nowhere(Capabilities);

#[async_trait]
impl Sink for Nowhere {
    fn capabilities(&self) -> &Capabilities {
        &self.0
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn feeds(&self, _entity: &str) -> Feeds {
        Feeds::No
    }

    async fn send(&self, messages: &[Outgoing], _ordered: bool) -> Vec<Result<String>> {
        messages.iter().map(|_| Ok(String::new())).collect()
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

async fn fill(writer: Arc<dyn Writer>, count: usize, size: usize) {
    let persist = Persist::new(writer, Layout::default(), RecordPlace::Auto, Duration::from_secs(60));
    // A few megabytes at a time: what is measured is the memory of a replay.
    let step = (10_000_000 / size).min(1000);
    for start in (0..count).step_by(step) {
        let messages: Vec<_> = (start..count.min(start + step)).map(|number| message(number, size)).collect();
        persist.persist(&messages).await;
    }
}

fn message(number: usize, size: usize) -> Message {
    let time = format!(
        "2026-11-22T{:02}:{:02}:{:02}.{:03}Z",
        number / 3_600_000 % 24,
        number / 60_000 % 60,
        number / 1000 % 60,
        number % 1000
    );
    let mut payload = vec![b'x'; size];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    Message::new(
        Entity::new("projects/p/subscriptions/s").expect("an entity"),
        Stream::new("orders").expect("a stream"),
        MessageId::new(number.to_string()).expect("an id"),
        PublishTime::parse(&time).expect("a time"),
        payload.into(),
    )
}

/// Plans and sends; seconds of both.
async fn replay(reader: Arc<dyn Reader>, at_once: usize, count: u64) -> (f64, f64) {
    let archive = Archive::open(reader).await.expect("an archive");
    let sink: Arc<dyn Sink> = Arc::new(Nowhere(Capabilities { batch: (100, 1 << 20), ..Capabilities::unlimited() }));
    let terms = Terms { mark: Some("speed".into()), replays: false, limit: None, went_on: None };
    let start = Instant::now();
    let selection = Arc::new(Selection::all());
    let planned = plan_replay(&archive, &selection, Source::Listing, &terms, sink.as_ref(), &mut |_| {}).await.expect("a plan");
    let planning = start.elapsed().as_secs_f64();
    let folder = tempfile::tempdir().expect("a folder");
    let store = Box::new(FileJournal::open(&folder.path().join("journal")).expect("a file"));
    let (mut journal, history) =
        Journal::open(store, &Begin { name: "speed".into(), ..Begin::default() }).await.expect("a journal");
    let start = Instant::now();
    let items = load(&archive, planned, &terms, &sink, Arc::new(history), at_once, 256 << 20);
    let manner = Manner { order: Order::Key, rate: None, at_once, patience: Duration::from_secs(60), damaged: 0 };
    let (_stop, stopped) = watch::channel(false);
    let account = run(items, &sink, Some(&mut journal), &manner, &Arc::new(Headway::default()), stopped, &mut |_| {}).await;
    assert!(matches!(account.ended, Ended::Done) && account.confirmed.messages == count, "{account:?}");
    (planning, start.elapsed().as_secs_f64())
}

/// The most memory that this process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) / 1024
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let show = |what: &str, count: u64, (planning, sending): (f64, f64)| {
        let each = |seconds: f64| count as f64 / seconds;
        println!(
            "{what:<44} planned {:>8.0}/s, sent {:>8.0}/s, both {:>8.0}/s, peak {:>5} MiB",
            each(planning),
            each(sending),
            each(planning + sending),
            peak()
        );
    };
    let large = FolderStore::open(folder.path().join("large")).expect("a folder");
    fill(Arc::new(large.clone()), 1000, 1_000_000).await;
    for count in [1, 2] {
        show(&format!("folder, 1,000 messages of 1 MB, time {count}"), 1000, replay(Arc::new(large.clone()), 64, 1000).await);
    }
    let small = FolderStore::open(folder.path().join("small")).expect("a folder");
    fill(Arc::new(small.clone()), 50_000, 1024).await;
    for at_once in [16, 64, 256] {
        show(
            &format!("folder, 50,000 of 1 KiB, {at_once} at once"),
            50_000,
            replay(Arc::new(small.clone()), at_once, 50_000).await,
        );
    }
    let store = MemoryStore::new();
    fill(Arc::new(store.clone()), 20_000, 1024).await;
    for at_once in [16, 32, 64, 128, 256] {
        let slow = Arc::new(Slow(store.clone(), Duration::from_millis(10)));
        show(&format!("10 ms a read, 20,000 of 1 KiB, {at_once} at once"), 20_000, replay(slow, at_once, 20_000).await);
    }
}
