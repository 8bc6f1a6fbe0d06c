//! A line of what `send` reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use persistor_core::{ErrorKind, PublishTime};
use persistor_recover::Outgoing;
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    payload: Option<String>,
    payload_text: Option<String>,
    id: Option<String>,
    key: Option<String>,
}

/// A line that is taken is the message that it says, and gives it again when it is written.
pub fn line(data: &[u8]) {
    let outgoing = match Outgoing::from_line(data) {
        Ok(outgoing) => outgoing,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Invalid),
    };
    let line: Line = serde_json::from_slice(data).expect("a line is JSON");
    let payload = match (line.payload, line.payload_text) {
        (Some(base64), None) => STANDARD.decode(base64).expect("base64"),
        (None, Some(text)) => text.into_bytes(),
        both => panic!("{both:?}"),
    };
    assert!(outgoing.payload == payload, "the payload is the payload");
    assert_eq!(outgoing.original.id, line.id.unwrap_or_default());
    assert_eq!(outgoing.original.key, line.key.unwrap_or_default());
    let time = &outgoing.original.publish_time;
    assert!(time.is_empty() || PublishTime::parse(time).is_ok_and(|parsed| parsed.to_string() == *time));
    assert!(outgoing.ordering_key.as_deref() != Some(""), "the empty ordering key is none");
    let written = outgoing.to_line();
    assert!(!written.contains('\n'));
    assert_eq!(Outgoing::from_line(written.as_bytes()).expect("an own line"), outgoing);
}
