//! Well-behaved publishers beside an attack: one that opens a connection for each message, one that keeps its own. Each of their messages has to be
//! acknowledged; how long that took is measured and not judged.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use persistor_tests::http::{Answer, Connection};
use persistor_tests::waiting;

use crate::victim::Victim;

/// Between two messages of one publisher.
const PAUSE: Duration = Duration::from_millis(5);

/// What the publishers have seen so far.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    served: AtomicUsize,
    ended: AtomicBool,
}

/// What became of them.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) count: usize,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Beside {
    /// Waits until so many more messages were acknowledged than are now.
    pub(crate) fn wait_for(&self, more: usize) {
        let enough = self.served.load(Ordering::SeqCst) + more;
        waiting::until("others to be served", || {
            (self.served.load(Ordering::SeqCst) >= enough || self.ended.load(Ordering::SeqCst)).then_some(())
        });
    }
}

/// Runs an attack with publishers beside it.
///
/// # Panics
/// If one of their messages was not acknowledged.
pub(crate) fn beside<T>(victim: &Victim, attack: impl FnOnce(&Beside) -> T) -> (T, Served) {
    let beside = Beside::default();
    let (result, latencies) = thread::scope(|scope| {
        let publishers = [("new", false), ("kept", true)].map(|(name, keeps)| {
            let beside = &beside;
            scope.spawn(move || publish(victim, name, keeps, beside))
        });
        // So that the attack meets them at work.
        beside.wait_for(10);
        // Also where the attack fails.
        let ending = scopeguard(&beside.ended);
        let result = attack(&beside);
        drop(ending);
        (result, publishers.map(|publisher| publisher.join().expect("every message is acknowledged")).concat())
    });
    let mut latencies = latencies;
    latencies.sort();
    let at = |hundredths: usize| latencies[(latencies.len() - 1) * hundredths / 100];
    (result, Served { count: latencies.len(), p50: at(50), p99: at(99) })
}

fn publish(victim: &Victim, name: &str, keeps: bool, beside: &Beside) -> Vec<Duration> {
    let (mut kept, mut latencies) = (None, Vec::new());
    // Even where a message fails, the attack must not wait for ever.
    let ended = scopeguard(&beside.ended);
    while !beside.ended.load(Ordering::SeqCst) {
        let id = format!("{name}-{}", latencies.len());
        let start = Instant::now();
        let answer = exchange(victim, &id, &mut kept).unwrap_or_else(|error| panic!("{id}: {error}"));
        latencies.push(start.elapsed());
        assert_eq!(answer.status, victim.yes(), "{id}: {:?}", answer.body);
        victim.was_taken(&id);
        beside.served.fetch_add(1, Ordering::SeqCst);
        if !keeps {
            kept = None;
        }
        thread::sleep(PAUSE);
    }
    drop(ended);
    latencies
}

/// As any client does: a kept connection that turns out to be closed is replaced.
fn exchange(victim: &Victim, id: &str, kept: &mut Option<Connection>) -> io::Result<Answer> {
    let request = victim.request(id);
    if let Some(connection) = kept.as_mut().filter(|connection| connection.is_open())
        && let Ok(answer) = connection.exchange(&request)
    {
        return Ok(answer);
    }
    let mut connection = Connection::open(victim.port())?;
    let answer = connection.exchange(&request)?;
    *kept = Some(connection);
    Ok(answer)
}

/// Sets the flag when dropped.
fn scopeguard(flag: &AtomicBool) -> impl Drop {
    struct Guard<'a>(&'a AtomicBool);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    Guard(flag)
}
