//! Reading a blob of a folder, a chunk at a time.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::{blocking, io_error};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;

/// Bytes a chunk.
const CHUNK: u64 = 1 << 20;

pub(super) async fn read(path: PathBuf, key: Key, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
    let opened = blocking(move || {
        let mut file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let Range { start, end } = range.unwrap_or(0..u64::MAX);
        file.seek(SeekFrom::Start(start))?;
        Ok((file, end.saturating_sub(start)))
    });
    let opened = opened.await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::new(ErrorKind::NotFound, format!("read `{key}`: no such blob"))
        }
        _ => io_error(&format!("read `{key}`"), error),
    })?;
    let chunks = stream::unfold(Some(opened), move |state| {
        let key = key.clone();
        async move {
            let (mut file, left) = state?;
            let chunk = blocking(move || {
                let mut chunk = Vec::new();
                (&mut file).take(left.min(CHUNK)).read_to_end(&mut chunk)?;
                Ok((chunk, file))
            });
            match chunk.await {
                Ok((chunk, _)) if chunk.is_empty() => None,
                Ok((chunk, file)) => {
                    let left = left - chunk.len() as u64;
                    Some((Ok(Bytes::from(chunk)), Some((file, left))))
                }
                Err(error) => Some((Err(io_error(&format!("read `{key}`"), error)), None)),
            }
        }
    });
    Ok(chunks.boxed())
}
