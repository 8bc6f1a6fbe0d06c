//! Reading blobs, and the `Reader` of an archive.

use std::num::NonZero;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::AsyncResponseBody;
use azure_storage_blob::models::{BlobClientDownloadOptions, BlobClientDownloadResult, HttpRange};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use md5::{Digest as _, Md5};
use persistor_core::{Entry, Error, ErrorKind, Failure, Key, Reader, Result};

use super::ContainerStore;
use super::answer::{Refusal, Right, no_answer};
use super::list::list;

/// Nothing came for so long: the connection is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// More than a blob can hold: with it, a read is one request and its bytes are passed on as they come.
const WHOLE: NonZero<usize> = NonZero::new(1 << 48).expect("not zero");

#[async_trait]
impl Reader for ContainerStore {
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        let what = format!("read `{key}`");
        let name = self.name(key);
        let opened = self.attempts.make(&what, || self.open(&name, range.as_ref())).await?;
        // An empty range was asked for with one byte, to learn whether there is such a blob.
        let empty = range.as_ref().is_some_and(|range| range.is_empty());
        let Some(result) = opened.filter(|_| !empty) else { return Ok(stream::empty().boxed()) };
        let content = Content::of(result, range.is_none());
        let chunks = stream::unfold(Some(content), move |content| {
            let what = what.clone();
            async move {
                let mut content = content?;
                match content.next().await {
                    Ok(Some(chunk)) => Some((Ok(chunk), Some(content))),
                    Ok(None) => None,
                    Err(error) => Some((Err(Error::new(error.kind(), what).with_source(error)), None)),
                }
            }
        });
        Ok(chunks.boxed())
    }

    fn list(&self, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
        list(self.clone(), prefix, from)
    }
}

impl ContainerStore {
    /// Asks for the bytes; none where the range begins behind the blob's end.
    async fn open(&self, name: &str, range: Option<&Range<u64>>) -> Result<Option<BlobClientDownloadResult>, Failure> {
        let connection = self.client.connection()?;
        let range = range.map(|range| {
            let longest = WHOLE.get() as u64;
            HttpRange::new(range.start.min(longest), range.end.saturating_sub(range.start).clamp(1, longest))
        });
        let options = BlobClientDownloadOptions { partition_size: Some(WHOLE), range, ..BlobClientDownloadOptions::default() };
        match connection.blob_client(name).download(Some(options)).await {
            Ok(result) => Ok(Some(result)),
            Err(error) if matches!(Refusal::of(&error), Some(Refusal { status: 416, .. })) => Ok(None),
            Err(error) => Err(self.failure(&connection, &error, Right::Read)),
        }
    }
}

/// The bytes of an answer as they come.
struct Content {
    body: AsyncResponseBody,
    /// What is to come out at the end, and what came so far; none where only a part was asked for, or the blob has no MD5.
    md5: Option<(Vec<u8>, Md5)>,
}

impl Content {
    fn of(result: BlobClientDownloadResult, whole: bool) -> Self {
        // Of the whole blob; which header has it depends on how the client asked.
        let expected = result.properties.blob_content_md5.or(result.properties.content_md5).filter(|_| whole);
        Self { body: result.body, md5: expected.map(|expected| (expected, Md5::new())) }
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        match tokio::time::timeout(SILENCE, self.body.next()).await {
            Ok(Some(Ok(chunk))) => {
                if let Some((_, md5)) = &mut self.md5 {
                    md5.update(&chunk);
                }
                Ok(Some(chunk))
            }
            Ok(Some(Err(error))) => Err(match no_answer(&error) {
                Failure::Passing(error) | Failure::Lasting(error) => error,
            }),
            Ok(None) if self.md5.take().is_some_and(|(expected, md5)| md5.finalize()[..] != expected[..]) => {
                Err(Error::new(ErrorKind::Damaged, "its bytes are not what its MD5 says"))
            }
            Ok(None) => Ok(None),
            Err(_) => Err(Error::new(ErrorKind::Unavailable, format!("nothing came for {SILENCE:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::responder::{Answer, Responder, refusal};
    use super::*;

    /// The MD5 of `content`, in base64.
    const MD5: &str = "mgNkuembtIDdJeHwKEyFVQ==";

    async fn read_against(answer: Answer, range: Option<Range<u64>>) -> Result<Vec<u8>> {
        let responder = Responder::start(move |_| answer.clone()).await;
        let chunks: Vec<_> = responder.store.read(&Key::parse("orders/a").expect("a key"), range).await?.collect().await;
        Ok(chunks.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    fn part(headers: &str, content: &[u8]) -> Answer {
        let range = format!("content-range: bytes 0-{}/{}\r\n", content.len() - 1, content.len());
        (206, format!("{range}{headers}"), content.to_vec())
    }

    #[tokio::test]
    async fn a_whole_blob_is_what_its_md5_says() {
        let md5 = format!("x-ms-blob-content-md5: {MD5}\r\n");
        assert_eq!(read_against(part(&md5, b"content"), None).await.expect("whole"), b"content");
        let error = read_against(part(&md5, b"contend"), None).await.expect_err("damaged");
        assert_eq!(error.kind(), ErrorKind::Damaged);
        // Without one, and for a part, nothing can be said.
        assert_eq!(read_against(part("", b"contend"), None).await.expect("unknown"), b"contend");
        assert_eq!(read_against(part(&md5, b"cont"), Some(0..4)).await.expect("a part"), b"cont");
    }

    #[tokio::test]
    async fn bytes_that_do_not_come_are_missed() {
        let cut = (206, "content-range: bytes 0-9/10\r\ncontent-length: 10\r\n".to_owned(), b"content".to_vec());
        assert_eq!(read_against(cut, None).await.expect_err("cut off").kind(), ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn only_a_blob_that_is_said_to_be_missing_is() {
        for (answer, kind) in [
            (refusal(404, "BlobNotFound"), ErrorKind::NotFound),
            (refusal(404, "ContainerNotFound"), ErrorKind::Unavailable),
            ((404, String::new(), b"<html>".to_vec()), ErrorKind::Unavailable),
            (refusal(403, "AuthorizationPermissionMismatch"), ErrorKind::Denied),
            (refusal(409, "BlobArchived"), ErrorKind::Unavailable),
        ] {
            assert_eq!(read_against(answer.clone(), Some(3..3)).await.expect_err("refused").kind(), kind, "{answer:?}");
        }
        let behind = u64::MAX - 3..u64::MAX;
        assert_eq!(read_against(refusal(416, "InvalidRange"), Some(behind)).await.expect("nothing there"), b"");
    }
}
