//! The contract of whatever keeps blobs: create-only, durable when it returns, safe to retry.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::key::Key;
use crate::time::PublishTime;

/// Small texts that stand beside a blob where the store has room for them. Names are lower-case ASCII letters, values 0x20–0x7E.
pub type Metadata = BTreeMap<String, String>;

/// What a create came to; in both cases a blob of that key is durable now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// This call made it.
    Created,
    /// There was one already, and nothing was changed.
    Exists,
}

/// Creates blobs in one archive. It needs the right to create and no other.
///
/// For implementors (the suite in `testing` is this contract in executable form):
/// - **Create-only.** An existing blob, its metadata included, is never changed, whoever made it. Of any number of
///   concurrent creates of one key, in this and other processes, one answers [`Creation::Created`], and every reader sees
///   either nothing or that one, whole.
/// - **Durable when it returns.** Both answers of `Ok` say that the blob survives a crash of this process and of its
///   machine. `Exists` must not be answered from the name alone where the maker may still be on its way to durability.
/// - **Safe to retry.** An error says nothing about whether the blob was made; the same call again is always right, and finds
///   the blob if the first one made it. Dropping the future is an error of that kind.
/// - **Errors** are [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) or [`ErrorKind::Denied`](crate::ErrorKind::Denied) wherever
///   the same call can succeed later. They name the key, never content.
/// - `content` is written as it stands, one chunk after the other; it may be empty.
#[async_trait]
pub trait Writer: Debug + Send + Sync {
    /// Whether metadata is kept. Where it is not, `create` ignores it and listings return none.
    fn keeps_metadata(&self) -> bool;

    /// Creates one blob. `time` is the message's publish time, for stores that can keep one beside a blob.
    ///
    /// # Errors
    /// See the trait.
    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, time: Option<&PublishTime>) -> Result<Creation>;
}
