//! A request to a handler without a listener, and its reply.

use std::future::Future;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

/// The most bytes of a body that handlers here are told to take; inputs are far below it.
pub(crate) const MOST_BODY: u64 = 8 << 20;
/// More memory than a request here can take, so that none is refused for want of it.
pub(crate) const MEMORY: u64 = 1 << 30;

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// What a request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// Runs to the end, on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(work))
}

/// Sends a request.
pub(crate) fn send(router: &Router, request: Request<Body>) -> Answer {
    block_on(async {
        let response = router.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        Answer { status, body: response.into_body().collect().await.expect("a body").to_bytes() }
    })
}

impl Answer {
    /// Checks that it is a refusal for good, in the words that every refusal has.
    ///
    /// # Panics
    /// If it is anything else: a panic that was caught is a 500, and nothing here is busy or fails, so there is no 503.
    pub(crate) fn assert_refusal(&self) {
        assert!([400, 404, 405, 413].contains(&self.status), "{self:?}");
        let refusal: Value = serde_json::from_slice(&self.body).expect("a refusal is JSON");
        assert!(refusal["error"].is_string() && refusal["reason"].is_string(), "{refusal}");
    }
}
