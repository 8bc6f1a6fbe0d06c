//! The reply to a request that is not served: a status, a name for programs, a reason for people.
//!
//! Which faults there are is left to those who find them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::budget::Full;
use crate::buffer::NoMemory;
use crate::intake::Refused;

/// A refusal; its body is `{"error":"bad-base64","reason":"…"}`.
///
/// The reason goes back to the sender, so it must hold no payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The fault's fixed name, in lower case with hyphens.
    pub error: &'static str,
    /// What is wrong, and how to mend it where that is known.
    pub reason: String,
}

impl Refusal {
    /// A refusal of any kind.
    pub fn new(status: StatusCode, error: &'static str, reason: impl Into<String>) -> Self {
        Self { status, error, reason: reason.into() }
    }

    /// A malformed request: 400.
    pub fn malformed(error: &'static str, reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, reason)
    }

    /// A failure that may pass, so that the sender tries again: 503.
    pub fn unavailable(error: &'static str, reason: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, reason)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let (status, error) = match refused {
            Refused::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
            Refused::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Refused::Incomplete => (StatusCode::BAD_REQUEST, "incomplete-body"),
            Refused::Coded => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "coded-body"),
        };
        Self::new(status, error, refused.to_string())
    }
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Self::from(Refused::Busy)
    }
}

impl From<NoMemory> for Refusal {
    fn from(_: NoMemory) -> Self {
        Self::from(Refused::Busy)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "reason": self.reason });
        (self.status, Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn the_body_is_json() {
        let refusal = Refusal::malformed("bad-base64", "it says \"no\"\n");
        let response = refusal.into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = response.into_body().collect().await.expect("a whole body");
        assert_eq!(body.to_bytes(), r#"{"error":"bad-base64","reason":"it says \"no\"\n"}"#);
    }

    #[test]
    fn each_refused_body_has_its_status() {
        let status = |refused| {
            let refusal = Refusal::from(refused);
            (refusal.status.as_u16(), refusal.error)
        };
        assert_eq!(status(Refused::TooLarge { limit: 1 }), (413, "body-too-large"));
        assert_eq!(status(Refused::Busy), (503, "busy"));
        assert_eq!(status(Refused::Incomplete), (400, "incomplete-body"));
        assert_eq!(status(Refused::Coded), (415, "coded-body"));
    }
}
