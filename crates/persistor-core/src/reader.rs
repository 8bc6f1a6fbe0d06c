//! The contract of whatever lists and reads an archive's blobs.

use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;

use crate::error::Result;
use crate::key::Key;
use crate::writer::Metadata;

/// One blob in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; not always a [`Key`], since others can put blobs into an archive too.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// What stands beside it, where the store keeps that.
    pub metadata: Metadata,
    /// CRC32C of its bytes as the store computed it, 8 lower-case hex digits; none where the store keeps none.
    pub crc32c: Option<String>,
    /// When the store made it, by the store's clock.
    pub created: DateTime<Utc>,
}

impl Entry {
    /// Its name as a key.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where Persistor cannot have made that name.
    pub fn key(&self) -> Result<Key> {
        Key::parse(self.name.as_str())
    }
}

/// Reads one archive. It needs the rights to list and to read.
///
/// For implementors (the suite in `testing` is this contract in executable form):
/// - **Listing** gives every blob that was durable before the call, none twice, in the byte order of whole names, however
///   many pages it takes; memory does not grow with the archive (a folder holds its largest directory). Blobs made during the
///   listing may be in it. What is still being written is not.
/// - **Reading** gives the bytes as they were created, or [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
#[async_trait]
pub trait Reader: Debug + Send + Sync {
    /// The bytes of a blob, or those in `range` (half-open, cut to the blob: behind its end there is nothing), in chunks.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such blob.
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>>;

    /// The blobs whose names start with `prefix` (which may end inside a segment) and are `from` or later in byte order.
    fn list(&self, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>>;
}
