//! Events of Event Hubs and of Event Grid.

use std::collections::BTreeSet;
use std::time::Duration;

use persistor_tests::azurite::Azurite;
use persistor_tests::event_grid::{self, Webhook};
use persistor_tests::event_hubs::{Hub, Listener, Retry, event_of, expected};
use persistor_tests::function_app::NAMESPACE;
use persistor_tests::functions_host::FunctionsHost;
use persistor_tests::invocation::json::Json;
use persistor_tests::invocation::values::Form;
use persistor_tests::invocation::{Binding, Cardinality, Invocation};
use persistor_tests::naming::sha256;
use persistor_tests::place::Place;
use persistor_tests::random::Random;
use persistor_tests::service_bus::corpus::corpus;

use crate::host;

const EVENTS: usize = 1000;
const FOREVER: Retry = Retry::Forever { pause: Duration::from_millis(10) };

fn hub() -> Hub {
    Hub::new(4, corpus(EVENTS, 12).into_iter().enumerate().map(|(number, message)| event_of(number, message)))
}

fn listener<'a>(host: &'a FunctionsHost, hub: &'a Hub, binding: &Binding, form: Form) -> Listener<'a> {
    Listener { host, hub, binding: binding.clone(), namespace: NAMESPACE, form, retry: FOREVER, max_event_batch_size: 8 }
}

fn assert_stored(place: &Place<'_>, hub: &Hub, cardinality: Cardinality) {
    let archive = place.read_sound();
    let stored = archive.by_id();
    assert_eq!(stored.len(), EVENTS);
    let binding = Binding::hub("Telemetry", "telemetry", cardinality);
    for (partition, event) in hub.events() {
        let expected = expected(&binding, NAMESPACE, &partition, event);
        let (key, _) = expected.key_and_identity();
        let stored = archive.messages.get(&key).unwrap_or_else(|| panic!("{} is not stored under {key}", expected.id));
        expected.assert_same(stored);
    }
}

/// Every event of four partitions, then all of it again, by both cardinalities; Azurite is slow, so that into a container all comes twice only.
fn read_and_read_again(place: &Place<'_>, first: Cardinality, form: Form) {
    let hub = hub();
    let (one, many) =
        (Binding::hub("Telemetry", "telemetry", Cardinality::One), Binding::hub("Telemetry", "telemetry", Cardinality::Many));
    let order = if first == Cardinality::One { [one, many] } else { [many, one] };
    let mut snapshot = None;
    let times = if place.is_folder() { 3 } else { 2 };
    for binding in [&order[0], &order[1], &order[0]].into_iter().take(times) {
        let host = host(place, binding);
        hub.rewind();
        listener(&host, &hub, binding, form).drain();
        host.assert_no_faults();
        match &snapshot {
            None => snapshot = Some(place.snapshot()),
            Some(snapshot) => assert!(*snapshot == place.snapshot(), "a second reading made or replaced a blob"),
        }
    }
    let counts = hub.counts();
    assert_eq!((counts.passed, counts.lost, counts.failed), (times * EVENTS, 0, 0));
    assert_stored(place, &hub, first);
}

#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn every_event_of_a_hub_is_stored_once() {
    let Some(azurite) = Azurite::start() else { return };
    read_and_read_again(&Place::folder(), Cardinality::One, Form::Plain);
    read_and_read_again(&Place::folder(), Cardinality::Many, Form::Doubled);
    read_and_read_again(&Place::container(&azurite, "one"), Cardinality::One, Form::Doubled);
    read_and_read_again(&Place::container(&azurite, "many"), Cardinality::Many, Form::Plain);
}

/// An event that cannot be read does not stop its partition: its invocation is kept as it came, once, and the host is told that all is well.
#[test]
fn an_event_that_cannot_be_read_is_kept_as_it_came() {
    let (place, binding) = (Place::folder(), Binding::hub("Telemetry", "telemetry", Cardinality::One));
    let host = host(&place, &binding);
    let data = r#""not base64!""#;
    let context = r#"{"FullyQualifiedNamespace":"shop.servicebus.windows.net","EventHubName":"telemetry","ConsumerGroup":"$Default","PartitionId":"0"}"#;
    let invocation = |now: &str| {
        Invocation {
        function: binding.function.clone(),
        body: format!(
            r#"{{"Data":{{"events":{data}}},"Metadata":{{"PartitionContext":{context},"SequenceNumber":"7","EnqueuedTimeUtc":"2026-11-22T05:50:40","Properties":{{}},"SystemProperties":{{}},"sys":{{"MethodName":"Telemetry","UtcNow":"{now}"}}}}}}"#
        )
        .into(),
    }
    };
    let first = invocation("2026-11-22T05:50:41Z");
    assert_eq!(host.invoke(&first), Ok(()));
    // A retry comes at another time, and makes no second blob.
    assert_eq!(host.invoke(&invocation("2026-11-22T05:50:51Z")), Ok(()));
    let archive = place.read_sound();
    let name = format!("_persistor/rejected/{}-", sha256(format!(r#"{{"events":{data}}}"#).as_bytes()));
    let kept: Vec<_> = archive.rejected.iter().collect();
    let [(key, content)] = kept[..] else { panic!("{:?}", archive.rejected.keys()) };
    assert!(key.starts_with(&name), "{key}");
    assert!(*content == first.body, "it is kept as it came");
    assert_eq!(archive.messages.len(), 0);
    // The log says so each time, and how often since the start.
    let told = persistor_tests::waiting::until("both to be told", || {
        let told: Vec<_> = host.lines().0.into_iter().filter(|line| line.contains("an event cannot be read")).collect();
        (told.len() == 2).then_some(told)
    });
    assert!(told[0].contains(r#""rejected":1"#) && told[1].contains(r#""rejected":2"#), "{told:?}");
}

fn events() -> Vec<Json> {
    let mut random = Random::new(13);
    (0..EVENTS).map(|number| event_grid::event_of(number, &mut random)).collect()
}

/// Both schemas, one by one and in batches, then all of it again by the other cardinality.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn every_event_of_event_grid_is_stored_once_as_the_host_wrote_it() {
    let Some(azurite) = Azurite::start() else { return };
    let events = events();
    let grid = |cardinality| Binding::event_grid("Grid", cardinality);
    let (one, many) = (grid(Cardinality::One), grid(Cardinality::Many));
    for (place, order) in [
        (Place::folder(), [&one, &many]),
        (Place::container(&azurite, "one"), [&one, &many]),
        (Place::container(&azurite, "many"), [&many, &one]),
    ] {
        let mut snapshot = None;
        let times = if place.is_folder() { 3 } else { 2 };
        for binding in [order[0], order[1], order[0]].into_iter().take(times) {
            let host = host(&place, binding);
            let webhook = Webhook { host: &host, binding: binding.clone(), form: Form::Doubled };
            for delivery in events.chunks(40) {
                assert_eq!(webhook.deliver(delivery), 202);
            }
            host.assert_no_faults();
            match &snapshot {
                None => snapshot = Some(place.snapshot()),
                Some(snapshot) => assert!(*snapshot == place.snapshot(), "a second delivery made or replaced a blob"),
            }
        }
        let archive = place.read_sound();
        let stored = archive.by_id();
        let expected: Vec<_> = events.iter().map(|event| event_grid::expected(&one, event)).collect();
        let ids: BTreeSet<_> = expected.iter().map(|expected| expected.id.as_str()).collect();
        assert_eq!(stored.keys().copied().collect::<BTreeSet<_>>(), ids);
        expected.iter().for_each(|expected| expected.assert_same(stored[expected.id.as_str()]));
    }
}
