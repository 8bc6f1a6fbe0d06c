//! The contract of whatever stored messages are sent to again.

use std::fmt::Debug;

use async_trait::async_trait;
use persistor_core::Result;

use crate::capabilities::Capabilities;
use crate::outgoing::Outgoing;

/// Takes messages: a topic, a queue, an address, a stream of lines.
///
/// For implementors:
/// - **Confirmed means taken.** A receipt is given when the other side has the message, and not before.
/// - **An error says nothing** about whether the message was taken, but that it was not confirmed. Of its kind:
///   [`Invalid`](persistor_core::ErrorKind::Invalid) says that this message will never be taken as it is, and is the message's own. [`Denied`](persistor_core::ErrorKind::Denied) and
///   [`NotFound`](persistor_core::ErrorKind::NotFound) end the replay, since somebody has to change something first; after every other kind the same messages are sent again. Errors name no payload, no attribute and no secret.
/// - **A lane keeps its order.** With `ordered`, messages are sent so that the other side has them in the order of the slice, and nothing behind one that failed is sent: its result is an
///   error too. Calls of one lane come one after the other; those of different lanes, and those without order, side by side.
/// - **Retries are the caller's.** A sink may try again what is safe to repeat, for some seconds, and renews what expires (tokens, connections) by itself.
/// - **Memory** is what it is given, and no more: it answers when it is done, and queues nothing beyond.
#[async_trait]
pub trait Sink: Debug + Send + Sync {
    /// What it can carry.
    fn capabilities(&self) -> &Capabilities;

    /// Why it cannot carry this message, in words; what [`Capabilities`] cannot say. No payload and no value stands in them.
    fn refuses(&self, message: &Outgoing) -> Option<String> {
        let _ = message;
        None
    }

    /// Whether it is there and lets us send, as far as that can be asked without sending anything.
    ///
    /// # Errors
    /// Why nothing could be sent, with what to do about it.
    async fn check(&self) -> Result<()>;

    /// Whether what is sent here comes out of the entity (the broker's full name, as records have it) that messages were stored from.
    async fn feeds(&self, entity: &str) -> Feeds;

    /// Sends messages; one result for each, in their order, with a receipt: the broker's id of what was sent, or an empty text where there is none.
    async fn send(&self, messages: &[Outgoing], ordered: bool) -> Vec<Result<String>>;

    /// Ends what is open, after the last message. Everything that was confirmed stays so, whatever this says.
    ///
    /// # Errors
    /// Where what was confirmed may not be complete after all: only a sink that writes into something has that.
    async fn close(&self) -> Result<()>;
}

/// Whether a sink feeds an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feeds {
    /// What is sent comes out of that entity, and into the archive, again.
    Yes,
    /// It does not.
    No,
    /// It cannot be told; why, in words.
    Unknown(String),
}
