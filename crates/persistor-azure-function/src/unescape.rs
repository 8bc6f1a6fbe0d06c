//! A JSON string without its escapes, in a buffer of its own: batches come as JSON inside a string, and can be most of a body.

use persistor_serve::{Buffer, Fault, Refusal};

/// The text of a JSON string, given between its quotes. It is never longer than that.
///
/// # Errors
/// `not-json` for half of a surrogate pair, which valid JSON can hold.
pub(crate) fn unescape(raw: &str) -> Result<Buffer, Fault> {
    let mut text = Buffer::with_capacity(raw.len()).map_err(Refusal::from)?;
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.extend_from_slice(&rest.as_bytes()[..at]);
        let (character, length) =
            escape(&rest[at..]).ok_or_else(|| Fault::malformed("not-json", "a string escapes half of a surrogate pair"))?;
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[at + length..];
    }
    text.extend_from_slice(rest.as_bytes());
    Ok(text)
}

/// The character of the escape at the beginning, and its length.
fn escape(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u16::from_str_radix(text.get(at + 2..at + 6)?, 16).ok().filter(|_| text[at..].starts_with("\\u"));
    let character = match text.as_bytes().get(1)? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = unit(0)?;
            return match char::from_u32(first.into()) {
                Some(character) => Some((character, 6)),
                None => char::decode_utf16([first, unit(6)?]).next()?.ok().map(|character| (character, 12)),
            };
        }
        other => char::from(*other),
    };
    Some((character, 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(raw: &str) -> Option<String> {
        unescape(raw).ok().map(|buffer| String::from_utf8(buffer.to_vec()).expect("text"))
    }

    #[test]
    fn every_escape_is_a_character() {
        for raw in [r#"\"\\\/\b\f\n\r\t"#, r"\u0041\u00e4\u20AC\ud83d\ude00", r"\\u0041", "", "ä\\nö", r"\u0000"] {
            assert_eq!(text(raw), serde_json::from_str(&format!("\"{raw}\"")).ok(), "{raw}");
        }
        for half in [r"\ud83d", r"\ud83d\u0041", r"\ude00", r"\ud83dx\ude00"] {
            assert_eq!(text(half), None, "{half}");
        }
    }

    proptest! {
        #[test]
        fn it_reads_what_another_writes(original in ".*") {
            let written = serde_json::to_string(&original).expect("a string");
            prop_assert_eq!(text(&written[1..written.len() - 1]), Some(original));
        }
    }
}
