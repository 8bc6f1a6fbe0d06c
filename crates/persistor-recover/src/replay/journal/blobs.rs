//! A journal in an archive: a blob for each append, since blobs are made once and never changed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use persistor_core::{Creation, Error, ErrorKind, Key, Metadata, Reader, Result, Writer, escape};

use super::{JournalStore, REPLAY_PREFIX};

/// The blobs `_persistor/replay/NAME/NUMBER.jsonl`, numbered from 1 on.
#[derive(Debug)]
pub struct BlobJournal {
    writer: Arc<dyn Writer>,
    reader: Arc<dyn Reader>,
    folder: String,
    blobs: u64,
}

impl BlobJournal {
    /// The journal of the replay of that name.
    pub fn new(writer: Arc<dyn Writer>, reader: Arc<dyn Reader>, name: &str) -> Self {
        Self { writer, reader, folder: format!("{REPLAY_PREFIX}{}/", escape(name)), blobs: 0 }
    }

    async fn content(&self, key: &Key) -> Result<Vec<u8>> {
        let chunks = self.reader.read(key, None).await?;
        chunks.try_fold(Vec::new(), |all, chunk| std::future::ready(Ok([&all[..], &chunk[..]].concat()))).await
    }
}

#[async_trait]
impl JournalStore for BlobJournal {
    async fn read(&mut self) -> Result<BoxStream<'static, Result<Bytes>>> {
        let entries: Vec<_> = self.reader.list(&self.folder, None).try_collect().await?;
        self.blobs = entries.len() as u64;
        let reader = self.reader.clone();
        let blobs = futures_util::stream::iter(entries).then(move |entry| {
            let reader = reader.clone();
            async move { reader.read(&entry.key()?, None).await }
        });
        Ok(blobs.try_flatten().boxed())
    }

    async fn cut(&mut self, _length: u64) -> Result<()> {
        // A blob is there whole, or not at all.
        Ok(())
    }

    async fn append(&mut self, lines: Bytes, _durable: bool) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let key = Key::parse(format!("{}{:010}.jsonl", self.folder, self.blobs + 1))?;
        match self.writer.create(&key, std::slice::from_ref(&lines), &Metadata::new(), None).await? {
            Creation::Created => {
                self.blobs += 1;
                Ok(())
            }
            // An attempt whose answer was lost made it; else somebody else did.
            Creation::Exists if self.content(&key).await? == lines => {
                self.blobs += 1;
                Ok(())
            }
            Creation::Exists => {
                let text = format!("the journal's blob `{key}` is there already: a replay of this name is running elsewhere");
                Err(Error::new(ErrorKind::Invalid, text))
            }
        }
    }
}
