//! All that is known of a message beside its payload.

use std::collections::BTreeMap;

use bytes::Bytes;
use persistor_core::{Attribute, Fidelity, Message, MessageId, Property, PublishTime};
use persistor_serve::Fault;

use crate::function::Function;

/// A message without its payload.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) id: String,
    pub(crate) publish_time: PublishTime,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    pub(crate) properties: Vec<(Property, String)>,
    pub(crate) fidelity: Option<Fidelity>,
}

impl Described {
    /// The message of this function with that payload.
    pub(crate) fn message(self, function: &Function, payload: Bytes) -> Result<Message, Fault> {
        let id = MessageId::new(self.id).map_err(|error| Fault::malformed("missing-id", error.to_string()))?;
        let message = Message::new(function.entity.clone(), function.stream.clone(), id, self.publish_time, payload);
        let message = message.with_attributes(self.attributes);
        let message =
            self.properties.into_iter().fold(message, |message, (property, text)| message.with_property(property, text));
        Ok(match self.fidelity {
            Some(fidelity) => message.with_fidelity(fidelity),
            None => message,
        })
    }
}
