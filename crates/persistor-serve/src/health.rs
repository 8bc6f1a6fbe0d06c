//! The health routes and the flag behind them.
//!
//! They never ask the store: a store that is down must not make the platform restart a program that
//! waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

/// Whether the program takes requests: false while it starts and while it drains. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<AtomicBool>);

impl Ready {
    /// Not ready yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether requests are taken from now on.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether requests are taken now.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// `GET /health/live` answers 200 as long as the program runs; `GET /health/ready` answers 200 while
/// `ready` is set, else 503. HEAD works too, any other method is 405.
pub fn routes(ready: Ready) -> Router {
    Router::new().route("/health/live", get(async || answer(StatusCode::OK, "live"))).route(
        "/health/ready",
        get(
            async move || {
                if ready.get() { answer(StatusCode::OK, "ready") } else { answer(StatusCode::SERVICE_UNAVAILABLE, "not ready") }
            },
        ),
    )
}

fn answer(status: StatusCode, text: &'static str) -> Response {
    (status, Json(json!({ "status": text }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    async fn status(ready: &Ready, method: &str, path: &str) -> u16 {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a valid request");
        let response = routes(ready.clone()).oneshot(request).await;
        response.expect("infallible").status().as_u16()
    }

    #[tokio::test]
    async fn live_always_and_ready_while_it_is() {
        let ready = Ready::new();
        assert_eq!(status(&ready, "GET", "/health/live").await, 200);
        assert_eq!(status(&ready, "GET", "/health/ready").await, 503);
        ready.set(true);
        assert_eq!(status(&ready, "GET", "/health/ready").await, 200);
        assert_eq!(status(&ready, "HEAD", "/health/ready").await, 200);
        ready.set(false);
        assert_eq!(status(&ready, "GET", "/health/ready").await, 503);
        assert_eq!(status(&ready, "GET", "/health/live").await, 200);
    }

    #[tokio::test]
    async fn other_methods_are_refused() {
        for method in ["POST", "PUT", "DELETE"] {
            assert_eq!(status(&Ready::new(), method, "/health/live").await, 405);
            assert_eq!(status(&Ready::new(), method, "/health/ready").await, 405);
        }
    }
}
