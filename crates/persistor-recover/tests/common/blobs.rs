//! An archive as a table of blobs that a test damages before it is read, in memory or in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use persistor_core::{
    DEFAULT_TEMPLATE, Entry, FolderStore, Key, Layout, MemoryStore, Message, Metadata, Reader, RecordPlace, Result, Writer,
    sha256_hex,
};
use tempfile::TempDir;

use crate::common::persist;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In memory, records in the metadata.
    Inline,
    /// In memory, each record in a blob of its own.
    Beside,
    /// In a folder.
    Folder,
}

#[derive(Clone)]
pub(crate) struct Blobs {
    pub(crate) place: Place,
    pub(crate) layout: String,
    /// The keys of the messages, in the order in which they were given.
    pub(crate) keys: Vec<Key>,
    blobs: BTreeMap<String, (Vec<u8>, Metadata)>,
}

impl Blobs {
    /// What Persistor stores of these messages.
    pub(crate) async fn of(place: Place, messages: &[Message]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (writer, reader): (Arc<dyn Writer>, Arc<dyn Reader>) = if place == Place::Folder {
            let store = FolderStore::open(folder.path()).expect("a folder");
            (Arc::new(store.clone()), Arc::new(store))
        } else {
            let store = MemoryStore::new();
            (Arc::new(store.clone()), Arc::new(store))
        };
        let records = if place == Place::Beside { RecordPlace::Always } else { RecordPlace::Auto };
        let keys = persist(writer, DEFAULT_TEMPLATE, records, messages.to_vec()).await;
        let entries: Vec<_> = reader.list("", None).try_collect().await.expect("a listing");
        let mut blobs = BTreeMap::new();
        for entry in entries {
            let chunks = reader.read(&entry.key().expect("a key"), None).await.expect("a blob");
            let content: Vec<Bytes> = chunks.try_collect().await.expect("a blob");
            blobs.insert(entry.name, (content.concat(), entry.metadata));
        }
        Self { place, layout: Layout::default().key().to_string(), keys, blobs }
    }

    /// The name of the first message, to which most damage is done.
    pub(crate) fn victim(&self) -> String {
        self.keys[0].to_string()
    }

    pub(crate) fn put(&mut self, name: &str, content: &[u8]) {
        self.blobs.insert(name.to_owned(), (content.to_vec(), Metadata::new()));
    }

    pub(crate) fn take(&mut self, name: &str) {
        self.blobs.remove(name).expect("it is there");
    }

    pub(crate) fn edit(&mut self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        edit(&mut self.blobs.get_mut(name).expect("it is there").0);
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let blob = self.blobs.remove(from).expect("it is there");
        self.blobs.insert(to.to_owned(), blob);
    }

    /// A message's blob under another name, with its record where that has a blob of its own.
    pub(crate) fn rename_message(&mut self, from: &str, to: &str) {
        self.rename(from, to);
        if self.place != Place::Inline {
            self.rename(&format!("{from}.record"), &format!("{to}.record"));
        }
    }

    pub(crate) fn record(&self, name: &str) -> String {
        match self.place {
            Place::Inline => self.blobs[name].1["record"].clone(),
            _ => String::from_utf8(self.blobs[&format!("{name}.record")].0.clone()).expect("ASCII"),
        }
    }

    pub(crate) fn set_record(&mut self, name: &str, text: &str) {
        match self.place {
            Place::Inline => {
                self.blobs.get_mut(name).expect("it is there").1.insert("record".to_owned(), text.to_owned());
            }
            _ => self.edit(&format!("{name}.record"), |content| *content = text.as_bytes().to_vec()),
        }
    }

    pub(crate) fn lose_record(&mut self, name: &str) {
        match self.place {
            Place::Inline => self.blobs.get_mut(name).expect("it is there").1.clear(),
            _ => self.take(&format!("{name}.record")),
        }
    }

    /// The archive as it is now. The folder is there as long as what is returned with it.
    pub(crate) async fn open(&self) -> (Arc<dyn Reader>, Option<TempDir>) {
        if self.place == Place::Folder {
            let folder = tempfile::tempdir().expect("a folder");
            for (name, (content, _)) in &self.blobs {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().expect("the folder")).expect("a folder");
                fs::write(path, content).expect("a file");
            }
            return (Arc::new(FolderStore::existing(folder.path()).expect("a folder")), Some(folder));
        }
        let (store, mut beside) = (MemoryStore::new(), Vec::new());
        for (name, (content, metadata)) in &self.blobs {
            match Key::parse(name.as_str()) {
                Ok(key) => {
                    store.create(&key, &[content.clone().into()], metadata, None).await.expect("stored");
                }
                Err(_) => beside.push(name.clone()),
            }
        }
        (Arc::new(WithNames { store, beside }), None)
    }
}

/// The text of a record that says something else and has the check of what it says: of plain ASCII, sorted as it stands.
pub(crate) fn forged(record: &str, edit: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> String {
    let mut members: serde_json::Map<_, _> = serde_json::from_str(record).expect("a record");
    members.remove("check");
    edit(&mut members);
    let check = sha256_hex(serde_json::to_string(&members).expect("JSON").as_bytes())[..16].to_owned();
    members.insert("check".to_owned(), check.into());
    serde_json::to_string(&members).expect("JSON")
}

/// A store in which others put blobs under names that no [`Key`] has.
#[derive(Debug)]
struct WithNames {
    store: MemoryStore,
    beside: Vec<String>,
}

#[async_trait]
impl Reader for WithNames {
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.store.read(key, range).await
    }

    fn list(&self, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
        let wanted = |name: &&String| name.starts_with(prefix) && from.is_none_or(|from| name.as_str() >= from);
        let empty = |name: &String| Entry {
            name: name.clone(),
            size: 0,
            metadata: Metadata::new(),
            crc32c: None,
            created: chrono::DateTime::default(),
        };
        let beside: Vec<_> = self.beside.iter().filter(wanted).map(empty).collect();
        let store = self.store.list(prefix, from);
        let merged = async move {
            let mut entries: Vec<_> = store.try_collect().await?;
            entries.extend(beside);
            entries.sort_by(|a: &Entry, b| a.name.cmp(&b.name));
            Ok(stream::iter(entries.into_iter().map(Ok)))
        };
        stream::once(merged).try_flatten().boxed()
    }
}
