//! Where the archive of a soak is, with the faults that can be made between it and the program: a folder on a disk of its own, a bucket, or a container.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::Store;
use super::judge::Verdict;
use super::schedule::{Event, Fault};
use crate::archive::Archive;
use crate::azurite::{self, ACCOUNT, Azurite};
use crate::blob_double;
use crate::expected::Expected;
use crate::fake_storage::FakeStorage;
use crate::http::Answer;
use crate::mounts::Mount;
use crate::place;
use crate::program::Setup;
use crate::proxy::{Direction, Fault as Break, Kind as Way, Proxy};
use crate::scratch;
use crate::storage_double;
use crate::store_gate::{Fate, StoreGate};

/// What the disk of a folder has room for.
const DISK: u64 = 2 << 30;
/// What is left of it when it is nearly full: the next messages still fit.
const LEFT: u64 = 64 << 10;
/// A fault that has not struck so often in this time strikes no more: what it waits for may have ended.
const PATIENCE: Duration = Duration::from_secs(10);
const NAME: &str = "archive";
const PREFIX: &str = "some/prefix/";

/// One archive.
#[derive(Debug)]
pub struct Site(Kind);

#[derive(Debug)]
enum Kind {
    /// The disk is unmounted before its folder is removed.
    Folder {
        disk: Option<Mount>,
        folder: TempDir,
    },
    Bucket {
        line: Line,
        fake: FakeStorage,
    },
    Container {
        line: Line,
        azurite: Azurite,
    },
}

/// What a program's requests pass on their way to a store.
#[derive(Debug)]
struct Line {
    proxy: Proxy,
    gate: StoreGate,
}

impl Line {
    fn to(port: u16) -> Self {
        let gate = StoreGate::before(port);
        Self { proxy: Proxy::before(gate.port()), gate }
    }
}

impl Site {
    /// A new one, or a skip.
    pub fn new(store: Store) -> Option<Self> {
        Some(Self(match store {
            Store::Folder => {
                let folder = scratch::folder();
                Kind::Folder { disk: Some(Mount::memory(folder.path(), DISK)?), folder }
            }
            Store::Bucket => {
                let fake = FakeStorage::start_on_disk()?;
                fake.create_bucket(NAME);
                Kind::Bucket { line: Line::to(fake.port()), fake }
            }
            Store::Container => {
                let azurite = Azurite::start()?;
                azurite.create_container(NAME);
                Kind::Container { line: Line::to(azurite.port()), azurite }
            }
        }))
    }

    /// The faults that can be made between a program and such a store.
    pub fn faults(store: Store) -> &'static [Fault] {
        match store {
            Store::Folder => &[Fault::DiskFull],
            Store::Bucket | Store::Container => &Fault::OF_CONNECTIONS,
        }
    }

    /// How many messages are on their way to it at once. An emulator that is asked for more than it can do falls behind, is asked again, and falls behind further.
    pub fn senders(&self) -> usize {
        if matches!(self.0, Kind::Folder { .. }) { 24 } else { 8 }
    }

    /// As `PERSISTOR_ARCHIVE`.
    pub fn archive(&self) -> PathBuf {
        let prefix = PREFIX.trim_end_matches('/');
        match &self.0 {
            Kind::Folder { folder, .. } => folder.path().join(NAME),
            Kind::Bucket { .. } => format!("gs://{NAME}/{prefix}").into(),
            Kind::Container { .. } => format!("az://{ACCOUNT}/{NAME}/{prefix}").into(),
        }
    }

    /// Tells a program how to reach it.
    pub fn reach(&self, setup: Setup) -> Setup {
        match &self.0 {
            Kind::Folder { .. } => setup,
            Kind::Bucket { line, .. } => setup.set("STORAGE_EMULATOR_HOST", line.proxy.url()),
            Kind::Container { line, .. } => setup
                .set("AZURE_STORAGE_SERVICE_ENDPOINT", azurite::endpoint(line.proxy.port()))
                .set("AZURE_STORAGE_SAS_TOKEN", azurite::sas("cw")),
        }
    }

    /// All that it holds.
    pub fn read(&self) -> Archive {
        match &self.0 {
            Kind::Folder { folder, .. } => Archive::read(&folder.path().join(NAME)),
            Kind::Bucket { fake, .. } => Archive::read_bucket(fake, NAME, PREFIX),
            Kind::Container { azurite, .. } => Archive::read_container(azurite, NAME, PREFIX),
        }
    }

    /// Holds all that it holds against what was sent, and whether that was acknowledged; `before` is how its blobs had been made at an earlier time.
    pub fn judge(&self, sent: impl Iterator<Item = (Expected, bool)>, before: &BTreeMap<String, String>) -> Verdict {
        let mut verdict = Verdict::of(&self.read(), sent);
        verdict.compare(before, &self.made());
        verdict
    }

    /// Every blob with what would be another one if it were made or written again.
    pub fn made(&self) -> BTreeMap<String, String> {
        match &self.0 {
            Kind::Folder { folder, .. } => place::made(&folder.path().join(NAME)),
            Kind::Bucket { fake, .. } => {
                fake.objects(NAME, PREFIX).into_iter().map(|object| (object.name, object.generation)).collect()
            }
            Kind::Container { azurite, .. } => {
                azurite.items(NAME, PREFIX).into_iter().map(|item| (item.name, item.etag)).collect()
            }
        }
    }

    /// Makes a fault, keeps it up until it has struck as often as it is to, ends it, and says how often it struck. `refused` counts the deliveries that were not
    /// acknowledged; `meanwhile` is done in the midst of it.
    pub fn make(&self, event: &Event, refused: &dyn Fn() -> usize, meanwhile: &dyn Fn()) -> usize {
        match &self.0 {
            Kind::Folder { disk, .. } => disk.as_ref().map_or(0, |disk| fill(disk, event, refused, meanwhile)),
            Kind::Bucket { line, fake } => {
                let answer = |status: u16| {
                    let name = if status == 503 { "503-html".to_owned() } else { status.to_string() };
                    storage_double::Reply::fixture(&name).answer()
                };
                line.make(event, &answer, &|stop| if stop { fake.pause() } else { fake.go_on() }, refused, meanwhile)
            }
            Kind::Container { line, azurite } => {
                let answer = |status: u16| {
                    let name = match status {
                        429 => "429-empty",
                        500 => "500-internal-error",
                        _ => "503-server-busy",
                    };
                    blob_double::Reply::fixture(name).answer()
                };
                line.make(event, &answer, &|stop| if stop { azurite.pause() } else { azurite.go_on() }, refused, meanwhile)
            }
        }
    }

    /// Writes all that it holds into a folder, for whoever looks for what went wrong.
    pub fn keep(&self, at: &Path) -> std::io::Result<()> {
        fs::create_dir_all(at)?;
        let write = |name: &str, metadata: &dyn ToString, content: &[u8]| {
            let path = at.join(name);
            fs::create_dir_all(path.parent().expect("it is below"))?;
            fs::write(at.join(format!("{name}.metadata")), metadata.to_string())?;
            fs::write(path, content)
        };
        match &self.0 {
            Kind::Folder { folder, .. } => {
                let copied = std::process::Command::new("cp").arg("-a").arg(folder.path().join(NAME)).arg(at).status()?;
                if copied.success() { Ok(()) } else { Err(std::io::Error::other(format!("cp: {copied}"))) }
            }
            Kind::Bucket { fake, .. } => fake
                .objects(NAME, PREFIX)
                .into_iter()
                .try_for_each(|object| write(&object.name, &json!(object.metadata), &fake.content(NAME, &object.name))),
            Kind::Container { azurite, .. } => azurite
                .items(NAME, PREFIX)
                .into_iter()
                .try_for_each(|item| write(&item.name, &json!(item.metadata), &azurite.content(NAME, &item.name))),
        }
    }
}

/// Fills a disk until so many deliveries were refused.
fn fill(disk: &Mount, event: &Event, refused: &dyn Fn() -> usize, meanwhile: &dyn Fn()) -> usize {
    let before = refused();
    // What is written meanwhile may be more than what was to be left.
    let full = (0..100).any(|_| disk.resize(disk.used() + LEFT));
    assert!(full, "the disk could not be filled");
    meanwhile();
    wait(refused, || refused() >= before + event.times);
    let struck = refused() - before;
    assert!(disk.resize(DISK), "the disk could not be emptied");
    struck
}

impl Line {
    fn make(
        &self,
        event: &Event,
        answer: &dyn Fn(u16) -> Answer,
        stop: &dyn Fn(bool),
        refused: &dyn Fn() -> usize,
        meanwhile: &dyn Fn(),
    ) -> usize {
        let gate = |fate| self.gate(event, fate, refused, meanwhile);
        let proxy = |direction, after, kind| self.proxy(event, Break { direction, after, kind }, refused, meanwhile);
        // Longer than the program tries, or shorter.
        let time = Duration::from_millis(200 + event.length * 3);
        match event.fault {
            Fault::Answers(status) => gate(Fate::Answered(answer(status))),
            Fault::AnswersAfter(status) => gate(Fate::AnsweredAfter(answer(status))),
            Fault::StoreReplyLost => gate(Fate::ReplyLost),
            Fault::StoreHangs => gate(Fate::Hangs),
            Fault::StoreSlow => gate(Fate::Slow(Duration::from_millis(50 + event.length / 4))),
            Fault::StoreRequestCut => proxy(Direction::Request, event.after, Way::Cut),
            Fault::StoreReplyCut => proxy(Direction::Reply, event.after / 4, Way::Cut),
            Fault::StoreStalls => proxy(Direction::Reply, event.after / 4, Way::Stall),
            Fault::StoreRefuses => {
                self.proxy.refuse();
                meanwhile();
                thread::sleep(time);
                self.proxy.accept();
                1
            }
            Fault::StoreStopped => {
                stop(true);
                meanwhile();
                thread::sleep(time);
                stop(false);
                1
            }
            other => unreachable!("{other:?} is no fault of a store"),
        }
    }

    fn gate(&self, event: &Event, fate: Fate, refused: &dyn Fn() -> usize, meanwhile: &dyn Fn()) -> usize {
        self.gate.arm(|request| ["POST", "PUT"].contains(&request.method.as_str()), event.times, fate);
        strikes(|| self.gate.struck(), event.times, refused, meanwhile, || self.gate.open())
    }

    fn proxy(&self, event: &Event, fault: Break, refused: &dyn Fn() -> usize, meanwhile: &dyn Fn()) -> usize {
        self.proxy.arm(fault, event.times);
        // Those who met it may be all that connect.
        strikes(|| self.proxy.struck(), event.times.min(4), refused, meanwhile, || self.proxy.disarm())
    }
}

/// Waits until a fault has struck, does something, waits until it has struck so often, and ends it.
fn strikes(struck: impl Fn() -> usize, times: usize, refused: &dyn Fn() -> usize, meanwhile: &dyn Fn(), end: impl Fn()) -> usize {
    wait(refused, || struck() > 0);
    meanwhile();
    wait(refused, || struck() >= times);
    let times = struck();
    end();
    times
}

/// Waits for something; that the refused are counted keeps the traffic up.
fn wait(refused: &dyn Fn() -> usize, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() && start.elapsed() < PATIENCE {
        refused();
        thread::sleep(Duration::from_millis(2));
    }
}
