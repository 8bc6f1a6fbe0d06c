//! Tokens: signed by a key, put before anything is sent, renewed while it is.

use persistor_azure::{AmqpSink, BusAccess, ConnectionString};
use persistor_core::ErrorKind;
use persistor_recover::Sink as _;
use persistor_tests::service_bus_double::{Fault, KEY};

use super::{Duration, LIMIT, double, kinds, location, numbered, payloads, run, sink, with};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_token_is_put_for_the_entity_and_renewed_before_it_ends() {
    let double = double();
    let sink = sink(&double);
    run(async {
        assert_eq!(kinds(&sink.send(&numbered("a", 1), true).await), [None]);
        double.advance(50 * MINUTE);
        assert_eq!(kinds(&sink.send(&numbered("b", 1), true).await), [None]);
        assert_eq!(double.puts().len(), 1, "there is time left");
        double.advance(7 * MINUTE);
        assert_eq!(kinds(&sink.send(&numbered("c", 1), true).await), [None]);
        assert_eq!(double.puts().len(), 2);
        // The first token would have ended by now.
        double.advance(40 * MINUTE);
        assert_eq!(kinds(&sink.send(&numbered("d", 1), true).await), [None]);
    });
    assert_eq!(payloads(&double), ["a0", "b0", "c0", "d0"]);
    assert_eq!(double.connections(), 1);
    let put = double.puts().remove(0);
    assert_eq!((put.kind.as_str(), put.status), ("servicebus.windows.net:sastoken", 202));
    assert_eq!(put.name, "amqps://localhost/orders");
}

#[test]
fn a_token_that_ended_while_nobody_sent_is_renewed_first() {
    let double = double();
    let sink = sink(&double);
    run(async {
        assert_eq!(kinds(&sink.send(&numbered("a", 1), true).await), [None]);
        double.advance(600 * MINUTE);
        assert_eq!(kinds(&sink.send(&numbered("b", 1), true).await), [None]);
    });
    assert_eq!((payloads(&double), double.puts().len()), (vec!["a0".to_owned(), "b0".to_owned()], 2));
}

#[test]
fn a_key_that_is_not_the_right_one_is_denied() {
    let double = double();
    let wrong = double.connection_string().replace(KEY, "c2VjcmV0");
    let sink = with(&double, "orders", &wrong, LIMIT);
    let denied = run(sink.check()).expect_err("a wrong key");
    assert_eq!(denied.kind(), ErrorKind::Denied);
    assert!(!format!("{denied:?}").contains("c2VjcmV0"));
    let results = run(async { sink.send(&numbered("a", 2), true).await });
    assert_eq!(kinds(&results), [Some(ErrorKind::Denied), Some(ErrorKind::Denied)]);
    assert!(double.transfers() == 0 && double.puts().iter().all(|put| put.status == 401));
}

#[test]
fn a_refusal_for_the_credentials_is_met_with_a_new_token_once() {
    let double = double();
    let sink = sink(&double);
    let refusal = Fault::Reject("amqp:unauthorized-access", "");
    let results = run(async {
        double.next([refusal.clone()]);
        assert_eq!(kinds(&sink.send(&numbered("a", 2), true).await), [None, None]);
        assert_eq!((double.puts().len(), double.transfers()), (2, 2));
        double.next([refusal.clone(), refusal]);
        sink.send(&numbered("b", 2), true).await
    });
    assert_eq!(kinds(&results), [Some(ErrorKind::Denied), Some(ErrorKind::Denied)]);
    let told = results[0].as_ref().expect_err("denied").to_string();
    assert!(told.contains("Azure Service Bus Data Sender"), "{told}");
    assert_eq!((payloads(&double), double.transfers()), (vec!["a0".to_owned(), "a1".to_owned()], 4));
}

#[test]
fn a_connection_string_of_another_place_is_refused_at_once() {
    let double = double();
    for (from, to) in [("localhost", "elsewhere"), ("SharedAccessKeyName", "EntityPath=other;SharedAccessKeyName")] {
        let string = double.connection_string().replacen(from, to, 1);
        let access = BusAccess::ConnectionString(ConnectionString::parse(&string).expect("a connection string"));
        let error = AmqpSink::service_bus(location(&double, "orders"), &access, double.clock(), LIMIT).expect_err(to);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(!format!("{error:?}").contains(KEY));
    }
    assert_eq!(double.connections(), 0);
}
