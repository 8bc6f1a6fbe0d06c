//! A reader of archives in folders, in buckets and in containers, written from `FORMAT.md`: it pairs payloads with records and finds all that is not as the page
//! says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use md5::{Digest as _, Md5};
use serde_json::{Map, Value};

use crate::azurite::{Azurite, Item};
use crate::canonical::canonical;
use crate::fake_storage::{FakeStorage, Object};
use crate::naming::{key_by_digest, sha256};

/// The members of a record; all are always there.
const MEMBERS: [&str; 14] = [
    "attributes",
    "check",
    "crc32c",
    "entity",
    "fidelity",
    "format",
    "id",
    "kind",
    "length",
    "properties",
    "publish_time",
    "requires",
    "sha256",
    "stream",
];

/// The longest record that stands in metadata, in bytes.
const LONGEST_INLINE: usize = 4000;

/// All that an archive holds.
#[derive(Debug, Default)]
pub struct Archive {
    /// Messages by key.
    pub messages: BTreeMap<String, Stored>,
    /// Messages that are whole under a key that is not theirs, by that key.
    pub misplaced: BTreeMap<String, Stored>,
    /// Payloads that are not what their record says, or have none: what is wrong, by key.
    pub damaged: BTreeMap<String, String>,
    /// Records without their payload: what a crash leaves.
    pub lone_records: Vec<String>,
    /// Names in `.tmp` of what is being written.
    pub temporary: Vec<String>,
    /// How many layouts it describes.
    pub layouts: usize,
    /// Invocations that could not be read, by the names under which they stand.
    pub rejected: BTreeMap<String, Vec<u8>>,
    /// Everything that is not as the format says, in words.
    pub faults: Vec<String>,
}

/// One message.
#[derive(Debug)]
pub struct Stored {
    content: Content,
    record: Map<String, Value>,
}

/// Where bytes are.
#[derive(Clone, Debug)]
enum Content {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Content {
    fn read(&self) -> Vec<u8> {
        match self {
            Self::File(path) => fs::read(path).expect("read a blob"),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

/// One blob.
#[derive(Debug)]
struct Blob {
    content: Content,
    /// What is kept beside it; a folder keeps nothing.
    beside: Option<Beside>,
}

/// What a provider keeps beside a blob.
#[derive(Debug)]
enum Beside {
    Bucket(Object),
    Container(Item),
}

/// All blobs of an archive by name.
type Blobs = BTreeMap<String, Blob>;

impl Archive {
    /// Reads and checks a whole archive in a folder.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn read(root: &Path) -> Self {
        let mut names = Vec::new();
        walk(root, root, &mut names);
        let blob = |name: String| (name.clone(), Blob { content: Content::File(root.join(name)), beside: None });
        Self::judge(&names.into_iter().map(blob).collect())
    }

    /// Reads and checks a whole archive below a prefix of a bucket (empty, or with a slash at its end). It is held in memory.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn read_bucket(storage: &FakeStorage, bucket: &str, prefix: &str) -> Self {
        let blob = |object: Object| {
            let content = Content::Bytes(storage.content(bucket, &object.name));
            (object.name[prefix.len()..].to_owned(), Blob { content, beside: Some(Beside::Bucket(object)) })
        };
        Self::judge(&storage.objects(bucket, prefix).into_iter().map(blob).collect())
    }

    /// The same, of an archive that must be in order.
    pub fn read_bucket_sound(storage: &FakeStorage, bucket: &str, prefix: &str) -> Self {
        Self::read_bucket(storage, bucket, prefix).sound()
    }

    /// The same below a prefix of a container.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn read_container(azurite: &Azurite, container: &str, prefix: &str) -> Self {
        let blob = |item: Item| {
            let content = Content::Bytes(azurite.content(container, &item.name));
            (item.name[prefix.len()..].to_owned(), Blob { content, beside: Some(Beside::Container(item)) })
        };
        Self::judge(&azurite.items(container, prefix).into_iter().map(blob).collect())
    }

    /// The same, of an archive that must be in order.
    pub fn read_container_sound(azurite: &Azurite, container: &str, prefix: &str) -> Self {
        Self::read_container(azurite, container, prefix).sound()
    }

    fn judge(blobs: &Blobs) -> Self {
        let mut archive = Self::default();
        let mut records = BTreeMap::new();
        for (name, blob) in blobs {
            if let Some(fault) = blob.beside.as_ref().and_then(|beside| beside.fault(&blob.content)) {
                archive.faults.push(format!("`{name}` {fault}"));
            }
            if name.starts_with(".tmp/") {
                // One for each process that writes, as long as it does; a process that was killed leaves it like the others.
                if !name.starts_with(".tmp/open-") {
                    archive.temporary.push(name.clone());
                }
            } else if name.starts_with("_persistor/layout/") {
                archive.read_layout(name, &blob.content.read());
            } else if name.starts_with("_persistor/rejected/") {
                archive.rejected.insert(name.clone(), blob.content.read());
            } else if name.split('/').any(|segment| segment.starts_with(['.', '_'])) {
                archive.faults.push(format!("`{name}` is no name of a blob"));
            } else if let Some(key) = name.strip_suffix(".record") {
                records.insert(key, blob);
            }
        }
        archive.lone_records =
            records.keys().filter(|key| !blobs.contains_key(**key)).map(|key| format!("{key}.record")).collect();
        let payloads = blobs.iter().filter(|(name, _)| !name.starts_with(['.', '_']) && !name.ends_with(".record"));
        for (key, blob) in payloads {
            match Stored::read(key, blob, records.get(key.as_str()).copied()) {
                Ok((stored, true)) => drop(archive.messages.insert(key.clone(), stored)),
                Ok((stored, false)) => {
                    archive.faults.push(format!("`{key}` has another key by its record: {}", stored.default_key()));
                    archive.misplaced.insert(key.clone(), stored);
                }
                Err(fault) => {
                    archive.faults.push(format!("`{key}` {fault}"));
                    archive.damaged.insert(key.clone(), fault);
                }
            }
        }
        if archive.layouts == 0 && !archive.messages.is_empty() {
            archive.faults.push("it has messages and no layout".to_owned());
        }
        archive
    }

    /// The same, of an archive that must be in order.
    pub fn read_sound(root: &Path) -> Self {
        Self::read(root).sound()
    }

    fn sound(self) -> Self {
        assert!(self.faults.is_empty(), "{} faults:\n{}", self.faults.len(), self.faults.join("\n"));
        self
    }

    /// Messages by id. There must not be two of one id.
    pub fn by_id(&self) -> BTreeMap<&str, &Stored> {
        let by_id: BTreeMap<_, _> = self.messages.values().map(|stored| (stored.text("id"), stored)).collect();
        assert_eq!(by_id.len(), self.messages.len(), "a message is stored twice");
        by_id
    }

    fn read_layout(&mut self, name: &str, text: &[u8]) {
        let layout: Value = serde_json::from_slice(text).unwrap_or_default();
        let named = name == format!("_persistor/layout/{}.json", &sha256(text)[..32]);
        let known = layout["format"] == "persistor/1" && layout["kind"] == "layout" && layout["template"].is_string();
        if named && known && canonical(&layout).is_ok_and(|canonical| canonical.as_bytes() == text) {
            self.layouts += 1;
        } else {
            self.faults.push(format!("`{name}` is no layout: {layout}"));
        }
    }
}

impl Stored {
    /// The message of a payload and its record, and whether the key is its own.
    fn read(key: &str, blob: &Blob, own: Option<&Blob>) -> Result<(Self, bool), String> {
        let text = match blob.beside.as_ref().map(Beside::metadata) {
            None => own.ok_or("has no record")?.content.read(),
            Some(metadata) => match metadata.get("record").ok_or("has no record in its metadata")?.as_str() {
                "blob" => own.ok_or("has no record, as its metadata says")?.content.read(),
                _ if own.is_some() => return Err("has two records".to_owned()),
                text if text.len() > LONGEST_INLINE => {
                    return Err(format!("has a record of {} bytes in its metadata", text.len()));
                }
                text => text.as_bytes().to_vec(),
            },
        };
        let record: Value = serde_json::from_slice(&text).map_err(|error| format!("has no readable record: {error}"))?;
        if canonical(&record)?.as_bytes() != text {
            return Err("has a record that is not canonical".to_owned());
        }
        let Value::Object(record) = record else { return Err("has a record that is no object".to_owned()) };
        let stored = Self { content: blob.content.clone(), record };
        stored.check()?;
        let besides = [Some(blob), own].into_iter().flatten().filter_map(|blob| blob.beside.as_ref());
        for time in besides.filter_map(Beside::custom_time) {
            // What fake-gcs-server keeps of a time ends with microseconds.
            let micros = time.parse::<DateTime<Utc>>().map(|time| time.timestamp_micros());
            if micros != Ok(stored.publish_time().timestamp_micros()) {
                return Err(format!("has the custom time `{time}`, not its publish time"));
            }
        }
        let at_home = stored.default_key() == key;
        Ok((stored, at_home))
    }

    fn check(&self) -> Result<(), String> {
        let members: Vec<_> = self.record.keys().map(String::as_str).collect();
        if members != MEMBERS {
            return Err(format!("has a record with the members {members:?}"));
        }
        let payload = self.payload();
        let mut without = self.record.clone();
        without.remove("check");
        let expected = [
            ("format", "persistor/1".to_owned()),
            ("kind", "message".to_owned()),
            ("length", payload.len().to_string()),
            ("sha256", sha256(&payload)),
            ("crc32c", format!("{:08x}", crc32c::crc32c(&payload))),
            ("check", sha256(canonical(&Value::Object(without))?.as_bytes())[..16].to_owned()),
        ];
        for (member, expected) in expected {
            if self.record[member] != *expected {
                return Err(format!("has the {member} {}, not {expected}", self.record[member]));
            }
        }
        if self.text("publish_time").ends_with('Z') && self.text("publish_time").parse::<DateTime<Utc>>().is_ok() {
            Ok(())
        } else {
            Err(format!("has the publish time {}", self.record["publish_time"]))
        }
    }

    /// The key that it has by its record, whose digest is the payload's.
    fn default_key(&self) -> String {
        key_by_digest(self.text("stream"), self.publish_time(), self.text("id"), self.text("sha256"))
    }

    /// The payload's bytes.
    pub fn payload(&self) -> Vec<u8> {
        self.content.read()
    }

    /// A member of the record that is text.
    pub fn text(&self, member: &str) -> &str {
        self.record[member].as_str().unwrap_or_default()
    }

    /// Any member of the record.
    pub fn member(&self, member: &str) -> &Value {
        &self.record[member]
    }

    /// The publish time, which must be in UTC and say so with `Z`.
    pub fn publish_time(&self) -> DateTime<Utc> {
        let text = self.text("publish_time");
        assert!(text.ends_with('Z'), "{text} is no publish time");
        text.parse().unwrap_or_else(|error| panic!("{text} is no publish time: {error}"))
    }
}

impl Beside {
    fn metadata(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Bucket(object) => &object.metadata,
            Self::Container(item) => &item.metadata,
        }
    }

    /// The time that a bucket lets a writer give a blob; a container knows none.
    fn custom_time(&self) -> Option<&str> {
        match self {
            Self::Bucket(object) => Some(object.custom_time.as_deref().unwrap_or_default()),
            Self::Container(_) => None,
        }
    }

    /// What is wrong with it, whatever it stands beside.
    fn fault(&self, content: &Content) -> Option<&'static str> {
        match self {
            Self::Bucket(object) if object.content_encoding.is_some() => {
                Some("has a content encoding, so readers would get other bytes")
            }
            Self::Bucket(object) if !object.is_of(&content.read()) => Some("has another CRC32C than its bytes"),
            Self::Container(item) if item.content_type != "application/octet-stream" => Some("has another content type"),
            Self::Container(item) if item.content_md5 != STANDARD.encode(Md5::digest(content.read())) => {
                Some("has another MD5 than its bytes")
            }
            Self::Bucket(_) | Self::Container(_) => None,
        }
    }
}

/// The names of all files below a folder, sorted by their bytes.
fn walk(root: &Path, folder: &Path, names: &mut Vec<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("list {}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("list a folder");
        if entry.file_type().expect("list a folder").is_dir() {
            walk(root, &entry.path(), names);
        } else {
            let path = entry.path();
            names.push(path.strip_prefix(root).expect("it is below").to_str().expect("names are ASCII").to_owned());
        }
    }
    if folder == root {
        names.sort();
    }
}
