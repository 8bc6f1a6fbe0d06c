//! Google Cloud's services as Persistor's own traits; a feature each. Serving HTTP is left to others.
//!
//! `storage`: Cloud Storage as a `Writer` and a `Reader` ([`BucketStore`]), over Google's official client.
//!
//! `pubsub`: a Pub/Sub topic as a `Sink` ([`TopicSink`]), over Google's official client.
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

#[cfg(any(feature = "storage", feature = "pubsub"))]
mod cause;
#[cfg(feature = "pubsub")]
mod pubsub;
#[cfg(feature = "storage")]
mod storage;

#[cfg(feature = "pubsub")]
pub use pubsub::{TopicEndpoint, TopicName, TopicSink};
#[cfg(feature = "storage")]
pub use storage::{BucketLocation, BucketStore, Endpoint};
