//! A store of any number of messages that takes no memory: names and records are computed when they are listed, a thousand a page, and pages are counted.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use persistor_core::{
    Attribute, Entity, Entry, Error, ErrorKind, Key, Layout, Message, MessageId, PublishTime, Reader, Record, Result, Stream,
};

pub(crate) const PAGE: u64 = 1000;

/// The messages of one stream, evenly over a day from `start` on, by the default template. Before them lies the layout.
#[derive(Clone, Debug)]
pub(crate) struct PagedReader {
    messages: u64,
    start: DateTime<Utc>,
    /// How long each page takes.
    delay: Duration,
    layout: Arc<Layout>,
    pages: Arc<AtomicU64>,
}

impl PagedReader {
    pub(crate) fn new(messages: u64, start: DateTime<Utc>, delay: Duration) -> Self {
        Self { messages, start, delay, layout: Arc::default(), pages: Arc::default() }
    }

    /// The pages that were asked for since this was asked last.
    pub(crate) fn pages(&self) -> u64 {
        self.pages.swap(0, Relaxed)
    }

    /// When the message of this number was published.
    pub(crate) fn time(&self, number: u64) -> DateTime<Utc> {
        let nanoseconds = u128::from(number) * 86_400_000_000_000 / u128::from(self.messages);
        self.start + TimeDelta::nanoseconds(i64::try_from(nanoseconds).expect("within a day"))
    }

    fn message(&self, number: u64) -> Message {
        let time = self.time(number).to_rfc3339_opts(SecondsFormat::Millis, true);
        let message = Message::new(
            Entity::new("projects/shop/subscriptions/orders").expect("not empty"),
            Stream::new("orders").expect("not empty"),
            // As many digits each, so that the order of ids is that of times.
            MessageId::new((14_217_110_000_000 + number).to_string()).expect("not empty"),
            PublishTime::parse(&time).expect("a time"),
            format!("{{\"order\":{number}}}").into_bytes().into(),
        );
        message.with_attributes(BTreeMap::from([("tenant".to_owned(), Attribute::from("north"))]))
    }

    /// The names in their order: the layout's, then the messages'.
    fn name(&self, at: u64) -> Key {
        at.checked_sub(1).map_or_else(|| self.layout.key(), |number| self.layout.template().render(&self.message(number)))
    }

    fn entry(&self, at: u64) -> Entry {
        let created = self.start;
        let Some(number) = at.checked_sub(1) else {
            let size = self.layout.encode().len() as u64;
            return Entry { name: self.name(at).to_string(), size, metadata: BTreeMap::new(), crc32c: None, created };
        };
        let message = self.message(number);
        Entry {
            name: self.layout.template().render(&message).to_string(),
            size: message.payload().len() as u64,
            metadata: BTreeMap::from([("record".to_owned(), Record::from(&message).encode())]),
            crc32c: Some(message.crc32c().to_owned()),
            created,
        }
    }

    /// How many blobs have names before `bound`, or start with it where that is asked for.
    fn before(&self, bound: &str, or_with: bool) -> u64 {
        let (mut low, mut high) = (0, self.messages + 1);
        while low < high {
            let middle = u64::midpoint(low, high);
            let name = self.name(middle);
            if name.as_str() < bound || or_with && name.as_str().starts_with(bound) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    async fn page(&self, blobs: Range<u64>) -> Vec<Result<Entry>> {
        self.pages.fetch_add(1, Relaxed);
        // The time that computing takes is a part of the delay: a true store's page needs none of this process.
        let delay = tokio::time::sleep(self.delay);
        let entries = blobs.map(|at| Ok(self.entry(at))).collect();
        delay.await;
        entries
    }
}

#[async_trait]
impl Reader for PagedReader {
    async fn read(&self, key: &Key, _range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        if *key != self.layout.key() {
            return Err(Error::new(ErrorKind::NotFound, format!("read `{key}`: only the layout can be read")));
        }
        Ok(stream::iter([Ok(self.layout.encode().into())]).boxed())
    }

    fn list(&self, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
        let first = self.before(from.unwrap_or_default().max(prefix), false);
        let end = self.before(prefix, true);
        // The first page has to be asked for to know that there is nothing.
        let pages = stream::unfold((self.clone(), first, true), move |(store, first, is_first)| async move {
            let next = (first + PAGE).min(end);
            if first >= end && !is_first {
                return None;
            }
            let page = store.page(first..next).await;
            Some((stream::iter(page), (store, next, false)))
        });
        pages.flatten().boxed()
    }
}
