//! What can be revoked: a kind and an id, as a keyed fingerprint.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip128::Hasher128;

use crate::model::key_secrets::KeySecrets;

/// Names what can be revoked, and what a request presents: a kind and an id, in 16 bytes.
///
/// The id's text is not held. A key is its kind and 124 bits of a SipHash-1-3 of its id. The hash is keyed with a
/// secret that is drawn at random once per process and kind. So a memory dump holds no ids, an entry costs the same for
/// any length of id, and nobody outside can search for ids that collide. Keys of two processes cannot be compared, and
/// are not meant to be stored, unless a journal (feature `journal`) passes the secrets of one process to the next.
///
/// Making a key costs one hash of its id (10 to 30 ns) and no allocation.
///
/// An id is text, or any other bytes ([`token_bytes`](Self::token_bytes), [`named_bytes`](Self::named_bytes)). Equal bytes make equal
/// keys: a text counts as its bytes in UTF-8. Whoever revokes an id and whoever presents it have to use the same form: the bytes of a
/// serial number and its hexadecimal digits are two ids.
///
/// # Security
///
/// Kinds never collide: the same text as a token and as a subject gives two unrelated keys. Two different ids of a kind
/// share a fingerprint with probability 2⁻¹²⁴. A credential of 8 keys against a list of 10 million entries is wrongly
/// refused with probability of at most 8 · 10⁷ / 2¹²⁴ < 4 · 10⁻³⁰.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(Fingerprint);

impl Key {
    /// Returns the key of one token, by its `jti` ([RFC 7519
    /// §4.1.7](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.7)).
    ///
    /// Ids of all kinds are compared byte for byte: no trimming, no case folding.
    #[must_use]
    pub fn token(jti: &str) -> Self {
        Self::of(KeyKind::Token, jti.as_bytes())
    }

    /// Returns the key of one token whose id is no text, such as a revocation id of a Biscuit. If the bytes are those of a text, it
    /// is the key that [`token`](Self::token) returns.
    ///
    /// ```
    /// use tower_revocation::Key;
    ///
    /// assert_eq!(Key::token_bytes(b"ab"), Key::token("ab"));
    /// assert_ne!(Key::token_bytes(&[0xab]), Key::token("ab"));
    /// ```
    #[must_use]
    pub fn token_bytes(id: &[u8]) -> Self {
        Self::of(KeyKind::Token, id)
    }

    /// Returns the key of a subject, by its `sub`: a user, an agent's DID.
    #[must_use]
    pub fn subject(sub: &str) -> Self {
        Self::of(KeyKind::Subject, sub.as_bytes())
    }

    /// Returns the key of a session, by its `sid` ([OpenID Connect Front-Channel Logout
    /// §3](https://openid.net/specs/openid-connect-frontchannel-1_0.html#OPLogout)).
    #[must_use]
    pub fn session(sid: &str) -> Self {
        Self::of(KeyKind::Session, sid.as_bytes())
    }

    /// Returns the key of a client, by its `client_id` ([RFC 8693
    /// §4.3](https://www.rfc-editor.org/rfc/rfc8693#section-4.3)).
    #[must_use]
    pub fn client(client_id: &str) -> Self {
        Self::of(KeyKind::Client, client_id.as_bytes())
    }

    /// Returns the key of all that was signed with one signing key, by its `kid` ([RFC 7515
    /// §4.1.4](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.4)).
    #[must_use]
    pub fn signing_key(kid: &str) -> Self {
        Self::of(KeyKind::SigningKey, kid.as_bytes())
    }

    /// Returns the key of all credentials of one tenant.
    #[must_use]
    pub fn tenant(id: &str) -> Self {
        Self::of(KeyKind::Tenant, id.as_bytes())
    }

    /// Returns a key of the host's own kind, such as `Key::named("device", "d-17")`. Keys of two names never collide
    /// either.
    #[must_use]
    pub fn named(name: &str, id: &str) -> Self {
        Self::named_bytes(name, id.as_bytes())
    }

    /// Returns what [`named`](Self::named) does, for an id that is no text, such as the serial number of a certificate.
    ///
    /// ```
    /// use tower_revocation::Key;
    ///
    /// let serial = [0x03, 0xff, 0x00];
    /// let key = Key::named_bytes("certificate", &serial);
    /// assert_ne!(key, Key::named("certificate", "03ff00"));
    /// ```
    #[must_use]
    pub fn named_bytes(name: &str, id: &[u8]) -> Self {
        let mut hasher = *KeySecrets::in_use().hasher(KeyKind::Named.code());
        // The length of the name comes first, so that no id can continue another's name.
        hasher.write(&(name.len() as u64).to_le_bytes());
        hasher.write(name.as_bytes());
        hasher.write(id);
        let hash = hasher.finish128();
        Self(Fingerprint::new(KeyKind::Named, hash.h1, hash.h2))
    }

    /// Returns the key of everything that the issuer ever issued. Every credential presents it automatically.
    #[must_use]
    pub const fn everything() -> Self {
        Self(Fingerprint::new(KeyKind::Everything, 0, 0))
    }

    /// Returns the kind of thing that this key stands for.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.0.kind()
    }

    pub(crate) const fn fingerprint(&self) -> Fingerprint {
        self.0
    }

    /// The key of this fingerprint.
    pub(crate) const fn of_fingerprint(fingerprint: Fingerprint) -> Self {
        Self(fingerprint)
    }

    /// The kind's number and what else tells keys of that kind apart, to be stored.
    #[cfg(feature = "journal")]
    pub(crate) const fn to_parts(self) -> (u8, u128) {
        let Self(Fingerprint([high, low])) = self;
        let bits = ((high as u128) << 64) | (low & !Fingerprint::KIND) as u128;
        (self.kind().code() as u8, bits)
    }

    /// A key that was stored, if its kind is known.
    #[cfg(feature = "journal")]
    pub(crate) fn from_parts(code: u8, bits: u128) -> Option<Self> {
        let kind = KeyKind::ALL.into_iter().find(|kind| kind.code() == usize::from(code))?;
        Some(Self(Fingerprint::new(kind, (bits >> 64) as u64, bits as u64)))
    }

    pub(crate) fn of(kind: KeyKind, id: &[u8]) -> Self {
        let hash = KeySecrets::in_use().hasher(kind.code()).hash(id);
        Self(Fingerprint::new(kind, hash.h1, hash.h2))
    }
}

impl fmt::Debug for Key {
    /// Writes the kind alone: a fingerprint says nothing to a reader and does not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.kind())
    }
}

/// Names the kinds of [`Key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// An OAuth client (`client_id`).
    Client,
    /// A kind of the host's own.
    Named,
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
    /// Everything that the issuer ever issued.
    Everything,
}

impl KeyKind {
    /// How many tables it takes to keep every kind but [`Everything`](Self::Everything) apart.
    pub(crate) const TABLES: usize = Self::Everything as usize;

    /// How many kinds there are.
    pub(crate) const COUNT: usize = Self::TABLES + 1;

    /// Returns the name for logs and counters: `token`, `subject`, ….
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Everything => "everything",
            Self::Named => "named",
            Self::Session => "session",
            Self::SigningKey => "signing-key",
            Self::Subject => "subject",
            Self::Tenant => "tenant",
            Self::Token => "token",
        }
    }

    /// Whether nearly every credential of an issuer may present one and the same key of this kind.
    pub(crate) const fn is_shared(self) -> bool {
        matches!(self, Self::Client | Self::SigningKey | Self::Tenant)
    }

    /// Which table holds keys of this kind; `None` for the one key that needs none.
    pub(crate) const fn table(self) -> Option<usize> {
        match self {
            Self::Everything => None,
            _ => Some(self as usize),
        }
    }

    /// The number by which journals know the kind and its secret. It never changes. A new kind takes the next number.
    pub(crate) const fn code(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Named => 1,
            Self::Session => 2,
            Self::SigningKey => 3,
            Self::Subject => 4,
            Self::Tenant => 5,
            Self::Token => 6,
            Self::Everything => 7,
        }
    }

    /// The kind of this [name](Self::as_str).
    #[cfg(any(feature = "cloudevents", feature = "crl-poll"))]
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    const ALL: [Self; Self::COUNT] = [
        Self::Client,
        Self::Named,
        Self::Session,
        Self::SigningKey,
        Self::Subject,
        Self::Tenant,
        Self::Token,
        Self::Everything,
    ];
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind, in four bits, and 124 bits that stand for an id, in this process alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fingerprint([u64; 2]);

impl Fingerprint {
    const KIND: u64 = 0xf;

    const fn new(kind: KeyKind, high: u64, low: u64) -> Self {
        Self([high, low & !Self::KIND | kind as u64])
    }

    /// The bits that place this fingerprint in a hash table: already uniform, and secret.
    pub(crate) const fn place(self) -> u64 {
        self.0[0]
    }

    pub(crate) const fn kind(self) -> KeyKind {
        KeyKind::ALL[(self.0[1] & Self::KIND) as usize]
    }
}

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
                assert_eq!(a == b, i == j, "{a:?} {i} {b:?} {j}");
            }
        }
    }

    #[test]
    fn is_small_and_shows_no_id_and_no_fingerprint() {
        assert_eq!(size_of::<Key>(), 16);
        assert_eq!(format!("{:?}", Key::token("secret")), "Key(token)");
    }

    #[test]
    fn knows_its_kind() {
        for (at, kind) in KeyKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(Fingerprint::new(kind, u64::MAX, u64::MAX).kind(), kind);
        }
        assert_eq!(Key::named("device", "d").kind(), KeyKind::Named);
        assert_eq!(Key::everything().kind(), KeyKind::Everything);
        assert_eq!(Key::tenant("t").kind(), KeyKind::Tenant);
    }

    #[cfg(feature = "journal")]
    #[test]
    fn is_the_same_after_it_was_stored() {
        for key in [Key::token("a"), Key::named("device", "a"), Key::everything()] {
            let (code, bits) = key.to_parts();
            assert_eq!(Key::from_parts(code, bits), Some(key));
        }
        assert_eq!(Key::from_parts(KeyKind::COUNT as u8, 0), None);
        let codes = KeyKind::ALL.map(KeyKind::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7], "never changes");
    }

    #[test]
    fn kinds_do_not_share_a_secret() {
        // Without their kind bits, keys of one text still differ.
        let hash = |key: Key| key.fingerprint().place();
        assert_ne!(hash(Key::token("a")), hash(Key::subject("a")));
        assert_ne!(hash(Key::session("a")), hash(Key::client("a")));
    }
}
