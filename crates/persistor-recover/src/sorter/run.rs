//! Sorted runs in temporary files without a name: each item behind its length. They are written once, and read by merging.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::mem;

use persistor_core::{Error, ErrorKind, Result};

/// A run whose items are all written.
pub(super) struct Run {
    file: File,
    items: u64,
    /// The bytes of its file.
    pub(super) size: u64,
    /// The bytes of its longest item.
    pub(super) longest: usize,
}

/// A run in the making; its items come in byte order.
pub(super) struct RunWriter {
    file: BufWriter<File>,
    items: u64,
    size: u64,
    longest: usize,
}

impl RunWriter {
    pub(super) fn new(buffer: usize) -> Result<Self> {
        let file = tempfile::tempfile().map_err(|error| unavailable("make a temporary file", error))?;
        Ok(Self { file: BufWriter::with_capacity(buffer, file), items: 0, size: 0, longest: 0 })
    }

    pub(super) fn push(&mut self, item: &[u8]) -> Result<()> {
        let length = u32::try_from(item.len())
            .map_err(|error| Error::new(ErrorKind::Invalid, "sort: an item has 4 GiB or more").with_source(error))?;
        self.file
            .write_all(&length.to_le_bytes())
            .and_then(|()| self.file.write_all(item))
            .map_err(|error| unavailable("write a temporary file", error))?;
        self.items += 1;
        self.size += (size_of_val(&length) + item.len()) as u64;
        self.longest = self.longest.max(item.len());
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Run> {
        let Self { file, items, size, longest } = self;
        let mut file = file.into_inner().map_err(|error| unavailable("write a temporary file", error.into_error()))?;
        file.rewind().map_err(|error| unavailable("read a temporary file", error))?;
        Ok(Run { file, items, size, longest })
    }
}

/// The items of several runs in byte order.
pub(super) struct Merge(BinaryHeap<Reverse<Head>>);

impl Merge {
    /// Opens the runs, each with a `buffer` of as many bytes.
    pub(super) fn open(runs: impl IntoIterator<Item = Run>, buffer: usize) -> Result<Self> {
        let mut heads = BinaryHeap::new();
        for run in runs {
            let mut head = Head { item: Vec::new(), left: run.items, file: BufReader::with_capacity(buffer, run.file) };
            if head.advance()? {
                heads.push(Reverse(head));
            }
        }
        Ok(Self(heads))
    }

    /// Puts the next item in the place of what `item` holds; `false` where there is none.
    pub(super) fn next_into(&mut self, item: &mut Vec<u8>) -> Result<bool> {
        let Some(mut least) = self.0.peek_mut() else {
            return Ok(false);
        };
        // The caller's memory is the head's next: no item is copied.
        mem::swap(item, &mut least.0.item);
        if !least.0.advance()? {
            PeekMut::pop(least);
        }
        Ok(true)
    }
}

/// A run's least item that was not given out yet, and the rest of the run.
struct Head {
    item: Vec<u8>,
    left: u64,
    file: BufReader<File>,
}

impl Head {
    /// Reads the next item; `false` behind the last.
    fn advance(&mut self) -> Result<bool> {
        // Items are counted, so that a file which became shorter is an error and not an early end.
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        self.read().map_err(|error| unavailable("read a temporary file", error))?;
        Ok(true)
    }

    fn read(&mut self) -> io::Result<()> {
        let mut length = [0; size_of::<u32>()];
        self.file.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        self.item.clear();
        // Exactly: an item may have half of the memory there is.
        self.item.reserve_exact(length);
        self.item.resize(length, 0);
        self.file.read_exact(&mut self.item)
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.item.cmp(&other.item)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.item == other.item
    }
}

impl Eq for Head {}

fn unavailable(operation: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("sort: {operation}")).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let mut writer = RunWriter::new(16).expect("temporary file");
        writer.push(b"a").expect("write");
        writer.push(b"b").expect("write");
        let run = writer.finish().expect("write");
        assert_eq!((run.size, run.longest), (10, 1));
        run.file.set_len(5).expect("shorter");
        let (mut merge, mut item) = (Merge::open([run], 16).expect("open"), Vec::new());
        assert_eq!(merge.next_into(&mut item).map_err(|error| error.kind()), Err(ErrorKind::Unavailable));
    }
}
