//! Memory for one body or payload, which goes back to the system the moment it is dropped.
//!
//! A general allocator keeps large blocks that were freed, to be quick the next time; under load from messages of many sizes that is
//! more than the bound promised on top of the budget. So large buffers are mapped and unmapped one by one.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::MmapMut;

use crate::budget::Reservation;

/// From this many bytes on a buffer has a mapping of its own; below it the allocator keeps little.
const MAPPED: usize = 64 * 1024;

/// Bytes of a fixed capacity, filled from the front.
pub struct Buffer {
    memory: Memory,
    length: usize,
}

enum Memory {
    Heap(Box<[u8]>),
    Mapped(MmapMut),
}

/// The system gave no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

impl Buffer {
    /// An empty buffer with room for `capacity` bytes.
    ///
    /// # Errors
    /// [`NoMemory`] where the system refuses a large one.
    pub fn with_capacity(capacity: usize) -> Result<Self, NoMemory> {
        let memory = if capacity < MAPPED {
            Memory::Heap(vec![0; capacity].into())
        } else {
            Memory::Mapped(MmapMut::map_anon(capacity).map_err(|_| NoMemory)?)
        };
        Ok(Self { memory, length: 0 })
    }

    /// The bytes that it has room for, those that it holds included.
    pub fn capacity(&self) -> usize {
        match &self.memory {
            Memory::Heap(bytes) => bytes.len(),
            Memory::Mapped(bytes) => bytes.len(),
        }
    }

    /// The room behind what it holds; say with [`advance`](Self::advance) how much of it was filled.
    pub fn room(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Memory::Heap(bytes) => &mut bytes[self.length..],
            Memory::Mapped(bytes) => &mut bytes[self.length..],
        }
    }

    /// Counts the first `filled` bytes of the room as held.
    ///
    /// # Panics
    /// If there is less room.
    pub fn advance(&mut self, filled: usize) {
        assert!(filled <= self.capacity() - self.length, "more was filled than there is room");
        self.length += filled;
    }

    /// Appends a copy of `bytes`.
    ///
    /// # Panics
    /// If there is less room.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.room()[..bytes.len()].copy_from_slice(bytes);
        self.advance(bytes.len());
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.memory {
            Memory::Heap(bytes) => &bytes[..self.length],
            Memory::Mapped(bytes) => &bytes[..self.length],
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// A buffer's bytes, which give their part of the budget back when the last reader of them is done, however long a store takes. Several may
/// share a reservation.
pub fn owned_bytes(buffer: Buffer, reservation: Arc<Reservation>) -> Bytes {
    Bytes::from_owner(Owned { buffer, _reservation: reservation })
}

struct Owned {
    buffer: Buffer,
    _reservation: Arc<Reservation>,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

/// The size alone: contents never reach a log.
impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} of {} bytes)", self.length, self.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_up_to_its_capacity_small_or_large() {
        for capacity in [0, 1, MAPPED - 1, MAPPED, MAPPED + 1, 1_000_000] {
            let mut buffer = Buffer::with_capacity(capacity).expect("memory");
            assert_eq!((buffer.len(), buffer.capacity()), (0, capacity));
            let bytes: Vec<u8> = (0..capacity).map(|n| (n % 251) as u8).collect();
            let (first, second) = bytes.split_at(capacity / 3);
            buffer.extend_from_slice(first);
            buffer.room()[..second.len()].copy_from_slice(second);
            buffer.advance(second.len());
            assert_eq!(&buffer[..], bytes);
            assert!(buffer.room().is_empty());
        }
    }

    #[test]
    #[should_panic(expected = "more was filled")]
    fn it_does_not_count_what_is_not_there() {
        Buffer::with_capacity(1).expect("memory").advance(2);
    }

    #[test]
    fn its_content_is_not_shown() {
        let mut buffer = Buffer::with_capacity(8).expect("memory");
        buffer.extend_from_slice(b"secret");
        assert_eq!(format!("{buffer:?}"), "Buffer(6 of 8 bytes)");
    }
}
