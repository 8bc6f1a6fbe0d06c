//! The write path over a store that fails, hangs, is slow or loses its replies: what is acknowledged is stored, once, and what is
//! not is stored by a later delivery.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use persistor_core::testing::{CreateOnly, Fault, FaultPlan, FaultyWriter, check_kept};
use persistor_core::{
    Attribute, Entity, ErrorKind, FolderStore, Key, Layout, MemoryStore, Message, MessageId, Outcome, Persist, PublishTime,
    Reader, RecordPlace, Stream, Writer,
};
use tokio::time::Instant;

const UNAVAILABLE: Fault = Fault::Fail(ErrorKind::Unavailable);
const DENIED: Fault = Fault::Fail(ErrorKind::Denied);
const WRITE_TIMEOUT: Duration = Duration::from_secs(8);

/// An archive behind faults: written through them, read without.
struct Archive {
    writer: Arc<FaultyWriter>,
    reader: Arc<dyn Reader>,
    persist: Persist,
}

impl Archive {
    fn new<S: Writer + Reader + 'static>(store: S, place: RecordPlace) -> Self {
        let store = Arc::new(store);
        let writer = Arc::new(FaultyWriter::new(store.clone(), FaultPlan::none()));
        let persist = Persist::new(writer.clone(), Layout::default(), place, WRITE_TIMEOUT);
        Self { writer, reader: store, persist }
    }

    /// In memory, with its layout written, so that the next call is a message's.
    async fn with_layout(place: RecordPlace) -> Self {
        let archive = Self::new(MemoryStore::new(), place);
        archive.persist.write_layout().await.expect("a layout");
        archive
    }

    async fn deliver(&self, message: &Message) -> Outcome {
        self.persist.persist(std::slice::from_ref(message)).await.pop().expect("an outcome for a message")
    }

    /// Delivers once, which is to be refused for now, and says with which kind of error.
    async fn refused(&self, message: &Message) -> ErrorKind {
        match self.deliver(message).await {
            Outcome::Retryable(error) => error.kind(),
            outcome => panic!("{outcome:?}"),
        }
    }

    async fn names(&self) -> Vec<String> {
        self.reader.list("", None).map_ok(|entry| entry.name).try_collect().await.expect("a listing")
    }

    /// Exactly this message is in the archive, whole, beside the layout.
    async fn holds_only(&self, message: &Message) {
        let key = key(message);
        check_kept(self.reader.as_ref(), &key, message).await;
        let names = self.names().await;
        let expected = [layout(), key.to_string(), format!("{key}.record")];
        assert!(names.len() == 2 || names.len() == 3, "{names:?}");
        assert_eq!(names, expected[..names.len()]);
    }

    /// Delivers messages again and again until all are acknowledged, as a broker does. What is acknowledged must be in the
    /// archive at that moment. Returns how many were stored, already stored, and refused for now.
    async fn deliver_until_acknowledged(&self, messages: &[Message]) -> (usize, usize, usize) {
        let (mut stored, mut already, mut refused) = (0, 0, 0);
        let mut waiting = messages.to_vec();
        // Where three deliveries in five are refused, a message that is still there after 60 is one in 10^13.
        for _ in 0..60 {
            let outcomes = self.persist.persist(&waiting).await;
            let mut again = Vec::new();
            for (message, outcome) in waiting.into_iter().zip(outcomes) {
                match &outcome {
                    Outcome::Stored(_) => stored += 1,
                    Outcome::AlreadyStored(_) => already += 1,
                    Outcome::Retryable(_) => refused += 1,
                    Outcome::Rejected(error) => panic!("{error:?}"),
                }
                match outcome {
                    Outcome::Stored(key) | Outcome::AlreadyStored(key) => {
                        check_kept(self.reader.as_ref(), &key, &message).await;
                        check_layout(self.reader.as_ref()).await;
                    }
                    _ => again.push(message),
                }
            }
            waiting = again;
        }
        assert_eq!(waiting.len(), 0, "every message finds its way at last");
        (stored, already, refused)
    }

    /// Every message is there once, whole, and besides them there is nothing but the layout and records of their own.
    async fn holds_exactly(&self, messages: &[Message]) {
        let expected: BTreeMap<_, _> = messages.iter().map(|message| (key(message).to_string(), message)).collect();
        assert_eq!(expected.len(), messages.len());
        let names = self.names().await;
        let (records, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.ends_with(".record"));
        assert_eq!(others[0], &layout());
        assert!(others[1..].iter().copied().eq(expected.keys()), "{others:?}");
        for record in records {
            assert!(record.strip_suffix(".record").is_some_and(|payload| expected.contains_key(payload)), "{record}");
        }
        for message in messages {
            check_kept(self.reader.as_ref(), &key(message), message).await;
        }
    }
}

async fn check_layout(reader: &dyn Reader) {
    let chunks: Vec<Bytes> =
        reader.read(&Layout::default().key(), None).await.expect("a layout").try_collect().await.expect("chunks");
    assert_eq!(chunks.concat(), Layout::default().encode().into_bytes(), "acknowledged before the layout is there");
}

fn layout() -> String {
    Layout::default().key().to_string()
}

fn key(message: &Message) -> Key {
    Layout::default().template().render(message)
}

/// The `n`-th message; one in three has a record that is too long for metadata.
fn message(n: usize) -> Message {
    let payload: Bytes = (0..=255).cycle().skip(n).take(n * 7).collect();
    let text = if n % 3 == 2 { "x".repeat(4000 + n) } else { n.to_string() };
    Message::new(
        Entity::new("projects/p/subscriptions/s").expect("not empty"),
        Stream::new("orders").expect("not empty"),
        MessageId::new(n.to_string()).expect("not empty"),
        PublishTime::parse("2026-11-22T05:40:12.503Z").expect("valid"),
        payload,
    )
    .with_attributes([("text".to_owned(), Attribute::from(text))].into())
}

fn messages(count: usize) -> Vec<Message> {
    (0..count).map(message).collect()
}

#[tokio::test]
async fn what_fails_at_first_is_stored_by_a_later_delivery() {
    for (fault, kind) in [(UNAVAILABLE, ErrorKind::Unavailable), (DENIED, ErrorKind::Denied)] {
        let archive = Archive::with_layout(RecordPlace::Auto).await;
        archive.writer.follow(FaultPlan::first(3, fault));
        for _ in 0..3 {
            assert_eq!(archive.refused(&message(7)).await, kind);
            assert_eq!(archive.names().await, [layout()]);
        }
        assert!(matches!(archive.deliver(&message(7)).await, Outcome::Stored(_)));
        archive.holds_only(&message(7)).await;
        assert_eq!((archive.writer.counts().failed, archive.writer.calls()), (3, 5));
    }
}

#[tokio::test]
async fn a_lost_reply_is_found_out_by_the_next_delivery() {
    let archive = Archive::with_layout(RecordPlace::Auto).await;
    archive.writer.follow(FaultPlan::first(2, Fault::LoseReply));
    for _ in 0..2 {
        assert_eq!(archive.refused(&message(7)).await, ErrorKind::Unavailable);
        archive.holds_only(&message(7)).await;
    }
    assert!(matches!(archive.deliver(&message(7)).await, Outcome::AlreadyStored(_)));
    archive.holds_only(&message(7)).await;
    assert_eq!((archive.writer.counts().lost, archive.writer.calls()), (2, 4));
}

#[tokio::test(start_paused = true)]
async fn a_hang_ends_within_the_write_timeout() {
    for at in 0..2 {
        let archive = Archive::with_layout(RecordPlace::Always).await;
        archive.writer.follow(FaultPlan::listed((0..at).map(|_| None).chain([Some(Fault::Hang)])));
        let start = Instant::now();
        assert_eq!(archive.refused(&message(7)).await, ErrorKind::Unavailable);
        let took = start.elapsed();
        assert!(took >= WRITE_TIMEOUT && took < WRITE_TIMEOUT + Duration::from_millis(10), "{took:?}");
        assert!(!archive.names().await.contains(&key(&message(7)).to_string()));
        assert!(matches!(archive.deliver(&message(7)).await, Outcome::Stored(_)));
        archive.holds_only(&message(7)).await;
        assert_eq!(archive.writer.counts().hung, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_is_stored_and_too_slow_is_stored_later() {
    // Record and payload take their time one after the other; the limit is for both.
    for (each, in_time) in [(0, true), (3900, true), (4100, false), (7900, false), (9000, false)] {
        let archive = Archive::with_layout(RecordPlace::Always).await;
        archive.writer.follow(FaultPlan::every(Fault::Slow(Duration::from_millis(each))));
        let start = Instant::now();
        if in_time {
            assert!(matches!(archive.deliver(&message(7)).await, Outcome::Stored(_)), "{each} ms each");
            assert!(start.elapsed() >= Duration::from_millis(2 * each));
        } else {
            assert_eq!(archive.refused(&message(7)).await, ErrorKind::Unavailable, "{each} ms each");
            assert!(start.elapsed() < WRITE_TIMEOUT + Duration::from_millis(10));
            assert!(!archive.names().await.contains(&key(&message(7)).to_string()));
            archive.writer.follow(FaultPlan::none());
            assert!(matches!(archive.deliver(&message(7)).await, Outcome::Stored(_)), "{each} ms each");
        }
        archive.holds_only(&message(7)).await;
        assert!(archive.writer.counts().slowed >= 1);
    }
}

#[tokio::test]
async fn a_reply_lost_between_record_and_payload_costs_nothing() {
    let archive = Archive::with_layout(RecordPlace::Always).await;
    archive.writer.follow(FaultPlan::first(1, Fault::LoseReply));
    assert_eq!(archive.refused(&message(7)).await, ErrorKind::Unavailable);
    let key = key(&message(7));
    assert_eq!(archive.names().await, [layout(), format!("{key}.record")], "a record whose payload is still to come");
    assert!(matches!(archive.deliver(&message(7)).await, Outcome::Stored(again) if again == key));
    archive.holds_only(&message(7)).await;
    assert_eq!(archive.writer.counts().lost, 1);
}

#[tokio::test(start_paused = true)]
async fn without_its_layout_nothing_is_acknowledged_or_even_written() {
    for fault in [UNAVAILABLE, DENIED, Fault::Hang, Fault::Slow(WRITE_TIMEOUT * 2)] {
        let archive = Archive::new(MemoryStore::new(), RecordPlace::Auto);
        // Only the layout's writes meet the fault: a message's own would succeed.
        archive.writer.follow(FaultPlan::first(3, fault));
        for delivery in 1..=3 {
            archive.refused(&message(7)).await;
            assert_eq!(archive.names().await, [""; 0], "{fault:?}");
            assert_eq!(archive.writer.calls(), delivery);
        }
        assert!(matches!(archive.deliver(&message(7)).await, Outcome::Stored(_)), "{fault:?}");
        archive.holds_only(&message(7)).await;
    }
}

#[tokio::test]
async fn a_layout_that_is_there_without_a_reply_is_asked_for_again() {
    let archive = Archive::new(MemoryStore::new(), RecordPlace::Auto);
    archive.writer.follow(FaultPlan::first(1, Fault::LoseReply));
    assert_eq!(archive.refused(&message(7)).await, ErrorKind::Unavailable);
    assert_eq!(archive.names().await, [layout()]);
    assert!(matches!(archive.deliver(&message(7)).await, Outcome::Stored(_)));
    assert_eq!(archive.writer.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn many_messages_wait_for_one_layout_and_none_overtakes_it() {
    for fault in [UNAVAILABLE, Fault::LoseReply, Fault::Hang] {
        let archive = Archive::new(MemoryStore::new(), RecordPlace::Auto);
        archive.writer.follow(FaultPlan::first(10, fault));
        let (stored, already, refused) = archive.deliver_until_acknowledged(&messages(40)).await;
        assert_eq!((stored, already), (40, 0), "{fault:?}");
        assert!(refused >= 10, "{fault:?}: {refused}");
        archive.holds_exactly(&messages(40)).await;
    }
}

/// One call in 100 hangs, one in ten loses its reply, and so on: a bad day.
fn bad_day(seed: u64) -> FaultPlan {
    let slow = Fault::Slow(Duration::from_secs(1));
    let too_slow = Fault::Slow(WRITE_TIMEOUT + Duration::from_secs(1));
    FaultPlan::random(
        seed,
        [(150, UNAVAILABLE), (50, DENIED), (100, Fault::LoseReply), (10, Fault::Hang), (100, slow), (20, too_slow)],
    )
}

#[tokio::test(start_paused = true)]
async fn through_faults_at_random_every_message_arrives_once() {
    let messages = messages(500);
    for seed in 1..=6 {
        for place in [RecordPlace::Auto, RecordPlace::Always] {
            let archive = Archive::new(MemoryStore::new(), place);
            archive.writer.follow(bad_day(seed));
            let (stored, already, refused) = archive.deliver_until_acknowledged(&messages).await;
            archive.holds_exactly(&messages).await;
            assert_eq!(stored + already, 500);
            let (calls, counts) = (archive.writer.calls(), archive.writer.counts());
            println!("seed {seed}, {place:?}: {stored} stored, {already} already, {refused} refused; {calls} calls, {counts:?}");
            assert!(already >= 20 && refused >= 100, "{already} {refused}");
            assert!(counts.failed >= 100 && counts.lost >= 50 && counts.hung >= 3 && counts.slowed >= 50, "{counts:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn through_faults_at_random_a_folder_is_right_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = Archive::new(FolderStore::open(folder.path()).expect("open"), RecordPlace::Auto);
    archive.writer.follow(bad_day(1));
    let messages = messages(100);
    let (stored, already, refused) = archive.deliver_until_acknowledged(&messages).await;
    archive.holds_exactly(&messages).await;
    assert_eq!(stored + already, 100);
    let counts = archive.writer.counts();
    println!("{stored} stored, {already} already, {refused} refused; {} calls, {counts:?}", archive.writer.calls());
    assert!(counts.failed >= 10 && counts.lost >= 5 && counts.hung >= 1 && counts.slowed >= 5, "{counts:?}");
}

#[tokio::test]
async fn the_right_to_create_is_enough() {
    let store = Arc::new(MemoryStore::new());
    let identity = Arc::new(CreateOnly::new(store.clone()));
    for place in [RecordPlace::Auto, RecordPlace::Always] {
        let persist = Persist::new(identity.clone(), Layout::default(), place, WRITE_TIMEOUT);
        for n in [7, 8] {
            let message = message(if place == RecordPlace::Auto { n } else { n + 10 });
            let outcomes = persist.persist(&[message.clone(), message.clone()]).await;
            assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Stored(_))).count(), 1);
            assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::AlreadyStored(_))).count(), 1);
            let kept = key(&message);
            check_kept(store.as_ref(), &kept, &message).await;
            // The identity did all that and could not have read a byte.
            assert_eq!(identity.read(&kept, None).await.err().map(|error| error.kind()), Some(ErrorKind::Denied));
        }
    }
    let listed: Result<Vec<_>, _> = identity.list("", None).try_collect().await;
    assert_eq!(listed.err().map(|error| error.kind()), Some(ErrorKind::Denied));
}
