//! An archive in memory (`memory:`): for tests and for measuring what is not the store. It is gone with the process.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use crate::digest::crc32c_hex;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::reader::{Entry, Reader};
use crate::time::PublishTime;
use crate::writer::{Creation, Metadata, Writer};

/// A store that keeps blobs, with their metadata, in this process. Clones share the same blobs.
#[derive(Clone, Default)]
pub struct MemoryStore {
    blobs: Arc<Mutex<BTreeMap<String, Blob>>>,
}

#[derive(Clone)]
struct Blob {
    content: Bytes,
    metadata: Metadata,
    created: SystemTime,
}

impl MemoryStore {
    /// An empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    fn blobs(&self) -> MutexGuard<'_, BTreeMap<String, Blob>> {
        // A panic elsewhere cannot leave the map half changed: each change is one call.
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory:")
    }
}

#[async_trait]
impl Writer for MemoryStore {
    fn keeps_metadata(&self) -> bool {
        true
    }

    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, _time: Option<&PublishTime>) -> Result<Creation> {
        let mut blobs = self.blobs();
        if blobs.contains_key(key.as_str()) {
            return Ok(Creation::Exists);
        }
        // A copy on purpose: what the caller reserved for the message ends with the request, what is stored stays.
        let blob = Blob { content: content.concat().into(), metadata: metadata.clone(), created: SystemTime::now() };
        blobs.insert(key.as_str().to_owned(), blob);
        Ok(Creation::Created)
    }
}

#[async_trait]
impl Reader for MemoryStore {
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        let blobs = self.blobs();
        let blob =
            blobs.get(key.as_str()).ok_or_else(|| Error::new(ErrorKind::NotFound, format!("read `{key}`: no such blob")))?;
        let length = blob.content.len();
        let at = |offset: u64| usize::try_from(offset).map_or(length, |offset| offset.min(length));
        let (start, end) = range.map_or((0, length), |range| (at(range.start), at(range.end)));
        let part = if start < end { blob.content.slice(start..end) } else { Bytes::new() };
        Ok(stream::iter((!part.is_empty()).then_some(Ok(part))).boxed())
    }

    fn list(&self, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
        let start = from.unwrap_or_default().max(prefix);
        let entries: Vec<_> = self
            .blobs()
            .range(start.to_owned()..)
            .take_while(|(name, _)| name.starts_with(prefix))
            .map(|(name, blob)| {
                Ok(Entry {
                    name: name.clone(),
                    size: blob.content.len() as u64,
                    metadata: blob.metadata.clone(),
                    crc32c: Some(crc32c_hex(&blob.content)),
                    created: blob.created.into(),
                })
            })
            .collect();
        stream::iter(entries).boxed()
    }
}
