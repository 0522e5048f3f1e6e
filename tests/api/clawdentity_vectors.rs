//! What a Clawdentity registry produced, and the verdicts that Clawdentity's own proxy gave:
//! `tests/vectors/clawdentity`, listed in its `index.json`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;

use http::{Request, Response, StatusCode};
use serde::Deserialize;
use tower::{Layer, ServiceExt, service_fn};
use tower_revocation::{Identify, RevocationLayer};

#[derive(Deserialize)]
pub(crate) struct Index {
    pub(crate) issuer: String,
    pub(crate) key_set: String,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    pub(crate) file: String,
    pub(crate) kind: String,
    pub(crate) class: String,
    pub(crate) agent_did: String,
    pub(crate) jti: String,
    pub(crate) body_kind: String,
    pub(crate) injected_fault: Option<String>,
    pub(crate) accept: bool,
    pub(crate) checks: Vec<Check>,
    pub(crate) revoked: BTreeMap<String, bool>,
    pub(crate) on_crl: BTreeMap<String, bool>,
    pub(crate) revoked_by_event: bool,
    pub(crate) usable_kids: Vec<String>,
    pub(crate) effect: String,
    pub(crate) revoked_dids: Vec<String>,
    pub(crate) status: u16,
    pub(crate) code: String,
}

#[derive(Deserialize)]
pub(crate) struct Check {
    pub(crate) verify_at: u64,
    pub(crate) accept: bool,
    pub(crate) entries: Option<usize>,
}

impl Index {
    pub(crate) fn read() -> Self {
        serde_json::from_slice(&read("index.json")).unwrap()
    }

    /// All entries of a kind, of which there have to be `count`, so that none is passed over unnoticed.
    pub(crate) fn of_kind(&self, kind: &str, count: usize) -> Vec<&Entry> {
        let entries: Vec<_> = self.entries.iter().filter(|entry| entry.kind == kind).collect();
        assert_eq!(entries.len(), count, "entries of kind {kind}");
        entries
    }
}

pub(crate) fn read(file: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/vectors/clawdentity", file]
        .iter()
        .collect();
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The status of the layer's answer to `request`, from a service that admits everything.
pub(crate) async fn ask<I>(layer: &RevocationLayer<I>, request: Request<String>) -> StatusCode
where
    I: Identify<Request<String>> + Clone,
{
    let inner = service_fn(|_: Request<String>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    layer.layer(inner).oneshot(request).await.unwrap().status()
}
