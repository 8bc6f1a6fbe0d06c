//! A Pub/Sub topic as a sink, against Google's own emulator, read back with Google's own client; and before it a proxy with the faults that an emulator does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use persistor_core::{Attribute, Error, ErrorKind};
use persistor_gcp::{TopicEndpoint, TopicName, TopicSink};
use persistor_recover::{Feeds, Outgoing, Sink as _};
use persistor_tests::call_proxy::{CallProxy, Fault};
use persistor_tests::emulator::Emulator;
use persistor_tests::pubsub::{Pubsub, Received};
use persistor_tests::random::Random;
use persistor_tests::waiting;

/// Status codes of gRPC. The client tries again by itself after `UNAVAILABLE`, and not after `CANCELLED`.
const CANCELLED: u8 = 1;
const PERMISSION_DENIED: u8 = 7;
const UNIMPLEMENTED: u8 = 12;
const UNAVAILABLE: u8 = 14;

fn sink(endpoint: &str, topic: &str) -> TopicSink {
    TopicSink::new(TopicName::parse(topic).expect("a topic"), TopicEndpoint::emulator(endpoint).expect("an address"))
}

fn run<T>(work: impl Future<Output = T>) -> T {
    // Only ends a test that would hang for ever, as the client would for ten minutes.
    let limited = async { tokio::time::timeout(waiting::LIMIT, work).await.expect("it comes to an end") };
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(limited)
}

fn message(payload: impl Into<Bytes>, key: Option<&str>) -> Outgoing {
    Outgoing { payload: payload.into(), ordering_key: key.map(str::to_owned), ..Outgoing::default() }
}

fn numbered(key: Option<&str>, numbers: std::ops::Range<usize>) -> Vec<Outgoing> {
    numbers.map(|n| message(n.to_string(), key)).collect()
}

fn with(mut message: Outgoing, attributes: impl IntoIterator<Item = (String, String)>) -> Outgoing {
    message.attributes.extend(attributes.into_iter().map(|(name, value)| (name, Attribute::from(value.as_str()))));
    message
}

/// What a subscriber is to have of a message.
fn expected(id: &str, message: &Outgoing) -> Received {
    Received {
        id: id.to_owned(),
        payload: message.payload.clone(),
        attributes: message.attributes.iter().map(|(name, value)| (name.clone(), value.text().to_owned())).collect(),
        ordering_key: message.ordering_key.clone().unwrap_or_default(),
    }
}

fn texts(received: &[Received]) -> Vec<String> {
    received.iter().map(|message| String::from_utf8_lossy(&message.payload).into_owned()).collect()
}

fn confirmed(results: Vec<Result<String, Error>>) -> Vec<String> {
    results.into_iter().map(|result| result.expect("it is confirmed")).collect()
}

fn kinds(results: &[Result<String, Error>]) -> Vec<Option<ErrorKind>> {
    results.iter().map(|result| result.as_ref().err().map(Error::kind)).collect()
}

/// One per ordering key, in the order in which each was seen first.
fn by_key(received: &[Received]) -> BTreeMap<String, Vec<String>> {
    let (mut keys, mut seen) = (BTreeMap::<_, Vec<_>>::new(), BTreeSet::new());
    for message in received {
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        if seen.insert((message.ordering_key.clone(), text.clone())) {
            keys.entry(message.ordering_key.clone()).or_default().push(text);
        }
    }
    keys
}

#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn awkward_messages_arrive_byte_for_byte() {
    let Some(emulator) = Emulator::start() else { return };
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("awkward");
    let subscription = pubsub.create_pull("awkward", &topic);
    let sink = sink(&emulator.endpoint(), &topic);
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut messages = vec![
        message(every_byte.clone(), None),
        message(every_byte.repeat(38_671), Some("large")),
        with(message("", None), [("only".to_owned(), "attributes".to_owned())]),
        with(
            message(b"\xff\xfe".as_slice(), Some("ключ \u{2028}")),
            [("größe \u{1f600}".to_owned(), "\u{0}\u{2028}\"".to_owned())],
        ),
        with(message("many", None), (0..100).map(|n| (format!("{n:0256}"), format!("{n:01024}")))),
        with(message("empty value", None), [("name".to_owned(), String::new())]),
    ];
    messages.extend(numbered(None, 0..1500));
    let ids = confirmed(run(sink.send(&messages, false)));
    assert!(messages[1].payload.len() > 9_800_000, "it is close to the limit");
    let mut want: Vec<_> = ids.iter().zip(&messages).map(|(id, message)| expected(id, message)).collect();
    let mut got = pubsub.pull(&subscription, |received| received.len() == want.len());
    want.sort_by(|a, b| a.id.cmp(&b.id));
    got.sort_by(|a, b| a.id.cmp(&b.id));
    for (got, want) in got.iter().zip(&want) {
        assert!(got == want, "{} is another message, of {} bytes for {}", want.id, got.payload.len(), want.payload.len());
    }
}

/// Lanes side by side, each with its ordering key, over several requests; and messages with keys in calls without an order.
#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn lanes_keep_their_order_through_refusals_and_lost_replies() {
    const KEYS: usize = 20;
    const EACH: usize = 300;
    let Some(emulator) = Emulator::start() else { return };
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("lanes");
    let subscription = pubsub.create_pull("lanes", &topic);
    let proxy = CallProxy::before(emulator.port());
    let sink = Arc::new(sink(&proxy.endpoint(), &topic));
    let mut random = Random::new(7);
    proxy.arm(move |method| {
        let status = *random.pick(&[CANCELLED, UNAVAILABLE, PERMISSION_DENIED]);
        (method == "Publish").then(|| random.between(0, 5)).and_then(|dice| match dice {
            0 => Some(Fault::Refused(status)),
            1 => Some(Fault::ReplyLost(status)),
            _ => None,
        })
    });
    let failures = run(async {
        let lanes: Vec<_> = (0..KEYS)
            .map(|key| {
                let sink = sink.clone();
                tokio::spawn(async move {
                    let messages = numbered(Some(&format!("key {key}")), 0..EACH);
                    let (mut sent, mut failures) = (0, 0);
                    while sent < EACH {
                        let results = sink.send(&messages[sent..EACH.min(sent + 40)], true).await;
                        let until = results.iter().position(Result::is_err).unwrap_or(results.len());
                        assert!(results[until..].iter().all(Result::is_err), "something was sent behind what failed");
                        assert!(results[until..].iter().flat_map(|result| result.as_ref().err()).all(Error::is_retryable));
                        failures += usize::from(until < results.len());
                        sent += until;
                    }
                    failures
                })
            })
            .collect();
        let mut failures = 0;
        for lane in lanes {
            failures += lane.await.expect("the lane ends");
        }
        failures
    });
    assert!(failures > KEYS, "the proxy made {failures} failures");
    let all = |received: &[Received]| by_key(received).values().map(Vec::len).sum::<usize>() == KEYS * EACH;
    let got = by_key(&pubsub.pull(&subscription, all));
    let want: Vec<_> = (0..EACH).map(|n| n.to_string()).collect();
    assert_eq!(got.len(), KEYS);
    assert!(got.values().all(|texts| *texts == want), "a key lost its order");
}

/// The emulator refuses an empty message, and with it the whole request, as Pub/Sub does with all that it does not take.
#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn only_the_culprit_is_refused_and_order_ends_there() {
    let Some(emulator) = Emulator::start() else { return };
    let pubsub = Pubsub::new(&emulator);
    let invalid = Some(ErrorKind::Invalid);
    let behind = Some(ErrorKind::Unavailable);
    let with_culprit = |key: Option<&str>| {
        let mut messages = numbered(key, 0..5);
        messages[2].payload = Bytes::new();
        messages
    };
    for (name, key, ordered, want, arrive) in [
        ("free", None, false, vec![None, None, invalid, None, None], 4),
        ("free-key", Some("key"), false, vec![None, None, invalid, None, None], 4),
        ("lane", Some("key"), true, vec![None, None, invalid, behind, behind], 2),
        ("row", None, true, vec![None, None, invalid, behind, behind], 2),
    ] {
        let topic = pubsub.create_topic(name);
        let subscription = pubsub.create_pull(name, &topic);
        let sink = sink(&emulator.endpoint(), &topic);
        // The same runtime for both, for what a connection needs lives there.
        let (results, next) =
            run(async { (sink.send(&with_culprit(key), ordered).await, sink.send(&numbered(key, 9..10), ordered).await) });
        assert_eq!(kinds(&results), want, "{name}");
        // The next call goes through, whatever became of this one.
        assert_eq!(kinds(&next), [None], "{name}");
        let mut got = texts(&pubsub.pull(&subscription, |received| received.len() == arrive + 1));
        if !ordered {
            got.sort();
        }
        assert_eq!(got, [&["0", "1", "3", "4"][..arrive], &["9"]].concat(), "{name}");
    }
}

/// Without an ordering key nothing but waiting keeps an order.
#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn a_row_without_a_key_goes_one_by_one() {
    let Some(emulator) = Emulator::start() else { return };
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("row");
    let proxy = CallProxy::before(emulator.port());
    let sink = sink(&proxy.endpoint(), &topic);
    let mixed = [numbered(Some("a"), 0..1), numbered(None, 1..2), numbered(Some("b"), 2..3)].concat();
    let (row, mixed, lane, free) = run(async {
        let mut calls = Vec::new();
        for (messages, ordered) in
            [(numbered(None, 0..5), true), (mixed, true), (numbered(Some("k"), 0..5), true), (numbered(None, 0..5), false)]
        {
            let before = proxy.calls("Publish");
            confirmed(sink.send(&messages, ordered).await);
            calls.push(proxy.calls("Publish") - before);
        }
        (calls[0], calls[1], calls[2], calls[3])
    });
    assert_eq!((row, mixed, lane, free), (5, 3, 1, 1), "requests");
}

#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn a_topic_that_is_not_there_is_named_with_what_makes_it() {
    let Some(emulator) = Emulator::start() else { return };
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("brief");
    let sink = sink(&emulator.endpoint(), &topic);
    let told = |error: &Error| {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let text = error.to_string();
        assert!(text.contains("gcloud pubsub topics create brief --project=persistor"), "{text}");
    };
    run(async {
        sink.check().await.expect("the topic is there");
        confirmed(sink.send(&numbered(Some("key"), 0..3), true).await);
        tokio::task::block_in_place(|| pubsub.delete_topic(&topic));
        told(&sink.check().await.expect_err("the topic is gone"));
        let results = sink.send(&numbered(Some("key"), 3..6), true).await;
        told(results[0].as_ref().expect_err("the topic is gone"));
        assert!(results.iter().all(Result::is_err));
        tokio::task::block_in_place(|| pubsub.create_topic("brief"));
        confirmed(sink.send(&numbered(Some("key"), 3..6), true).await);
        sink.close().await.expect("nothing was open");
    });
}

#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn it_is_known_which_topic_a_subscription_has() {
    let Some(emulator) = Emulator::start() else { return };
    let pubsub = Pubsub::new(&emulator);
    let (topic, other, brief) = (pubsub.create_topic("orders"), pubsub.create_topic("others"), pubsub.create_topic("brief"));
    let own = pubsub.create_pull("own", &topic);
    let others = pubsub.create_pull("others", &other);
    let orphan = pubsub.create_pull("orphan", &brief);
    pubsub.delete_topic(&brief);
    let proxy = CallProxy::before(emulator.port());
    let sink = sink(&proxy.endpoint(), &topic);
    run(async {
        assert_eq!(sink.feeds(&own).await, Feeds::Yes);
        for entity in [others.as_str(), &orphan, "shop.servicebus.windows.net/orders", "orders"] {
            assert_eq!(sink.feeds(entity).await, Feeds::No, "{entity}");
        }
        let unknown = async |entity: &str, words: &str| match sink.feeds(entity).await {
            Feeds::Unknown(text) => assert!(text.contains(words), "{text}"),
            known => panic!("{known:?} of {entity}"),
        };
        unknown("projects/persistor/subscriptions/gone", "there is no subscription").await;
        proxy.arm(|_| Some(Fault::Refused(PERMISSION_DENIED)));
        unknown(&own, "roles/pubsub.viewer").await;
    });
}

/// A publisher may ask for its own rights, and for nothing else.
#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn whether_it_may_publish_is_told_as_far_as_it_can_be_known() {
    let Some(emulator) = Emulator::start() else { return };
    let topic = Pubsub::new(&emulator).create_topic("orders");
    let proxy = CallProxy::before(emulator.port());
    let sink = sink(&proxy.endpoint(), &topic);
    let denied = || Some(Fault::Refused(PERMISSION_DENIED));
    let none = || Some(Fault::Answered("{}"));
    let unknown = || Some(Fault::Refused(UNIMPLEMENTED));
    for (case, asked, got, kind) in [
        (
            "it has the right, and may not look",
            Some(Fault::Answered(r#"{"permissions":["pubsub.topics.publish"]}"#)),
            denied(),
            None,
        ),
        ("it has no right, and may not look", none(), denied(), Some(ErrorKind::Denied)),
        ("it has no right, and may look", none(), None, Some(ErrorKind::Denied)),
        ("there is no such topic, and it may look", none(), Some(Fault::Refused(5)), Some(ErrorKind::NotFound)),
        ("rights are not known here, and it may not look", unknown(), denied(), None),
        ("rights are not known here, and there is no such topic", unknown(), Some(Fault::Refused(5)), Some(ErrorKind::NotFound)),
        ("the service is not there", Some(Fault::Refused(CANCELLED)), None, Some(ErrorKind::Unavailable)),
        ("the project lets nobody in", denied(), None, Some(ErrorKind::Denied)),
    ] {
        proxy.arm(move |method| match method {
            "testIamPermissions" => asked.clone(),
            _ => got.clone(),
        });
        let outcome = run(sink.check());
        assert_eq!(outcome.as_ref().err().map(Error::kind), kind, "{case}: {outcome:?}");
    }
    proxy.disarm();
    run(sink.check()).expect("the emulator has the topic");
}

#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn a_service_that_fails_or_hangs_is_told_in_time() {
    let Some(emulator) = Emulator::start() else { return };
    let topic = Pubsub::new(&emulator).create_topic("orders");
    let proxy = CallProxy::before(emulator.port());
    let sink = sink(&proxy.endpoint(), &topic);
    let send = async || sink.send(&numbered(Some("key"), 0..3), true).await;
    run(async {
        // A hiccup is passed over.
        let mut left = 2;
        proxy.arm(move |_| {
            left = i32::max(left - 1, -1);
            (left >= 0).then_some(Fault::Refused(UNAVAILABLE))
        });
        confirmed(send().await);
        for (fault, kind) in [
            (Fault::Refused(UNAVAILABLE), ErrorKind::Unavailable),
            (Fault::Silence, ErrorKind::Unavailable),
            (Fault::Refused(PERMISSION_DENIED), ErrorKind::Denied),
            (Fault::Refused(16), ErrorKind::Denied),
        ] {
            let armed = fault.clone();
            proxy.arm(move |_| Some(armed.clone()));
            let results = send().await;
            assert_eq!(results[0].as_ref().map_err(Error::kind), Err(kind), "{fault:?}");
            assert!(
                results.iter().flat_map(|result| result.as_ref().err()).filter(|error| error.is_retryable()).count() == 3,
                "{results:?}"
            );
            proxy.disarm();
            confirmed(send().await);
        }
    });
}

/// A broker that goes away in the middle: what it had is gone with it, which is the emulator's way and not Pub/Sub's.
#[test]
#[ignore = "needs the Pub/Sub emulator: tests/run e2e"]
fn a_broker_that_comes_back_is_sent_to_again() {
    const KEYS: usize = 8;
    const EACH: usize = 50;
    let Some(mut emulator) = Emulator::start() else { return };
    let topic = Pubsub::new(&emulator).create_topic("orders");
    let sink = sink(&emulator.endpoint(), &topic);
    let key = |key: usize| format!("key {key}");
    run(async {
        for lane in 0..KEYS {
            confirmed(sink.send(&numbered(Some(&key(lane)), 0..EACH), true).await);
        }
        emulator.kill();
        let lanes = (0..KEYS).map(async |lane| sink.send(&numbered(Some(&key(lane)), 0..EACH), true).await);
        for results in futures_util::future::join_all(lanes).await {
            assert!(results.iter().flat_map(|result| result.as_ref().err()).filter(|error| error.is_retryable()).count() == EACH);
        }
        let subscription = tokio::task::block_in_place(|| {
            emulator.start_again();
            let pubsub = Pubsub::new(&emulator);
            pubsub.create_topic("orders");
            pubsub.create_pull("orders", &topic)
        });
        let lanes = (0..KEYS).map(async |lane| {
            let messages = numbered(Some(&key(lane)), 0..EACH);
            let mut sent = 0;
            // The client waits by itself before it connects again.
            while sent < EACH {
                sent += sink.send(&messages[sent..], true).await.iter().take_while(|result| result.is_ok()).count();
            }
        });
        futures_util::future::join_all(lanes).await;
        let all = |received: &[Received]| by_key(received).values().map(Vec::len).sum::<usize>() == KEYS * EACH;
        let got = by_key(&tokio::task::block_in_place(|| Pubsub::new(&emulator).pull(&subscription, all)));
        let want: Vec<_> = (0..EACH).map(|n| n.to_string()).collect();
        assert!(got.len() == KEYS && got.values().all(|texts| *texts == want), "a key lost its order");
    });
}
