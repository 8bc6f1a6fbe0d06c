//! A faithful copy of messages into another archive: the same keys, records and bytes. Layouts go first, what is damaged is left out and said. Which messages, where to, and
//! what is shown is left to others.
//!
//! Nothing is asked of the target but to create: that is all the right that a writer has to have. So what is there already costs reading it here and one create there, and is checked on
//! the way; and a copy that was broken off is continued by making it again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use persistor_core::{Creation, Entry, Error, ErrorKind, Key, LAYOUT_PREFIX, Metadata, REJECTED_PREFIX, Result, Writer, restore};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::archive::Archive;
use crate::finding::{Fault, Finding};
use crate::intact::intact_payload;
use crate::messages::{Detail, Item, Source, messages};
use crate::replay::Ended;
use crate::replay::room::Room;
use crate::selection::Selection;
use crate::stored::Stored;

/// Blobs that are read and written at the same time.
const AT_ONCE: usize = 32;
/// Bytes of them that are held at the same time; a larger one is copied alone.
const MEMORY: u64 = 64 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What is to be copied.
pub struct Wanted {
    /// Which messages.
    pub selection: Arc<Selection>,
    /// Where their names come from.
    pub source: Source,
    /// So many messages at most.
    pub limit: Option<u64>,
    /// Whether calls that could not be read when they came (`_persistor/rejected/`) are copied too: they belong to no message.
    pub rejected: bool,
}

/// What a copy came to.
#[derive(Debug)]
pub struct Copied {
    /// Messages that were written now, each key for itself.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Messages that were there already.
    pub existed: u64,
    /// Layouts that are there now.
    pub layouts: u64,
    /// Rejected calls that are there now.
    pub rejected: u64,
    /// Findings that are damage: what was left out.
    pub damage: u64,
    /// How it ended.
    pub ended: Ended,
}

/// One blob with what belongs to it.
enum Work {
    Message(Box<Stored>),
    Rejected(Entry),
    Finding(Finding),
}

/// What came of it.
enum Done {
    Message(Creation, u64),
    Rejected,
    Finding(Finding),
}

/// What a copy would be of: messages, with each key for itself, and bytes of payloads. What is found on the way is handed over.
///
/// # Errors
/// The reader's.
pub async fn measure(archive: &Arc<Archive>, wanted: Wanted, found: &mut (dyn FnMut(Finding) + Send)) -> Result<(u64, u64)> {
    let (mut count, mut bytes) = (0, 0);
    let mut works = works(archive, wanted);
    while let Some(work) = works.try_next().await? {
        match work {
            Work::Message(stored) => {
                count += 1;
                bytes += stored.size;
            }
            Work::Rejected(_) => {}
            Work::Finding(finding) => found(finding),
        }
    }
    Ok((count, bytes))
}

/// Copies. What is damaged is handed over and left out. A target that fails for longer than `patience` ends the copy; so does `stop`, with what is under way finished.
pub async fn copy(
    archive: &Arc<Archive>,
    target: &Arc<dyn Writer>,
    wanted: Wanted,
    patience: Duration,
    mut stop: watch::Receiver<bool>,
    found: &mut (dyn FnMut(Finding) + Send),
) -> Copied {
    let (end, ended) = watch::channel(false);
    let blobs = Arc::new(Blobs { archive: archive.clone(), target: target.clone(), patience, ended });
    let (room, mut works, mut tasks) = (Room::new(MEMORY), works(archive, wanted), JoinSet::new());
    let mut copied = Copied { messages: 0, bytes: 0, existed: 0, layouts: 0, rejected: 0, damage: 0, ended: Ended::Done };
    let mut found = |finding: Finding, copied: &mut Copied| {
        copied.damage += u64::from(finding.fault.is_damage());
        found(finding);
    };
    let (mut open, mut begun, mut stoppable) = (true, false, true);
    while open || !tasks.is_empty() {
        let failed = tokio::select! {
            Some(done) = tasks.join_next(), if !tasks.is_empty() => {
                match done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
                    Ok(Done::Message(Creation::Created, bytes)) => {
                        copied.messages += 1;
                        copied.bytes += bytes;
                        None
                    }
                    Ok(Done::Message(Creation::Exists, _)) => { copied.existed += 1; None }
                    Ok(Done::Rejected) => { copied.rejected += 1; None }
                    Ok(Done::Finding(finding)) => { found(finding, &mut copied); None }
                    Err(error) => Some(Ended::Failed(error)),
                }
            }
            work = works.next(), if open && tasks.len() < AT_ONCE => match work {
                None => { open = false; None }
                Some(Err(error)) => Some(Ended::Failed(error)),
                Some(Ok(Work::Finding(finding))) => { found(finding, &mut copied); None }
                Some(Ok(work)) => {
                    // Where nothing is selected nothing is made; and what is there is never without its layout.
                    let layouts = if begun { Ok(0) } else { blobs.layouts().await };
                    begun = true;
                    match layouts {
                        Err(error) => Some(Ended::Failed(error)),
                        Ok(layouts) => {
                            copied.layouts += layouts;
                            let (held, blobs) = (room.take(work.size()).await, blobs.clone());
                            tasks.spawn(async move {
                                let _held = held;
                                blobs.copy(work).await
                            });
                            None
                        }
                    }
                }
            },
            stopped = stop.wait_for(|stop| *stop), if open && stoppable => match stopped {
                Ok(_) => Some(Ended::Stopped),
                // Nobody can stop it any more.
                Err(_) => { stoppable = false; None }
            },
        };
        if let Some(why) = failed {
            open = false;
            // The first reason is the one; what waits for a better time waits no more, and what is under way comes to its end.
            if matches!(copied.ended, Ended::Done) {
                copied.ended = why;
            }
            end.send_replace(true);
        }
    }
    copied
}

fn works(archive: &Arc<Archive>, wanted: Wanted) -> BoxStream<'static, Result<Work>> {
    let items = messages(archive, &wanted.selection, wanted.source, Detail::Records);
    let limit = wanted.limit.unwrap_or(u64::MAX);
    let works = items.map_ok(|item| match item {
        Item::Message(stored) => Work::Message(stored),
        Item::Finding(finding) => Work::Finding(finding),
    });
    let mut taken = 0;
    // Ends with the last one that is wanted, and does not look for another.
    let works = works.scan(false, move |over, work| {
        if *over {
            return std::future::ready(None);
        }
        taken += u64::from(matches!(work, Ok(Work::Message(_))));
        *over = taken >= limit;
        std::future::ready(Some(work))
    });
    if wanted.rejected {
        works.chain(archive.reader().list(REJECTED_PREFIX, None).map_ok(Work::Rejected)).boxed()
    } else {
        works.boxed()
    }
}

impl Work {
    fn size(&self) -> u64 {
        match self {
            Self::Message(stored) => stored.size,
            Self::Rejected(entry) => entry.size,
            Self::Finding(_) => 0,
        }
    }
}

/// From where, to where.
struct Blobs {
    archive: Arc<Archive>,
    target: Arc<dyn Writer>,
    patience: Duration,
    /// Whether the copy ends, so that nothing is waited for.
    ended: watch::Receiver<bool>,
}

impl Blobs {
    /// The layouts, also those of later versions; a target that is not there or refuses shows it here, and is not tried again.
    async fn layouts(&self) -> Result<u64> {
        let mut entries = self.archive.reader().list(LAYOUT_PREFIX, None);
        let mut count = 0;
        while let Some(entry) = entries.try_next().await? {
            let damaged = |finding: &&Finding| finding.fault == Fault::LayoutDamaged && finding.name == entry.name;
            if self.archive.findings().iter().find(damaged).is_none() {
                let (key, content) = self.whole(&entry).await?;
                self.target.create(&key, &[content], &Metadata::new(), None).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    async fn whole(&self, entry: &Entry) -> Result<(Key, Bytes)> {
        let key = entry.key()?;
        let content = Bytes::from(self.archive.payload(&key, entry.size).await?);
        if content.len() as u64 != entry.size {
            return Err(Error::new(ErrorKind::Damaged, format!("read `{key}`: it has another length than the listing says")));
        }
        Ok((key, content))
    }

    async fn copy(&self, work: Work) -> Result<Done> {
        match work {
            Work::Finding(finding) => Ok(Done::Finding(finding)),
            Work::Rejected(entry) => {
                let (key, content) = self.whole(&entry).await?;
                let (content, none) = ([content], Metadata::new());
                self.patiently(|| self.target.create(&key, &content, &none, None)).await?;
                Ok(Done::Rejected)
            }
            Work::Message(stored) => {
                let missing = || Error::new(ErrorKind::Damaged, format!("copy `{}`: its record was not read", stored.key));
                let record = stored.record.as_ref().ok_or_else(missing)?;
                match intact_payload(&self.archive, &stored.key, record).await? {
                    Err(finding) => Ok(Done::Finding(finding)),
                    Ok(payload) => {
                        let create = || restore(&*self.target, &stored.key, record, payload.clone());
                        Ok(Done::Message(self.patiently(create).await?, stored.size))
                    }
                }
            }
        }
    }

    /// Tries again and again, with longer and longer pauses, while the target does not confirm. A right that is missing is no reason to wait: somebody has to give it.
    async fn patiently<F: Future<Output = Result<Creation>>>(&self, create: impl Fn() -> F) -> Result<Creation> {
        let deadline = Instant::now() + self.patience;
        let (mut pause, mut ended) = (FIRST_PAUSE, self.ended.clone());
        loop {
            match create().await {
                Err(error) if error.kind() == ErrorKind::Unavailable && Instant::now() + pause < deadline => {
                    // Only its end is of interest, not why the pause ended.
                    if *ended.borrow() || matches!(timeout(pause, ended.wait_for(|ended| *ended)).await, Ok(Ok(_))) {
                        return Err(error);
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                result => return result,
            }
        }
    }
}
