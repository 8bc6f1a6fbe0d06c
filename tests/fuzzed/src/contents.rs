//! What is in an archive, read without our own code for keys and records: by FORMAT.md, with serde_json, and digests of other crates.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use persistor_core::{LAYOUT_PREFIX, MemoryStore, Metadata, REJECTED_PREFIX, Reader as _};
use serde_json::Value;

use crate::canonical::canonical;
use crate::naming::{default_key, sha256};
use crate::serving::block_on;

/// The longest record that may stand in metadata.
const LONGEST_INLINE: usize = 4000;

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    pub(crate) key: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) record: Value,
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Contents {
    pub(crate) messages: Vec<Kept>,
    /// Calls that were kept as they came.
    pub(crate) rejected: Vec<Vec<u8>>,
    pub(crate) blobs: BTreeMap<String, (Vec<u8>, Metadata)>,
}

impl Contents {
    /// Reads a store whose keys are of the default template.
    ///
    /// # Panics
    /// If something is in it that nobody may write, or a message is not kept as FORMAT.md says.
    pub(crate) fn of(store: &MemoryStore) -> Self {
        let blobs = blobs(store);
        let mut contents = Self::default();
        for (name, (content, metadata)) in &blobs {
            if name.starts_with(REJECTED_PREFIX) {
                contents.rejected.push(content.clone());
            } else if let Some(payload) = name.strip_suffix(".record") {
                assert!(blobs.contains_key(payload), "a record without its payload, and nothing crashed");
            } else if !name.starts_with(LAYOUT_PREFIX) {
                let record = match metadata.get("record").map(String::as_str) {
                    Some("blob") => String::from_utf8(blobs[&format!("{name}.record")].0.clone()).expect("a record is text"),
                    Some(text) => text.to_owned(),
                    None => panic!("a message without a record"),
                };
                assert_eq!(record.len() <= LONGEST_INLINE, metadata["record"] != "blob", "where a record of this length stands");
                contents.messages.push(kept(name, content, &record));
            }
        }
        contents.blobs = blobs;
        contents
    }

    /// Checks that no message is in it.
    pub(crate) fn assert_no_messages(&self) {
        assert!(self.messages.is_empty() && self.rejected.is_empty(), "it was refused, and something was stored");
    }
}

/// All blobs of a store with what stands beside them.
pub(crate) fn blobs(store: &MemoryStore) -> BTreeMap<String, (Vec<u8>, Metadata)> {
    block_on(async {
        let entries: Vec<_> = store.list("", None).try_collect().await.expect("a list");
        let mut blobs = BTreeMap::new();
        for entry in entries {
            let chunks: Vec<_> =
                store.read(&entry.key().expect("a key"), None).await.expect("there").try_collect().await.expect("bytes");
            blobs.insert(entry.name, (chunks.concat(), entry.metadata));
        }
        blobs
    })
}

fn kept(name: &str, payload: &[u8], text: &str) -> Kept {
    let record: Value = serde_json::from_str(text).expect("a record is JSON");
    assert_eq!(canonical(&record).as_deref(), Ok(text), "a record is canonical");
    let mut unchecked = record.clone();
    let check = unchecked.as_object_mut().expect("an object").remove("check").expect("a check");
    assert_eq!(check, sha256(canonical(&unchecked).expect("canonical").as_bytes())[..16], "the check");
    assert_eq!(record["sha256"], sha256(payload));
    assert_eq!(record["length"], payload.len().to_string());
    assert_eq!(record["crc32c"], format!("{:08x}", crc32c::crc32c(payload)));
    let member = |name: &str| record[name].as_str().expect("a text");
    let time: DateTime<Utc> = member("publish_time").parse().expect("a time");
    assert_eq!(name, default_key(member("stream"), time, member("id"), payload), "the key is the message's");
    Kept { key: name.to_owned(), payload: payload.to_vec(), record }
}

/// Checks that a record's time is the one that was given: the same instant, with the same digits of fraction.
pub(crate) fn assert_same_time(kept: &Value, given: &str) {
    let kept = kept.as_str().expect("a time");
    let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap_or_else(|error| panic!("`{text}`: {error}"));
    assert_eq!(instant(kept), instant(given));
    let digits = |text: &str| -> String {
        let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
        fraction.chars().take_while(char::is_ascii_digit).collect()
    };
    assert_eq!(digits(kept), digits(given), "the broker's own digits");
}
