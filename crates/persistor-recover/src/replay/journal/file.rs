//! A journal in a file, which one process at a time may hold.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use persistor_core::{Error, ErrorKind, Result};

use super::JournalStore;

const PIECE: usize = 1 << 20;

/// A file with a journal in it.
#[derive(Debug)]
pub struct FileJournal {
    file: Arc<File>,
    path: String,
}

impl FileJournal {
    /// Opens the file, or makes it, and holds it until this is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where another process holds it, [`ErrorKind::Unavailable`] where it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let failed =
            |error: std::io::Error| Error::new(ErrorKind::Unavailable, format!("open the journal `{shown}`")).with_source(error);
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("the journal `{shown}` is in use: a replay of this name is running");
                return Err(Error::new(ErrorKind::Invalid, text));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The name is to survive a crash as what is in the file.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(Self { file: Arc::new(file), path: shown })
    }

    async fn work<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce(&File) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let file = self.file.clone();
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Unavailable, format!("{what} the journal `{}`", self.path)).with_source(error)
        };
        match tokio::task::spawn_blocking(move || work(&file)).await {
            Ok(result) => result.map_err(|error| failed(error.into())),
            Err(error) => Err(failed(error.into())),
        }
    }
}

#[async_trait]
impl JournalStore for FileJournal {
    async fn read(&mut self) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.work("read", |mut file| file.seek(SeekFrom::Start(0))).await?;
        let journal = Self { file: self.file.clone(), path: self.path.clone() };
        Ok(stream::try_unfold(journal, |journal| async move {
            let piece = journal.work("read", |mut file| {
                let mut piece = vec![0; PIECE];
                let length = file.read(&mut piece)?;
                piece.truncate(length);
                Ok(piece)
            });
            let piece = piece.await?;
            Ok((!piece.is_empty()).then_some((Bytes::from(piece), journal)))
        })
        .boxed())
    }

    async fn cut(&mut self, length: u64) -> Result<()> {
        let cut = move |file: &File| if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) };
        self.work("mend", cut).await
    }

    async fn append(&mut self, lines: Bytes, durable: bool) -> Result<()> {
        self.work("write", move |mut file| {
            file.write_all(&lines)?;
            if durable { file.sync_data() } else { Ok(()) }
        })
        .await
    }
}
