//! Keys that were asked for one by one: sorted, each once, and looked up in listings that leave out what lies between them.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use persistor_core::{Key, Reader, Result};

use crate::listing::Listed;
use crate::sorter::{Sorted, Sorter};

/// Names that are passed over before a listing begins anew at the next key: a page.
const NEAR: usize = 1000;
/// Memory for sorting, in bytes; what does not fit is sorted in temporary files.
const MEMORY: usize = 64 << 20;

/// Any number of keys.
pub struct Keys {
    sorter: Sorter,
}

impl Default for Keys {
    fn default() -> Self {
        Self { sorter: Sorter::new(MEMORY) }
    }
}

impl Keys {
    /// Adds one.
    ///
    /// # Errors
    /// Where a temporary file cannot be written.
    pub fn push(&mut self, key: &Key) -> Result<()> {
        self.sorter.push(key.as_str().as_bytes())
    }

    /// The entries of those that are there, and the names of those that are not, in order.
    pub(crate) fn batches(self, reader: Arc<dyn Reader>) -> BoxStream<'static, Result<Vec<Listed>>> {
        let lookup = self.sorter.sorted().map(|sorted| Lookup { reader, sorted, wanted: None, found: false });
        match lookup {
            Ok(lookup) => stream::try_unfold(lookup, |mut lookup| async move {
                let batch = lookup.batch().await?;
                Ok(batch.map(|batch| (batch, lookup)))
            })
            .boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }
}

struct Lookup {
    reader: Arc<dyn Reader>,
    sorted: Sorted,
    /// The key that is looked for, and whether it was met.
    wanted: Option<String>,
    found: bool,
}

impl Lookup {
    /// What one listing finds, from the next key on in the folder of that key.
    async fn batch(&mut self) -> Result<Option<Vec<Listed>>> {
        let mut batch = Vec::new();
        if self.wanted.is_none() {
            self.advance(&mut batch)?;
        }
        let Some(first) = self.wanted.clone() else { return Ok(None) };
        let folder = first.rfind('/').map_or("", |slash| &first[..=slash]).to_owned();
        let mut entries = self.reader.list(&folder, Some(&first));
        // The first name that comes settles the first key, so each listing gets on.
        let mut passed = 0;
        while passed < NEAR && batch.len() < NEAR {
            let Some(entry) = entries.try_next().await? else {
                while self.wanted.as_ref().is_some_and(|wanted| wanted.starts_with(&folder)) {
                    self.advance(&mut batch)?;
                }
                break;
            };
            while self.wanted.as_ref().is_some_and(|wanted| *wanted < entry.name) {
                self.advance(&mut batch)?;
            }
            match &self.wanted {
                Some(wanted) if *wanted == entry.name => {
                    self.found = true;
                    passed = 0;
                    batch.push(Listed::Entry(entry));
                }
                Some(wanted) if wanted.starts_with(&folder) => passed += 1,
                _ => break,
            }
        }
        if self.found {
            self.advance(&mut batch)?;
        }
        Ok(Some(batch))
    }

    /// Goes on to the next key; the one before was not there if it was not found until now.
    fn advance(&mut self, batch: &mut Vec<Listed>) -> Result<()> {
        let last = self.wanted.take();
        let mut item = Vec::new();
        while self.sorted.next_into(&mut item)? {
            // The same key again is no other.
            if last.as_ref().is_none_or(|last| last.as_bytes() != item) {
                self.wanted = Some(String::from_utf8_lossy(&item).into_owned());
                break;
            }
        }
        if let Some(absent) = last.filter(|_| !self.found) {
            batch.push(Listed::Absent(absent));
        }
        self.found = false;
        Ok(())
    }
}
