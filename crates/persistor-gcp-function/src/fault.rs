//! Why a push did not become a message: the refusal that its sender gets, and the message id for the log if it was legible.

use persistor_serve::Refusal;

/// A refusal with the message id. Its reason holds no payload, and no attribute's name or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) refusal: Refusal,
    pub(crate) message_id: Option<String>,
}

impl Fault {
    /// The request breaks a rule, whose fixed name is `error`: 400.
    pub(crate) fn malformed(error: &'static str, reason: impl Into<String>) -> Self {
        Refusal::malformed(error, reason).into()
    }

    pub(crate) fn of_message(mut self, id: &str) -> Self {
        self.message_id = Some(id.to_owned());
        self
    }
}

impl<R: Into<Refusal>> From<R> for Fault {
    fn from(refusal: R) -> Self {
        Self { refusal: refusal.into(), message_id: None }
    }
}
