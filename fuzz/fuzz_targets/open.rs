#![no_main]

libfuzzer_sys::fuzz_target!(init: tower_revocation_fuzz::begin("open"), |input: &[u8]| tower_revocation_fuzz::check(input));
