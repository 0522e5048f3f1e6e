//! Runs the properties that `tests/untrusted_input` defines, on whatever the fuzzer comes up with. See `run`.

use std::env;
use std::fs;
use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;

#[path = "../../tests/untrusted_input/properties/mod.rs"]
mod properties;
#[path = "../../tests/untrusted_input/source/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::wrong_self_convention,
    reason = "it is the crate's, where it is public, and not all of it is about what comes in"
)]
mod source;

use properties::{TARGETS, Target};

/// Chooses the target of this process. Asked to, it writes the inputs to begin with into a folder and ends.
pub fn begin(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = TARGET.get_or_init(|| target.expect("it is in the table"));
    if let Ok(folder) = env::var("TOWER_REVOCATION_SEEDS") {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            let file = Path::new(&folder).join(format!("seed-{number}"));
            fs::write(file, seed).expect("the folder can be written to");
        }
        println!("{}", target.max_len);
        exit(0);
    }
}

/// Panics if something that has to hold does not hold for this input.
pub fn check(input: &[u8]) {
    (TARGET.get().expect("it was begun").check)(input);
}

static TARGET: OnceLock<&Target> = OnceLock::new();
