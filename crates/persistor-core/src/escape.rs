//! How a value becomes part of a key: an injective escape into `A–Z a–z 0–9 . _ - ~`, and the check that a text is
//! what the escape makes. No value, however hostile, leaves its segment or breaks a provider's rules.

use crate::digest::{is_hex, sha256_hex};

/// The most encoded bytes that stand in a key before a value is cut.
const WHOLE: usize = 120;
/// Hex digits of the value's SHA-256 behind a cut.
const CUT_DIGITS: usize = 32;
/// The empty value.
const EMPTY: &str = "~_";

/// The most bytes an encoded value can have: 120, the mark of the cut, and 32 digits.
pub(crate) const LONGEST: usize = WHOLE + 2 + CUT_DIGITS;

/// The encoded form of `value`: other bytes than `A–Z a–z 0–9 . _ -` as `~HH` (upper-case), likewise a dot that is first
/// or last and an underscore that is first; the empty value as `~_`; longer than 120 bytes: cut there, never inside an
/// escape, with `~~` and 32 hex digits of the value's SHA-256 behind.
pub fn escape(value: &str) -> String {
    if value.is_empty() {
        return EMPTY.to_owned();
    }
    let last = value.len() - 1;
    let mut out = String::with_capacity(value.len().min(LONGEST));
    for (at, byte) in value.bytes().enumerate() {
        let plain = match byte {
            b'.' => at != 0 && at != last,
            b'_' => at != 0,
            _ => is_plain(byte),
        };
        let width = if plain { 1 } else { 3 };
        if out.len() + width > WHOLE {
            // What is left does not fit, so the value is cut here: all that follows is in the digest and in the record.
            out.push_str("~~");
            out.push_str(&sha256_hex(value.as_bytes())[..CUT_DIGITS]);
            return out;
        }
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("~{byte:02X}"));
        }
    }
    out
}

/// The value whose encoded form is `encoded`; `Some(None)` where it was cut, so that only the record knows it; `None` for a
/// text that [`escape`] never makes.
pub fn unescape(encoded: &str) -> Option<Option<String>> {
    if encoded == EMPTY {
        return Some(Some(String::new()));
    }
    if let Some((head, digits)) = encoded.split_once("~~") {
        // A cut leaves 120 bytes, or up to two fewer where an escape did not fit.
        let cut = (WHOLE - 2..=WHOLE).contains(&head.len())
            && is_hex(digits, CUT_DIGITS)
            && units(head).is_some_and(|v| starts_well(head, &v));
        return cut.then_some(None);
    }
    let value = String::from_utf8(units(encoded)?).ok()?;
    (!value.is_empty() && escape(&value) == encoded).then_some(Some(value))
}

/// The bytes behind plain characters and escapes, if each escape is one that some byte needs.
fn units(encoded: &str) -> Option<Vec<u8>> {
    let bytes = encoded.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'~' {
            let digits = encoded.get(at + 1..at + 3)?;
            let value =
                digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')).then(|| u8::from_str_radix(digits, 16).ok())??;
            if is_plain(value) && !(at == 0 && value == b'_') && value != b'.' {
                return None;
            }
            out.push(value);
            at += 3;
        } else {
            if !is_plain(byte) {
                return None;
            }
            out.push(byte);
            at += 1;
        }
    }
    Some(out)
}

/// The rules of a value's beginning, for the part before a cut (its end is not the value's end).
fn starts_well(head: &str, value: &[u8]) -> bool {
    let inner_dot_escaped = head.get(1..).is_some_and(|rest| rest.contains("~2E"));
    !head.starts_with(['.', '_']) && !value.is_empty() && !inner_dot_escaped
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_format() {
        for (value, encoded) in [
            ("orders", "orders"),
            ("", "~_"),
            (".", "~2E"),
            ("..", "~2E~2E"),
            (".a.b.", "~2Ea.b~2E"),
            ("_a_", "~5Fa_"),
            ("a/b", "a~2Fb"),
            ("~", "~7E"),
            ("a b", "a~20b"),
            ("é", "~C3~A9"),
            ("\0", "~00"),
            ("~_", "~7E_"),
            ("projects/p", "projects~2Fp"),
        ] {
            assert_eq!(escape(value), encoded);
            assert_eq!(unescape(encoded), Some(Some(value.to_owned())), "{encoded}");
        }
    }

    #[test]
    fn the_cut_is_at_120_and_never_inside_an_escape() {
        let whole = "a".repeat(120);
        assert_eq!(escape(&whole), whole);
        let cut = escape(&"a".repeat(121));
        assert_eq!(cut, format!("{whole}~~{}", &sha256_hex("a".repeat(121).as_bytes())[..32]));
        assert_eq!(cut.len(), LONGEST);
        for pad in 117..=120 {
            let value = format!("{}é and so on", "a".repeat(pad));
            let encoded = escape(&value);
            let (head, _) = encoded.split_once("~~").expect("cut");
            assert!((118..=120).contains(&head.len()), "{encoded}");
            assert_eq!(unescape(&encoded), Some(None), "{encoded}");
        }
        // The last dot of a long value is behind the cut; the dot at the cut is not the last.
        let dotted = format!("{}.{}", "a".repeat(119), "b");
        assert!(escape(&dotted).starts_with(&format!("{}.~~", "a".repeat(119))));
        assert_eq!(unescape(&escape(&dotted)), Some(None));
    }

    #[test]
    fn what_the_escape_never_makes_is_not_read() {
        let hex = "0".repeat(32);
        for text in [
            "",
            "~",
            "~2",
            "~2f",
            "~zz",
            "~41",
            "a~5F",
            "a~2Eb",
            ".a",
            "a.",
            "_a",
            "a/b",
            "a b",
            "é",
            "~~",
            "a~_",
            "~C3",
            "~_~_",
            &format!("abc~~{hex}"),
            &format!("{}~~{hex}", "a".repeat(117)),
            &format!("{}~5F~~{hex}", "a".repeat(117)),
            &format!("{}~~{hex}", "a".repeat(121)),
            &format!("{}~~{}", "a".repeat(120), "0".repeat(31)),
            &format!("_{}~~{hex}", "a".repeat(119)),
            &format!("{}~~{}", "a".repeat(120), "F".repeat(32)),
            &"a".repeat(121),
        ] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
