//! What the reader of Kafka's protocol takes of the answers, and how much room.

use allocation_counter::measure;

use crate::properties::kafka::{check, read, seeds};

/// The last one is no answer: it says what a broker speaks, and then something else.
#[test]
fn what_is_mutated_is_what_brokers_send() {
    let mut seeds = seeds();
    let raw = seeds.pop().unwrap();
    assert!(read(&raw).is_err());
    for seed in seeds {
        read(&seed).unwrap_or_else(|error| panic!("{error}, {:?}: {seed:x?}", std::error::Error::source(&error)));
    }
}

/// A number that says how much comes is worth nothing before it came.
#[test]
fn no_room_is_reserved_before_it_came() {
    for seed in seeds() {
        for at in 2..seed.len() {
            for word in [
                &[0x7f, 0xff, 0xff, 0xff][..],
                &[0xff, 0xff, 0xff, 0xff, 0x0f],
                &[0x00, 0xff, 0xff, 0xff],
            ] {
                let mut input = seed.clone();
                input.splice(at..(at + 4).min(seed.len()), word.iter().copied());
                check(&input);
                let used = measure(|| check(&input));
                assert!(used.bytes_max < MOST, "{} for {input:x?}", used.bytes_max);
            }
        }
    }
}

/// What the reader of LZ4's frames has at once, which is bounded by its format, and a piece of an answer.
const MOST: u64 = 20 << 20;
