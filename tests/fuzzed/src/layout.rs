//! A layout's document.

use persistor_core::{ErrorKind, Key, LAYOUT_PREFIX, Layout};

use crate::naming::sha256;

/// What is accepted is written and read again, under the name that is its digest.
pub fn layout(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let layout = match Layout::decode(text) {
        Ok(layout) => layout,
        Err(error) => return assert!([ErrorKind::Damaged, ErrorKind::Unsupported].contains(&error.kind()), "{error}"),
    };
    let encoded = layout.encode();
    assert_eq!(Layout::decode(&encoded).expect("an own layout"), layout);
    assert_eq!(layout.key().as_str(), format!("{LAYOUT_PREFIX}{}.json", &sha256(encoded.as_bytes())[..32]));
    assert!(Key::parse(layout.key().as_str()).is_ok_and(|key| key.is_reserved()));
    let document: serde_json::Value = serde_json::from_str(&encoded).expect("JSON");
    assert_eq!(document["template"], layout.template().to_string());
}
