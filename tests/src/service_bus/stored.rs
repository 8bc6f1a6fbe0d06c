//! Holds what an entity was sent against what an archive has.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::archive::Archive;
use crate::expected::Expected;
use crate::invocation::json::Json;
use crate::invocation::service_bus::Message;
use crate::invocation::values::{ticks, whole_seconds};
use crate::invocation::{Binding, Cardinality, Trigger};
use crate::service_bus::Entity;

/// The id by which a message is stored.
pub fn id(sequence: i64, message: &Message) -> String {
    format!("{sequence:020}-{}", message.message_id.as_deref().unwrap_or_default())
}

/// The full name of what a binding listens to, and the short one.
///
/// # Panics
/// If that is not Service Bus.
pub fn entity_and_stream(binding: &Binding, namespace: &str) -> (String, String) {
    let label = namespace.split('.').next().unwrap_or(namespace);
    match &binding.trigger {
        Trigger::Queue { queue, .. } => (format!("{namespace}/{queue}"), format!("{label}.{queue}")),
        Trigger::Subscription { topic, subscription, .. } => {
            (format!("{namespace}/{topic}/Subscriptions/{subscription}"), format!("{label}.{topic}.{subscription}"))
        }
        other => panic!("{other:?} is not Service Bus"),
    }
}

/// Everything that was ever sent to the entity is stored once, whole, under its key, and nothing else is. `by` is the binding through which each message came
/// first.
///
/// # Panics
/// If it is not so.
pub fn assert_stored(archive: &Archive, entity: &Entity, binding: &Binding, namespace: &str) {
    let stored = archive.by_id();
    let all = entity.all();
    let sent: BTreeSet<_> = all.iter().map(|(sequence, (message, _))| id(*sequence, message)).collect();
    let found: BTreeSet<_> = stored.keys().map(|id| (*id).to_owned()).collect();
    let missing: Vec<_> = sent.difference(&found).take(5).collect();
    let extra: Vec<_> = found.difference(&sent).take(5).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing: {missing:?}; never sent: {extra:?}");
    assert!(archive.lone_records.is_empty(), "records without payloads: {:?}", archive.lone_records);
    for (sequence, (message, enqueued)) in &all {
        let expected = expected(binding, namespace, *sequence, message, *enqueued);
        let (key, _) = expected.key_and_identity();
        assert!(archive.messages.contains_key(&key), "{} has another key than its time, which is {enqueued}", expected.id);
        expected.assert_same(stored[expected.id.as_str()]);
    }
}

/// What must stand in an archive of a message that came first through this binding.
pub fn expected(binding: &Binding, namespace: &str, sequence: i64, message: &Message, enqueued: DateTime<Utc>) -> Expected {
    let (entity, stream) = entity_and_stream(binding, namespace);
    let (time, fidelity) = match binding.cardinality {
        Cardinality::One => (whole_seconds(enqueued), json!(["whole-seconds"])),
        Cardinality::Many => (ticks(enqueued), json!([])),
    };
    let number = sequence.to_string();
    let properties = [
        ("sequence", Some(&number)),
        ("message_id", message.message_id.as_ref()),
        ("session_id", message.session_id.as_ref()),
        ("partition_key", message.partition_key.as_ref()),
        ("content_type", message.content_type.as_ref()),
        ("correlation_id", message.correlation_id.as_ref()),
        ("subject", message.subject.as_ref()),
        ("to", message.to.as_ref()),
        ("reply_to", message.reply_to.as_ref()),
        ("reply_to_session_id", message.reply_to_session_id.as_ref()),
    ];
    let properties = properties.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    let attributes = message.application_properties.iter().map(|(name, value)| (name.clone(), attribute(&value.json())));
    Expected {
        entity,
        stream,
        id: id(sequence, message),
        publish_time: time + "Z",
        attributes: Value::Object(attributes.collect()),
        properties: Value::Object(properties.collect()),
        fidelity,
        payload: message.body.clone(),
    }
}

/// What a record has of a value that a host gives.
///
/// # Panics
/// If it is an array or an object, which no application property is.
pub fn attribute(value: &Json) -> Value {
    match value {
        Json::Text(text) => json!(text),
        Json::Number(digits) => json!({ "number": digits }),
        Json::Bool(value) => json!({ "boolean": value.to_string() }),
        Json::Null => json!({ "null": "" }),
        other => panic!("{other:?} is no application property"),
    }
}
