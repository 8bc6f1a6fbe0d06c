//! Which entity each stream was seen with, to warn once where a stream gets a second one.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use persistor_core::{Entity, Stream};

/// The most streams that are remembered, by hashes of their names: a sender can fill little memory with them.
const MOST: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct Streams {
    hasher: RandomState,
    seen: Mutex<HashMap<u64, Seen>>,
}

#[derive(Debug)]
struct Seen {
    entity: u64,
    warned: bool,
}

impl Streams {
    /// Whether this is the first time that `stream` comes from another entity than before.
    pub(crate) fn is_new_clash(&self, stream: &Stream, entity: &Entity) -> bool {
        let (stream, entity) = (self.hasher.hash_one(stream), self.hasher.hash_one(entity));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = seen.get_mut(&stream) {
            return first.entity != entity && !std::mem::replace(&mut first.warned, true);
        }
        if seen.len() < MOST {
            seen.insert(stream, Seen { entity, warned: false });
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_entity_is_said_once() {
        let (orders, a, b) = (Stream::new("orders").expect("s"), Entity::new("a").expect("e"), Entity::new("b").expect("e"));
        let streams = Streams::default();
        assert!(!streams.is_new_clash(&orders, &a));
        assert!(!streams.is_new_clash(&orders, &a));
        assert!(streams.is_new_clash(&orders, &b));
        assert!(!streams.is_new_clash(&orders, &b));
    }
}
