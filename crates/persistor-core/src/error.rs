//! The one error of this crate: opaque, with a kind that says what the caller does next.

use std::error::Error as StdError;
use std::fmt;

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was given breaks a rule; trying again gives the same answer. Change the input.
    Invalid,
    /// The store did not confirm: full, unreachable, too slow. Try again later.
    Unavailable,
    /// The store refused this identity. Mend its rights; the same request can then succeed.
    Denied,
    /// There is no such blob.
    NotFound,
    /// What was read is not what was written.
    Damaged,
    /// What was read was written by a later version; a newer reader is needed.
    Unsupported,
}

/// A failure of this crate: what was tried, and the cause beneath it (see [`std::error::Error::source`]).
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `message` is lower-case, without a full stop, and names the operation and the key or value it was about.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error with its cause, which the text does not repeat.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, its cause included, in other words.
    pub(crate) fn reworded(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, message)
    }

    /// What the caller does next.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same call can succeed later without a change of its input. A lost permission counts: it can be given back.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Denied)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|cause| cause.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_kept_and_not_repeated() {
        let error = Error::new(ErrorKind::Unavailable, "create `a`").with_source("disk full");
        assert_eq!(error.to_string(), "create `a`");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("disk full"));
    }

    #[test]
    fn only_what_can_mend_itself_is_retryable() {
        let retryable = [ErrorKind::Unavailable, ErrorKind::Denied];
        let final_ = [ErrorKind::Invalid, ErrorKind::NotFound, ErrorKind::Damaged, ErrorKind::Unsupported];
        assert!(retryable.iter().all(|kind| Error::new(*kind, "").is_retryable()));
        assert!(!final_.iter().any(|kind| Error::new(*kind, "").is_retryable()));
    }
}
