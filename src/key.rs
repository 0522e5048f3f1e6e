//! What can be revoked: a kind and an id, held as a keyed fingerprint.

use std::array;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use siphasher::sip128::{Hasher128, SipHasher13};

/// What can be revoked, and what a request presents: a kind and an id.
///
/// The id's text is not kept. A key holds a 128-bit SipHash-1-3 of kind and id under a secret drawn
/// at random once per process, so that a memory dump holds no ids, an entry costs the same whatever
/// its id's length, and nobody outside can search for ids that collide. Keys of two processes cannot
/// be compared and are not meant to be stored.
///
/// Making a key costs one hash of its id (some 10 ns for a ULID) and no allocation.
///
/// # Security
///
/// Kinds never meet: the same text as a token and as a subject gives two unrelated keys. Two different
/// ids share a fingerprint with probability 2⁻¹²⁸; a credential of 8 keys against a list of 10 million
/// entries is wrongly refused with probability of at most 8 · 10⁷ / 2¹²⁸ < 3 · 10⁻³¹.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    kind: KeyKind,
    fingerprint: Fingerprint,
}

impl Key {
    /// A key of the given kind. `id` is compared byte for byte: no trimming, no case folding.
    ///
    /// The id of [`KeyKind::Everything`] is ignored.
    #[must_use]
    pub fn new(kind: KeyKind, id: &str) -> Self {
        let fingerprint = match kind {
            KeyKind::Everything => Fingerprint::default(),
            _ => Fingerprint::of(kind, id.as_bytes()),
        };
        Self { kind, fingerprint }
    }

    /// One token, by its `jti` ([RFC 7519 §4.1.7](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.7)).
    #[must_use]
    pub fn token(jti: &str) -> Self {
        Self::new(KeyKind::Token, jti)
    }

    /// A subject, by its `sub`: a user, an agent's DID.
    #[must_use]
    pub fn subject(sub: &str) -> Self {
        Self::new(KeyKind::Subject, sub)
    }

    /// A session, by its `sid`
    /// ([OpenID Connect Front-Channel Logout §3](https://openid.net/specs/openid-connect-frontchannel-1_0.html#OPLogout)).
    #[must_use]
    pub fn session(sid: &str) -> Self {
        Self::new(KeyKind::Session, sid)
    }

    /// A client, by its `client_id` ([RFC 8693 §4.3](https://www.rfc-editor.org/rfc/rfc8693#section-4.3)).
    #[must_use]
    pub fn client(client_id: &str) -> Self {
        Self::new(KeyKind::Client, client_id)
    }

    /// All that was signed with one key, by its `kid`
    /// ([RFC 7515 §4.1.4](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.4)).
    #[must_use]
    pub fn signing_key(kid: &str) -> Self {
        Self::new(KeyKind::SigningKey, kid)
    }

    /// All credentials of one tenant.
    #[must_use]
    pub fn tenant(id: &str) -> Self {
        Self::new(KeyKind::Tenant, id)
    }

    /// A key of the host's own kind, such as `Key::named("device", "d-17")`.
    #[must_use]
    pub fn named(kind: &'static str, id: &str) -> Self {
        Self::new(KeyKind::Named(kind), id)
    }

    /// Everything the issuer ever issued. Each credential presents this key without being asked to.
    #[must_use]
    pub fn everything() -> Self {
        Self::new(KeyKind::Everything, "")
    }

    /// What kind of thing this key stands for.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(crate) const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl fmt::Debug for Key {
    /// Writes the kind alone: a fingerprint says nothing to a reader and does not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.kind)
    }
}

/// The kinds of [`Key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// An OAuth client (`client_id`).
    Client,
    /// Everything the issuer ever issued.
    Everything,
    /// A kind of the host's own.
    Named(&'static str),
    /// A session (`sid`).
    Session,
    /// A signing key (`kid`).
    SigningKey,
    /// A subject (`sub`).
    Subject,
    /// A tenant.
    Tenant,
    /// A single token (`jti`).
    Token,
}

impl KeyKind {
    /// How many tables it takes to keep every kind but [`Everything`](Self::Everything) apart.
    pub(crate) const TABLES: usize = 7;

    /// The name for logs and counters: `token`, `subject`, … or the host's own.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Everything => "everything",
            Self::Named(name) => name,
            Self::Session => "session",
            Self::SigningKey => "signing-key",
            Self::Subject => "subject",
            Self::Tenant => "tenant",
            Self::Token => "token",
        }
    }

    /// Which table holds keys of this kind; `None` for the one key that needs none.
    pub(crate) const fn table(self) -> Option<usize> {
        match self {
            Self::Everything => None,
            Self::Client => Some(0),
            Self::Named(_) => Some(1),
            Self::Session => Some(2),
            Self::SigningKey => Some(3),
            Self::Subject => Some(4),
            Self::Tenant => Some(5),
            Self::Token => Some(6),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// 128 bits that stand for a kind and an id, in this process alone.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u64; 2]);

impl Fingerprint {
    fn of(kind: KeyKind, id: &[u8]) -> Self {
        let secret = &SECRETS[kind.table().unwrap_or(0)];
        let hash = match kind {
            // All named kinds share a secret: the name goes first and says how long it is, so that no id can
            // continue another kind's name.
            KeyKind::Named(name) => {
                let mut hasher = *secret;
                hasher.write_usize(name.len());
                hasher.write(name.as_bytes());
                hasher.write(id);
                hasher.finish128()
            }
            _ => secret.hash(id),
        };
        Self([hash.h1, hash.h2])
    }

    /// The bits that place this fingerprint in a hash table: already uniform, and secret.
    pub(crate) const fn place(self) -> u64 {
        self.0[0]
    }
}

/// A hasher for each table, keyed at first use: with secrets of their own, kinds have nothing in common.
///
/// `RandomState` is the one source of randomness in `std`. Its keys come from the system, and only the outputs of a keyed
/// hash under them are used here.
static SECRETS: LazyLock<[SipHasher13; KeyKind::TABLES]> = LazyLock::new(|| {
    let random = || RandomState::new().build_hasher().finish();
    array::from_fn(|_| SipHasher13::new_with_keys(random(), random()))
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_kinds_and_ids_apart() {
        let keys = [
            Key::token("a"),
            Key::subject("a"),
            Key::session("a"),
            Key::client("a"),
            Key::signing_key("a"),
            Key::tenant("a"),
            Key::named("device", "a"),
            Key::named("devicea", ""),
            Key::named("devic", "ea"),
            Key::token("A"),
            Key::token("a "),
            Key::everything(),
        ];
        for (i, a) in keys.iter().enumerate() {
            for (j, b) in keys.iter().enumerate() {
                assert_eq!(a.fingerprint() == b.fingerprint(), i == j, "{a:?} {i} {b:?} {j}");
            }
        }
    }

    #[test]
    fn shows_no_id_and_no_fingerprint() {
        assert_eq!(format!("{:?}", Key::token("secret")), "Key(token)");
    }

    #[test]
    fn gives_each_kind_its_own_table() {
        let kinds = [
            KeyKind::Client,
            KeyKind::Named("x"),
            KeyKind::Session,
            KeyKind::SigningKey,
            KeyKind::Subject,
            KeyKind::Tenant,
            KeyKind::Token,
        ];
        let mut tables: Vec<_> = kinds.iter().map(|kind| kind.table().unwrap()).collect();
        tables.sort_unstable();
        assert_eq!(tables, (0..KeyKind::TABLES).collect::<Vec<_>>());
    }
}
