//! What of a message is compared with what arrived elsewhere.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use persistor_core::{Error, ErrorKind, Record, Result};

use crate::pointer::Pointer;

/// The value that tells a message; as text `id`, `sha256`, `attribute:NAME` or `json:/pointer`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MatchBy {
    /// The broker's message id.
    Id,
    /// The SHA-256 of the payload, 64 lower-case hex digits.
    Sha256,
    /// The text of the attribute of that name.
    Attribute(String),
    /// The text at a place of the payload, which is JSON; see [`Pointer::find`].
    Json(Pointer),
}

impl FromStr for MatchBy {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::Invalid`] for any other text than the four forms.
    fn from_str(text: &str) -> Result<Self> {
        let forms = "write `id`, `sha256`, `attribute:NAME` or `json:/pointer`";
        let unknown = || Error::new(ErrorKind::Invalid, format!("`{text}` is nothing to match by: {forms}"));
        match text.split_once(':') {
            None if text == "id" => Ok(Self::Id),
            None if text == "sha256" => Ok(Self::Sha256),
            Some(("attribute", name)) if !name.is_empty() => Ok(Self::Attribute(name.to_owned())),
            Some(("json", pointer)) => pointer.parse().map(Self::Json).map_err(|error| unknown().with_source(error)),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for MatchBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str("id"),
            Self::Sha256 => f.write_str("sha256"),
            Self::Attribute(name) => write!(f, "attribute:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
        }
    }
}

impl MatchBy {
    /// Whether [`Self::value`] looks at the payload, so that it has to be read.
    pub fn needs_payload(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// The message's value; `None` where it has none: no such attribute, or nothing at that place of the payload.
    pub fn value(&self, record: &Record, payload: Option<&[u8]>) -> Option<String> {
        match self {
            Self::Id => Some(record.id().as_str().to_owned()),
            Self::Sha256 => Some(record.sha256().to_owned()),
            Self::Attribute(name) => record.attributes().get(name).map(|value| value.text().to_owned()),
            Self::Json(pointer) => pointer.find(payload?),
        }
    }

    /// A line of what arrived, as [`Self::value`] writes it: without its line end (`\n` or `\r\n`), a digest in lower case.
    pub fn normal<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
        match self {
            Self::Sha256 if line.iter().any(u8::is_ascii_uppercase) => line.to_ascii_lowercase().into(),
            _ => line.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::error::Error as _;

    use persistor_core::{Attribute, Entity, Message, MessageId, PublishTime, Stream, sha256_hex};

    use super::*;

    fn by(text: &str) -> MatchBy {
        text.parse().expect("one of the forms")
    }

    #[test]
    fn the_forms() {
        for text in ["id", "sha256", "attribute:order", "attribute:a:b", "json:", "json:/order/id", "json:/a~1b~0"] {
            assert_eq!(by(text).to_string(), text);
        }
        for text in ["", "ID", "id:", "sha256:x", "attribute", "attribute:", "json", "json:a", "attributes:a", " id"] {
            let error = text.parse::<MatchBy>().expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            for form in ["`id`", "`sha256`", "`attribute:NAME`", "`json:/pointer`"] {
                assert!(error.to_string().contains(form), "{text}: {error}");
            }
            assert_eq!(error.source().is_some(), text == "json:a");
        }
    }

    #[test]
    fn the_value_of_a_message() {
        let payload = br#"{"order": {"id": 7.50}}"#;
        let message = Message::new(
            Entity::new("projects/p/subscriptions/s").expect("entity"),
            Stream::new("orders").expect("stream"),
            MessageId::new("42").expect("id"),
            PublishTime::parse("2026-01-02T03:04:05Z").expect("time"),
            payload.to_vec().into(),
        )
        .with_attributes(BTreeMap::from([("shop".to_owned(), Attribute::from("north"))]));
        let record = Record::from(&message);
        let value = |text| by(text).value(&record, Some(payload));
        assert_eq!(value("id").as_deref(), Some("42"));
        assert_eq!(value("sha256"), Some(sha256_hex(payload)));
        assert_eq!(value("attribute:shop").as_deref(), Some("north"));
        assert_eq!(value("attribute:Shop"), None);
        assert_eq!(value("json:/order/id").as_deref(), Some("7.50"));
        assert_eq!(value("json:/order"), None);
        assert_eq!(by("json:/order/id").value(&record, None), None);
        let needy = ["id", "sha256", "attribute:shop", "json:/order/id"].map(|text| by(text).needs_payload());
        assert_eq!(needy, [false, false, false, true]);
    }

    #[test]
    fn lines_lose_their_end_and_digests_their_case() {
        for (line, rest) in
            [("a\n", "a"), ("a\r\n", "a"), ("a", "a"), ("a\r", "a\r"), ("a\n\n", "a\n"), ("\n", ""), (" A \n", " A ")]
        {
            assert_eq!(by("id").normal(line.as_bytes()), rest.as_bytes(), "{line:?}");
        }
        assert_eq!(by("sha256").normal(b"AbC1\r\n").as_ref(), b"abc1");
        assert!(matches!(by("sha256").normal(b"abc1\n"), Cow::Borrowed(_)));
    }
}
