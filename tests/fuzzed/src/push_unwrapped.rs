//! A push without its envelope: a path, headers as `name: value`, an empty line, and the payload; lines end with `\n`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use persistor_gcp_function::Push;
use serde_json::{Value, json};

use crate::contents::{Contents, assert_same_time};
use crate::first_line;
use crate::push_wrapped::{handler, stream};
use crate::serving::send;

const FORMAT: &str = include_str!("../../../crates/persistor-core/FORMAT.md");
const METADATA: &str = "x-goog-pubsub-";

/// Headers that are no attributes, whole names and beginnings, as FORMAT.md lists them.
fn excluded() -> (Vec<&'static str>, Vec<&'static str>) {
    let section = FORMAT.split("## Pub/Sub push without its envelope").nth(1);
    let list = section.and_then(|rest| rest.split("A header that stands").next()).expect("the list");
    list.split('`').skip(1).step_by(2).partition(|name| !name.ends_with('-'))
}

/// What is acknowledged is stored: the body to the byte, and every header that FORMAT.md does not take out; what is refused leaves nothing behind.
pub fn push_unwrapped(data: &[u8]) {
    let (path, mut rest) = first_line(data);
    let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    loop {
        let (line, behind) = first_line(rest);
        rest = behind;
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(_)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.push((name.as_str().to_owned(), value.to_vec()));
        }
    }
    let payload = rest;
    let request = || {
        let path = std::str::from_utf8(path).ok().filter(|path| path.starts_with('/'))?;
        let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(name, &value[..]));
        Some((path, request.body(Body::from(payload.to_vec())).ok()?))
    };
    let Some((path, first)) = request() else { return };
    let (store, router) = handler(Push::Unwrapped);
    let answer = send(&router, first);
    let contents = Contents::of(&store);
    if answer.status != 204 {
        answer.assert_refusal();
        contents.assert_no_messages();
        return;
    }
    let [kept] = &contents.messages[..] else { panic!("one push is one message: {contents:?}") };
    assert!(kept.payload == payload, "the payload is the payload");
    let metadata = |name: &str| {
        let name = format!("{METADATA}{name}");
        let mut values = headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| value);
        let value = values.next().map(|value| std::str::from_utf8(value).expect("metadata is text"));
        assert!(values.next().is_none(), "metadata that stands twice");
        value.filter(|value| !value.is_empty())
    };
    let subscription = metadata("subscription-name").expect("a subscription");
    let record = &kept.record;
    assert_eq!(record["entity"], subscription);
    assert_eq!(record["stream"], stream(path, subscription));
    assert_eq!(record["id"], metadata("message-id").expect("an id"));
    assert_same_time(&record["publish_time"], metadata("publish-time").expect("a time"));
    let ordering_key = metadata("ordering-key");
    assert_eq!(record["properties"], ordering_key.map_or(json!({}), |key| json!({ "ordering_key": key })));
    assert_eq!(record["attributes"], Value::Object(attributes(&headers)));
    assert_eq!(record["fidelity"], json!(["headers"]));

    let answer = send(&router, request().expect("it was one before").1);
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(Contents::of(&store) == contents, "a redelivery changes nothing");
}

/// The attributes of headers: those of one name are one value.
fn attributes(headers: &[(String, Vec<u8>)]) -> serde_json::Map<String, Value> {
    let (names, beginnings) = excluded();
    let mut values: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
    for (name, value) in headers {
        let taken_out = names.contains(&name.as_str()) || beginnings.iter().any(|beginning| name.starts_with(beginning));
        if !taken_out {
            values.entry(name).or_default().push(value);
        }
    }
    let attribute = |values: Vec<&[u8]>| {
        let joined = values.join(&b", "[..]);
        String::from_utf8(joined).map_or_else(|error| json!({ "bytes": STANDARD.encode(error.as_bytes()) }), Value::String)
    };
    values.into_iter().map(|(name, values)| (name.to_owned(), attribute(values))).collect()
}
