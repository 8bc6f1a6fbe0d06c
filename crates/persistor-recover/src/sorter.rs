//! Sorting byte strings within a bounded memory: what does not fit goes to temporary files as sorted runs, which are merged.
//! It is our own since the crates that do this bound the number of items, and one item here may be a byte or a megabyte.

mod arena;
mod run;

use std::mem;

use persistor_core::Result;

use arena::Arena;
use run::{Merge, Run, RunWriter};

/// The most runs that are merged at a time; there are never more than twice as many open files.
const MOST_MERGED: usize = 64;
/// The most bytes of a file's buffer.
const LARGEST_BUFFER: usize = 256 << 10;
/// The least, for a memory that is too small to be kept to.
const SMALLEST_BUFFER: usize = 16;

/// Takes items in any order.
pub(crate) struct Sorter {
    memory: usize,
    /// Bytes of a file's buffer; those of a full merge take half of the memory and leave the other half to the items.
    buffer: usize,
    arena: Arena,
    runs: Vec<Run>,
}

impl Sorter {
    /// An empty one that holds no more than `memory` bytes, all included; an item that is longer than this is held alone, or
    /// with a few others of its kind.
    pub(crate) fn new(memory: usize) -> Self {
        let buffer = (memory / (2 * MOST_MERGED)).clamp(SMALLEST_BUFFER, LARGEST_BUFFER);
        Self { memory, buffer, arena: Arena::new(memory.saturating_sub(buffer)), runs: Vec::new() }
    }

    /// Takes a copy of `item`; equal items are all kept.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](persistor_core::ErrorKind::Unavailable) where there is no room for temporary files;
    /// [`ErrorKind::Invalid`](persistor_core::ErrorKind::Invalid) for an item of 4 GiB or more.
    pub(crate) fn push(&mut self, item: &[u8]) -> Result<()> {
        if self.arena.push(item) {
            return Ok(());
        }
        if self.arena.can_hold(item) {
            self.spill()?;
            self.arena.push(item);
            return Ok(());
        }
        let mut run = RunWriter::new(self.buffer)?;
        run.push(item)?;
        self.runs.push(run.finish()?);
        if self.runs.len() < 2 * MOST_MERGED { Ok(()) } else { self.spill() }
    }

    /// All items in byte order.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](persistor_core::ErrorKind::Unavailable) where temporary files cannot be written or read.
    pub(crate) fn sorted(mut self) -> Result<Sorted> {
        if self.runs.is_empty() {
            self.arena.sort();
            return Ok(Sorted(Source::Memory { arena: self.arena, given: 0 }));
        }
        self.spill()?;
        loop {
            let (runs, most) = (self.runs.len(), self.mergeable());
            if runs <= most {
                return Ok(Sorted(Source::Runs(Merge::open(self.runs, self.buffer)?)));
            }
            // No more than it takes to get there: what is merged here is read and written once more.
            self.merge(most.min(runs - most + 1))?;
        }
    }

    /// Moves what the memory holds into a run. It is free then, so that merging can use it where there are too many runs.
    fn spill(&mut self) -> Result<()> {
        let empty = Arena::new(self.memory.saturating_sub(self.buffer));
        let mut arena = mem::replace(&mut self.arena, empty);
        if !arena.is_empty() {
            arena.sort();
            let mut run = RunWriter::new(self.buffer)?;
            for item in (0..).map_while(|at| arena.get(at)) {
                run.push(item)?;
            }
            self.runs.push(run.finish()?);
        }
        drop(arena);
        while self.runs.len() >= 2 * MOST_MERGED {
            let most = self.mergeable();
            self.merge(most)?;
        }
        Ok(())
    }

    /// How many of the smallest runs, which come to the front, can be merged at a time: two at least, whatever it takes.
    fn mergeable(&mut self) -> usize {
        self.runs.sort_by_key(|run| run.size);
        // What is merged leaves through one buffer more and one item more.
        let mut held = self.buffer + self.runs.iter().map(|run| run.longest).max().unwrap_or(0);
        let fits = self.runs.iter().take(MOST_MERGED).take_while(|run| {
            held += self.buffer + run.longest;
            held <= self.memory
        });
        fits.count().max(2)
    }

    /// Merges the first `count` runs into one.
    fn merge(&mut self, count: usize) -> Result<()> {
        let mut merge = Merge::open(self.runs.drain(..count), self.buffer)?;
        let (mut run, mut item) = (RunWriter::new(self.buffer)?, Vec::new());
        while merge.next_into(&mut item)? {
            run.push(&item)?;
        }
        self.runs.push(run.finish()?);
        Ok(())
    }
}

/// Gives items in byte order.
pub(crate) struct Sorted(Source);

enum Source {
    Memory { arena: Arena, given: usize },
    Runs(Merge),
}

impl Sorted {
    /// Puts the next item in the place of what `item` holds, whose memory is used again; `false` where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](persistor_core::ErrorKind::Unavailable) where a temporary file cannot be read.
    pub(crate) fn next_into(&mut self, item: &mut Vec<u8>) -> Result<bool> {
        match &mut self.0 {
            Source::Runs(merge) => merge.next_into(item),
            Source::Memory { arena, given } => {
                let Some(next) = arena.get(*given) else {
                    return Ok(false);
                };
                *given += 1;
                item.clear();
                item.extend_from_slice(next);
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn filled(memory: usize, items: &[Vec<u8>]) -> Sorter {
        let mut sorter = Sorter::new(memory);
        for item in items {
            sorter.push(item).expect("push");
            assert!(sorter.runs.len() < 2 * MOST_MERGED);
        }
        sorter
    }

    fn drain(sorter: Sorter) -> Vec<Vec<u8>> {
        let (mut sorted, mut item, mut all) = (sorter.sorted().expect("sorted"), Vec::new(), Vec::new());
        while sorted.next_into(&mut item).expect("next") {
            all.push(item.clone());
        }
        assert!(!sorted.next_into(&mut item).expect("next"), "the end is the end");
        all
    }

    fn numbers(count: u32) -> Vec<Vec<u8>> {
        (0..count).map(|n| n.wrapping_mul(0x9E37_79B1).to_le_bytes().to_vec()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_is_a_sort(mut items in vec(vec(0u8..4, 0..40), 0..300), memory in 0usize..4000) {
            let sorter = filled(memory, &items);
            items.sort_unstable();
            prop_assert_eq!(drain(sorter), items);
        }
    }

    #[test]
    fn merges_of_merges() {
        // Four items of 8 bytes to a run, and four runs to a merge.
        let mut items = numbers(5000);
        let sorter = filled(100, &items);
        assert!(sorter.runs.iter().any(|run| run.size > 4 * 4 * 8), "no run was merged twice");
        items.sort_unstable();
        assert!(drain(sorter) == items);
    }

    #[test]
    fn wide_merges() {
        // A hundred items to a run: 128 runs are there on the way, and 64 of them are merged at a time.
        let mut items = numbers(13_000);
        let mut sorter = filled(2000, &items);
        assert_eq!((sorter.mergeable(), sorter.runs.last().map(|run| run.size)), (MOST_MERGED, Some(64 * 99 * 8)));
        items.sort_unstable();
        assert!(drain(sorter) == items);
    }

    #[test]
    fn what_fits_stays_in_memory() {
        assert_eq!(drain(Sorter::new(100)), Vec::<Vec<u8>>::new());
        let mut items = numbers(1000);
        let sorter = filled(1000 * 20 + 200, &items);
        assert!(sorter.runs.is_empty());
        items.sort_unstable();
        assert_eq!(drain(sorter), items);
    }

    #[test]
    fn equal_items_are_all_kept() {
        for memory in [100, 1 << 20] {
            assert_eq!(drain(filled(memory, &vec![b"same".to_vec(); 500])), vec![b"same".to_vec(); 500]);
            assert_eq!(drain(filled(memory, &vec![Vec::new(); 500])), vec![Vec::<u8>::new(); 500]);
        }
    }

    #[test]
    fn an_item_may_be_larger_than_the_memory() {
        let mut items = numbers(500);
        items.extend((0..200).map(|n| vec![n; 3000]));
        let sorter = filled(1000, &items);
        items.sort_unstable();
        assert!(drain(sorter) == items);
    }

    #[test]
    fn long_items_make_merges_narrow() {
        // Five items to a run; the memory has room for the next item of four runs, and for the one that is written.
        let mut long = filled(8000, &(0..25).map(|n| vec![n; 1500]).collect::<Vec<_>>());
        long.spill().expect("spill");
        assert_eq!((long.runs.len(), long.mergeable()), (5, 4));
        let mut short = filled(8000, &numbers(4000));
        short.spill().expect("spill");
        assert_eq!((short.runs.len(), short.mergeable()), (11, 11));
    }
}
