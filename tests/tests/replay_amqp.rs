//! `persistor replay` over AMQP, driven from outside: from an archive with sessions and typed attributes into a double of Service Bus that throttles and loses
//! connections, and into a real broker, where another client reads what came.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp_types::primitives::SimpleValue;
use persistor_core::{
    Entity, FolderStore, Layout, Message, MessageId, Outcome, Persist, Property, PublishTime, RecordPlace, Stream,
};
use persistor_tests::artemis::{Artemis, USER};
use persistor_tests::cli::Cli;
use persistor_tests::scratch;
use persistor_tests::service_bus_double::{Fault, Options, ServiceBusDouble};
use serde_json::json;

const MESSAGES: usize = 1_000;
const SESSIONS: usize = 20;

fn session(number: usize) -> String {
    format!("session {}", number % SESSIONS)
}

fn payload(number: usize) -> Vec<u8> {
    [&(0..=255).collect::<Vec<u8>>()[..], &number.to_be_bytes()[..]].concat()
}

/// An archive of a queue's messages with sessions, as the Azure function keeps them, and with types that the host cannot give.
fn archive(folder: &Path, entity: &str) {
    let message = |number: usize| {
        let time = format!("2026-11-22T05:{:02}:{:02}.{:03}Z", number / 600, number / 10 % 60, number % 10);
        Message::new(
            Entity::new(entity).expect("text"),
            Stream::new("orders").expect("text"),
            MessageId::new(format!("{number:020}-order {number}")).expect("text"),
            PublishTime::parse(&time).expect("a time"),
            payload(number).into(),
        )
        .with_attributes(BTreeMap::from([("number".to_owned(), i32::try_from(number).expect("it is small").into())]))
        .with_property(Property::Sequence, number.to_string().as_str())
        .with_property(Property::SessionId, session(number).as_str())
        .with_property(Property::MessageId, format!("order {number}").as_str())
        .with_property(Property::ContentType, "application/octet-stream")
    };
    let messages: Vec<_> = (0..MESSAGES).map(message).collect();
    let store = FolderStore::open(folder.join("archive")).expect("a folder");
    let persist = Persist::new(Arc::new(store), Layout::default(), RecordPlace::Auto, Duration::from_secs(60));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let outcomes = runtime.block_on(persist.persist(&messages));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored(_))), "{outcomes:?}");
}

#[test]
fn sessions_reach_service_bus_in_their_order_whatever_happens_on_the_way() {
    let folder = scratch::folder();
    archive(folder.path(), "my-namespace.servicebus.windows.net/orders");
    let double = ServiceBusDouble::start(Options { sessions: true, ..Options::new("orders") });
    let busy = Fault::Reject("com.microsoft:server-busy", "busy");
    double.next([
        Fault::None,
        busy.clone(),
        Fault::CutAfter,
        Fault::None,
        busy,
        Fault::Detach("amqp:internal-error"),
        Fault::CutBefore,
        Fault::Release,
    ]);
    let to = format!("servicebus://localhost:{}/orders", double.port());
    let cli = Cli::new(folder.path()).set("PERSISTOR_ARCHIVE", "archive");
    let cli = cli.set("AZURE_SERVICEBUS_CONNECTION_STRING", double.connection_string());
    let said = cli.fine(&["replay", "--to", &to, "--yes", "--name", "night", "--json", "--at-once", "4"]);
    assert_eq!(said.json()[0]["sent"], MESSAGES, "{}", said.errors);
    assert!(said.json()[0]["repeated"].as_u64() >= Some(5), "the faults were not met: {}", said.text());
    for secret in ["SharedAccessKey", &double.connection_string()] {
        assert!(!said.errors.contains(secret) && !said.text().contains(secret));
    }

    let taken = double.taken();
    let mut of_session: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for message in &taken {
        let (bytes, number) = message.payload.split_at(256);
        let number = usize::from_be_bytes(number.try_into().expect("eight bytes"));
        assert!(bytes.iter().copied().eq(0..=255), "{number}");
        assert_eq!(message.properties.group_id.as_deref(), Some(session(number).as_str()));
        assert_eq!(message.properties.message_id, Some(format!("order {number}").into()));
        let application: BTreeMap<_, _> = message.application.iter().cloned().collect();
        assert_eq!(application["number"], SimpleValue::Int(i32::try_from(number).expect("it is small")));
        assert_eq!(application["persistor-replay"], SimpleValue::String("night".to_owned()));
        assert_eq!(application.len(), 4, "{application:?}");
        of_session.entry(session(number)).or_default().push(number);
    }
    for (session, mut numbers) in of_session {
        // What was taken while its answer was lost comes again at once, with those behind it.
        let mut seen = BTreeSet::new();
        numbers.retain(|number| seen.insert(*number));
        assert!(numbers.is_sorted() && numbers.len() == MESSAGES / SESSIONS, "{session}: {numbers:?}");
    }
    assert!(taken.len() > MESSAGES, "no answer was lost after a message was taken");

    // Back to where they came from only when told to.
    let own = scratch::folder();
    archive(own.path(), "LOCALHOST/Orders");
    let said = Cli::new(own.path())
        .set("PERSISTOR_ARCHIVE", "archive")
        .set("AZURE_SERVICEBUS_CONNECTION_STRING", double.connection_string())
        .ends_with(2, &["replay", "--to", &to, "--yes"], b"");
    assert!(said.errors.contains("--back-to-source"), "{}", said.errors);
}

#[test]
#[ignore = "needs Artemis: tests/run e2e"]
fn a_broker_gets_bytes_types_and_groups_in_order() {
    let Some(artemis) = Artemis::start(&["orders"]) else { return };
    let folder = scratch::folder();
    archive(folder.path(), "my-namespace.servicebus.windows.net/orders");
    let to = format!("amqp://127.0.0.1:{}/orders", artemis.port());
    let cli = Cli::new(folder.path()).set("PERSISTOR_ARCHIVE", "archive");
    let cli = cli.set("AMQP_USERNAME", USER.0).set("AMQP_PASSWORD", USER.1);
    let said = cli.fine(&["replay", "--to", &to, "--yes", "--name", "night", "--json"]);
    assert_eq!(said.json()[0]["sent"], MESSAGES, "{}", said.errors);
    let read = artemis.read("orders", MESSAGES);
    assert_eq!(read.len(), MESSAGES);
    let mut of_session: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for message in &read {
        let number: usize = message["application"]["number"][1].as_str().expect("a text").parse().expect("a number");
        assert_eq!(message["application"]["number"], json!(["Int", number.to_string()]), "{message}");
        let hex: String = payload(number).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(message["payload"], json!(hex), "{number}");
        assert_eq!(message["group_id"], json!(session(number)), "{message}");
        of_session.entry(session(number)).or_default().push(number);
    }
    for (session, numbers) in of_session {
        assert!(numbers.is_sorted() && numbers.len() == MESSAGES / SESSIONS, "{session}: {numbers:?}");
    }
}
