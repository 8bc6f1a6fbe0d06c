//! Which of two sets of texts lack the other: what arrived elsewhere, and what an archive stores. Both sides are sorted within
//! a bounded memory and walked along together, so that their sizes do not matter.

use persistor_core::Result;
use sha2::{Digest as _, Sha256};

use crate::sorter::{Sorted, Sorter};

/// The bytes of a value's digest that stand for it. That two of even 2^40 values have the same is out of question.
const DIGEST: usize = 16;

/// Which side is asked for what the other lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The keys of stored values that did not arrive.
    NotArrived,
    /// The values that arrived and are not stored.
    NotStored,
}

/// Takes the values of both sides, in any order and as often as they come. Any number of equal values on one side is matched
/// by a single one on the other.
pub struct Difference {
    direction: Direction,
    /// Bytes of a sorter's memory.
    share: usize,
    arrived: Sorter,
    stored: Sorter,
    item: Vec<u8>,
}

impl Difference {
    /// An empty one that holds no more than `memory` bytes, save for single values that are longer; what does not fit goes
    /// to temporary files.
    pub fn new(direction: Direction, memory: usize) -> Self {
        // A third each: two sides, and the keys that are the answer.
        let share = memory / 3;
        Self { direction, share, arrived: Sorter::new(share), stored: Sorter::new(share), item: Vec::new() }
    }

    /// Takes a value that arrived.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](persistor_core::ErrorKind::Unavailable) where there is no room for temporary files.
    pub fn arrived(&mut self, value: &[u8]) -> Result<()> {
        match self.direction {
            Direction::NotArrived => self.arrived.push(&digest(value)),
            Direction::NotStored => self.arrived.push(value),
        }
    }

    /// Takes the value of a stored message, and the message's key.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](persistor_core::ErrorKind::Unavailable) where there is no room for temporary files.
    pub fn stored(&mut self, value: &[u8], key: &str) -> Result<()> {
        match self.direction {
            Direction::NotArrived => {
                self.item.clear();
                self.item.extend_from_slice(&digest(value));
                self.item.extend_from_slice(key.as_bytes());
                self.stored.push(&self.item)
            }
            Direction::NotStored => self.stored.push(value),
        }
    }

    /// What was asked for: keys or values, each once, in byte order.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](persistor_core::ErrorKind::Unavailable) where temporary files cannot be written or read.
    pub fn lines(self) -> Result<Lines> {
        let (arrived, stored) = (self.arrived.sorted()?, self.stored.sorted()?);
        match self.direction {
            Direction::NotStored => Lines::new(arrived, stored, usize::MAX),
            Direction::NotArrived => {
                let mut missing = Lines::new(stored, arrived, DIGEST)?;
                let (mut keys, mut item) = (Sorter::new(self.share), Vec::new());
                while missing.next_into(&mut item)? {
                    keys.push(&item[DIGEST..])?;
                }
                drop(missing);
                Lines::new(keys.sorted()?, Sorter::new(0).sorted()?, usize::MAX)
            }
        }
    }
}

fn digest(value: &[u8]) -> [u8; DIGEST] {
    let mut digest = [0; DIGEST];
    digest.copy_from_slice(&Sha256::digest(value)[..DIGEST]);
    digest
}

/// The items of one side that the other lacks, each once, in byte order.
pub struct Lines {
    these: Sorted,
    those: Sorted,
    /// The bytes of an item that are looked for on the other side.
    compared: usize,
    /// The least of the other side that is not behind; `None` at its end.
    that: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
}

impl Lines {
    fn new(these: Sorted, mut those: Sorted, compared: usize) -> Result<Self> {
        let mut that = Vec::new();
        let that = those.next_into(&mut that)?.then_some(that);
        Ok(Self { these, those, compared, that, last: None })
    }

    /// Puts the next line, which has no line end, in the place of what `line` holds; `false` where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](persistor_core::ErrorKind::Unavailable) where a temporary file cannot be read.
    pub fn next_into(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        while self.these.next_into(line)? {
            if self.last.as_ref() == Some(line) || self.other_has(&line[..line.len().min(self.compared)])? {
                continue;
            }
            self.last.get_or_insert_default().clone_from(line);
            return Ok(true);
        }
        Ok(false)
    }

    fn other_has(&mut self, value: &[u8]) -> Result<bool> {
        while let Some(that) = &mut self.that
            && that.as_slice() < value
        {
            if !self.those.next_into(that)? {
                self.that = None;
            }
        }
        Ok(self.that.as_deref() == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Stored<'a> = &'a [(Vec<u8>, String)];

    fn difference(direction: Direction, memory: usize, arrived: &[Vec<u8>], stored: Stored<'_>) -> Vec<Vec<u8>> {
        let mut difference = Difference::new(direction, memory);
        // By turns, since nothing says which side comes first.
        for at in 0..arrived.len().max(stored.len()) {
            arrived.get(at).map(|value| difference.arrived(value)).transpose().expect("arrived");
            stored.get(at).map(|(value, key)| difference.stored(value, key)).transpose().expect("stored");
        }
        let (mut lines, mut line, mut all) = (difference.lines().expect("lines"), Vec::new(), Vec::new());
        while lines.next_into(&mut line).expect("next") {
            all.push(line.clone());
        }
        all
    }

    fn expected(direction: Direction, arrived: &[Vec<u8>], stored: Stored<'_>) -> Vec<Vec<u8>> {
        let has_arrived: BTreeSet<_> = arrived.iter().collect();
        let is_stored: BTreeSet<_> = stored.iter().map(|(value, _)| value).collect();
        let lines: BTreeSet<Vec<u8>> = match direction {
            Direction::NotArrived => {
                let missing = stored.iter().filter(|(value, _)| !has_arrived.contains(value));
                missing.map(|(_, key)| key.clone().into_bytes()).collect()
            }
            Direction::NotStored => has_arrived.difference(&is_stored).map(|value| value.to_vec()).collect(),
        };
        lines.into_iter().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_is_the_difference_of_sets(
            arrived in vec(vec(0u8..4, 0..5), 0..200),
            stored in vec((vec(0u8..4, 0..5), "[ab/]{0,3}"), 0..200),
            memory in 0usize..3000,
        ) {
            for direction in [Direction::NotArrived, Direction::NotStored] {
                let lines = difference(direction, memory, &arrived, &stored);
                prop_assert_eq!(lines, expected(direction, &arrived, &stored), "{:?}", direction);
            }
        }
    }

    #[test]
    fn sides_may_repeat_be_empty_and_hold_the_empty_value() {
        let value = |text: &str| text.as_bytes().to_vec();
        let stored =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(text, key)| (value(text), (*key).to_owned())).collect::<Vec<_>>();
        let two_of_each = stored(&[("x", "k4"), ("x", "k3"), ("y", "k2"), ("y", "k1"), ("", "k0"), ("x", "k4")]);
        let not_arrived = |arrived: &[&str], stored: Stored<'_>| {
            difference(Direction::NotArrived, 1 << 20, &arrived.iter().map(|text| value(text)).collect::<Vec<_>>(), stored)
        };
        let not_stored = |arrived: &[&str], stored: Stored<'_>| {
            difference(Direction::NotStored, 1 << 20, &arrived.iter().map(|text| value(text)).collect::<Vec<_>>(), stored)
        };
        assert_eq!(not_arrived(&["y", "", "y"], &two_of_each), [value("k3"), value("k4")]);
        assert_eq!(not_arrived(&[], &two_of_each), ["k0", "k1", "k2", "k3", "k4"].map(value));
        assert_eq!(not_arrived(&["x", ""], &[]), Vec::<Vec<u8>>::new());
        assert_eq!(not_stored(&["z", "y", "z", "xx", "a"], &two_of_each), ["a", "xx", "z"].map(value));
        assert_eq!(not_stored(&["", "x"], &two_of_each[..2]), [value("")]);
        assert_eq!(not_stored(&["b", "", "b"], &[]), ["", "b"].map(value));
        assert_eq!(not_stored(&[], &two_of_each), Vec::<Vec<u8>>::new());
    }
}
