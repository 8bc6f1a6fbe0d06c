//! A store of which one blob cannot be read.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use persistor_core::{Entry, Error, ErrorKind, Key, MemoryStore, Reader, Result};

#[derive(Debug)]
pub(crate) struct FailingReader {
    pub(crate) store: MemoryStore,
    /// What of it is asked for in vain.
    pub(crate) key: Key,
    pub(crate) kind: ErrorKind,
}

#[async_trait]
impl Reader for FailingReader {
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        if *key == self.key {
            return Err(Error::new(self.kind, "made to fail"));
        }
        self.store.read(key, range).await
    }

    fn list(&self, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
        self.store.list(prefix, from)
    }
}
