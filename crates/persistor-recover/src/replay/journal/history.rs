//! What a journal knows of the runs before: which messages were confirmed, and which may have been sent without an answer.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use persistor_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};

use super::Begin;
use super::line::{self, Entry};

/// The longest line: that of a sending of a thousand of the longest keys is a tenth of it.
const LONGEST_LINE: usize = 16 << 20;

/// The past of a replay.
#[derive(Debug, Default)]
pub struct History {
    begin: Option<Begin>,
    /// Digests of the keys of confirmed messages, sorted: 16 bytes a message.
    confirmed: Vec<u128>,
    /// The messages of sendings without an answer.
    open: BTreeMap<u64, Vec<String>>,
    /// Messages whose answer was none.
    unanswered: BTreeSet<String>,
    next: u64,
    ended: bool,
    planned: Option<(u64, String)>,
    lines: u64,
}

impl History {
    /// Reads a journal; the length of what it is without a torn end.
    pub(super) async fn read(mut pieces: BoxStream<'static, Result<Bytes>>) -> Result<(Self, u64)> {
        let (mut history, mut length, mut rest) = (Self::default(), 0, Vec::new());
        while let Some(piece) = pieces.next().await {
            rest.extend_from_slice(&piece?);
            let mut start = 0;
            while let Some(end) = rest[start..].iter().position(|byte| *byte == b'\n') {
                history.line(&rest[start..start + end])?;
                start += end + 1;
            }
            length += start as u64;
            rest.drain(..start);
            if rest.len() > LONGEST_LINE {
                return Err(history.damaged());
            }
        }
        if !line::begins(&rest) {
            let text = "the file is no journal of a replay, and was left as it is: give another one with `--journal`";
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        // What has no end was never said: a line is believed when it is whole.
        history.confirmed.sort_unstable();
        Ok((history, length))
    }

    fn damaged(&self) -> Error {
        let text = format!(
            "line {} of the journal is not what was written: nothing can be said of what was sent. Look at it, and send with another `--name` what is still to be sent",
            self.lines + 1
        );
        Error::new(ErrorKind::Damaged, text)
    }

    fn line(&mut self, line: &[u8]) -> Result<()> {
        let entry = line::decode(line).ok_or_else(|| self.damaged())?;
        let begins = matches!(entry, Entry::Begin { .. });
        if self.begin.is_none() != begins && (self.next > 0 || !begins) {
            return Err(self.damaged());
        }
        self.lines += 1;
        match entry {
            Entry::Begin { begin, .. } => self.begin = Some(begin),
            Entry::Planned { messages, sha256 } => self.planned = Some((messages, sha256)),
            Entry::Sending(sending) => {
                self.next = self.next.max(sending.number + 1);
                self.open.insert(sending.number, sending.keys);
            }
            Entry::Answered(answers) => {
                let keys = self.open.remove(&answers.of).filter(|keys| keys.len() == answers.receipts.len());
                let keys = keys.ok_or_else(|| self.damaged())?;
                for (at, (key, receipt)) in keys.into_iter().zip(answers.receipts).enumerate() {
                    if receipt.is_some() {
                        self.unanswered.remove(&key);
                        self.confirmed.push(digest(&key));
                    } else if !answers.refused.contains_key(&at) {
                        // What the sink refused it has not taken, unless it was sent before without an answer.
                        self.unanswered.insert(key);
                    }
                }
            }
            Entry::End { .. } => self.ended = true,
            Entry::Resumed { .. } | Entry::Damaged { .. } => {}
        }
        Ok(())
    }

    pub(super) fn begin(&self) -> Option<&Begin> {
        self.begin.as_ref()
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether there was a run before that has sent something.
    pub fn goes_on(&self) -> bool {
        self.next > 0
    }

    /// When the first run began, as it was said then.
    pub fn began(&self) -> Option<&str> {
        self.begin.as_ref().filter(|_| self.goes_on()).map(|begin| begin.at.as_str())
    }

    /// What the last plan came to: how many messages, and the SHA-256 of their keys.
    pub fn planned(&self) -> Option<(u64, &str)> {
        self.planned.as_ref().filter(|_| self.goes_on()).map(|(messages, sha256)| (*messages, sha256.as_str()))
    }

    /// Whether everything was sent that was there then.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// How many messages were confirmed.
    pub fn confirmed(&self) -> u64 {
        self.confirmed.len() as u64
    }

    /// Whether the message was confirmed.
    pub fn has(&self, key: &str) -> bool {
        self.confirmed.binary_search(&digest(key)).is_ok()
    }

    /// The keys of messages that may have been sent and were not confirmed: those that are sent twice are among them.
    pub fn in_doubt(&self) -> impl Iterator<Item = &str> {
        let doubtful = |key: &&str| !self.has(key);
        let open: BTreeSet<&str> =
            self.open.values().flatten().chain(&self.unanswered).map(String::as_str).filter(doubtful).collect();
        open.into_iter()
    }
}

/// Whether what a replay was begun with is what is asked for now.
pub(super) fn compare(begun: &Begin, asked: &Begin) -> Result<()> {
    let invalid = |text: String| Err(Error::new(ErrorKind::Invalid, text));
    if begun.name != asked.name {
        return invalid(format!("the journal is that of the replay `{}`", begun.name));
    }
    let names: BTreeSet<&String> = begun.terms.keys().chain(asked.terms.keys()).collect();
    let said = |terms: &BTreeMap<String, String>, name: &String| {
        terms.get(name).map_or("nothing".to_owned(), |text| format!("`{text}`"))
    };
    let differs = names.into_iter().filter(|name| begun.terms.get(*name) != asked.terms.get(*name));
    let differences: Vec<_> = differs
        .map(|name| format!("{name}: it began with {}, and now it is {}", said(&begun.terms, name), said(&asked.terms, name)))
        .collect();
    if differences.is_empty() {
        return Ok(());
    }
    invalid(format!(
        "the replay `{}` was begun on other terms, so it cannot go on with these:\n  {}\nRepeat it as it was begun, or choose another `--name`",
        begun.name,
        differences.join("\n  ")
    ))
}

fn digest(key: &str) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(key)[..16]);
    u128::from_be_bytes(bytes)
}
