//! A push in its envelope: a path and a line end, if the first byte is a slash, and a body.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use persistor_core::{Layout, MemoryStore, Persist, RecordPlace};
use persistor_gcp_function::{App, Push};
use persistor_serve::{Budget, Intake, Ready};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::contents::{Contents, assert_same_time};
use crate::first_line;
use crate::serving::{MEMORY, MOST_BODY, send};

/// What an envelope says, read by a decoder that shares no code with the handler's.
#[derive(Debug, Deserialize)]
struct Envelope {
    message: Message,
    subscription: String,
}

#[derive(Debug, Deserialize)]
struct Message {
    data: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
    #[serde(rename = "messageId")]
    id: Option<String>,
    #[serde(rename = "message_id")]
    id_too: Option<String>,
    #[serde(rename = "publishTime")]
    time: Option<String>,
    #[serde(rename = "publish_time")]
    time_too: Option<String>,
    #[serde(rename = "orderingKey")]
    ordering_key: Option<String>,
}

/// The handler over a new archive.
pub(crate) fn handler(push: Push) -> (MemoryStore, Router) {
    let store = MemoryStore::new();
    let persist = Persist::new(Arc::new(store.clone()), Layout::default(), RecordPlace::Auto, Duration::from_secs(60));
    let intake = Intake::new(MOST_BODY, Budget::new(MEMORY));
    (store, Arc::new(App::new(persist, push, None, intake)).router(Ready::new()))
}

/// The stream that a path or else a subscription names.
pub(crate) fn stream(path: &str, subscription: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let segment = path.strip_prefix('/').unwrap_or(path);
    let segment = segment.strip_suffix('/').unwrap_or(segment);
    if !segment.is_empty() {
        return String::from_utf8(percent_decoded(segment.as_bytes())).expect("a path that is no text is refused");
    }
    let parts: Vec<_> = subscription.split('/').collect();
    match parts[..] {
        ["projects", project, "subscriptions", name] => format!("{project}.{name}"),
        _ => subscription.to_owned(),
    }
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit =
        |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let (mut decoded, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

/// What is acknowledged is stored as another decoder reads it, once however often it comes; what is refused leaves nothing behind.
pub fn push_wrapped(data: &[u8]) {
    let (path, body) = if data.first() == Some(&b'/') { first_line(data) } else { (&b"/orders"[..], data) };
    let Some((path, request)) = std::str::from_utf8(path).ok().and_then(|path| Some((path, request(path, body)?))) else {
        return;
    };
    let (store, router) = handler(Push::Wrapped);
    let answer = send(&router, request);
    let contents = Contents::of(&store);
    if answer.status != 204 {
        answer.assert_refusal();
        contents.assert_no_messages();
        return;
    }
    assert!(answer.body.is_empty());
    let [kept] = &contents.messages[..] else { panic!("one push is one message: {contents:?}") };
    let Envelope { message, subscription } = serde_json::from_slice(body).expect("what was acknowledged is an envelope");
    let payload = STANDARD.decode(message.data.unwrap_or_default()).expect("and its data base64");
    assert!(kept.payload == payload, "the payload is the payload");
    let (id, time) = (message.id.or(message.id_too).expect("an id"), message.time.or(message.time_too).expect("a time"));
    let attributes = message.attributes.unwrap_or_default();
    let ordering_key = message.ordering_key.filter(|key| !key.is_empty());
    let record = &kept.record;
    assert_eq!(record["entity"], subscription);
    assert_eq!(record["stream"], stream(path, &subscription));
    assert_eq!(record["id"], id);
    assert_same_time(&record["publish_time"], &time);
    assert_eq!(record["attributes"], json!(attributes));
    assert_eq!(record["properties"], ordering_key.as_ref().map_or(json!({}), |key| json!({ "ordering_key": key })));
    assert_eq!(record["fidelity"], json!([]));

    // The same delivery again, and the same message written in another way.
    let mut anew = json!({ "subscription": subscription, "message": {
        "data": STANDARD.encode(&payload), "attributes": attributes, "messageId": id, "message_id": id, "publishTime": time,
    } });
    if let Some(key) = ordering_key {
        anew["message"]["orderingKey"] = Value::String(key);
    }
    for body in [body, anew.to_string().as_bytes()] {
        let answer = send(&router, request_again(path, body));
        assert_eq!(answer.status, 204, "{answer:?}");
        assert!(Contents::of(&store) == contents, "a redelivery changes nothing");
    }
}

fn request(path: &str, body: &[u8]) -> Option<Request<Body>> {
    Request::post(path).header("content-type", "application/json").body(Body::from(body.to_vec())).ok()
}

fn request_again(path: &str, body: &[u8]) -> Request<Body> {
    request(path, body).expect("it was one before")
}
