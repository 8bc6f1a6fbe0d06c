//! Cloud Storage as an archive, from the store's contract to the whole path: client → Pub/Sub emulator → program → fake-gcs-server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt as _;
use persistor_core::testing::{check_records, check_store};
use persistor_core::{Key, Metadata, Reader as _, Writer as _};
use persistor_gcp::{BucketLocation, BucketStore, Endpoint};
use persistor_tests::archive::Archive;
use persistor_tests::corpus::corpus;
use persistor_tests::emulator::Emulator;
use persistor_tests::fake_storage::FakeStorage;
use persistor_tests::program::Setup;
use persistor_tests::published::Published;
use persistor_tests::pubsub::{Publication, Pubsub};
use persistor_tests::push::Push;
use persistor_tests::random::Random;
use persistor_tests::witness::{End, Witness};
use persistor_tests::{ports, pusher};

const BUCKET: &str = "archive";
/// The acknowledgement deadline: short, so that what is not acknowledged comes back soon.
const DEADLINE_SECONDS: i32 = 20;

fn store(fake: &FakeStorage, location: &str) -> Arc<BucketStore> {
    let endpoint = Endpoint::emulator(&fake.url()).expect("an address");
    Arc::new(BucketStore::new(BucketLocation::parse(location).expect("a location"), endpoint, Duration::from_secs(120)))
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn setup(fake: &FakeStorage) -> Setup {
    Setup::gcp_function(Path::new("gs://archive/some/prefix")).set("STORAGE_EMULATOR_HOST", fake.url())
}

const PREFIX: &str = "some/prefix/";

#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn the_store_keeps_its_contract() {
    let Some(fake) = FakeStorage::start() else { return };
    fake.create_bucket(BUCKET);
    for location in ["archive", "archive/a/prefix"] {
        let store = store(&fake, location);
        run(async {
            check_store(store.clone(), store.clone()).await;
            check_records(store.clone(), store).await;
        });
    }
}

/// Parts of a listing that are asked for at the same time make the same listing, whatever the names look like.
#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn a_long_listing_is_whole_and_in_order() {
    let Some(fake) = FakeStorage::start() else { return };
    fake.create_bucket(BUCKET);
    let store = store(&fake, BUCKET);
    let mut random = Random::new(11);
    let mut name = |index: usize| match index % 10 {
        0 => format!("refunds/2026/11/{:02}/x-{index}", random.between(1, 30)),
        1 => format!("a{index}"),
        _ => format!("orders/2026/11/22/{:02}/{:02}{:02}-{index}", index % 3, random.between(0, 59), random.between(0, 59)),
    };
    let names: BTreeSet<_> = (0..6000).map(&mut name).collect();
    run(async {
        let keys = names.iter().map(|name| Ok::<_, persistor_core::Error>(Key::parse(name.as_str()).expect("a key")));
        let create = |key: Key| {
            let store = store.clone();
            async move { store.create(&key, &[], &Metadata::new(), None).await.map(drop) }
        };
        futures_util::stream::iter(keys).try_for_each_concurrent(32, create).await.expect("all are created");
        for (prefix, from) in [
            ("", None),
            ("orders/", None),
            ("orders/2026/11/22/01/", None),
            ("orders/", Some("orders/2026/11/22/01/3")),
            ("a", None),
        ] {
            let listed: Vec<_> = store.list(prefix, from).map_ok(|entry| entry.name).try_collect().await.expect("a listing");
            let expected = names.iter().filter(|name| name.starts_with(prefix) && from.is_none_or(|from| name.as_str() >= from));
            assert!(listed.iter().eq(expected), "{prefix} from {from:?}: {} listed", listed.len());
        }
    });
}

#[test]
#[ignore = "needs the Pub/Sub emulator and fake-gcs-server: tests/run e2e"]
fn ten_thousand_messages_are_stored_once_in_a_bucket() {
    const MESSAGES: usize = 10_000;
    let (Some(emulator), Some(fake)) = (Emulator::start(), FakeStorage::start_on_disk()) else { return };
    fake.create_bucket(BUCKET);
    let mut program = setup(&fake).start();
    let witness = Witness::before(program.port());
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("orders");
    let subscription = pubsub.create_push("archive", &topic, &witness.url("orders"), DEADLINE_SECONDS);
    let before = SystemTime::now() - Duration::from_secs(60);
    let published = Published::publish(&pubsub, &topic, corpus(MESSAGES, 4));
    witness.wait_for_acknowledged(&published.ids(), 0);
    let generations = generations(&fake);

    // All of it a second time.
    let mark = witness.mark();
    pubsub.seek(&subscription, before);
    witness.wait_for_acknowledged(&published.ids(), mark);
    let refused: Vec<_> = witness.since(0).into_iter().filter(|exchange| exchange.end != End::Answered(204)).collect();
    assert!(refused.is_empty(), "{} pushes were not acknowledged: {:?}", refused.len(), refused.first());
    assert!(generations == self::generations(&fake), "a redelivery made or replaced a blob");
    published.assert_stored(&Archive::read_bucket_sound(&fake, BUCKET, PREFIX), "orders", &subscription);
    program.terminate();
    assert_eq!(program.wait().code(), Some(0));
    eprintln!("{mark} pushes, and {} after the seek", witness.mark() - mark);
}

#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn a_record_stands_where_it_is_set_to() {
    let Some(fake) = FakeStorage::start() else { return };
    fake.create_bucket(BUCKET);
    for (record, expected) in [("auto", 1), ("always", 2)] {
        let program = setup(&fake).set("PERSISTOR_RECORD", record).start();
        let push = Push { stream: record.to_owned(), ..Push::new("7", "x") };
        pusher::send_until_acknowledged(program.port(), &push.request());
        let stored = fake.objects(BUCKET, &format!("{PREFIX}{record}/")).len();
        assert_eq!(stored, expected, "what a message is with PERSISTOR_RECORD={record}");
    }
}

fn generations(fake: &FakeStorage) -> BTreeMap<String, String> {
    fake.objects(BUCKET, "").into_iter().map(|object| (object.name, object.generation)).collect()
}

#[test]
#[ignore = "needs the Pub/Sub emulator and fake-gcs-server: tests/run e2e"]
fn twenty_kills_lose_and_double_nothing_in_a_bucket() {
    const MESSAGES: usize = 5_000;
    const KILLS: usize = 20;
    let (Some(emulator), Some(fake)) = (Emulator::start(), FakeStorage::start_on_disk()) else { return };
    fake.create_bucket(BUCKET);
    let setup = setup(&fake).port(ports::free());
    let mut program = setup.start();
    let witness = Witness::before(program.port());
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("orders");
    let subscription = pubsub.create_push("archive", &topic, &witness.url("orders"), DEADLINE_SECONDS);
    let mut random = Random::new(21);
    let message = |index: usize| {
        let size = if index.is_multiple_of(50) { 300_000 } else { random.between(1, 5_000) };
        // Every fourth has a record of its own, so that kills fall between two blobs, too.
        let attribute = if index.is_multiple_of(4) { "é".repeat(1000) } else { index.to_string() };
        Publication { payload: random.bytes(size).into(), attributes: BTreeMap::from([("attribute".to_owned(), attribute)]) }
    };
    let published = Published::publish(&pubsub, &topic, (0..MESSAGES).map(message).collect());

    let mut random = Random::new(20);
    for kill in 1..=KILLS {
        witness.wait_for_pushes(kill * MESSAGES / (KILLS + 1) + random.between(0, 100));
        program.kill9();
        // What was acknowledged is there at every moment, not at the end alone.
        let acknowledged = witness.acknowledged_since(0);
        let stored: BTreeSet<_> = ids(&fake);
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "after kill {kill}: acknowledged, and not stored: {lost:?}");
        assert!(stored.len() < MESSAGES, "kill {kill} came after the last message");
        program = setup.start();
    }
    let broken = witness.since(0).iter().filter(|exchange| exchange.end == End::Broken).count();
    assert!(broken > 0, "no kill met a push on its way");
    witness.wait_for_acknowledged(&published.ids(), 0);
    published.assert_stored(&Archive::read_bucket_sound(&fake, BUCKET, PREFIX), "orders", &subscription);
    eprintln!("{KILLS} kills: {broken} pushes broken off, {} pushes in all", witness.mark());
}

/// The ids of all stored messages, by the names of their blobs; the emulator's ids are numbers.
fn ids(fake: &FakeStorage) -> BTreeSet<String> {
    let objects = fake.objects(BUCKET, "some/prefix/orders/").into_iter();
    let payloads = objects.filter(|object| !object.name.ends_with(".record"));
    payloads.filter_map(|object| object.name.rsplit('/').next()?.split('-').nth(1).map(str::to_owned)).collect()
}

/// The judge of all these tests finds what is wrong with an archive in a bucket.
#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn a_spoiled_archive_is_found() {
    let Some(fake) = FakeStorage::start() else { return };
    fake.create_bucket(BUCKET);
    let program = setup(&fake).start();
    let small = Push::new("small", "payload");
    let mut large = Push::new("large", "payload");
    large.attributes = BTreeMap::from([("attribute".to_owned(), "é".repeat(1000))]);
    for push in [&small, &large] {
        pusher::send_until_acknowledged(program.port(), &push.request());
    }
    let archive = Archive::read_bucket_sound(&fake, BUCKET, PREFIX);
    assert_eq!(archive.by_id().len(), 2);
    let objects = fake.objects(BUCKET, PREFIX);
    assert_eq!(objects.len(), 4, "a layout, two payloads and one record of its own");
    let name = format!("{PREFIX}{}", small.key());
    let object = objects.iter().find(|object| object.name == name).expect("it is stored");
    let right = serde_json::json!({ "name": name, "metadata": object.metadata, "customTime": object.custom_time });
    let spoil = |member: &str, value: serde_json::Value| {
        let mut spoiled = right.clone();
        spoiled[member] = value;
        spoiled
    };
    let record = &object.metadata["record"];
    for (metadata, content) in [
        (right.clone(), "another payload"),
        (spoil("metadata", serde_json::json!({})), "payload"),
        (spoil("metadata", serde_json::json!({ "record": "blob" })), "payload"),
        (spoil("metadata", serde_json::json!({ "record": record.replace("small", "smell") })), "payload"),
        (spoil("metadata", serde_json::json!({ "record": format!("{record} ") })), "payload"),
        (spoil("customTime", serde_json::json!("2026-11-22T15:40:12.504Z")), "payload"),
    ] {
        fake.put(BUCKET, &name, &metadata, content.as_bytes());
        let archive = Archive::read_bucket(&fake, BUCKET, PREFIX);
        assert_eq!(archive.faults.len(), 1, "{metadata}: {:?}", archive.faults);
    }
    fake.put(BUCKET, &name, &right, b"payload");
    Archive::read_bucket_sound(&fake, BUCKET, PREFIX);
}
