//! A reader of archives in folders, written from `FORMAT.md`: it pairs payloads with records and finds all that is not as the page
//! says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::canonical::canonical;
use crate::naming::{default_key, sha256};

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

/// All that a folder holds.
#[derive(Debug, Default)]
pub struct Archive {
    /// Messages by key.
    pub messages: BTreeMap<String, Stored>,
    /// Records without their payload: what a crash leaves.
    pub lone_records: Vec<String>,
    /// Names in `.tmp` of what is being written.
    pub temporary: Vec<String>,
    /// How many layouts it describes.
    pub layouts: usize,
    /// Everything that is not as the format says, in words.
    pub faults: Vec<String>,
}

/// One message.
#[derive(Debug)]
pub struct Stored {
    path: PathBuf,
    record: Map<String, Value>,
}

impl Archive {
    /// Reads and checks a whole archive.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn read(root: &Path) -> Self {
        let mut names = Vec::new();
        walk(root, root, &mut names);
        let mut archive = Self::default();
        let mut records = BTreeMap::new();
        for name in &names {
            if name.starts_with(".tmp/") {
                // One for each process that writes, as long as it does; a process that was killed leaves it like the others.
                if !name.starts_with(".tmp/open-") {
                    archive.temporary.push(name.clone());
                }
            } else if name.starts_with("_persistor/layout/") {
                archive.read_layout(root, name);
            } else if name.split('/').any(|segment| segment.starts_with(['.', '_'])) {
                archive.faults.push(format!("`{name}` is no name of a blob"));
            } else if let Some(key) = name.strip_suffix(".record") {
                records.insert(key, name);
            }
        }
        for (key, record) in &records {
            if names.binary_search_by(|name| name.as_str().cmp(key)).is_err() {
                archive.lone_records.push((*record).clone());
            }
        }
        let payloads = names.iter().filter(|name| !name.starts_with(['.', '_']) && !name.ends_with(".record"));
        for key in payloads {
            match records.get(key.as_str()).ok_or("has no record".to_owned()).and_then(|record| Stored::read(root, key, record)) {
                Ok(stored) => drop(archive.messages.insert(key.clone(), stored)),
                Err(fault) => archive.faults.push(format!("`{key}` {fault}")),
            }
        }
        if archive.layouts == 0 && !archive.messages.is_empty() {
            archive.faults.push("it has messages and no layout".to_owned());
        }
        archive
    }

    /// The same, of an archive that must be in order.
    pub fn read_sound(root: &Path) -> Self {
        let archive = Self::read(root);
        assert!(archive.faults.is_empty(), "{} faults:\n{}", archive.faults.len(), archive.faults.join("\n"));
        archive
    }

    /// Messages by id. There must not be two of one id.
    pub fn by_id(&self) -> BTreeMap<&str, &Stored> {
        let by_id: BTreeMap<_, _> = self.messages.values().map(|stored| (stored.text("id"), stored)).collect();
        assert_eq!(by_id.len(), self.messages.len(), "a message is stored twice");
        by_id
    }

    fn read_layout(&mut self, root: &Path, name: &str) {
        let text = fs::read(root.join(name)).expect("read layout");
        let layout: Value = serde_json::from_slice(&text).unwrap_or_default();
        let named = name == format!("_persistor/layout/{}.json", &sha256(&text)[..32]);
        let known = layout["format"] == "persistor/1" && layout["kind"] == "layout" && layout["template"].is_string();
        if named && known && canonical(&layout).is_ok_and(|canonical| canonical.as_bytes() == text) {
            self.layouts += 1;
        } else {
            self.faults.push(format!("`{name}` is no layout: {layout}"));
        }
    }
}

impl Stored {
    fn read(root: &Path, key: &str, record_name: &str) -> Result<Self, String> {
        let text = fs::read(root.join(record_name)).expect("read record");
        let record: Value = serde_json::from_slice(&text).map_err(|error| format!("has no readable record: {error}"))?;
        if canonical(&record)?.as_bytes() != text {
            return Err("has a record that is not canonical".to_owned());
        }
        let Value::Object(record) = record else { return Err("has a record that is no object".to_owned()) };
        let stored = Self { path: root.join(key), record };
        stored.check(key)?;
        Ok(stored)
    }

    fn check(&self, key: &str) -> Result<(), String> {
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
        let expected = default_key(self.text("stream"), self.publish_time(), self.text("id"), &payload);
        if key == expected { Ok(()) } else { Err(format!("has another key by its record: {expected}")) }
    }

    /// The payload's bytes.
    pub fn payload(&self) -> Vec<u8> {
        fs::read(&self.path).expect("read payload")
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
