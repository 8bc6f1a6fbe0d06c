//! What can happen to a transfer, and to what it goes over.

use persistor_core::ErrorKind;
use persistor_recover::Sink as _;
use persistor_tests::service_bus_double::{Fault, Options, ServiceBusDouble};

use super::{Duration, double, kinds, message, numbered, payloads, run, sink, with};

/// Calls of one message each, one after the other.
async fn each(sink: &persistor_azure::AmqpSink, texts: &[&str]) -> Vec<Option<ErrorKind>> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(kinds(&sink.send(&[message("", *text)], true).await));
    }
    all
}

const UNAVAILABLE: Option<ErrorKind> = Some(ErrorKind::Unavailable);

#[test]
fn a_receipt_is_given_for_what_is_taken_and_for_nothing_else() {
    let double = double();
    let sink = sink(&double);
    double.next([
        Fault::Reject("com.microsoft:server-busy", "The request was terminated because the entity is being throttled."),
        Fault::Reject("com.microsoft:server-busy", ""),
        Fault::Release,
        Fault::Reject("amqp:internal-error", ""),
        Fault::Reject("amqp:link:message-size-exceeded", ""),
        Fault::Reject("amqp:not-found", ""),
    ]);
    let results = run(each(&sink, &["a", "b", "c", "d", "e", "f", "g"]));
    let (invalid, missing) = (Some(ErrorKind::Invalid), Some(ErrorKind::NotFound));
    assert_eq!(results, [UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, invalid, missing, None]);
    assert_eq!(payloads(&double), ["g"]);
    // A refusal says nothing against the connection.
    assert_eq!(double.connections(), 1);
}

#[test]
fn a_batch_that_is_too_large_for_the_broker_goes_message_by_message() {
    let double = double();
    let sink = sink(&double);
    double.next([Fault::Reject("amqp:link:message-size-exceeded", "")]);
    let results = run(async { sink.send(&numbered("a", 3), true).await });
    assert_eq!(kinds(&results), [None, None, None]);
    assert_eq!((payloads(&double), double.transfers()), (vec!["a0".to_owned(), "a1".to_owned(), "a2".to_owned()], 4));
}

#[test]
fn nothing_behind_a_failed_message_is_sent_where_order_counts() {
    for ordered in [true, false] {
        let double = double();
        let sink = sink(&double);
        double.next([Fault::None, Fault::Reject("com.microsoft:server-busy", "")]);
        // A transfer each, since no two neighbours have the same session.
        let messages: Vec<_> = ["a", "b", "c", "d"].map(|key| message(key, key)).into();
        let results = run(async { sink.send(&messages, ordered).await });
        if ordered {
            assert_eq!(kinds(&results), [None, UNAVAILABLE, UNAVAILABLE, UNAVAILABLE]);
            assert_eq!((payloads(&double), double.transfers()), (vec!["a".to_owned()], 2));
        } else {
            assert_eq!(kinds(&results), [None, UNAVAILABLE, None, None]);
            assert_eq!(payloads(&double), ["a", "c", "d"]);
        }
    }
}

#[test]
fn a_link_that_is_closed_while_nobody_sends_is_attached_again() {
    let double = double();
    let sink = sink(&double);
    run(async {
        assert_eq!(each(&sink, &["a"]).await, [None]);
        for condition in ["amqp:link:detach-forced", "amqp:unauthorized-access", "amqp:connection:forced"] {
            double.detach_links(condition);
            persistor_tests::waiting::until("the link to be closed", || (double.links() == 0).then_some(()));
            // What crosses the closing is not confirmed; what is sent behind it is.
            persistor_tests::waiting::until("a message to pass", || {
                tokio::task::block_in_place(|| {
                    let sent = tokio::runtime::Handle::current().block_on(each(&sink, &[condition]));
                    (sent == [None]).then_some(())
                })
            });
        }
    });
    assert_eq!(double.connections(), 4);
    assert_eq!(double.puts().len(), 4, "each connection has a token of its own");
}

#[test]
fn what_is_lost_on_the_way_is_not_confirmed_and_the_next_call_connects_again() {
    let double = double();
    let sink = sink(&double);
    double.next([
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::Detach("amqp:internal-error"),
        Fault::Detach("amqp:unauthorized-access"),
    ]);
    run(async {
        for text in ["before", "after"] {
            let error = sink.send(&[message("", text)], true).await.remove(0).expect_err("it is lost");
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            // It is seen, and not waited for until the time is over.
            assert!(error.to_string().contains("the connection was closed"), "{error}");
        }
        assert_eq!(each(&sink, &["detached", "unauthorized", "fine"]).await, [UNAVAILABLE, UNAVAILABLE, None]);
    });
    // The one whose confirmation was lost is there, which nobody can know.
    assert_eq!(payloads(&double), ["after", "fine"]);
    assert_eq!((double.connections(), double.transfers()), (5, 5));
}

#[test]
fn a_broker_that_does_not_answer_is_not_waited_for_for_ever() {
    let double = double();
    let sink = with(&double, "orders", &double.connection_string(), Duration::from_secs(2));
    double.next([Fault::Silence]);
    let results = run(each(&sink, &["silence", "fine"]));
    assert_eq!(results, [UNAVAILABLE, None]);
    assert_eq!((payloads(&double), double.connections()), (vec!["fine".to_owned()], 2));
}

#[test]
fn an_entity_that_is_not_there_is_told() {
    let double = ServiceBusDouble::start(Options::new("a/orders"));
    let sink = with(&double, "b/a/orders", &double.connection_string(), super::LIMIT);
    let results = run(async { sink.send(&numbered("a", 2), true).await });
    let told = results[0].as_ref().expect_err("it is not there");
    assert_eq!(told.kind(), ErrorKind::NotFound, "{told}");
    assert!(told.to_string().contains("make it") && told.to_string().contains("b/a/orders"), "{told}");
    assert!(double.taken().is_empty());
}
