//! Canonical JSON: the one text of a record or a layout, so that equal documents are equal bytes.
//!
//! ASCII only (everything outside 0x20–0x7E as lower-case `\uXXXX` but the short escapes), members sorted by the bytes of
//! their names, no white space, no name twice, no numbers. FORMAT.md is the specification.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value without numbers (quantities are strings) and without a name that stands twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object; the map's order (by bytes) is the canonical one.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Reads any JSON text that holds no number and no name twice; its spacing, order and escapes need not be canonical.
    ///
    /// # Errors
    /// The reason, which quotes names but never values.
    pub(crate) fn decode(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The canonical text.
    pub(crate) fn encode(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// The canonical text of an object of these members.
    pub(crate) fn encode_object(members: &BTreeMap<String, Self>) -> String {
        let mut out = String::new();
        write_object(members, &mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => write_object(members, out),
        }
    }
}

fn write_object(members: &BTreeMap<String, Json>, out: &mut String) {
    out.push('{');
    for (n, (name, value)) in members.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_string(name, out);
        out.push(':');
        value.write(out);
    }
    out.push('}');
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without numbers")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Json, E> {
        Err(E::custom("a number, where quantities are strings"))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Json, E> {
        self.visit_i64(0)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Json, E> {
        self.visit_i64(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value()?;
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom("a name stands twice in one object"));
            }
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_ascii_sorted_and_dense() {
        let value = Json::decode("{ \"b\": [true, null], \"a\": \"é\u{1F600}\\u007f\\n/\\\"\" }").expect("valid");
        assert_eq!(value.encode(), r#"{"a":"\u00e9\ud83d\ude00\u007f\n/\"","b":[true,null]}"#);
        let controls = Json::String("\u{8}\t\n\u{c}\r\\\"\0\u{b}\u{1f} ~".to_owned());
        assert_eq!(controls.encode(), r#""\b\t\n\f\r\\\"\u0000\u000b\u001f ~""#);
    }

    #[test]
    fn numbers_and_double_names_are_refused_at_every_level() {
        for text in ["1", "[1.5]", "{\"a\":-1}", "{\"a\":{\"b\":\"\",\"b\":\"\"}}", "{\"a\":\"\",\"\\u0061\":\"\"}"] {
            assert!(Json::decode(text).is_err(), "{text}");
        }
    }
}
