//! The whole path with Google's own parts before it: client → Pub/Sub emulator → program → folder; then all of it a second time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use persistor_tests::archive::Archive;
use persistor_tests::corpus::corpus;
use persistor_tests::emulator::Emulator;
use persistor_tests::http::Request;
use persistor_tests::logs::says;
use persistor_tests::program::Setup;
use persistor_tests::published::Published;
use persistor_tests::pubsub::{Publication, Pubsub};
use persistor_tests::witness::{End, Witness};
use persistor_tests::{ports, pusher, scratch, tools};

/// A payload that looks like a push of something else.
const ENVELOPE: &str = r#"{"message":{"messageId":"1","publishTime":"2020-01-01T00:00:00Z","data":"AA=="},"subscription":"x"}"#;

const MESSAGES: usize = 10_000;
/// The acknowledgement deadline: short, so that what is not acknowledged comes back soon.
const DEADLINE_SECONDS: i32 = 20;

#[test]
#[ignore = "needs the Pub/Sub emulator and libfaketime: tests/run e2e"]
fn ten_thousand_messages_are_stored_once_and_redelivered_for_nothing() {
    let (Some(emulator), Some(faketime)) = (Emulator::start(), tools::faketime_library()) else { return };
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let setup = Setup::gcp_function(&root).port(ports::free());
    let mut program = setup.start();
    let witness = Witness::before(program.port());
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("orders");
    let subscription = pubsub.create_push("archive", &topic, &witness.url("orders"), DEADLINE_SECONDS);

    let before = SystemTime::now() - Duration::from_secs(60);
    let published = Published::publish(&pubsub, &topic, corpus(MESSAGES, 3));
    witness.wait_for_acknowledged(&published.ids(), 0);
    assert_all_acknowledged(&witness, 0);
    let archive = Archive::read_sound(&root);
    assert_eq!(archive.messages.len(), MESSAGES);
    published.assert_stored(&archive, "orders", &subscription);
    assert_eq!(archive.temporary, Vec::<String>::new());
    let first = snapshot(&root);

    program.terminate();
    assert_eq!(program.wait().code(), Some(0));
    drop(program);
    let mut program = setup.faketime(&faketime, "+3h").start();
    let line = program.logs().wait_for("listening", |line| says(line, "listening"));
    let its_time: DateTime<Utc> = line["time"].as_str().expect("lines have a time").parse().expect("a time");
    assert!(its_time > DateTime::<Utc>::from(SystemTime::now()) + TimeDelta::minutes(170), "its clock was not moved: {its_time}");
    let mark = witness.mark();
    pubsub.seek(&subscription, before);
    witness.wait_for_acknowledged(&published.ids(), mark);
    assert_all_acknowledged(&witness, mark);
    assert_same(&first, &snapshot(&root));

    // The broker's own word: with pushing stopped, it offers a message that was never pushed, and no other.
    pubsub.stop_push(&subscription);
    let last = Publication { payload: Bytes::from_static(b"never pushed"), attributes: BTreeMap::new() };
    let sentinel = pubsub.publish(&topic, [last]);
    let quiet = Duration::from_secs(u64::try_from(DEADLINE_SECONDS).expect("positive") + 5);
    assert_eq!(pubsub.take_unacknowledged(&subscription, quiet), sentinel);

    program.terminate();
    assert_eq!(program.wait().code(), Some(0));
    eprintln!("{mark} pushes, and {} after the seek", witness.mark() - mark);
}

/// Unwrapped pushes of the emulator: the payload is the body, ids and times are headers. It makes text of payloads, with U+FFFD for
/// what is not UTF-8, so payloads of all bytes are pushed by hand.
#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn unwrapped_pushes_are_stored_byte_for_byte() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = Setup::gcp_function(&root).set("PERSISTOR_PUSH", "unwrapped").start();
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("orders");
    let url = format!("http://127.0.0.1:{}/orders", program.port());
    let subscription = pubsub.create_unwrapped_push("bare", &topic, &url, DEADLINE_SECONDS);

    let payloads = ["\0\r\n \u{e9}\u{10ffff}".into(), ENVELOPE.into(), "z".repeat(100_000)].map(String::into_bytes);
    let attributes =
        BTreeMap::from([("kind".to_owned(), "refund".to_owned()), ("x-goog-pubsub-message-id".to_owned(), "1".to_owned())]);
    let publications =
        payloads.iter().map(|payload| Publication { payload: payload.clone().into(), attributes: attributes.clone() });
    let ids = pubsub.publish(&topic, publications);
    let archive = persistor_tests::waiting::until("three messages to be stored", || {
        let archive = Archive::read(&root);
        (archive.messages.len() == payloads.len()).then_some(archive)
    });
    let stored = archive.by_id();
    for (id, payload) in ids.iter().zip(&payloads) {
        let stored = stored.get(id.as_str()).unwrap_or_else(|| panic!("{id} is not stored: {:?}", stored.keys()));
        assert_eq!(stored.payload(), *payload);
        assert_eq!((stored.text("entity"), stored.text("stream")), (subscription.as_str(), "orders"));
        assert_eq!(stored.member("attributes")["kind"], "refund");
        assert_eq!(stored.member("fidelity").to_string(), "[\"headers\"]");
    }

    let bytes: Vec<u8> = (0..=255).collect();
    let by_hand = Request::post("/orders", bytes.clone())
        .header("x-goog-pubsub-subscription-name", subscription)
        .header("x-goog-pubsub-message-id", "by-hand")
        .header("x-goog-pubsub-publish-time", "2026-11-22T15:40:12.503Z");
    assert_eq!(pusher::send(program.port(), &by_hand).expect("a reply").status, 204);
    assert_eq!(Archive::read_sound(&root).by_id()["by-hand"].payload(), bytes);
}

/// Not one push was answered otherwise, or not at all.
fn assert_all_acknowledged(witness: &Witness, mark: usize) {
    let others: Vec<_> = witness.since(mark).into_iter().filter(|exchange| exchange.end != End::Answered(204)).collect();
    assert!(others.is_empty(), "{} pushes were not acknowledged: {:?}", others.len(), &others[..others.len().min(5)]);
}

/// Every blob with when it was last written.
fn snapshot(root: &Path) -> BTreeMap<String, SystemTime> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("list").map(|entry| entry.expect("list")) {
            let metadata = entry.metadata().expect("list");
            if entry.file_name() == ".tmp" {
                // No blobs: what is being written, and a file of each process that writes.
                continue;
            }
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files.insert(entry.path().display().to_string(), metadata.modified().expect("files have times"));
            }
        }
    }
    files
}

fn assert_same(first: &BTreeMap<String, SystemTime>, second: &BTreeMap<String, SystemTime>) {
    let new: Vec<_> = second.keys().filter(|name| !first.contains_key(*name)).take(5).collect();
    let changed: Vec<_> = first.iter().filter(|(name, time)| second.get(*name) != Some(time)).take(5).collect();
    assert!(new.is_empty() && changed.is_empty(), "new: {new:?}; changed or gone: {changed:?}");
}
