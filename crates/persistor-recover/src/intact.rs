//! A payload that is what its record says, or the finding that it is not. What is done with either is left to others.

use bytes::Bytes;
use persistor_core::{ErrorKind, Key, Record, Result, sha256_hex};

use crate::archive::Archive;
use crate::finding::{Fault, Finding};

/// Reads a payload and holds it against its record's SHA-256.
///
/// # Errors
/// The reader's, where they say nothing about the message.
pub(crate) async fn intact_payload(archive: &Archive, key: &Key, record: &Record) -> Result<Result<Bytes, Finding>> {
    let damaged = |fault, text: &str| Ok(Err(Finding::new(fault, key.as_str(), text)));
    let payload = match archive.payload(key, record.length()).await {
        Ok(payload) => payload,
        Err(error) => {
            return match error.kind() {
                ErrorKind::NotFound => damaged(Fault::Vanished, "it was listed, and is gone"),
                ErrorKind::Damaged => damaged(Fault::PayloadDiffers, "the store's own checksum of the payload does not hold"),
                _ => Err(error),
            };
        }
    };
    if sha256_hex(&payload) != record.sha256() {
        return damaged(Fault::PayloadDiffers, "the payload's SHA-256 is not its record's: its bytes were changed");
    }
    Ok(Ok(Bytes::from(payload)))
}
