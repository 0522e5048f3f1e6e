//! The clock on the wall, as one program sees it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::server::Child;

/// How far a program's wall clock is off; it can be stepped while the program runs. The monotonic clock goes on as it is.
pub(crate) struct WallClock {
    file: PathBuf,
    settings: Mutex<Vec<Setting>>,
}

/// By how much it was off, and until when it may have been; the last one still is.
struct Setting {
    seconds: i64,
    until: Option<Instant>,
}

impl WallClock {
    /// A clock that is off by so many seconds, told to its program in this file.
    pub(crate) fn new(file: PathBuf, seconds: i64) -> Self {
        let clock = Self {
            file,
            settings: Mutex::default(),
        };
        clock.step(seconds);
        clock
    }

    /// Has it off by so many seconds from now on.
    pub(crate) fn step(&self, seconds: i64) {
        // Both hold while the file is exchanged, which can take its time on a busy disk.
        self.settings.lock().unwrap().push(Setting { seconds, until: None });
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n")).expect("a file can be written to a new directory");
        // Read at each look at the clock, so that it must never be there by half.
        fs::rename(new, &self.file).expect("a file can be renamed");
        let mut settings = self.settings.lock().unwrap();
        for earlier in settings.iter_mut().rev().skip(1) {
            earlier.until.get_or_insert_with(Instant::now);
        }
    }

    /// The lowest time that it may have shown since then, in seconds since the epoch.
    pub(crate) fn lowest_since(&self, since: Instant) -> i64 {
        let settings = self.settings.lock().unwrap();
        let then = settings
            .iter()
            .filter(|setting| setting.until.is_none_or(|until| until >= since));
        let lowest = then.map(|setting| setting.seconds).min().unwrap_or_default();
        now() - i64::try_from(since.elapsed().as_secs()).expect("a run is short") - 1 + lowest
    }

    /// Has a program see this clock.
    ///
    /// # Panics
    /// If libfaketime is not installed.
    pub(crate) fn hang_up_in(&self, command: &mut Command) {
        let libraries = LIBRARIES.iter().map(PathBuf::from);
        let library = libraries.into_iter().find(|file| file.is_file());
        let library = library.unwrap_or_else(|| panic!("`libfaketime` is missing: install it with `{REMEDY}`"));
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }
}

/// Removes what the library makes for a program that has started, for children that it never has: nobody does when it is killed.
pub(crate) fn tidy_up_after(program: &Child) {
    for name in ["faketime_shm", "sem.faketime_sem"] {
        // Not all versions make it.
        let _ = fs::remove_file(format!("/dev/shm/{name}_{}", program.id()));
    }
}

/// The true time, in seconds since the epoch.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("the clock is set").as_secs()).expect("the clock is set")
}

/// Where Debian has the one for programs with several threads.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];
const REMEDY: &str = "apt-get install faketime";
