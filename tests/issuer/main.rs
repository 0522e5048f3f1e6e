//! The issuer's end: what was stated is published, whatever fails.

#![cfg_attr(unix, expect(clippy::print_stdout, reason = "`--nocapture` shows what was counted"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod flaky;
mod histories;
#[cfg(unix)]
mod kills;
mod local;
mod lost;
mod metrics;
#[path = "../support/issuer/published.rs"]
mod published;
mod relay;

use std::time::Duration;

use tempfile::TempDir;
use tower_revocation::issuer::{Issuer, IssuerStatus};
use tower_revocation::source::Memory;
use tower_revocation::{Statement, Subject};

use published::Published;

const SOURCE: &str = "https://auth.example.com";

/// The directory of an issuer, in one that is removed.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("issuer")
    }

    fn open(&self) -> Issuer {
        Issuer::open(self.path(), SOURCE).unwrap()
    }

    /// A copy of the database as it is now.
    fn keep(&self) {
        std::fs::copy(self.path().join("issuer.redb"), self.0.path().join("kept")).unwrap();
    }

    fn put_back(&self) {
        std::fs::copy(self.0.path().join("kept"), self.path().join("issuer.redb")).unwrap();
    }
}

/// Blocks a session of this name.
async fn block(issuer: &Issuer, name: &str) -> String {
    issuer.revoke(Statement::block(Subject::session(name))).await.unwrap()
}

/// Waits until everything is published.
async fn all_published(issuer: &Issuer) {
    let published = tokio::time::timeout(PATIENCE, issuer.published()).await;
    published.unwrap_or_else(|_| panic!("{:?}", issuer.status())).unwrap();
}

/// Waits until the status is as wanted.
async fn until(issuer: &Issuer, wanted: impl Fn(&IssuerStatus) -> bool) -> IssuerStatus {
    let looking = async {
        loop {
            let status = issuer.status().unwrap();
            if wanted(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("{:?}", issuer.status()))
}

fn read(log: &Memory) -> Published {
    Published::read(SOURCE, log.messages())
}

const PATIENCE: Duration = Duration::from_secs(30);
