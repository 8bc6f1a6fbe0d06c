//! Creating blobs.

use std::collections::VecDeque;
use std::convert::Infallible;

use async_trait::async_trait;
use bytes::Bytes;
use google_cloud_storage::model::Object;
use google_cloud_storage::streaming_source::{SizeHint, StreamingSource};
use google_cloud_wkt::Timestamp;
use persistor_core::{Creation, Error, ErrorKind, Failure, Key, Metadata, PublishTime, Result, Writer};

use super::BucketStore;
use super::answer::{About, Refusal, lost_credentials, no_answer};

/// One create, whatever number of attempts it takes.
struct Create<'a> {
    store: &'a BucketStore,
    name: String,
    content: &'a [Bytes],
    length: usize,
    crc32c: u32,
    metadata: &'a Metadata,
    time: Option<Timestamp>,
}

#[async_trait]
impl Writer for BucketStore {
    fn keeps_metadata(&self) -> bool {
        true
    }

    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, time: Option<&PublishTime>) -> Result<Creation> {
        let what = format!("create `{key}`");
        let create = Create {
            store: self,
            name: self.name(key),
            content,
            length: content.iter().map(Bytes::len).sum(),
            crc32c: content.iter().fold(0, |crc, chunk| crc32c::crc32c_append(crc, chunk)),
            metadata,
            time: time.map(timestamp).transpose().map_err(|error| Error::new(error.kind(), what.clone()).with_source(error))?,
        };
        self.attempts.make(&what, || create.attempt()).await
    }
}

impl Create<'_> {
    async fn attempt(&self) -> Result<Creation, Failure> {
        let connection = self.store.client.connection().await?;
        let bucket = format!("projects/_/buckets/{}", self.store.location.bucket());
        let write = connection
            .storage
            .write_object(bucket, &self.name, Chunks(self.content.iter().cloned().collect()))
            // There is no such object: the service decides it in the moment in which it makes the blob.
            .set_if_generation_match(0)
            // The service compares it with what arrived before it makes the blob, and the client with the answer.
            .with_known_crc32c(self.crc32c)
            .set_content_type("application/octet-stream")
            .set_metadata(self.metadata);
        let write = match self.time {
            Some(time) => write.set_custom_time(time),
            None => write,
        };
        match write.send_buffered().await {
            Ok(object) => self.check(&object),
            Err(error) => self.refused(error).await,
        }
    }

    /// Whether the answer is about this blob. The client has compared the CRC32C where the answer has one.
    fn check(&self, object: &Object) -> Result<Creation, Failure> {
        if object.name == self.name && usize::try_from(object.size) == Ok(self.length) {
            return Ok(Creation::Created);
        }
        Err(Failure::Lasting(Error::new(ErrorKind::Unavailable, "the answer is about another blob")))
    }

    async fn refused(&self, error: google_cloud_storage::Error) -> Result<Creation, Failure> {
        let about = About { bucket: self.store.location.bucket(), name: &self.name };
        if let Some(refusal) = Refusal::of(&error) {
            if refusal.says_it_exists(about) {
                return Ok(Creation::Exists);
            }
            return Err(match refusal.failure(about) {
                // The bucket, for a create needs no blob; it can be made.
                Failure::Lasting(error) if error.kind() == ErrorKind::NotFound => {
                    Failure::Lasting(Error::new(ErrorKind::Unavailable, error.to_string()))
                }
                // What arrived was not what was sent, if the request was right; it was built like every other.
                Failure::Lasting(error) if refusal.status == 400 => Failure::Passing(error),
                failure => failure,
            });
        }
        if error.is_serialization() {
            // The client's word for a CRC32C in the answer that is not the one sent. What is stored then is not known; another attempt would be told
            // that it exists, and hide it.
            return Err(Failure::Lasting(Error::new(
                ErrorKind::Unavailable,
                "the answer has another CRC32C than what was sent: verify this blob",
            )));
        }
        if lost_credentials(&error) {
            self.store.client.forget().await;
        }
        Err(no_answer(&error))
    }
}

/// The content, chunk by chunk, as the client takes it; only references are counted up.
struct Chunks(VecDeque<Bytes>);

impl StreamingSource for Chunks {
    type Error = Infallible;

    async fn next(&mut self) -> Option<Result<Bytes, Infallible>> {
        self.0.pop_front().map(Ok)
    }

    async fn size_hint(&self) -> Result<SizeHint, Infallible> {
        Ok(SizeHint::with_exact(self.0.iter().map(|chunk| chunk.len() as u64).sum()))
    }
}

/// The same moment; Cloud Storage keeps microseconds of it.
fn timestamp(time: &PublishTime) -> Result<Timestamp> {
    let nanoseconds = format!("{:0<9}", time.fraction()).parse().unwrap_or_default();
    Timestamp::new(time.second().and_utc().timestamp(), nanoseconds)
        .map_err(|error| Error::new(ErrorKind::Invalid, format!("the publish time `{time}`")).with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_custom_time_is_the_publish_time() {
        for (text, seconds, nanoseconds) in [
            ("2026-11-22T05:40:12.503Z", 1_795_326_012, 503_000_000),
            ("2026-11-22T05:40:12Z", 1_795_326_012, 0),
            ("1969-12-31T23:59:59.000000001Z", -1, 1),
        ] {
            let time = timestamp(&PublishTime::parse(text).expect(text)).expect(text);
            assert_eq!((time.seconds(), time.nanos()), (seconds, nanoseconds), "{text}");
        }
        for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"] {
            assert!(timestamp(&PublishTime::parse(text).expect(text)).is_ok(), "{text}");
        }
    }
}
