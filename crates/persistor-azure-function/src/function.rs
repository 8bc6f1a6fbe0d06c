//! One function of the app: what triggers it, and what its messages are called.

use std::time::Duration;

use persistor_core::{Entity, Stream};
use persistor_serve::Decoded;

/// A function that the host calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its folder's name, and the path it is called at.
    pub name: String,
    /// What calls it.
    pub trigger: Trigger,
    /// Whether a call has one message or many.
    pub cardinality: Cardinality,
    /// The name of the trigger's value in a call.
    pub binding: String,
    /// Where its messages come from.
    pub entity: Entity,
    /// What they are called in the archive.
    pub stream: Stream,
}

/// What calls a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A message of a queue or of a topic's subscription.
    ServiceBus,
    /// An event of a partition.
    EventHubs,
    /// An event that was published to a topic.
    EventGrid,
}

/// How many messages a call has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// One.
    One,
    /// A batch.
    Many,
}

impl Function {
    /// The time in which a call is to be answered where no setting says otherwise. A single message's lock is renewed for five minutes, a
    /// batch's is not, and a lock is a minute long where nobody made it longer.
    pub(crate) fn default_deadline(&self) -> Duration {
        match self.cardinality {
            Cardinality::One => Duration::from_secs(240),
            Cardinality::Many => Duration::from_secs(45),
        }
    }

    /// What lives beside the body of a call.
    pub(crate) fn decoded(&self) -> Decoded {
        match (self.trigger, self.cardinality) {
            (Trigger::ServiceBus | Trigger::EventHubs, Cardinality::One) => Decoded::Yes,
            _ => Decoded::Unescaped,
        }
    }
}
