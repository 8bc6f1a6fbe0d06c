//! Pub/Sub's push requests made by hand, shaped as production shapes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::http::Request;
use crate::naming::default_key;
use crate::witness::is_acknowledgement;

/// The subscription that hand-made pushes say they come from.
pub const SUBSCRIPTION: &str = "projects/persistor/subscriptions/by-hand";

/// One message, to be pushed.
#[derive(Clone, Debug)]
pub struct Push {
    pub stream: String,
    pub id: String,
    pub publish_time: String,
    pub payload: Bytes,
    pub attributes: BTreeMap<String, String>,
    pub ordering_key: Option<String>,
}

impl Push {
    /// A message of the stream `orders`, published in the afternoon.
    pub fn new(id: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            stream: "orders".to_owned(),
            id: id.into(),
            publish_time: "2026-11-22T15:40:12.503Z".to_owned(),
            payload: payload.into(),
            attributes: BTreeMap::new(),
            ordering_key: None,
        }
    }

    /// The request that brings it, in its envelope.
    pub fn request(&self) -> Request {
        self.request_from(SUBSCRIPTION)
    }

    /// The same from another subscription.
    pub fn request_from(&self, subscription: &str) -> Request {
        let mut message = Map::new();
        for (name, value) in [("messageId", &self.id), ("publishTime", &self.publish_time)] {
            message.insert(name.to_owned(), Value::String(value.clone()));
        }
        for (name, value) in [("message_id", &self.id), ("publish_time", &self.publish_time)] {
            message.insert(name.to_owned(), Value::String(value.clone()));
        }
        if !self.attributes.is_empty() {
            let attributes = self.attributes.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
            message.insert("attributes".to_owned(), Value::Object(attributes.collect()));
        }
        if let Some(key) = &self.ordering_key {
            message.insert("orderingKey".to_owned(), Value::String(key.clone()));
        }
        message.insert("data".to_owned(), Value::String(STANDARD.encode(&self.payload)));
        let body = serde_json::json!({ "message": message, "subscription": subscription });
        let request = Request::post(&format!("/{}", self.stream), body.to_string());
        request.header("Content-Type", "application/json").header("User-Agent", "CloudPubSub-Google")
    }

    /// The key that it must have in an archive.
    ///
    /// # Panics
    /// If its publish time is none.
    pub fn key(&self) -> String {
        default_key(&self.stream, self.publish_time.parse().expect("a time"), &self.id, &self.payload)
    }

    /// Whether its payload stands whole under its key now, with a whole record beside it.
    pub fn is_stored(&self, root: &Path) -> bool {
        let payload = fs::read(root.join(self.key()));
        let record = fs::read(root.join(self.key() + ".record")).unwrap_or_default();
        let record: Value = serde_json::from_slice(&record).unwrap_or_default();
        payload.is_ok_and(|payload| payload == self.payload) && record["id"] == self.id.as_str()
    }
}

/// Holds replies against the archive as it is now: whatever was acknowledged is stored.
///
/// # Panics
/// If something is not.
pub fn assert_acknowledged_are_stored(root: &Path, pushes: &[Push], statuses: &[Option<u16>]) {
    assert_eq!(pushes.len(), statuses.len());
    for (push, status) in pushes.iter().zip(statuses) {
        let acknowledged = status.is_some_and(is_acknowledgement);
        assert!(!acknowledged || push.is_stored(root), "{} was acknowledged with {status:?} and is not stored", push.id);
    }
}
