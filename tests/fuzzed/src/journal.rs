//! A replay's journal, whole. A line that begins as JSON and not with a check gets the right one, since no fuzzer finds it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use persistor_core::{ErrorKind, Result};
use persistor_recover::replay::{Begin, History, Journal, JournalStore};

use crate::journal_model::Model;
use crate::serving::block_on;

const START: &[u8] = br#"{"check":""#;
/// The most beginnings of a journal that are opened.
const MOST: usize = 24;

/// A journal in memory, which is read in pieces of some length.
#[derive(Clone, Debug)]
struct InMemory {
    bytes: Arc<Mutex<Vec<u8>>>,
    piece: usize,
}

#[async_trait]
impl JournalStore for InMemory {
    async fn read(&mut self) -> Result<BoxStream<'static, Result<Bytes>>> {
        let pieces: Vec<_> = self.bytes().chunks(self.piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Ok(stream::iter(pieces).boxed())
    }

    async fn cut(&mut self, length: u64) -> Result<()> {
        self.bytes.lock().expect("no panic").truncate(usize::try_from(length).expect("small"));
        Ok(())
    }

    async fn append(&mut self, lines: Bytes, _durable: bool) -> Result<()> {
        self.bytes.lock().expect("no panic").extend_from_slice(&lines);
        Ok(())
    }
}

impl InMemory {
    fn of(bytes: &[u8]) -> Self {
        // Some length that is not that of lines.
        Self { bytes: Arc::new(Mutex::new(bytes.to_vec())), piece: 1 + bytes.len() % 61 }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("no panic").clone()
    }

    fn open(&self, begin: &Begin) -> Result<History> {
        block_on(Journal::open(Box::new(self.clone()), begin)).map(|(_, history)| history)
    }
}

/// What a journal is believed is what another reader reads in it, of its whole lines; what is believed of a beginning stays true of the whole; and
/// going on changes nothing of what was said.
pub fn journal(data: &[u8]) {
    let bytes = with_checks(data);
    let ends: Vec<_> = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    let begin = begin(&bytes).unwrap_or_default();
    let store = InMemory::of(&bytes);
    let history = match store.open(&begin) {
        Ok(history) => history,
        Err(error) => {
            assert!([ErrorKind::Damaged, ErrorKind::Invalid].contains(&error.kind()), "{error}");
            let kept = store.bytes();
            return assert!(
                bytes.starts_with(&kept) && kept.len() >= ends.last().copied().unwrap_or(0),
                "a refused journal is left as it is"
            );
        }
    };
    let whole = ends.last().copied().unwrap_or(0);
    let model = Model::of(&bytes[..whole]).expect("what is believed can be read");
    model.assert_is(&history);
    assert!(store.bytes().starts_with(&bytes[..whole]), "what was said stays");
    // Opened again, it knows the same.
    model.assert_is(&store.open(&begin).expect("an own journal"));

    // As a crash leaves it: cut at a line's end, or inside a line.
    for end in ends.iter().rev().take(MOST) {
        let inside = end - 1 - (end - 1) % 7 % (*end).max(1);
        for cut in [*end, inside] {
            let beginning = InMemory::of(&bytes[..cut]);
            let lines = bytes[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let begun = self::begin(&bytes[..lines]).unwrap_or_default();
            let before = beginning.open(&begun).expect("a beginning of a journal is one");
            let known = Model::of(&bytes[..lines]).expect("its lines can be read");
            known.assert_is(&before);
            assert!(known.confirmed.iter().all(|key| history.has(key)), "what was confirmed stays confirmed");
        }
    }
}

/// What the last line of a beginning says that it was begun with.
fn begin(bytes: &[u8]) -> Option<Begin> {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok()?.get_mut("begin").map(serde_json::Value::take))
        .next_back()
        .and_then(|begin| serde_json::from_value(begin).ok())
}

fn with_checks(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let body = line.strip_suffix(b"\n").unwrap_or(line);
        match body.strip_prefix(b"{").filter(|_| !body.starts_with(START)) {
            Some(rest) => {
                bytes.extend_from_slice(START);
                bytes.extend_from_slice(format!("{:08x}\",", crc32c::crc32c(rest)).as_bytes());
                bytes.extend_from_slice(rest);
                bytes.extend_from_slice(&line[body.len()..]);
            }
            None => bytes.extend_from_slice(line),
        }
    }
    bytes
}
