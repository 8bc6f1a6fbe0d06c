//! Why a request did not become a message: the refusal that its sender gets, and the message id for the log if it was legible.

use axum::response::{IntoResponse as _, Response};

use crate::refusal::Refusal;

/// The most characters of an id that a line of the log has.
const LONGEST_ID: usize = 256;

/// A refusal with the message id. Its reason holds no payload, and no attribute's name or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the sender is told.
    pub refusal: Refusal,
    /// The id for the log.
    pub message_id: Option<String>,
}

impl Fault {
    /// The request breaks a rule, whose fixed name is `error`: 400.
    pub fn malformed(error: &'static str, reason: impl Into<String>) -> Self {
        Refusal::malformed(error, reason).into()
    }

    /// The same, of the message with this id.
    #[must_use]
    pub fn of_message(mut self, id: &str) -> Self {
        // A publisher may have chosen it, at any length.
        self.message_id = Some(match id.char_indices().nth(LONGEST_ID) {
            Some((end, _)) => format!("{}…", &id[..end]),
            None => id.to_owned(),
        });
        self
    }

    /// The one line of the log and the reply of every refusal.
    pub fn refuse(self) -> Response {
        let Self { refusal, message_id } = self;
        let Refusal { error, reason, .. } = &refusal;
        tracing::warn!(error, reason, message_id, "refused a request and acknowledged nothing");
        refusal.into_response()
    }
}

impl<R: Into<Refusal>> From<R> for Fault {
    fn from(refusal: R) -> Self {
        Self { refusal: refusal.into(), message_id: None }
    }
}
