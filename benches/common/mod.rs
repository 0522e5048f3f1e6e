//! The workload that the benchmarks share: ids, lists, and what a user would hand-roll.

#![allow(dead_code, reason = "each benchmark uses a part")]
#![allow(unreachable_pub, reason = "a module of several programs")]

use fastrand::Rng;
use tower_revocation::{Credential, EventSink, Key, Revocation, RevocationLayer, RevocationList, Timestamp};

/// How many credentials the requests are drawn from, so that none of them stays in a cache.
pub const CREDENTIALS: usize = 262_144;

/// What a request presents: a token's ULID, an agent's DID, a session's ULID.
pub struct Ids {
    pub token: String,
    pub subject: String,
    pub session: String,
}

impl Ids {
    pub fn all(&self) -> [&str; 3] {
        [&self.token, &self.subject, &self.session]
    }

    /// What an authentication layer keeps beside the claims that it has verified.
    pub fn keys(&self) -> [Key; 3] {
        [
            Key::token(&self.token),
            Key::subject(&self.subject),
            Key::session(&self.session),
        ]
    }

    pub fn credential(&self) -> Credential {
        Credential::from(self.keys()).with_issued_at(ISSUED_AT)
    }
}

/// Random requests; none of them is on any list made with another seed.
pub fn requests(seed: u64, count: usize) -> Vec<Ids> {
    let mut random = Rng::with_seed(seed);
    let mut request = || Ids {
        token: ulid(&mut random),
        subject: did(&mut random),
        session: ulid(&mut random),
    };
    (0..count).map(|_| request()).collect()
}

/// The tokens on a list.
pub fn tokens(seed: u64, count: usize) -> impl Iterator<Item = String> {
    let mut random = Rng::with_seed(seed);
    (0..count).map(move |_| ulid(&mut random))
}

/// The subjects that events revoke.
pub fn subjects(seed: u64, count: usize) -> impl Iterator<Item = String> {
    let mut random = Rng::with_seed(seed);
    (0..count).map(move |_| did(&mut random))
}

fn ulid(random: &mut Rng) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..26).map(|_| char::from(ALPHABET[random.usize(..32)])).collect()
}

fn did(random: &mut Rng) -> String {
    format!("did:cdi:registry.example.com:agent:{}", ulid(random))
}

/// A sink with a list of `snapshot` tokens under an overlay of `overlay` subjects.
pub fn sink(snapshot: usize, overlay: usize) -> EventSink {
    let (_layer, sink) = RevocationLayer::pair(|_: &()| Credential::new());
    let capacity = std::num::NonZeroUsize::new(100_000_000).expect("not zero");
    sink.configure(|config| config.with_capacity(capacity));
    let mut list = RevocationList::builder(Timestamp::now()).with_capacity(tower_revocation::KeyKind::Token, snapshot);
    for token in tokens(LIST, snapshot) {
        list.push(&Revocation::block(Key::token(&token)));
    }
    sink.install(list.build()).expect("the first list");
    sink.apply_all(subjects(EVENTS, overlay).map(|subject| Revocation::block(Key::subject(&subject))))
        .expect("there is room")
        .wait()
        .expect("there is room");
    sink
}

/// Every id that is revoked in [`sink`], for those that keep them in one set.
pub fn revoked(snapshot: usize, overlay: usize) -> impl Iterator<Item = String> {
    tokens(LIST, snapshot).chain(subjects(EVENTS, overlay))
}

/// `1_000` as `1k`.
pub fn short(count: usize) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

/// Whether the benchmarks only have to show that they run (`cargo test --benches`).
pub fn is_test() -> bool {
    !std::env::args().any(|argument| argument == "--bench")
}

/// When all credentials were issued.
pub const ISSUED_AT: Timestamp = Timestamp::from_unix_secs(1_767_225_600);

/// Seeds, one for each kind of thing.
pub const LIST: u64 = 1;
pub const EVENTS: u64 = 2;
pub const MISSES: u64 = 3;
pub const NEW_EVENTS: u64 = 4;
