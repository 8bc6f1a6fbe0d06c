//! Items in one allocation of fixed size: their bytes grow from its front, the index from its back, so that neither has to be
//! given a share beforehand and nothing is ever moved to a larger place.

/// The bytes of an index entry: the item's first eight, which decide most comparisons without a look at the item; where it
/// starts; its length.
const ENTRY: usize = 16;
const PREFIX: usize = 8;

pub(super) struct Arena {
    bytes: Vec<u8>,
    capacity: usize,
    /// Where the items end.
    end: usize,
    /// Where the index starts.
    index: usize,
}

impl Arena {
    /// An empty one of `capacity` bytes, index included; no memory is taken before the first item.
    pub(super) fn new(capacity: usize) -> Self {
        // An entry has 32 bits for where its item starts.
        let capacity = capacity.min(u32::MAX as usize);
        Self { bytes: Vec::new(), capacity, end: 0, index: capacity }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index == self.capacity
    }

    /// Whether `item` fits while nothing else is there.
    pub(super) fn can_hold(&self, item: &[u8]) -> bool {
        item.len() + ENTRY <= self.capacity
    }

    /// Takes a copy of `item`; `false` where it does not fit any more.
    pub(super) fn push(&mut self, item: &[u8]) -> bool {
        if item.len() + ENTRY > self.index - self.end {
            return false;
        }
        if self.bytes.is_empty() {
            // Zeroed memory comes from the system untouched: what is never written to is never resident.
            self.bytes = vec![0; self.capacity];
        }
        let start = self.end;
        self.end += item.len();
        self.index -= ENTRY;
        self.bytes[start..self.end].copy_from_slice(item);

        let mut entry = [0; ENTRY];
        let prefix = item.len().min(PREFIX);
        entry[..prefix].copy_from_slice(&item[..prefix]);
        entry[PREFIX..12].copy_from_slice(&(start as u32).to_le_bytes());
        entry[12..].copy_from_slice(&(item.len() as u32).to_le_bytes());
        self.bytes[self.index..][..ENTRY].copy_from_slice(&entry);
        true
    }

    pub(super) fn sort(&mut self) {
        let index = self.index.min(self.bytes.len());
        let (items, index) = self.bytes.split_at_mut(index);
        index.as_chunks_mut().0.sort_unstable_by(|left, right| {
            // A short item's prefix is padded with zeros. It can be equal to a longer one's, never on its wrong side.
            left[..PREFIX].cmp(&right[..PREFIX]).then_with(|| item_of(items, left).cmp(item_of(items, right)))
        });
    }

    /// The item that is `at`th, after [`Self::sort`] in byte order.
    pub(super) fn get(&self, at: usize) -> Option<&[u8]> {
        let index = self.bytes.get(self.index..).unwrap_or_default();
        index.as_chunks().0.get(at).map(|entry| item_of(&self.bytes, entry))
    }
}

fn item_of<'a>(items: &'a [u8], entry: &[u8; ENTRY]) -> &'a [u8] {
    let [.., a, b, c, d, e, f, g, h] = *entry;
    let (start, length) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    &items[start as usize..][..length as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(mut arena: Arena) -> Vec<Vec<u8>> {
        arena.sort();
        (0..).map_while(|at| arena.get(at).map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn it_is_full_to_the_last_byte_and_never_larger() {
        let mut arena = Arena::new(2 * ENTRY + 5);
        assert!(arena.can_hold(&[0; ENTRY + 5]) && !arena.can_hold(&[0; ENTRY + 6]));
        assert!(arena.push(b"xyz") && !arena.push(b"abc") && arena.push(b"ab") && !arena.push(b""));
        assert_eq!(arena.bytes.capacity(), arena.capacity);
        assert_eq!(drain(arena), [b"ab".to_vec(), b"xyz".to_vec()]);
    }

    #[test]
    fn zeros_and_long_common_beginnings_are_told_apart() {
        let mut sorted: Vec<&[u8]> =
            vec![b"", b"\0", b"\0\0", b"a", b"a\0", b"a\0\0\0\0\0\0\0\0", b"a\x01", b"abcdefgh", b"abcdefghi"];
        let mut arena = Arena::new(1 << 10);
        assert!(sorted.iter().all(|item| arena.push(item)));
        sorted.sort_unstable();
        assert_eq!(drain(arena), sorted);
    }

    #[test]
    fn without_items_there_is_no_allocation() {
        let arena = Arena::new(usize::MAX);
        assert_eq!(arena.bytes.capacity(), 0);
        assert_eq!(drain(arena), Vec::<Vec<u8>>::new());
    }
}
