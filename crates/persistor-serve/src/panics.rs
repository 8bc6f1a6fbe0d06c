//! What happens to a panic: the request gets a 500, the log gets its place in the code, the program lives.
//!
//! The panic's text goes nowhere, because it may quote a payload.

use std::any::Any;

use axum::http::{Response, StatusCode};
use axum::response::IntoResponse as _;
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};

use crate::refusal::Refusal;

/// The layer that turns a handler's panic into a reply: `Router::layer(catch_panics())`.
pub fn catch_panics() -> CatchPanicLayer<PanicReply> {
    CatchPanicLayer::custom(PanicReply)
}

/// Makes the reply to a request whose handler panicked: 500 `{"error":"panic","reason":"…"}`.
#[derive(Clone, Copy, Debug)]
pub struct PanicReply;

impl ResponseForPanic for PanicReply {
    type ResponseBody = axum::body::Body;

    fn response_for_panic(&mut self, _text: Box<dyn Any + Send + 'static>) -> Response<Self::ResponseBody> {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "panic", "the handler failed; the log says where").into_response()
    }
}

/// Replaces the process's panic hook by one that logs the panic's place and nothing else.
pub fn install_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place = place.as_deref().unwrap_or("unknown"), "a panic was caught");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn fails() -> &'static str {
        panic!("the payload was 4711")
    }

    #[tokio::test]
    async fn a_panic_becomes_a_reply_without_its_text() {
        let app = Router::new().route("/", get(fails)).layer(catch_panics());
        let response = app.oneshot(Request::new(Body::empty())).await;
        let response = response.expect("infallible");
        assert_eq!(response.status(), 500);
        let body = response.into_body().collect().await.expect("a whole body");
        let text = String::from_utf8(body.to_bytes().into()).expect("JSON is text");
        assert!(text.starts_with(r#"{"error":"panic","#), "{text}");
        assert!(!text.contains("4711"), "{text}");
    }
}
