//! A record's document. One without a `check` gets the right one, since no fuzzer finds it.

use persistor_core::{ErrorKind, Record};
use serde_json::Value;

use crate::canonical::canonical;
use crate::naming::sha256;

/// What is accepted is reproduced: as canonical text, byte for byte where it was that already, with members that this version does not know.
pub fn record(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let text = with_check(text).unwrap_or_else(|| text.to_owned());
    let record = match Record::decode(&text) {
        Ok(record) => record,
        Err(error) => return assert!([ErrorKind::Damaged, ErrorKind::Unsupported].contains(&error.kind()), "{error}"),
    };
    let encoded = record.encode();
    assert!(encoded.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
    assert_eq!(Record::decode(&encoded).expect("an own record"), record);
    // Documents that are deeper, or hold what no record of ours does, are known to this crate's decoder alone.
    if let Ok(value) = serde_json::from_str::<Value>(&text)
        && let Ok(canonical_text) = canonical(&value)
    {
        assert_eq!(encoded, canonical_text, "what was accepted is said again");
        assert_eq!(value["check"].as_str(), check(&value).as_deref(), "a record with a wrong check was accepted");
        for member in ["id", "stream", "entity"] {
            assert!(value[member].as_str().is_some_and(|text| !text.is_empty()), "{member}");
        }
        assert_eq!(value["publish_time"], record.publish_time().to_string());
        assert_eq!(value["length"], record.length().to_string());
    }
}

fn check(document: &Value) -> Option<String> {
    let mut unchecked = document.clone();
    unchecked.as_object_mut()?.remove("check");
    Some(sha256(canonical(&unchecked).ok()?.as_bytes())[..16].to_owned())
}

fn with_check(text: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    if value.as_object()?.contains_key("check") {
        return None;
    }
    value["check"] = check(&value)?.into();
    // Its own spelling, spaces and order are kept.
    let end = text.rfind('}')?;
    let comma = if value.as_object()?.len() > 1 { "," } else { "" };
    Some(format!("{}{comma}\"check\":{}{}", &text[..end], value["check"], &text[end..]))
}
