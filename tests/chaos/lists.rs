//! The lists that the origin passes on.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::wall_clock;

/// Lists that the registry signed and the gateway may have got.
#[derive(Default)]
pub(crate) struct Lists {
    /// Which tokens all lists of one second carry.
    tokens: BTreeMap<u64, HashSet<String>>,
    /// When there were last two different ones of one second.
    ambiguous: Option<Instant>,
    /// When they were asked for, the newest last.
    bodies: VecDeque<(Instant, Bytes)>,
    /// None that was asked for before is served from the cache.
    purged: Option<Instant>,
}

impl Lists {
    /// Notes a list that was asked for by then.
    pub(crate) fn note(&mut self, asked: Instant, body: &Bytes) {
        let claims = claims(body);
        let listed = claims["revocations"].as_array().expect("a list has entries");
        let token = |entry: &Value| entry["jti"].as_str().expect("an entry names a token").to_owned();
        let mut tokens: HashSet<String> = listed.iter().map(token).collect();
        let iat = claims["iat"].as_u64().expect("a list has a time");
        if let Some(others) = self.tokens.remove(&iat) {
            if others != tokens {
                self.ambiguous = Some(Instant::now());
            }
            tokens.retain(|token| others.contains(token));
        }
        self.tokens.insert(iat, tokens);
        while self.tokens.len() > KEPT {
            self.tokens.pop_first();
        }
        // A copy from the future could be believed later by a gateway whose clock is ahead, and no other list for an hour.
        if i64::try_from(iat).is_ok_and(|iat| iat <= wall_clock::now() + AHEAD) {
            self.bodies.push_back((asked, body.clone()));
        }
        // None that has expired.
        while self.bodies.front().is_some_and(|(at, _)| at.elapsed() > UNEXPIRED) {
            self.bodies.pop_front();
        }
    }

    /// One that may still be served from the cache.
    pub(crate) fn cached(&self) -> Option<Bytes> {
        let (asked, body) = self.bodies.back()?;
        let is_purged = self.purged.is_some_and(|at| *asked <= at);
        (asked.elapsed() < CACHED && !is_purged).then(|| body.clone())
    }

    /// Has nothing served from the cache that was asked for before.
    pub(crate) fn purge(&mut self) {
        self.purged = Some(Instant::now());
    }

    /// The oldest that has not expired.
    pub(crate) fn earlier(&self) -> Bytes {
        self.bodies.front().map(|(_, body)| body.clone()).unwrap_or_default()
    }

    /// Which tokens a list of this issue time is known to carry.
    pub(crate) fn carried(&self, iat: u64) -> HashSet<String> {
        self.tokens.get(&iat).cloned().unwrap_or_default()
    }

    /// Whether there were two different ones of one second lately.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.ambiguous.is_some_and(|at| at.elapsed() < 2 * CACHED)
    }
}

/// A list that revokes nobody whom the gateway could be asked about, in either of two ways that must not pass.
pub(crate) fn forged(body: &[u8], turn: u64) -> Vec<u8> {
    let mut claims = claims(body);
    claims["iat"] = (claims["iat"].as_u64().expect("a list has a time") + 1).into();
    let entries = claims["revocations"].as_array_mut();
    entries.expect("a list has entries").truncate(1);
    let body: Value = serde_json::from_slice(body).expect("the registry writes JSON");
    let mut parts: Vec<&str> = body["crl"].as_str().unwrap_or_default().split('.').collect();
    let (header, payload) = (
        URL_SAFE_NO_PAD.encode(UNKNOWN_KEY),
        URL_SAFE_NO_PAD.encode(claims.to_string()),
    );
    if turn.is_multiple_of(2) {
        parts[0] = &header;
    }
    parts[1] = &payload;
    json!({ "crl": parts.join(".") }).to_string().into_bytes()
}

fn claims(body: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(body).expect("the registry writes JSON");
    let payload = body["crl"].as_str().and_then(|list| list.split('.').nth(1));
    let payload = URL_SAFE_NO_PAD.decode(payload.expect("a list is a JWS"));
    serde_json::from_slice(&payload.expect("a JWS is in base 64")).expect("claims are JSON")
}

const UNKNOWN_KEY: &str = r#"{"alg":"EdDSA","typ":"CRL","kid":"reg-key-9"}"#;

/// How far ahead a list may be that is no fault's, in seconds.
const AHEAD: i64 = 5;

/// How long a list is served from the cache: long enough that events matter.
const CACHED: Duration = Duration::from_secs(6);

/// Lists expire after 390 s.
const UNEXPIRED: Duration = Duration::from_secs(200);

/// Of how many seconds it is remembered what their lists carried.
const KEPT: usize = 60;
