//! Service Bus as a sink, against a double of it: tokens, batches, sessions, and whatever can happen to a transfer.

#[path = "service_bus_sink/faults.rs"]
mod faults;
#[path = "service_bus_sink/secure.rs"]
mod secure;
#[path = "service_bus_sink/tokens.rs"]
mod tokens;

use std::time::Duration;

use persistor_azure::{AmqpSink, BusAccess, ConnectionString, ServiceBusLocation};
use persistor_core::{Attribute, Error, ErrorKind};
use persistor_recover::{Audience, Feeds, Outgoing, Sink as _};
use persistor_tests::service_bus_double::{Options, STANDARD, ServiceBusDouble};

/// For each answer, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn location(double: &ServiceBusDouble, entity: &str) -> ServiceBusLocation {
    ServiceBusLocation::parse(&format!("localhost:{}/{entity}", double.port())).expect("a location")
}

fn with(double: &ServiceBusDouble, entity: &str, string: &str, limit: Duration) -> AmqpSink {
    let access = BusAccess::ConnectionString(ConnectionString::parse(string).expect("a connection string"));
    AmqpSink::service_bus(location(double, entity), &access, double.clock(), limit).expect("a sink")
}

fn sink(double: &ServiceBusDouble) -> AmqpSink {
    with(double, "orders", &double.connection_string(), LIMIT)
}

fn double() -> ServiceBusDouble {
    ServiceBusDouble::start(Options::new("orders"))
}

fn message(key: &str, payload: impl Into<Vec<u8>>) -> Outgoing {
    let ordering_key = Some(key.to_owned()).filter(|key| !key.is_empty());
    Outgoing { payload: payload.into().into(), ordering_key, ..Outgoing::default() }
}

fn numbered(key: &str, count: usize) -> Vec<Outgoing> {
    (0..count).map(|at| message(key, format!("{key}{at}"))).collect()
}

/// What each message was answered: nothing where it was taken.
fn kinds(results: &[Result<String, Error>]) -> Vec<Option<ErrorKind>> {
    results.iter().map(|result| result.as_ref().err().map(Error::kind)).collect()
}

fn payloads(double: &ServiceBusDouble) -> Vec<String> {
    double.taken().into_iter().map(|taken| String::from_utf8(taken.payload).expect("text")).collect()
}

#[test]
fn messages_arrive_as_they_were() {
    let double = double();
    let sink = sink(&double);
    let all: Vec<u8> = (0..=255).collect();
    let mut typed = message("s\u{fc}d", all.clone());
    typed.attributes.insert("n".to_owned(), 7_i32.into());
    typed.properties.insert("message_id".to_owned(), "m".into());
    typed.properties.insert("partition_key".to_owned(), "p".into());
    let mut keyed = message("", Vec::new());
    keyed.properties.insert("partition_key".to_owned(), "p".into());
    keyed.original.id = "00000000000000000007-x".to_owned();
    run(async {
        let results = sink.send(&[typed, keyed], true).await;
        assert_eq!(kinds(&results), [None, None]);
        assert!(results.iter().flatten().all(String::is_empty));
    });
    let taken = double.taken();
    assert_eq!((taken[0].payload.clone(), taken[1].payload.len()), (all, 0));
    assert_eq!(taken[0].properties.group_id.as_deref(), Some("s\u{fc}d"));
    assert_eq!((taken[0].partition_key.as_deref(), taken[1].partition_key.as_deref()), (None, Some("p")));
    assert_eq!(taken[0].properties.message_id, Some("m".to_owned().into()));
    assert_eq!(taken[1].properties.message_id, Some("00000000000000000007-x".to_owned().into()));
    assert_eq!(taken[0].application, [("n".to_owned(), 7_i32.into())]);
    assert!(taken.iter().all(|taken| taken.durable && taken.ttl.is_none()));
}

#[test]
fn messages_of_a_session_go_in_batches_below_the_links_limit() {
    let double = ServiceBusDouble::start(Options { max_message_size: 20_000, ..Options::new("orders") });
    let sink = sink(&double);
    let messages: Vec<_> = (0..100).map(|at| message(if at % 2 == 0 { "a" } else { "b" }, vec![at; 1000])).collect();
    run(async { assert!(kinds(&sink.send(&messages, false).await).iter().all(Option::is_none)) });
    let taken = double.taken();
    for key in ["a", "b"] {
        let of_key = taken.iter().filter(|taken| taken.properties.group_id.as_deref() == Some(key));
        let payloads: Vec<_> = of_key.map(|taken| taken.payload[0]).collect();
        let expected: Vec<_> = (0..100).filter(|at| (at % 2 == 0) == (key == "a")).collect();
        assert_eq!(payloads, expected);
    }
    // Fifty messages of a session, each some bytes above a thousand.
    assert_eq!((taken.len(), double.transfers()), (100, 6));
    assert!(double.largest() <= 20_000 && double.largest() > 18_000, "{}", double.largest());
}

#[test]
fn what_the_link_takes_is_learnt_and_what_is_larger_is_refused_with_both_sizes() {
    let double = ServiceBusDouble::start(Options { max_message_size: 3000, ..Options::new("orders") });
    let sink = sink(&double);
    assert_eq!(sink.capabilities().message, Some(STANDARD));
    run(async {
        sink.check().await.expect("it is there");
        assert_eq!(sink.capabilities().message, Some(3000));
        assert_eq!(sink.capabilities().batch.1, 3000);
        let messages = [message("", b"before".to_vec()), message("", vec![0; 3000]), message("", b"after".to_vec())];
        let results = sink.send(&messages, false).await;
        assert_eq!(kinds(&results), [None, Some(ErrorKind::Invalid), None]);
        let told = results[1].as_ref().expect_err("too large").to_string();
        assert!(told.contains("3000") && told.contains("30") && told.contains("bytes"), "{told}");
        let results = sink.send(&messages, true).await;
        assert_eq!(kinds(&results), [None, Some(ErrorKind::Invalid), Some(ErrorKind::Unavailable)]);
    });
    assert_eq!(payloads(&double), ["before", "after", "before"]);
}

#[test]
fn what_a_sink_can_carry_is_told() {
    let double = double();
    let sink = sink(&double);
    let limits = sink.capabilities();
    assert_eq!((limits.attribute_value, limits.attributes_total), (Some(32 << 10), Some(64 << 10)));
    assert!(limits.types && limits.takes_empty && limits.audience == Audience::AllSubscribers);
    let mut long = message(&"k".repeat(129), b"".to_vec());
    assert!(sink.refuses(&long).is_some_and(|words| words.contains("session")));
    long.ordering_key = Some("k".repeat(128));
    assert_eq!(sink.refuses(&long), None);
    long.properties.insert("content_type".to_owned(), Attribute::from("\u{fc}"));
    assert!(sink.refuses(&long).is_some());
    run(async {
        assert_eq!(sink.feeds("localhost/ORDERS/subscriptions/archive").await, Feeds::Yes);
        assert_eq!(sink.feeds("localhost/other").await, Feeds::No);
    });
    assert!(format!("{sink:?}").starts_with("servicebus://localhost:"));
    assert_eq!(double.connections(), 0, "nothing was asked");
}

#[test]
fn only_the_message_at_fault_is_refused() {
    for ordered in [false, true] {
        let double = double();
        let sink = sink(&double);
        double.refuse(b"a3");
        let results = run(async { sink.send(&numbered("a", 6), ordered).await });
        let behind = if ordered { Some(ErrorKind::Unavailable) } else { None };
        assert_eq!(kinds(&results), [None, None, None, Some(ErrorKind::Invalid), behind, behind]);
        let expected: &[&str] = if ordered { &["a0", "a1", "a2"] } else { &["a0", "a1", "a2", "a4", "a5"] };
        assert_eq!(payloads(&double), expected);
        let told = format!("{:?}", results[3]);
        assert!(!told.contains("a3") && !told.contains("It is not taken"), "{told}");
    }
}

#[test]
fn a_message_without_a_session_is_refused_where_sessions_are_needed() {
    let double = ServiceBusDouble::start(Options { sessions: true, ..Options::new("orders") });
    let sink = sink(&double);
    let results = run(async { sink.send(&[message("", b"a".to_vec()), message("s", b"b".to_vec())], false).await });
    assert_eq!(kinds(&results), [Some(ErrorKind::Invalid), None]);
    let told = results[0].as_ref().expect_err("it has no session").to_string();
    assert!(told.contains("session id"), "{told}");
}

#[test]
fn many_callers_share_one_connection() {
    let double = double();
    let sink = sink(&double);
    run(async {
        let sending = (0..20).map(|caller| {
            let sink = sink.clone();
            tokio::spawn(async move {
                for round in 0..5 {
                    let messages: Vec<_> = (0..10).map(|at| message("", format!("{caller} {round} {at}"))).collect();
                    assert!(kinds(&sink.send(&messages, caller % 2 == 0).await).iter().all(Option::is_none));
                }
            })
        });
        for caller in sending.collect::<Vec<_>>() {
            caller.await.expect("sent");
        }
        sink.close().await.expect("closed");
    });
    let mut taken = payloads(&double);
    taken.sort_unstable();
    taken.dedup();
    assert_eq!((taken.len(), double.connections()), (1000, 1));
    persistor_tests::waiting::until("the connection to be closed", || (double.closed() == 1).then_some(()));
}

#[test]
fn a_sink_that_was_closed_sends_again_when_it_is_asked_to() {
    let double = double();
    let sink = sink(&double);
    run(async {
        sink.close().await.expect("nothing is open");
        assert_eq!(kinds(&sink.send(&numbered("a", 1), true).await), [None]);
        sink.close().await.expect("closed");
        assert_eq!(kinds(&sink.send(&numbered("b", 1), true).await), [None]);
        sink.close().await.expect("closed");
    });
    assert_eq!(double.connections(), 2);
}
