//! A push, of whichever form: read from a body, and made a message.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use persistor_core::{Attribute, Entity, Fidelity, Message, MessageId, Property, PublishTime, Stream};
use persistor_serve::{Fault, Held, Refusal, decode_base64, owned_bytes};
use tokio::time::Instant;

use crate::envelope;
use crate::unwrapped::Metadata;

/// How long a push waits for room for its metadata.
const ROOM_WAIT: Duration = Duration::from_secs(1);

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

/// Reads a wrapped push.
pub(crate) async fn wrapped(headers: &HeaderMap, held: Held) -> Result<Pushed, Fault> {
    if let Some(id) = headers.get("x-goog-pubsub-message-id") {
        // A wrapped push has none; the body of an unwrapped one is its publisher's, and could say anything of itself.
        let reason = "the request has an unwrapped push's headers: set `PERSISTOR_PUSH=unwrapped`, or remove `no_wrapper` from the subscription";
        return Err(Fault::malformed("unwrapped-push", reason).of_message(&String::from_utf8_lossy(id.as_bytes())));
    }
    let Held { bytes: body, mut reservation } = held;
    let parts = envelope::take_apart(&body)?;
    let for_metadata = reservation.for_metadata(parts.metadata(), Instant::now() + ROOM_WAIT).await.map_err(Refusal::from);
    let for_metadata = for_metadata.map_err(|refusal| Fault { message_id: parts.message_id(), ..refusal.into() })?;
    let envelope = parts.read()?;
    let bytes = decode_base64(envelope.data).map_err(|fault| fault.of_message(&envelope.id))?;
    // The envelope's text is not needed any more.
    reservation.shrink_to(bytes.capacity() as u64 + for_metadata);
    Ok(Pushed {
        entity: envelope.subscription,
        id: envelope.id,
        publish_time: envelope.publish_time,
        ordering_key: envelope.ordering_key,
        attributes: envelope.attributes.into_iter().map(|(name, value)| (name, value.into())).collect(),
        fidelity: None,
        payload: owned_bytes(bytes, reservation.into()),
    })
}

/// Reads an unwrapped push.
pub(crate) async fn unwrapped(metadata: Metadata, held: Held) -> Result<Pushed, Fault> {
    let Held { bytes, mut reservation } = held;
    let for_metadata = reservation.for_metadata(metadata.bytes, Instant::now() + ROOM_WAIT).await.map_err(Refusal::from);
    for_metadata.map_err(|refusal| Fault::from(refusal).of_message(&metadata.id))?;
    Ok(Pushed {
        entity: metadata.subscription,
        id: metadata.id,
        publish_time: metadata.publish_time,
        ordering_key: metadata.ordering_key,
        attributes: metadata.attributes,
        fidelity: Some(Fidelity::Headers),
        payload: owned_bytes(bytes, reservation.into()),
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
