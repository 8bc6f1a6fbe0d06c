//! The target `line` of `persistor-fuzzed`, with documents changed as documents.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| persistor_fuzzed::line(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // By bytes as often.
    if seed % 2 == 0 { fuzzer_mutate(data, size, max_size) } else { persistor_fuzzed::mutation::json(data, size, seed / 2) }
});
