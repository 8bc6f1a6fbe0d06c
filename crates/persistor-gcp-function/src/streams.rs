//! Which entity each stream was seen with, to warn once where a stream gets a second one.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use persistor_core::{Entity, Stream};

/// The most streams that are remembered; a sender cannot fill the memory with more.
const MOST: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    entities: HashMap<Stream, Entity>,
    warned: HashSet<Stream>,
}

impl Streams {
    /// Whether this is the first time that `stream` comes from another entity than before.
    pub(crate) fn is_new_clash(&self, stream: &Stream, entity: &Entity) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.entities.get(stream) {
            Some(first) if first != entity => seen.warned.insert(stream.clone()),
            Some(_) => false,
            None => {
                if seen.entities.len() < MOST {
                    seen.entities.insert(stream.clone(), entity.clone());
                }
                false
            }
        }
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
