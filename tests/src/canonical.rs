//! The canonical form of JSON, written from `FORMAT.md`: what two equal documents look like to the byte.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The canonical text of a document.
///
/// # Errors
/// Where it holds what no canonical document may: numbers, `true`, `false` and `null`.
pub fn canonical(value: &Value) -> Result<String, String> {
    let mut text = String::new();
    write(&mut text, value)?;
    Ok(text)
}

fn write(text: &mut String, value: &Value) -> Result<(), String> {
    match value {
        Value::String(string) => write_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write(text, item)?;
            }
            text.push(']');
        }
        Value::Object(members) => write_object(text, members)?,
        Value::Number(_) | Value::Bool(_) | Value::Null => return Err(format!("`{value}` is neither text nor made of it")),
    }
    Ok(())
}

fn write_object(text: &mut String, members: &Map<String, Value>) -> Result<(), String> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| name.as_bytes());
    text.push('{');
    for (index, (name, value)) in members.into_iter().enumerate() {
        text.push_str(if index > 0 { "," } else { "" });
        write_string(text, name);
        text.push(':');
        write(text, value)?;
    }
    text.push('}');
    Ok(())
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for unit in string.encode_utf16() {
        match unit {
            0x22 => text.push_str("\\\""),
            0x5c => text.push_str("\\\\"),
            0x08 => text.push_str("\\b"),
            0x09 => text.push_str("\\t"),
            0x0a => text.push_str("\\n"),
            0x0c => text.push_str("\\f"),
            0x0d => text.push_str("\\r"),
            0x20..=0x7e => text.push(char::from(unit.to_le_bytes()[0])),
            _ => write!(text, "\\u{unit:04x}").expect("a string takes all"),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_sorted_and_all_but_printable_ascii_is_escaped() {
        let value = serde_json::json!({ "b": ["/\u{7f}\u{1F600}"], "a": { "\u{e9}": "\n\"\\", "Z": "" } });
        let expected = r#"{"a":{"Z":"","\u00e9":"\n\"\\"},"b":["/\u007f\ud83d\ude00"]}"#;
        assert_eq!(canonical(&value).expect("only text"), expected);
        assert!(canonical(&serde_json::json!({ "a": 1 })).is_err());
    }
}
