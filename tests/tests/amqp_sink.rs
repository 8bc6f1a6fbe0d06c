//! Messages over AMQP 1.0 to a real broker, read back by a client that shares no code with ours: bytes, types, groups, order.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use persistor_azure::{AmqpSink, BrokerLocation, Login};
use persistor_core::{Attribute, ErrorKind};
use persistor_recover::{Feeds, Outgoing, Sink as _};
use persistor_tests::artemis::{Artemis, USER};
use serde_json::{Value, json};

/// For each answer of a broker that runs on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn location(artemis: &Artemis, queue: &str) -> BrokerLocation {
    BrokerLocation::parse(&format!("127.0.0.1:{}/{queue}", artemis.port()), false).expect("a location")
}

fn sink(artemis: &Artemis, queue: &str) -> AmqpSink {
    AmqpSink::broker(location(artemis, queue), Some(Login::new(USER.0, USER.1)), LIMIT)
}

fn typed(name: &str, text: &str) -> Attribute {
    Attribute::typed(name, text).expect("a type")
}

fn attributes(values: &[(&str, Attribute)]) -> BTreeMap<String, Attribute> {
    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All byte values, nothing, and what spans many frames.
fn payloads() -> Vec<Vec<u8>> {
    let all: Vec<u8> = (0..=255).collect();
    vec![all.clone(), Vec::new(), all.repeat(4000), b"{\"a\":1}".to_vec()]
}

#[test]
#[ignore = "needs Artemis: tests/run e2e"]
fn awkward_messages_arrive_as_they_were() {
    let Some(artemis) = Artemis::start(&["orders"]) else { return };
    let mut messages: Vec<_> =
        payloads().into_iter().map(|payload| Outgoing { payload: payload.into(), ..Outgoing::default() }).collect();
    let mut full = Outgoing {
        payload: Bytes::from_static(b"full"),
        ordering_key: Some("gr\u{fc}n".to_owned()),
        attributes: attributes(&[
            ("string", "\u{1f600} \u{0}".into()),
            ("empty", "".into()),
            ("\u{fc}", "name".into()),
            ("boolean", true.into()),
            ("int8", i8::MIN.into()),
            ("int16", i16::MIN.into()),
            ("int32", i32::MIN.into()),
            ("int64", (-7_i64).into()),
            ("uint8", u8::MAX.into()),
            ("uint16", u16::MAX.into()),
            ("uint32", u32::MAX.into()),
            ("uint64", 7_u64.into()),
            ("float", 0.5_f32.into()),
            ("double", (-0.0_f64).into()),
            ("char", 'x'.into()),
            ("bytes", (&[0_u8, 255][..]).into()),
            ("timestamp", typed("timestamp", "2026-11-22T05:40:12.503999Z")),
            ("uuid", typed("uuid", "123e4567-e89b-12d3-a456-426614174000")),
            ("symbol", typed("symbol", "a:b")),
            ("decimal128", typed("decimal128", "-1.5")),
            ("whole", typed("number", "12345678901")),
            ("fraction", typed("number", "1.25")),
            ("null", typed("null", "")),
            ("json", typed("json", "[1,2]")),
            ("unknown", typed("timespan", "PT1S")),
            ("unreadable", typed("int8", "300")),
        ]),
        properties: attributes(&[
            ("message_id", "m-1".into()),
            ("correlation_id", typed("uint64", "7")),
            ("subject", "s".into()),
            ("content_type", "application/json; charset=utf-8".into()),
            ("to", "somewhere".into()),
            ("reply_to", "answers".into()),
            ("reply_to_session_id", "rs".into()),
            ("partition_key", "p".into()),
        ]),
        ..Outgoing::default()
    };
    full.original.id = "unused".to_owned();
    messages.push(full);
    messages[0].original.id = "original".to_owned();
    let sink = sink(&artemis, "orders");
    run(async {
        sink.check().await.expect("it is there");
        let results = sink.send(&messages, true).await;
        let receipts: Vec<_> = results.into_iter().map(|result| result.expect("taken")).collect();
        assert_eq!(receipts, [""; 5]);
        sink.close().await.expect("closed");
    });
    let read = artemis.read("orders", 5);
    let expected: Vec<_> = messages.iter().map(|message| hex(&message.payload)).collect();
    assert_eq!(read.iter().map(|message| message["payload"].as_str().expect("hex")).collect::<Vec<_>>(), expected);
    assert!(read.iter().all(|message| message["typecode"] == json!(0x75) && message["durable"] == json!(true)));
    assert!(read.iter().all(|message| message["ttl"].is_null()));
    assert_eq!((&read[0]["message_id"], &read[1]["message_id"]), (&json!("original"), &Value::Null));
    let full = &read[4];
    for (name, value) in [
        ("message_id", json!("m-1")),
        ("correlation_id", json!(7)),
        ("subject", json!("s")),
        ("content_type", json!("application/json; charset=utf-8")),
        ("to", json!("somewhere")),
        ("reply_to", json!("answers")),
        ("group_id", json!("gr\u{fc}n")),
        ("reply_to_group_id", json!("rs")),
    ] {
        assert_eq!(full[name], value, "{name}");
    }
    assert!(full["annotations"].get("x-opt-partition-key").is_none(), "{}", full["annotations"]);
    let expected = json!({
        "string": ["String", "\u{1f600} \u{0}"],
        "empty": ["String", ""],
        "\u{fc}": ["String", "name"],
        "boolean": ["Boolean", "true"],
        "int8": ["Byte", "-128"],
        "int16": ["Short", "-32768"],
        "int32": ["Int", "-2147483648"],
        "int64": ["Long", "-7"],
        "uint8": ["Ubyte", "255"],
        "uint16": ["Ushort", "65535"],
        "uint32": ["Uint", "4294967295"],
        "uint64": ["Ulong", "7"],
        "float": ["Float", "0.5"],
        "double": ["Double", "-0"],
        "char": ["Char", "120"],
        "bytes": ["Binary", "00ff"],
        "timestamp": ["Timestamp", "1795326012503"],
        "uuid": ["Uuid", "123e4567e89b12d3a456426614174000"],
        "symbol": ["Symbol", "a:b"],
        "decimal128": ["Decimal128", "b03e000000000000000000000000000f"],
        "whole": ["Long", "12345678901"],
        "fraction": ["Double", "1.25"],
        "null": ["Null", ""],
        "json": ["String", "[1,2]"],
        "unknown": ["String", "PT1S"],
        "unreadable": ["String", "300"],
    });
    assert_eq!(full["application"], expected);
}

#[test]
#[ignore = "needs Artemis: tests/run e2e"]
fn lanes_keep_their_order_side_by_side() {
    let Some(artemis) = Artemis::start(&["orders"]) else { return };
    let (lanes, each) = (8, 50);
    let sink = sink(&artemis, "orders");
    run(async {
        let sending = (0..lanes).map(|lane| {
            let sink = sink.clone();
            tokio::spawn(async move {
                let message = |at: usize| Outgoing {
                    payload: format!("{lane}-{at}").into(),
                    ordering_key: Some(format!("lane {lane}")),
                    ..Outgoing::default()
                };
                let messages: Vec<_> = (0..each).map(message).collect();
                for call in messages.chunks(7) {
                    assert!(sink.send(call, true).await.iter().all(Result::is_ok));
                }
            })
        });
        for lane in sending.collect::<Vec<_>>() {
            lane.await.expect("sent");
        }
        let loose: Vec<_> =
            (0..200).map(|at| Outgoing { payload: format!("loose-{at}").into(), ..Outgoing::default() }).collect();
        assert!(sink.send(&loose, false).await.iter().all(Result::is_ok));
        sink.close().await.expect("closed");
    });
    let read = artemis.read("orders", lanes * each + 200);
    for lane in 0..lanes {
        let of_lane = read.iter().filter(|message| message["group_id"] == json!(format!("lane {lane}")));
        let payloads: Vec<_> = of_lane.map(|message| message["payload"].as_str().expect("hex").to_owned()).collect();
        let expected: Vec<_> = (0..each).map(|at| hex(format!("{lane}-{at}").as_bytes())).collect();
        assert_eq!(payloads, expected, "lane {lane}");
    }
}

#[test]
#[ignore = "needs Artemis: tests/run e2e"]
fn who_may_not_send_and_what_is_not_there_is_told() {
    let Some(artemis) = Artemis::start(&["orders"]) else { return };
    run(async {
        let wrong = AmqpSink::broker(location(&artemis, "orders"), Some(Login::new(USER.0, "secret")), LIMIT);
        let error = wrong.check().await.expect_err("a wrong password");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(!format!("{error:?}").contains("secret") && error.to_string().contains("/orders"), "{error:?}");
        let nobody = AmqpSink::broker(location(&artemis, "orders"), None, LIMIT);
        assert_eq!(nobody.check().await.expect_err("nobody").kind(), ErrorKind::Denied);
        let missing = sink(&artemis, "missing").check().await.expect_err("it is not there");
        assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
        assert!(missing.to_string().contains("/missing"), "{missing}");
        let right = sink(&artemis, "orders");
        assert!(matches!(right.feeds("127.0.0.1/orders").await, Feeds::Unknown(_)));
        let closed = BrokerLocation::parse(&format!("127.0.0.1:{}/orders", persistor_tests::ports::free()), false);
        let nothing = AmqpSink::broker(closed.expect("a location"), None, LIMIT);
        assert_eq!(nothing.check().await.expect_err("nothing listens").kind(), ErrorKind::Unavailable);
    });
}

#[test]
#[ignore = "needs Artemis: tests/run e2e"]
fn a_broker_that_comes_back_is_found_again() {
    let Some(mut artemis) = Artemis::start(&["orders"]) else { return };
    let sink = sink(&artemis, "orders");
    let message = |text: &'static str| [Outgoing { payload: text.into(), ..Outgoing::default() }];
    run(async {
        assert!(sink.send(&message("before"), true).await[0].is_ok());
        artemis.kill();
        let error = sink.send(&message("between"), true).await.remove(0).expect_err("it is down");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        artemis.restart();
        assert!(sink.send(&message("after"), true).await[0].is_ok());
        sink.close().await.expect("closed");
    });
    let read = artemis.read("orders", 2);
    let payloads: Vec<_> = read.iter().map(|message| message["payload"].clone()).collect();
    assert_eq!(payloads, [json!(hex(b"before")), json!(hex(b"after"))]);
}
