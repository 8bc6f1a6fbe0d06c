//! Topics, push subscriptions, publishing, pulling and seeking with Google's own client, against the emulator.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use google_cloud_auth::credentials::{Credentials, anonymous};
use google_cloud_pubsub::client::{Publisher, Subscriber, SubscriptionAdmin, TopicAdmin};
use google_cloud_pubsub::model::push_config::NoWrapper;
use google_cloud_pubsub::model::{Message, PushConfig};
use tokio::runtime::Runtime;

use crate::emulator::Emulator;
use crate::waiting::LIMIT;

/// Bytes that wait for the broker's answer at most: the client itself has no limit.
const IN_FLIGHT: usize = 32 << 20;

/// One message to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    pub payload: Bytes,
    pub attributes: BTreeMap<String, String>,
}

/// One message as a subscriber has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub id: String,
    pub payload: Bytes,
    pub attributes: BTreeMap<String, String>,
    /// Empty where there is none.
    pub ordering_key: String,
}

/// A project of the emulator, reached through Google's client.
#[derive(Debug)]
pub struct Pubsub {
    runtime: Runtime,
    endpoint: String,
    credentials: Credentials,
    topics: TopicAdmin,
    subscriptions: SubscriptionAdmin,
}

impl Pubsub {
    /// # Panics
    /// Like all here, if the emulator refuses.
    pub fn new(emulator: &Emulator) -> Self {
        // The client makes ready for TLS even where it then speaks plain HTTP. Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (endpoint, credentials) = (emulator.endpoint(), anonymous::Builder::new().build());
        let (topics, subscriptions) = runtime.block_on(async {
            let topics = TopicAdmin::builder().with_endpoint(&endpoint).with_credentials(credentials.clone());
            let subscriptions = SubscriptionAdmin::builder().with_endpoint(&endpoint).with_credentials(credentials.clone());
            (topics.build().await.expect("a client"), subscriptions.build().await.expect("a client"))
        });
        Self { runtime, endpoint, credentials, topics, subscriptions }
    }

    /// Makes a topic and gives its full name.
    pub fn create_topic(&self, name: &str) -> String {
        let topic = format!("projects/persistor/topics/{name}");
        self.runtime.block_on(self.topics.create_topic().set_name(&topic).send()).expect("create topic");
        topic
    }

    /// Makes a subscription that pushes wrapped messages to a URL, and gives its full name. Acknowledged messages are kept, so that
    /// it can be sought back.
    pub fn create_push(&self, name: &str, topic: &str, url: &str, deadline_seconds: i32) -> String {
        self.create(name, topic, PushConfig::new().set_push_endpoint(url), deadline_seconds)
    }

    /// The same without the envelope: the body is the payload, the rest is headers.
    pub fn create_unwrapped_push(&self, name: &str, topic: &str, url: &str, deadline_seconds: i32) -> String {
        let bare = NoWrapper::new().set_write_metadata(true);
        self.create(name, topic, PushConfig::new().set_push_endpoint(url).set_no_wrapper(bare), deadline_seconds)
    }

    /// Makes a subscription to pull from, which gives messages of an ordering key in their order, and gives its full name.
    pub fn create_pull(&self, name: &str, topic: &str) -> String {
        self.create_pull_of(name, topic, true)
    }

    /// The same in no order: of an ordering key the emulator gives one message and waits for its acknowledgement, which is slow for many.
    pub fn create_unordered_pull(&self, name: &str, topic: &str) -> String {
        self.create_pull_of(name, topic, false)
    }

    fn create_pull_of(&self, name: &str, topic: &str, ordered: bool) -> String {
        let subscription = format!("projects/persistor/subscriptions/{name}");
        let create = self.subscriptions.create_subscription().set_name(&subscription).set_topic(topic);
        self.runtime.block_on(create.set_enable_message_ordering(ordered).send()).expect("create subscription");
        subscription
    }

    pub fn delete_topic(&self, topic: &str) {
        self.runtime.block_on(self.topics.delete_topic().set_topic(topic).send()).expect("delete topic");
    }

    fn create(&self, name: &str, topic: &str, push: PushConfig, deadline_seconds: i32) -> String {
        let subscription = format!("projects/persistor/subscriptions/{name}");
        let create = self.subscriptions.create_subscription().set_name(&subscription).set_topic(topic).set_push_config(push);
        let create = create.set_ack_deadline_seconds(deadline_seconds).set_retain_acked_messages(true);
        self.runtime.block_on(create.send()).expect("create subscription");
        subscription
    }

    /// Publishes all and gives the ids that the broker gave them, in their order.
    pub fn publish(&self, topic: &str, publications: impl IntoIterator<Item = Publication>) -> Vec<String> {
        self.runtime.block_on(async {
            let publisher = Publisher::builder(topic).with_endpoint(&self.endpoint).with_credentials(self.credentials.clone());
            let publisher = publisher.build().await.expect("a publisher");
            let (mut ids, mut waiting, mut in_flight) = (Vec::new(), VecDeque::new(), 0);
            for Publication { payload, attributes } in publications {
                in_flight += payload.len();
                let size = payload.len();
                waiting.push_back((size, publisher.publish(Message::new().set_data(payload).set_attributes(attributes))));
                while in_flight > IN_FLIGHT {
                    let (size, published) = waiting.pop_front().expect("something is in flight");
                    ids.push(published.await.expect("publish"));
                    in_flight -= size;
                }
            }
            for (_, published) in waiting {
                ids.push(published.await.expect("publish"));
            }
            ids
        })
    }

    /// Makes every message published since `time` be delivered again, acknowledged or not.
    pub fn seek(&self, subscription: &str, time: SystemTime) {
        let time = google_cloud_wkt::Timestamp::try_from(time).expect("a time of today");
        let seek = self.subscriptions.seek().set_subscription(subscription).set_time(time);
        self.runtime.block_on(seek.send()).expect("seek");
    }

    /// Stops pushing; what is not acknowledged can then be pulled.
    pub fn stop_push(&self, subscription: &str) {
        let stop = self.subscriptions.modify_push_config().set_subscription(subscription).set_push_config(PushConfig::new());
        self.runtime.block_on(stop.send()).expect("stop pushing");
    }

    /// Takes messages out of a subscription to pull from, in the order in which they come, until `enough` has them; what comes a second time under its id is left out.
    pub fn pull(&self, subscription: &str, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        self.runtime.block_on(async {
            let client = Subscriber::builder().with_endpoint(&self.endpoint).with_credentials(self.credentials.clone());
            let mut messages = client.build().await.expect("a subscriber").subscribe(subscription).build();
            let (mut received, mut ids) = (Vec::new(), BTreeSet::new());
            while !enough(&received) {
                let next = tokio::time::timeout(LIMIT, messages.next()).await;
                let next = next.unwrap_or_else(|_| panic!("nothing came for {LIMIT:?} after {} messages", received.len()));
                let (message, handler) = next.expect("the stream goes on").expect("pull");
                handler.ack();
                if ids.insert(message.message_id.clone()) {
                    received.push(Received {
                        id: message.message_id,
                        payload: message.data,
                        attributes: message.attributes.into_iter().collect(),
                        ordering_key: message.ordering_key,
                    });
                }
            }
            received
        })
    }

    /// Takes out of a subscription without push all that is not acknowledged: what comes until nothing came for `quiet`, which is to
    /// be longer than the acknowledgement deadline.
    pub fn take_unacknowledged(&self, subscription: &str, quiet: Duration) -> Vec<String> {
        self.runtime.block_on(async {
            let client = Subscriber::builder().with_endpoint(&self.endpoint).with_credentials(self.credentials.clone());
            let mut messages = client.build().await.expect("a subscriber").subscribe(subscription).build();
            let mut ids = Vec::new();
            while let Ok(next) = tokio::time::timeout(quiet, messages.next()).await {
                let (message, handler) = next.expect("the stream goes on").expect("pull");
                ids.push(message.message_id);
                handler.ack();
            }
            ids
        })
    }
}
