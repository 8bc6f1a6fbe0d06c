//! An archive of many messages, sent again: to a new topic of Google's emulator and read back by Google's own client, and pushed into a second archive. What arrives is what
//! was stored, but for the three marks, and every message once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use persistor_tests::bulk::Bulk;
use persistor_tests::cli::Cli;
use persistor_tests::emulator::Emulator;
use persistor_tests::program::Setup;
use persistor_tests::pubsub::{Publication, Pubsub, Received};
use persistor_tests::push::Push;
use persistor_tests::scratch;
use serde_json::{Map, Value, json};

/// As the variable says, or as many as the promise is about.
fn messages() -> usize {
    std::env::var("TEST_MESSAGES").map_or(100_000, |number| number.parse().expect("TEST_MESSAGES is a number"))
}

/// Does one step and prints how fast it went.
fn timed<T>(what: &str, messages: usize, step: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = step();
    let seconds = start.elapsed().as_secs_f64();
    println!("{what}: {messages} messages in {seconds:.1} s, {:.0} a second", messages as f64 / seconds);
    done
}

/// What a replay of that name adds to the attributes of a message.
fn marks(push: &Push, replay: &str) -> BTreeMap<String, String> {
    [("persistor-replay", replay), ("persistor-original-id", &push.id), ("persistor-original-time", &push.publish_time)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[test]
#[ignore = "needs the Pub/Sub emulator, and pushes 100,000 messages: tests/run e2e"]
fn an_archive_goes_to_a_topic_and_into_another_archive_as_it_is() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = scratch::folder_in_memory();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let bulk = Bulk { messages: messages() };
    let program = Setup::gcp_function(&first).start();
    timed("stored", bulk.messages, || bulk.send_as(program.port(), 0..bulk.messages, Bulk::keyed_push));
    drop(program);
    let cli = Cli::new(folder.path()).set("PERSISTOR_ARCHIVE", "first").set("PUBSUB_EMULATOR_HOST", emulator.endpoint());

    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("again");
    let subscription = pubsub.create_unordered_pull("again", &topic);
    let replay = ["replay", "--to", "pubsub://persistor/again", "--all", "--yes", "--json", "--name", "topic"];
    let said = timed("replayed to the topic", bulk.messages, || cli.fine(&replay));
    assert_eq!(said.json()[0]["sent"], bulk.messages);
    let received = timed("pulled", bulk.messages, || pubsub.pull(&subscription, |received| received.len() == bulk.messages));
    assert_received(bulk, &received, "topic");
    // The emulator counts what is published, so nothing came that was not pulled.
    let next = pubsub.publish(&topic, [Publication { payload: "next".into(), ..Publication::default() }]).remove(0);
    let numbers = received.iter().map(|message| message.id.parse::<usize>().expect("a number"));
    let (least, most) = (numbers.clone().min().expect("some"), numbers.max().expect("some"));
    assert_eq!((most + 1 - least, next), (bulk.messages, (most + 1).to_string()), "more was published than was pulled");
    drop((received, pubsub, emulator));

    let program = Setup::gcp_function(&second).start();
    timed("pushed into the second archive", bulk.messages, || {
        let sent = ["orders", "refunds"].map(|stream| {
            let to = format!("http://127.0.0.1:{}/{stream}", program.port());
            let replay =
                ["replay", "--to", &to, "--as", "pubsub-push", "--stream", stream, "--all", "--yes", "--json", "--name", stream];
            let said = cli.fine(&replay);
            said.json()[0]["sent"].as_u64().expect("a number")
        });
        assert_eq!(sent.iter().sum::<u64>(), bulk.messages as u64);
    });
    drop(program);
    assert_same_but_marks(bulk, &first, &second);
}

/// Every message once, as it was but for the marks, and those of an ordering key in their order.
fn assert_received(bulk: Bulk, received: &[Received], replay: &str) {
    let mut by_original = BTreeMap::new();
    for message in received {
        let number: usize = message.attributes["number"].parse().expect("a number");
        assert!(by_original.insert(number, message).is_none(), "message {number} came twice");
    }
    assert!(by_original.keys().copied().eq(0..bulk.messages), "others than were stored");
    let mut last = BTreeMap::<&str, usize>::new();
    for (number, message) in by_original {
        let push = bulk.keyed_push(number);
        let mut attributes = push.attributes.clone();
        attributes.extend(marks(&push, replay));
        assert!(message.payload == push.payload, "message {number} has another payload");
        assert_eq!(message.attributes, attributes, "message {number}");
        assert_eq!(message.ordering_key, push.ordering_key.unwrap_or_default(), "message {number}");
        if !message.ordering_key.is_empty() {
            // Numbers of messages are in the order of publish times, ids of the emulator in that of publishing.
            let id = message.id.parse().expect("a number");
            let before = last.insert(&message.ordering_key, id);
            assert!(before < Some(id), "message {number} was published before one that was before it");
        }
    }
    assert_eq!(last.len(), 40.min(bulk.messages.div_ceil(3)), "ordering keys");
}

/// The same keys, payloads and records; but attributes have the marks of the stream's replay, and `check` follows from them.
fn assert_same_but_marks(bulk: Bulk, first: &Path, second: &Path) {
    let record = |root: &Path, key: &str| -> Map<String, Value> {
        let text = fs::read(root.join(format!("{key}.record"))).unwrap_or_else(|error| panic!("{key}: {error}"));
        serde_json::from_slice(&text).expect("JSON")
    };
    for number in 0..bulk.messages {
        let push = bulk.keyed_push(number);
        let key = push.key();
        let read = |root: &Path| fs::read(root.join(&key)).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert!(read(first) == push.payload && read(second) == push.payload, "{key} has another payload");
        let (mut before, mut after) = (record(first, &key), record(second, &key));
        assert_ne!(before.remove("check"), after.remove("check"), "{key}");
        assert_eq!(before["properties"].get("ordering_key"), push.ordering_key.as_ref().map(|key| json!(key)).as_ref());
        let attributes = before["attributes"].as_object_mut().expect("an object");
        attributes.extend(marks(&push, &push.stream).into_iter().map(|(name, value)| (name, value.into())));
        assert_eq!(before, after, "{key}");
    }
    assert_eq!(files(second), 2 * bulk.messages, "a payload and a record each, and nothing else");
}

/// How many files an archive has in its streams.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let counted = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with(['.', '_']));
    counted.map(|entry| if entry.file_type().expect("a type").is_dir() { files(&entry.path()) } else { 1 }).sum()
}
