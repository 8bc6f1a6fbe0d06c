//! The program killed: again and again while a broker pushes, and once between any two of the calls that store a message.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use persistor_tests::archive::Archive;
use persistor_tests::emulator::Emulator;
use persistor_tests::program::Setup;
use persistor_tests::published::Published;
use persistor_tests::pubsub::{Publication, Pubsub};
use persistor_tests::push::Push;
use persistor_tests::random::Random;
use persistor_tests::trace::Trace;
use persistor_tests::witness::{End, Witness};
use persistor_tests::{ports, pusher, scratch};

const MESSAGES: usize = 5_000;
const KILLS: usize = 20;

#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn twenty_kills_lose_and_double_nothing() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let setup = Setup::gcp_function(&root).port(ports::free());
    let mut program = setup.start();
    let witness = Witness::before(program.port());
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("orders");
    let subscription = pubsub.create_push("archive", &topic, &witness.url("orders"), 20);
    let published = Published::publish(&pubsub, &topic, messages());

    let mut random = Random::new(20);
    let (mut broken, mut halves) = (0, 0);
    for kill in 1..=KILLS {
        witness.wait_for_pushes(kill * MESSAGES / (KILLS + 1) + random.between(0, 100));
        program.kill9();
        // Every moment of a crash must be sound, not the end alone.
        let archive = Archive::read_sound(&root);
        let stored: BTreeSet<_> = archive.by_id().into_keys().map(str::to_owned).collect();
        let lost: Vec<_> = witness.acknowledged_since(0).difference(&stored).cloned().collect();
        assert!(lost.is_empty(), "after kill {kill}: acknowledged, and not stored: {lost:?}");
        assert!(stored.len() < MESSAGES, "kill {kill} came after the last message");
        broken = witness.since(0).iter().filter(|exchange| exchange.end == End::Broken).count();
        halves += archive.lone_records.len();
        program = setup.start();
    }
    assert!(broken > 0, "no kill met a push on its way");
    witness.wait_for_acknowledged(&published.ids(), 0);
    let archive = Archive::read_sound(&root);
    published.assert_stored(&archive, "orders", &subscription);
    eprintln!(
        "{KILLS} kills: {broken} pushes broken off, {} pushes in all, {halves} records found without payload yet, {} temporary files left",
        witness.mark(),
        archive.temporary.len(),
    );
}

/// Small and middling messages, so that kills fall into writes of both records and payloads.
fn messages() -> Vec<Publication> {
    let mut random = Random::new(5);
    let message = |index: usize, random: &mut Random| {
        let size = if index.is_multiple_of(50) { 300_000 } else { random.between(1, 5_000) };
        let attributes = BTreeMap::from([("index".to_owned(), index.to_string())]);
        Publication { payload: random.bytes(size).into(), attributes }
    };
    (0..MESSAGES).map(|index| message(index, &mut random)).collect()
}

/// What a write into a folder is made of.
const CALLS: &str = "?openat,?write,?fsync,?linkat,?mkdir,?mkdirat,?unlink,?unlinkat";

/// A broker's stream meets few of the moments at which a crash could show something half done; here every one is met, for each call is
/// kept waiting and the program is killed meanwhile.
#[test]
#[ignore = "needs strace: tests/run e2e"]
fn a_kill_between_any_two_calls_shows_nothing_half() {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let setup = Setup::gcp_function(&root);
    pusher::send_until_acknowledged(setup.start().port(), &Push::new("first", "first").request());
    let (mut temporary, mut lone, mut unacknowledged) = (0, 0, 0);
    let mut stored = 1;
    for calls in 0.. {
        // Each in folders of its own that must be made.
        let push = Push { stream: format!("stream-{calls}"), ..Push::new(format!("killed-{calls}"), vec![7; 10_000]) };
        let mut program = setup.start();
        let port = program.port();
        let inject = format!("inject={CALLS}:delay_enter=10ms");
        let Some(trace) = Trace::attach(&program, &["-e", &format!("trace={CALLS}"), "-e", &inject]) else { return };
        let answer = thread::scope(|scope| {
            let sending = scope.spawn(|| pusher::send(port, &push.request()));
            // So many calls for the archive have been made, and the next one waits; or there is a reply.
            while trace.text().matches("/archive").count() < calls && !sending.is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
            program.kill9();
            sending.join().expect("a sender does not panic")
        });
        drop(trace);

        let archive = Archive::read_sound(&root);
        let is_stored = push.is_stored(&root);
        assert!(is_stored || answer.is_err(), "after {calls} calls: acknowledged, and not stored");
        assert_eq!(archive.by_id().len(), stored + usize::from(is_stored), "after {calls} calls");
        temporary += usize::from(!archive.temporary.is_empty());
        lone += archive.lone_records.len();
        unacknowledged += usize::from(is_stored && answer.is_err());
        // The broker delivers it again.
        pusher::send_until_acknowledged(setup.start().port(), &push.request());
        stored += 1;
        if answer.is_ok() {
            break;
        }
    }
    let archive = Archive::read_sound(&root);
    assert_eq!((archive.by_id().len(), archive.lone_records), (stored, vec![]));
    eprintln!(
        "{} kills: {lone} left a record alone, {unacknowledged} a message stored and not acknowledged; temporary files after {temporary}",
        stored - 2,
    );
    assert!(temporary > 0 && lone > 0 && unacknowledged > 0, "a moment was missed");
}
