//! The account of a try: what lies in the archive, compared with what was sent.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use persistor_core::{FolderStore, Key, Layout, Reader as _, Record};

use super::broker::Tally;
use super::sample::Sample;

/// Keys that are shown.
const SHOWN: usize = 5;

/// What was found.
#[derive(Debug)]
pub(super) struct Account {
    archive: PathBuf,
    messages: usize,
    bytes: usize,
    tally: Tally,
    kills: usize,
    stored: usize,
    lost: usize,
    altered: usize,
    doubled: usize,
    keys: Vec<Key>,
}

/// Reads the whole archive and compares it with the samples.
pub(super) async fn compare(archive: &Path, samples: &[Sample], tally: Tally, kills: usize) -> anyhow::Result<Account> {
    let store = FolderStore::existing(archive)?;
    let layout = Layout::default();
    let entries: Vec<_> = store.list("", None).try_collect().await.context("list the archive")?;
    let payloads =
        entries.iter().filter_map(|entry| entry.key().ok()).filter(|key| !key.is_reserved() && key.payload().is_none());
    let mut found: BTreeMap<Key, bool> = payloads.map(|key| (key, false)).collect();
    let stored = found.len();
    let (mut lost, mut altered) = (0, 0);
    for sample in samples {
        let message = sample.message()?;
        let key = layout.template().render(&message);
        match found.get_mut(&key) {
            None => lost += 1,
            Some(expected) => {
                *expected = true;
                let payload = read(&store, &key).await?;
                let record = read(&store, &key.record()?).await?;
                let same = payload == sample.payload && record == Record::from(&message).encode().into_bytes();
                altered += usize::from(!same);
            }
        }
    }
    Ok(Account {
        archive: archive.to_owned(),
        messages: samples.len(),
        bytes: samples.iter().map(|sample| sample.payload.len()).sum(),
        tally,
        kills,
        stored,
        lost,
        altered,
        // A second blob of one message, or one that nobody sent.
        doubled: found.values().filter(|expected| !**expected).count(),
        keys: found.into_keys().step_by(stored.div_ceil(SHOWN).max(1)).collect(),
    })
}

async fn read(store: &FolderStore, key: &Key) -> anyhow::Result<Vec<u8>> {
    match store.read(key, None).await {
        Ok(chunks) => {
            Ok(chunks.try_fold(Vec::new(), |all, chunk| std::future::ready(Ok([all, chunk.to_vec()].concat()))).await?)
        }
        // A record that is missing is an alteration, and no reason to end.
        Err(error) if error.kind() == persistor_core::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

impl Account {
    /// Whether everything is there once, as it was sent.
    pub(super) fn is_whole(&self) -> bool {
        self.stored == self.messages && self.lost + self.altered + self.doubled == 0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, kills, stored, lost, altered, doubled, .. } = self;
        let Tally { repeated, unanswered } = self.tally;
        let folder = self.archive.display();
        writeln!(f, "Pushes as Pub/Sub sends them, through the real handler, into the folder {folder}; no cloud.\n")?;
        writeln!(
            f,
            "  sent         {messages:>6}   messages, {:.1} MB: text, JSON, binary, empty, large",
            self.bytes as f64 / 1e6
        )?;
        writeln!(f, "  redelivered  {repeated:>6}   although they were acknowledged, as brokers do")?;
        writeln!(
            f,
            "  killed       {kills:>6}   times with SIGKILL and started again; {unanswered} deliveries were not acknowledged and were repeated"
        )?;
        writeln!(f, "  stored       {stored:>6}")?;
        writeln!(f, "  lost         {lost:>6}")?;
        writeln!(f, "  altered      {altered:>6}")?;
        writeln!(f, "  doubled      {doubled:>6}\n")?;
        for key in &self.keys {
            writeln!(f, "  {folder}/{key}")?;
        }
        let Some(key) = self.keys.first() else { return Ok(()) };
        writeln!(f, "\nEach payload is a file, its record lies beside it, and its SHA-256 begins with its name's end:\n")?;
        writeln!(f, "  cat {folder}/{key}.record\n  sha256sum {folder}/{key}")
    }
}
