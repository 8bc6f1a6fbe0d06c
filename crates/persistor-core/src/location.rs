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
        if text.is_empty() {
            return Err(Error::invalid("archive is empty"));
        }
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        match text.split_once(':') {
            // One letter is a drive.
            Some((scheme, rest)) if scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                match rest.strip_prefix("//") {
                    Some(rest) => Ok(Self::Url { scheme: scheme.to_owned(), rest: rest.to_owned() }),
                    None => Err(Error::invalid(format!(
                        "`{text}` is neither a URL (`{scheme}://…`) nor clearly a folder (`./{text}`)"
                    ))),
                }
            }
            _ => Ok(Self::Folder(text.into())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_not_taken_for_a_folder() {
        let url = |scheme: &str, rest: &str| Location::Url { scheme: scheme.into(), rest: rest.into() };
        for (text, location) in [
            ("memory:", Location::Memory),
            ("./archive", Location::Folder("./archive".into())),
            ("/data/a:b", Location::Folder("/data/a:b".into())),
            ("./gs:/bucket", Location::Folder("./gs:/bucket".into())),
            ("c:\\archive", Location::Folder("c:\\archive".into())),
            ("gs://bucket/prefix", url("gs", "bucket/prefix")),
        ] {
            assert_eq!(Location::parse(text).ok(), Some(location), "{text}");
        }
        for text in ["", "gs:/bucket/prefix", "gs:bucket", "memory:x", "az:"] {
            assert!(Location::parse(text).is_err(), "{text}");
        }
    }
}
