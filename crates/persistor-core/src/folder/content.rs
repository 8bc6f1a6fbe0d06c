//! Reading a blob of a folder, a chunk at a time.

use std::fs::{self, File};
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
        // Asked of the name: opening what only looks like a blob could wait for ever, or lead elsewhere.
        let metadata = fs::symlink_metadata(&path)?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut file = File::open(path)?;
        let Range { start, end } = range.unwrap_or(0..u64::MAX);
        file.seek(SeekFrom::Start(start))?;
        // The first chunk at once: most payloads and records are no longer.
        Part { file, left: end.min(metadata.len()).saturating_sub(start) }.next()
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
            let read = match state? {
                (Some(first), rest) => Ok((Some(first), rest)),
                (None, rest) if rest.left == 0 => return None,
                (None, rest) => blocking(move || rest.next()).await,
            };
            match read {
                Ok((Some(chunk), rest)) => Some((Ok(chunk), Some((None, rest)))),
                // It became shorter than it was.
                Ok((None, _)) => None,
                Err(error) => Some((Err(io_error(&format!("read `{key}`"), error)), None)),
            }
        }
    });
    Ok(chunks.boxed())
}

/// What is still to be read of a file.
struct Part {
    file: File,
    left: u64,
}

impl Part {
    /// The next chunk, if there is one, and what is behind it.
    fn next(mut self) -> io::Result<(Option<Bytes>, Self)> {
        let mut chunk = Vec::new();
        (&mut self.file).take(self.left.min(CHUNK)).read_to_end(&mut chunk)?;
        self.left -= chunk.len() as u64;
        Ok(((!chunk.is_empty()).then_some(chunk.into()), self))
    }
}
