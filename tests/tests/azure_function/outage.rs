//! An hour without a store, with the broker's clock running fast: what the settings that we ship make of it, and what others would.

use std::path::Path;
use std::thread;
use std::time::Duration;

use persistor_tests::azurite::{ACCOUNT, sas};
use persistor_tests::blob_double::{BlobDouble, Reply};
use persistor_tests::function_app::{FunctionApp, shipped_host_json};
use persistor_tests::functions_host::FunctionsHost;
use persistor_tests::invocation::service_bus::Message;
use persistor_tests::invocation::{Binding, Cardinality};
use persistor_tests::naming::default_key;
use persistor_tests::service_bus::listener::{Listener, Options};
use persistor_tests::service_bus::stored::id;
use persistor_tests::service_bus::{Counts, Entity, Pace, Rules};
use persistor_tests::terraform::Terraform;

use crate::{LONG, listener, queue};

const MESSAGES: usize = 200;
const MINUTE: Duration = Duration::from_secs(60);
/// An hour is half a minute.
const PACE: Pace = Pace(120);

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
        max_auto_lock_renewal: 5 * MINUTE,
        max_message_batch_size: number("maxMessageBatchSize"),
    }
}

/// How an entity and the app before it are made.
#[derive(Clone, Copy, Debug)]
struct Deployment {
    deadline: Duration,
    lock: Duration,
    max_delivery_count: u32,
    options: Options,
}

/// What `terraform/azure` plans where nothing else is said, or a skip.
fn planned() -> Option<Deployment> {
    let plan = Terraform::copy()?.plan_of_defaults("azure");
    let settings = plan.app_settings().expect("known in the plan");
    let subscription = plan.resource("azurerm_servicebus_subscription");
    assert_eq!(subscription["lock_duration"], "PT5M");
    let deadline = settings["PERSISTOR_DEADLINE"].strip_suffix('s').and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let count = subscription["max_delivery_count"].as_u64().and_then(|count| u32::try_from(count).ok());
    let calls = settings["AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls"].parse().expect("a number");
    Some(Deployment {
        deadline: deadline.expect("seconds"),
        lock: 5 * MINUTE,
        max_delivery_count: count.expect("a number"),
        options: Options { max_concurrent_calls: calls, ..shipped() },
    })
}

/// An hour of nothing but refusals; then the store is back. Gives what became of the messages.
fn outage(binding: &Binding, deployment: Deployment) -> Counts {
    let Deployment { deadline, lock, max_delivery_count, options } = deployment;
    let double = BlobDouble::start(ACCOUNT, "archive");
    let app = FunctionApp::with(std::slice::from_ref(binding));
    // The shipped times, by the broker's clock.
    let setup = app
        .setup(Path::new(&format!("az://{ACCOUNT}/archive")))
        .set("AZURE_STORAGE_SERVICE_ENDPOINT", double.endpoint())
        .set("AZURE_STORAGE_SAS_TOKEN", sas("c"))
        .set("PERSISTOR_DEADLINE", PACE.setting(deadline))
        .set("PERSISTOR_WRITE_TIMEOUT", PACE.setting(Duration::from_secs(8)));
    let host = FunctionsHost::start(app, setup, LONG);
    let entity = Entity::new(Rules { lock, max_delivery_count, pace: PACE, first_sequence: 1 });
    // More than are ever in flight together: those that wait cost nothing.
    entity.send((0..MESSAGES).map(|number| Message::new(number.to_string(), number.to_string())));
    double.next(usize::MAX, Reply::fixture("503-server-busy"));
    Listener { options, ..listener(&host, &entity, binding) }.drain_beside(|| {
        thread::sleep(PACE.real(60 * MINUTE));
        double.clear();
    });
    host.assert_no_faults();
    let counts = entity.counts();
    let blobs = double.blobs();
    assert!(blobs.len() <= 1 + MESSAGES, "a layout, and no message twice");
    // One that the broker gave up may have been stored at last, by a call whose lock was gone.
    let dead = entity.dead();
    for (sequence, (message, enqueued)) in entity.all() {
        let key = default_key("shop.orders", enqueued, &id(sequence, &message), &message.body);
        assert!(blobs.contains_key(&key) || dead.contains(&sequence), "{key}");
    }
    counts
}

/// With a deadline of four minutes, an hour is sixteen deliveries of each message in flight: the 2,000 that Terraform plans are far away, and the ten that Azure gives by itself
/// are not enough.
#[test]
#[ignore = "takes a while, needs Terraform: tests/run e2e"]
fn an_hour_without_a_store_dead_letters_nothing() {
    let Some(planned) = planned() else { return };
    let (one, many) = (queue(Cardinality::One), queue(Cardinality::Many));
    let (one, many) = (&one, &many);
    // Nobody made the lock longer: the host renews it.
    let short_lock = Deployment { lock: MINUTE, ..planned };
    // Broken on purpose: by Azure's own count, messages die.
    let ten_deliveries = Deployment { max_delivery_count: 10, ..short_lock };
    let batches = Deployment { deadline: Duration::from_secs(45), options: shipped(), ..short_lock };
    let [planned, short, ten, batches] = thread::scope(|scope| {
        let threads = [(one, planned), (one, short_lock), (one, ten_deliveries), (many, batches)]
            .map(|(binding, deployment)| scope.spawn(move || (deployment, outage(binding, deployment))));
        threads.map(|thread| {
            let (deployment, counts) = thread.join().expect("an outage does not panic");
            let Deployment { deadline, lock, max_delivery_count, .. } = deployment;
            eprintln!("deadline {deadline:?}, lock {lock:?}, at most {max_delivery_count} deliveries: {counts:?}");
            counts
        })
    });
    for counts in [planned, short] {
        assert_eq!((counts.completed, counts.dead_lettered), (MESSAGES, 0));
        assert!(counts.most_deliveries >= 2, "there was no outage");
    }
    assert!(ten.dead_lettered > 0, "ten deliveries last for an hour after all");
    assert_eq!((batches.completed, batches.dead_lettered), (MESSAGES, 0));
}
