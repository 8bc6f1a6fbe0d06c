//! Whether an archive is whole: everything the listing can show, and the payloads' bytes as far as they are asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use persistor_core::{ErrorKind, Key, Record, Result};
use sha2::{Digest as _, Sha256};

use crate::archive::Archive;
use crate::duplicates::identity;
use crate::finding::{Fault, Finding};
use crate::messages::{Detail, Item, Source, messages};
use crate::selection::Selection;
use crate::sorter::Sorter;
use crate::stored::Stored;

/// Payloads that are read at the same time; a chunk of each is held.
const READS: usize = 16;
/// Memory for the identities, in bytes; what does not fit is sorted in temporary files.
const MEMORY: usize = 64 << 20;

/// Whose payloads are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReadData {
    /// Nobody's: what the listing tells is all.
    No,
    /// Every message's.
    All,
    /// This share of the messages, from 0 to 1. Which ones they are follows from the seed and their keys.
    Sample {
        /// The share.
        share: f64,
        /// Another one chooses others.
        seed: u64,
    },
}

/// What a verification came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Messages that were looked at, the damaged ones included.
    pub messages: u64,
    /// Bytes of their payloads, by the listing.
    pub bytes: u64,
    /// Messages whose payloads were read.
    pub read: u64,
    /// Messages that stand under another layout's key too.
    pub duplicates: u64,
    /// How many findings there are of each fault.
    pub findings: BTreeMap<Fault, u64>,
}

impl Summary {
    /// Findings that are damage.
    pub fn damage(&self) -> u64 {
        self.findings.iter().filter(|(fault, _)| fault.is_damage()).map(|(_, count)| count).sum()
    }
}

/// Looks at the selected messages, and at everything else that is found on the way. Each finding is handed over when it is known.
///
/// # Errors
/// The reader's, and where a temporary file cannot be written. What is wrong with the archive is no error.
pub async fn verify(
    archive: &Arc<Archive>,
    selection: &Arc<Selection>,
    source: Source,
    data: ReadData,
    found: &mut (dyn FnMut(Finding) + Send),
) -> Result<Summary> {
    let mut verification =
        Verification { summary: Summary::default(), streams: BTreeMap::new(), payloads: Sorter::new(MEMORY), found };
    let looked_at = messages(archive, selection, source, Detail::Records).map_ok(|item| {
        let archive = archive.clone();
        async move {
            match item {
                Item::Message(stored) if chosen(data, &stored.key) => {
                    let finding = read(&archive, &stored).await?;
                    Ok((Item::Message(stored), true, finding))
                }
                item => Ok((item, false, None)),
            }
        }
    });
    let mut looked_at = looked_at.try_buffered(READS).boxed();
    while let Some((item, read, finding)) = looked_at.try_next().await? {
        match item {
            Item::Message(stored) => verification.add(&stored, read)?,
            Item::Finding(finding) => {
                verification.summary.messages += u64::from(finding.fault.is_of_message());
                verification.report(finding);
            }
        }
        finding.into_iter().for_each(|finding| verification.report(finding));
    }
    verification.end()
}

/// Whether the payload of a message is to be read.
fn chosen(data: ReadData, key: &Key) -> bool {
    match data {
        ReadData::No => false,
        ReadData::All => true,
        ReadData::Sample { share, seed } => {
            let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(key.as_str()).finalize();
            let drawn = digest[..4].iter().fold(0_u32, |drawn, byte| drawn << 8 | u32::from(*byte));
            f64::from(drawn) < share * (f64::from(u32::MAX) + 1.0)
        }
    }
}

/// Compares a payload with its record's digests.
async fn read(archive: &Archive, stored: &Stored) -> Result<Option<Finding>> {
    let Some(record) = &stored.record else { return Ok(None) };
    let differs = |text: &str| Ok(Some(Finding::new(Fault::PayloadDiffers, stored.key.as_str(), text)));
    match digests(archive, &stored.key).await {
        Ok((sha256, crc32c)) if sha256 == record.sha256() && crc32c == record.crc32c() => Ok(None),
        Ok((sha256, _)) if sha256 == record.sha256() => {
            let text = "the payload has its record's SHA-256 and another CRC32C: the record is wrong";
            Ok(Some(Finding::new(Fault::ChecksumDiffers, stored.key.as_str(), text)))
        }
        Ok(_) => differs("the payload's SHA-256 is not its record's: its bytes were changed"),
        Err(error) => match error.kind() {
            ErrorKind::NotFound => Ok(Some(Finding::new(Fault::Vanished, stored.key.as_str(), "it was listed, and is gone"))),
            ErrorKind::Damaged => differs("the store's own checksum of the payload does not hold"),
            _ => Err(error),
        },
    }
}

/// SHA-256 and CRC32C of a payload, in hex.
async fn digests(archive: &Archive, key: &Key) -> Result<(String, String)> {
    let mut chunks = archive.reader().read(key, None).await?;
    let (mut digest, mut crc32c) = (Sha256::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        archive.progress().read(chunk.len());
        digest.update(&chunk);
        crc32c = crc32c::crc32c_append(crc32c, &chunk);
    }
    let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((sha256, format!("{crc32c:08x}")))
}

struct Verification<'a> {
    summary: Summary,
    /// The entities of each stream, with a key of each.
    streams: BTreeMap<String, BTreeMap<String, String>>,
    /// For each message: what identifies it but for its payload, the payload's digest, and its key.
    payloads: Sorter,
    found: &'a mut (dyn FnMut(Finding) + Send),
}

impl Verification<'_> {
    fn report(&mut self, finding: Finding) {
        *self.summary.findings.entry(finding.fault).or_default() += 1;
        (self.found)(finding);
    }

    fn add(&mut self, stored: &Stored, read: bool) -> Result<()> {
        let Some(record) = &stored.record else { return Ok(()) };
        self.summary.messages += 1;
        self.summary.bytes += stored.size;
        self.summary.read += u64::from(read);
        self.summary.duplicates += u64::from(stored.duplicate_of.is_some());
        let entities = self.streams.entry(record.stream().to_string()).or_default();
        entities.entry(record.entity().to_string()).or_insert_with(|| stored.key.to_string());
        self.payloads.push(&item(record, &stored.key))
    }

    fn end(mut self) -> Result<Summary> {
        for (stream, entities) in std::mem::take(&mut self.streams) {
            let mut entities = entities.into_iter();
            let Some((first, _)) = entities.next() else { continue };
            for (entity, key) in entities {
                let text =
                    format!("the stream `{stream}` has messages of the entity `{entity}` too, beside `{first}`: ids can clash");
                self.report(Finding::new(Fault::EntitiesDiffer, key, text));
            }
        }
        let mut sorted = std::mem::replace(&mut self.payloads, Sorter::new(0)).sorted()?;
        let (mut last, mut next) = (Vec::new(), Vec::new());
        while sorted.next_into(&mut next)? {
            let same_message = last.get(..16) == next.get(..16);
            if same_message && last.get(16..80) != next.get(16..80) {
                let key = |item: &[u8]| String::from_utf8_lossy(&item[80..]).into_owned();
                let text = format!("the same id at the same second has another payload at `{}`", key(&last));
                self.report(Finding::new(Fault::PayloadsDiffer, key(&next), text));
            }
            std::mem::swap(&mut last, &mut next);
        }
        Ok(self.summary)
    }
}

/// 16 bytes of identity, 64 of digest, and the key.
fn item(record: &Record, key: &Key) -> Vec<u8> {
    [&identity(record, false)[..], record.sha256().as_bytes(), key.as_str().as_bytes()].concat()
}
