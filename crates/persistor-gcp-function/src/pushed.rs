//! A push, of whichever form: read from a body, and made a message.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use bytes::Bytes;
use persistor_core::{Attribute, Entity, Fidelity, Message, MessageId, Property, PublishTime, Stream};
use persistor_serve::{Buffer, Held, Reservation};

use crate::fault::Fault;
use crate::{base64_text, envelope, unwrapped};

/// What both forms of a push say.
pub(crate) struct Pushed {
    entity: String,
    id: String,
    publish_time: String,
    ordering_key: Option<String>,
    attributes: BTreeMap<String, Attribute>,
    fidelity: Option<Fidelity>,
    payload: Bytes,
}

/// A payload that gives its part of the memory budget back when the last reader of it is done, however long a store takes.
struct Payload {
    bytes: Buffer,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

pub(crate) fn wrapped(held: Held) -> Result<Pushed, Fault> {
    let Held { bytes: body, mut reservation } = held;
    let envelope = envelope::decode(&body)?;
    let bytes = base64_text::decode(envelope.data).map_err(|fault| fault.of_message(&envelope.id))?;
    let push = |payload| Pushed {
        entity: envelope.subscription,
        id: envelope.id,
        publish_time: envelope.publish_time,
        ordering_key: envelope.ordering_key,
        attributes: envelope.attributes.into_iter().map(|(name, value)| (name, value.into())).collect(),
        fidelity: None,
        payload,
    };
    // The envelope's text is not needed any more; only the payload's part stays reserved.
    let rest = body.len() as u64 - envelope.data.len() as u64;
    reservation.shrink_to(bytes.capacity() as u64 + rest);
    let push = push(Bytes::from_owner(Payload { bytes, _reservation: reservation }));
    drop(body);
    Ok(push)
}

pub(crate) fn unwrapped(headers: &HeaderMap, held: Held) -> Result<Pushed, Fault> {
    let metadata = unwrapped::decode(headers)?;
    Ok(Pushed {
        entity: metadata.subscription,
        id: metadata.id,
        publish_time: metadata.publish_time,
        ordering_key: metadata.ordering_key,
        attributes: metadata.attributes,
        fidelity: Some(Fidelity::Headers),
        payload: Bytes::from_owner(Payload { bytes: held.bytes, _reservation: held.reservation }),
    })
}

impl Pushed {
    /// The message, of this stream or else of the one that the entity's name gives.
    pub(crate) fn message(self, stream: Option<Stream>) -> Result<Message, Fault> {
        let malformed = |error, reason: persistor_core::Error| Fault::malformed(error, reason.to_string()).of_message(&self.id);
        let entity = Entity::new(self.entity).map_err(|error| malformed("missing-subscription", error))?;
        let id = MessageId::new(self.id.as_str()).map_err(|error| malformed("missing-id", error))?;
        let publish_time = PublishTime::parse(&self.publish_time).map_err(|error| malformed("bad-time", error))?;
        let stream = stream.unwrap_or_else(|| default_stream(&entity));
        let mut message = Message::new(entity, stream, id, publish_time, self.payload).with_attributes(self.attributes);
        if let Some(key) = self.ordering_key {
            message = message.with_property(Property::OrderingKey, key);
        }
        if let Some(fidelity) = self.fidelity {
            message = message.with_fidelity(fidelity);
        }
        Ok(message)
    }
}

/// `PROJECT.SUBSCRIPTION`, and any other name as it is.
fn default_stream(entity: &Entity) -> Stream {
    let short = match entity.as_str().split('/').collect::<Vec<_>>()[..] {
        ["projects", project, "subscriptions", subscription] => format!("{project}.{subscription}"),
        _ => entity.as_str().to_owned(),
    };
    Stream::new(short).expect("an entity is not empty, and a short name holds a dot")
}
