//! A change of a document that leaves it a document more often than a change of a byte does: of its texts, its values, and its members.
//!
//! It knows no JSON but where texts and values begin and end, so it takes documents that are broken already, several in a line, and JSON in strings of JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Values that decoders differ about.
const VALUES: [&str; 26] = [
    "null",
    "true",
    "0",
    "-0",
    "-1",
    "1e400",
    "9223372036854775808",
    "12345678901234567890123",
    "1.50",
    "\"\"",
    "\"null\"",
    "\"7\"",
    "\"\\\"7\\\"\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\"AP8=\"",
    "\"AP9=\"",
    "\"\\u0041P8\\u003d\"",
    "\"2026-11-22T05:40:12.503Z\"",
    "\"2026-11-22T05:40:60Z\"",
    "\"..\"",
    "[]",
    "{}",
    "{\"int32\":\"7\"}",
    "{\"string\":\"\"}",
];

/// Numbers that follow from a seed, evenly spread.
struct Numbers(u64);

impl Numbers {
    /// SplitMix64.
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap_or_default()
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() % end.max(1)
    }
}

/// Changes the document in the first `size` bytes of `data`, which may grow to all of it; its new size. Equal seeds make equal changes.
pub fn json(data: &mut [u8], size: usize, seed: u32) -> usize {
    let mut numbers = Numbers(seed.into());
    let document = data[..size].to_vec();
    let texts = texts(&document);
    let changed = match numbers.below(8) {
        0 => replace(&document, &texts, |_, numbers| VALUES[numbers.below(VALUES.len())].as_bytes().to_vec(), &mut numbers),
        1 => replace(&document, &texts, escaped, &mut numbers),
        2 => replace(&document, &texts, |_, numbers| encoded(numbers), &mut numbers),
        3 => replace(&document, &texts, |text, _| in_a_string(text), &mut numbers),
        4 => doubled(&document, &texts, &mut numbers),
        5 => replace(&document, &texts, nested, &mut numbers),
        6 => swapped(&document, &texts, &mut numbers),
        _ => spread(&document, &texts, &mut numbers),
    };
    let length = changed.len().min(data.len());
    data[..length].copy_from_slice(&changed[..length]);
    length
}

/// Where the texts of a document are, with their quotes.
fn texts(document: &[u8]) -> Vec<(usize, usize)> {
    let (mut found, mut begin, mut at) = (Vec::new(), None, 0);
    while let Some(byte) = document.get(at) {
        match (byte, begin) {
            (b'\\', Some(_)) => at += 1,
            (b'"', Some(start)) => {
                found.push((start, at + 1));
                begin = None;
            }
            (b'"', None) => begin = Some(at),
            _ => {}
        }
        at += 1;
    }
    found
}

/// Puts something in the place of one text.
fn replace(
    document: &[u8],
    texts: &[(usize, usize)],
    with: impl Fn(&[u8], &mut Numbers) -> Vec<u8>,
    numbers: &mut Numbers,
) -> Vec<u8> {
    let Some((start, end)) = texts.get(numbers.below(texts.len())).copied() else { return document.to_vec() };
    [&document[..start], &with(&document[start..end], numbers), &document[end..]].concat()
}

/// The same text, one of its characters escaped.
fn escaped(text: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let at = 1 + numbers.below(text.len().saturating_sub(2));
    match text.get(at) {
        Some(byte) if byte.is_ascii_alphanumeric() && text[at - 1] != b'\\' => {
            [&text[..at], format!("\\u{byte:04x}").as_bytes(), &text[at + 1..]].concat()
        }
        Some(b'/') if text[at - 1] != b'\\' => [&text[..at], b"\\/", &text[at + 1..]].concat(),
        _ => text.to_vec(),
    }
}

/// Some bytes in base64.
fn encoded(numbers: &mut Numbers) -> Vec<u8> {
    let bytes: Vec<_> = (0..numbers.below(40)).map(|_| numbers.next().to_le_bytes()[0]).collect();
    format!("\"{}\"", STANDARD.encode(bytes)).into_bytes()
}

/// JSON in a string.
fn in_a_string(text: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&String::from_utf8_lossy(text)).unwrap_or_default()
}

/// The same within arrays and objects.
fn nested(text: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let levels = 1 + numbers.below(3) * numbers.below(60);
    let (open, close) = if numbers.below(2) == 0 { ("[", "]") } else { ("{\"a\":", "}") };
    [open.repeat(levels).as_bytes(), text, close.repeat(levels).as_bytes()].concat()
}

/// A text, and what stands up to the next one, twice: a member or an element again.
fn doubled(document: &[u8], texts: &[(usize, usize)], numbers: &mut Numbers) -> Vec<u8> {
    let at = numbers.below(texts.len());
    let Some((start, end)) = texts.get(at).copied() else { return document.to_vec() };
    let end = texts.get(at + 1 + numbers.below(2)).map_or(end, |next| next.1);
    [&document[..end], b",", &document[start..end], &document[end..]].concat()
}

/// Two texts in each other's places.
fn swapped(document: &[u8], texts: &[(usize, usize)], numbers: &mut Numbers) -> Vec<u8> {
    let (one, other) = (numbers.below(texts.len()), numbers.below(texts.len()));
    let (Some(first), Some(second)) = (texts.get(one.min(other)), texts.get(one.max(other))) else { return document.to_vec() };
    if first.1 > second.0 {
        return document.to_vec();
    }
    let (first, second) = (*first, *second);
    [
        &document[..first.0],
        &document[second.0..second.1],
        &document[first.1..second.0],
        &document[first.0..first.1],
        &document[second.1..],
    ]
    .concat()
}

/// One text in another one's place too.
fn spread(document: &[u8], texts: &[(usize, usize)], numbers: &mut Numbers) -> Vec<u8> {
    let Some((start, end)) = texts.get(numbers.below(texts.len())).copied() else { return document.to_vec() };
    let text = document[start..end].to_vec();
    replace(document, texts, |_, _| text.clone(), numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_make_equal_changes_and_many_are_documents() {
        let document = br#"{"message":{"data":"aGVs\/G8=","attributes":{"a":"b"}},"subscription":"s"}"#;
        let change = |seed| {
            let mut data = [0; 4096];
            data[..document.len()].copy_from_slice(document);
            let size = json(&mut data, document.len(), seed);
            data[..size].to_vec()
        };
        let changed: Vec<_> = (0..400).map(change).collect();
        assert_eq!(changed, (0..400).map(change).collect::<Vec<_>>());
        let different = changed.iter().filter(|changed| **changed != document).count();
        let valid = changed.iter().filter(|changed| serde_json::from_slice::<serde_json::Value>(changed).is_ok()).count();
        assert!(different > 300 && valid > 150, "{different} changed, {valid} documents");
    }

    #[test]
    fn it_stays_within_its_room_whatever_it_is_given() {
        for document in [&b""[..], b"\"", b"\"\"", b"\"\\", b"{\"a\"", b"\xff\"\xff\""] {
            for seed in 0..200 {
                let mut data = document.to_vec();
                let size = json(&mut data, document.len(), seed);
                assert!(size <= document.len());
            }
        }
    }
}
