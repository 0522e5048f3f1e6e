//! The properties that the fuzzer looks into, over all that is known: the vectors, what was found, and thousands of mutations.
//!
//! A process of its own: a journal brings the secrets of keys, and has to be there before any other test makes one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod depth;
mod properties;
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::wrong_self_convention,
    reason = "it is the crate's, where it is public, and not all of it is about what comes in"
)]
mod source;

use std::fs;
use std::path::Path;

use crate::properties::{TARGETS, Target, prepare};

fn run(name: &str) {
    prepare();
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = (target.seeds)();
    let findings = findings(target);
    for input in seeds.iter().chain(&findings) {
        check(target, input);
    }
    let mut random = fastrand::Rng::with_seed(7);
    for seed in &seeds {
        for _ in 0..target.mutations {
            let other = random.choice(&seeds).unwrap();
            check(target, &mutated(seed, other, &mut random));
        }
    }
}

/// Says which input it was.
fn check(target: &Target, input: &[u8]) {
    let checked = std::panic::catch_unwind(|| (target.check)(input));
    assert!(checked.is_ok(), "{}: {:?}", target.name, String::from_utf8_lossy(input));
}

/// What the fuzzer found, one file each, in `tests/untrusted_input/findings/<target>`.
fn findings(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/untrusted_input/findings")
        .join(target.name);
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// A few changes such as a fuzzer makes: bytes, pieces doubled and left out, words that mean something, pieces of another input.
fn mutated(seed: &[u8], other: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(0..=input.len());
        let end = (at + random.usize(0..16)).min(input.len());
        match random.u8(0..7) {
            0 if at < input.len() => input[at] ^= 1 << random.u8(0..8),
            1 if at < input.len() => input[at] = random.u8(..),
            2 => drop(input.drain(at..end)),
            3 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            4 => input.truncate(at),
            5 => {
                let from = random.usize(0..=other.len());
                let to = (from + random.usize(0..64)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                let word = random.choice(WORDS).unwrap_or_default();
                input.splice(at..end, word.bytes());
            }
        }
    }
    input
}

/// What means something to the one or the other.
const WORDS: [&str; 54] = [
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\u0061",
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    "null",
    "true",
    "0",
    "-0",
    ".5",
    "e9",
    "A",
    "1e999",
    "18446744073709551616",
    " ",
    "\u{1e}",
    "\u{feff}",
    "é",
    "{},",
    "[],",
    "\"jti\":\"\",",
    "\"iat\":1,",
    "\"exp\":4102444799,",
    "\"jti\":\"x\",",
    "\"reason\":null,",
    "\"next\":1,",
    "\"iss\":\"x\",",
    "\"revocations\":[],",
    "\"reason\":\"reissued\",",
    "\"sub\":[\"x\"],",
    "\"act\":{},",
    "\"type\":\"agent.auth.revoked\",",
    "\"data\":{},",
    "\n\n",
    "Claw ",
    "Bearer",
    "sid=",
    "access_token=",
    "%2E",
    "e30.",
    "~",
    ";",
    "&",
    "@",
    "\"digest\":\"\",",
    "\"sections\":[],",
    "\"kid\":\"k1\",",
    "\u{0}\u{0}\u{0}\u{1}",
];

macro_rules! runs {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        /// So that none is forgotten here.
        #[test]
        fn every_target_is_run() {
            assert!(TARGETS.iter().map(|target| target.name).eq([$(stringify!($name)),*]));
        }
    };
}

runs!(
    authorization claims cloudflare document events heartbeats journal jwk_set jws kafka keys list open places poll push rows
);
