//! One HTTP/1.1 connection: hyper over a limited stream, with each request counted from head to reply.
//!
//! Accepting and ending connections is left to the listener.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::http::{Request, Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt as _;

use crate::limited_stream::{LimitedStream, Limits};
use crate::phase::Phase;
use crate::places::Place;
use crate::requests::{InFlight, Requests};

/// The most headers of a request: an unwrapped push brings up to 100 attributes beside the usual ones.
const HEADERS: usize = 256;
/// The most bytes of a request's head: those attributes may take 128 KB. A larger head gets 431.
const HEAD_BYTES: usize = 256 * 1024;

/// Serves `stream` until either side closes it, it is late, its place is wanted for another, or `watcher` ends it between two requests.
pub(crate) async fn serve_connection<S>(
    stream: S,
    place: Place,
    app: Router,
    requests: Requests,
    limits: Limits,
    watcher: Watcher,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let phase = place.phase.clone();
    let (idle, head) = (limits.idle, limits.head);
    let stream = LimitedStream::new(stream, phase.clone(), limits);
    let above = phase.clone();
    let service = service_fn(move |request: Request<Incoming>| answer(request, app.clone(), &requests, above.clone()));
    let served = http1::Builder::new()
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES)
        // hyper's own timer would also run between requests.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // The limit is looked at after hyper had its turn, when the phase is what it will be for a while.
        biased;
        served = watcher.watch(served) => {
            if let Err(error) = served {
                // A broken connection is its peer's business: the broker sends again.
                tracing::debug!(%error, "a connection broke");
            }
        }
        () = phase.late(idle, head) => {}
        () = place.wanted() => {}
    }
}

fn answer(
    request: Request<Incoming>,
    app: Router,
    requests: &Requests,
    phase: Phase,
) -> impl Future<Output = Result<Response<Reply>, Infallible>> + use<> {
    phase.request(!request.body().is_end_stream());
    let mut in_flight = requests.begin();
    async move {
        let request = request.map(|body| Body::new(Asked { body, phase: phase.clone() }));
        let mut response = app.oneshot(request).await?;
        if phase.had_large_head() {
            // Ends the connection after this reply, and with it the large buffer.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        if response.body().is_end_stream() {
            // hyper takes such a reply without asking for its body; axum has emptied a reply to HEAD.
            in_flight.answered();
        }
        Ok(response.map(|body| Reply { body, in_flight, phase }))
    }
}

/// A request's body that tells when its end was read.
struct Asked {
    body: Incoming,
    phase: Phase,
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.phase.set_body_pending(false);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A reply's body that keeps its request in flight until hyper has taken all of it.
struct Reply {
    body: Body,
    in_flight: InFlight,
    phase: Phase,
}

impl HttpBody for Reply {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let failed = matches!(frame, Some(Err(_)));
        if !failed && (frame.is_none() || self.body.is_end_stream()) {
            self.in_flight.answered();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.phase.idle();
    }
}

#[cfg(test)]
mod tests;
