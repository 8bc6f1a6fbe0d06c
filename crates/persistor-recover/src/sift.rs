//! Tells by their names which blobs of a listing are payloads, records, or none of Persistor's. It holds no more than one name inside another's beginning.

use std::sync::Arc;

use persistor_core::{Entry, Key, LAYOUT_PREFIX, ParsedKey, REJECTED_PREFIX};

use crate::archive::Archive;
use crate::finding::{Fault, Finding};
use crate::replay::REPLAY_PREFIX;

/// What is said of a name that a layout of a later version may make.
pub(crate) const LATER_NAME: &str = "no layout that this version knows makes its name";

/// What an entry is by its name.
#[derive(Debug)]
pub(crate) enum Sifted {
    /// A name that a layout makes.
    Payload { key: Key, parsed: ParsedKey, entry: Entry },
    /// A name that no layout makes, with something that claims to be its record, or may be.
    Misnamed { key: Key, entry: Entry },
    /// Nothing that has to be read.
    Finding(Finding),
}

/// Takes entries in the byte order of their names.
#[derive(Debug)]
pub(crate) struct Sift {
    archive: Arc<Archive>,
    /// Whether all names come, so that records follow their payloads; else only those that were asked for.
    whole: bool,
    /// The entries whose names the last name began with: all that a record's name can belong to, since names between a payload's and its record's
    /// begin with the payload's too.
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    name: String,
    /// What no layout makes the name of, until its record has come or can come no more.
    unknown: Option<Entry>,
}

impl Sift {
    pub(crate) fn new(archive: Arc<Archive>, whole: bool) -> Self {
        Self { archive, whole, open: Vec::new() }
    }

    /// What can be said when this entry has come.
    pub(crate) fn next(&mut self, entry: Entry, sifted: &mut Vec<Sifted>) {
        while self.open.last().is_some_and(|open| !entry.name.starts_with(&open.name)) {
            self.close(sifted);
        }
        let name = entry.name.clone();
        let unknown = match Key::parse(name.as_str()) {
            Err(_) => Some(entry),
            Ok(key) if key.is_reserved() => {
                if name.starts_with(REJECTED_PREFIX) {
                    let text = "an event that could not be read when it came, and its whole call as it came: no command reads it as a message";
                    sifted.push(Sifted::Finding(Finding::new(Fault::Rejected, name, text)));
                } else if !name.starts_with(LAYOUT_PREFIX) && !name.starts_with(REPLAY_PREFIX) {
                    let text = "its name is reserved for Persistor, and this version does not know what it is";
                    sifted.push(Sifted::Finding(Finding::new(Fault::Later, name, text)));
                }
                return;
            }
            Ok(key) => match key.payload() {
                Some(_) if !self.whole => {
                    let text = "it is the name of a record's blob: the message's key is without its ending";
                    sifted.push(Sifted::Finding(Finding::new(Fault::Absent, name, text)));
                    return;
                }
                Some(payload) => {
                    let open = self.open.iter_mut().find(|open| open.name == payload.as_str());
                    match open {
                        None => {
                            let text = "a record without its payload: most likely a write that was broken off before anything was acknowledged";
                            sifted.push(Sifted::Finding(Finding::new(Fault::RecordAlone, name, text)));
                        }
                        Some(open) => sifted.extend(open.unknown.take().map(|entry| Sifted::Misnamed { key: payload, entry })),
                    }
                    return;
                }
                None => match self.archive.parse(&key) {
                    Some(parsed) => {
                        sifted.push(Sifted::Payload { key, parsed, entry });
                        None
                    }
                    None if Archive::claims_record(&entry) || !self.whole => {
                        sifted.push(Sifted::Misnamed { key, entry });
                        None
                    }
                    None => Some(entry),
                },
            },
        };
        self.open.push(Open { name, unknown });
    }

    /// What is left when the last entry has come.
    pub(crate) fn end(&mut self, sifted: &mut Vec<Sifted>) {
        while !self.open.is_empty() {
            self.close(sifted);
        }
    }

    fn close(&mut self, sifted: &mut Vec<Sifted>) {
        let Some(Open { name, unknown: Some(_) }) = self.open.pop() else { return };
        let (fault, text) = if self.archive.has_later_layouts() {
            (Fault::Later, LATER_NAME)
        } else {
            (Fault::Foreign, "no layout makes its name, and it has no record: not made by Persistor")
        };
        sifted.push(Sifted::Finding(Finding::new(fault, name, text)));
    }
}
