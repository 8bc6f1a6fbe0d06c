//! Listing a folder in the byte order of whole names, a page at a time, holding no more than one directory a level.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::PathBuf;

use chrono::DateTime;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::{TEMPORARY, blocking, io_error};
use crate::error::Result;
use crate::key::Key;
use crate::reader::Entry;

/// Entries a visit to the blocking threads.
const PAGE: usize = 1000;

pub(super) fn list(root: PathBuf, prefix: &str, from: &str) -> BoxStream<'static, Result<Entry>> {
    let walk = Walk { root, prefix: prefix.to_owned(), from: from.to_owned(), levels: Vec::new(), started: false };
    let pages = stream::unfold(Some(walk), |walk| async move {
        let mut walk = walk?;
        let page = blocking(move || {
            let page = walk.page()?;
            Ok((page, walk))
        });
        match page.await {
            Ok((page, _)) if page.is_empty() => None,
            Ok((page, walk)) => Some((page.into_iter().map(Ok).collect(), Some(walk))),
            Err(error) => Some((vec![Err(io_error("list the archive folder", error))], None)),
        }
    });
    pages.flat_map(|page: Vec<Result<Entry>>| stream::iter(page)).boxed()
}

struct Walk {
    root: PathBuf,
    prefix: String,
    from: String,
    levels: Vec<Level>,
    started: bool,
}

/// What is left of one directory, in order. A directory's name has its slash, since `a-b` comes before `a/b` and `a0` behind it.
type Level = VecDeque<String>;

impl Walk {
    fn page(&mut self) -> io::Result<Vec<Entry>> {
        if !self.started {
            self.started = true;
            let folder = self.prefix.rfind('/').map_or("", |slash| &self.prefix[..=slash]).to_owned();
            // The root has to be there; a prefix that nothing has is an empty listing.
            fs::metadata(&self.root)?;
            // A prefix that no name can have: also none that leads out of the root, or to where names are not yet blobs.
            let leads_nowhere = folder.split_terminator('/').any(|segment| matches!(segment, "" | "." | ".."));
            if !leads_nowhere && folder.split('/').next() != Some(TEMPORARY) {
                self.enter(&folder)?;
            }
        }
        let mut page = Vec::new();
        while page.len() < PAGE {
            let Some(level) = self.levels.last_mut() else { break };
            match level.pop_front() {
                None => drop(self.levels.pop()),
                Some(name) if name.ends_with('/') => self.enter(&name)?,
                Some(name) => page.extend(self.entry(name)?),
            }
        }
        Ok(page)
    }

    fn enter(&mut self, folder: &str) -> io::Result<()> {
        let entries = match fs::read_dir(self.root.join(folder)) {
            // Such as the `lost+found` of a disk: not ours to read, and no key leads there.
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && Key::parse(folder.trim_end_matches('/')).is_err() =>
            {
                return Ok(());
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            let name = entry.file_name();
            if folder.is_empty() && name == TEMPORARY {
                continue;
            }
            // Links and names that are no text are not followed, and not passed over either: whoever lists learns of them.
            let is_folder = kind.is_dir() && name.to_str().is_some();
            let slash = if is_folder { "/" } else { "" };
            let name = format!("{folder}{}{slash}", name.to_string_lossy());
            if if is_folder { self.may_hold(&name) } else { self.wants(&name) } {
                names.push(name);
            }
        }
        names.sort_unstable();
        self.levels.push(names.into());
        Ok(())
    }

    fn wants(&self, name: &str) -> bool {
        name.starts_with(&self.prefix) && name >= self.from.as_str()
    }

    /// Whether names that start with `folder` can be wanted.
    fn may_hold(&self, folder: &str) -> bool {
        let common = folder.len().min(self.from.len());
        (folder.starts_with(&self.prefix) || self.prefix.starts_with(folder))
            && folder.as_bytes() >= &self.from.as_bytes()[..common]
    }

    /// The entry of a name, unless it went meanwhile.
    fn entry(&self, name: String) -> io::Result<Option<Entry>> {
        match fs::symlink_metadata(self.root.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A name that is no text stands here in another form.
                let garbled = name.contains(char::REPLACEMENT_CHARACTER);
                let entry = Entry { name, size: 0, metadata: BTreeMap::new(), crc32c: None, created: DateTime::default() };
                Ok(garbled.then_some(entry))
            }
            Err(error) => Err(error),
            Ok(metadata) => {
                let created = metadata.modified()?.into();
                Ok(Some(Entry { name, size: metadata.len(), metadata: BTreeMap::new(), crc32c: None, created }))
            }
        }
    }
}
