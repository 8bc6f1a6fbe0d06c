//! What an answer means: a receipt, the message's own fault, or the address's.

use std::time::Duration;

use persistor_core::{Error, ErrorKind, Result};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

/// The most of an answer's body that is read, so that its connection can be used again; more closes it.
const MOST_BODY: usize = 64 << 10;
/// For the body of an answer; one that takes longer loses its connection.
const BODY_TIME: Duration = Duration::from_secs(2);
/// The longest wait that an answer can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What an answer comes to, and how long it asks to be left alone. Its body is passed over, and never shown.
pub(super) async fn read(mut response: Response, accepts: fn(StatusCode) -> bool) -> (Result<()>, Option<Duration>) {
    let status = response.status();
    let meaning = meaning(status, accepts);
    let wait = if meaning.is_err() && is_passing(status) { retry_after(response.headers()) } else { None };
    let mut read = 0;
    let pass_over = async {
        while read <= MOST_BODY
            && let Ok(Some(chunk)) = response.chunk().await
        {
            read += chunk.len();
        }
    };
    // The status has said it all; a body that breaks off, or takes its time, changes nothing.
    let _ = tokio::time::timeout(BODY_TIME, pass_over).await;
    (meaning, wait)
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error()
}

fn meaning(status: StatusCode, accepts: fn(StatusCode) -> bool) -> Result<()> {
    if accepts(status) {
        return Ok(());
    }
    let (kind, text) = match status.as_u16() {
        // Nothing about the message: whoever asks may not, or nobody listens there.
        401 | 403 | 407 => (ErrorKind::Denied, "it does not let us: look at PERSISTOR_SINK_AUTHORIZATION"),
        404 | 405 | 410 => (ErrorKind::NotFound, "nothing takes messages at this address"),
        300..=399 => {
            (ErrorKind::NotFound, "it sends elsewhere, and redirections are not followed: give the address that it names")
        }
        400 | 413..=415 | 422 | 431 => (ErrorKind::Invalid, "it refuses this message"),
        _ => (ErrorKind::Unavailable, "it did not take it"),
    };
    Err(Error::new(kind, format!("status {}: {text}", status.as_u16())))
}

/// Seconds; a date is left to the pauses of whoever sends.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_meaning() {
        use ErrorKind::{Denied, Invalid, NotFound, Unavailable};
        for code in 100..=599 {
            let expected = match code {
                200..=299 => None,
                401 | 403 | 407 => Some(Denied),
                300..=399 | 404 | 405 | 410 => Some(NotFound),
                400 | 413..=415 | 422 | 431 => Some(Invalid),
                _ => Some(Unavailable),
            };
            let status = StatusCode::from_u16(code).expect("a status");
            assert_eq!(meaning(status, |status| status.is_success()).err().map(|error| error.kind()), expected, "{code}");
        }
    }

    #[test]
    fn a_wait_is_bounded() {
        for (text, wait) in
            [("0", Some(0)), (" 7 ", Some(7)), ("31", Some(30)), ("99999999999", Some(30)), ("-1", None), ("soon", None)]
        {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().expect(text))]);
            assert_eq!(retry_after(&headers), wait.map(Duration::from_secs), "{text}");
        }
    }
}
