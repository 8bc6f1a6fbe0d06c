//! Events of Event Hubs and of Event Grid.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use persistor_tests::azurite::Azurite;
use persistor_tests::event_grid::Webhook;
use persistor_tests::event_hubs::{Hub, Listener, Retry};
use persistor_tests::function_app::NAMESPACE;
use persistor_tests::functions_host::FunctionsHost;
use persistor_tests::invocation::event_grid::host_text;
use persistor_tests::invocation::event_hubs::Event;
use persistor_tests::invocation::json::Json;
use persistor_tests::invocation::values::{Form, ticks, whole_seconds};
use persistor_tests::invocation::{Binding, Cardinality, Invocation};
use persistor_tests::naming::{default_key, sha256};
use persistor_tests::place::Place;
use persistor_tests::random::Random;
use persistor_tests::service_bus::corpus::{corpus, typed};
use persistor_tests::service_bus::stored::attribute;
use serde_json::{Value, json};

use crate::host;

const EVENTS: usize = 1000;
const FOREVER: Retry = Retry::Forever { pause: Duration::from_millis(10) };

fn hub() -> Hub {
    let types = typed();
    let event = |(number, message): (usize, persistor_tests::invocation::service_bus::Message)| Event {
        body: message.body,
        sequence: 0,
        offset: String::new(),
        enqueued: "2026-11-22T05:50:40Z".parse().expect("a time"),
        partition_key: message.partition_key,
        properties: [(types[number % types.len()].0.to_owned(), types[number % types.len()].1.clone())].into(),
        amqp_properties: [("message-id", message.message_id), ("content-type", message.content_type)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
    };
    Hub::new(4, corpus(EVENTS, 12).into_iter().enumerate().map(event))
}

fn listener<'a>(host: &'a FunctionsHost, hub: &'a Hub, binding: &Binding, form: Form) -> Listener<'a> {
    Listener { host, hub, binding: binding.clone(), namespace: NAMESPACE, form, retry: FOREVER, max_event_batch_size: 8 }
}

fn assert_stored(place: &Place<'_>, hub: &Hub, cardinality: Cardinality) {
    let archive = place.read_sound();
    let stored = archive.by_id();
    assert_eq!(stored.len(), EVENTS);
    for (partition, event) in hub.events() {
        let id = format!("{partition}-{:020}", event.sequence);
        let stored = stored.get(id.as_str()).unwrap_or_else(|| panic!("{id} is not stored"));
        assert!(stored.payload() == event.body, "the payload of {id} is another one");
        assert!(
            archive.messages.contains_key(&default_key("shop.telemetry", event.enqueued, &id, &event.body)),
            "the key of {id}"
        );
        let time = match cardinality {
            Cardinality::One => whole_seconds(event.enqueued),
            Cardinality::Many => ticks(event.enqueued),
        };
        assert_eq!(stored.text("publish_time"), time + "Z", "publish time of {id}");
        assert_eq!(stored.text("entity"), "shop.servicebus.windows.net/telemetry");
        let attributes: BTreeMap<_, _> =
            event.properties.iter().map(|(name, value)| (name.as_str(), attribute(&value.json()))).collect();
        assert_eq!(*stored.member("attributes"), json!(attributes), "attributes of {id}");
        let mut properties = BTreeMap::from([("partition", partition.clone()), ("sequence", event.sequence.to_string())]);
        properties.extend(event.partition_key.clone().map(|key| ("partition_key", key)));
        for (name, value) in &event.amqp_properties {
            properties.insert(if *name == "message-id" { "message_id" } else { "content_type" }, value.clone());
        }
        assert_eq!(*stored.member("properties"), json!(properties), "properties of {id}");
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
}

fn event(id: &str, time: &str, data: Json) -> Json {
    Json::object([
        ("id", Json::text(id)),
        ("topic", Json::text("/subscriptions/x")),
        ("subject", Json::text("a\u{e9}\u{1F600}\"\\\n")),
        ("eventType", Json::text("Shop.Order")),
        ("eventTime", Json::text(time)),
        ("data", data),
        ("dataVersion", Json::text("1")),
        ("metadataVersion", Json::text("1")),
    ])
}

fn events() -> Vec<Json> {
    let mut random = Random::new(13);
    let data = |random: &mut Random, number: usize| match number % 5 {
        0 => Json::Null,
        1 => Json::text(String::from_utf8_lossy(&random.bytes(50))),
        2 => Json::Array(vec![Json::number(number), Json::Bool(true), Json::Array(vec![])]),
        3 => Json::object([
            ("id", Json::text("another")),
            ("eventTime", Json::text("2020-01-01T00:00:00Z")),
            ("none", Json::Object(vec![])),
        ]),
        _ => Json::object([("payload", Json::text("x".repeat(random.between(0, 20_000))))]),
    };
    let grid = |number: usize| {
        let time = format!("2026-11-22T05:{:02}:{:02}.{:07}Z", number / 60 % 60, number % 60, number * 1000);
        let data = data(&mut random, number);
        if number.is_multiple_of(2) {
            return event(&format!("e-{number}/é"), &time, data);
        }
        Json::object([
            ("specversion", Json::text("1.0")),
            ("id", Json::text(format!("c-{number}"))),
            ("source", Json::text("/shop")),
            ("type", Json::text("Shop.Order")),
            ("time", Json::text(time)),
            ("data", data),
        ])
    };
    (0..EVENTS).map(grid).collect()
}

fn text<'a>(event: &'a Json, name: &str) -> Option<&'a str> {
    match event.member(name) {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }
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
        let ids: BTreeSet<_> = events.iter().filter_map(|event| text(event, "id")).collect();
        assert_eq!(stored.keys().copied().collect::<BTreeSet<_>>(), ids);
        for event in &events {
            let stored = stored[text(event, "id").expect("an id")];
            assert!(stored.payload() == host_text(event).into_bytes(), "the payload of {}", stored.text("id"));
            let time: DateTime<Utc> = text(event, "eventTime").or(text(event, "time")).expect("a time").parse().expect("a time");
            assert_eq!(stored.text("publish_time"), ticks(time) + "Z");
            assert_eq!((stored.text("entity"), stored.text("stream")), ("shop-archive/Grid", "shop-archive.Grid"));
            assert_eq!(*stored.member("fidelity"), json!(["host-text"]));
            let subject: Value = text(event, "subject").map_or_else(|| json!({}), |subject| json!({ "subject": subject }));
            assert_eq!(*stored.member("properties"), subject);
        }
    }
}
