#![no_main]

libfuzzer_sys::fuzz_target!(init: tower_revocation_fuzz::begin("jwk_set"), |input: &[u8]| tower_revocation_fuzz::check(input));
