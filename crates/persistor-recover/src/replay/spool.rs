//! Lines to be sent, kept in a temporary file until all of them are read and known to be right: nothing of an input with a fault in it is sent.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, Write as _};
use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use persistor_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};

use crate::outgoing::Outgoing;
use crate::replay::itinerary::Itinerary;
use crate::replay::journal::History;
use crate::replay::load::{Load, Loaded};
use crate::replay::room::Room;
use crate::sink::Sink;

/// Takes lines.
#[derive(Debug)]
pub struct Spool {
    file: BufWriter<File>,
    itinerary: Itinerary,
    digest: Sha256,
    lines: u64,
}

/// All lines, in their order.
#[derive(Debug)]
pub struct Spooled {
    /// What is going to be sent.
    pub itinerary: Itinerary,
    /// SHA-256 of all lines, in hex: other lines have another.
    pub sha256: String,
    file: File,
}

impl Spool {
    /// An empty one.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where no temporary file can be made.
    pub fn new() -> Result<Self> {
        let file = tempfile::tempfile().map_err(failed)?;
        Ok(Self { file: BufWriter::new(file), itinerary: Itinerary::default(), digest: Sha256::new(), lines: 0 })
    }

    /// Takes a line, with or without its end; an empty one is none.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the line's number where it is no message, [`ErrorKind::Unavailable`] where it cannot be kept.
    pub fn push(&mut self, line: &[u8], sink: &dyn Sink) -> Result<()> {
        self.lines += 1;
        let line = line.trim_ascii();
        if !line.is_empty() {
            let mut outgoing =
                Outgoing::from_line(line).map_err(|error| Error::new(error.kind(), format!("line {}: {error}", self.lines)))?;
            let size = outgoing.payload.len() as u64;
            self.itinerary.admit(&mut outgoing, &name(self.lines), size, None, sink);
        }
        self.digest.update(line);
        self.digest.update(b"\n");
        self.file.write_all(line).and_then(|()| self.file.write_all(b"\n")).map_err(failed)
    }

    /// That was the last line.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where they cannot be kept.
    pub fn finish(self) -> Result<Spooled> {
        let mut file = self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.rewind().map_err(failed)?;
        let sha256 = self.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Spooled { itinerary: self.itinerary, sha256, file })
    }
}

/// What the journal knows a line by.
fn name(line: u64) -> String {
    format!("line {line}")
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "keep the lines in a temporary file").with_source(error)
}

impl Spooled {
    /// The messages, without those that the sink cannot carry; no more than `memory` bytes of them, until what is given away is dropped.
    pub fn load(self, sink: &Arc<dyn Sink>, history: Arc<History>, memory: u64) -> BoxStream<'static, Result<Load>> {
        let reading = (BufReader::new(self.file), sink.clone(), history, Room::new(memory), 0_u64);
        stream::try_unfold(reading, |(mut file, sink, history, room, mut number)| async move {
            let mut line = Vec::new();
            loop {
                line.clear();
                number += 1;
                if file.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                    return Ok(None);
                }
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let key = name(number);
                if history.has(&key) {
                    return Ok(Some((Load::Sent, (file, sink, history, room, number))));
                }
                let mut message = Outgoing::from_line(line.trim_ascii())?;
                let size = message.payload.len() as u64;
                if sink.capabilities().fit(&mut message, size, None).is_err() || sink.refuses(&message).is_some() {
                    continue;
                }
                let room = (room.take(size).await, room);
                let loaded = Loaded { key, message, unmarked: false, room: room.0 };
                return Ok(Some((Load::Ready(Box::new(loaded)), (file, sink, history, room.1, number))));
            }
        })
        .boxed()
    }
}
