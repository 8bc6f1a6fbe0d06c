//! Bad days: a store that fails, hangs, is slow or loses its replies, and a program that is killed.

use std::thread;
use std::time::{Duration, Instant};

use persistor_tests::azurite::{ACCOUNT, Azurite};
use persistor_tests::blob_double::{BlobDouble, Reply};
use persistor_tests::function_app::{FunctionApp, NAMESPACE};
use persistor_tests::functions_host::{Failure, FunctionsHost};
use persistor_tests::http::Request;
use persistor_tests::invocation::Cardinality;
use persistor_tests::invocation::service_bus::Message;
use persistor_tests::naming::default_key;
use persistor_tests::place::Place;
use persistor_tests::proxy::{Direction, Fault, Kind, Proxy};
use persistor_tests::random::Random;
use persistor_tests::service_bus::listener::{Listener, Options};
use persistor_tests::service_bus::stored::{assert_stored, id};
use persistor_tests::service_bus::{Entity, Rules};
use persistor_tests::store_gate::{Fate, StoreGate};

use crate::{host_with, listener, queue};

/// Short, so that what is for ever ends soon.
const LIMITS: [(&str, &str); 2] = [("PERSISTOR_WRITE_TIMEOUT", "1s"), ("PERSISTOR_DEADLINE", "4s")];
/// A reply that comes later than this did not come in time: more than twice the deadline.
const IN_TIME: Duration = Duration::from_secs(10);

fn hundred() -> Entity {
    let entity = Entity::new(Rules::default());
    entity.send((0..100).map(|number| Message::new(format!("message-{number:02}."), vec![number; 100])));
    entity
}

/// Whether a request would create the blob of one of the messages 30, 60 and 90.
fn is_of_three(request: &Request) -> bool {
    let of = |number: &str| request.path.contains(&format!("-message-{number}"));
    request.method == "PUT" && (of("30") || of("60") || of("90"))
}

/// In a batch every message is attempted, again and again, until all are stored or the time is up.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn a_batch_is_one_success_or_one_failure_and_loses_nothing() {
    let Some(azurite) = Azurite::start() else { return };
    let gate = StoreGate::before(azurite.port());
    let binding = queue(Cardinality::Many);
    let options = Options { max_message_batch_size: 100, ..Options::default() };
    let busy = || Fate::Answered(Reply::fixture("503-server-busy").answer());

    // Three writes that fail twice: nobody hears of it.
    let place = Place::container_behind(&azurite, "twice", gate.port());
    let (entity, host) = (hundred(), host_with(&place, &binding, &LIMITS));
    for number in ["30", "60", "90"] {
        let of = format!("-message-{number}");
        gate.arm(move |request| request.method == "PUT" && request.path.contains(&of), 2, busy());
    }
    Listener { options, ..listener(&host, &entity, &binding) }.drain();
    assert_eq!((host.invocations(), entity.counts().completed, gate.struck()), (1, 100, 6));
    assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
    gate.open();

    // Three that fail for ever: a failure in time, and the others are stored.
    let place = Place::container_behind(&azurite, "ever", gate.port());
    let (entity, host) = (hundred(), host_with(&place, &binding, &LIMITS));
    gate.arm(is_of_three, usize::MAX, busy());
    let start = Instant::now();
    Listener { options, ..listener(&host, &entity, &binding) }.listen(|| entity.counts().abandoned > 0);
    assert!(start.elapsed() < IN_TIME, "it failed after {:?}", start.elapsed());
    assert_eq!(host.failures().into_keys().collect::<Vec<_>>(), [Failure::Refused("status 503".to_owned())]);
    assert_eq!((entity.counts().completed, entity.counts().abandoned), (0, 100));
    let before = place.snapshot();
    assert_eq!(place.read_sound().messages.len(), 97);
    // The redelivery stores the three, and leaves the others as they are.
    gate.open();
    Listener { options, ..listener(&host, &entity, &binding) }.drain();
    assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
    let after = place.snapshot();
    assert!(before.iter().all(|(name, made)| after.get(name) == Some(made)), "a blob was made again");
    assert_eq!(after.len(), before.len() + 3);
    host.assert_no_faults();
}

/// What each kind of trouble between the program and the store comes to: nothing is lost, and nothing is there twice.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn a_store_in_trouble_costs_time_and_nothing_else() {
    let Some(azurite) = Azurite::start() else { return };
    for (number, (fate, times)) in [
        (Fate::ReplyLost, 40),
        (Fate::AnsweredAfter(Reply::fixture("500-internal-error").answer()), 40),
        (Fate::AnsweredAfter(Reply::fixture("503-html").answer()), 40),
        (Fate::Answered(Reply::fixture("429-empty").answer()), 40),
        (Fate::Answered(Reply::fixture("403-permission-mismatch").answer()), 40),
        (Fate::Hangs, 10),
        (Fate::Slow(Duration::from_millis(300)), 100),
    ]
    .into_iter()
    .enumerate()
    {
        let gate = StoreGate::before(azurite.port());
        let place = Place::container_behind(&azurite, &format!("trouble-{number}"), gate.port());
        let binding = queue(if number % 2 == 0 { Cardinality::One } else { Cardinality::Many });
        let (entity, host) = (hundred(), host_with(&place, &binding, &LIMITS));
        let what = format!("{fate:?}");
        // The right to ask for properties is refused to a SAS that only creates, so the answer to that stays what it is.
        gate.arm(|request| request.method == "PUT", times, fate);
        listener(&host, &entity, &binding).drain();
        assert!(gate.struck() >= times, "{what}: it struck {} times", gate.struck());
        let counts = entity.counts();
        assert_eq!((counts.completed, counts.abandoned, counts.dead_lettered), (100, 0, 0), "{what}");
        assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
        host.assert_no_faults();
    }
}

/// Hanging for ever, it is given up in time: before the host would kill the program for it, and with it all that is under way.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn a_store_that_hangs_is_given_up_in_time() {
    let Some(azurite) = Azurite::start() else { return };
    for cardinality in [Cardinality::One, Cardinality::Many] {
        let gate = StoreGate::before(azurite.port());
        let place = Place::container_behind(&azurite, &format!("{cardinality:?}").to_lowercase().repeat(2), gate.port());
        let binding = queue(cardinality);
        let (entity, host) = (hundred(), host_with(&place, &binding, &LIMITS));
        gate.arm(|_| true, usize::MAX, Fate::Hangs);
        let start = Instant::now();
        listener(&host, &entity, &binding).listen(|| entity.counts().abandoned > 0);
        assert!(start.elapsed() < IN_TIME, "{cardinality:?}: it failed after {:?}", start.elapsed());
        assert_eq!(host.failures().into_keys().collect::<Vec<_>>(), [Failure::Refused("status 503".to_owned())]);
        assert_eq!(entity.counts().completed, 0);
        gate.open();
        listener(&host, &entity, &binding).drain();
        assert_eq!((entity.counts().completed, host.starts()), (100, 1));
        assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
    }
}

/// What does not fit into its memory waits for room: a refusal would be counted, and come again at once.
#[test]
fn a_lack_of_memory_is_waited_for() {
    const MIB: u64 = 1 << 20;
    let (place, binding) = (Place::folder(), queue(Cardinality::One));
    let settings = [("PERSISTOR_MEMORY", "64MiB"), ("PERSISTOR_MAX_BODY", "32MiB"), ("PERSISTOR_DEADLINE", "60s")];
    let host = host_with(&place, &binding, &settings);
    let entity = Entity::new(Rules::default());
    // Sixteen of them at once are several times what it has.
    let mut random = Random::new(15);
    entity.send((0..40).map(|number| Message::new(number.to_string(), random.bytes(8 << 20))));
    listener(&host, &entity, &binding).drain();
    assert_eq!((entity.counts().completed, entity.counts().abandoned), (40, 0));
    let peak = host.peak_memory();
    assert!(peak < (64 + 64) * MIB, "{} MiB at most", peak / MIB);
    assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
}

/// Connections that break or stall, at the level of bytes.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn connections_that_break_or_stall_cost_another_attempt() {
    let Some(azurite) = Azurite::start() else { return };
    let proxy = Proxy::before(azurite.port());
    let place = Place::container_behind(&azurite, "archive", proxy.port());
    let binding = queue(Cardinality::One);
    let host = host_with(&place, &binding, &LIMITS);
    let entity = Entity::new(Rules::default());
    let send = |count: usize| {
        entity.send((0..count).map(|number| Message::new(format!("m-{number}"), vec![0; 5000])));
        listener(&host, &entity, &binding).drain();
    };
    send(1);
    for (direction, after, kind) in [
        (Direction::Request, 0, Kind::Cut),
        (Direction::Request, 500, Kind::Cut),
        (Direction::Request, 3000, Kind::Cut),
        (Direction::Reply, 0, Kind::Cut),
        (Direction::Reply, 20, Kind::Cut),
        (Direction::Request, 3000, Kind::Stall),
        (Direction::Reply, 0, Kind::Stall),
        (Direction::Reply, 20, Kind::HalfClose),
    ] {
        proxy.arm(Fault { direction, after, kind }, 2);
        send(10);
        assert!(proxy.struck() > 0, "{direction:?} {kind:?} after {after}: it never struck");
        proxy.disarm();
    }
    assert_eq!((entity.counts().completed, entity.counts().abandoned), (81, 0));
    assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
}

/// The host does not hear of what was done; what it then brings again is there already.
#[test]
#[ignore = "takes a while: tests/run e2e"]
fn replies_that_the_host_never_gets_lose_and_double_nothing() {
    for cardinality in [Cardinality::One, Cardinality::Many] {
        let (place, binding) = (Place::folder(), queue(cardinality));
        let host = host_with(&place, &binding, &LIMITS);
        let entity = Entity::new(Rules { max_delivery_count: 1000, ..Rules::default() });
        entity.send((0..300).map(|number| Message::new(number.to_string(), number.to_string())));
        host.lose_replies(if cardinality == Cardinality::One { 150 } else { 5 });
        listener(&host, &entity, &binding).drain();
        assert!(entity.counts().abandoned >= 150, "{:?}", entity.counts());
        assert_eq!(entity.counts().completed, 300);
        assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
    }
}

/// Killed at any moment: whatever the broker was told to forget is there at that moment, and in the end all is there once.
fn kill(place: &Place<'_>, cardinality: Cardinality, messages: usize, kills: usize) {
    let binding = queue(cardinality);
    let mut random = Random::new(kills as u64);
    let entity = Entity::new(Rules { max_delivery_count: 1000, ..Rules::default() });
    entity.send((0..messages).map(|number| {
        let message = Message::new(number.to_string(), random.bytes(if number.is_multiple_of(25) { 200_000 } else { 2_000 }));
        // Every fourth has a record of its own, so that kills fall between two blobs, too.
        let attribute = if number.is_multiple_of(4) { "é".repeat(1000) } else { number.to_string() };
        message.property("attribute", persistor_tests::invocation::service_bus::Property::Text(attribute))
    }));
    let host = host_with(place, &binding, &LIMITS);
    let mut random = Random::new(7);
    listener(&host, &entity, &binding).drain_beside(|| {
        for kill in 1..=kills {
            entity.wait_for_completed(kill * messages / (kills + 1) + random.between(0, messages / kills / 4));
            // Wherever it is then.
            thread::sleep(Duration::from_millis(random.number() % 25));
            host.kill_worker();
            // Looked at after the kill: nothing that comes later is held against it.
            let held = entity.held();
            let stored = place.snapshot();
            let all = entity.all();
            let settled = all.iter().filter(|(sequence, _)| !held.contains(sequence));
            let keys = settled.map(|(sequence, (message, enqueued))| {
                default_key("shop.orders", *enqueued, &id(*sequence, message), &message.body)
            });
            let lost: Vec<_> = keys.filter(|key| !stored.keys().any(|name| name.ends_with(key.as_str()))).collect();
            assert!(lost.is_empty(), "after kill {kill}: acknowledged, and not stored: {lost:?}");
            // The third in half an hour stops the application, which the platform starts again.
            if kill % 3 == 0 {
                persistor_tests::waiting::until("the application to stop", || host.has_stopped().then_some(()));
                host.replace();
            }
        }
    });
    let broken = host.failures().get(&Failure::Broken).copied().unwrap_or_default();
    assert!(broken > 0, "no kill met an invocation on its way");
    assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
    let counts = entity.counts();
    assert_eq!((counts.completed, counts.dead_lettered), (messages, 0));
    eprintln!(
        "{cardinality:?}: {kills} kills: {:?}; {} deliveries, at most {} of one message",
        host.failures(),
        counts.delivered,
        counts.most_deliveries
    );
}

#[test]
#[ignore = "takes a while: tests/run e2e"]
fn kills_lose_and_double_nothing_in_a_folder() {
    kill(&Place::folder(), Cardinality::One, 1500, 12);
    kill(&Place::folder(), Cardinality::Many, 1500, 12);
}

#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn kills_lose_and_double_nothing_in_a_container() {
    let Some(azurite) = Azurite::start() else { return };
    kill(&Place::container(&azurite, "one"), Cardinality::One, 1000, 9);
    kill(&Place::container(&azurite, "many"), Cardinality::Many, 1000, 9);
}

/// Asked to end, it finishes what it has and ends with the code for which the host starts it again and does not count it.
#[test]
fn a_program_that_is_asked_to_end_is_started_again() {
    let (place, binding) = (Place::folder(), queue(Cardinality::One));
    let host = host_with(&place, &binding, &LIMITS);
    let entity = Entity::new(Rules { max_delivery_count: 1000, ..Rules::default() });
    entity.send((0..2000).map(|number| Message::new(number.to_string(), number.to_string())));
    listener(&host, &entity, &binding).drain_beside(|| {
        for round in 1..=4 {
            // In the middle of its work.
            entity.wait_for_completed(entity.counts().completed + 50);
            host.terminate_worker();
            persistor_tests::waiting::until("the program to end", || (host.exits().len() >= round).then_some(()));
        }
    });
    assert!(host.exits().iter().all(|status| status.code() == Some(200)), "{:?}", host.exits());
    assert_eq!((host.starts(), host.has_stopped()), (5, false));
    assert_eq!(entity.counts().completed, 2000);
    assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
}

#[test]
fn a_record_stands_where_it_is_set_to() {
    for (record, count) in [("auto", 1), ("always", 2)] {
        let (double, binding) = (BlobDouble::start(ACCOUNT, "archive"), queue(Cardinality::One));
        let app = FunctionApp::with(std::slice::from_ref(&binding));
        let setup = app
            .setup(format!("az://{ACCOUNT}/archive").as_ref())
            .set("AZURE_STORAGE_SERVICE_ENDPOINT", double.endpoint())
            .set("AZURE_STORAGE_SAS_TOKEN", persistor_tests::azurite::sas("c"))
            .set("PERSISTOR_RECORD", record);
        let host = FunctionsHost::start(app, setup, crate::LONG);
        let entity = Entity::new(Rules::default());
        entity.send([Message::new("a", "x")]);
        listener(&host, &entity, &binding).drain();
        assert_eq!(double.blobs().len(), 1 + count, "a layout, and what a message is with PERSISTOR_RECORD={record}");
    }
}

/// Create rights are enough for a redelivery, in every way in which the service may say that a blob is there: no read, list or delete is ever tried.
#[test]
fn an_identity_that_may_only_create_is_enough() {
    let double = BlobDouble::start(ACCOUNT, "archive");
    let binding = queue(Cardinality::One);
    let app = FunctionApp::with(std::slice::from_ref(&binding));
    let setup = app
        .setup(format!("az://{ACCOUNT}/archive").as_ref())
        .set("AZURE_STORAGE_SERVICE_ENDPOINT", double.endpoint())
        .set("AZURE_STORAGE_SAS_TOKEN", persistor_tests::azurite::sas("c"));
    let setup = LIMITS.iter().fold(setup, |setup, (name, value)| setup.set(name, *value));
    let host = FunctionsHost::start(app, setup, crate::LONG);
    for exists in [
        "409-blob-already-exists",
        "409-immutable-policy",
        "409-legal-hold",
        "409-blob-archived",
        "403-unauthorized-overwrite",
        "412-lease-id-missing",
    ] {
        double.when_it_exists(Reply::fixture(exists));
        let entity = Entity::new(Rules::default());
        let large = (0..10).fold(Message::new(format!("{exists}-large"), "x"), |message, number| {
            message.property(format!("{number}"), persistor_tests::invocation::service_bus::Property::Text("é".repeat(300)))
        });
        entity.send([Message::new(exists, "x"), large]);
        for _ in 0..3 {
            listener(&host, &entity, &binding).drain();
            entity.redeliver_everything();
        }
        assert_eq!((entity.counts().completed, entity.counts().abandoned), (6, 0), "{exists}");
    }
    // A layout, and of each pair two payloads and a record of its own.
    assert_eq!(double.blobs().len(), 1 + 6 * 3);
    assert_eq!(double.others(), Vec::<String>::new());

    // Refused for want of a right, a message is not acknowledged, the log says which, and all is well once it is there.
    double.next(usize::MAX, Reply::fixture("403-permission-mismatch"));
    let entity = Entity::new(Rules { max_delivery_count: 1000, ..Rules::default() });
    entity.send([Message::new("refused", "x")]);
    listener(&host, &entity, &binding).listen(|| entity.counts().abandoned > 0);
    double.clear();
    listener(&host, &entity, &binding).drain();
    assert_eq!(entity.counts().completed, 1);
    let (output, _) = host.lines();
    let told = output.iter().find(|line| line.contains("not all stored, and not acknowledged"));
    let told = told.unwrap_or_else(|| panic!("no line says it: {:?}", output.last()));
    assert!(["permission `c`", r#""messages":1,"not_stored":1"#].iter().all(|text| told.contains(text)), "{told}");
}
