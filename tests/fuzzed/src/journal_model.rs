//! What a journal says, by docs/replay.md and the plainest means: every line is a JSON document, and nothing is kept but texts.

use std::collections::{BTreeMap, BTreeSet};

use persistor_recover::replay::History;
use serde_json::Value;

/// What is known of messages.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) confirmed: BTreeSet<String>,
    unanswered: BTreeSet<String>,
    open: BTreeMap<u64, Vec<String>>,
    receipts: u64,
    planned: Option<(u64, String)>,
    ended: bool,
    sent: bool,
}

impl Model {
    /// Reads whole lines. `None` where one is no document with the right check.
    pub(crate) fn of(lines: &[u8]) -> Option<Self> {
        let mut model = Self::default();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            model.line(line.strip_suffix(b"\n")?)?;
        }
        Some(model)
    }

    fn line(&mut self, line: &[u8]) -> Option<()> {
        let document: Value = serde_json::from_slice(line).ok()?;
        let check = document["check"].as_str()?;
        let rest = line.get(r#"{"check":"01234567","#.len()..)?;
        assert_eq!(check, format!("{:08x}", crc32c::crc32c(rest)), "a line with a wrong check was believed");
        if let Some(sending) = document.get("sending") {
            self.sent = true;
            self.open.insert(sending["number"].as_u64()?, texts(&sending["keys"])?);
        } else if let Some(answered) = document.get("answered") {
            let keys = self.open.remove(&answered["of"].as_u64()?)?;
            for (at, (key, receipt)) in keys.into_iter().zip(answered["receipts"].as_array()?).enumerate() {
                if receipt.is_string() {
                    self.receipts += 1;
                    self.unanswered.remove(&key);
                    self.confirmed.insert(key);
                } else if answered["refused"].get(at.to_string()).is_none() {
                    self.unanswered.insert(key);
                }
            }
        } else if let Some(planned) = document.get("planned") {
            self.planned = Some((planned["messages"].as_u64()?, planned["sha256"].as_str()?.to_owned()));
        } else if document.get("end").is_some() {
            self.ended = true;
        }
        Some(())
    }

    /// Checks that a history says the same.
    pub(crate) fn assert_is(&self, history: &History) {
        assert_eq!(history.goes_on(), self.sent);
        assert_eq!(history.confirmed(), self.receipts);
        assert_eq!(history.has_ended(), self.ended);
        for key in &self.confirmed {
            assert!(history.has(key), "a confirmed message would be sent again: {key:?}");
        }
        let sent = self.open.values().flatten().chain(&self.unanswered);
        let doubtful: BTreeSet<&str> = sent.map(String::as_str).filter(|key| !self.confirmed.contains(*key)).collect();
        assert_eq!(history.in_doubt().collect::<BTreeSet<_>>(), doubtful, "what may be sent twice is named");
        for key in doubtful {
            assert!(!history.has(key), "a message without an answer would be left out: {key:?}");
        }
        let planned = self.planned.as_ref().map(|(messages, sha256)| (*messages, sha256.as_str()));
        assert_eq!(history.planned(), planned.filter(|_| self.sent));
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}
