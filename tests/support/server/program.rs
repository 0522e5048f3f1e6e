//! What the kinds of broker differ in.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A kind of broker, with what one server of it keeps from start to start.
pub(crate) trait Program {
    /// For messages and directories.
    const NAME: &str;

    /// What it writes once it is ready.
    const READY: &str;

    /// Called once for each server, with its empty directory.
    fn prepare(directory: &Path) -> Self;

    /// Called for each start. The program must become this very process, so that a signal to it hits the broker.
    fn command(&self, directory: &Path, data: &Path, port: u16) -> Command;

    /// What a client is given to connect to.
    fn url(port: u16) -> String;
}

/// Where a program is.
///
/// # Panics
/// If it is not installed, saying how it can be: a test that needs a broker is never skipped silently.
pub(crate) fn installed(program: &str, remedy: &str) -> PathBuf {
    find(program).unwrap_or_else(|| panic!("`{program}` is missing: install it with `{remedy}`"))
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian has servers in /usr/sbin, which is not on everybody's path.
    let directories = env::split_paths(&path).chain(["/usr/sbin".into()]);
    // An absolute path replaces the directory that it is joined to.
    directories
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}
