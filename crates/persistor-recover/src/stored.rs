//! One message in an archive, as far as it was asked for, and its line of JSON. `docs/json-lines.md` has the schema.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use persistor_core::{Attribute, Key, ParsedKey, Record, unescape};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::selection::interval;

/// A message whose payload lies at `key`.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The payload's name.
    pub key: Key,
    /// What the key says of it.
    pub parsed: ParsedKey,
    /// The payload's bytes, by the listing.
    pub size: u64,
    /// When the store made the blob.
    pub created: DateTime<Utc>,
    /// Its record, where it was asked for.
    pub record: Option<Record>,
    /// The key that the same message has under another layout, where that one was listed before.
    pub duplicate_of: Option<Key>,
}

impl Stored {
    /// Its stream: the record's, or the key's as far as it stands there whole.
    pub fn stream(&self) -> String {
        let by_key =
            || self.parsed.stream.as_deref().map_or_else(String::new, |text| unescape(text).flatten().unwrap_or(text.to_owned()));
        self.record.as_ref().map_or_else(by_key, |record| record.stream().to_string())
    }

    /// The second of its publishing in UTC, or where its record was not read and its key has no more, the minute, hour or day.
    pub fn second(&self) -> NaiveDateTime {
        let by_key = || interval(&self.parsed.date).map_or(NaiveDateTime::MIN, |(from, _)| from);
        self.record.as_ref().map_or_else(by_key, |record| record.publish_time().second())
    }

    /// One line of JSON without a line end, if the record was read.
    pub fn json(&self) -> Option<String> {
        let record = self.record.as_ref()?;
        let line = Line {
            key: self.key.as_str(),
            stream: record.stream().as_str(),
            entity: record.entity().as_str(),
            id: record.id().as_str(),
            publish_time: record.publish_time().to_string(),
            size: self.size,
            sha256: record.sha256(),
            attributes: Values(record.attributes()),
            properties: Values(record.properties()),
            duplicate_of: self.duplicate_of.as_ref().map(Key::as_str),
        };
        serde_json::to_string(&line).ok()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    stream: &'a str,
    entity: &'a str,
    id: &'a str,
    publish_time: String,
    size: u64,
    sha256: &'a str,
    attributes: Values<'a>,
    properties: Values<'a>,
    duplicate_of: Option<&'a str>,
}

/// Values as a record writes them: a text, or an object of the type's name and a text.
pub(crate) struct Values<'a>(pub(crate) &'a BTreeMap<String, Attribute>);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            match value.type_name() {
                None => map.serialize_entry(name, value.text())?,
                Some(kind) => map.serialize_entry(name, &BTreeMap::from([(kind, value.text())]))?,
            }
        }
        map.end()
    }
}
