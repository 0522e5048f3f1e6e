//! Directories of servers.

use std::fs;
use std::path::Path;
use std::process;
use std::sync::Once;

use tempfile::{Builder, TempDir};

/// A new directory, removed when dropped.
///
/// What is left of test processes that ended is removed first: of one that was killed, or of the servers that its
/// tests shared, as no static is ever dropped. For this the name says which process it belongs to.
pub(crate) fn new_directory(name: &str) -> TempDir {
    static SWEPT: Once = Once::new();
    // Only once, and before this process has any server.
    SWEPT.call_once(sweep);
    Builder::new()
        .prefix(&format!("{PREFIX}{}-{name}-", process::id()))
        .tempdir_in(BASE)
        .expect("a directory can be made")
}

fn sweep() {
    let entries = fs::read_dir(BASE).expect("cargo makes this directory");
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            // Another test process may be sweeping as well.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Inside the target directory, so that only runs of this checkout see it.
const BASE: &str = env!("CARGO_TARGET_TMPDIR");
const PREFIX: &str = "broker-";
