//! Runs the properties that `tests/untrusted_input` defines, on whatever the fuzzer comes up with. See `run`.

use std::env;
use std::fs;
use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;

#[path = "../../tests/untrusted_input/properties/mod.rs"]
mod properties;

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
