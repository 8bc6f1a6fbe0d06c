//! The messages of an itinerary with their payloads, in their order: read side by side, checked against their records, within a bound on memory.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use persistor_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::archive::Archive;
use crate::finding::{Fault, Finding};
use crate::outgoing::Outgoing;
use crate::replay::itinerary::{Planned, Stop, Terms};
use crate::replay::journal::History;
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

/// Memory that payloads take while they are read and sent.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    kibibytes: Arc<Semaphore>,
    all: u32,
}

impl Room {
    pub(crate) fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes / 1024).unwrap_or(u32::MAX >> 4).clamp(1, u32::MAX >> 4);
        Self { kibibytes: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits for so many bytes; what is larger than all there is takes all.
    pub(crate) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let kibibytes = u32::try_from(bytes / 1024 + 1).unwrap_or(self.all).min(self.all);
        // The semaphore is never closed.
        self.kibibytes.clone().acquire_many_owned(kibibytes).await.ok()
    }
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
    let damaged = |fault, text: &str| Ok(Load::Damaged(Finding::new(fault, key.as_str(), text)));
    let payload = match archive.payload(&persistor_core::Key::parse(key.as_str())?, record.length()).await {
        Ok(payload) => payload,
        Err(error) => {
            return match error.kind() {
                ErrorKind::NotFound => damaged(Fault::Vanished, "it was listed, and is gone"),
                ErrorKind::Damaged => damaged(Fault::PayloadDiffers, "the store's own checksum of the payload does not hold"),
                _ => Err(error),
            };
        }
    };
    let digest: String = Sha256::digest(&payload).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != record.sha256() {
        return damaged(Fault::PayloadDiffers, "the payload's SHA-256 is not its record's: its bytes were changed");
    }
    let size = payload.len() as u64;
    let mut message = Outgoing::new(&key, &record, Bytes::from(payload));
    // The same that it came to when it was planned.
    let changes = sink.capabilities().fit(&mut message, size, terms.mark.as_deref());
    let changes = changes.map_err(|reason| Error::new(ErrorKind::Invalid, format!("send `{key}`: {reason}")))?;
    Ok(Load::Ready(Box::new(Loaded { key, message, unmarked: changes.unmarked, room })))
}
