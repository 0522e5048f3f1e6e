//! The file of the list.

use std::fs;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use crate::domain::persistence::{Fetched, NotKept, PersistLists};
use crate::journal::directory::Directory;
use crate::journal::list_file::ListFile;
use crate::journal::open::{Damage, Kept};
use crate::journal::request::{Owes, RequestQueue, WriteRequest};
use crate::model::event::Revocation;
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::RevocationList;
use crate::status::{JournalStart, JournalStatus};

fn keep(lists: &ListFile, issued_at: u64, document: &str) -> Result<bool, NotKept> {
    keep_naming(lists, issued_at, document, &[])
}

/// A list that names these tokens.
fn keep_naming(lists: &ListFile, issued_at: u64, document: &str, tokens: &[&str]) -> Result<bool, NotKept> {
    let issued_at = Timestamp::from_unix_secs(issued_at);
    let fetched = Fetched {
        document: document.into(),
        keys: None,
        accepted_at: issued_at,
    };
    let list = tokens.iter().fold(RevocationList::builder(issued_at), |list, id| {
        list.with_entry(&Revocation::block(Key::token(id)).at(issued_at))
    });
    lists.persist(&fetched, &Arc::new(list.build()))
}

/// Two pollers may be about to keep what they have fetched, and the slower one may have the older list.
#[test]
fn an_older_list_takes_the_place_of_none_and_a_failure_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let status = Arc::new(Mutex::new(JournalStatus::new(String::new(), JournalStart::New)));
    let directory = Arc::new(OnceLock::new());
    directory.set(Directory::hold(&path).unwrap()).unwrap();
    let (requests, inbox) = sync_channel::<WriteRequest>(10);
    // A writer that succeeds always.
    let writer = thread::spawn(move || inbox.into_iter().for_each(|request| drop(request.answer.send(Ok(())))));
    let newest = Some(Timestamp::from_unix_secs(50));
    let lists = ListFile::new(
        RequestQueue {
            requests,
            owes: Owes::default(),
        },
        &status,
        &directory,
        newest,
        Kept::default(),
        Damage::Refuse,
    );
    let kept = || fs::read_to_string(path.join("list")).unwrap_or_default();
    for (issued_at, document, expected) in [
        (49, "before", ""),
        (100, "one", "one"),
        (102, "two", "two"),
        (101, "late", "two"),
        (102, "as new", "as new"),
    ] {
        keep(&lists, issued_at, document).unwrap();
        assert_eq!(kept(), expected);
    }
    // Both of one second: the slower one may say less.
    for (document, tokens, expected) in [
        ("more", &["t", "u"][..], "more"),
        ("less", &["u"], "more"),
        ("all", &["t", "u", "v"], "all"),
    ] {
        keep_naming(&lists, 102, document, tokens).unwrap();
        assert_eq!(kept(), expected);
    }
    fs::remove_dir_all(&path).unwrap();
    keep(&lists, 103, "all").unwrap();
    let problem = keep(&lists, 104, "lost").unwrap_err();
    assert!(
        problem.starts_with(path.join("list.new").to_str().unwrap()),
        "{problem}"
    );
    let status = status.lock().unwrap();
    assert_eq!((status.failures, status.last_error.as_deref()), (1, Some(&*problem)));
    assert_eq!(status.list_iat, Some(102));
    drop(lists);
    writer.join().unwrap();
}
