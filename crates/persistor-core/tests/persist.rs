//! The write path: what is written in which order, and what is never called stored.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use persistor_core::{
    Attribute, Creation, Entity, Error, ErrorKind, Key, Layout, MemoryStore, Message, MessageId, Metadata, Outcome, Persist,
    PublishTime, Reader as _, Record, RecordPlace, Result, Stream, Writer,
};

/// A memory store that notes what is asked of it and fails as told: the next answer, or none for the store's own.
#[derive(Debug, Default)]
struct Told {
    store: MemoryStore,
    without_metadata: bool,
    asked: Mutex<Vec<String>>,
    answers: Mutex<VecDeque<Option<Answer>>>,
}

#[derive(Debug)]
enum Answer {
    Fail(ErrorKind),
    Hang,
}

#[async_trait]
impl Writer for Told {
    fn keeps_metadata(&self) -> bool {
        !self.without_metadata
    }

    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, time: Option<&PublishTime>) -> Result<Creation> {
        self.asked.lock().expect("no panic").push(key.to_string());
        let answer = self.answers.lock().expect("no panic").pop_front().flatten();
        match answer {
            Some(Answer::Fail(kind)) => return Err(Error::new(kind, "told to fail")),
            Some(Answer::Hang) => std::future::pending().await,
            None => {}
        }
        self.store.create(key, content, metadata, time).await
    }
}

fn message(id: &str, payload: &[u8]) -> Message {
    Message::new(
        Entity::new("projects/p/subscriptions/s").expect("not empty"),
        Stream::new("orders").expect("not empty"),
        MessageId::new(id).expect("not empty"),
        PublishTime::parse("2026-11-22T05:40:12.503Z").expect("valid"),
        Bytes::copy_from_slice(payload),
    )
}

fn persist(writer: &Arc<Told>, place: RecordPlace) -> Persist {
    Persist::new(writer.clone(), Layout::default(), place, Duration::from_secs(8))
}

async fn one(persist: &Persist, message: Message) -> Outcome {
    persist.persist(vec![message]).await.pop().expect("an outcome for a message")
}

#[tokio::test]
async fn the_layout_comes_first_and_the_record_before_the_payload() {
    let writer = Arc::new(Told { without_metadata: true, ..Told::default() });
    let persist = persist(&writer, RecordPlace::Auto);
    let Outcome::Stored(key) = one(&persist, message("1", b"a")).await else { panic!("not stored") };
    assert!(matches!(one(&persist, message("1", b"a")).await, Outcome::AlreadyStored(again) if again == key));
    let layout = Layout::default().key().to_string();
    let asked = writer.asked.lock().expect("no panic").clone();
    assert_eq!(asked, [layout, format!("{key}.record"), key.to_string(), format!("{key}.record"), key.to_string()]);
}

#[tokio::test]
async fn nothing_is_stored_before_the_layout_is() {
    let writer = Arc::new(Told::default());
    let persist = persist(&writer, RecordPlace::Auto);
    writer.answers.lock().expect("no panic").push_back(Some(Answer::Fail(ErrorKind::Denied)));
    assert!(matches!(one(&persist, message("1", b"a")).await, Outcome::Retryable(error) if error.kind() == ErrorKind::Denied));
    assert!(matches!(one(&persist, message("1", b"a")).await, Outcome::Stored(_)));
}

#[tokio::test]
async fn every_failure_says_what_to_do_next() {
    for at in 1..=2 {
        for (kind, retryable) in [(ErrorKind::Unavailable, true), (ErrorKind::Denied, true), (ErrorKind::Invalid, false)] {
            let writer = Arc::new(Told { without_metadata: true, ..Told::default() });
            let persist = persist(&writer, RecordPlace::Auto);
            let mut answers: VecDeque<_> = (0..at).map(|_| None).collect();
            answers.push_back(Some(Answer::Fail(kind)));
            *writer.answers.lock().expect("no panic") = answers;
            let outcome = one(&persist, message("1", b"a")).await;
            assert_eq!(matches!(outcome, Outcome::Retryable(_)), retryable, "{outcome:?}");
            assert_eq!(matches!(outcome, Outcome::Rejected(_)), !retryable, "{outcome:?}");
            assert!(matches!(one(&persist, message("1", b"a")).await, Outcome::Stored(_)), "the next delivery finds its way");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_is_given_up_and_may_be_tried_again() {
    let writer = Arc::new(Told::default());
    let persist = persist(&writer, RecordPlace::Auto);
    *writer.answers.lock().expect("no panic") = VecDeque::from([None, Some(Answer::Hang)]);
    let outcome = one(&persist, message("1", b"a")).await;
    assert!(matches!(&outcome, Outcome::Retryable(error) if error.to_string().contains("8s")), "{outcome:?}");
    assert!(matches!(one(&persist, message("1", b"a")).await, Outcome::Stored(_)));
}

#[tokio::test]
async fn of_many_messages_one_that_fails_keeps_none_back() {
    let writer = Arc::new(Told::default());
    let persist = persist(&writer, RecordPlace::Auto);
    persist.write_layout().await.expect("a layout");
    *writer.answers.lock().expect("no panic") = VecDeque::from([None, Some(Answer::Fail(ErrorKind::Unavailable))]);
    let outcomes = persist.persist((0..20).map(|n| message(&n.to_string(), b"a")).collect()).await;
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
            let writer = Arc::new(Told::default());
            let sized = message("1", b"").with_attributes([("a".to_owned(), Attribute::from("x".repeat(length - empty)))].into());
            let record = Record::from(&sized).encode();
            assert_eq!(record.len(), length);
            let Outcome::Stored(key) = one(&persist(&writer, place), sized).await else { panic!("not stored") };
            let entries: Vec<_> = writer.store.list("orders/", None).try_collect().await.expect("a listing");
            let inline = inline && place == RecordPlace::Auto;
            let names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
            let own_blob = format!("{key}.record");
            assert_eq!(names, if inline { vec![key.to_string()] } else { vec![key.to_string(), own_blob.clone()] });
            let kept = &entries[0].metadata["record"];
            if inline {
                assert_eq!(*kept, record);
            } else {
                assert_eq!(kept, "blob");
                let chunks = writer.store.read(&Key::parse(own_blob).expect("a key"), None).await.expect("a blob");
                assert_eq!(chunks.try_collect::<Vec<_>>().await.expect("chunks").concat(), record.into_bytes());
            }
        }
    }
}

#[tokio::test]
async fn the_same_id_with_other_bytes_is_another_blob() {
    let writer = Arc::new(Told::default());
    let persist = persist(&writer, RecordPlace::Auto);
    let Outcome::Stored(a) = one(&persist, message("1", b"a")).await else { panic!("not stored") };
    let Outcome::Stored(b) = one(&persist, message("1", b"b")).await else { panic!("not stored") };
    assert_ne!(a, b);
}
