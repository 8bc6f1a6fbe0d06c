//! Publishers who choose payload and attributes so that a careless reader takes them for something else. Whatever they send is kept
//! as what it is, and nothing else about the message is moved or altered.

use std::collections::BTreeMap;

use persistor_tests::archive::Archive;
use persistor_tests::http::Request;
use persistor_tests::program::Setup;
use persistor_tests::push::{Push, SUBSCRIPTION};
use persistor_tests::{pusher, scratch};
use serde_json::Value;

use crate::fixture::{SECRET, tells};

/// Names by which metadata goes in one of the forms, in an envelope, in a record or in a store.
const NAMES: [&str; 25] = [
    "x-goog-pubsub-message-id",
    "x-goog-pubsub-publish-time",
    "x-goog-pubsub-subscription-name",
    "X-Goog-Pubsub-Message-Id",
    "ce-id",
    "ce-source",
    "ce-time",
    "ce-type",
    "ce-specversion",
    "messageId",
    "message_id",
    "publishTime",
    "publish_time",
    "subscription",
    "orderingKey",
    "ordering_key",
    "data",
    "message",
    "attributes",
    "id",
    "stream",
    "entity",
    "record",
    "check",
    "googclient_schemaencoding",
];

/// A whole wrapped push of another message.
const FORGED: &str = r#"{"message":{"data":"bm8=","attributes":{"a":"b"},"messageId":"0","message_id":"0","publishTime":"1999-01-01T00:00:00Z","publish_time":"1999-01-01T00:00:00Z","orderingKey":"forged"},"subscription":"projects/other/subscriptions/other"}"#;

#[test]
fn wrapped_attributes_of_any_name_change_the_attributes_alone() {
    let mut push = Push::new("7", "hello");
    let plain = store("wrapped", &push.request());
    for name in NAMES {
        push.attributes.insert(name.to_owned(), format!("{SECRET}-of-another"));
    }
    let hostile = store("wrapped", &push.request());
    assert_eq!(hostile.without_attributes(), plain.without_attributes());
    assert_eq!(hostile.attributes().len(), NAMES.len());
    for name in NAMES {
        assert_eq!(hostile.attributes()[name], format!("{SECRET}-of-another"), "{name}");
    }
}

#[test]
fn a_wrapped_push_inside_a_payload_stays_a_payload() {
    let mut push = Push::new("7", FORGED);
    push.attributes.insert("content-type".to_owned(), "application/json".to_owned());
    let kept = store("wrapped", &push.request());
    assert_eq!(kept.payload, FORGED.as_bytes());
    assert_eq!(kept.text("id"), "7");
    assert_eq!(kept.text("entity"), SUBSCRIPTION);
    assert_eq!(kept.text("publish_time"), push.publish_time);
    assert_eq!(kept.record["properties"], serde_json::json!({}));
}

/// A publisher has no headers here, but whoever is on the way may. The one header that no wrapped push has is refused: a fixture.
#[test]
fn wrapped_headers_of_any_name_change_nothing() {
    let push = Push::new("7", "hello");
    let plain = store("wrapped", &push.request());
    let names = NAMES.iter().filter(|name| !name.eq_ignore_ascii_case("x-goog-pubsub-message-id"));
    let request = names.fold(push.request(), |request, name| request.header(name, format!("{SECRET}-of-another")));
    let hostile = store("wrapped", &request);
    assert_eq!(hostile.record, plain.record);
    assert_eq!(hostile.key, plain.key);
}

#[test]
fn an_unwrapped_body_shaped_like_a_wrapped_push_is_the_payload() {
    let kept = store("unwrapped", &unwrapped(FORGED).header("Content-Type", "application/json"));
    assert_eq!(kept.payload, FORGED.as_bytes());
    let plain = store("unwrapped", &unwrapped("hello").header("Content-Type", "application/json"));
    for member in ["id", "entity", "publish_time", "stream", "attributes", "properties", "fidelity"] {
        assert_eq!(kept.record[member], plain.record[member], "{member}");
    }
}

/// Pub/Sub's own metadata goes over attributes of its names, so none of those can come; if they came they would be refused, below.
#[test]
fn unwrapped_attributes_of_any_name_change_the_attributes_alone() {
    let plain = store("unwrapped", &unwrapped("hello"));
    let own = |name: &&&str| name.to_ascii_lowercase().starts_with("x-goog-pubsub-");
    let names = NAMES.iter().filter(|name| !own(name));
    let request = names.clone().fold(unwrapped("hello"), |request, name| request.header(name, format!("{SECRET}-of-another")));
    let hostile = store("unwrapped", &request);
    assert_eq!(hostile.without_attributes(), plain.without_attributes());
    for name in names {
        assert_eq!(hostile.attributes()[&name.to_ascii_lowercase()], format!("{SECRET}-of-another"), "{name}");
    }
}

#[test]
fn unwrapped_metadata_beside_the_real_one_is_refused_whichever_comes_first() {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let program = Setup::gcp_function(&root).set("PERSISTOR_PUSH", "unwrapped").start();
    for name in ["x-goog-pubsub-message-id", "x-goog-pubsub-publish-time", "x-goog-pubsub-subscription-name"] {
        for name in [name.to_owned(), name.to_ascii_uppercase()] {
            let mut first = Request::post("/orders", "hello").header(&name, format!("{SECRET}-of-another"));
            first.headers.extend(unwrapped("").headers);
            for request in [first, unwrapped("hello").header(&name, format!("{SECRET}-of-another"))] {
                let answer = pusher::send(program.port(), &request).expect("a reply");
                assert_eq!(answer.status, 400, "{name}");
                assert!(String::from_utf8_lossy(&answer.body).contains("repeated-metadata"), "{name}: {:?}", answer.body);
            }
        }
    }
    let archive = Archive::read_sound(&root);
    assert!(archive.messages.is_empty() && archive.lone_records.is_empty(), "something is stored");
    assert!(!program.logs().lines().iter().any(|line| tells(line)), "something is told");
}

/// A template may name an attribute; only then does the publisher have a say in the key, and only in one segment of it.
#[test]
fn an_attribute_in_the_template_stays_in_its_segment() {
    for value in ["../../../../etc/passwd", "/", "..", "", "_persistor/layout", ".tmp", "a\u{0}b", "x.record", "~2F"] {
        let folder = scratch::folder();
        let root = folder.path().join("archive");
        let template = "{stream}/{attribute:tenant|none}/{time:%Y/%m/%d}/{id}-{digest}";
        let program = Setup::gcp_function(&root).set("PERSISTOR_KEY_TEMPLATE", template).start();
        let mut push = Push::new("7", "hello");
        push.attributes.insert("tenant".to_owned(), value.to_owned());
        assert_eq!(pusher::send(program.port(), &push.request()).expect("a reply").status, 204, "{value:?}");
        let segment = persistor_tests::naming::escape(value);
        let key = root.join("orders").join(segment).join("2026/11/22/7-2cf24dba5fb0a30e26e83b2ac5b9e29e");
        assert_eq!(std::fs::read(&key).expect("it is where it belongs"), b"hello", "{value:?}");
        assert!(key.with_extension("record").exists(), "{value:?}");
    }
}

/// A push without its envelope, of the same message as [`Push::new`] makes.
fn unwrapped(body: &str) -> Request {
    Request::post("/orders", body.to_owned())
        .header("x-goog-pubsub-message-id", "7")
        .header("x-goog-pubsub-subscription-name", SUBSCRIPTION)
        .header("x-goog-pubsub-publish-time", "2026-11-22T15:40:12.503Z")
}

/// One stored message.
struct Kept {
    key: String,
    record: BTreeMap<String, Value>,
    payload: Vec<u8>,
}

/// Has a new program store one push into an empty archive, and sees that nothing of it is told.
fn store(mode: &str, request: &Request) -> Kept {
    let folder = scratch::folder();
    let root = folder.path().join("archive");
    let mut program = Setup::gcp_function(&root).set("PERSISTOR_PUSH", mode).set("PERSISTOR_LOG", "trace").start();
    let answer = pusher::send(program.port(), request).expect("a reply");
    assert_eq!((answer.status, &*answer.body), (204, &b""[..]));
    program.terminate();
    assert_eq!(program.wait().code(), Some(0));
    let said = [program.logs().lines(), program.errors().lines()].concat();
    assert!(!said.iter().any(|line| tells(line)), "something is told: {said:?}");

    let archive = Archive::read_sound(&root);
    assert_eq!(archive.messages.len(), 1);
    let (key, stored) = archive.messages.first_key_value().expect("there is one");
    let text = std::fs::read(root.join(format!("{key}.record"))).expect("read record");
    Kept { key: key.clone(), record: serde_json::from_slice(&text).expect("JSON"), payload: stored.payload() }
}

impl Kept {
    fn text(&self, member: &str) -> &str {
        self.record[member].as_str().unwrap_or_default()
    }

    fn attributes(&self) -> BTreeMap<String, String> {
        let attributes = self.record["attributes"].as_object().expect("an object");
        attributes.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    }

    /// All but the attributes, and the check that is over them too.
    fn without_attributes(&self) -> (String, BTreeMap<String, Value>) {
        let mut record = self.record.clone();
        record.retain(|name, _| !["attributes", "check"].contains(&name.as_str()));
        (self.key.clone(), record)
    }
}
