//! Whose payloads a sample reads: about the share, others with another seed, and over many seeds everyone's; and what vanished meanwhile.

mod common;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use common::{message, persist};
use futures_util::stream::BoxStream;
use persistor_core::{DEFAULT_TEMPLATE, Entry, Error, ErrorKind, Key, LAYOUT_PREFIX, MemoryStore, Reader, RecordPlace, Result};
use persistor_recover::{Archive, Fault, ReadData, Selection, Source, verify};

const MESSAGES: u64 = 400;

/// A store that notes whose payloads were read, and has lost one of them since it was listed.
#[derive(Debug)]
struct Noted {
    store: MemoryStore,
    read: Mutex<BTreeSet<String>>,
    lost: Option<Key>,
}

#[async_trait]
impl Reader for Noted {
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        if self.lost.as_ref() == Some(key) {
            return Err(Error::new(ErrorKind::NotFound, format!("read `{key}`: no such blob")));
        }
        if !key.as_str().starts_with(LAYOUT_PREFIX) {
            self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_string());
        }
        self.store.read(key, range).await
    }

    fn list(&self, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
        self.store.list(prefix, from)
    }
}

async fn store() -> (MemoryStore, Vec<Key>) {
    let store = MemoryStore::new();
    let messages = (0..MESSAGES).map(|id| message("orders", &id.to_string(), "2026-11-22T05:40:12Z", None, "x")).collect();
    let keys = persist(Arc::new(store.clone()), DEFAULT_TEMPLATE, RecordPlace::Auto, messages).await;
    (store, keys)
}

/// The names of the payloads that were read, and the findings.
async fn read(store: MemoryStore, lost: Option<Key>, data: ReadData) -> (BTreeSet<String>, Vec<(Fault, String)>) {
    let noted = Arc::new(Noted { store, read: Mutex::default(), lost });
    let archive = Archive::open(noted.clone()).await.expect("opened");
    let mut found = Vec::new();
    let mut report = |finding: persistor_recover::Finding| found.push((finding.fault, finding.name));
    let summary = verify(&archive, &Arc::new(Selection::all()), Source::Listing, data, &mut report).await.expect("verified");
    let read = std::mem::take(&mut *noted.read.lock().unwrap_or_else(PoisonError::into_inner));
    assert_eq!(summary.messages, MESSAGES);
    assert_eq!(summary.read, (read.len() + found.len()) as u64, "what is gone was to be read too");
    (read, found)
}

#[tokio::test]
async fn a_sample_is_a_share_that_another_seed_chooses_anew() {
    let (store, keys) = store().await;
    let every: BTreeSet<_> = keys.iter().map(Key::to_string).collect();
    let sample = |share, seed| read(store.clone(), None, ReadData::Sample { share, seed });
    assert_eq!(sample(1.0, 7).await.0, every);
    assert_eq!(sample(0.0, 7).await.0.len(), 0);
    let (mut union, mut last) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..24 {
        let (chosen, found) = sample(0.5, seed).await;
        assert!((100..=300).contains(&chosen.len()) && found.is_empty(), "seed {seed}: {} of {MESSAGES}", chosen.len());
        assert_ne!(chosen, last, "seed {seed} chooses like the one before");
        assert_eq!(chosen, sample(0.5, seed).await.0, "the same seed chooses the same");
        assert!(sample(0.25, seed).await.0.is_subset(&chosen), "a smaller share is a part of it");
        union.extend(chosen.iter().cloned());
        last = chosen;
    }
    assert_eq!(union, every);
    assert_eq!(read(store.clone(), None, ReadData::All).await.0, every);
    assert_eq!(read(store, None, ReadData::No).await.0.len(), 0);
}

#[tokio::test]
async fn what_is_gone_when_it_is_read_has_vanished() {
    let (store, keys) = store().await;
    let (read_all, found) = read(store.clone(), Some(keys[7].clone()), ReadData::All).await;
    assert_eq!((read_all.len() as u64, found), (MESSAGES - 1, vec![(Fault::Vanished, keys[7].to_string())]));
    assert_eq!(read(store, Some(keys[7].clone()), ReadData::No).await.1, []);
}
