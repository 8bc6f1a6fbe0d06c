//! Which call meets which fault. Plans know numbers of calls and nothing of stores, so that a plan is the same each time.

use std::time::Duration;

use crate::error::ErrorKind;

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is done; the answer is an error of this kind.
    Fail(ErrorKind),
    /// It is done, and the answer is [`ErrorKind::Unavailable`] nevertheless.
    LoseReply,
    /// Nothing is done and there is never an answer.
    Hang,
    /// It is done after this time, by tokio's clock.
    Slow(Duration),
}

/// Says of each call, by its number from 0 on, which fault it meets, if any.
#[derive(Clone, Debug)]
pub struct FaultPlan(Rule);

#[derive(Clone, Debug)]
enum Rule {
    Listed(Vec<Option<Fault>>),
    Every(Fault),
    Random { seed: u64, chances: Vec<(u32, Fault)> },
}

impl FaultPlan {
    /// No call meets a fault.
    pub fn none() -> Self {
        Self::listed([])
    }

    /// The first `calls` calls meet `fault`, later ones none.
    pub fn first(calls: usize, fault: Fault) -> Self {
        Self::listed(vec![Some(fault); calls])
    }

    /// Each call meets what stands at its place, and those behind the end meet nothing.
    pub fn listed(faults: impl IntoIterator<Item = Option<Fault>>) -> Self {
        Self(Rule::Listed(faults.into_iter().collect()))
    }

    /// Every call meets `fault`.
    pub fn every(fault: Fault) -> Self {
        Self(Rule::Every(fault))
    }

    /// Each call meets each fault with its chance of so many in 1,000, at most one of them. The same seed gives the same fault to
    /// the call of the same number; which caller that is depends on how calls interleave.
    ///
    /// # Panics
    /// If the chances add up to more than 1,000.
    pub fn random(seed: u64, chances: impl IntoIterator<Item = (u32, Fault)>) -> Self {
        let chances: Vec<_> = chances.into_iter().collect();
        let total: u32 = chances.iter().map(|(chance, _)| chance).sum();
        assert!(total <= 1000, "chances add up to {total} in 1,000");
        Self(Rule::Random { seed, chances })
    }

    /// What the call of this number meets; the first call has number 0.
    pub fn at(&self, call: u64) -> Option<Fault> {
        match &self.0 {
            Rule::Listed(faults) => usize::try_from(call).ok().and_then(|call| *faults.get(call)?),
            Rule::Every(fault) => Some(*fault),
            Rule::Random { seed, chances } => {
                let mut drawn = random(*seed, call) % 1000;
                chances.iter().find_map(|(chance, fault)| {
                    let met = drawn < u64::from(*chance);
                    drawn = drawn.wrapping_sub(u64::from(*chance));
                    met.then_some(*fault)
                })
            }
        }
    }
}

/// The output of this number of SplitMix64 started with `seed`: any one is had without those before it.
/// <https://doi.org/10.1145/2714064.2660195>
fn random(seed: u64, number: u64) -> u64 {
    let mut bits = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAIL: Fault = Fault::Fail(ErrorKind::Unavailable);

    fn calls(plan: &FaultPlan, number: u64) -> Vec<Option<Fault>> {
        (0..number).map(|call| plan.at(call)).collect()
    }

    #[test]
    fn plans_by_number() {
        assert_eq!(calls(&FaultPlan::none(), 2), [None, None]);
        assert_eq!(calls(&FaultPlan::first(2, FAIL), 4), [Some(FAIL), Some(FAIL), None, None]);
        assert_eq!(calls(&FaultPlan::listed([None, Some(Fault::Hang)]), 3), [None, Some(Fault::Hang), None]);
        assert_eq!(FaultPlan::every(FAIL).at(u64::MAX), Some(FAIL));
    }

    #[test]
    fn random_is_the_same_each_time_and_keeps_its_chances() {
        let plan = |seed| FaultPlan::random(seed, [(300, FAIL), (0, Fault::Slow(Duration::ZERO)), (100, Fault::LoseReply)]);
        assert_eq!(calls(&plan(7), 1000), calls(&plan(7), 1000));
        assert_ne!(calls(&plan(7), 1000), calls(&plan(8), 1000));
        let met = calls(&plan(7), 100_000);
        let share = |fault| met.iter().filter(|met| **met == fault).count();
        // Five standard deviations are 730 calls and fewer.
        assert!(share(Some(FAIL)).abs_diff(30_000) < 730, "{}", share(Some(FAIL)));
        assert!(share(Some(Fault::LoseReply)).abs_diff(10_000) < 730, "{}", share(Some(Fault::LoseReply)));
        assert_eq!(share(Some(Fault::Slow(Duration::ZERO))), 0);
        assert_eq!(share(None) + share(Some(FAIL)) + share(Some(Fault::LoseReply)), 100_000);
        assert!(calls(&FaultPlan::random(7, [(1000, Fault::Hang)]), 1000).iter().all(|met| *met == Some(Fault::Hang)));
    }

    #[test]
    fn the_generator_is_the_one_it_is_named_after() {
        // The first outputs for the seed 1234567, as test suites of other implementations have them.
        assert_eq!(random(1_234_567, 0), 6_457_827_717_110_365_317);
        assert_eq!(random(1_234_567, 1), 3_203_168_211_198_807_973);
    }

    #[test]
    #[should_panic(expected = "1001 in 1,000")]
    fn chances_cannot_exceed_certainty() {
        FaultPlan::random(7, [(1000, FAIL), (1, Fault::Hang)]);
    }
}
