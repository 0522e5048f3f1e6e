//! JSON of ten thousand levels, wherever there may be JSON, on a small stack.

use std::thread;

use crate::properties::{TARGETS, prepare};

#[test]
fn depth_costs_no_stack_anywhere() {
    prepare();
    let on_a_small_stack = || {
        for target in TARGETS
            .iter()
            .filter(|target| !["journal", "rows"].contains(&target.name))
        {
            let seeds = (target.seeds)();
            let with_depth = seeds
                .iter()
                .filter_map(|seed| String::from_utf8(seed.clone()).ok())
                .flat_map(|seed| {
                    deep().map(|deep| {
                        // As a member that nobody knows, and as the value of one that matters.
                        let unknown = seed.replacen('{', &format!(r#"{{"deep":{deep},"#), 1);
                        [unknown, seed.replacen("\":\"", &format!("\":{deep},\"x\":\""), 1), deep]
                    })
                });
            // A few of them say it all.
            for input in with_depth.take(8).flatten() {
                (target.check)(input.as_bytes());
            }
        }
    };
    let small = thread::Builder::new().stack_size(1024 * 1024).spawn(on_a_small_stack);
    small.unwrap().join().unwrap();
}

/// Closed, and left open.
fn deep() -> [String; 4] {
    let (arrays, objects) = ("[".repeat(LEVELS), r#"{"a":"#.repeat(LEVELS));
    [
        format!("{arrays}{}", "]".repeat(LEVELS)),
        format!("{objects}1{}", "}".repeat(LEVELS)),
        arrays,
        objects,
    ]
}

const LEVELS: usize = 10_000;
