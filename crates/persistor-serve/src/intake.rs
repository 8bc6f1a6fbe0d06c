//! Reads a request's body into memory: within the limit, within the budget, once.
//!
//! What the bytes mean is left to the caller, who keeps [`Held`] until they are stored.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use crate::budget::{Budget, Full, Reservation, SPARE};
use crate::buffer::Buffer;
use crate::pace::Pace;

const KIB: u64 = 1024;
/// What a connection's own buffers may hold of a body besides our copy.
const BUFFERS: u64 = 256 * KIB;
/// What a body of unknown length gets at first. Larger bodies are large: what is kept for small ones is not theirs.
const FIRST: u64 = 1024 * KIB;
/// So much of a body comes before memory is reserved for it: who sends a byte now and then takes no more than this.
const START: usize = 16 * 1024;
/// The most that is kept for small bodies, of a quarter of all memory.
const FOR_SMALL: u64 = 32 * 1024 * KIB;
/// The bytes for which a large body needs one permit.
const PERMIT: u64 = 64 * KIB;

/// What will live beside the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A base64-decoded copy, three quarters of the body.
    Yes,
    /// A copy without its escapes, and what that is decoded or copied to: at most as large as the body, both.
    Unescaped,
    /// The body alone is held.
    No,
}

/// Reads bodies up to a size, within a budget.
#[derive(Clone, Debug)]
pub struct Intake {
    max_body: u64,
    budget: Budget,
    patience: Patience,
    /// Permits to read a body whose length is not known: as many at a time as leave room for one of them to become the largest.
    unknown: Arc<Semaphore>,
    /// The permit to be that one.
    growing: Arc<Semaphore>,
    /// How many permits large bodies of a declared length have together; what is left is for small ones.
    permits: u32,
    /// Those that are free.
    large: Arc<Semaphore>,
}

/// How long a body is waited for.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// For room in the budget.
    room: Duration,
    /// For the next of the first bytes.
    idle: Duration,
    /// For the whole body, so that one byte now and then does not hold memory for ever.
    whole: Duration,
}

/// A body in memory and the room it takes; keep both until the message is stored.
#[derive(Debug)]
pub struct Held {
    /// The body.
    pub bytes: Buffer,
    /// The body's part of the budget, its decoded copy included; given back when dropped.
    pub reservation: Reservation,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// It is larger than the limit.
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// No memory was free in time; the same request may pass later.
    Busy,
    /// It broke off, stalled, or was not as long as it said.
    Incomplete,
    /// It is compressed, or coded in another way, which is never undone.
    Coded,
}

/// The beginning of a body, and whether it is all of it.
struct Begun {
    bytes: Vec<u8>,
    whole: bool,
}

impl Intake {
    /// Bodies of at most `max_body` bytes, held within `budget`.
    pub fn new(max_body: u64, budget: Budget) -> Self {
        let for_large = budget.total() - (budget.total() / 4).min(FOR_SMALL);
        let spare = for_large.saturating_sub(Decoded::Unescaped.beside(max_body) + BUFFERS);
        let others = usize::try_from(spare / (Decoded::Unescaped.beside(FIRST) + BUFFERS)).unwrap_or(0);
        let permits = u32::try_from(for_large / PERMIT).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3);
        Self {
            permits,
            large: Arc::new(Semaphore::new(permits as usize)),
            unknown: Arc::new(Semaphore::new(1 + others.min(Semaphore::MAX_PERMITS - 1))),
            max_body,
            budget,
            patience: Patience { room: Duration::from_secs(1), idle: Duration::from_secs(30), whole: Duration::from_secs(600) },
            growing: Arc::new(Semaphore::new(1)),
        }
    }

    /// The same, waiting for room for so long instead of a second.
    #[must_use]
    pub fn waiting_for_room(mut self, room: Duration) -> Self {
        self.patience.room = room;
        self
    }

    /// Reads the whole body, and reserves room for it after its first bytes: by its declared length, or growing from 1 MiB where
    /// it has none; of those that grow, one at a time, and with room for it kept, since two could wait for what the other holds. Large bodies leave room for
    /// small ones. A declared length over the limit, and a coding that would have to be undone, are refused before a byte is read.
    ///
    /// # Errors
    /// See [`Refused`]; nothing stays reserved then.
    pub async fn read(&self, headers: &HeaderMap, body: Body, decoded: Decoded) -> Result<Held, Refused> {
        // Where the body is the payload, its coding is the publisher's affair.
        if decoded != Decoded::No && is_coded(headers) {
            return Err(Refused::Coded);
        }
        let reading = async {
            match declared_length(headers, &body) {
                Some(length) if length > self.max_body => Err(self.too_large()),
                Some(length) => self.read_declared(length, body, decoded).await,
                None => self.read_growing(body, decoded).await,
            }
        };
        timeout(self.patience.whole, reading).await.unwrap_or(Err(Refused::Incomplete))
    }

    async fn read_declared(&self, length: u64, mut body: Body, decoded: Decoded) -> Result<Held, Refused> {
        let Begun { bytes: begun, whole } = self.begin(&mut body, length).await?;
        if begun.len() as u64 > length {
            return Err(Refused::Incomplete);
        }
        let needed = decoded.beside(length).saturating_add(length.clamp(SPARE, BUFFERS));
        let permit = self.permit(length, needed).await?;
        let mut reservation = self.budget.reserve(needed, self.patience.room).await?;
        reservation.keep(permit);
        let mut bytes = buffer(length)?;
        bytes.extend_from_slice(&begun);
        drop(begun);
        let mut pace = Pace::new();
        while !whole && let Some(chunk) = self.next_chunk(&mut body, Some(&mut pace)).await? {
            if chunk.len() > bytes.capacity() - bytes.len() {
                return Err(Refused::Incomplete);
            }
            bytes.extend_from_slice(&chunk);
        }
        if bytes.len() as u64 != length {
            return Err(Refused::Incomplete);
        }
        Ok(Held { bytes, reservation })
    }

    async fn read_growing(&self, mut body: Body, decoded: Decoded) -> Result<Held, Refused> {
        let Begun { bytes: begun, whole } = self.begin(&mut body, self.max_body).await?;
        if begun.len() as u64 > self.max_body {
            return Err(self.too_large());
        }
        let _reading = turn(&self.unknown, self.patience.room).await?;
        let mut room = FIRST.min(self.max_body);
        let mut reservation = self.budget.reserve(decoded.beside(room) + BUFFERS, self.patience.room).await?;
        let mut bytes = buffer(room)?;
        bytes.extend_from_slice(&begun);
        drop(begun);
        let mut growing = None;
        let mut pace = Pace::new();
        while !whole && let Some(chunk) = self.next_chunk(&mut body, Some(&mut pace)).await? {
            let needed = (bytes.len() + chunk.len()) as u64;
            if needed > self.max_body {
                return Err(self.too_large());
            }
            if needed > room {
                let deadline = Instant::now() + self.patience.room;
                let moved = growing.is_some();
                if !moved {
                    growing = Some(turn(&self.growing, self.patience.room).await?);
                }
                room = room.saturating_mul(2).max(needed).min(self.max_body);
                reservation.grow_by(decoded.beside(room) + BUFFERS, deadline).await?;
                if !moved {
                    // Addresses for the largest body there may be; memory is taken where bytes are written, and nothing moves a second time.
                    let mut whole = buffer(self.max_body)?;
                    whole.extend_from_slice(&bytes);
                    bytes = whole;
                }
                pace.restart();
            }
            bytes.extend_from_slice(&chunk);
        }
        if growing.is_some() {
            reservation.shrink_to(decoded.beside(bytes.len() as u64) + BUFFERS);
        }
        Ok(Held { bytes, reservation })
    }

    /// The first bytes, for which no room is reserved yet; no more are waited for once there are more than `most`.
    async fn begin(&self, body: &mut Body, most: u64) -> Result<Begun, Refused> {
        let mut bytes = Vec::new();
        while bytes.len() < START && bytes.len() as u64 <= most {
            match self.next_chunk(body, None).await? {
                Some(chunk) => bytes.extend_from_slice(&chunk),
                None => return Ok(Begun { bytes, whole: true }),
            }
        }
        Ok(Begun { bytes, whole: false })
    }

    /// The permit of a body of this length to take so many bytes, if it is large.
    async fn permit(&self, length: u64, bytes: u64) -> Result<Option<OwnedSemaphorePermit>, Refused> {
        if length <= FIRST {
            return Ok(None);
        }
        // One that needs more than there are takes all.
        let permits = u32::try_from(bytes.div_ceil(PERMIT)).unwrap_or(u32::MAX).min(self.permits);
        let permit = timeout(self.patience.room, Arc::clone(&self.large).acquire_many_owned(permits)).await;
        permit.map_err(|_| Refused::Busy)?.map_err(|_| Refused::Busy).map(Some)
    }

    async fn next_chunk(&self, body: &mut Body, pace: Option<&mut Pace>) -> Result<Option<Bytes>, Refused> {
        loop {
            let deadline = pace.as_ref().map_or_else(|| Instant::now() + self.patience.idle, |pace| pace.deadline());
            match timeout_at(deadline, body.frame()).await {
                // Trailers carry nothing that is kept.
                Ok(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        pace.into_iter().for_each(|pace| pace.note(chunk.len()));
                        return Ok(Some(chunk));
                    }
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) | Err(_) => return Err(Refused::Incomplete),
            }
        }
    }

    fn too_large(&self) -> Refused {
        Refused::TooLarge { limit: self.max_body }
    }
}

impl Decoded {
    /// The bytes that a body of `length` and its decoded copy take together.
    pub fn beside(self, length: u64) -> u64 {
        match self {
            Self::Yes => length.saturating_add(length.div_ceil(4).saturating_mul(3)),
            Self::Unescaped => length.saturating_mul(3),
            Self::No => length,
        }
    }
}

async fn turn(semaphore: &Semaphore, wait: Duration) -> Result<SemaphorePermit<'_>, Refused> {
    let permit = timeout(wait, semaphore.acquire()).await;
    permit.map_err(|_| Refused::Busy)?.map_err(|_| Refused::Busy)
}

/// What the connection knows of the length comes before what a header says: a chunked body has none.
fn declared_length(headers: &HeaderMap, body: &Body) -> Option<u64> {
    body.size_hint().exact().or_else(|| {
        let text = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
        text.parse().ok()
    })
}

/// Whether there is a coding to undo.
fn is_coded(headers: &HeaderMap) -> bool {
    let is_none = |coding: &[u8]| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity");
    let codings = headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    codings.map(<[u8]>::trim_ascii).any(|coding| !is_none(coding))
}

/// Memory that the machine refuses is a reply, not an abort.
fn buffer(length: u64) -> Result<Buffer, Refused> {
    let length = usize::try_from(length).map_err(|_| Refused::Busy)?;
    Buffer::with_capacity(length).map_err(|_| Refused::Busy)
}

impl From<Full> for Refused {
    fn from(_: Full) -> Self {
        Self::Busy
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "the body is larger than {limit} bytes, the limit set by `PERSISTOR_MAX_BODY`"),
            Self::Busy => f.write_str("no memory was free in time; try again"),
            Self::Incomplete => f.write_str("the body broke off before its end, or came too slowly"),
            Self::Coded => f.write_str("the body is compressed or coded (`Content-Encoding`), which is never undone"),
        }
    }
}

impl Error for Refused {}

#[cfg(test)]
mod tests;
