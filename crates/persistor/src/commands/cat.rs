//! `persistor cat`: payloads, byte for byte, and nothing else.

use std::io::IsTerminal as _;

use clap::Args;
use futures_util::TryStreamExt as _;
use persistor_core::{ErrorKind, Key};

use crate::commands::lookup;
use crate::exit::{Exit, usage};
use crate::place::{Opened, Place};
use crate::screen::Screen;

#[derive(Debug, Args)]
pub(crate) struct Cat {
    #[command(flatten)]
    place: Place,
    /// Keys, blobs' URLs (gs://BUCKET/NAME, or the address in a browser), or files in the archive's folder
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
            if !write(&opened, &key, &mut screen, guarded).await? {
                lookup::say_absent(&screen, &opened, &key);
                exit = Exit::Nothing;
            }
        }
        Ok(screen.end(exit)?)
    }
}

/// Whether there is such a payload.
async fn write(opened: &Opened, key: &Key, screen: &mut Screen, guarded: bool) -> anyhow::Result<bool> {
    let mut chunks = match opened.archive.reader().read(key, None).await {
        Ok(chunks) => chunks,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    while let Some(chunk) = chunks.try_next().await? {
        if guarded && is_binary(&chunk) {
            usage!(
                "the payload of `{key}` is binary, and this is a terminal: send it into a file (`persistor cat … > payload`), or add --force"
            );
        }
        screen.write(&chunk)?;
    }
    Ok(true)
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
