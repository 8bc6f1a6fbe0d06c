//! A sender that knows what is behind the queue: with broker field names in the body and among the properties, and with as many properties as the broker takes.

use persistor_tests::function_app::{FunctionApp, NAMESPACE};
use persistor_tests::http::Request;
use persistor_tests::invocation::service_bus::{Message, Property, invocation};
use persistor_tests::invocation::values::Form;
use persistor_tests::invocation::{Binding, Cardinality, System};
use persistor_tests::place::Place;
use persistor_tests::program::Setup;
use persistor_tests::pusher;
use persistor_tests::random::Random;
use persistor_tests::service_bus::stored::assert_stored;
use persistor_tests::service_bus::{Entity, Rules};

use crate::{host, listener, queue};

const SECRET: &str = "persistor-secret-value";

/// What a broker says of a message, and what it would move, forge or spoil if a sender said it.
const FIELDS: [&str; 24] = [
    "MessageId",
    "messageid",
    "SequenceNumber",
    "EnqueuedTimeUtc",
    "EnqueuedTime",
    "ApplicationProperties",
    "UserProperties",
    "DeliveryCount",
    "LockToken",
    "SessionId",
    "Client",
    "sys",
    "Data",
    "Metadata",
    "message",
    "MessageIdArray",
    "SequenceNumberArray",
    "EnqueuedTimeArray",
    "PartitionContext",
    "RetryContext",
    "record",
    "stream",
    "entity",
    "publish_time",
];

/// Bodies that are JSON objects with these names, and with others of the same meaning.
fn bodies() -> Vec<String> {
    let member = |name: &str| {
        [
            format!(r#"{{"{name}":"{SECRET}"}}"#),
            format!(r#"{{"{name}":"2020-01-01T00:00:00Z"}}"#),
            format!(r#"{{"{name}":7}}"#),
            format!(r#"{{"{name}":{{"{name}":"{SECRET}"}}}}"#),
        ]
    };
    let mut bodies: Vec<_> = FIELDS.into_iter().flat_map(member).collect();
    bodies.push(r#"{"Data":{"message":"AA=="},"Metadata":{"SequenceNumber":"7","MessageId":"\"forged\""}}"#.to_owned());
    bodies.push("[".repeat(100_000));
    bodies
}

fn messages() -> Vec<Message> {
    let mut random = Random::new(14);
    let mut messages: Vec<_> =
        bodies().into_iter().enumerate().map(|(number, body)| Message::new(number.to_string(), body)).collect();
    // Every field as a property, in every type that a property has.
    for (number, name) in FIELDS.into_iter().enumerate() {
        let value = [Property::text(SECRET), Property::Long(7), Property::Null, Property::Boolean(false)][number % 4].clone();
        messages.push(Message::new(name, SECRET).property(name, value));
    }
    let all =
        FIELDS.into_iter().fold(Message::new("all", SECRET), |message, name| message.property(name, Property::text(SECRET)));
    messages.push(all);
    // 64 KB of properties: many small ones, a large one, and names that are paths, quotes and control characters.
    let many = (0..2000).fold(Message::new("many", "x"), |message, number| {
        message.property(format!("{number:04}\u{0}\"\\/../"), Property::text("\u{1}\u{7f}\u{2028}\"\\"))
    });
    messages.push(many);
    let large: String = (0..32_000).map(|_| char::from(u8::try_from(random.between(0, 127)).expect("it is ASCII"))).collect();
    messages.push(Message::new("large", "x").property(large.clone(), Property::text(large)));
    messages.push(Message::new("../../_persistor/layout/x", "x").property("", Property::text("")));
    messages.push(Message::new("\u{1F600}".repeat(64), "x").in_session("../\u{0}"));
    messages
}

/// In what we ship, none of it moves, forges or alters anything; and none of it is said in a log.
#[test]
fn a_hostile_sender_changes_nothing() {
    for cardinality in [Cardinality::One, Cardinality::Many] {
        let (place, binding) = (Place::folder(), queue(cardinality));
        let entity = Entity::new(Rules::default());
        entity.send(messages());
        let host = host(&place, &binding);
        listener(&host, &entity, &binding).drain();
        assert_eq!((entity.counts().completed, entity.counts().abandoned), (messages().len(), 0));
        assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
        let (output, errors) = host.lines();
        let said = output.iter().chain(&errors).find(|line| line.contains(SECRET));
        assert_eq!(said, None, "what a sender gave is in a log");
    }
}

/// The way in which a body could: it is refused before anything is stored by it.
#[test]
fn bodies_as_text_are_refused_at_start() {
    for cardinality in [Cardinality::One, Cardinality::Many] {
        for binding in [queue(cardinality).as_text(), Binding::hub("Telemetry", "telemetry", cardinality).as_text()] {
            let app = FunctionApp::with(&[binding]);
            let place = Place::folder();
            let mut program = place.setup(&app).spawn();
            assert_eq!(program.wait().code(), Some(2));
            let errors = program.errors().lines().join("\n");
            assert!(errors.contains(r#""dataType": "binary""#), "the fix is not said: {errors}");
        }
    }
}

fn status(setup: &Setup, requests: &[(&str, String)]) -> Vec<u16> {
    let program = setup.start();
    // Each over a connection of its own: a body that is not read to its end costs the connection.
    let send = |(path, body): &(&str, String)| {
        let request = Request::post(path, body.clone()).header("Content-Type", "application/json; charset=utf-8").chunked(7);
        pusher::send(program.port(), &request).expect("an answer").status
    };
    requests.iter().map(send).collect()
}

/// What is no right invocation is refused with a status that fails it, never acknowledged; and the next right one is stored.
#[test]
fn a_malformed_invocation_is_refused() {
    let (place, binding) = (Place::folder(), queue(Cardinality::Many));
    let app = FunctionApp::with(std::slice::from_ref(&binding));
    let entity = Entity::new(Rules::default());
    entity.send([Message::new("a", "first"), Message::new("b", "second")]);
    let right = {
        // As the host would send it.
        let all = entity.all();
        let deliveries: Vec<_> = all
            .iter()
            .map(|(sequence, (message, enqueued))| persistor_tests::invocation::service_bus::Delivery {
                message: message.clone(),
                sequence: *sequence,
                enqueued: *enqueued,
                expires: *enqueued,
                delivery_count: 1,
                lock_token: "x".to_owned(),
                dead_letter_source: None,
            })
            .collect();
        invocation(&binding, NAMESPACE, Form::Doubled, &System::now(&mut Random::new(1)), &deliveries)
    };
    let text = String::from_utf8(right.body.to_vec()).expect("JSON is UTF-8");
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let wrong = [
        String::new(),
        "{".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        text[..text.len() - 1].to_owned(),
        changed(r#""Data""#, r#""Datum""#),
        changed(r#""message":"#, r#""other":"#),
        changed(r#""SequenceNumberArray":"[1,2]""#, r#""SequenceNumberArray":"[1]""#),
        changed(r#""SequenceNumberArray":"[1,2]""#, r#""SequenceNumberArray":"[1,2,3]""#),
        changed(r#""SequenceNumberArray":"[1,2]""#, r#""SequenceNumberArray":"[1,\"x\"]""#),
        changed(r#""SequenceNumberArray":"[1,2]""#, r#""SequenceNumberArray":"[1,null]""#),
        changed(r#""MessageIdArray":"[\"a\",\"b\"]""#, r#""MessageIdArray":"[\"a\"]""#),
        changed("c2Vjb25k", "c2Vjb25k!"),
    ];
    let mut requests: Vec<_> = wrong.iter().map(|body| ("/Orders", body.clone())).collect();
    requests.extend([("/orders", text.clone()), ("/Other", text.clone()), ("/Orders/x", text.clone())]);
    let statuses = status(&place.setup(&app), &requests);
    let expected: Vec<_> = requests.iter().map(|(path, _)| if *path == "/Orders" { 400 } else { 404 }).collect();
    assert_eq!(statuses, expected);
    let stored = place.read_sound().messages.len();
    assert!(stored <= 1, "{stored} are stored of invocations that were refused whole");
    assert_eq!(status(&place.setup(&app), &[("/Orders", text.clone())]), [200]);
    assert_eq!(place.read_sound().messages.len(), 2);
}
