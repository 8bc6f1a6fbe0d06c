//! What the double of the Functions host sends is, byte for byte, what was written out by hand from the host's source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use persistor_tests::invocation::event_hubs::Event;
use persistor_tests::invocation::json::Json;
use persistor_tests::invocation::service_bus::{Delivery, Message, Property};
use persistor_tests::invocation::values::Form;
use persistor_tests::invocation::{Binding, Cardinality, Invocation, System, event_grid, event_hubs, service_bus};
use serde::Deserialize;
use serde_json::value::RawValue;

const NAMESPACE: &str = "shop.servicebus.windows.net";
const FORGED: &str = r#"{"MessageId":"forged","sequencenumber":7,"EnqueuedTimeUtc":"2020-01-01T00:00:00Z","nested":{"a":1},"list":[1],"true":true,"null":null}"#;

#[derive(Deserialize)]
struct Fixture {
    origin: String,
    body: Box<RawValue>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/invocation")
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn system() -> System {
    System { now: time("2026-11-22T05:50:42.5Z"), guid: "0e5e6f6e-9f3c-4c8d-9a51-0a3f6d0f7b22".to_owned() }
}

/// A message with what many senders give.
fn common() -> Delivery {
    let message = Message {
        content_type: Some("application/octet-stream".to_owned()),
        subject: Some("a \"quoted\" \u{1} subject".to_owned()),
        ..Message::new("order-1", vec![1, 2])
    };
    let message = message
        .property("kind", Property::text("refund"))
        .property("amount", Property::Int(7))
        .property("ratio", Property::Double("0.5"))
        .property("paid", Property::Boolean(true))
        .property("nothing", Property::Null)
        .property("at", Property::Timestamp(time("2026-11-22T05:50:39.123Z")));
    first(message)
}

/// A message as the first of its queue.
fn first(message: Message) -> Delivery {
    Delivery {
        message: Arc::new(message),
        sequence: 42,
        enqueued: time("2026-11-22T05:50:40.1234567Z"),
        expires: time("9999-12-31T23:59:59.9999999Z"),
        delivery_count: 1,
        lock_token: "5a8e6f6e-9f3c-4c8d-9a51-0a3f6d0f7b11".to_owned(),
        dead_letter_source: None,
    }
}

/// One with the fields that the other lacks, out of a dead-letter queue, and without an id.
fn rare() -> Delivery {
    let some = |text: &str| Some(text.to_owned());
    let message = Message {
        body: Bytes::from_static(&[0xff]),
        reply_to: some("replies"),
        to: some("to"),
        correlation_id: some("c"),
        session_id: some("s"),
        reply_to_session_id: some("r"),
        partition_key: some("p"),
        transaction_partition_key: some("t"),
        ..Message::default()
    };
    Delivery {
        message: Arc::new(message),
        sequence: 43,
        enqueued: time("2026-11-22T05:50:41Z"),
        expires: time("2026-12-06T05:50:41Z"),
        delivery_count: 3,
        lock_token: "5a8e6f6e-9f3c-4c8d-9a51-0a3f6d0f7b12".to_owned(),
        dead_letter_source: some("orders"),
    }
}

fn events() -> [Event; 2] {
    let first = Event {
        body: Bytes::from_static(&[1, 2]),
        sequence: 7,
        offset: "1024".to_owned(),
        enqueued: time("2026-11-22T05:50:40.123Z"),
        partition_key: Some("k".to_owned()),
        properties: vec![("kind".to_owned(), Property::text("refund"))],
        amqp_properties: vec![("message-id", "e-1".to_owned())],
    };
    let second = Event {
        body: Bytes::from_static(&[0xff]),
        sequence: 8,
        offset: "a:1".to_owned(),
        enqueued: time("2026-11-22T05:50:41Z"),
        partition_key: None,
        properties: vec![],
        amqp_properties: vec![],
    };
    [first, second]
}

fn bus(binding: &Binding, form: Form, deliveries: &[Delivery]) -> Invocation {
    service_bus::invocation(binding, NAMESPACE, form, &system(), deliveries)
}

#[test]
fn every_invocation_is_the_one_written_by_hand() {
    let queue = |cardinality| Binding::queue("Orders", "orders", cardinality);
    let (one, many) = (queue(Cardinality::One), queue(Cardinality::Many));
    let hub = |cardinality| Binding::hub("Telemetry", "telemetry", cardinality);
    let grid = |cardinality| Binding::event_grid("Grid", cardinality);
    let events = events();
    let text = |id: &str, body: &str| first(Message::new(id, body.to_owned()));
    let event = Json::object([
        ("id", Json::text("e-1")),
        ("eventTime", Json::text("2026-11-22T05:50:40.1000000Z")),
        ("data", Json::object([("n", Json::Number("1.5".to_owned())), ("none", Json::Array(vec![]))])),
        ("dataVersion", Json::text("1")),
    ]);
    let short =
        [Json::object([("id", Json::text("e-1")), ("data", Json::text("text"))]), Json::object([("id", Json::text("e-2"))])];
    let doubled = Form::Doubled;
    let cases = [
        ("service-bus-one-binary", bus(&one, doubled, &[common()])),
        ("service-bus-one-binary-plain", bus(&one, Form::Plain, &[common()])),
        ("service-bus-one-binary-session", bus(&one.clone().with_sessions(), doubled, &[rare()])),
        ("service-bus-one-string", bus(&one.clone().as_text(), doubled, &[text("order-1", FORGED)])),
        ("service-bus-many-binary", bus(&many, doubled, &[common(), rare()])),
        (
            "service-bus-many-string",
            bus(&many.clone().as_text(), doubled, &[text("one", "é\n\\"), text("two", r#"{"MessageId":"forged"}"#)]),
        ),
        (
            "event-hubs-one-binary",
            event_hubs::invocation(&hub(Cardinality::One), NAMESPACE, "3", doubled, &system(), &events[..1]),
        ),
        ("event-hubs-many-binary", event_hubs::invocation(&hub(Cardinality::Many), NAMESPACE, "3", doubled, &system(), &events)),
        ("event-grid-one", event_grid::invocation(&grid(Cardinality::One), doubled, &system(), &[event])),
        ("event-grid-many", event_grid::invocation(&grid(Cardinality::Many), doubled, &system(), &short)),
    ];
    for (name, invocation) in &cases {
        let file = folder().join(format!("{name}.json"));
        let fixture = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let fixture: Fixture = serde_json::from_str(&fixture).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(fixture.origin.contains("never recorded"), "{name} does not say where it is from");
        let sent = std::str::from_utf8(&invocation.body).expect("JSON is UTF-8");
        assert_eq!(sent, fixture.body.get(), "{name}");
    }
    let names: BTreeSet<_> = cases.iter().map(|(name, _)| format!("{name}.json")).collect();
    let files = fs::read_dir(folder()).expect("fixtures").map(|entry| entry.expect("list").file_name());
    let files: BTreeSet<_> = files.map(|name| name.into_string().expect("a name")).collect();
    assert_eq!(files, names, "fixtures that nothing is held against");
}
