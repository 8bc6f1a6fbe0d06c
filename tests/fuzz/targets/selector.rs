//! The target `selector` of `persistor-fuzzed`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| persistor_fuzzed::selector(data));
