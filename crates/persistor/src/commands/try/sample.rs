//! The messages of a try: shaped like real ones, different kinds in turn, the same for the same number.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use persistor_core::{Attribute, Entity, Message, MessageId, Property, PublishTime, Stream};
use serde_json::json;

/// The stream that the samples belong to; their push path.
pub(super) const STREAM: &str = "orders";
const ENTITY: &str = "projects/demo/subscriptions/orders-archive";

/// How long the publishing is said to have taken.
const SPAN: TimeDelta = TimeDelta::minutes(15);

/// One message as the broker has it.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) id: String,
    pub(super) payload: Vec<u8>,
    time: String,
    attributes: BTreeMap<String, String>,
    ordering_key: Option<String>,
}

impl Sample {
    /// So many samples, as if they had been published evenly until now.
    pub(super) fn several(count: u32) -> Vec<Self> {
        let start = Utc::now() - SPAN;
        (0..count)
            .map(|number| {
                Self::new(number, start + SPAN / i32::try_from(count).unwrap_or(1) * i32::try_from(number).unwrap_or(0))
            })
            .collect()
    }

    /// The sample of a number: text, JSON, binary, empty, and now and then a large one.
    fn new(number: u32, time: DateTime<Utc>) -> Self {
        let customer = number % 40;
        let payload = match number % 5 {
            _ if number % 97 == 96 => noise(number, 1_000_000),
            0 => format!("Order {number} was paid. Grüße, 客户 {customer}\n").into_bytes(),
            1 | 2 => json!({ "order": { "id": number, "customer": customer, "total": f64::from(number) / 100.0 } })
                .to_string()
                .into_bytes(),
            3 => noise(number, 2_000),
            _ => Vec::new(),
        };
        let mut attributes =
            BTreeMap::from([("source".to_owned(), "shop".to_owned()), ("number".to_owned(), number.to_string())]);
        if number.is_multiple_of(10) {
            attributes.insert("note \"\u{1F4E6}\"".into(), "../../etc\n\u{7f}".into());
        }
        Self {
            id: (14_217_110_643_u64 + u64::from(number) * 7).to_string(),
            payload,
            time: time.to_rfc3339_opts(SecondsFormat::Millis, true),
            attributes,
            ordering_key: number.is_multiple_of(3).then(|| format!("customer {customer}")),
        }
    }

    /// The body of its push, as Pub/Sub writes it.
    pub(super) fn push(&self) -> Bytes {
        let mut message = json!({
            "messageId": self.id, "message_id": self.id, "publishTime": self.time, "publish_time": self.time, "attributes": self.attributes,
        });
        // Pub/Sub leaves out what is empty.
        if !self.payload.is_empty() {
            message["data"] = STANDARD.encode(&self.payload).into();
        }
        if let Some(key) = &self.ordering_key {
            message["orderingKey"] = key.as_str().into();
        }
        json!({ "message": message, "subscription": ENTITY }).to_string().into()
    }

    /// What has to be stored of it.
    pub(super) fn message(&self) -> anyhow::Result<Message> {
        let (entity, stream, id) = (Entity::new(ENTITY)?, Stream::new(STREAM)?, MessageId::new(self.id.as_str())?);
        let attributes = self.attributes.iter().map(|(name, value)| (name.clone(), Attribute::from(value.as_str()))).collect();
        let payload = Bytes::from(self.payload.clone());
        let message = Message::new(entity, stream, id, PublishTime::parse(&self.time)?, payload).with_attributes(attributes);
        Ok(match &self.ordering_key {
            Some(key) => message.with_property(Property::OrderingKey, key.as_str()),
            None => message,
        })
    }
}

/// Bytes of every value that look like nothing (a linear congruential generator: no security is asked of them).
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}
