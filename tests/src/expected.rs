//! What an archive must have of a message that was sent, said by the sender, and what is otherwise.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::archive::Stored;
use crate::naming::{key_by_digest, sha256};
use crate::pubsub::Publication;

/// A message as it must stand in an archive. The record's own members (its lengths and digests) are held against the payload by whoever reads the archive.
#[derive(Clone, Debug)]
pub struct Expected {
    pub entity: String,
    pub stream: String,
    pub id: String,
    /// As the record has it, with `Z`.
    pub publish_time: String,
    pub attributes: Value,
    pub properties: Value,
    pub fidelity: Value,
    pub payload: Bytes,
}

/// What a message is told from others by: its entity, its id, its second and its payload's digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity(String);

impl Identity {
    fn new(entity: &str, id: &str, time: DateTime<Utc>, sha256: &str) -> Self {
        Self(format!("{entity}\0{id}\0{}\0{sha256}", time.timestamp()))
    }

    /// That of a message in an archive.
    pub fn of(stored: &Stored) -> Self {
        Self::new(stored.text("entity"), stored.text("id"), stored.publish_time(), stored.text("sha256"))
    }
}

impl Expected {
    /// Of a message that came from Pub/Sub, without an ordering key.
    pub fn published(id: &str, publish_time: &str, publication: Publication, stream: &str, subscription: &str) -> Self {
        let attributes = publication.attributes.into_iter().map(|(name, value)| (name, Value::String(value)));
        Self {
            entity: subscription.to_owned(),
            stream: stream.to_owned(),
            id: id.to_owned(),
            publish_time: publish_time.to_owned(),
            attributes: Value::Object(attributes.collect()),
            properties: json!({}),
            fidelity: json!([]),
            payload: publication.payload,
        }
    }

    fn time(&self) -> DateTime<Utc> {
        self.publish_time.parse().expect("a time")
    }

    /// Where it must stand, and what it is told from others by.
    ///
    /// # Panics
    /// If its publish time is none.
    pub fn key_and_identity(&self) -> (String, Identity) {
        let (time, digest) = (self.time(), sha256(&self.payload));
        (key_by_digest(&self.stream, time, &self.id, &digest), Identity::new(&self.entity, &self.id, time, &digest))
    }

    /// What is stored otherwise, if anything is.
    pub fn difference(&self, stored: &Stored) -> Option<String> {
        if stored.payload() != self.payload {
            return Some("the payload is another one".to_owned());
        }
        let text = |text: &str| Value::from(text);
        let members = [
            ("entity", text(&self.entity)),
            ("stream", text(&self.stream)),
            ("id", text(&self.id)),
            ("publish_time", text(&self.publish_time)),
            ("attributes", self.attributes.clone()),
            ("properties", self.properties.clone()),
            ("fidelity", self.fidelity.clone()),
            ("requires", json!([])),
        ];
        let other = members.into_iter().find(|(member, expected)| stored.member(member) != expected);
        other.map(|(member, expected)| format!("its {member} is {}, not {expected}", stored.member(member)))
    }

    /// # Panics
    /// If something is stored otherwise.
    pub fn assert_same(&self, stored: &Stored) {
        if let Some(difference) = self.difference(stored) {
            panic!("{}: {difference}", self.id);
        }
    }
}
