//! Listing blobs, over JSON: <https://cloud.google.com/storage/docs/json_api/v1/objects/list>. The official client lists over gRPC only.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use google_cloud_auth::credentials::CacheableResource;
use persistor_core::{Entry, Error, ErrorKind, Failure, Metadata, Result};
use serde::Deserialize;

use super::BucketStore;
use super::answer::{About, Refusal, no_answer};
use super::tiles::{Part, Tiles};

/// What a page is to hold of each blob, and nothing more.
const FIELDS: &str = "nextPageToken,items(name,size,metadata,crc32c,timeCreated)";
/// Blobs in a page: the service's own limit. With records of 4,000 bytes that is up to 8 MiB.
const PAGE: &str = "1000";
/// Pages that are asked for, or held until it is their turn, at the same time.
const AT_ONCE: usize = 8;

/// All blobs in the order of their names. What lies behind the first page is cut into parts that are asked for at the same time.
pub(crate) fn list(store: BucketStore, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
    let root = store.location.prefix();
    let prefix = format!("{root}{prefix}");
    let start = format!("{root}{}", from.unwrap_or_default()).max(prefix.clone());
    let slots = VecDeque::from([Slot::Waiting(Part { start, after: false, end: None })]);
    let listing = Listing { store, tiles: Tiles::new(prefix.len()), prefix, slots };
    stream::unfold(Some(listing), |listing| async {
        let mut listing = listing?;
        match listing.next_page().await? {
            Ok(entries) => Some((entries.into_iter().map(Ok).collect::<Vec<_>>(), Some(listing))),
            Err(error) => Some((vec![Err(error)], None)),
        }
    })
    .flat_map(stream::iter)
    .boxed()
}

struct Listing {
    store: BucketStore,
    /// The archive's own included.
    prefix: String,
    tiles: Tiles,
    /// What is still to come, in the order of names, without a gap.
    slots: VecDeque<Slot>,
}

enum Slot {
    Waiting(Part),
    Asked(Asked),
}

/// A page that is on its way, or here. Dropped, it is not asked for any longer.
struct Asked(tokio::task::JoinHandle<Result<Page>>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The first blobs of a part, and what is left of it.
struct Page {
    entries: Vec<Entry>,
    rest: Option<Part>,
}

impl Listing {
    async fn next_page(&mut self) -> Option<Result<Vec<Entry>>> {
        loop {
            self.ask();
            let Some(Slot::Asked(mut asked)) = self.slots.pop_front() else { return None };
            let page = match (&mut asked.0).await {
                Ok(Ok(page)) => page,
                Ok(Err(error)) => return Some(Err(error)),
                Err(error) => return Some(Err(Error::new(ErrorKind::Unavailable, "list").with_source(error))),
            };
            self.tiles.learn(&page.entries, page.rest.is_some());
            if let Some(rest) = page.rest {
                self.slots.push_front(Slot::Waiting(rest));
            }
            if !page.entries.is_empty() {
                let root = self.store.location.prefix().len();
                let relative = |entry: Entry| Entry { name: entry.name[root..].to_owned(), ..entry };
                return Some(Ok(page.entries.into_iter().map(relative).collect()));
            }
        }
    }

    /// Asks for as many pages as may be held, those that come first, first.
    fn ask(&mut self) {
        let mut asked = self.slots.iter().filter(|slot| matches!(slot, Slot::Asked(_))).count();
        let mut at = 0;
        while asked < AT_ONCE && at < self.slots.len() {
            if let Slot::Waiting(part) = &self.slots[at] {
                let (tile, rest) = self.tiles.split(part.clone());
                let (store, prefix) = (self.store.clone(), self.prefix.clone());
                self.slots[at] = Slot::Asked(Asked(tokio::spawn(async move { store.page(&prefix, tile).await })));
                if let Some(rest) = rest {
                    self.slots.insert(at + 1, Slot::Waiting(rest));
                }
                asked += 1;
            }
            at += 1;
        }
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    items: Vec<Item>,
    #[serde(rename = "nextPageToken")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    name: String,
    size: String,
    #[serde(default)]
    metadata: Metadata,
    /// Base64 of its four bytes, the most significant first.
    crc32c: Option<String>,
    time_created: DateTime<Utc>,
}

impl BucketStore {
    /// The first page of a part that holds anything.
    async fn page(&self, prefix: &str, part: Part) -> Result<Page> {
        let mut token = None;
        loop {
            let body = self.attempts.make("list", || self.answer(prefix, &part, token.as_deref())).await?;
            let more = body.next.is_some();
            let entries = body.items.into_iter().filter(|item| !(part.after && item.name == part.start)).map(Entry::try_from);
            let entries = entries.collect::<Result<Vec<_>>>()?;
            if entries.is_empty() && more {
                // The service may answer so where it had to look far.
                token = body.next;
                continue;
            }
            let last = entries.last().filter(|_| more);
            let rest = last.map(|last| Part { start: last.name.clone(), after: true, end: part.end.clone() });
            return Ok(Page { entries, rest });
        }
    }

    async fn answer(&self, prefix: &str, part: &Part, token: Option<&str>) -> Result<Body, Failure> {
        let connection = self.client.connection().await?;
        let about = About { bucket: self.location.bucket(), name: "" };
        let url = format!("{}/storage/v1/b/{}/o", connection.endpoint, about.bucket);
        let mut query = vec![("fields", FIELDS), ("maxResults", PAGE), ("prefix", prefix), ("startOffset", &part.start)];
        query.extend(part.end.as_deref().map(|end| ("endOffset", end)));
        query.extend(token.map(|token| ("pageToken", token)));
        let headers = match connection.credentials.headers(Default::default()).await {
            Ok(CacheableResource::New { data, .. }) => data,
            Ok(CacheableResource::NotModified) => Default::default(),
            Err(error) => {
                if !error.is_transient() {
                    self.client.forget().await;
                }
                return Err(no_answer(&error));
            }
        };
        let response = connection.http.get(url).query(&query).headers(headers).send().await.map_err(|error| no_answer(&error))?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(|error| no_answer(&error))?;
        if status != 200 {
            return Err(Refusal::parse(status, &body).failure(about));
        }
        serde_json::from_slice(&body).map_err(|error| {
            Failure::Passing(Error::new(ErrorKind::Unavailable, "a listing that cannot be read").with_source(error))
        })
    }
}

impl TryFrom<Item> for Entry {
    type Error = Error;

    fn try_from(item: Item) -> Result<Self> {
        let unreadable = |what: &str| Error::new(ErrorKind::Unavailable, format!("a listing with {what}"));
        let size = item.size.parse().map_err(|_| unreadable("a size that is no number"))?;
        let crc32c = item.crc32c.map(|text| crc32c(&text).ok_or_else(|| unreadable("a CRC32C that is none"))).transpose()?;
        Ok(Self { name: item.name, size, metadata: item.metadata, crc32c, created: item.time_created })
    }
}

/// The digits of a CRC32C in base64.
fn crc32c(text: &str) -> Option<String> {
    let bytes: [u8; 4] = STANDARD.decode(text).ok()?.try_into().ok()?;
    Some(format!("{:08x}", u32::from_be_bytes(bytes)))
}
