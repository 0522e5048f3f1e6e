//! Whose the directory is.

use std::fs;
use std::path::Path;

use tower_revocation::journal::{Journal, JournalError};
use tower_revocation::{Key, Revocation};

use crate::support::{Process, new_directory, words};

#[test]
fn belongs_to_one_at_a_time() {
    let directory = new_directory();
    let process = Process::start(directory.path());
    for opened in [
        Journal::open(directory.path()),
        Journal::open_or_start_empty(directory.path()),
    ] {
        let error = opened.unwrap_err();
        assert!(matches!(error, JournalError::InUse { by: Some(by), .. } if by == std::process::id()));
        let expected = format!(
            "{}: in use by process {}",
            directory.path().display(),
            std::process::id()
        );
        assert_eq!(error.to_string(), expected);
    }
    process
        .sink
        .apply(Revocation::block(Key::token("t")))
        .unwrap()
        .wait()
        .unwrap();
    let journal = Journal::open(directory.path());
    assert!(journal.is_err(), "still");
    drop(process);
    assert_eq!(crate::support::open(directory.path()).entries(), 1);
}

#[test]
fn a_sink_is_kept_in_one_journal() {
    let (one, two) = (new_directory(), new_directory());
    let process = Process::start(one.path());
    let journal = Journal::open(two.path()).unwrap();
    let error = process.sink.keep_in(journal).unwrap_err();
    assert!(matches!(error, JournalError::Taken { .. }), "{error}");
    // Each issuer has a layer and a journal of its own.
    let other = Process::start(two.path());
    process
        .sink
        .apply(Revocation::block(Key::token("t")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(process.is_revoked(Key::token("t")) && !other.is_revoked(Key::token("t")));
    drop((process, other));
    assert_eq!(Journal::open(one.path()).unwrap().entries(), 1);
    assert_eq!(Journal::open(two.path()).unwrap().entries(), 0);
}

#[test]
fn is_created_with_its_parents_and_closed_without_a_sink() {
    let directory = new_directory();
    let path = directory.path().join("a/b");
    drop(Journal::open(&path).unwrap());
    drop(Journal::open(&path).unwrap());
    assert!(path.join("journal.redb").exists());
}

#[test]
fn is_let_go_of_with_the_last_handle() {
    let directory = new_directory();
    let process = Process::start(directory.path());
    let last = process.sink.clone();
    drop(process);
    assert!(Journal::open(directory.path()).is_err());
    last.apply(Revocation::block(Key::token("t"))).unwrap().wait().unwrap();
    drop(last);
    assert!(Journal::open(directory.path()).is_ok());
}

#[test]
fn that_cannot_be_made_is_named() {
    let directory = new_directory();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [&file, &file.join("below")] {
        let error = Journal::open(path).unwrap_err();
        assert!(matches!(error, JournalError::Failed { .. }), "{error}");
        assert!(
            words(&error).starts_with(&format!("{}: cannot be used: ", path.display())),
            "{}",
            words(&error)
        );
    }
}

/// What Kubernetes does before each start of a pod that has an `fsGroup`. A gateway started there once, and never again.
#[cfg(unix)]
#[test]
fn on_a_volume_with_a_group_it_opens_again() {
    use std::os::unix::fs::PermissionsExt;

    let directory = new_directory();
    let volume = directory.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let add = |path: &Path, more| fs::set_permissions(path, fs::Permissions::from_mode(mode(path) | more)).unwrap();
    let opens: [fn(&Path) -> _; 2] = [|path| Journal::open(path), |path| Journal::open_or_start_empty(path)];
    for open in opens {
        for _life in 0..2 {
            add(&volume, 0o2770);
            for entry in fs::read_dir(&volume).unwrap() {
                add(&entry.unwrap().path(), 0o660);
            }
            drop(open(&volume).unwrap());
            for name in ["journal.redb", "sequence", "lock"] {
                assert_eq!(mode(&volume.join(name)) & 0o022, 0, "{name}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn is_for_nobody_else() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let directory = new_directory();
    let path = directory.path().join("state");
    drop(Journal::open(&path).unwrap());
    let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for name in ["journal.redb", "sequence", "lock"] {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
    }
    let set = |file: &Path, mode| fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    let exposed = |what: &Path| {
        for opened in [Journal::open(&path), Journal::open_or_start_empty(&path)] {
            let error = opened.unwrap_err();
            assert!(matches!(error, JournalError::Exposed { .. }), "{error}");
            assert!(error.to_string().starts_with(&what.display().to_string()), "{error}");
        }
    };
    set(&path, 0o707);
    exposed(&path);
    set(&path, 0o2750);
    let database = path.join("journal.redb");
    for mode in [0o620, 0o602] {
        set(&database, mode);
        exposed(&database);
    }
    set(&database, 0o600);
    // In a sticky directory the group may not touch what others own.
    set(&path, 0o3770);
    set(&database, 0o660);
    exposed(&database);
    set(&path, 0o2770);
    set(&database, 0o662);
    exposed(&database);
    set(&database, 0o600);
    // Somebody who may write to the directory tries to make us write to another file of ours.
    let elsewhere = directory.path().join("elsewhere");
    for name in ["journal.redb", "sequence", "lock"] {
        fs::rename(path.join(name), &elsewhere).unwrap();
        symlink(&elsewhere, path.join(name)).unwrap();
        let before = fs::read(&elsewhere).unwrap();
        exposed(&path.join(name));
        assert_eq!(fs::read(&elsewhere).unwrap(), before, "{name}");
        fs::rename(&elsewhere, path.join(name)).unwrap();
    }
    let probe = path.join(format!("probe.{}", std::process::id()));
    fs::write(&elsewhere, "whole").unwrap();
    for name in [probe, path.join("journal.redb.new")] {
        symlink(&elsewhere, name).unwrap();
    }
    drop(Journal::open(&path).unwrap());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "whole");
}
