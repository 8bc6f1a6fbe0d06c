//! The kept keys under a clock that the tests move, over a key server that does as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::bail;
use tokio::task::JoinSet;
use tokio::time::{advance, sleep};

use super::*;
use crate::oidc::testing::{A, set};

const HOUR: Duration = Duration::from_secs(3600);

/// What the server does.
#[derive(Clone, Debug)]
enum Does {
    /// It answers after so long, with keys of these names.
    Answers(Duration, &'static [&'static str]),
    Fails,
    Hangs,
    Panics,
}

struct Server {
    does: Mutex<Does>,
    fetches: AtomicUsize,
}

impl Server {
    fn does(&self, does: Does) {
        *self.does.lock().expect("no panic") = does;
    }

    fn has(&self, names: &'static [&'static str]) {
        self.does(Does::Answers(Duration::from_millis(200), names));
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    async fn fetch(&self) -> Answer {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let does = self.does.lock().expect("no panic").clone();
        match does {
            Does::Answers(after, names) => {
                sleep(after).await;
                let keys = names.iter().flat_map(|name| set(A, name)).collect();
                Ok(Fetched { keys, fresh: HOUR })
            }
            Does::Fails => bail!("it is down"),
            Does::Hangs => std::future::pending().await,
            Does::Panics => panic!("a fault in the fetch"),
        }
    }
}

fn kept(names: &'static [&'static str]) -> (Arc<Server>, Arc<Keys>) {
    let does = Mutex::new(Does::Answers(Duration::from_millis(200), names));
    let server = Arc::new(Server { does, fetches: AtomicUsize::new(0) });
    let for_keys = Arc::clone(&server);
    let keys = Keys::new(move || {
        let server = Arc::clone(&for_keys);
        Box::pin(async move { server.fetch().await })
    });
    (server, Arc::new(keys))
}

async fn is(keys: &Keys, name: &str) -> Result<(), Denied> {
    keys.get(name).await.map(drop)
}

/// How many of so many callers at once are served, each asking for the name that it is given.
async fn together(keys: &Arc<Keys>, count: usize, name: fn(usize) -> String) -> usize {
    let mut callers = JoinSet::new();
    for caller in 0..count {
        let keys = Arc::clone(keys);
        callers.spawn(async move { is(&keys, &name(caller)).await.is_ok() });
    }
    callers.join_all().await.into_iter().filter(|served| *served).count()
}

#[tokio::test(start_paused = true)]
async fn fifty_cold_callers_are_all_served_by_one_fetch() {
    let (server, keys) = kept(&["a"]);
    assert_eq!(together(&keys, 50, |_| "a".to_owned()).await, 50);
    assert_eq!(server.fetches(), 1);
    // Nobody asks again for what is here and fresh.
    for _ in 0..5 {
        advance(HOUR / 6).await;
        assert_eq!(together(&keys, 50, |_| "a".to_owned()).await, 50);
        assert_eq!(server.fetches(), 1);
    }
    advance(HOUR / 6).await;
    assert_eq!(together(&keys, 50, |_| "a".to_owned()).await, 50);
    assert_eq!(server.fetches(), 2, "when they are no longer fresh");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_takes_the_fetch_from_nobody() {
    let (server, keys) = kept(&["a"]);
    let first = tokio::spawn({
        let keys = Arc::clone(&keys);
        async move { is(&keys, "a").await }
    });
    sleep(Duration::from_millis(50)).await;
    let second = tokio::spawn({
        let keys = Arc::clone(&keys);
        async move { is(&keys, "a").await }
    });
    sleep(Duration::from_millis(50)).await;
    first.abort();
    assert!(first.await.expect_err("it was ended").is_cancelled());
    assert_eq!(second.await.expect("no panic"), Ok(()));
    assert_eq!(server.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_forces_a_fetch_now_and_then() {
    let (server, keys) = kept(&["a"]);
    assert_eq!(is(&keys, "a").await, Ok(()));
    assert_eq!(together(&keys, 200, |caller| format!("unknown-{caller}")).await, 0);
    assert_eq!(server.fetches(), 2, "the first unknown one may be new");
    for second in 1..=120 {
        advance(Duration::from_secs(1)).await;
        assert_eq!(is(&keys, &format!("unknown-{second}")).await, Err(Denied::UnknownKey));
        assert_eq!(is(&keys, "a").await, Ok(()), "whoever has a right key is served meanwhile");
    }
    assert_eq!(server.fetches(), 2 + 4, "two minutes have four times thirty seconds");
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_taken_and_a_withdrawn_one_is_gone() {
    let (server, keys) = kept(&["a"]);
    assert_eq!(is(&keys, "a").await, Ok(()));
    server.has(&["b"]);
    assert_eq!(is(&keys, "b").await, Ok(()), "at once");
    assert_eq!(is(&keys, "a").await, Err(Denied::UnknownKey));
    server.has(&["a"]);
    advance(HOUR).await;
    assert_eq!(is(&keys, "b").await, Err(Denied::UnknownKey), "also without a new one that asks for it");
}

#[tokio::test(start_paused = true)]
async fn without_any_key_a_server_that_fails_is_asked_now_and_then() {
    let (server, keys) = kept(&["a"]);
    server.does(Does::Fails);
    for _ in 0..50 {
        assert_eq!(together(&keys, 4, |caller| format!("{caller}")).await, 0);
        assert_eq!(is(&keys, "a").await, Err(Denied::NoKeys));
        advance(Duration::from_millis(200)).await;
    }
    assert_eq!(server.fetches(), 2, "ten seconds have twice five");
    server.has(&["a"]);
    advance(REST).await;
    assert_eq!(is(&keys, "a").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn stale_keys_survive_an_outage_for_a_day() {
    let (server, keys) = kept(&["a"]);
    assert_eq!(is(&keys, "a").await, Ok(()));
    let fetched = Instant::now();
    server.does(Does::Fails);
    let mut minutes = 0;
    while fetched.elapsed() < GOOD - Duration::from_secs(60) {
        advance(Duration::from_secs(60)).await;
        minutes += 1;
        assert_eq!(is(&keys, "a").await, Ok(()), "minute {minutes}");
        assert!(is(&keys, "unknown").await.is_err());
    }
    assert_eq!(is(&keys, "unknown").await, Err(Denied::NoKeys), "it may be new");
    advance(Duration::from_secs(60)).await;
    assert_eq!(is(&keys, "a").await, Err(Denied::NoKeys), "after a day");
    server.has(&["a"]);
    advance(REST).await;
    assert_eq!(is(&keys, "a").await, Ok(()));
    assert_eq!(is(&keys, "unknown").await, Err(Denied::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_again_for_a_server_that_hangs() {
    let (server, keys) = kept(&["a"]);
    assert_eq!(is(&keys, "a").await, Ok(()));
    server.does(Does::Hangs);
    advance(HOUR).await;
    let start = Instant::now();
    assert_eq!(together(&keys, 50, |_| "a".to_owned()).await, 50, "with what was there");
    assert_eq!(start.elapsed(), PATIENCE);
    for second in 0..60 {
        advance(Duration::from_secs(1)).await;
        let start = Instant::now();
        assert_eq!(is(&keys, "a").await, Ok(()));
        assert_eq!(start.elapsed(), Duration::ZERO, "second {second}");
        // Lets a fetch in the background begin or end.
        tokio::task::yield_now().await;
    }
    assert_eq!(server.fetches(), 1 + 1 + 6, "one in five seconds of waiting and five of rest");
    server.has(&["b"]);
    // What is under way is given up, and the server left alone after that.
    sleep(PATIENCE + REST).await;
    assert_eq!(is(&keys, "a").await, Ok(()), "while it is asked again");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(is(&keys, "b").await, Ok(()), "and is found when it answers again");
    assert_eq!(is(&keys, "a").await, Err(Denied::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_is_one_that_failed() {
    let (server, keys) = kept(&["a"]);
    server.does(Does::Panics);
    assert_eq!(together(&keys, 10, |_| "a".to_owned()).await, 0);
    assert_eq!(is(&keys, "a").await, Err(Denied::NoKeys));
    assert_eq!(server.fetches(), 1);
    server.has(&["a"]);
    advance(REST).await;
    assert_eq!(is(&keys, "a").await, Ok(()));
}
