//! What a replay has sent, kept so that it can go on: which messages are about to be sent, written before they are, and what the sink answered. Lines of JSON; docs/replay.md
//! describes them. Where they are kept is left to a [`JournalStore`].

mod blobs;
mod file;
mod history;
mod line;

use std::hash::{BuildHasher as _, RandomState};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use persistor_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

pub use blobs::BlobJournal;
pub use file::FileJournal;
pub use history::History;

use crate::replay::journal::line::{Answers, Entry, Sending};

/// Where replays of an archive keep journals in it.
pub const REPLAY_PREFIX: &str = "_persistor/replay/";

/// The most keys in one line of what is in doubt.
const NAMED_IN_A_LINE: usize = 1000;

/// Keeps the lines of one journal.
///
/// For implementors: what was appended durably is there after a crash of the machine, and other appends after a crash of the process, but for a torn end. Nobody else appends at the
/// same time: that is found out, and refused.
#[async_trait]
pub trait JournalStore: std::fmt::Debug + Send {
    /// All that was appended, in pieces.
    async fn read(&mut self) -> Result<BoxStream<'static, Result<Bytes>>>;

    /// Leaves only the first `length` bytes: what comes behind is a line that was not written to its end.
    async fn cut(&mut self, length: u64) -> Result<()>;

    /// Appends whole lines.
    async fn append(&mut self, lines: Bytes, durable: bool) -> Result<()>;
}

/// What must be the same when a replay goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The replay's name.
    pub name: String,
    /// When it began, as [`shown`](crate::shown) writes it. What goes on later is not held to be the same in this.
    pub at: String,
    /// Where the messages come from, where they go to, which ones they are, and how they are sent: each by its name, in words that are equal where it is equal.
    pub terms: std::collections::BTreeMap<String, String>,
}

/// A replay's journal, open for what comes next.
#[derive(Debug)]
pub struct Journal {
    store: Box<dyn JournalStore>,
    /// Lines that are not yet appended.
    lines: String,
    next: u64,
    /// An append has failed: what it left behind is the end, until the journal is opened anew.
    failed: bool,
}

/// What came of one message of a sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The sink has it; its receipt.
    Confirmed(String),
    /// It is not known whether the sink has it.
    Unconfirmed,
    /// The sink will never take it; why.
    Refused(String),
}

impl Journal {
    /// Opens a journal, makes it if there is none, and says what it knows.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](persistor_core::ErrorKind::Invalid) where it was begun on other terms, [`ErrorKind::Damaged`](persistor_core::ErrorKind::Damaged) where a line before the
    /// last one is not what was written, and the store's.
    pub async fn open(mut store: Box<dyn JournalStore>, begin: &Begin) -> Result<(Self, History)> {
        let (history, length) = History::read(store.read().await?).await?;
        store.cut(length).await?;
        let mut journal = Self { store, lines: String::new(), next: history.next(), failed: false };
        // Two that open the same journal at the same time must not write the same.
        let run = format!("{:016x}", RandomState::new().hash_one(begin.at.as_str()));
        match history.begin() {
            Some(begun) if history.next() > 0 => {
                history::compare(begun, begin)?;
                let in_doubt: Vec<_> = history.in_doubt().map(ToOwned::to_owned).collect();
                let mut parts = in_doubt.chunks(NAMED_IN_A_LINE);
                let first = parts.next().unwrap_or_default().to_vec();
                journal.push(&Entry::Resumed { run, in_doubt: first });
                for part in parts {
                    journal.push(&Entry::Resumed { run: String::new(), in_doubt: part.to_vec() });
                }
            }
            // Nothing was sent yet, so nothing is held to what was said then.
            _ => journal.push(&Entry::Begin { run, begin: begin.clone() }),
        }
        journal.commit(true).await?;
        Ok((journal, history))
    }

    /// What the plan came to: how many messages, and the SHA-256 of their keys.
    pub fn planned(&mut self, messages: u64, sha256: &str) {
        self.push(&Entry::Planned { messages, sha256: sha256.to_owned() });
    }

    /// Messages are about to be sent; the number of this sending. They may be when [`Journal::commit`] has returned.
    pub(crate) fn sending<'a>(&mut self, keys: impl Iterator<Item = &'a str>, unmarked: Vec<usize>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.push(&Entry::Sending(Sending { number, keys: keys.map(ToOwned::to_owned).collect(), unmarked }));
        number
    }

    /// What came of a sending.
    pub(crate) fn answered(&mut self, number: u64, answers: impl Iterator<Item = Answer>) {
        let mut line = Answers { of: number, receipts: Vec::new(), refused: std::collections::BTreeMap::new() };
        for (at, answer) in answers.enumerate() {
            line.receipts.push(match answer {
                Answer::Confirmed(receipt) => Some(receipt),
                Answer::Unconfirmed => None,
                Answer::Refused(reason) => {
                    line.refused.insert(at, reason);
                    None
                }
            });
        }
        self.push(&Entry::Answered(line));
    }

    /// A message is left out since its stored bytes are not what they were.
    pub(crate) fn damaged(&mut self, key: &str, fault: &str) {
        self.push(&Entry::Damaged { key: key.to_owned(), fault: fault.to_owned() });
    }

    /// Everything was sent.
    pub(crate) fn end(&mut self, messages: u64) {
        self.push(&Entry::End { messages });
    }

    fn push(&mut self, entry: &Entry) {
        self.lines.push_str(&line::encode(entry));
    }

    /// Appends what was said since the last time.
    pub(crate) async fn commit(&mut self, durable: bool) -> Result<()> {
        if self.lines.is_empty() && !durable {
            return Ok(());
        }
        if self.failed {
            return Err(Error::new(ErrorKind::Unavailable, "the journal could not be written, so nothing more is sent"));
        }
        // Behind half a line nothing could be read again.
        self.failed = true;
        self.store.append(Bytes::from(std::mem::take(&mut self.lines)), durable).await?;
        self.failed = false;
        Ok(())
    }
}
