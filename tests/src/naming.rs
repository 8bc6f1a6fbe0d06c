//! How the default layout names a message, written from `FORMAT.md`.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

/// The longest value, escaped, that stands in a key whole.
const LONGEST: usize = 120;
/// Digits of a digest that stand in a key.
const DIGITS: usize = 32;

/// The key of a message: `{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}`.
pub fn default_key(stream: &str, publish_time: DateTime<Utc>, id: &str, payload: &[u8]) -> String {
    key_by_digest(stream, publish_time, id, &sha256(payload))
}

/// The same of a payload with this SHA-256, in lower-case hex.
pub fn key_by_digest(stream: &str, publish_time: DateTime<Utc>, id: &str, sha256: &str) -> String {
    let time = publish_time.format("%Y/%m/%d/%H/%M%S");
    format!("{}/{time}-{}-{}", escape(stream), escape(id), &sha256[..DIGITS])
}

/// The SHA-256 of bytes in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

/// A value as it stands in a key.
pub fn escape(value: &str) -> String {
    if value.is_empty() {
        return "~_".to_owned();
    }
    let last = value.len() - 1;
    let mut escaped = String::new();
    // The end of the last escape that fits.
    let mut fits = 0;
    for (at, byte) in value.bytes().enumerate() {
        let edge = (byte == b'.' && (at == 0 || at == last)) || (byte == b'_' && at == 0);
        if !edge && (byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "~{byte:02X}").expect("a string takes all");
        }
        if escaped.len() <= LONGEST {
            fits = escaped.len();
        }
    }
    if escaped.len() > LONGEST {
        escaped.truncate(fits);
        escaped.push_str("~~");
        escaped.push_str(&sha256(value.as_bytes())[..DIGITS]);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_examples_hold() {
        let cases =
            [("orders", "orders"), ("a/b c", "a~2Fb~20c"), ("é", "~C3~A9"), ("..", "~2E~2E"), ("_a_", "~5Fa_"), ("~", "~7E")];
        for (value, escaped) in cases {
            assert_eq!(escape(value), escaped, "{value}");
        }
        assert_eq!(escape(&"a".repeat(120)).len(), 120);
        assert!(escape(&format!("{}/", "a".repeat(118))).starts_with(&format!("{}~~", "a".repeat(118))));
        let time = "2026-11-22T05:40:12.5Z".parse().expect("a time");
        assert_eq!(
            default_key("orders", time, "14217110643", b"hello"),
            "orders/2026/11/22/05/4012-14217110643-2cf24dba5fb0a30e26e83b2ac5b9e29e"
        );
    }
}
