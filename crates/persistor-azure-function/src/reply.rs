//! The one place that decides what the host is told. 200 with a JSON object is success; everything else makes the broker deliver again.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use persistor_core::Outcome;
use persistor_serve::Refusal;

/// The reply for a call whose messages had these outcomes: success only if all are durable.
pub(crate) fn reply(outcomes: &[Outcome]) -> Response {
    let mut failure = None;
    for outcome in outcomes {
        failure = match outcome {
            Outcome::Stored(_) | Outcome::AlreadyStored(_) => failure,
            // What may pass comes first: the next delivery may bring the rest.
            Outcome::Retryable(error) => Some(Refusal::unavailable("not-stored", error.to_string())),
            Outcome::Rejected(error) => failure.or_else(|| Some(Refusal::malformed("rejected", error.to_string()))),
        };
    }
    failure.map_or_else(success, |refusal| refusal.into_response())
}

/// An empty body, or `null`, would let the host wait until its own time limit and then kill the program.
pub(crate) fn success() -> Response {
    (StatusCode::OK, Json(serde_json::json!({}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use persistor_core::{Error, ErrorKind, Key};

    fn outcome(name: &str) -> Outcome {
        let key = || Key::parse("a").expect("a key");
        let error = || Error::new(ErrorKind::Unavailable, "create `a`");
        match name {
            "stored" => Outcome::Stored(key()),
            "already" => Outcome::AlreadyStored(key()),
            "retryable" => Outcome::Retryable(error()),
            _ => Outcome::Rejected(error()),
        }
    }

    #[tokio::test]
    async fn only_what_is_durable_is_acknowledged() {
        for (outcomes, status, body) in [
            (&[][..], 200, "{}"),
            (&["stored"], 200, "{}"),
            (&["already"], 200, "{}"),
            (&["stored", "already"], 200, "{}"),
            (&["retryable"], 503, r#"{"error":"not-stored","reason":"create `a`"}"#),
            (&["rejected"], 400, r#"{"error":"rejected","reason":"create `a`"}"#),
            (&["stored", "retryable", "already"], 503, r#"{"error":"not-stored","reason":"create `a`"}"#),
            (&["stored", "rejected", "already"], 400, r#"{"error":"rejected","reason":"create `a`"}"#),
            (&["rejected", "retryable"], 503, r#"{"error":"not-stored","reason":"create `a`"}"#),
            (&["retryable", "rejected"], 503, r#"{"error":"not-stored","reason":"create `a`"}"#),
        ] {
            let response = reply(&outcomes.iter().map(|name| outcome(name)).collect::<Vec<_>>());
            assert_eq!(response.status().as_u16(), status, "{outcomes:?}");
            assert_eq!(response.headers()["content-type"], "application/json", "{outcomes:?}");
            let read = response.into_body().collect().await.expect("a body").to_bytes();
            assert_eq!(read, body, "{outcomes:?}");
        }
    }
}
