//! An archive opened for reading: its blobs, its layouts, and the records and payloads of its messages. What is selected is left to others.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use persistor_core::{Entry, Error, ErrorKind, Key, LAYOUT_PREFIX, Layout, ParsedKey, Reader, Record, Result};

use crate::finding::{Fault, Finding};
use crate::progress::Progress;

/// The name of the metadata value that is a record, or says where it is.
const RECORD: &str = "record";
/// What that value is where the record has a blob of its own.
const IN_BLOB: &str = "blob";
/// A record or layout that is longer is none: brokers carry less than a hundredth of it around a payload.
const LONGEST_DOCUMENT: u64 = 16 << 20;

/// Memory that a payload is given before it was read.
const MOST_AT_ONCE: u64 = 64 << 20;

/// An archive, with the layouts that it describes itself by.
#[derive(Debug)]
pub struct Archive {
    reader: Arc<dyn Reader>,
    layouts: Vec<Layout>,
    findings: Vec<Finding>,
    progress: Progress,
}

impl Archive {
    /// Reads the layouts. Where there is none, keys are read by the default one, and [`Archive::findings`] says so.
    ///
    /// # Errors
    /// The reader's.
    pub async fn open(reader: Arc<dyn Reader>) -> Result<Arc<Self>> {
        let entries: Vec<_> = reader.list(LAYOUT_PREFIX, None).try_collect().await?;
        let mut archive = Self { reader, layouts: Vec::new(), findings: Vec::new(), progress: Progress::default() };
        for entry in &entries {
            match archive.layout(entry).await {
                Ok(layout) => archive.layouts.push(layout),
                Err(error) => {
                    let fault = match error.kind() {
                        ErrorKind::Unsupported => Fault::Later,
                        ErrorKind::Damaged | ErrorKind::Invalid => Fault::LayoutDamaged,
                        _ => return Err(error),
                    };
                    archive.findings.push(Finding::new(fault, &entry.name, error.to_string()));
                }
            }
        }
        if archive.layouts.is_empty() {
            if !archive.has_later_layouts() {
                let text = "no layout is there that could be read; keys are taken to be of the default template";
                archive.findings.push(Finding::new(Fault::LayoutMissing, LAYOUT_PREFIX, text));
            }
            archive.layouts.push(Layout::default());
        }
        Ok(Arc::new(archive))
    }

    async fn layout(&self, entry: &Entry) -> Result<Layout> {
        let text = self.document(&entry.key()?).await?;
        let layout = Layout::decode(&text)?;
        if layout.key().as_str() != entry.name {
            return Err(Error::new(ErrorKind::Damaged, "its name is not that of the layout in it"));
        }
        Ok(layout)
    }

    /// The layouts that keys are read by, at least one.
    pub fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    /// What was found wrong with the layouts.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether a layout is there that this version cannot read, so that names of no known layout may be keys all the same.
    pub(crate) fn has_later_layouts(&self) -> bool {
        self.findings.iter().any(|finding| finding.fault == Fault::Later)
    }

    /// The store below.
    pub fn reader(&self) -> &Arc<dyn Reader> {
        &self.reader
    }

    /// What was read so far.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How many parts of the publish time every message's key holds, from the year on: 3 to 6.
    pub fn time_parts(&self) -> usize {
        self.layouts.iter().map(|layout| layout.template().time_parts()).min().unwrap_or(0)
    }

    /// The parts of a key, if one of the layouts makes it.
    pub fn parse(&self, key: &Key) -> Option<ParsedKey> {
        self.layouts.iter().find_map(|layout| layout.template().read(key))
    }

    /// Whether one of the layouts gives the record's message this key.
    pub(crate) fn makes(&self, key: &Key, record: &Record) -> bool {
        self.layouts.iter().any(|layout| layout.template().render_record(record) == *key)
    }

    /// The listing's entry of one blob, if there is such a blob.
    ///
    /// # Errors
    /// The reader's.
    pub async fn entry(&self, key: &Key) -> Result<Option<Entry>> {
        // Of the names that start with it, its own is the first.
        let entry = self.reader.list(key.as_str(), None).try_next().await?;
        Ok(entry.filter(|entry| entry.name == key.as_str()))
    }

    /// The record of the message at `key`: out of the metadata, or of a blob of its own.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none, [`Record::decode`]'s, and the reader's.
    pub async fn record(&self, key: &Key, entry: &Entry) -> Result<Record> {
        match entry.metadata.get(RECORD) {
            Some(text) if text != IN_BLOB => Record::decode(text),
            // Also where the metadata says nothing: a store without, or a copy that lost it.
            _ => Record::decode(&self.document(&key.record()?).await?),
        }
    }

    /// Whether the listing itself says that there is a record.
    pub(crate) fn claims_record(entry: &Entry) -> bool {
        entry.metadata.contains_key(RECORD)
    }

    /// The whole payload. `size` is what the listing said, to hold it in one piece.
    ///
    /// # Errors
    /// The reader's.
    pub async fn payload(&self, key: &Key, size: u64) -> Result<Vec<u8>> {
        let mut chunks = self.reader.read(key, None).await?;
        // The size is what a listing says: not to be trusted with all memory.
        let mut payload = Vec::with_capacity(usize::try_from(size.min(MOST_AT_ONCE)).unwrap_or(0));
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            self.progress.read(chunk.len());
            payload.extend_from_slice(&chunk);
        }
        Ok(payload)
    }

    async fn document(&self, key: &Key) -> Result<String> {
        let mut chunks = self.reader.read(key, Some(0..LONGEST_DOCUMENT + 1)).await?;
        let mut document = Vec::new();
        while let Some(chunk) = chunks.next().await {
            document.extend_from_slice(&chunk?);
        }
        let damaged = |text: &str| Error::new(ErrorKind::Damaged, text);
        if document.len() as u64 > LONGEST_DOCUMENT {
            return Err(damaged("it is longer than a record can be"));
        }
        String::from_utf8(document).map_err(|_| damaged("it is no text"))
    }
}
