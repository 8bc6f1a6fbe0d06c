//! `persistor cat`: payloads, byte for byte, and nothing else.

use std::io::IsTerminal as _;

use clap::Args;
use futures_util::TryStreamExt as _;
use persistor_core::{ErrorKind, Key};
use sha2::{Digest as _, Sha256};

use crate::commands::lookup;
use crate::exit::{Exit, usage};
use crate::place::{Opened, Place};
use crate::screen::Screen;

#[derive(Debug, Args)]
pub(crate) struct Cat {
    #[command(flatten)]
    place: Place,
    /// Keys, blobs' URLs (gs://BUCKET/NAME, az://ACCOUNT/CONTAINER/NAME, or the address in a browser), or files in the archive's folder
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    /// Write a binary payload onto a terminal too
    #[arg(short, long)]
    force: bool,
}

impl Cat {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let opened = self.place.open().await?;
        let mut screen = Screen::new(self.place.quiet);
        let mut exit = Exit::Fine;
        let guarded = std::io::stdout().is_terminal() && !self.force;
        for argument in &self.keys {
            let key = opened.key(argument)?;
            match write(&opened, &key, &mut screen, guarded).await? {
                None => {
                    lookup::say_absent(&screen, &opened, &key);
                    exit = exit.or(Exit::Nothing);
                }
                // A key ends with the beginning of its payload's SHA-256.
                Some(sha256) if opened.archive.parse(&key).is_some_and(|parsed| !sha256.starts_with(&parsed.digest)) => {
                    screen.flush()?;
                    eprintln!("persistor: the payload of `{key}` is damaged: its SHA-256 is not the one in its key");
                    exit = exit.or(Exit::Damage);
                }
                Some(_) => {}
            }
        }
        Ok(screen.end(exit)?)
    }
}

/// Writes a payload, and gives its SHA-256 in hex; none where there is no such payload.
async fn write(opened: &Opened, key: &Key, screen: &mut Screen, guarded: bool) -> anyhow::Result<Option<String>> {
    let mut chunks = match opened.archive.reader().read(key, None).await {
        Ok(chunks) => chunks,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut digest = Sha256::new();
    while let Some(chunk) = chunks.try_next().await? {
        if guarded && is_binary(&chunk) {
            usage!(
                "the payload of `{key}` is binary, and this is a terminal: send it into a file (`persistor cat … > payload`), or add --force"
            );
        }
        digest.update(&chunk);
        screen.write(&chunk)?;
    }
    Ok(Some(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Whether a terminal could take harm, or show nonsense.
fn is_binary(chunk: &[u8]) -> bool {
    let text = match std::str::from_utf8(chunk) {
        Ok(text) => text,
        // A character may be cut at the end of a chunk.
        Err(error) if error.error_len().is_none() => str::from_utf8(&chunk[..error.valid_up_to()]).unwrap_or_default(),
        Err(_) => return true,
    };
    text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_binary() {
        for text in [&b""[..], b"an order\r\n\t", "größe".as_bytes(), &"größe".as_bytes()[..3]] {
            assert!(!is_binary(text), "{text:?}");
        }
        for binary in [&b"\0"[..], b"\x1b[2J", b"\xff\xfe", b"a\x80b", "\u{9b}2J".as_bytes()] {
            assert!(is_binary(binary), "{binary:?}");
        }
    }
}
