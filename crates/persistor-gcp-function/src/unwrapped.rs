//! An unwrapped push: the body is the payload, `x-goog-pubsub-*` headers are its metadata, other headers its attributes.
//!
//! A publisher chooses attribute names and so, here, header names; only Pub/Sub's own are read as metadata, and one that stands twice
//! is refused. Source: Pub/Sub's payload unwrapping. The list of headers that are no attributes is in FORMAT.md.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use persistor_core::Attribute;
use persistor_serve::Fault;

const PUBSUB: &str = "x-goog-pubsub-";

/// Headers that belong to the connection, the way here, tracing or identity.
const NOT_ATTRIBUTES: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "grpc-trace-bin",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-cloud-trace-context",
    "x-real-ip",
    "x-request-id",
    "x-serverless-authorization",
];
const NOT_ATTRIBUTES_PREFIXES: &[&str] = &["x-appengine-", "x-b3-", "x-envoy-", "x-forwarded-", PUBSUB];

/// What the headers of a push say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) subscription: String,
    pub(crate) id: String,
    pub(crate) publish_time: String,
    pub(crate) ordering_key: Option<String>,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    /// Bytes of all headers together.
    pub(crate) bytes: usize,
}

/// Reads the metadata of a push.
pub(crate) fn decode(headers: &HeaderMap) -> Result<Metadata, Fault> {
    let id = required(headers, "x-goog-pubsub-message-id")?;
    let metadata = (|| {
        Ok(Metadata {
            subscription: required(headers, "x-goog-pubsub-subscription-name")?,
            publish_time: required(headers, "x-goog-pubsub-publish-time")?,
            ordering_key: single(headers, "x-goog-pubsub-ordering-key")?.filter(|key| !key.is_empty()),
            attributes: attributes(headers),
            bytes: headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum(),
            id: id.clone(),
        })
    })();
    metadata.map_err(|fault: Fault| fault.of_message(&id))
}

fn required(headers: &HeaderMap, name: &str) -> Result<String, Fault> {
    single(headers, name)?.filter(|text| !text.is_empty()).ok_or_else(|| {
        Fault::malformed(
            "missing-metadata",
            format!(
                "the header `{name}` is missing: give the subscription `--push-no-wrapper-write-metadata` (`no_wrapper {{ write_metadata = true }}`), \
                 or, if it pushes wrapped, set `PERSISTOR_PUSH=wrapped`"
            ),
        )
    })
}

fn single(headers: &HeaderMap, name: &str) -> Result<Option<String>, Fault> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(Fault::malformed("repeated-metadata", format!("the header `{name}` stands more than once")));
    }
    let text = value.map(|value| std::str::from_utf8(value.as_bytes()).map(str::to_owned)).transpose();
    text.map_err(|_| Fault::malformed("bad-metadata", format!("the header `{name}` is not UTF-8")))
}

fn attributes(headers: &HeaderMap) -> BTreeMap<String, Attribute> {
    let wanted = |name: &&HeaderName| {
        let name = name.as_str();
        !NOT_ATTRIBUTES.contains(&name) && !NOT_ATTRIBUTES_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    headers.keys().filter(wanted).map(|name| (name.as_str().to_owned(), value(headers.get_all(name).iter()))).collect()
}

/// Several headers of one name are one value, as HTTP has it; bytes that are no text stay bytes.
fn value<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> Attribute {
    let bytes = values.map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]);
    match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => error.as_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &[u8])]) -> HeaderMap {
        let metadata: [(&str, &[u8]); 3] = [
            ("x-goog-pubsub-message-id", b"7"),
            ("x-goog-pubsub-subscription-name", b"projects/p/subscriptions/s"),
            ("x-goog-pubsub-publish-time", b"2026-11-22T05:40:12Z"),
        ];
        let pair = |(name, value): &(&str, &[u8])| {
            (HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_bytes(value).expect("a value"))
        };
        metadata.iter().chain(lines).map(pair).collect()
    }

    #[test]
    fn attributes_are_the_headers_that_nobody_else_owns() {
        let lines: [(&str, &[u8]); 9] = [
            ("Source", b"web"),
            ("content-type", b"text/plain"),
            ("ce-id", b"forged"),
            ("x-goog-ordering-key", b"not Pub/Sub's name"),
            ("raw", b"\xff\xfe"),
            ("twice", b"a"),
            ("twice", b"b"),
            ("traceparent", b"00-0-0-00"),
            ("x-forwarded-for", b"1.2.3.4"),
        ];
        let read = decode(&headers(&lines)).expect("valid");
        let expected: [(&str, Attribute); 6] = [
            ("source", "web".into()),
            ("content-type", "text/plain".into()),
            ("ce-id", "forged".into()),
            ("x-goog-ordering-key", "not Pub/Sub's name".into()),
            ("raw", (&b"\xff\xfe"[..]).into()),
            ("twice", "a, b".into()),
        ];
        assert_eq!(read.attributes, expected.map(|(name, value)| (name.to_owned(), value)).into());
        assert_eq!(read.ordering_key, None);
    }

    #[test]
    fn the_list_is_the_formats() {
        let format = include_str!("../../persistor-core/FORMAT.md");
        let section = format
            .split("## Pub/Sub push without its envelope")
            .nth(1)
            .and_then(|rest| rest.split("A header that stands").next())
            .expect("the list");
        for name in NOT_ATTRIBUTES.iter().chain(NOT_ATTRIBUTES_PREFIXES) {
            assert!(section.contains(&format!("`{name}`")), "{name} is not in FORMAT.md");
        }
        let quoted = section.split('`').skip(1).step_by(2).filter(|name| name.starts_with("x-")).count();
        let ours = NOT_ATTRIBUTES.iter().chain(NOT_ATTRIBUTES_PREFIXES).filter(|name| name.starts_with("x-")).count();
        assert_eq!(quoted, ours, "FORMAT.md names headers that are kept here");
    }

    #[test]
    fn metadata_that_stands_twice_is_refused() {
        for name in ["x-goog-pubsub-message-id", "x-goog-pubsub-subscription-name", "x-goog-pubsub-publish-time"] {
            let fault = decode(&headers(&[(name, b"7")])).expect_err(name);
            assert_eq!(fault.refusal.error, "repeated-metadata");
        }
        let fault =
            decode(&headers(&[("x-goog-pubsub-ordering-key", b"a"), ("x-goog-pubsub-ordering-key", b"b")])).expect_err("twice");
        assert_eq!(fault.refusal.error, "repeated-metadata");
    }

    #[test]
    fn without_metadata_the_reason_says_how_to_mend_it() {
        let fault = decode(&HeaderMap::new()).expect_err("no metadata");
        assert_eq!(fault.refusal.error, "missing-metadata");
        assert!(fault.refusal.reason.contains("write_metadata"));
    }
}
