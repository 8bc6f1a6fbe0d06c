//! What is searched for in payloads and attributes: a regular expression, a fixed text, or a value at a place in JSON.

use persistor_core::{Error, ErrorKind, Record, Result};
use regex::bytes::{Regex, RegexBuilder};

use crate::pointer::Pointer;

/// A pattern; payloads need not be text.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Anywhere in the bytes.
    Bytes(Regex),
    /// The text of the value at a place in a payload that is JSON.
    Json {
        /// The place.
        pointer: Pointer,
        /// The text that it has to have; any where there is none.
        value: Option<String>,
    },
}

impl Pattern {
    /// A regular expression (<https://docs.rs/regex/#syntax>), or `json:/POINTER=VALUE`, or `json:/POINTER` for any value there. Bytes that are no text are
    /// written `(?-u:\xFF)`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where it is none.
    pub fn parse(text: &str, ignore_case: bool) -> Result<Self> {
        match text.strip_prefix("json:") {
            Some(rest) => {
                let (pointer, value) = rest.split_once('=').map_or((rest, None), |(pointer, value)| (pointer, Some(value)));
                Ok(Self::Json { pointer: pointer.parse()?, value: value.map(str::to_owned) })
            }
            None => Self::regex(text, ignore_case),
        }
    }

    /// A text that stands for itself.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where it is too long.
    pub fn fixed(text: &str, ignore_case: bool) -> Result<Self> {
        Self::regex(&regex::escape(text), ignore_case)
    }

    fn regex(text: &str, ignore_case: bool) -> Result<Self> {
        // A text of many lines is searched line by line, as people expect of `^` and `$`.
        let regex = RegexBuilder::new(text).case_insensitive(ignore_case).multi_line(true).build();
        let invalid =
            |error| Error::new(ErrorKind::Invalid, "not a regular expression (`-F` takes it as a fixed text)").with_source(error);
        regex.map(Self::Bytes).map_err(|error: regex::Error| invalid(error))
    }

    /// Whether it is found in a payload.
    pub fn is_in_payload(&self, payload: &[u8]) -> bool {
        match self {
            Self::Bytes(regex) => regex.is_match(payload),
            Self::Json { pointer, value } => {
                pointer.find(payload).is_some_and(|found| value.as_ref().is_none_or(|value| *value == found))
            }
        }
    }

    /// Whether it is found in an attribute, written `name=value`.
    pub fn is_in_attributes(&self, record: &Record) -> bool {
        let Self::Bytes(regex) = self else { return false };
        record.attributes().iter().any(|(name, value)| regex.is_match(format!("{name}={}", value.text()).as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_need_not_be_text() {
        let is_in = |pattern: Result<Pattern>, payload: &[u8]| pattern.expect("a pattern").is_in_payload(payload);
        assert!(is_in(Pattern::parse("o.der", false), b"\xff\0an order\0"));
        assert!(is_in(Pattern::parse(r"(?-u:\xff\x00)a", false), b"\xff\0an order\0"));
        assert!(!is_in(Pattern::parse("ORDER", false), b"an order"));
        assert!(is_in(Pattern::parse("ORDER", true), b"an order"));
        assert!(is_in(Pattern::parse("^order$", false), b"an\norder\n"));
        assert!(is_in(Pattern::fixed("a.b[", false), b"xa.b[x") && !is_in(Pattern::fixed("a.b", false), b"axb"));
        assert!(Pattern::parse("(", false).is_err() && Pattern::parse("json:order", false).is_err());
    }

    #[test]
    fn attributes_are_names_and_values() {
        let record = crate::testing::record_with([("tenant", "north".into())]);
        for (pattern, found) in [("^tenant=nor", true), ("north$", true), ("south", false), ("json:/tenant", false)] {
            assert_eq!(Pattern::parse(pattern, false).expect("a pattern").is_in_attributes(&record), found, "{pattern}");
        }
    }

    #[test]
    fn a_value_in_json_is_compared_as_it_is_written() {
        let payload = br#"{"order":{"id":4711,"name":"a=b","tags":["x"]}}"#;
        for (pattern, found) in [
            ("json:/order/id=4711", true),
            ("json:/order/id=471", false),
            ("json:/order/name=a=b", true),
            ("json:/order/tags/0=x", true),
            ("json:/order/id", true),
            ("json:/order/none", false),
            ("json:/order/name=", false),
        ] {
            assert_eq!(Pattern::parse(pattern, false).expect("a pattern").is_in_payload(payload), found, "{pattern}");
        }
    }
}
