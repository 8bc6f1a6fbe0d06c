//! Reading blobs, and the `Reader` of an archive.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use google_cloud_storage::model_ext::ReadRange;
use google_cloud_storage::read_object::ReadObjectResponse;
use persistor_core::{Entry, Error, ErrorKind, Failure, Key, Reader, Result};

use super::BucketStore;
use super::answer::{About, Refusal, lost_credentials, no_answer};
use super::list::list;

/// Nothing came for so long: the connection is dead.
const SILENCE: Duration = Duration::from_secs(30);

#[async_trait]
impl Reader for BucketStore {
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        let what = format!("read `{key}`");
        let name = self.name(key);
        let opened = self.attempts.make(&what, || self.open(&name, range.as_ref())).await?;
        // An empty range was asked for with one byte, to learn whether there is such a blob.
        let empty = range.is_some_and(|range| range.is_empty());
        let Some(response) = opened.filter(|_| !empty) else { return Ok(stream::empty().boxed()) };
        let chunks = stream::unfold(Some(response), move |response| {
            let what = what.clone();
            async move {
                let mut response = response?;
                match next(&mut response).await {
                    Some(Ok(chunk)) => Some((Ok(chunk), Some(response))),
                    Some(Err(error)) => Some((Err(Error::new(error.kind(), what).with_source(error)), None)),
                    None => None,
                }
            }
        });
        Ok(chunks.boxed())
    }

    fn list(&self, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
        list(self.clone(), prefix, from)
    }
}

impl BucketStore {
    /// Asks for the bytes; none where the range begins behind the blob's end.
    async fn open(&self, name: &str, range: Option<&Range<u64>>) -> Result<Option<ReadObjectResponse>, Failure> {
        let connection = self.client.connection().await?;
        let bucket = format!("projects/_/buckets/{}", self.location.bucket());
        let read = connection.storage.read_object(bucket, name);
        let read = match range {
            Some(range) => {
                let length = range.end.saturating_sub(range.start).max(1);
                read.set_read_range(ReadRange::segment(range.start, length))
            }
            None => read,
        };
        let error = match read.send().await {
            Ok(response) => return Ok(Some(response)),
            Err(error) => error,
        };
        match Refusal::of(&error) {
            Some(Refusal { status: 416, .. }) => Ok(None),
            Some(refusal) => Err(refusal.failure(About { bucket: self.location.bucket(), name })),
            None => {
                if lost_credentials(&error) {
                    self.client.forget().await;
                }
                Err(no_answer(&error))
            }
        }
    }
}

async fn next(response: &mut ReadObjectResponse) -> Option<Result<Bytes>> {
    match tokio::time::timeout(SILENCE, response.next()).await {
        Ok(Some(Ok(chunk))) => Some(Ok(chunk)),
        Ok(None) => None,
        Ok(Some(Err(error))) if error.is_deserialization() => {
            Some(Err(Error::new(ErrorKind::Damaged, "its bytes are not what its CRC32C says")))
        }
        Ok(Some(Err(error))) => Some(Err(match no_answer(&error) {
            Failure::Passing(error) | Failure::Lasting(error) => error,
        })),
        Err(_) => Some(Err(Error::new(ErrorKind::Unavailable, format!("nothing came for {SILENCE:?}")))),
    }
}
