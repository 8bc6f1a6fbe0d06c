//! Values in JSON, and values in JSON in a string, as the host writes most of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use persistor_core::Attribute;
use persistor_serve::Fault;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The most members of one object, some times what a broker lets a message have: what each takes here is many times its text.
const MOST_NAMES: usize = 50_000;

/// The members of an object, each name once, each value as it stands.
#[derive(Debug, Default)]
pub(crate) struct Object<'a>(BTreeMap<Cow<'a, str>, &'a str>);

impl<'a> Object<'a> {
    pub(crate) fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The value of that name, if it is not null. Names of the host's own are not told apart by their case.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let exact = self.0.get(name);
        let value = exact.or_else(|| self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
        value.copied().filter(|value| *value != "null")
    }

    /// Likewise, of that very name: publishers tell names apart by their case.
    pub(crate) fn get_exact(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied().filter(|value| *value != "null")
    }

    /// All members as attributes.
    pub(crate) fn attributes(self) -> Result<BTreeMap<String, Attribute>, Fault> {
        self.0.into_iter().map(|(name, value)| Ok((name.into_owned(), attribute(value)?))).collect()
    }
}

/// The text of a value; an object without members where there is none.
pub(crate) fn raw_text(value: Option<&str>) -> &str {
    value.unwrap_or("{}")
}

/// A value of any type. What the host writes has lost the widths of numbers, and all types but JSON's own.
fn attribute(raw: &str) -> Result<Attribute, Fault> {
    let typed = |name: &str, text: &str| {
        Attribute::typed(name, text).map_err(|error| Fault::malformed("bad-attributes", error.to_string()))
    };
    match raw.as_bytes().first() {
        Some(b'"') => Ok(string(raw)?.into()),
        Some(b't') => Ok(true.into()),
        Some(b'f') => Ok(false.into()),
        Some(b'n') => typed("null", ""),
        Some(b'{' | b'[') => typed("json", raw),
        _ => typed("number", raw),
    }
}

/// A JSON string's text. What is valid JSON can still be half of a surrogate pair.
pub(crate) fn string(raw: &str) -> Result<String, Fault> {
    serde_json::from_str(raw)
        .map_err(|_| Fault::malformed("not-json", "a value is no string, or escapes half of a surrogate pair"))
}

/// The JSON that a value of the host is: one that is a string with JSON in it is that JSON.
pub(crate) fn inner(raw: &str) -> Result<Cow<'_, str>, Fault> {
    if !raw.starts_with('"') {
        return Ok(Cow::Borrowed(raw));
    }
    let text = string(raw)?;
    // A date stands there as it is, without quotes of its own.
    let is_json = serde_json::from_str::<&RawValue>(&text).is_ok();
    Ok(if is_json { Cow::Owned(text) } else { Cow::Borrowed(raw) })
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        /// A name, borrowed where it has no escapes.
        #[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        let mut members = BTreeMap::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            if members.len() == MOST_NAMES {
                return Err(de::Error::custom("too many names"));
            }
            if members.insert(name, value.get()).is_some() {
                // Readers differ in which one they take.
                return Err(de::Error::custom("a name stands twice"));
            }
        }
        Ok(Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_keeps_its_type_as_far_as_json_has_it() {
        let object = Object::parse(r#"{"a":"x\u00e4","b":1.50,"c":true,"d":false,"e":null,"f":[1, 2],"g":{"h":-1e3},"":""}"#);
        let attributes = object.expect("an object").attributes().expect("all are fine");
        let typed = |name, text| Attribute::typed(name, text).expect("a type");
        let expected: [(&str, Attribute); 8] = [
            ("a", "xä".into()),
            ("b", typed("number", "1.50")),
            ("c", true.into()),
            ("d", false.into()),
            ("e", typed("null", "")),
            ("f", typed("json", "[1, 2]")),
            ("g", typed("json", r#"{"h":-1e3}"#)),
            ("", "".into()),
        ];
        assert_eq!(attributes, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn an_object_has_only_so_many_names() {
        let object = |names: usize| {
            let members: Vec<_> = (0..names).map(|number| format!(r#""{number}":0"#)).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(Object::parse(&object(MOST_NAMES)).is_ok());
        assert!(Object::parse(&object(MOST_NAMES + 1)).is_err());
    }

    #[test]
    fn a_name_stands_once_and_is_found_in_any_case() {
        for twice in [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(Object::parse(twice).is_err(), "{twice}");
        }
        let object = Object::parse(r#"{"MessageID":1,"x":null}"#).expect("an object");
        assert_eq!((object.get("MessageId"), object.get("x"), object.get("y")), (Some("1"), None, None));
    }
}
