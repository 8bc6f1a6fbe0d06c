//! A place in a JSON document, as RFC 6901 writes it, and the text that stands there. Documents are payloads as they were
//! published: numbers keep their digits, and no depth of nesting does harm.

use std::fmt;
use std::str::FromStr;

use persistor_core::{Error, ErrorKind, Result};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A JSON pointer such as `/order/id`; the empty one is the whole document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer(Vec<String>);

impl FromStr for Pointer {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::Invalid`] for a text that is not empty and does not begin with `/`, or where `~` stands before anything
    /// but `0` (for `~`) and `1` (for `/`).
    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let Some(tokens) = text.strip_prefix('/') else {
            return Err(Error::new(ErrorKind::Invalid, "JSON pointer: it is not empty and does not begin with `/`"));
        };
        if text.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
            return Err(Error::new(ErrorKind::Invalid, "JSON pointer: `~` stands before neither `0` nor `1`"));
        }
        Ok(Self(tokens.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}

impl Pointer {
    /// The text at this place of `json` (UTF-8, with or without a byte order mark): of a string its own text, of a number,
    /// `true`, `false` and `null` what the document says. `None` for objects and arrays, where there is no such place, and
    /// where `json` is no JSON. Of members with the same name the last counts.
    pub fn find(&self, json: &[u8]) -> Option<String> {
        let document = serde_json::from_slice(json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json)).ok()?;
        let place: &RawValue = self.0.iter().try_fold(document, |value, token| Step(token).from(value))?;
        match place.get().as_bytes().first()? {
            b'{' | b'[' => None,
            b'"' => serde_json::from_str(place.get()).ok(),
            _ => Some(place.get().to_owned()),
        }
    }
}

/// One step down: the member of that name, or the element of that number. The values beside it are skipped, not parsed.
struct Step<'t>(&'t str);

impl Step<'_> {
    fn from(self, value: &RawValue) -> Option<&RawValue> {
        let mut json = serde_json::Deserializer::from_str(value.get());
        match value.get().as_bytes().first()? {
            b'{' => json.deserialize_map(self).ok()?,
            b'[' => json.deserialize_seq(self).ok()?,
            _ => None,
        }
    }

    fn number(&self) -> Option<usize> {
        let canonical = self.0 == "0" || !self.0.starts_with('0') && self.0.bytes().all(|byte| byte.is_ascii_digit());
        canonical.then(|| self.0.parse().ok()).flatten()
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(here) = members.next_key_seed(Name(self.0))? {
            if here {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let (mut found, number) = (None, self.number());
        for at in 0.. {
            if Some(at) == number {
                found = elements.next_element()?;
            } else if elements.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

/// Whether a member's name is this one. Names are compared as bytes: half a surrogate pair, which JSON may hold and a
/// `str` may not, is a name like any other.
struct Name<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<bool, D::Error> {
        name.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<bool, E> {
        Ok(name == self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(pointer: &str, json: impl AsRef<[u8]>) -> Option<String> {
        pointer.parse::<Pointer>().expect("a pointer").find(json.as_ref())
    }

    #[test]
    fn the_examples_of_the_rfc() {
        let json =
            r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}"#;
        for (pointer, text) in [
            ("/foo/0", "bar"),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            assert_eq!(find(pointer, json).as_deref(), Some(text), "{pointer}");
        }
        for pointer in ["", "/foo", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/+1", "/foo/", "/foo/0/0", "/a/b", "/m~01n"] {
            assert_eq!(find(pointer, json), None, "{pointer}");
        }
    }

    #[test]
    fn values_are_as_they_were_written() {
        for text in ["1.0", "-0", "1E400", "12345678901234567890123", "0.10", "true", "false", "null"] {
            assert_eq!(find("", format!(" {text}\n")).as_deref(), Some(text));
            assert_eq!(find("/a/1", format!("{{ \"a\" : [ {{}} , {text} ] }}")).as_deref(), Some(text));
        }
        assert_eq!(find("/é", r#"{"\u00e9": "a\n\ud83d\ude00"}"#).as_deref(), Some("a\n😀"));
        assert_eq!(find("/a", "\u{feff}{\"a\": \"\"}").as_deref(), Some(""));
        assert_eq!(find("/~01", r#"{"~1": 1, "/": 2}"#).as_deref(), Some("1"));
        assert_eq!(find("/a", r#"{"a": 1, "a": 2}"#).as_deref(), Some("2"));
        assert_eq!(find("/a", r#"{"\ud800": "\udfff", "a": 1}"#).as_deref(), Some("1"));
    }

    #[test]
    fn what_is_no_json_has_no_places() {
        let cases: [&[u8]; 9] = [
            b"",
            b"{",
            b"{\"a\":1",
            b"{\"a\":1} x",
            b"{\"a\":1}{}",
            b"{\"a\":1,\"b\":\xff}",
            b"{\"a\":1,\"b\":\"\xff\"}",
            b"{\"a\":01}",
            b"\xef\xbb\xbf\xef\xbb\xbf{\"a\":1}",
        ];
        for json in cases {
            assert_eq!(find("/a", json), None);
        }
        assert_eq!(find("", r#""\ud800""#), None, "no text");
    }

    #[test]
    fn depth_does_no_harm() {
        let depth = 1_000_000;
        let json = format!(r#"{{"deep": {}{}, "a": 1}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(find("/a", &json).as_deref(), Some("1"));
        assert_eq!(find(&format!("/deep{}", "/0".repeat(9)), &json), None);
        let nested = format!("{}7{}", "[".repeat(300), "]".repeat(300));
        assert_eq!(find(&"/0".repeat(300), &nested).as_deref(), Some("7"));
        assert_eq!(find("/0", "[".repeat(depth)), None);
    }

    #[test]
    fn what_is_no_pointer() {
        for text in ["a", "a/b", " /a", "#/a", "/~", "/a~2", "/~/a", "/~~0"] {
            let error = text.parse::<Pointer>().expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    proptest! {
        #[test]
        fn any_name_has_a_pointer(names in proptest::collection::vec(".*", 0..4)) {
            let pointer = Pointer(names.clone());
            prop_assert_eq!(&pointer.to_string().parse::<Pointer>().expect("a pointer"), &pointer);
            let json = names.iter().rev().fold(serde_json::Value::from("here"), |inner, name| {
                serde_json::json!({ "": 0, "0": [], name.as_str(): inner })
            });
            prop_assert_eq!(pointer.find(json.to_string().as_bytes()), Some("here".to_owned()));
        }

        #[test]
        fn no_payload_does_harm(json in ".*", pointer in "(/[a~01]{0,2}){0,3}") {
            let _ = pointer.parse::<Pointer>().map(|pointer| pointer.find(json.as_bytes()));
        }
    }
}
