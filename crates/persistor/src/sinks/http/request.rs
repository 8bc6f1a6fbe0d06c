//! What is posted of a message: its payload with headers, or the envelope in which Pub/Sub pushes it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use persistor_core::{Attribute, Error, ErrorKind, Property, Result};
use persistor_recover::Outgoing;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Map, Value, json};

/// All headers of one message; most servers take 16 KiB, with those that every request has.
const MOST_HEADERS: usize = 15 << 10;
const BINARY: &str = "application/octet-stream";
/// What a push that came from no subscription says it comes from.
const SUBSCRIPTION: &str = "projects/persistor/subscriptions/replay";

/// The form of what is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// The payload's bytes; what is around them in headers `persistor-…`: texts as between the quotes of JSON, attributes and properties as objects, all in ASCII.
    Raw,
    /// Pub/Sub's wrapped push.
    PubsubPush,
}

impl Body {
    /// Which statuses acknowledge.
    pub(super) fn accepts(self) -> fn(StatusCode) -> bool {
        match self {
            Self::Raw => |status| status.is_success(),
            // Pub/Sub's own, but 102, which no client hands over as an answer.
            Self::PubsubPush => |status| matches!(status.as_u16(), 200 | 201 | 202 | 204),
        }
    }

    pub(super) fn keeps_types(self) -> bool {
        self == Self::Raw
    }

    /// Why a message does not fit.
    pub(super) fn refuses(self, message: &Outgoing) -> Option<String> {
        match self {
            Self::Raw => {
                let bytes: usize = headers(message).iter().map(|(name, value)| name.len() + value.len() + 4).sum();
                let text = "bytes of attributes and properties for headers, and servers take about";
                (bytes > MOST_HEADERS).then(|| format!("it has {bytes} {text} {MOST_HEADERS}"))
            }
            Self::PubsubPush if message.original.id.is_empty() || message.original.publish_time.is_empty() => {
                Some("a push has an id and a publish time, and the message has not".to_owned())
            }
            Self::PubsubPush => None,
        }
    }

    pub(super) fn request(self, request: RequestBuilder, message: &Outgoing) -> Result<RequestBuilder> {
        match self {
            Self::Raw => {
                let mut request = request.body(message.payload.clone());
                for (name, value) in headers(message) {
                    let value = HeaderValue::from_str(&value);
                    let value = value.map_err(|_| Error::new(ErrorKind::Invalid, format!("`{name}` is no value of a header")))?;
                    request = request.header(name, value);
                }
                Ok(request)
            }
            Self::PubsubPush => Ok(request.header(CONTENT_TYPE, "application/json").body(envelope(message))),
        }
    }
}

/// Names and values, the values in visible ASCII.
fn headers(message: &Outgoing) -> Vec<(&'static str, String)> {
    let original = &message.original;
    let content_type = message.property(Property::ContentType).filter(|text| is_content_type(text)).unwrap_or(BINARY);
    let mut headers = vec![("content-type", content_type.to_owned())];
    let key = message.ordering_key.as_deref().unwrap_or_default();
    for (name, text) in [
        ("persistor-key", original.key.as_str()),
        ("persistor-stream", &original.stream),
        ("persistor-entity", &original.entity),
        ("persistor-id", &original.id),
        ("persistor-publish-time", &original.publish_time),
        ("persistor-ordering-key", key),
    ] {
        if !text.is_empty() {
            headers.push((name, inside(text)));
        }
    }
    for (name, values) in [("persistor-attributes", &message.attributes), ("persistor-properties", &message.properties)] {
        if !values.is_empty() {
            headers.push((name, ascii(&object(values))));
        }
    }
    headers
}

/// What a header can say as it stands; else it says only that it is bytes, and the properties have it.
fn is_content_type(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// As records write values.
fn object(values: &BTreeMap<String, Attribute>) -> Value {
    let value = |value: &Attribute| match value.type_name() {
        None => Value::from(value.text()),
        Some(kind) => json!({ kind: value.text() }),
    };
    Value::Object(values.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect())
}

/// A text as it stands between the quotes of a JSON string of ASCII; spaces at its ends, which HTTP takes away, are escaped too.
fn inside(text: &str) -> String {
    let quoted = ascii(&Value::from(text));
    let inner = &quoted[1..quoted.len() - 1];
    let middle = inner.trim_matches(' ');
    let spaces = |count| "\\u0020".repeat(count);
    if middle.is_empty() {
        return spaces(inner.len());
    }
    let start = inner.len() - inner.trim_start_matches(' ').len();
    format!("{}{middle}{}", spaces(start), spaces(inner.len() - middle.len() - start))
}

/// JSON with everything escaped that is not visible ASCII or a space; such is found inside of strings only.
fn ascii(value: &Value) -> String {
    let json = value.to_string();
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

/// As Pub/Sub writes it: <https://cloud.google.com/pubsub/docs/push>.
fn envelope(message: &Outgoing) -> String {
    let original = &message.original;
    let mut inner = Map::new();
    for name in ["messageId", "message_id"] {
        inner.insert(name.to_owned(), Value::from(original.id.as_str()));
    }
    for name in ["publishTime", "publish_time"] {
        inner.insert(name.to_owned(), Value::from(original.publish_time.as_str()));
    }
    if !message.attributes.is_empty() {
        let texts = message.attributes.iter().map(|(name, value)| (name.clone(), Value::from(value.text())));
        inner.insert("attributes".to_owned(), Value::Object(texts.collect()));
    }
    if let Some(key) = &message.ordering_key {
        inner.insert("orderingKey".to_owned(), Value::from(key.as_str()));
    }
    inner.insert("data".to_owned(), Value::from(STANDARD.encode(&message.payload)));
    let subscription = if is_subscription(&original.entity) { &original.entity } else { SUBSCRIPTION };
    json!({ "message": inner, "subscription": subscription }).to_string()
}

fn is_subscription(entity: &str) -> bool {
    let parts: Vec<_> = entity.split('/').collect();
    matches!(parts[..], ["projects", project, "subscriptions", name] if !project.is_empty() && !name.is_empty())
}
