//! A key to be read: a line with a template, or a name of one, and a key.

use persistor_core::{DEFAULT_TEMPLATE, ErrorKind, Key, ParsedKey, Record, Template, unescape};
use serde_json::json;

use crate::canonical::canonical;
use crate::naming::sha256;

/// What reads is what renders: a key that a template reads is the very one that it makes of what it read.
pub fn key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, name) = text.split_once('\n').unwrap_or((DEFAULT_TEMPLATE, &text));
    let template = Template::parse(first).unwrap_or_default();
    let key = match Key::parse(name) {
        Ok(key) => key,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Invalid),
    };
    assert_eq!(key.as_str(), name);
    if let Ok(record) = key.record() {
        assert_eq!(record.payload().as_ref(), Some(&key));
    }
    let Some(read) = template.read(&key) else { return };
    assert!(!key.is_reserved() && key.payload().is_none(), "a message's key is no name of our own: `{key}`");
    let whole = |encoded: &str| unescape(encoded).expect("a parsed key holds what the escape makes");
    // What was cut only the record knows.
    let (Some(stream), Some(id)) = (whole(read.stream.as_deref().expect("every template has a stream")), whole(&read.id)) else {
        return;
    };
    let mut attributes = serde_json::Map::new();
    for (name, encoded) in &read.attributes {
        let Some(value) = whole(encoded) else { return };
        attributes.insert(name.clone(), value.into());
    }
    // No message has an empty id or stream.
    if !stream.is_empty() && !id.is_empty() {
        let record = record(&read, &stream, &id, attributes);
        assert_eq!(template.render_record(&record), key, "it reads, and does not render");
    }
}

/// The record of a message with that key.
fn record(read: &ParsedKey, stream: &str, id: &str, attributes: serde_json::Map<String, serde_json::Value>) -> Record {
    let part = |at: usize| read.date.get(at).copied().unwrap_or(0);
    let time = format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", part(0), part(1), part(2), part(3), part(4), part(5));
    let mut record = json!({
        "format": "persistor/1", "kind": "message", "requires": [], "entity": "e", "stream": stream, "id": id, "publish_time": time,
        "length": "0", "sha256": format!("{}{}", read.digest, "0".repeat(32)), "crc32c": "00000000", "attributes": attributes,
        "properties": {}, "fidelity": [],
    });
    let check = sha256(canonical(&record).expect("only text").as_bytes())[..16].to_owned();
    record["check"] = check.into();
    Record::decode(&record.to_string()).expect("a record")
}
