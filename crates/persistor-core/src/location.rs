//! Where an archive is, as people write it.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// The place of an archive. The stores that this crate has are named; a URL's scheme says which crate has the others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// `memory:`
    Memory,
    /// A path.
    Folder(PathBuf),
    /// `SCHEME://REST`
    Url {
        /// What is before `://`, such as `gs`.
        scheme: String,
        /// What is behind it, such as `bucket/prefix`.
        rest: String,
    },
}

impl Location {
    /// Reads `memory:`, `SCHEME://REST`, or else a path.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it is empty.
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once("://") {
            _ if text.is_empty() => Err(Error::invalid("archive is empty")),
            _ if text == "memory:" => Ok(Self::Memory),
            Some((scheme, rest)) => Ok(Self::Url { scheme: scheme.to_owned(), rest: rest.to_owned() }),
            None => Ok(Self::Folder(text.into())),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Folder(path) => path.display().fmt(f),
            Self::Url { scheme, rest } => write!(f, "{scheme}://{rest}"),
        }
    }
}
