//! What is not as it should be in an archive: which fault, where, in words. `docs/verify.md` has the table.

use std::fmt;

/// What is wrong with a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// No layout is there.
    LayoutMissing,
    /// A layout is not what it should be.
    LayoutDamaged,
    /// A payload has no record.
    RecordMissing,
    /// A record is no JSON of a record, or disagrees with its own check.
    RecordDamaged,
    /// The message has another key by its record: the name was changed, or its digest is not the payload's.
    KeyDiffers,
    /// The payload is longer or shorter than its record says.
    SizeDiffers,
    /// The store's own CRC32C of the payload, or that of the bytes that were read, is not the record's.
    ChecksumDiffers,
    /// The payload's bytes are not those of the record's SHA-256.
    PayloadDiffers,
    /// It was listed, and could not be found when it was read.
    Vanished,
    /// A key that was asked for is not there.
    Absent,
    /// A record without its payload: what a crash leaves before anything was acknowledged.
    RecordAlone,
    /// A blob that Persistor did not make.
    Foreign,
    /// Of a version, a kind or a requirement that this version does not know.
    Later,
    /// An event that could not be read when it came, kept as it came.
    Rejected,
    /// One id of one entity at one second with different payloads.
    PayloadsDiffer,
    /// One stream with more than one entity.
    EntitiesDiffer,
}

impl Fault {
    /// Every fault, in the order in which a summary counts them.
    pub const ALL: [Self; 16] = [
        Self::LayoutMissing,
        Self::LayoutDamaged,
        Self::RecordMissing,
        Self::RecordDamaged,
        Self::KeyDiffers,
        Self::SizeDiffers,
        Self::ChecksumDiffers,
        Self::PayloadDiffers,
        Self::Vanished,
        Self::Absent,
        Self::RecordAlone,
        Self::Foreign,
        Self::Later,
        Self::Rejected,
        Self::PayloadsDiffer,
        Self::EntitiesDiffer,
    ];

    /// Its name in lines of output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LayoutMissing => "layout-missing",
            Self::LayoutDamaged => "layout-damaged",
            Self::RecordMissing => "record-missing",
            Self::RecordDamaged => "record-damaged",
            Self::KeyDiffers => "key-differs",
            Self::SizeDiffers => "size-differs",
            Self::ChecksumDiffers => "checksum-differs",
            Self::PayloadDiffers => "payload-differs",
            Self::Vanished => "vanished",
            Self::Absent => "absent",
            Self::RecordAlone => "record-alone",
            Self::Foreign => "foreign",
            Self::Later => "later-version",
            Self::Rejected => "rejected",
            Self::PayloadsDiffer => "payloads-differ",
            Self::EntitiesDiffer => "entities-differ",
        }
    }

    /// Whether it is damage to one message that is there.
    pub(crate) fn is_of_message(self) -> bool {
        self.is_damage() && !matches!(self, Self::Absent | Self::LayoutMissing | Self::LayoutDamaged)
    }

    /// Whether something is lost or altered. What is not damage is worth a look, and no message is worse for it.
    pub fn is_damage(self) -> bool {
        !matches!(
            self,
            Self::RecordAlone | Self::Foreign | Self::Later | Self::Rejected | Self::PayloadsDiffer | Self::EntitiesDiffer
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub fault: Fault,
    /// The blob's name as the store has it; it can hold anything where Persistor did not make it.
    pub name: String,
    /// In words, without payloads and attribute values.
    pub text: String,
}

impl Finding {
    pub(crate) fn new(fault: Fault, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { fault, name: name.into(), text: text.into() }
    }
}
