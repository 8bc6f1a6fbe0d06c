//! Pub/Sub: a topic that stored messages are sent to again.
//!
//! Each part is a file: the topic's name (`topic`), which service answers (`endpoint`), the connection (`client`), what can be carried (`limits`), publishing
//! (`publish`), looking without sending (`look`) and what an answer means (`answer`).

mod answer;
mod client;
mod endpoint;
mod limits;
mod look;
mod publish;
mod topic;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use persistor_core::Result;
use persistor_recover::{Capabilities, Feeds, Outgoing, Sink};

use client::Client;

pub use endpoint::TopicEndpoint;
pub use topic::TopicName;

/// How long the client tries one request: enough to pass over a hiccup, and short enough that the caller learns of a failing topic and takes its own measures. The client's own
/// 600 s would hide it.
const RETRIES: Duration = Duration::from_secs(10);
/// How long one answer is waited for. The client's limit is in the request, and nothing bounds the time in which a connection is made.
const PATIENCE: Duration = Duration::from_secs(12);

/// A topic as a sink, over the official client, which is made at the first use.
///
/// Sending needs `pubsub.topics.publish` only. With `pubsub.topics.get` a missing topic is told from a missing right, and with `pubsub.subscriptions.get` it is known which topic
/// a subscription has.
///
/// Every call publishes through a publisher of its own, over the one connection. A publisher keeps what it once had of an ordering key for as long as it lives
/// (a task, and a pause after an error), and puts messages of different calls into one request, which fails as a whole.
pub struct TopicSink {
    topic: TopicName,
    client: Client,
    capabilities: Capabilities,
}

impl TopicSink {
    /// Nothing is connected yet, so this neither waits nor fails.
    pub fn new(topic: TopicName, endpoint: TopicEndpoint) -> Self {
        Self { topic, client: Client::new(endpoint), capabilities: limits::capabilities() }
    }
}

impl fmt::Debug for TopicSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pubsub://{}", self.topic)
    }
}

#[async_trait]
impl Sink for TopicSink {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn check(&self) -> Result<()> {
        self.look().await
    }

    async fn feeds(&self, entity: &str) -> Feeds {
        self.topic_of(entity).await
    }

    async fn send(&self, messages: &[Outgoing], ordered: bool) -> Vec<Result<String>> {
        self.publish(messages, ordered).await
    }

    /// Nothing waits here: every call has waited for its own messages.
    async fn close(&self) -> Result<()> {
        self.client.forget().await;
        Ok(())
    }
}
