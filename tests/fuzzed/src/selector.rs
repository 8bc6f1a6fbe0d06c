//! What chooses messages on the command line, a line, and a payload: what to match by, a pattern, an attribute's filter, a place in JSON.

use persistor_core::ErrorKind;
use persistor_recover::{AttributeFilter, MatchBy, Pattern, Pointer};
use serde_json::Value;

use crate::first_line;

/// What is read is shown as it was written, and a place in JSON is the one that another reader finds.
pub fn selector(data: &[u8]) {
    let (first, payload) = first_line(data);
    let Ok(text) = std::str::from_utf8(first) else { return };
    match text.parse::<MatchBy>() {
        Ok(by) => {
            assert_eq!(by.to_string(), text);
            let ended = [payload, b"\r\n"].concat();
            assert!(by.normal(&ended).eq_ignore_ascii_case(payload));
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid),
    }
    match text.parse::<AttributeFilter>() {
        Ok(filter) => assert_eq!(filter.to_string(), text),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid),
    }
    // A long pattern takes long to be made, and it is the user's own.
    if text.len() <= 64
        && let Ok(pattern) = Pattern::parse(text, payload.len().is_multiple_of(2))
    {
        let _ = pattern.is_in_payload(payload);
    }
    if !payload.is_empty() && text.len() <= 64 {
        let fixed = Pattern::fixed(text, false).expect("any short text is one");
        let within = payload.windows(text.len().max(1)).any(|part| part == text.as_bytes());
        assert_eq!(fixed.is_in_payload(payload), within || text.is_empty(), "a fixed text stands for itself");
    }
    if let Ok(pointer) = text.strip_prefix("json:").unwrap_or(text).parse::<Pointer>() {
        assert_eq!(pointer.to_string().parse::<Pointer>().expect("an own pointer"), pointer);
        compare(&pointer, payload);
    }
}

/// Holds what is found at a place against serde_json's own document.
fn compare(pointer: &Pointer, payload: &[u8]) {
    let found = pointer.find(payload);
    let json = payload.strip_prefix("\u{feff}".as_bytes()).unwrap_or(payload);
    let Ok(document) = serde_json::from_slice::<Value>(json) else { return };
    match document.pointer(&pointer.to_string()) {
        None | Some(Value::Object(_) | Value::Array(_)) => assert_eq!(found, None),
        Some(Value::String(text)) => assert_eq!(found.as_ref(), Some(text)),
        Some(Value::Number(number)) => {
            let found: f64 = found.expect("a number").parse().expect("its digits");
            assert_eq!(Some(found), number.as_f64());
        }
        Some(plain) => assert_eq!(found, Some(plain.to_string())),
    }
}
