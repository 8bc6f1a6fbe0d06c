//! The write path: a message in, an outcome out. Nothing is acknowledged that did not come through here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::OnceCell;

use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::layout::Layout;
use crate::message::Message;
use crate::record::Record;
use crate::time::PublishTime;
use crate::writer::{Creation, Metadata, Writer};

/// The longest record, in bytes, that stands in a blob's own metadata; the same for all providers, so that copies between them keep
/// their shape.
const LONGEST_INLINE_RECORD: usize = 4000;
/// The name of the one metadata value: the record itself, or [`IN_BLOB`].
const RECORD: &str = "record";
const IN_BLOB: &str = "blob";
/// Where requests are kept that no message can be read out of.
pub const REJECTED_PREFIX: &str = "_persistor/rejected/";
/// Messages of one call that are written at the same time.
const AT_ONCE: usize = 16;

/// What came of one message. Each function maps it to its broker's reply in one total `match`.
#[derive(Debug)]
pub enum Outcome {
    /// It is durable, by this call: acknowledge.
    Stored(Key),
    /// It was durable before, and nothing was changed: acknowledge.
    AlreadyStored(Key),
    /// It is not known to be durable, and may be tomorrow: the broker is to deliver it again.
    Retryable(Error),
    /// It will never be durable as it is: refuse it, with the reason; the broker keeps it.
    Rejected(Error),
}

/// Where records are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordPlace {
    /// In the payload blob's metadata where the store has it and the record fits, else in a blob of its own.
    #[default]
    Auto,
    /// Always in a blob of its own: metadata can be edited by an administrator and is lost by ordinary downloads.
    Always,
}

/// Writes messages into one archive.
#[derive(Debug)]
pub struct Persist {
    writer: Arc<dyn Writer>,
    layout: Layout,
    record_place: RecordPlace,
    write_timeout: Duration,
    layout_written: OnceCell<()>,
}

impl Persist {
    /// Writes through `writer` by `layout`. `write_timeout` bounds the time for one message, retries of the store included; what
    /// takes longer is [`Outcome::Retryable`].
    pub fn new(writer: Arc<dyn Writer>, layout: Layout, record_place: RecordPlace, write_timeout: Duration) -> Self {
        Self { writer, layout, record_place, write_timeout, layout_written: OnceCell::new() }
    }

    /// Writes the layout's own document, once. Programs call it at start to learn early of a store that refuses; no message is
    /// called stored before it has succeeded.
    ///
    /// # Errors
    /// The writer's, or [`ErrorKind::Unavailable`] after the write timeout.
    pub async fn write_layout(&self) -> Result<()> {
        let write = || async {
            let (key, content) = (self.layout.key(), [Bytes::from(self.layout.encode())]);
            self.in_time(&key, self.writer.create(&key, &content, &Metadata::new(), None)).await.map(|_| ())
        };
        self.layout_written.get_or_try_init(write).await.copied()
    }

    /// Keeps a request that no message can be read out of, as it came: under a reserved name of which `name` is the last part. It is to be made
    /// of what is the same in every delivery, so that the next one finds it.
    ///
    /// # Errors
    /// The writer's, [`ErrorKind::Invalid`] for a name that is no part of a key, or [`ErrorKind::Unavailable`] after the write timeout.
    pub async fn keep_rejected(&self, name: &str, request: Bytes) -> Result<Creation> {
        let key = Key::parse(format!("{REJECTED_PREFIX}{name}"))?;
        let write = async {
            self.write_layout().await?;
            self.writer.create(&key, &[request], &Metadata::new(), None).await
        };
        self.in_time(&key, write).await
    }

    /// Writes messages and says of each, in their order, what came of it. One that fails keeps none of the others back.
    pub async fn persist(&self, messages: &[Message]) -> Vec<Outcome> {
        let writes: Vec<_> = messages.iter().map(|message| self.persist_one(message)).collect();
        stream::iter(writes).buffered(AT_ONCE).collect().await
    }

    async fn persist_one(&self, message: &Message) -> Outcome {
        let key = self.layout.template().render(message);
        let write = async {
            self.write_layout().await?;
            self.write(&key, message).await
        };
        match self.in_time(&key, write).await.map_err(|error| self.for_logs(error)) {
            Ok(Creation::Created) => Outcome::Stored(key),
            Ok(Creation::Exists) => Outcome::AlreadyStored(key),
            Err(error) if error.is_retryable() => Outcome::Retryable(error),
            Err(error) => Outcome::Rejected(error),
        }
    }

    /// Errors name the key. Where that holds attributes, it must not reach a log.
    fn for_logs(&self, error: Error) -> Error {
        if self.layout.template().holds_attributes() {
            error.reworded("create a blob (the key is not shown: it holds attributes)")
        } else {
            error
        }
    }

    async fn write(&self, key: &Key, message: &Message) -> Result<Creation> {
        let record = Record::from(message).encode();
        let payload = message.payload().clone();
        create_message(&*self.writer, self.record_place, key, record, message.publish_time(), payload).await
    }

    async fn in_time<T>(&self, key: &Key, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.write_timeout, work).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Unavailable, format!("create `{key}`: not confirmed within {:?}", self.write_timeout)))
        })
    }
}

/// Writes a stored message into another archive as it is: under its key, with its record, members that this version does not know included. Where the record stands is the writer's
/// affair, by the rule that [`Persist`] has with [`RecordPlace::Auto`].
///
/// # Errors
/// The writer's, and [`ErrorKind::Invalid`] for a key that leaves no room for its record's.
pub async fn restore(writer: &dyn Writer, key: &Key, record: &Record, payload: Bytes) -> Result<Creation> {
    create_message(writer, RecordPlace::Auto, key, record.encode(), record.publish_time(), payload).await
}

/// The one place that knows where a record stands, and in which order a message's blobs are written.
async fn create_message(
    writer: &dyn Writer,
    place: RecordPlace,
    key: &Key,
    record: String,
    time: &PublishTime,
    payload: Bytes,
) -> Result<Creation> {
    let inline = place == RecordPlace::Auto && writer.keeps_metadata() && record.len() <= LONGEST_INLINE_RECORD;
    let value = if inline {
        record
    } else {
        // Before the payload, so that a payload's presence means that its record is complete.
        writer.create(&key.record()?, &[Bytes::from(record)], &Metadata::new(), Some(time)).await?;
        IN_BLOB.to_owned()
    };
    let metadata = Metadata::from([(RECORD.to_owned(), value)]);
    writer.create(key, &[payload], &metadata, Some(time)).await
}
