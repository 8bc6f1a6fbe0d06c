//! A connection's bytes with limits: small reads, room for large heads, an end for a peer that reads nothing.
//!
//! What the bytes mean is left to hyper; how long a phase may last, to `phase`, which learns here when a
//! request begins. A head whose first bytes come with an earlier request (pipelining) begins with its first
//! byte after the earlier reply; until then the connection counts as idle.

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::phase::{HEAD, IDLE, Phase};

/// One read's most bytes. hyper doubles its buffer after a read that fills it, and keeps the buffer as long
/// as the connection lives: one byte short of 16 KiB, it stays there.
const READ: usize = 16 * 1024 - 1;
/// A head that goes beyond this is large: only so many connections may hold one, and each ends after its reply.
const LARGE_HEAD: usize = 16 * 1024;

/// The limits of every connection.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// From the last reply to the next request's first byte.
    pub(crate) idle: Duration,
    /// From a request's first byte to the end of its head.
    pub(crate) head: Duration,
    /// For a peer to take at least one byte of a reply.
    pub(crate) write: Duration,
    /// For a peer to read a reply that refuses what it still sends.
    pub(crate) linger: Duration,
    /// The room for large heads, which all connections share.
    pub(crate) large_heads: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A minute more than the ten that are promised.
            idle: Duration::from_secs(11 * 60),
            head: Duration::from_secs(10),
            write: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            large_heads: Arc::new(Semaphore::new(64)),
        }
    }
}

type Acquire = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// The stream with its limits.
pub(crate) struct LimitedStream<S> {
    stream: S,
    phase: Phase,
    limits: Limits,
    write_deadline: Option<Pin<Box<Sleep>>>,
    linger_deadline: Option<Pin<Box<Sleep>>>,
    head_bytes: usize,
    acquire: Option<Acquire>,
    large_head: Option<OwnedSemaphorePermit>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> LimitedStream<S> {
    pub(crate) fn new(stream: S, phase: Phase, limits: Limits) -> Self {
        Self {
            stream,
            phase,
            limits,
            write_deadline: None,
            linger_deadline: None,
            head_bytes: 0,
            acquire: None,
            large_head: None,
        }
    }

    /// A large head waits for its room before more of it is read.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.head_bytes < LARGE_HEAD || self.large_head.is_some() {
            return Poll::Ready(());
        }
        let room = &self.limits.large_heads;
        let acquire = self.acquire.get_or_insert_with(|| {
            let room = Arc::clone(room);
            Box::pin(async move { room.acquire_owned().await.ok() })
        });
        // Kept until the connection ends, since hyper keeps the large buffer until then.
        self.large_head = ready!(acquire.as_mut().poll(cx));
        self.acquire = None;
        self.phase.set_large_head();
        Poll::Ready(())
    }

    fn note(&mut self, at: u8, bytes: &[u8]) {
        // Line ends may stand between requests; they begin none.
        let begins = at == IDLE && bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
        if begins {
            self.phase.head();
            self.head_bytes = 0;
        }
        if begins || at == HEAD {
            self.head_bytes += bytes.len();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for LimitedStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let at = this.phase.at();
        if at == HEAD {
            ready!(this.poll_room(cx));
        }
        let most = buffer.remaining().min(READ);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
        if !part.filled().is_empty() {
            this.phase.hear();
        }
        this.note(at, part.filled());
        let length = part.filled().len();
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LimitedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Poll::Ready(written) = Pin::new(&mut this.stream).poll_write(cx, bytes) {
            this.write_deadline = None;
            return Poll::Ready(written);
        }
        let limit = this.limits.write;
        let deadline = this.write_deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    /// Closing while the peer still sends would reset the connection and take the reply with it, so what the
    /// peer sends is read and dropped for a moment.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger_deadline.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.phase.is_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        let limit = this.limits.linger;
        let deadline = this.linger_deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        let mut space = [0; 4096];
        loop {
            if deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut part = ReadBuf::new(&mut space);
            match ready!(pin!(&mut this.stream).poll_read(cx, &mut part)) {
                Ok(()) if !part.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
