//! Invocations of an Event Hubs trigger (extension 6.x), read in `EventHubTriggerBindingStrategy.cs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::json::Json;
use super::service_bus::Property;
use super::values::{Form, Value, ticks};
use super::{Binding, BindingData, Cardinality, DataType, Invocation, System, Trigger, envelope};

/// An event as a partition holds it.
#[derive(Clone, Debug)]
pub struct Event {
    pub body: Bytes,
    pub sequence: i64,
    /// No number in a hub that is replicated.
    pub offset: String,
    pub enqueued: DateTime<Utc>,
    pub partition_key: Option<String>,
    pub properties: Vec<(String, Property)>,
    /// AMQP's own properties by their names there, such as `message-id`.
    pub amqp_properties: Vec<(&'static str, String)>,
}

impl Event {
    /// What the extension takes for the offset where it is no number.
    fn numeric_offset(&self) -> i64 {
        self.offset.parse().unwrap_or(-1)
    }

    fn properties(&self) -> Json {
        Json::Object(self.properties.iter().map(|(name, value)| (name.clone(), value.json())).collect())
    }

    /// AMQP's properties, the broker's annotations, and what the extension adds. Nested in an object, a time keeps its fraction.
    fn system_properties(&self) -> Json {
        let mut members: Vec<_> =
            self.amqp_properties.iter().map(|(name, value)| ((*name).to_owned(), Json::text(value))).collect();
        let broker = [
            ("x-opt-sequence-number", Json::number(self.sequence)),
            ("x-opt-offset", Json::text(&self.offset)),
            ("x-opt-enqueued-time", Json::Text(ticks(self.enqueued) + "Z")),
            ("SequenceNumber", Json::number(self.sequence)),
            ("Offset", Json::number(self.numeric_offset())),
            ("OffsetString", Json::text(&self.offset)),
            ("PartitionKey", Json::nullable(self.partition_key.as_deref())),
            ("EnqueuedTimeUtc", Json::Text(ticks(self.enqueued))),
        ];
        members.extend(broker.map(|(name, value)| (name.to_owned(), value)));
        Json::Object(members)
    }
}

/// The invocation that brings these events of a partition: one, or those of a batch.
///
/// # Panics
/// If it is not bound to a hub, or there are several and the cardinality is one.
pub fn invocation(
    binding: &Binding,
    namespace: &str,
    partition: &str,
    form: Form,
    system: &System,
    events: &[Event],
) -> Invocation {
    let Trigger::Hub { hub, consumer_group } = &binding.trigger else { panic!("{binding:?} is bound to no hub") };
    let mut metadata = BindingData::default();
    let context = Json::object([
        ("IsCheckpointingAfterInvocation", Json::Bool(true)),
        ("FullyQualifiedNamespace", Json::text(namespace)),
        ("EventHubName", Json::text(hub)),
        ("ConsumerGroup", Json::text(consumer_group)),
        ("PartitionId", Json::text(partition)),
    ]);
    metadata.add("TriggerPartitionContext", Value::Json(context.clone()));
    metadata.add("PartitionContext", Value::Json(context));
    let data = match binding.cardinality {
        Cardinality::One => {
            let [event] = events else { panic!("{} events for cardinality one", events.len()) };
            metadata.add_nullable("PartitionKey", event.partition_key.as_deref());
            metadata.add("Offset", Value::text(event.numeric_offset().to_string()));
            metadata.add("OffsetString", Value::text(&event.offset));
            metadata.add("SequenceNumber", Value::number(event.sequence));
            metadata.add("EnqueuedTimeUtc", Value::Time(event.enqueued));
            metadata.add("Properties", Value::Json(event.properties()));
            metadata.add("SystemProperties", Value::Json(event.system_properties()));
            match binding.data_type {
                DataType::Binary => Value::Bytes(event.body.clone()),
                DataType::Text => {
                    let text = String::from_utf8_lossy(&event.body).into_owned();
                    metadata.overlay(&text);
                    Value::text(text)
                }
            }
        }
        Cardinality::Many => {
            let mut add = |name: &str, value: &dyn Fn(&Event) -> Json| {
                metadata.add(name, Value::Json(Json::Array(events.iter().map(value).collect())));
            };
            add("PartitionKeyArray", &|event| Json::nullable(event.partition_key.as_deref()));
            add("OffsetArray", &|event| Json::Text(event.numeric_offset().to_string()));
            add("OffsetStringArray", &|event| Json::text(&event.offset));
            add("SequenceNumberArray", &|event| Json::number(event.sequence));
            add("EnqueuedTimeUtcArray", &|event| Json::Text(ticks(event.enqueued)));
            add("PropertiesArray", &Event::properties);
            add("SystemPropertiesArray", &Event::system_properties);
            let body = |event: &Event| match binding.data_type {
                DataType::Binary => Json::Text(STANDARD.encode(&event.body)),
                DataType::Text => Json::text(String::from_utf8_lossy(&event.body)),
            };
            Value::Json(Json::Array(events.iter().map(body).collect()))
        }
    };
    envelope(binding, form, system, data, metadata)
}
