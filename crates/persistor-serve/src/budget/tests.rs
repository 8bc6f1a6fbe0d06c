//! The budget's promises, under tokio's paused time.

use super::*;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

/// One poll, without a runtime's help.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn gives_back_on_drop_and_refuses_after_the_wait() {
    let budget = Budget::new(100);
    let first = budget.reserve(60, SECOND).await.expect("room");
    assert_eq!(budget.reserve(60, SECOND).await.err(), Some(Full));
    drop(first);
    assert_eq!(budget.in_flight(), 0);
    assert!(budget.reserve(60, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn newcomers_are_served_in_their_order() {
    let budget = Budget::new(100);
    let held = budget.reserve(50, SECOND).await.expect("room");
    let mut large = pin!(budget.reserve(80, SECOND));
    assert!(poll_once(large.as_mut()).is_pending());
    // 50 are free, but the large one came first.
    let mut small = pin!(budget.reserve(10, SECOND));
    assert!(poll_once(small.as_mut()).is_pending());
    drop(held);
    let large = large.await.expect("its turn");
    let small = small.await.expect("its turn");
    assert_eq!(large.bytes() + small.bytes(), budget.in_flight());
}

#[tokio::test(start_paused = true)]
async fn one_that_gives_up_lets_those_behind_through() {
    let budget = Budget::new(100);
    let _held = budget.reserve(50, SECOND).await.expect("room");
    let mut small = pin!(budget.reserve(10, SECOND * 60));
    {
        let mut large = pin!(budget.reserve(80, SECOND * 60));
        assert!(poll_once(large.as_mut()).is_pending());
        assert!(poll_once(small.as_mut()).is_pending());
    }
    assert!(poll_once(small.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn larger_than_the_budget_is_served_alone() {
    let budget = Budget::new(100);
    let held = budget.reserve(1, SECOND).await.expect("room");
    assert_eq!(budget.reserve(1_000, SECOND).await.err(), Some(Full));
    drop(held);
    let whole = budget.reserve(1_000, SECOND).await.expect("alone");
    assert_eq!(whole.bytes(), 100);
    assert_eq!(budget.reserve(1, SECOND).await.err(), Some(Full));
}

#[tokio::test(start_paused = true)]
async fn growing_goes_before_newcomers() {
    let budget = Budget::new(100);
    let held = budget.reserve(50, SECOND).await.expect("room");
    let mut grows = budget.reserve(40, SECOND).await.expect("room");
    let mut newcomer = pin!(budget.reserve(20, SECOND));
    assert!(poll_once(newcomer.as_mut()).is_pending());
    {
        let mut growth = pin!(grows.grow_to(90, SECOND));
        assert!(poll_once(growth.as_mut()).is_pending());
        drop(held);
        assert!(poll_once(newcomer.as_mut()).is_pending());
        growth.await.expect("its turn");
    }
    assert_eq!(budget.in_flight(), 90);
    drop(grows);
    assert!(newcomer.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn only_one_waits_while_growing() {
    let budget = Budget::new(100);
    let mut first = budget.reserve(50, SECOND).await.expect("room");
    let mut second = budget.reserve(50, SECOND).await.expect("room");
    let start = Instant::now();
    {
        let mut growth = pin!(first.grow_to(80, SECOND));
        assert!(poll_once(growth.as_mut()).is_pending());
        assert_eq!(second.grow_to(80, SECOND * 60).await, Err(Full));
        assert_eq!(start.elapsed(), Duration::ZERO, "refused without a wait");
        assert_eq!(second.bytes(), 50);
    }
    // The first gave up, so the second may wait now, and fails by time alone.
    assert_eq!(second.grow_to(80, SECOND).await, Err(Full));
    assert_eq!(start.elapsed(), SECOND);
    drop(first);
    assert_eq!(second.grow_to(1_000, SECOND).await, Ok(()));
    assert_eq!(second.bytes(), 100);
    second.shrink_to(30);
    assert_eq!(budget.in_flight(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_nobody_takes_comes_back() {
    let budget = Budget::new(100);
    let held = budget.reserve(100, SECOND).await.expect("room");
    {
        let mut late = pin!(budget.reserve(70, SECOND));
        assert!(poll_once(late.as_mut()).is_pending());
        drop(held);
        assert_eq!(budget.in_flight(), 70, "granted, not yet taken");
    }
    assert_eq!(budget.in_flight(), 0);
}

/// A small generator is enough here: what counts is that every run takes the same, mixed steps.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Holds what it says it holds in a counter of its own, so that the budget is checked from outside.
async fn visitor(budget: Budget, held: Arc<std::sync::atomic::AtomicU64>, seed: u64, total: u64) {
    use std::sync::atomic::Ordering::SeqCst;
    let mut dice = Dice(seed);
    let check = |bytes: u64| {
        let sum = held.fetch_add(bytes, SeqCst) + bytes;
        assert!(sum <= total, "{sum} of {total}");
    };
    for _ in 0..40 {
        sleep(Duration::from_millis(dice.below(20))).await;
        let wait = Duration::from_millis(dice.below(30));
        let patience = Duration::from_millis(dice.below(40));
        let wanted = dice.below(total / 3);
        // The outer limit drops the future in the middle of its wait.
        let reserved = tokio::time::timeout(patience, budget.reserve(wanted, wait)).await;
        let Ok(Ok(mut reservation)) = reserved else {
            continue;
        };
        check(reservation.bytes());
        for _ in 0..dice.below(3) {
            sleep(Duration::from_millis(dice.below(10))).await;
            let before = reservation.bytes();
            let to = dice.below(total * 2);
            let growth = reservation.grow_to(to, wait);
            if tokio::time::timeout(patience, growth).await == Ok(Ok(())) {
                check(reservation.bytes() - before);
            } else {
                assert_eq!(reservation.bytes(), before);
            }
        }
        held.fetch_sub(reservation.bytes(), SeqCst);
        drop(reservation);
    }
}

async fn stress(seed: u64) {
    let total = 1_000;
    let budget = Budget::new(total);
    let held = Arc::default();
    let visitors: Vec<_> = (0..60)
        .map(|n| {
            let visitor = visitor(budget.clone(), Arc::clone(&held), seed * 1_000 + n, total);
            tokio::spawn(visitor)
        })
        .collect();
    for visitor in visitors {
        visitor.await.expect("the sum stays within the budget");
    }
    assert_eq!(budget.in_flight(), 0);
    assert!(budget.shared.lock().waiting.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_sum_never_passes_the_total_and_ends_at_zero() {
    for seed in 1..20 {
        stress(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sum_holds_with_threads_too() {
    stress(99).await;
}
