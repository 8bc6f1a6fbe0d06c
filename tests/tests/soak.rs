//! The soak: small in CI, as large as one likes by `tests/soak`.

use persistor_tests::soak::Soak;

/// What CI runs: 16,000 pushes, 1,600 messages through the emulator and 3,200 on Azure.
const MESSAGES: &str = "16000";

/// `SOAK` and `SEED` are what `tests/soak` was given; without them, CI's size and any seed.
#[test]
#[ignore = "needs everything: tests/run e2e"]
fn nothing_that_was_acknowledged_is_lost_altered_or_doubled() {
    let words = std::env::var("SOAK").unwrap_or_else(|_| MESSAGES.to_owned());
    let seed = std::env::var("SEED").ok().map_or_else(any_seed, |seed| seed.parse().expect("SEED is a number"));
    eprintln!("SEED={seed} tests/soak {words}");
    let words: Vec<_> = words.split_whitespace().collect();
    let soak = Soak::parse(&words, seed).unwrap_or_else(|usage| panic!("{usage}"));
    let Some(outcome) = soak.run() else { return };
    eprintln!("{}", outcome.table());
    outcome.assert_clean();
    outcome.assert_every_fault_struck();
}

fn any_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    // Short enough to be typed.
    RandomState::new().hash_one(()) % 1_000_000
}
