//! A key: a blob's name, legal on every provider. Keys of messages are made by a [`Template`](crate::Template) and nowhere else.

use std::fmt;

use crate::error::{Error, Result};

/// The longest key, in bytes: Cloud Storage's and Blob Storage's limit on a name.
pub const LONGEST_KEY: usize = 1024;
/// The longest part between two slashes, in bytes: the limit of most file systems on a file's name.
pub const LONGEST_SEGMENT: usize = 255;
/// What the name of a record's own blob ends with.
pub const RECORD_SUFFIX: &str = ".record";

/// The name of a blob in an archive: segments of `A–Z a–z 0–9 . _ - ~` with slashes between, none empty, none that starts
/// or ends with a dot. Ordered by bytes, as listings are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// Checks a name.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with the rule it breaks.
    pub fn parse(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        match fault(&name) {
            None => Ok(Self(name)),
            Some(rule) => Err(Error::invalid(format!("not a key: {rule}"))),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the blob that holds the record of the message at this key.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it is longer than a name may be; never for a message's key, which leaves room.
    pub fn record(&self) -> Result<Self> {
        Self::parse(format!("{}{RECORD_SUFFIX}", self.0))
    }

    /// For the name of a record's own blob, the key of its payload.
    pub fn payload(&self) -> Option<Self> {
        self.0.strip_suffix(RECORD_SUFFIX).and_then(|name| Self::parse(name).ok())
    }

    /// Whether some segment starts with `_`: such names are Persistor's own, now or later, and never a message's.
    pub fn is_reserved(&self) -> bool {
        self.0.split('/').any(|segment| segment.starts_with('_'))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn fault(name: &str) -> Option<&'static str> {
    if name.len() > LONGEST_KEY {
        return Some("it is longer than 1,024 bytes");
    }
    for segment in name.split('/') {
        if segment.is_empty() {
            return Some("a segment is empty");
        }
        if segment.len() > LONGEST_SEGMENT {
            return Some("a segment is longer than 255 bytes");
        }
        if segment.starts_with('.') || segment.ends_with('.') {
            return Some("a segment starts or ends with a dot");
        }
        if !segment.bytes().all(is_key_byte) {
            return Some("it holds a character other than `A-Z a-z 0-9 . _ - ~ /`");
        }
    }
    None
}

pub(crate) fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits() {
        let segment = "s".repeat(255);
        let longest = format!("{segment}/{segment}/{segment}/{}", "s".repeat(256 - 1));
        assert_eq!(longest.len(), 1023);
        assert!(Key::parse(longest.clone()).is_ok());
        assert!(Key::parse(format!("{}/a/a", &longest[..1020])).is_ok());
        assert!(Key::parse(format!("{}/a/aa", &longest[..1020])).is_err());
        assert!(Key::parse("s".repeat(256)).is_err());
        for name in ["", "/", "a/", "/a", "a//b", ".", "a/..", ".tmp/x", "a.", "a b", "a%20", "é", "a\n"] {
            assert!(Key::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn records_and_reserved_names() {
        let key = Key::parse("orders/2026/a-b").expect("valid");
        let record = key.record().expect("short");
        assert_eq!(record.as_str(), "orders/2026/a-b.record");
        assert_eq!(record.payload(), Some(key.clone()));
        assert_eq!(key.payload(), None);
        assert!(!key.is_reserved());
        assert!(Key::parse("_persistor/layout/x.json").is_ok_and(|key| key.is_reserved()));
    }
}
