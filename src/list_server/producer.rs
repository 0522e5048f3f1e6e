//! Makes the list anew, and signs it.

use std::error::Error;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::common::error_text::error_text;
use crate::common::log;
use crate::crl::list_source::{ListSource, ask};
use crate::crl::open::encoded::EncodedList;
use crate::crl::open::manifest::Manifest;
use crate::crl::{DEFAULT_SIZE_CAP, DEFAULT_TIMEOUT};
use crate::list_server::key_ring::KeyRing;
use crate::list_server::signer::Signer;
use crate::list_server::status::{ListServerStatus, LookRecord, MadeList};
use crate::model::timestamp::Timestamp;

/// Looks up what is in force when somebody asks for the list, and signs that.
pub(super) struct ListProducer<S> {
    source: S,
    pub(super) ring: KeyRing,
    /// Held while the source is asked: whoever comes meanwhile gets the same list.
    newest: Mutex<Newest>,
    record: std::sync::Mutex<LookRecord>,
}

/// What a host sets.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) issuer: String,
    pub(super) list_path: String,
    pub(super) keys_path: String,
    pub(super) lifetime: Duration,
    pub(super) key_overlap: Duration,
    pub(super) look_gap: Duration,
    pub(super) timeout: Duration,
    pub(super) size_cap: usize,
}

/// A list as it is served.
#[derive(Clone, Debug)]
pub(super) struct SignedList {
    pub(super) head: Bytes,
    pub(super) body: Bytes,
    pub(super) etag: HeaderValue,
}

/// What came of the newest look at the source.
#[derive(Default)]
struct Newest {
    /// `None` before the first, and if it failed.
    list: Option<SourceLook>,
    /// When the source may be asked again.
    next: Option<Instant>,
}

struct SourceLook {
    manifest: Manifest,
    body: Bytes,
    /// Signed, and by which key.
    signed: Option<(Arc<Signer>, SignedList)>,
}

impl<S: ListSource> ListProducer<S> {
    pub(super) fn new(signer: Signer, source: S) -> Self {
        Self {
            source,
            ring: KeyRing::new(Arc::new(signer)),
            newest: Mutex::default(),
            record: std::sync::Mutex::default(),
        }
    }

    /// Returns the list; `None` if it cannot be made just now.
    ///
    /// # Cancel safety
    ///
    /// Run it to its end: a look that is given up was for nothing, and the next one starts at once.
    pub(super) async fn list(&self, settings: &Settings) -> Option<SignedList> {
        let mut newest = self.newest.lock().await;
        if newest.next.is_none_or(|next| next <= Instant::now()) {
            let started = Instant::now();
            let looked = self.look(&newest, settings).await;
            newest.next = Some(Instant::now() + pause(settings.look_gap, started.elapsed()));
            newest.list = match looked {
                Ok(look) => {
                    self.record().made(look.described());
                    Some(look)
                }
                Err(error) => {
                    let words = error_text(&*error).to_string();
                    log::error!(error = %words, "revocation list cannot be made");
                    self.record().failed(words);
                    None
                }
            };
        }
        let look = newest.list.as_mut()?;
        let signer = self.ring.signing(Instant::now(), settings.lifetime);
        match &look.signed {
            Some((by, list)) if by.kid() == signer.kid() => Some(list.clone()),
            _ => {
                let list = look.sign(&signer)?;
                look.signed = Some((signer, list.clone()));
                Some(list)
            }
        }
    }

    pub(super) fn status(&self) -> ListServerStatus {
        self.record().status(Timestamp::now())
    }

    fn record(&self) -> std::sync::MutexGuard<'_, LookRecord> {
        // Each change of it is whole.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the source. What it said before is not copied if it says the same.
    async fn look(&self, newest: &Newest, settings: &Settings) -> Result<SourceLook, Box<dyn Error + Send + Sync>> {
        // Before the source is asked: whatever happens from now on may be missing. Not a moment later, even if the list before was as
        // late, since the clock was set back: gateways would take what was revoked in between for known.
        let issued_at = Timestamp::now();
        let in_force = ask(&self.source, settings.timeout)
            .await
            .ok_or_else(|| format!("the source has not answered for {:?}", settings.timeout))??;
        let encoded = spawn_blocking(move || EncodedList::of(&in_force, issued_at)).await??;
        let manifest = encoded.manifest(
            &settings.issuer,
            issued_at,
            Some(issued_at.saturating_add(settings.lifetime)),
        );
        if encoded.body.len() > settings.size_cap {
            let (length, cap) = (encoded.body.len(), settings.size_cap);
            return Err(format!("it takes {length} bytes, and may take {cap}").into());
        }
        let known = newest
            .list
            .as_ref()
            .filter(|look| look.manifest.generation == manifest.generation);
        let body = match known {
            Some(look) => look.body.clone(),
            None => {
                log::info!(
                    entries = encoded.entries(),
                    bytes = encoded.body.len(),
                    "revocation list made anew"
                );
                encoded.body.into()
            }
        };
        Ok(SourceLook {
            manifest,
            body,
            signed: None,
        })
    }
}

impl Settings {
    pub(super) fn new(issuer: String) -> Self {
        Self {
            issuer,
            list_path: "/".to_owned(),
            keys_path: "/jwks.json".to_owned(),
            lifetime: DEFAULT_LIFETIME,
            key_overlap: DEFAULT_KEY_OVERLAP,
            look_gap: DEFAULT_LOOK_GAP,
            timeout: DEFAULT_TIMEOUT,
            size_cap: DEFAULT_SIZE_CAP,
        }
    }
}

impl SourceLook {
    fn described(&self) -> MadeList {
        MadeList {
            generation: self.manifest.generation.clone(),
            entries: self.manifest.sections.iter().map(|section| section.count).sum(),
            bytes: self.body.len() as u64,
            issued_at: self.manifest.issued_at,
        }
    }

    fn sign(&self, signer: &Signer) -> Option<SignedList> {
        // A weak one: lists that say the same are the same, whenever they were issued. A key that took over shows.
        let etag = format!(r#"W/"{}.{}""#, self.manifest.generation, signer.kid());
        Some(SignedList {
            head: signer.sign(&self.manifest)?.into(),
            body: self.body.clone(),
            etag: HeaderValue::from_str(&etag).ok()?,
        })
    }
}

/// How long to wait between two looks: a large list takes a processor for a tenth of the time, however many ask for it, unless lists
/// would get too old.
fn pause(look_gap: Duration, took: Duration) -> Duration {
    look_gap.max(took.saturating_mul(9).min(LONGEST_PAUSE))
}

/// How long a list may be fetched or confirmed: 1 day.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a key is published before it signs: 10 minutes, twice as long as gateways hold on to keys without looking.
pub const DEFAULT_KEY_OVERLAP: Duration = Duration::from_secs(10 * 60);

/// How far apart the source is asked at least, however many gateways ask: 1 second.
pub const DEFAULT_LOOK_GAP: Duration = Duration::from_secs(1);

/// How long a look that took long may be the newest: 10 seconds. A gateway that fetches then gets a list of that age.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_takes_long_does_not_make_lists_older_than_ten_seconds() {
        let secs = Duration::from_secs_f64;
        assert_eq!(pause(secs(1.0), secs(0.01)), secs(1.0));
        assert_eq!(pause(secs(1.0), secs(0.5)), secs(4.5));
        assert_eq!(pause(secs(1.0), secs(10.0)), secs(10.0));
        assert_eq!(pause(secs(60.0), secs(10.0)), secs(60.0), "the host says so");
    }
}
