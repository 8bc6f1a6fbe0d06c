//! Invocations of a Service Bus trigger (extension 5.x), read in `ServiceBusTriggerBindingStrategy.cs`: names in the order in which they are added there.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::json::Json;
use super::values::{Form, Value, ticks};
use super::{Binding, BindingData, Cardinality, DataType, Invocation, System, envelope};

/// What a sender gives a message.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub body: Bytes,
    pub message_id: Option<String>,
    pub content_type: Option<String>,
    pub correlation_id: Option<String>,
    pub subject: Option<String>,
    pub to: Option<String>,
    pub reply_to: Option<String>,
    pub session_id: Option<String>,
    pub reply_to_session_id: Option<String>,
    pub partition_key: Option<String>,
    pub transaction_partition_key: Option<String>,
    pub application_properties: Vec<(String, Property)>,
}

/// An application property, by its type in AMQP.
#[derive(Clone, Debug, PartialEq)]
pub enum Property {
    Null,
    Boolean(bool),
    Byte(i8),
    UByte(u8),
    Short(i16),
    UShort(u16),
    Int(i32),
    UInt(u32),
    Long(i64),
    ULong(u64),
    /// The digits as .NET prints them, with `.0` where it is whole; or `NaN`, `Infinity`.
    Float(&'static str),
    Double(&'static str),
    Decimal(&'static str),
    Char(char),
    Text(String),
    Uuid(&'static str),
    Timestamp(DateTime<Utc>),
    Binary(Vec<u8>),
    /// Azure's own described types.
    TimeSpan(&'static str),
    DateTimeOffset(DateTime<Utc>),
    Uri(&'static str),
}

/// A message as a broker hands it out.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub message: Arc<Message>,
    pub sequence: i64,
    pub enqueued: DateTime<Utc>,
    pub expires: DateTime<Utc>,
    pub delivery_count: u32,
    pub lock_token: String,
    pub dead_letter_source: Option<String>,
}

impl Message {
    pub fn new(message_id: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), message_id: Some(message_id.into()), ..Self::default() }
    }

    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: Property) -> Self {
        self.application_properties.push((name.into(), value));
        self
    }

    #[must_use]
    pub fn in_session(mut self, session: impl Into<String>) -> Self {
        self.session_id = Some(session.into());
        self
    }

    /// The dictionary as Newtonsoft writes it.
    fn application_properties(&self) -> Json {
        Json::Object(self.application_properties.iter().map(|(name, value)| (name.clone(), value.json())).collect())
    }
}

impl Property {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// What Newtonsoft makes of the .NET value that the Service Bus client makes of it.
    pub fn json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(value) => Json::Bool(*value),
            Self::Byte(value) => Json::number(value),
            Self::UByte(value) => Json::number(value),
            Self::Short(value) => Json::number(value),
            Self::UShort(value) => Json::number(value),
            Self::Int(value) => Json::number(value),
            Self::UInt(value) => Json::number(value),
            Self::Long(value) => Json::number(value),
            Self::ULong(value) => Json::number(value),
            Self::Float(digits) | Self::Double(digits) if !digits.ends_with(|last: char| last.is_ascii_digit()) => {
                Json::text(*digits)
            }
            Self::Float(digits) | Self::Double(digits) | Self::Decimal(digits) => Json::number(digits),
            Self::Char(value) => Json::Text(value.to_string()),
            Self::Text(value) => Json::text(value),
            Self::Uuid(value) | Self::TimeSpan(value) | Self::Uri(value) => Json::text(*value),
            Self::Timestamp(time) => Json::Text(ticks(*time) + "Z"),
            Self::DateTimeOffset(time) => Json::Text(ticks(*time) + "+00:00"),
            Self::Binary(bytes) => Json::Text(STANDARD.encode(bytes)),
        }
    }
}

/// The invocation that brings these messages: one, or those of a batch.
///
/// # Panics
/// If there are several and the cardinality is one.
pub fn invocation(binding: &Binding, namespace: &str, form: Form, system: &System, deliveries: &[Delivery]) -> Invocation {
    let mut metadata = BindingData::default();
    let session = binding.has_sessions().then(|| Json::Text(ticks(system.now) + "+00:00"));
    let actions = Json::Object(session.into_iter().map(|until| ("SessionLockedUntil".to_owned(), until)).collect());
    for name in ["MessageReceiver", "MessageSession", "MessageActions", "SessionActions"] {
        metadata.add(name, Value::Json(actions.clone()));
    }
    metadata.add("ReceiveActions", Value::Json(Json::Object(vec![])));
    let client = [
        ("FullyQualifiedNamespace", Json::text(namespace)),
        ("IsClosed", Json::Bool(false)),
        ("TransportType", Json::number(0)),
        ("Identifier", Json::text(format!("{namespace}-00000000-0000-4000-a000-000000000000"))),
    ];
    metadata.add("Client", Value::Json(Json::object(client)));
    let data = match binding.cardinality {
        Cardinality::One => {
            let [delivery] = deliveries else { panic!("{} messages for cardinality one", deliveries.len()) };
            add_one(&mut metadata, delivery);
            match binding.data_type {
                DataType::Binary => Value::Bytes(delivery.message.body.clone()),
                DataType::Text => {
                    let text = String::from_utf8_lossy(&delivery.message.body).into_owned();
                    metadata.overlay(&text);
                    Value::Json(Json::Text(text))
                }
            }
        }
        Cardinality::Many => {
            add_many(&mut metadata, deliveries);
            let body = |delivery: &Delivery| match binding.data_type {
                DataType::Binary => Json::Text(STANDARD.encode(&delivery.message.body)),
                DataType::Text => Json::text(String::from_utf8_lossy(&delivery.message.body)),
            };
            Value::Json(Json::Array(deliveries.iter().map(body).collect()))
        }
    };
    envelope(binding, form, system, data, metadata)
}

fn add_one(metadata: &mut BindingData, delivery: &Delivery) {
    let message = &*delivery.message;
    metadata.add("DeliveryCount", Value::number(delivery.delivery_count));
    metadata.add_nullable("DeadLetterSource", delivery.dead_letter_source.as_deref());
    metadata.add("LockToken", Value::text(&delivery.lock_token));
    metadata.add("ExpiresAtUtc", Value::Time(delivery.expires));
    metadata.add("ExpiresAt", Value::OffsetTime(delivery.expires));
    metadata.add("EnqueuedTimeUtc", Value::Time(delivery.enqueued));
    metadata.add("EnqueuedTime", Value::OffsetTime(delivery.enqueued));
    metadata.add_nullable("MessageId", message.message_id.as_deref());
    metadata.add_nullable("ContentType", message.content_type.as_deref());
    metadata.add_nullable("ReplyTo", message.reply_to.as_deref());
    metadata.add("SequenceNumber", Value::number(delivery.sequence));
    metadata.add_nullable("To", message.to.as_deref());
    metadata.add_nullable("Subject", message.subject.as_deref());
    metadata.add_nullable("Label", message.subject.as_deref());
    metadata.add_nullable("CorrelationId", message.correlation_id.as_deref());
    metadata.add("ApplicationProperties", Value::Json(message.application_properties()));
    metadata.add("UserProperties", Value::Json(message.application_properties()));
    metadata.add_nullable("SessionId", message.session_id.as_deref());
    metadata.add_nullable("ReplyToSessionId", message.reply_to_session_id.as_deref());
    metadata.add_nullable("PartitionKey", message.partition_key.as_deref());
    metadata.add_nullable("TransactionPartitionKey", message.transaction_partition_key.as_deref());
}

fn add_many(metadata: &mut BindingData, deliveries: &[Delivery]) {
    let mut add = |name: &str, value: &dyn Fn(&Delivery) -> Json| {
        metadata.add(name, Value::Json(Json::Array(deliveries.iter().map(value).collect())));
    };
    add("DeliveryCountArray", &|delivery| Json::number(delivery.delivery_count));
    add("DeadLetterSourceArray", &|delivery| Json::nullable(delivery.dead_letter_source.as_deref()));
    add("LockTokenArray", &|delivery| Json::text(&delivery.lock_token));
    add("ExpiresAtUtcArray", &|delivery| Json::Text(ticks(delivery.expires)));
    add("ExpiresAtArray", &|delivery| Json::Text(ticks(delivery.expires) + "+00:00"));
    add("EnqueuedTimeUtcArray", &|delivery| Json::Text(ticks(delivery.enqueued)));
    add("EnqueuedTimeArray", &|delivery| Json::Text(ticks(delivery.enqueued) + "+00:00"));
    add("MessageIdArray", &|delivery| Json::nullable(delivery.message.message_id.as_deref()));
    add("ContentTypeArray", &|delivery| Json::nullable(delivery.message.content_type.as_deref()));
    add("ReplyToArray", &|delivery| Json::nullable(delivery.message.reply_to.as_deref()));
    add("SequenceNumberArray", &|delivery| Json::number(delivery.sequence));
    add("ToArray", &|delivery| Json::nullable(delivery.message.to.as_deref()));
    add("SubjectArray", &|delivery| Json::nullable(delivery.message.subject.as_deref()));
    add("LabelArray", &|delivery| Json::nullable(delivery.message.subject.as_deref()));
    add("CorrelationIdArray", &|delivery| Json::nullable(delivery.message.correlation_id.as_deref()));
    add("ApplicationPropertiesArray", &|delivery| delivery.message.application_properties());
    add("UserPropertiesArray", &|delivery| delivery.message.application_properties());
    add("SessionIdArray", &|delivery| Json::nullable(delivery.message.session_id.as_deref()));
    add("ReplyToSessionIdArray", &|delivery| Json::nullable(delivery.message.reply_to_session_id.as_deref()));
    add("PartitionKeyArray", &|delivery| Json::nullable(delivery.message.partition_key.as_deref()));
    // The extension puts the partition keys here, too.
    add("TransactionPartitionKeyArray", &|delivery| Json::nullable(delivery.message.partition_key.as_deref()));
}
