//! What the properties share: a trust domain in which somebody is revoked already, and the vectors.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tower_revocation::{
    Credential, Decode, Disposition, EventSink, Key, Revocation, RevocationLayer, RevocationList, Timestamp, Verdict,
};

/// A trust domain with an empty list of a long time ago, in which [`MALLORY`] is blocked. It takes lists of any time.
pub(crate) fn domain() -> EventSink {
    let sink = without_list();
    sink.install(RevocationList::builder(Timestamp::from_unix_secs(0)).build())
        .expect("the first list is taken");
    sink
}

/// The same before its first list.
pub(crate) fn without_list() -> EventSink {
    let (_layer, sink) = RevocationLayer::pair(());
    sink.configure(|config| config.with_leeway(Duration::from_secs(1_000 * 365 * 24 * 60 * 60)));
    sink.apply(Revocation::block(mallory()))
        .expect("there is room")
        .wait()
        .expect("there is room");
    sink
}

/// An agent that is named in the vectors, so that inputs made from them are about it.
pub(crate) const MALLORY: &str = "did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN";

pub(crate) fn mallory() -> Key {
    Key::subject(MALLORY)
}

/// Whether a key is refused however new the token is that presents it: a block.
pub(crate) fn is_blocked(sink: &EventSink, key: Key) -> bool {
    let newest = Credential::from(key).with_issued_at(Timestamp::from_unix_millis(u64::MAX));
    matches!(sink.decide(&newest), Verdict::Revoked(_))
}

/// Nobody is let in again by anything but a reinstatement, and no input is one.
pub(crate) fn assert_still_blocked(sink: &EventSink) {
    assert!(is_blocked(sink, mallory()), "who was blocked is admitted");
}

/// Takes a message in, and checks what is promised of any: it ends in one way, which is counted, and in few words.
pub(crate) fn ingest(sink: &EventSink, decode: &impl Decode, message: &[u8]) -> Disposition {
    let before = counts(sink);
    let disposition = sink.ingest(decode, message).wait();
    let mut expected = before;
    expected[match disposition {
        Disposition::Applied => 0,
        Disposition::Ignored(_) => 1,
        Disposition::Retry(_) => 2,
        Disposition::DeadLetter(_) => 3,
    }] += 1;
    assert_eq!(counts(sink), expected, "it ends in exactly one way");
    if let Some(reason) = disposition.reason() {
        assert!(!reason.is_empty() && reason.chars().count() <= 501, "{reason:?}");
    }
    disposition
}

fn counts(sink: &EventSink) -> [u64; 4] {
    let counts = sink.status().dispositions;
    [counts.applied, counts.ignored, counts.retry, counts.dead_letter]
}

/// Splits an input into parts: none of the formats has this byte in it.
pub(crate) fn parts(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|byte| *byte == SEPARATOR)
}

pub(crate) fn join<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Vec<u8> {
    let parts: Vec<_> = parts.into_iter().map(|part| part.as_ref().to_vec()).collect();
    parts.join(&SEPARATOR)
}

/// ASCII's record separator.
const SEPARATOR: u8 = 0x1e;

/// The contents of all files in a folder of the vectors whose names end so.
pub(crate) fn vectors(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let folder = root().join("tests/vectors/clawdentity").join(folder);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.is_file() && path.to_string_lossy().ends_with(ending))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}", folder.display());
    paths
        .iter()
        .map(|path| fs::read(path).expect("the file can be read"))
        .collect()
}

/// Where the crate is: this is compiled in it, and in a crate within it.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_root = here.join("tests/vectors").is_dir();
    if is_root { here.to_owned() } else { here.join("..") }
}

/// A runtime whose clock is paused.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be had")
}
