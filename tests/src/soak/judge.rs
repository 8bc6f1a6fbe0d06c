//! Holds what was acknowledged against what an archive has.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::Archive;
use crate::expected::{Expected, Identity};

/// What is wrong, a line for each message or blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged, and not there.
    pub lost: Vec<String>,
    /// There, with another payload, another record or none, or under a key that is not theirs.
    pub altered: Vec<String>,
    /// There more than once.
    pub doubled: Vec<String>,
    /// Blobs of messages that nobody sent, and whatever else belongs to no message.
    pub never_sent: Vec<String>,
    /// Not acknowledged, though all faults were over.
    pub never_acknowledged: Vec<String>,
    /// Records without a payload: all is acknowledged, so there must be none.
    pub lone_records: Vec<String>,
    /// Blobs that were there, and were written again by a later delivery.
    pub made_again: Vec<String>,
    /// Names of temporary files: what kills leave, and no fault.
    pub temporary: usize,
}

impl Verdict {
    /// Looks at every message that was sent, and whether it was acknowledged, and at every blob.
    pub fn of(archive: &Archive, sent: impl Iterator<Item = (Expected, bool)>) -> Self {
        let mut verdict =
            Self { lone_records: archive.lone_records.clone(), temporary: archive.temporary.len(), ..Self::default() };
        let mut blobs: BTreeMap<Identity, Vec<&String>> = BTreeMap::new();
        for (key, stored) in archive.messages.iter().chain(&archive.misplaced) {
            blobs.entry(Identity::of(stored)).or_default().push(key);
        }
        let mut damaged: BTreeSet<_> = archive.damaged.keys().collect();
        for (expected, acknowledged) in sent {
            let (key, identity) = expected.key_and_identity();
            let found = blobs.remove(&identity).unwrap_or_default();
            let is_damaged = damaged.remove(&key);
            if !acknowledged {
                verdict.never_acknowledged.push(key.clone());
            }
            if found.len() + usize::from(is_damaged) > 1 {
                verdict.doubled.push(format!("{key} is also {found:?}"));
            } else if is_damaged {
                verdict.altered.push(format!("{key} {}", archive.damaged[&key]));
            } else if let [there] = found[..] {
                let difference = match archive.messages.get(there) {
                    Some(stored) => expected.difference(stored),
                    None => Some(format!("stands under {there}")),
                };
                verdict.altered.extend(difference.map(|difference| format!("{key}: {difference}")));
            } else if acknowledged {
                verdict.lost.push(key);
            }
        }
        let unknown = blobs.into_values().flatten().map(String::clone);
        verdict.never_sent = unknown.chain(damaged.into_iter().cloned()).collect();
        verdict.never_sent.extend(archive.rejected.keys().cloned());
        let counted = archive.misplaced.len() + archive.damaged.len();
        if archive.layouts != 1 || archive.faults.len() > counted {
            let others = archive.faults.iter().filter(|fault| {
                !archive.misplaced.keys().chain(archive.damaged.keys()).any(|key| fault.starts_with(&format!("`{key}`")))
            });
            verdict.never_sent.extend(others.cloned());
            if archive.layouts != 1 {
                verdict.never_sent.push(format!("{} layouts", archive.layouts));
            }
        }
        verdict
    }

    /// Takes in how the blobs were made, once before some deliveries and once after them.
    pub fn compare(&mut self, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
        let changed = before.iter().filter(|(name, made)| after.get(*name) != Some(made));
        self.made_again.extend(changed.map(|(name, _)| name.clone()));
    }

    /// Every kind of what is wrong, by its name, with its lines.
    pub fn faults(&self) -> [(&'static str, &Vec<String>); 7] {
        [
            ("lost", &self.lost),
            ("altered", &self.altered),
            ("doubled", &self.doubled),
            ("never sent", &self.never_sent),
            ("never acknowledged", &self.never_acknowledged),
            ("record without payload", &self.lone_records),
            ("made again", &self.made_again),
        ]
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults().iter().all(|(_, lines)| lines.is_empty())
    }

    /// Takes in another one.
    pub fn add(&mut self, other: Self) {
        self.lost.extend(other.lost);
        self.altered.extend(other.altered);
        self.doubled.extend(other.doubled);
        self.never_sent.extend(other.never_sent);
        self.never_acknowledged.extend(other.never_acknowledged);
        self.lone_records.extend(other.lone_records);
        self.made_again.extend(other.made_again);
        self.temporary += other.temporary;
    }
}
