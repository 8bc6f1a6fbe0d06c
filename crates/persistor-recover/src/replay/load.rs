//! The messages of an itinerary with their payloads, in their order: read side by side, checked against their records, within a bound on memory.

use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use persistor_core::{Error, ErrorKind, Key, Result};
use tokio::sync::OwnedSemaphorePermit;

use crate::archive::Archive;
use crate::finding::Finding;
use crate::intact::intact_payload;
use crate::outgoing::Outgoing;
use crate::replay::itinerary::{Planned, Stop, Terms};
use crate::replay::journal::History;
use crate::replay::room::Room;
use crate::sink::Sink;

/// A message that is ready to go.
#[derive(Debug)]
pub struct Loaded {
    /// What the journal knows it by.
    pub key: String,
    /// What is sent.
    pub message: Outgoing,
    /// Whether it had no room for marks.
    pub unmarked: bool,
    /// Its share of the memory.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

/// What comes of a message on an itinerary.
#[derive(Debug)]
pub enum Load {
    /// It is ready.
    Ready(Box<Loaded>),
    /// It was confirmed by an earlier run.
    Sent,
    /// What is stored is not what it was: it is not sent.
    Damaged(Finding),
}

/// Reads `at_once` payloads at the same time, and holds no more than `memory` bytes of them, until what is given away is dropped.
pub fn load(
    archive: &Arc<Archive>,
    planned: Planned,
    terms: &Terms,
    sink: &Arc<dyn Sink>,
    history: Arc<History>,
    at_once: usize,
    memory: u64,
) -> BoxStream<'static, Result<Load>> {
    let (archive, terms, sink, room) = (archive.clone(), terms.clone(), sink.clone(), Room::new(memory));
    planned
        .stops()
        // One after the other: who comes first has its memory first, or two could wait for each other.
        .and_then(move |stop| {
            let sent = history.has(&stop.key);
            let room = room.clone();
            async move { Ok(if sent { None } else { Some((room.take(stop.record.length()).await, stop)) }) }
        })
        .map_ok(move |stop| {
            let (archive, terms, sink) = (archive.clone(), terms.clone(), sink.clone());
            async move {
                let Some((room, stop)) = stop else { return Ok(Load::Sent) };
                // A task each, so that payloads are hashed on every processor.
                let task = tokio::spawn(async move { read(&archive, stop, &terms, sink.as_ref(), room).await });
                task.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
            }
        })
        .try_buffered(at_once)
        .boxed()
}

async fn read(archive: &Archive, stop: Stop, terms: &Terms, sink: &dyn Sink, room: Option<OwnedSemaphorePermit>) -> Result<Load> {
    let Stop { key, record } = stop;
    let payload = match intact_payload(archive, &Key::parse(key.as_str())?, &record).await? {
        Ok(payload) => payload,
        Err(finding) => return Ok(Load::Damaged(finding)),
    };
    let size = payload.len() as u64;
    let mut message = Outgoing::new(&key, &record, payload);
    // The same that it came to when it was planned.
    let changes = sink.capabilities().fit(&mut message, size, terms.mark.as_deref());
    let changes = changes.map_err(|reason| Error::new(ErrorKind::Invalid, format!("send `{key}`: {reason}")))?;
    Ok(Load::Ready(Box::new(Loaded { key, message, unmarked: changes.unmarked, room })))
}
