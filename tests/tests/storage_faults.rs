//! Cloud Storage on bad days, between the built program and the store: connections that break or hang at any byte, a store that refuses, is gone or cannot be
//! found. Each message ends stored once and acknowledged, or refused in time; and all is well again when the fault is over.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use persistor_tests::archive::Archive;
use persistor_tests::fake_storage::FakeStorage;
use persistor_tests::http::{Answer, Connection, Request};
use persistor_tests::program::{Program, Setup};
use persistor_tests::proxy::{Direction, Fault, Kind, Proxy};
use persistor_tests::push::Push;
use persistor_tests::random::Random;
use persistor_tests::storage_double::{Reply, StorageDouble};
use persistor_tests::{pusher, waiting};

const BUCKET: &str = "archive";
/// The time that the program has for one write.
const LIMIT: Duration = Duration::from_secs(2);
/// A reply that comes later than this did not come in time: three times the limit.
const IN_TIME: Duration = Duration::from_secs(6);

fn setup(address: &str) -> Setup {
    Setup::gcp_function(Path::new("gs://archive"))
        .set("STORAGE_EMULATOR_HOST", address)
        .set("PERSISTOR_WRITE_TIMEOUT", format!("{}s", LIMIT.as_secs()))
}

/// The emulator with its bucket, a proxy before it, and the program before that.
struct Chain {
    fake: FakeStorage,
    proxy: Proxy,
    program: Program,
    pushed: BTreeSet<String>,
}

impl Chain {
    fn start() -> Option<Self> {
        let fake = FakeStorage::start()?;
        fake.create_bucket(BUCKET);
        let proxy = Proxy::before(fake.port());
        let program = setup(&proxy.url()).start();
        let mut chain = Self { fake, proxy, program, pushed: BTreeSet::new() };
        // The layout is written, so that every later request is a message's.
        assert_eq!(chain.push("first", 10), 204);
        Some(chain)
    }

    /// Pushes a message and gives the status of the reply, which must come in time.
    fn push(&mut self, id: &str, size: usize) -> u16 {
        self.pushed.insert(id.to_owned());
        let start = Instant::now();
        let answer = pusher::send(self.program.port(), &push(id, size).request()).expect("the program answers");
        assert!(start.elapsed() < IN_TIME, "{id}: answered {} after {:?}", answer.status, start.elapsed());
        answer.status
    }

    fn is_stored(&self, id: &str, size: usize) -> bool {
        let key = push(id, size).key();
        self.fake.objects(BUCKET, &key).iter().any(|object| object.name == key)
    }

    /// Everything pushed is stored once, and nothing else.
    fn assert_all_stored_once(&self) {
        let archive = Archive::read_bucket_sound(&self.fake, BUCKET, "");
        let stored: BTreeSet<_> = archive.by_id().into_keys().map(str::to_owned).collect();
        assert_eq!(stored, self.pushed);
        assert_eq!(archive.lone_records, Vec::<String>::new());
    }
}

fn push(id: &str, size: usize) -> Push {
    Push::new(id, vec![b'x'; size])
}

/// Wherever the connection breaks once, the next attempt stores the message: it is acknowledged at the first push.
#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn a_connection_that_breaks_once_anywhere_costs_another_attempt() {
    const SIZE: usize = 3000;
    let Some(mut chain) = Chain::start() else { return };
    // An undisturbed exchange on a connection of its own shows where its parts end.
    chain.proxy.arm(Fault { direction: Direction::Reply, after: u64::MAX, kind: Kind::Cut }, 1);
    assert_eq!(chain.push("undisturbed", SIZE), 204);
    let (request, reply) = chain.proxy.last();
    let head = |bytes: &[u8]| bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let mut cases = Vec::new();
    for (direction, bytes) in [(Direction::Request, &request), (Direction::Reply, &reply)] {
        let head = head(bytes);
        let mut random = Random::new(head as u64);
        let seeded = (0..50).map(|_| random.between(0, bytes.len() - 1));
        let edges = [0, 1, head - 1, head, head + 1, bytes.len() - 1];
        cases.extend(edges.into_iter().chain(seeded).map(|after| (direction, after)));
    }
    let (mut acknowledged_at_once, mut struck) = (0, 0);
    for (number, (direction, after)) in cases.iter().enumerate() {
        let id = format!("cut-{number}");
        chain.proxy.arm(Fault { direction: *direction, after: *after as u64, kind: Kind::Cut }, 1);
        let status = chain.push(&id, SIZE);
        assert_eq!(status, 204, "{direction:?} cut after {after} bytes");
        assert!(chain.is_stored(&id, SIZE), "{direction:?} cut after {after} bytes: acknowledged and not stored");
        struck += chain.proxy.struck();
        acknowledged_at_once += 1;
    }
    chain.proxy.disarm();
    // The names differ by a byte or two in length, so the last bytes of a request may not be reached; all others are.
    assert!(struck >= cases.len() - 8, "only {struck} of {} faults took place", cases.len());
    chain.assert_all_stored_once();
    eprintln!("{struck} connections cut in {} cases, {acknowledged_at_once} acknowledged at the first push", cases.len());
}

/// Once the write is done its answer is lost, again and again: the program does not know, says so, and the redelivery finds the blob.
#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn replies_that_are_always_lost_are_no_acknowledgement() {
    let Some(mut chain) = Chain::start() else { return };
    chain.proxy.arm(Fault { direction: Direction::Reply, after: 0, kind: Kind::Cut }, usize::MAX);
    assert_eq!(chain.push("lost", 100), 503);
    assert!(chain.proxy.struck() > 1, "it was tried once only");
    assert!(chain.is_stored("lost", 100), "the fault kept the write away too");
    chain.proxy.disarm();
    assert_eq!(chain.push("lost", 100), 204);
    chain.assert_all_stored_once();
}

/// A store that never answers, or takes nothing, is given up in time, and found again without help.
#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn a_store_that_hangs_is_given_up_in_time() {
    let Some(mut chain) = Chain::start() else { return };
    let mut number = 0;
    for (direction, after, kind) in [
        (Direction::Request, 0, Kind::Stall),
        (Direction::Request, 700, Kind::Stall),
        (Direction::Request, 2000, Kind::Stall),
        (Direction::Reply, 0, Kind::Stall),
        (Direction::Reply, 100, Kind::Stall),
        (Direction::Request, 500, Kind::HalfClose),
        (Direction::Reply, 50, Kind::HalfClose),
        (Direction::Request, 0, Kind::Drip),
    ] {
        // Once: another attempt inside the limit gets through.
        number += 1;
        let once = format!("once-{number}");
        chain.proxy.arm(Fault { direction, after, kind }, 1);
        assert_eq!(chain.push(&once, 20_000), 204, "{direction:?} {kind:?} after {after}, once");
        assert_eq!(chain.proxy.struck(), 1);
        // For ever: refused in time, then all is well again.
        let ever = format!("ever-{number}");
        chain.proxy.arm(Fault { direction, after, kind }, usize::MAX);
        assert_eq!(chain.push(&ever, 20_000), 503, "{direction:?} {kind:?} after {after}, for ever");
        assert!(chain.proxy.struck() > 1);
        chain.proxy.disarm();
        assert_eq!(chain.push(&ever, 20_000), 204);
    }
    chain.assert_all_stored_once();
}

#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn a_store_that_refuses_connections_is_found_again() {
    let Some(mut chain) = Chain::start() else { return };
    chain.proxy.refuse();
    assert_eq!(chain.push("refused", 100), 503);
    let line = chain.program.logs().wait_for("the reason", |line| line.to_string().contains("not stored and not acknowledged"));
    assert!(line.to_string().contains("refused"), "{line}");
    chain.proxy.accept();
    assert_eq!(chain.push("refused", 100), 204);
    chain.assert_all_stored_once();
}

/// What hangs holds no more memory than its budget, however many come.
#[test]
#[ignore = "needs fake-gcs-server: tests/run e2e"]
fn memory_is_bounded_while_the_store_hangs() {
    const MIB: u64 = 1 << 20;
    let fake = FakeStorage::start();
    let Some(fake) = fake else { return };
    fake.create_bucket(BUCKET);
    let proxy = Proxy::before(fake.port());
    let program = setup(&proxy.url()).set("PERSISTOR_MEMORY", "64MiB").start();
    let first = push("first", 10);
    pusher::send_until_acknowledged(program.port(), &first.request());
    proxy.arm(Fault { direction: Direction::Request, after: 3000, kind: Kind::Stall }, usize::MAX);
    let requests =
        |round: usize| -> Vec<_> { (0..60).map(|index| push(&format!("{round}-{index}"), 1_000_000).request()).collect() };
    for round in 0..3 {
        let answers = pusher::send_all(program.port(), &requests(round));
        let statuses = pusher::statuses(&answers);
        assert!(statuses.iter().all(|status| *status == Some(503)), "{statuses:?}");
    }
    let peak = program.peak_memory();
    assert!(peak < (64 + 64) * MIB, "{} MiB at most", peak / MIB);
    proxy.disarm();
    // As the broker does: what was refused comes again.
    for round in 0..3 {
        for request in requests(round) {
            pusher::send_until_acknowledged(program.port(), &request);
        }
    }
    let archive = Archive::read_bucket_sound(&fake, BUCKET, "");
    assert_eq!(archive.by_id().len(), 181);
    eprintln!("at most {} MiB", peak / MIB);
}

/// The name of the store cannot be looked up, and later can.
#[test]
#[ignore = "needs fake-gcs-server and root: tests/run e2e"]
fn a_name_that_cannot_be_found_is_tried_again() {
    let Some(fake) = FakeStorage::start() else { return };
    fake.create_bucket(BUCKET);
    let folder = persistor_tests::scratch::folder();
    let (hosts, resolver) = (folder.path().join("hosts"), folder.path().join("resolv.conf"));
    std::fs::write(&hosts, "127.0.0.1 localhost\n").expect("write");
    // Nobody answers there: no name is looked up anywhere else.
    std::fs::write(&resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").expect("write");
    let address = format!("storage.persistor.test:{}", fake.port());
    let Some(setup) = setup(&address).with_files(&[(&hosts, "/etc/hosts"), (&resolver, "/etc/resolv.conf")]) else { return };
    let program = setup.start();
    let message = push("looked-up", 100);
    let answer = pusher::send(program.port(), &message.request()).expect("the program answers");
    assert_eq!(answer.status, 503);
    // In place: the program sees this very file.
    std::fs::write(&hosts, "127.0.0.1 localhost storage.persistor.test\n").expect("write");
    pusher::send_until_acknowledged(program.port(), &message.request());
    assert_eq!(Archive::read_bucket_sound(&fake, BUCKET, "").by_id().len(), 1);
}

/// A busy or broken service is asked again, and a message that it refuses to the end comes back.
#[test]
fn a_service_that_is_busy_is_asked_again() {
    let double = StorageDouble::start(BUCKET);
    let program = setup(&double.url()).start();
    pusher::send_until_acknowledged(program.port(), &push("first", 1).request());
    for fixture in
        ["408", "429", "500", "502-html", "503", "503-html", "504-empty", "200-not-json", "200-cut-json", "400-checksum"]
    {
        let id = format!("once-{fixture}");
        double.next(1, Reply::fixture(fixture));
        let before = double.creates().len();
        assert_eq!(status(&program, &id), 204, "{fixture}");
        assert_eq!(double.creates().len(), before + 2, "{fixture}");
        double.next_after_storing(1, Reply::fixture(fixture));
        assert_eq!(status(&program, &format!("{id}-stored")), 204, "{fixture}, after the write");

        double.next(usize::MAX, Reply::fixture(fixture));
        assert_eq!(status(&program, &format!("ever-{fixture}")), 503, "{fixture}");
        double.clear();
        assert_eq!(status(&program, &format!("ever-{fixture}")), 204, "{fixture}");
    }
    assert_eq!(double.forbidden(), Vec::<String>::new());
    // Each once, and the layout.
    assert_eq!(double.objects().len(), 1 + 1 + 10 * 3);
}

/// No other answer than those of the table is an acknowledgement; and none of these is tried again at once.
#[test]
fn what_only_looks_like_a_stored_blob_is_no_acknowledgement() {
    let double = StorageDouble::start(BUCKET);
    let program = setup(&double.url()).start();
    pusher::send_until_acknowledged(program.port(), &push("first", 1).request());
    for fixture in [
        "412-organisation-policy",
        "412-policy-as-condition",
        "403-no-words-named-delete",
        "412-without-json",
        "403-no-create",
        "403-no-create-named-delete",
        "403-empty",
        "401",
        "404-no-bucket",
        "200-wrong-crc32c",
        "200-another-name",
        "308",
    ] {
        let id = format!("refused-{fixture}");
        double.next(1, Reply::fixture(fixture));
        let before = double.creates().len();
        assert_eq!(status(&program, &id), 503, "{fixture}");
        assert_eq!(double.creates().len(), before + 1, "{fixture}");
        assert_eq!(status(&program, &id), 204, "{fixture}");
    }
    let denied = program.logs().entries().into_iter().filter(|line| line.to_string().contains("lacks `storage.objects.create`"));
    assert!(denied.count() >= 1, "the log does not name the missing permission");
}

/// An identity that can create and nothing else: no read, list or delete is ever tried, and a redelivery is acknowledged in every way in which the service may
/// say that the blob is there.
#[test]
fn create_rights_are_enough_for_a_redelivery() {
    for (bucket, stream) in [("archive", "orders"), ("retention-storage.objects.delete", "retention-storage.objects.delete")] {
        let double = StorageDouble::start(bucket);
        let setup = setup(&double.url()).set("PERSISTOR_ARCHIVE", format!("gs://{bucket}"));
        let program = setup.start();
        for (number, exists) in ["412-condition-not-met", "403-no-delete", "403-retention-policy"].into_iter().enumerate() {
            double.when_it_exists(Reply::fixture(exists));
            let mut message = push(&format!("{number}"), 100);
            message.stream = stream.to_owned();
            // One with a record of its own, too.
            let mut large = push(&format!("{number}-large"), 100);
            large.stream = stream.to_owned();
            large.attributes = (0..10).map(|index| (format!("attribute {index}"), "é".repeat(300))).collect();
            for message in [message, large] {
                for delivery in 1..=3 {
                    let answer = pusher::send(program.port(), &message.request()).expect("the program answers");
                    assert_eq!(answer.status, 204, "{exists}, delivery {delivery} to {bucket}");
                }
                assert!(double.objects().contains_key(&message.key()));
            }
        }
        // A restart meets its own layout.
        drop(program);
        let program = setup.start();
        double.next(1, Reply::fixture("403-no-create-named-delete"));
        let mut refused = push("refused", 1);
        refused.stream = stream.to_owned();
        let answer = waiting::until("a refusal", || {
            let answer = pusher::send(program.port(), &refused.request()).expect("the program answers");
            Some(answer)
        });
        // The layout or the message met it; neither is acknowledged by it.
        let stored = double.objects().contains_key(&refused.key());
        assert_eq!(answer.status == 204, stored, "answered {} and stored: {stored}", answer.status);
        assert_eq!(double.forbidden(), Vec::<String>::new());
        let creates = double.creates();
        assert!(creates.iter().all(|create| create.if_generation_match.as_deref() == Some("0")));
        assert!(creates.iter().all(|create| create.metadata["contentType"] == "application/octet-stream"));
        assert!(creates.iter().all(|create| create.metadata["crc32c"].is_string()));
        let messages = creates.iter().filter(|create| !create.name.starts_with("_persistor/"));
        assert!(messages.into_iter().all(|create| create.metadata["customTime"] == "2026-11-22T15:40:12.503Z"));
    }
}

/// A start without the right to write says which one is missing, goes on, and acknowledges nothing before it has it.
#[test]
fn a_start_without_rights_says_which_and_goes_on() {
    let double = StorageDouble::start(BUCKET);
    double.next(usize::MAX, Reply::fixture("403-no-create"));
    let program = setup(&double.url()).start();
    let line = program.logs().wait_for("the refusal", |line| line.to_string().contains("does not take the layout"));
    let text = line.to_string();
    assert!(text.contains("storage.objects.create") && text.contains("roles/storage.objectCreator"), "{text}");
    assert_eq!(status(&program, "early"), 503);
    assert_eq!(double.objects().len(), 0);
    double.clear();
    assert_eq!(status(&program, "early"), 204);
    let objects: Vec<_> = double.objects().into_keys().collect();
    assert_eq!(objects.len(), 2);
    assert!(objects[0].starts_with("_persistor/layout/"), "{objects:?}");
}

fn status(program: &Program, id: &str) -> u16 {
    let start = Instant::now();
    let answer = pusher::send(program.port(), &push(id, 100).request()).expect("the program answers");
    assert!(start.elapsed() < IN_TIME, "{id}: answered {} after {:?}", answer.status, start.elapsed());
    answer.status
}

/// A metadata server as Cloud Run has one, which refuses until it is told not to.
struct MetadataServer {
    address: String,
    grants: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl MetadataServer {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (grants, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let server = Self { address, grants: grants.clone(), asked: asked.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (grants, asked) = (grants.clone(), asked.clone());
                thread::spawn(move || {
                    let mut connection = Connection::over(stream)?;
                    while let Some(request) = connection.read_request()? {
                        let token = request.path.contains("/token").then(|| asked.fetch_add(1, Ordering::SeqCst));
                        let granted = token.is_some() && grants.load(Ordering::SeqCst);
                        let body =
                            if granted { r#"{"access_token":"a","expires_in":3600,"token_type":"Bearer"}"# } else { "none" };
                        let headers = vec![
                            ("Content-Length".to_owned(), body.len().to_string().into_bytes()),
                            ("Metadata-Flavor".to_owned(), b"Google".to_vec()),
                        ];
                        let status = if granted { 200 } else { 404 };
                        connection.send_answer(&Answer { status, headers, body: body.into() })?;
                    }
                    Ok::<_, std::io::Error>(())
                });
            }
        });
        server
    }
}

/// Credentials that cannot be had keep no program from listening, and are asked for again: the official client gives up for good where it is refused once.
#[test]
#[ignore = "needs root: tests/run e2e"]
fn credentials_that_were_refused_are_asked_for_again() {
    let folder = persistor_tests::scratch::folder();
    let hosts = folder.path().join("hosts");
    // Nothing listens there: what is asked of Cloud Storage is refused on this machine.
    std::fs::write(&hosts, "127.0.0.1 localhost storage.googleapis.com\n").expect("write");
    let server = MetadataServer::start();
    let setup = Setup::gcp_function(Path::new("gs://archive"))
        .set("PERSISTOR_WRITE_TIMEOUT", "2s")
        .set("GCE_METADATA_HOST", server.address.clone());
    let Some(setup) = setup.with_files(&[(&hosts, "/etc/hosts")]) else { return };
    let program = setup.start();
    assert_eq!(status(&program, "refused"), 503);
    let refused = server.asked.load(Ordering::SeqCst);
    assert!(refused > 0, "the metadata server was not asked");
    server.grants.store(true, Ordering::SeqCst);
    // With a token it comes as far as Cloud Storage, which is not there.
    waiting::until("credentials", || {
        assert_eq!(status(&program, "granted"), 503);
        let line = program.logs().entries().pop().expect("it was said").to_string();
        line.contains("no answer from Cloud Storage").then_some(())
    });
    assert!(server.asked.load(Ordering::SeqCst) > refused);
}

/// A metadata server that never answers delays no start, and no reply beyond its limit.
#[test]
fn credentials_that_hang_delay_neither_the_start_nor_the_reply() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = silent.local_addr().expect("it is bound").to_string();
    let program = Setup::gcp_function(Path::new("gs://archive"))
        .set("PERSISTOR_WRITE_TIMEOUT", "2s")
        .set("GCE_METADATA_HOST", address)
        .start();
    let ready = pusher::send(program.port(), &Request::get("/health/ready")).expect("the program answers");
    assert_eq!(ready.status, 200);
    assert_eq!(status(&program, "waiting"), 503);
    program.logs().wait_for("the refusal", |line| line.to_string().contains("not stored and not acknowledged"));
}
