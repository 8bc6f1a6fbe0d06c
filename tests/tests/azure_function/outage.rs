//! An hour without a store, with the broker's clock running fast: what the settings that we ship make of it, and what others would.

use std::thread;
use std::time::Duration;

use persistor_tests::azurite::Azurite;
use persistor_tests::blob_double::Reply;
use persistor_tests::function_app::{NAMESPACE, shipped_host_json};
use persistor_tests::invocation::service_bus::Message;
use persistor_tests::invocation::{Binding, Cardinality};
use persistor_tests::place::Place;
use persistor_tests::service_bus::listener::{Listener, Options};
use persistor_tests::service_bus::stored::assert_stored;
use persistor_tests::service_bus::{Counts, Entity, Pace, Rules};
use persistor_tests::store_gate::{Fate, StoreGate};

use crate::{host_with, listener, queue};

const HOUR: Duration = Duration::from_secs(3600);
/// An hour is half a minute.
const PACE: Pace = Pace(120);

/// What the broker is to be given; `maxDeliveryCount` is the deployer's, and what `docs` and Terraform say.
const LOCK: Duration = Duration::from_secs(60);

/// What `host.json` says, which is what the listener does.
fn shipped() -> Options {
    let host = shipped_host_json();
    let of = |name: &str| host["extensions"]["serviceBus"][name].clone();
    let number = |name: &str| usize::try_from(of(name).as_u64().expect("a number")).expect("not so large");
    let renewal = of("maxAutoLockRenewalDuration");
    assert_eq!(renewal, "00:05:00", "the deadline of four minutes is chosen by it");
    Options {
        max_concurrent_calls: number("maxConcurrentCalls"),
        max_concurrent_sessions: number("maxConcurrentSessions"),
        max_auto_lock_renewal: Duration::from_secs(300),
        max_message_batch_size: number("maxMessageBatchSize"),
    }
}

/// An hour of nothing but refusals; then the store is back. Gives what became of the messages.
fn outage(azurite: &Azurite, name: &str, binding: &Binding, deadline: Duration, max_delivery_count: u32) -> Counts {
    let gate = StoreGate::before(azurite.port());
    let place = Place::container_behind(azurite, name, gate.port());
    // The shipped times, all of them by the broker's clock.
    let (deadline, limit) = (PACE.setting(deadline), PACE.setting(Duration::from_secs(8)));
    let settings = [("PERSISTOR_DEADLINE", deadline.as_str()), ("PERSISTOR_WRITE_TIMEOUT", limit.as_str())];
    let entity = Entity::new(Rules { lock: LOCK, max_delivery_count, pace: PACE, first_sequence: 1 });
    // More than are ever in flight together: those that wait cost nothing.
    entity.send((0..200).map(|number| Message::new(number.to_string(), number.to_string())));
    let host = host_with(&place, binding, &settings);
    gate.arm(|_| true, usize::MAX, Fate::Answered(Reply::fixture("503-server-busy").answer()));
    Listener { options: shipped(), ..listener(&host, &entity, binding) }.drain_beside(|| {
        thread::sleep(PACE.real(HOUR));
        gate.open();
    });
    let counts = entity.counts();
    if counts.dead_lettered == 0 {
        assert_stored(&place.read_sound(), &entity, binding, NAMESPACE);
    }
    counts
}

/// With locks of a minute that the host renews for five, and a deadline of four, an hour is sixteen deliveries of each message in flight. So twenty would do, and
/// the ten that Azure gives by itself do not.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn an_hour_without_a_store_dead_letters_nothing() {
    let Some(azurite) = Azurite::start() else { return };
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let (one, many) = (queue(Cardinality::One), queue(Cardinality::Many));
    let (azurite, one, many) = (&azurite, &one, &many);
    let counts = thread::scope(|scope| {
        let shipped = scope.spawn(move || outage(azurite, "shipped", one, minutes(4), 100));
        // Broken on purpose: by Azure's own count, messages die.
        let ten = scope.spawn(move || outage(azurite, "ten", one, minutes(4), 10));
        let many = scope.spawn(move || outage(azurite, "many", many, Duration::from_secs(45), 2000));
        [shipped, ten, many].map(|thread| thread.join().expect("an outage does not panic"))
    });
    let [shipped, ten, many] = counts;
    eprintln!("one by one, a lock of 60 s, at most 100 deliveries: {shipped:?}");
    eprintln!("one by one, a lock of 60 s, at most 10 deliveries: {ten:?}");
    eprintln!("batches of 32, a lock of 60 s, at most 2000 deliveries: {many:?}");
    assert_eq!((shipped.completed, shipped.dead_lettered, shipped.locks_lost), (200, 0, 0));
    assert!(shipped.most_deliveries <= 20, "an hour took {} deliveries of a message", shipped.most_deliveries);
    assert!(ten.dead_lettered > 0, "ten deliveries last for an hour after all");
    assert_eq!((many.completed, many.dead_lettered), (200, 0));
}
