//! One line of a journal: a JSON object that begins with a check of the rest, so that a line that was not written to its end, or was changed, is told from one that was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Begin;

/// What a line says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// The first line; another one, where nothing was sent since. `run` is a random name of the process.
    Begin {
        run: String,
        #[serde(flatten)]
        begin: Begin,
    },
    /// What the plan came to.
    Planned { messages: u64, sha256: String },
    /// It goes on; the messages that may have been sent without an answer, in several lines where they are many: the first one names the process.
    Resumed { run: String, in_doubt: Vec<String> },
    /// Before messages are sent.
    Sending(Sending),
    /// What the sink answered.
    Answered(Answers),
    /// A message that is not sent.
    Damaged { key: String, fault: String },
    /// Everything was sent: so many by all runs of this name.
    End { messages: u64 },
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sending {
    pub(super) number: u64,
    pub(super) keys: Vec<String>,
    /// Which of them had no room for marks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) unmarked: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answers {
    pub(super) of: u64,
    /// For each message of that sending its receipt; null where there was none.
    pub(super) receipts: Vec<Option<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) refused: BTreeMap<usize, String>,
}

const START: &str = r#"{"check":""#;
const DIGITS: usize = 8;
const MIDDLE: &str = r#"","#;

/// Whether it is the beginning of a line, or as much of one as there is.
pub(super) fn begins(torn: &[u8]) -> bool {
    let length = torn.len().min(START.len());
    torn[..length] == START.as_bytes()[..length]
}

/// The line, with its end.
pub(super) fn encode(entry: &Entry) -> String {
    // These types have nothing that cannot be written as JSON.
    let body = serde_json::to_string(entry).unwrap_or_default();
    let rest = body.strip_prefix('{').unwrap_or_default();
    format!("{START}{:08x}{MIDDLE}{rest}\n", crc32c::crc32c(rest.as_bytes()))
}

/// What a line without its end says, if it is one.
pub(super) fn decode(line: &[u8]) -> Option<Entry> {
    let line = str::from_utf8(line).ok()?.strip_prefix(START)?;
    let (digits, rest) = line.split_at_checked(DIGITS)?;
    let rest = rest.strip_prefix(MIDDLE)?;
    if format!("{:08x}", crc32c::crc32c(rest.as_bytes())) != digits {
        return None;
    }
    serde_json::from_str(&format!("{{{rest}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_and_comes_back() {
        let begin = Begin {
            name: "night".into(),
            at: "2026-11-22".into(),
            terms: BTreeMap::from([("to".into(), "pubsub://p/t \"\u{1F4E6}\"".into())]),
        };
        let answers =
            Answers { of: 7, receipts: vec![Some("1".into()), None], refused: BTreeMap::from([(1, "too large".into())]) };
        for entry in [
            Entry::Begin { run: "r".into(), begin },
            Entry::Planned { messages: 2, sha256: "ab".into() },
            Entry::Resumed { run: "r".into(), in_doubt: vec!["a".into()] },
            Entry::Sending(Sending { number: 7, keys: vec!["a".into(), "b\n".into()], unmarked: vec![1] }),
            Entry::Answered(answers),
            Entry::Damaged { key: "a".into(), fault: "payload-differs".into() },
            Entry::End { messages: 2 },
        ] {
            let line = encode(&entry);
            assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line}");
            serde_json::from_str::<serde_json::Value>(&line).expect("JSON");
            assert_eq!(decode(line.trim_end().as_bytes()), Some(entry));
        }
    }

    #[test]
    fn no_part_of_a_line_is_a_line_and_no_change_goes_unseen() {
        let line = encode(&Entry::Sending(Sending { number: 7, keys: vec!["a".into(), "b".into()], unmarked: Vec::new() }));
        let line = line.trim_end().as_bytes();
        for length in 0..line.len() {
            assert_eq!(decode(&line[..length]), None, "{length}");
        }
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut changed = line.to_vec();
                changed[at] ^= 1 << bit;
                assert_eq!(decode(&changed), None, "{at} {bit}");
            }
        }
    }
}
