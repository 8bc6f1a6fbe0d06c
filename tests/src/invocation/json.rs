//! JSON as the Functions host writes it, with Newtonsoft.Json: members in the order in which they were put in, numbers by their digits, and its way of escaping,
//! which is read in `JavaScriptUtils.cs` (`StringEscapeHandling.Default`).

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value that is going to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    /// Its digits as .NET prints them.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn number(number: impl ToString) -> Self {
        Self::Number(number.to_string())
    }

    /// A text, or null.
    pub fn nullable(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    pub fn object<const N: usize>(members: [(&str, Json); N]) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// A member of an object.
    pub fn member(&self, name: &str) -> Option<&Json> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// Without any space, as `JsonConvert.SerializeObject` writes it.
    pub fn compact(&self) -> String {
        let mut text = String::with_capacity(self.length());
        self.write(&mut text, None);
        text
    }

    /// With `Formatting.Indented`, on Linux.
    pub fn indented(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, Some(0));
        text
    }

    /// About as long as it becomes; a payload of 100 MB must not be copied while its text grows.
    fn length(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 5,
            Self::Number(digits) => digits.len(),
            Self::Text(text) => text.len() + 64,
            Self::Array(items) => items.iter().map(|item| item.length() + 1).sum::<usize>() + 2,
            Self::Object(members) => members.iter().map(|(name, value)| name.len() + value.length() + 8).sum::<usize>() + 2,
        }
    }

    fn write(&self, text: &mut String, indent: Option<usize>) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Bool(true) => text.push_str("true"),
            Self::Bool(false) => text.push_str("false"),
            Self::Number(digits) => text.push_str(digits),
            Self::Text(value) => write_text(text, value),
            Self::Array(items) => {
                write_all(text, indent, ['[', ']'], items.iter(), |text, item, indent| item.write(text, indent));
            }
            Self::Object(members) => {
                write_all(text, indent, ['{', '}'], members.iter(), |text, (name, value), indent| {
                    write_text(text, name);
                    text.push_str(if indent.is_some() { ": " } else { ":" });
                    value.write(text, indent);
                });
            }
        }
    }
}

/// As it is read, members in their order; numbers are Rust's.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::number(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::number(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(format!("{value:?}")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Json::Object(object))
    }
}

/// What stands between brackets; nothing at all stands between those of an empty value, indented or not.
fn write_all<T>(
    text: &mut String,
    indent: Option<usize>,
    [opening, closing]: [char; 2],
    items: impl ExactSizeIterator<Item = T>,
    write: impl Fn(&mut String, T, Option<usize>),
) {
    let inner = indent.map(|indent| indent + 1);
    let line = |text: &mut String, indent: Option<usize>| {
        if let Some(indent) = indent {
            text.push('\n');
            text.push_str(&"  ".repeat(indent));
        }
    };
    let empty = items.len() == 0;
    text.push(opening);
    for (number, item) in items.enumerate() {
        text.push_str(if number > 0 { "," } else { "" });
        line(text, inner);
        write(text, item, inner);
    }
    if !empty {
        line(text, indent);
    }
    text.push(closing);
}

fn write_text(text: &mut String, value: &str) {
    text.push('"');
    let mut plain = 0;
    for (at, character) in value.char_indices() {
        let short = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\t' => "\\t",
            '\n' => "\\n",
            '\r' => "\\r",
            '\u{c}' => "\\f",
            '\u{8}' => "\\b",
            '\0'..' ' | '\u{85}' | '\u{2028}' | '\u{2029}' => "",
            _ => continue,
        };
        text.push_str(&value[plain..at]);
        plain = at + character.len_utf8();
        text.push_str(short);
        if short.is_empty() {
            write!(text, "\\u{:04x}", u32::from(character)).expect("a string takes all");
        }
    }
    text.push_str(&value[plain..]);
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_newtonsoft_escapes_is_escaped() {
        let text = "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\u{85}\u{2028}\u{2029}<>&'+é中\u{1F600}";
        let expected = "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}\\u0085\\u2028\\u2029<>&'+é中\u{1F600}\"";
        assert_eq!(Json::text(text).compact(), expected);
    }

    #[test]
    fn order_and_digits_stay_and_indentation_is_two_spaces() {
        let value = Json::object([
            ("b", Json::Array(vec![Json::number(1), Json::Number("1.0".to_owned()), Json::Null])),
            ("a", Json::object([("x", Json::Bool(true)), ("none", Json::Array(vec![])), ("empty", Json::Object(vec![]))])),
        ]);
        assert_eq!(value.compact(), r#"{"b":[1,1.0,null],"a":{"x":true,"none":[],"empty":{}}}"#);
        let indented = "{\n  \"b\": [\n    1,\n    1.0,\n    null\n  ],\n  \"a\": {\n    \"x\": true,\n    \"none\": [],\n    \"empty\": {}\n  }\n}";
        assert_eq!(value.indented(), indented);
    }
}
