//! What it costs to go through a million messages when a page of their listing takes 20 ms: the time against that of the pages alone, and the memory.

#[path = "../tests/common/paged.rs"]
mod paged;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use futures_util::TryStreamExt as _;
use paged::{PAGE, PagedReader};
use persistor_recover::{Archive, Detail, Selection, Source, messages};

const MESSAGES: u64 = 1_000_000;
const DELAY: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() {
    println!("making the entries of a page takes {:.1?} of a processor", entries_of_a_page().await);
    for detail in [Detail::Names, Detail::Records] {
        let store = PagedReader::new(MESSAGES, DateTime::UNIX_EPOCH, DELAY);
        let archive = Archive::open(Arc::new(store.clone())).await.expect("opened");
        store.pages();
        let (start, busy) = (Instant::now(), processor_time());
        let mut items = messages(&archive, &Arc::new(Selection::all()), Source::Listing, detail);
        let mut count = 0_u64;
        while items.try_next().await.expect("an item").is_some() {
            count += 1;
            if count == MESSAGES / 10 {
                println!("{detail:?}: {count} messages, {}", peak_memory());
            }
        }
        let (took, pages) = (start.elapsed(), store.pages());
        let floor = DELAY * u32::try_from(pages).expect("few");
        println!("{detail:?}: {count} messages, {pages} pages, {}", peak_memory());
        println!("{detail:?}: {took:.1?}, {:.2} of {floor:.1?}", took.as_secs_f64() / floor.as_secs_f64());
        println!("{detail:?}: {:.1?} of processors, the entries included", processor_time() - busy);
    }
}

/// What this example itself adds: a true store's entries come over the network.
async fn entries_of_a_page() -> Duration {
    let store = PagedReader::new(MESSAGES, DateTime::UNIX_EPOCH, Duration::ZERO);
    let start = processor_time();
    let entries: Vec<_> =
        persistor_core::Reader::list(&store, "orders/1970/01/01/05/", None).try_collect().await.expect("entries");
    (processor_time() - start) * u32::try_from(PAGE).expect("few") / u32::try_from(entries.len()).expect("few")
}

/// The most memory that this process had, where the system tells it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("peak memory unknown").to_owned()
}

/// The time of processors that this process has taken, in hundredths of a second, where the system tells it.
fn processor_time() -> Duration {
    let status = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = status.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(11)).and_then(|ticks| ticks.parse().ok());
    Duration::from_millis(10 * ticks.unwrap_or(0_u64))
}
