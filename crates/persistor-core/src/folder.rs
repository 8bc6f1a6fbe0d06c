//! An archive in a folder: the embedded default. Creating is here, listing and reading in [`walk`] and [`content`].
//!
//! A blob is written to a temporary file in `.tmp` below the root, synced, hard-linked to its name (which never replaces
//! anything), and the folders above it are synced up to the root. So a name is never seen without its whole content, whatever
//! is cut when, and any number of processes may write at once. What a power cut may leave: temporary files, folders without blobs, and
//! a record without its payload.

mod content;
mod walk;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tempfile::{NamedTempFile, TempPath};

use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::reader::{Entry, Reader};
use crate::time::PublishTime;
use crate::writer::{Creation, Metadata, Writer};

/// Where temporary files live. No key starts with a dot, so none can be here.
const TEMPORARY: &str = ".tmp";
/// How the names of the files begin that say of a root that it is open.
const OPEN: &str = "open-";

/// A store that keeps each blob as a file. It has no metadata.
#[derive(Clone, Debug)]
pub struct FolderStore {
    root: PathBuf,
    /// A file that this store put into the root when it opened it for writing: as long as it is there, the root is the same. It is not
    /// held open, since that would keep the disk from being unmounted.
    opened: Option<Arc<TempPath>>,
}

impl FolderStore {
    /// Opens a folder for writing and reading, and makes it if it is not there. This is the only time that the root is made: a disk
    /// that is unmounted later is not silently replaced by the folder beneath it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] or [`ErrorKind::Denied`] with the cause.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        let opened = make_root(&root).map_err(|error| io_error(&format!("open archive folder `{}`", root.display()), error))?;
        Ok(Self { root, opened: Some(Arc::new(opened)) })
    }

    /// Opens a folder that must be there, for reading; nothing is made or changed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not a folder.
    pub fn existing(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        if !root.is_dir() {
            return Err(Error::new(ErrorKind::NotFound, format!("archive folder `{}` is not there", root.display())));
        }
        Ok(Self { root, opened: None })
    }

    /// Whether names that differ only in case are one file here; such a folder cannot keep two messages whose ids do.
    pub fn ignores_case(&self) -> bool {
        let temporary = self.root.join(TEMPORARY);
        tempfile::Builder::new().prefix("case-").tempfile_in(&temporary).is_ok_and(|file| {
            let name = file.path().file_name().map(|name| name.to_string_lossy().to_uppercase());
            name.is_some_and(|name| temporary.join(name).exists())
        })
    }

    /// Removes temporary files last written before `before`, a day ago: what crashes have left. To be called every hour, since it also
    /// keeps this store's own file there young.
    /// Returns how many.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] or [`ErrorKind::Denied`] with the cause.
    pub fn remove_leftovers(&self, before: SystemTime) -> Result<usize> {
        let remove = || -> io::Result<usize> {
            let own = self.opened.as_deref();
            if let Some(own) = own {
                // Written to, it is younger than what crashes left; other processes look at its age too.
                File::options().write(true).open(own)?.write_all(b"\n")?;
            }
            let mut removed = 0;
            for entry in fs::read_dir(self.root.join(TEMPORARY))? {
                let entry = entry?;
                if own.is_some_and(|own| own.file_name() == Some(&entry.file_name())) {
                    continue;
                }
                // Another process may remove the same file.
                let old = entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|modified| modified < before);
                if old && (fs::remove_file(entry.path()).is_ok() || fs::remove_dir_all(entry.path()).is_ok()) {
                    removed += 1;
                }
            }
            Ok(removed)
        };
        remove().map_err(|error| io_error("remove left-over temporary files", error))
    }

    fn create_blocking(&self, key: &Key, content: &[Bytes]) -> io::Result<Creation> {
        let path = self.root.join(key.as_str());
        self.check_root()?;
        self.check_folders(&path)?;
        // Asked first so that a redelivery writes nothing; the link below is what decides.
        let creation = if is_taken(&path)? { Creation::Exists } else { self.link_new(&path, key, content)? };
        if creation == Creation::Exists {
            // Whoever made it may not have come to the end of its own syncs.
            File::open(&path)?.sync_all()?;
        }
        self.sync_folders(&path)?;
        // Again, since all of this is about names: a disk may have gone in between.
        self.check_root()?;
        Ok(creation)
    }

    /// Refuses a root that is another folder than the one opened at start: what lies beneath the mount point of a disk that is gone.
    /// A file says so whatever numbers a disk that comes back has, and however much the folder beneath looks like an archive.
    fn check_root(&self) -> io::Result<()> {
        let opened = self.opened.as_ref().ok_or_else(other_root)?;
        match fs::symlink_metadata(opened.as_ref()) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Err(other_root()),
            metadata => metadata.map(|_| ()),
        }
    }

    /// Refuses what is in the way on the path to a blob. A link counts: listings do not follow it.
    fn check_folders(&self, path: &Path) -> io::Result<()> {
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.root) {
            match fs::symlink_metadata(folder) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => {
                    return Err(io::Error::new(io::ErrorKind::NotADirectory, "something that is not a folder is in the way"));
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn link_new(&self, path: &Path, key: &Key, content: &[Bytes]) -> io::Result<Creation> {
        let mut file = self.temporary_file()?;
        for chunk in content {
            file.write_all(chunk)?;
        }
        file.as_file().sync_all()?;
        let mut linked = fs::hard_link(file.path(), path);
        if linked.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            self.make_folders(key)?;
            linked = fs::hard_link(file.path(), path);
        }
        match linked {
            Ok(()) => Ok(Creation::Created),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_taken(path)? => Ok(Creation::Exists),
            Err(error) => Err(error),
        }
        // The temporary name goes as `file` is dropped; the blob's own name stays.
    }

    fn temporary_file(&self) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        // Blobs are readable as far as the process' umask lets them be, like files made by any other program.
        #[cfg(unix)]
        builder.permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        // Not made again where it is missing: then the root is not the one that was opened.
        builder.tempfile_in(self.root.join(TEMPORARY)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => other_root(),
            _ => error,
        })
    }

    /// Makes the folders between the root and the blob, never the root.
    fn make_folders(&self, key: &Key) -> io::Result<()> {
        let mut folder = self.root.clone();
        let mut segments: Vec<_> = key.as_str().split('/').collect();
        segments.pop();
        for segment in segments {
            folder.push(segment);
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Err(_) | Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Syncs every folder from the blob's up to the root: one of them may be new, made by this or another process.
    fn sync_folders(&self, path: &Path) -> io::Result<()> {
        for folder in path.ancestors().skip(1) {
            File::open(folder)?.sync_all()?;
            if folder == self.root {
                break;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Writer for FolderStore {
    fn keeps_metadata(&self) -> bool {
        false
    }

    async fn create(&self, key: &Key, content: &[Bytes], _metadata: &Metadata, _time: Option<&PublishTime>) -> Result<Creation> {
        let (store, for_task, content) = (self.clone(), key.clone(), content.to_vec());
        blocking(move || store.create_blocking(&for_task, &content))
            .await
            .map_err(|error| io_error(&format!("create `{key}`"), error))
    }
}

#[async_trait]
impl Reader for FolderStore {
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        content::read(self.root.join(key.as_str()), key.clone(), range).await
    }

    fn list(&self, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
        walk::list(self.root.clone(), prefix, from.unwrap_or_default())
    }
}

fn other_root() -> io::Error {
    let advice = "the folder is not the one that was opened at start: is its disk mounted? (if it was replaced or its `.tmp` removed on purpose, restart)";
    io::Error::new(io::ErrorKind::NotFound, advice)
}

fn make_root(root: &Path) -> io::Result<TempPath> {
    let above = std::path::absolute(root)?;
    let missing = above.ancestors().take_while(|folder| !folder.exists()).count();
    fs::create_dir_all(root)?;
    match fs::create_dir(root.join(TEMPORARY)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) | Ok(()) => {}
    }
    // The root, each folder that was made above it, and the one that holds it; that one may not be ours to open.
    for folder in above.ancestors().take(missing + 2) {
        match File::open(folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            opened => opened?.sync_all()?,
        }
    }
    let probe = tempfile::tempdir_in(root.join(TEMPORARY))?;
    File::create(probe.path().join("a"))?;
    fs::hard_link(probe.path().join("a"), probe.path().join("b")).map_err(|error| {
        io::Error::new(error.kind(), format!("its file system has no hard links, which create-only needs: {error}"))
    })?;
    let file = tempfile::Builder::new().prefix(OPEN).tempfile_in(std::path::absolute(root.join(TEMPORARY))?)?;
    Ok(file.into_temp_path())
}

/// Whether a blob has this name. Anything else that has it is in the way, and no blob.
fn is_taken(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is not a file is in the way")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Runs blocking file work beside the async threads. A caller that stops waiting leaves the work to end by itself, with what it holds.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(io::Error::other("work on files failed; the log says where")))
}

fn io_error(operation: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, operation).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn leftovers_go_after_their_time_and_blobs_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FolderStore::open(folder.path()).expect("open");
        let leftover = folder.path().join(TEMPORARY).join("x");
        fs::write(&leftover, "half").expect("write");
        let key = Key::parse("a").expect("valid");
        store.create_blocking(&key, &[Bytes::from_static(b"whole")]).expect("create");

        fs::hard_link(folder.path().join("a"), folder.path().join(TEMPORARY).join("linked")).expect("link");

        let now = SystemTime::now();
        assert_eq!(store.remove_leftovers(now - Duration::from_secs(86_400)).expect("remove"), 0);
        assert!(leftover.exists());
        assert_eq!(store.remove_leftovers(now + Duration::from_secs(60)).expect("remove"), 2);
        assert!(!leftover.exists());
        assert_eq!(fs::read(folder.path().join("a")).expect("blob"), b"whole");
    }

    #[test]
    fn a_folder_that_vanished_is_not_made_again() {
        let parent = tempfile::tempdir().expect("a folder");
        let root = parent.path().join("archive");
        let store = FolderStore::open(&root).expect("open");
        fs::remove_dir_all(&root).expect("remove");
        let key = Key::parse("a/b").expect("valid");
        assert!(store.create_blocking(&key, &[]).is_err());
        fs::create_dir(&root).expect("the mount point beneath");
        assert!(store.create_blocking(&key, &[]).is_err());
        assert_eq!(fs::read_dir(&root).expect("list").count(), 0);

        // However much it looks like an archive: an earlier start may have made one here, when the disk was not mounted yet.
        let (disk, beneath) = (parent.path().join("disk"), parent.path().join("beneath"));
        let store = FolderStore::open(&disk).expect("open");
        FolderStore::open(&beneath).expect("open");
        store.create_blocking(&key, &[]).expect("the disk is there");
        fs::rename(&disk, parent.path().join("gone")).expect("rename");
        fs::rename(&beneath, &disk).expect("rename");
        assert!(store.create_blocking(&key, &[]).is_err());
        assert!(!disk.join("a").exists());
        fs::rename(&disk, &beneath).expect("rename");
        fs::rename(parent.path().join("gone"), &disk).expect("rename");
        assert_eq!(store.create_blocking(&key, &[]).expect("the disk is back"), Creation::Exists);

        assert!(FolderStore::existing(parent.path().join("none")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_is_listed_and_holds_nothing() {
        use futures_util::TryStreamExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let store = FolderStore::open(folder.path()).expect("open");
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"a\xff")), "x").expect("write");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let entries: Vec<Entry> = runtime.block_on(store.list("", None).try_collect()).expect("listed");
        assert_eq!(entries.iter().map(|entry| (entry.name.as_str(), entry.size)).collect::<Vec<_>>(), [("a\u{fffd}", 0)]);
    }

    #[test]
    fn what_is_in_the_way_is_not_taken_for_a_blob() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FolderStore::open(folder.path()).expect("open");
        fs::create_dir(folder.path().join("a")).expect("mkdir");
        fs::write(folder.path().join("f"), "").expect("write");
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("a"), folder.path().join("link")).expect("link");
        for name in ["a", "f/b", "link", "link/b"] {
            let key = Key::parse(name).expect("valid");
            assert!(store.create_blocking(&key, &[]).is_err(), "{name}");
        }
    }
}
