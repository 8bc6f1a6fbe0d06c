//! The write path: what is written in which order, and what is never called stored.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use persistor_core::testing::{Fault, FaultPlan, FaultyWriter};
use persistor_core::{
    Attribute, Entity, ErrorKind, Key, Layout, MemoryStore, Message, MessageId, Outcome, Persist, PublishTime, Reader as _,
    Record, RecordPlace, Stream,
};

fn message(id: &str, payload: &[u8]) -> Message {
    Message::new(
        Entity::new("projects/p/subscriptions/s").expect("not empty"),
        Stream::new("orders").expect("not empty"),
        MessageId::new(id).expect("not empty"),
        PublishTime::parse("2026-11-22T05:40:12.503Z").expect("valid"),
        Bytes::copy_from_slice(payload),
    )
}

/// A memory store, and the way into it that fails as planned.
fn store(plan: FaultPlan) -> (MemoryStore, Arc<FaultyWriter>) {
    let store = MemoryStore::new();
    let writer = Arc::new(FaultyWriter::new(Arc::new(store.clone()), plan));
    (store, writer)
}

/// A plan where only the call of this number meets `fault`.
fn only(call: usize, fault: Fault) -> FaultPlan {
    FaultPlan::listed((0..call).map(|_| None).chain([Some(fault)]))
}

async fn names(store: &MemoryStore) -> Vec<String> {
    store.list("", None).map_ok(|entry| entry.name).try_collect().await.expect("a listing")
}

fn persist(writer: &Arc<FaultyWriter>, place: RecordPlace) -> Persist {
    Persist::new(writer.clone(), Layout::default(), place, Duration::from_secs(8))
}

async fn one(persist: &Persist, message: Message) -> Outcome {
    persist.persist(&[message]).await.pop().expect("an outcome for a message")
}

#[tokio::test]
async fn the_layout_comes_first_and_the_record_before_the_payload() {
    let key = Layout::default().template().render(&message("1", b"a"));
    let in_order = [Layout::default().key().to_string(), format!("{key}.record"), key.to_string()];
    for written in 0..3 {
        let (store, writer) = store(only(written, Fault::Fail(ErrorKind::Unavailable)));
        let persist = persist(&writer, RecordPlace::Always);
        assert!(matches!(one(&persist, message("1", b"a")).await, Outcome::Retryable(_)));
        assert_eq!(names(&store).await, in_order[..written], "what is there when the next write fails");
        assert_eq!(writer.calls(), written as u64 + 1, "and nothing is tried behind it");
    }
    let (store, writer) = store(FaultPlan::none());
    let persist = persist(&writer, RecordPlace::Always);
    assert!(matches!(one(&persist, message("1", b"a")).await, Outcome::Stored(stored) if stored == key));
    assert!(matches!(one(&persist, message("1", b"a")).await, Outcome::AlreadyStored(again) if again == key));
    assert_eq!(writer.calls(), 5, "the layout is written once");
    assert_eq!(names(&store).await.len(), 3);
}

#[tokio::test]
async fn every_failure_says_what_to_do_next() {
    for at in 0..=2 {
        for (kind, retryable) in [(ErrorKind::Unavailable, true), (ErrorKind::Denied, true), (ErrorKind::Invalid, false)] {
            let (_, writer) = store(only(at, Fault::Fail(kind)));
            let persist = persist(&writer, RecordPlace::Always);
            let outcome = one(&persist, message("1", b"a")).await;
            assert_eq!(matches!(outcome, Outcome::Retryable(_)), retryable, "{outcome:?}");
            assert_eq!(matches!(outcome, Outcome::Rejected(_)), !retryable, "{outcome:?}");
            assert!(matches!(one(&persist, message("1", b"a")).await, Outcome::Stored(_)), "the next delivery finds its way");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_is_given_up_with_the_limit_in_the_reason() {
    let (_, writer) = store(only(1, Fault::Hang));
    let persist = persist(&writer, RecordPlace::Auto);
    let outcome = one(&persist, message("1", b"a")).await;
    assert!(matches!(&outcome, Outcome::Retryable(error) if error.to_string().contains("8s")), "{outcome:?}");
    assert!(matches!(one(&persist, message("1", b"a")).await, Outcome::Stored(_)));
}

#[tokio::test]
async fn of_many_messages_one_that_fails_keeps_none_back() {
    let (_, writer) = store(only(2, Fault::Fail(ErrorKind::Unavailable)));
    let persist = persist(&writer, RecordPlace::Auto);
    persist.write_layout().await.expect("a layout");
    let outcomes = persist.persist(&(0..20).map(|n| message(&n.to_string(), b"a")).collect::<Vec<_>>()).await;
    let stored: Vec<_> = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Stored(_))).collect();
    assert_eq!(stored.len(), 20);
    assert_eq!(stored.iter().filter(|stored| !**stored).count(), 1);
    assert!(!stored[1], "outcomes are in the order of the messages");
}

#[tokio::test]
async fn a_record_stands_in_the_metadata_up_to_4000_bytes() {
    let empty = Record::from(&message("1", b"").with_attributes([("a".to_owned(), Attribute::from(""))].into())).encode().len();
    for (length, inline) in [(3999, true), (4000, true), (4001, false)] {
        for place in [RecordPlace::Auto, RecordPlace::Always] {
            let (store, writer) = store(FaultPlan::none());
            let sized = message("1", b"").with_attributes([("a".to_owned(), Attribute::from("x".repeat(length - empty)))].into());
            let record = Record::from(&sized).encode();
            assert_eq!(record.len(), length);
            let Outcome::Stored(key) = one(&persist(&writer, place), sized).await else { panic!("not stored") };
            let entries: Vec<_> = store.list("orders/", None).try_collect().await.expect("a listing");
            let inline = inline && place == RecordPlace::Auto;
            let names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
            let own_blob = format!("{key}.record");
            assert_eq!(names, if inline { vec![key.to_string()] } else { vec![key.to_string(), own_blob.clone()] });
            let kept = &entries[0].metadata["record"];
            if inline {
                assert_eq!(*kept, record);
            } else {
                assert_eq!(kept, "blob");
                let chunks = store.read(&Key::parse(own_blob).expect("a key"), None).await.expect("a blob");
                assert_eq!(chunks.try_collect::<Vec<_>>().await.expect("chunks").concat(), record.into_bytes());
            }
        }
    }
}

#[tokio::test]
async fn the_same_id_with_other_bytes_is_another_blob() {
    let (_, writer) = store(FaultPlan::none());
    let persist = persist(&writer, RecordPlace::Auto);
    let Outcome::Stored(a) = one(&persist, message("1", b"a")).await else { panic!("not stored") };
    let Outcome::Stored(b) = one(&persist, message("1", b"b")).await else { panic!("not stored") };
    assert_ne!(a, b);
}
