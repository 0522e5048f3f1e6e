//! The files of a journal, damaged in several places at a time.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{Empty, Full};
use tempfile::TempDir;
use tokio::runtime::Builder;
use tower::service_fn;
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::crl::{HttpClient, Poller};
use tower_revocation::journal::{Journal, JournalError};
use tower_revocation::status::JournalStart;
use tower_revocation::{Credential, EventSink, Key, Revocation, RevocationLayer, StalePolicy, Timestamp, Verdict};

use super::registry::{self, format};
use super::world;

/// A start on damaged files is an error, or knows all that was revoked, or admits nobody; under either choice, and though the
/// policy is to admit whom nothing is known of.
pub(crate) fn check(input: &[u8]) {
    let files = damaged(input);
    for start_empty in [false, true] {
        let directory = directory();
        for (name, content) in &files {
            fs::write(directory.path().join(name), content).expect("there is room");
        }
        let opened = match start_empty {
            false => Journal::open(directory.path()),
            true => Journal::open_or_start_empty(directory.path()),
        };
        match opened {
            Ok(journal) => start(journal),
            Err(JournalError::InUse { .. } | JournalError::Exposed { .. }) => panic!("{directory:?} is ours alone"),
            Err(_) => assert!(!start_empty || files.is_empty(), "it starts whatever there is"),
        }
    }
}

/// What a process does with what it was left.
pub(crate) fn start(journal: Journal) {
    let start = journal.start();
    let (_layer, sink) = RevocationLayer::pair(());
    sink.configure(|config| config.with_stale_policy(StalePolicy::FailOpen));
    sink.keep_in(journal).expect("it is kept in no other");
    let restored = poller(&sink).restore();
    match start {
        // There is no sign that there ever was a journal.
        JournalStart::New => return,
        JournalStart::Restored => {
            for key in [Key::subject("event"), Key::session("cut"), Key::everything()] {
                let old = Credential::from(key).with_issued_at(Timestamp::from_unix_secs(5));
                assert!(matches!(sink.decide(&old), Verdict::Revoked(_)), "{key:?} is forgotten");
            }
            let is_known = world::is_blocked(&sink, Key::token(registry::A));
            assert!(is_known || !sink.is_ready() || sink.status().snapshot.is_none() && restored.is_err());
        }
        _ => assert!(!sink.is_ready(), "a loss lets nobody in"),
    }
    let key = Key::token(registry::A);
    if !world::is_blocked(&sink, key) {
        assert!(!sink.is_ready(), "what was listed is forgotten, and it is open");
    }
}

/// The files that a process left, which was told of three revocations and fetched a list.
pub(crate) fn left() -> &'static [(&'static str, Vec<u8>)] {
    static LEFT: OnceLock<Vec<(&str, Vec<u8>)>> = OnceLock::new();
    LEFT.get_or_init(|| {
        let directory = directory();
        let (layer, sink) = RevocationLayer::pair(());
        sink.keep_in(Journal::open(directory.path()).expect("the first one is created"))
            .expect("it is kept in no other");
        let at = Timestamp::from_unix_secs(10);
        for revocation in [
            Revocation::block(Key::subject("event")).at(at),
            Revocation::cut_off(Key::session("cut")).at(at),
            Revocation::cut_off(Key::everything()).at(at),
        ] {
            sink.apply(revocation)
                .expect("it is durable")
                .wait()
                .expect("it is durable");
        }
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime can be had");
        runtime.block_on(async {
            tokio::select! {
                _ = poller(&sink).run() => {}
                () = sink.refreshed() => {}
            }
        });
        assert_eq!(sink.status().poll.last_error, None);
        assert!(world::is_blocked(&sink, Key::token(registry::A)));
        drop((layer, sink));
        drop(runtime);
        until_closed(directory.path());
        NAMES
            .into_iter()
            .map(|name| (name, fs::read(directory.path().join(name)).expect("it was written")))
            .collect()
    })
}

/// A poller of a registry that has one list.
fn poller(sink: &EventSink) -> Poller<impl HttpClient + use<>, ClawdentityList> {
    let client = service_fn(|request: Request<Empty<Bytes>>| async move {
        let body = match request.uri().path() {
            "/keys" => registry::keys_document(),
            _ => registry::document(&registry::payload(1, u64::MAX, &[registry::A])),
        };
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
    });
    let uri = |path| Uri::from_static(path);
    Poller::new(
        client,
        format(),
        uri("http://registry/list"),
        uri("http://registry/keys"),
        sink.clone(),
    )
}

/// The input is a byte that chooses, and then edits of six bytes: which file, what is done to it, where (two bytes), by what (two).
///
/// Not both the database and its commit count: whoever can change these together can put back an older copy of all.
fn damaged(input: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut files = left().to_vec();
    let Some((choice, edits)) = input.split_first() else {
        return files;
    };
    let spared = if choice % 2 == 0 { "sequence" } else { "journal.redb" };
    for edit in edits.chunks_exact(6) {
        let index = usize::from(edit[0]) % files.len();
        if files[index].0 == spared {
            continue;
        }
        // The beginning of a large file is where it matters most.
        let place = u16::from_le_bytes([edit[2], edit[3]]);
        let content = &mut files[index].1;
        let at = match edit[1] & 0x80 {
            0 => usize::from(place),
            _ => content.len() * usize::from(place) / (1 << 16),
        };
        match edit[1] & 0x7f {
            0..=63 => content.get_mut(at).into_iter().for_each(|byte| *byte ^= edit[4]),
            64..=79 => content
                .iter_mut()
                .skip(at)
                .take(usize::from(edit[5]))
                .for_each(|byte| *byte = edit[4]),
            80..=95 => content.truncate(at),
            96..=103 => content.extend(std::iter::repeat_n(edit[4], usize::from(edit[5]) * 16)),
            104..=111 => {
                let end = (at + 4096).min(content.len());
                let to = (usize::from(edit[4]) * 4096).min(content.len());
                let page = content.get(at..end).unwrap_or_default().to_vec();
                content.splice(to..(to + page.len()).min(content.len()), page);
            }
            112..=115 => content.clear(),
            _ => drop(files.remove(index)),
        }
        if files.is_empty() {
            break;
        }
    }
    files
}

/// In memory, where there is such a place: nothing of it is meant to last.
pub(crate) fn directory() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    let made = match memory.is_dir() {
        true => TempDir::new_in(memory),
        false => TempDir::new(),
    };
    made.expect("a directory can be had")
}

/// A journal is closed a moment after it was dropped.
pub(crate) fn until_closed(directory: &Path) {
    let started = Instant::now();
    let lock = fs::File::open(directory.join("lock")).expect("it was held");
    while lock.try_lock().is_err() {
        assert!(started.elapsed() < Duration::from_secs(20), "it is not closed");
        thread::yield_now();
    }
}

const NAMES: [&str; 4] = ["journal.redb", "list", "sequence", "lock"];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let edit = |file: u8, what: u8, place: u16, by: u8, length: u8| {
        let [low, high] = place.to_le_bytes();
        [file, what, low, high, by, length]
    };
    vec![
        Vec::new(),
        [&[0], &edit(0, 0, 9, 1, 0)[..]].concat(),
        [&[0], &edit(0, 0x80, 30_000, 0xff, 0)[..], &edit(1, 0, 40, 1, 0)].concat(),
        [&[0], &edit(0, 80, 4_096, 0, 0)[..]].concat(),
        [&[0], &edit(0, 0x80 | 104, 8_192, 3, 0)[..]].concat(),
        [&[1], &edit(2, 0, 19, 1, 0)[..], &edit(1, 80, 10, 0, 0)].concat(),
        [&[1], &edit(1, 120, 0, 0, 0)[..]].concat(),
        [&[0], &edit(0, 120, 0, 0, 0)[..]].concat(),
        [&[0], &edit(3, 64, 0, b'9', 20)[..]].concat(),
    ]
}
