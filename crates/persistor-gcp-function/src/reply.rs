//! The one place that decides what Pub/Sub is told. 2xx acknowledges; everything else makes it deliver again.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use persistor_core::Outcome;
use persistor_serve::Refusal;

/// The reply for an outcome. 204, since no broker or emulator reads it as anything but an acknowledgement.
pub(crate) fn reply(outcome: &Outcome) -> Response {
    match outcome {
        Outcome::Stored(_) | Outcome::AlreadyStored(_) => StatusCode::NO_CONTENT.into_response(),
        Outcome::Retryable(error) => Refusal::unavailable("not-stored", error.to_string()).into_response(),
        Outcome::Rejected(error) => Refusal::malformed("rejected", error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use persistor_core::{Error, ErrorKind, Key};

    #[test]
    fn only_what_is_durable_is_acknowledged() {
        let key = || Key::parse("a").expect("a key");
        let error = || Error::new(ErrorKind::Unavailable, "create `a`");
        let table = [
            (Outcome::Stored(key()), 204),
            (Outcome::AlreadyStored(key()), 204),
            (Outcome::Retryable(error()), 503),
            (Outcome::Rejected(error()), 400),
        ];
        for (outcome, status) in table {
            assert_eq!(reply(&outcome).status().as_u16(), status, "{outcome:?}");
        }
    }
}
