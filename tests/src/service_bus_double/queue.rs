//! The queue or topic: what a transfer holds, and what becomes of it.

use fe2o3_amqp_types::definitions;
use fe2o3_amqp_types::messaging::annotations::OwnedKey;
use fe2o3_amqp_types::messaging::message::__private::{Deserializable, Serializable};
use fe2o3_amqp_types::messaging::{Body, Message};
use fe2o3_amqp_types::primitives::Value;

use super::{Fault, Shared, Taken, error};

/// The message format by which a transfer is known as a batch.
const BATCH_FORMAT: u32 = 0x8001_3700;

/// The answer to a transfer.
pub(super) enum Answer {
    Accept,
    Reject(definitions::Error),
    Release,
    None,
    Detach(definitions::Error),
    Cut,
}

/// Takes what a transfer holds, or does to it what the test wants.
pub(super) fn answer(message: &Message<Body<Value>>, format: Option<u32>, shared: &Shared) -> Answer {
    let size = serde_amqp::to_vec(&Serializable(message)).map_or(0, |bytes| bytes.len() as u64);
    let mut state = shared.lock();
    let transfer = state.transfers;
    state.transfers += 1;
    state.largest = state.largest.max(size);
    let fault = state.faults.pop_front().unwrap_or(Fault::None);
    match fault {
        Fault::Reject(condition, description) => return Answer::Reject(error(condition, description)),
        Fault::Release => return Answer::Release,
        Fault::Silence => return Answer::None,
        Fault::Detach(condition) => return Answer::Detach(error(condition, "")),
        Fault::CutBefore => return Answer::Cut,
        Fault::CutAfter | Fault::None => {}
    }
    let messages = if format == Some(BATCH_FORMAT) { apart(message) } else { vec![message.clone()] };
    let taken: Vec<_> = messages.iter().map(|message| taken(message, transfer)).collect();
    if size > shared.options.max_message_size {
        return Answer::Reject(error("amqp:link:message-size-exceeded", ""));
    }
    if taken.iter().any(|message| Some(&message.payload) == state.refused.as_ref()) {
        return Answer::Reject(error("amqp:not-allowed", "It is not taken."));
    }
    let session = |message: &Taken| (message.properties.group_id.clone(), message.partition_key.clone());
    if taken.iter().any(|message| session(message) != session(&taken[0])) {
        let words = "Batching brokered messages with distinct SessionId or PartitionKey is not supported for an entity with partitioning enabled.";
        return Answer::Reject(error("amqp:not-allowed", words));
    }
    if shared.options.sessions && taken.iter().any(|message| message.properties.group_id.is_none()) {
        let words = "The SessionId was not set on a message, and it cannot be sent to the entity. Entities that have session support enabled can only receive messages that have the SessionId set to a valid value.";
        return Answer::Reject(error("amqp:not-allowed", words));
    }
    state.taken.extend(taken);
    if matches!(fault, Fault::CutAfter) { Answer::Cut } else { Answer::Accept }
}

/// A batch's messages.
fn apart(batch: &Message<Body<Value>>) -> Vec<Message<Body<Value>>> {
    let Body::Data(sections) = &batch.body else { panic!("a batch is made of sections of data") };
    let read = |bytes: &[u8]| serde_amqp::from_slice::<Deserializable<Message<Body<Value>>>>(bytes).expect("a message").0;
    sections.iter().map(|data| read(&data.0)).collect()
}

fn taken(message: &Message<Body<Value>>, transfer: usize) -> Taken {
    let Body::Data(sections) = &message.body else { panic!("a payload is data") };
    assert_eq!(sections.iter().count(), 1, "a payload is one section");
    let annotation = |name: &str| match message.message_annotations.as_ref()?.0.get(&OwnedKey::from(name)) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    let application = message.application_properties.as_ref();
    let application =
        application.map(|properties| properties.0.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
    Taken {
        payload: sections.iter().flat_map(|data| data.0.to_vec()).collect(),
        properties: message.properties.clone().unwrap_or_default(),
        application: application.unwrap_or_default(),
        partition_key: annotation("x-opt-partition-key"),
        durable: message.header.as_ref().is_some_and(|header| header.durable),
        ttl: message.header.as_ref().and_then(|header| header.ttl),
        transfer,
    }
}
