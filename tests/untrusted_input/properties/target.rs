//! The table of targets.

use super::{
    authorization, claims, cloudflare, document, events, heartbeats, journal, jwk_set, jws, kafka, keys, list, open,
    places, poll, push, rows,
};

/// A reader of what others wrote.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Panics if what has to hold does not.
    pub(crate) check: fn(&[u8]),
    /// Inputs to begin with, made from the vectors.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// How many bytes the fuzzer should give.
    #[allow(dead_code, reason = "only the fuzzer makes inputs of any length")]
    pub(crate) max_len: usize,
    /// How many mutations of each seed a test tries.
    #[allow(dead_code, reason = "the fuzzer mutates by itself")]
    pub(crate) mutations: usize,
}

macro_rules! target {
    ($name:ident, $max_len:expr, $mutations:expr) => {
        Target {
            name: stringify!($name),
            check: $name::check,
            seeds: $name::seeds,
            max_len: $max_len,
            mutations: $mutations,
        }
    };
}

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
    target!(authorization, 4096, 100),
    target!(claims, 4096, 150),
    target!(cloudflare, 4096, 100),
    target!(document, 8192, 50),
    target!(events, 4096, 200),
    target!(heartbeats, 512, 1000),
    target!(journal, 256, 30),
    target!(jwk_set, 4096, 200),
    target!(jws, 4096, 200),
    target!(kafka, 1024, 1000),
    target!(keys, 4096, 500),
    target!(list, 4096, 60),
    target!(open, 4096, 1000),
    target!(places, 4096, 200),
    target!(poll, 4096, 20),
    target!(push, 4096, 40),
    target!(rows, 1024, 10),
];
