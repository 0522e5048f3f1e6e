//! What a request presents: a handful of keys, and when it was issued.

use std::fmt;
use std::mem;

use hashbrown::HashTable;

use crate::model::key::Key;
use crate::model::timestamp::Timestamp;

/// Holds what a request presents: its keys, and when it was issued, if known.
///
/// One revoked key refuses the whole credential. A delegated token presents its ancestors' keys as
/// well, so that the revocation of any ancestor reaches it.
///
/// Up to [`INLINE_KEYS`](Self::INLINE_KEYS) keys are held inline, without an allocation.
///
/// ```
/// use tower_revocation::{Credential, Key, Timestamp};
///
/// let credential = Credential::new()
///     .with_key(Key::token("01KDVDNA070CJJ00Y0RKYJW2XC"))
///     .with_key(Key::subject("agent-7"))
///     .with_issued_at(Timestamp::from_unix_secs(1_767_225_600));
/// assert_eq!(credential.keys().count(), 2);
/// ```
///
/// # Security
///
/// A credential without [`issued_at`](Self::issued_at) is refused by *any* cut-off on its keys: it
/// cannot show that it is newer. So is one whose `issued_at` lies ahead of this machine's clock by more than the leeway: see
/// [`FutureIssuedAt`](crate::FutureIssuedAt).
#[derive(Clone)]
#[repr(C)] // What every decision reads comes first, in as few cache lines as it fits.
pub struct Credential {
    issued_at: Option<Timestamp>,
    inline_len: u32,
    /// Whether it is more than one credential: what one of them is spared for does not count for the others.
    is_merged: bool,
    inline: [Key; Self::INLINE_KEYS],
    more: Vec<Key>,
}

impl Credential {
    /// How many keys fit without an allocation.
    pub const INLINE_KEYS: usize = 6;

    /// How many keys of a request are looked at: 256. A request that presents more is refused as
    /// [unreadable](crate::Refusal::Unreadable), also by a layer that lets unreadable credentials pass: what was not looked at may be
    /// revoked. It bounds what a request costs, and what a stream that it begins has to wait for.
    pub const MOST_KEYS: usize = 256;

    /// Returns a credential without keys. Only what is revoked issuer-wide refuses it.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            inline: [Key::everything(); Self::INLINE_KEYS],
            inline_len: 0,
            is_merged: false,
            more: Vec::new(),
            issued_at: None,
        }
    }

    /// Adds a key.
    #[inline]
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.push(key);
        self
    }

    /// Sets when the credential was issued: the token's own `iat`
    /// ([RFC 7519 §4.1.6](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.6)), or when a session of your own began.
    ///
    /// A time of a whole second is taken for one that lacks its milliseconds, as most tokens state it: a cut-off in that second refuses
    /// it. Where you know the milliseconds, see [`Timestamp::to_the_millisecond`].
    #[inline]
    #[must_use]
    pub const fn with_issued_at(mut self, issued_at: Timestamp) -> Self {
        self.issued_at = Some(issued_at);
        self
    }

    /// Adds a key in place. Allocates from the seventh key on.
    #[inline]
    pub fn push(&mut self, key: Key) {
        match self.inline.get_mut(self.inline_len as usize) {
            Some(slot) => {
                *slot = key;
                self.inline_len += 1;
            }
            None => self.more.push(key),
        }
    }

    /// Adds another credential that the same request presents.
    ///
    /// The result counts as issued when the older of the two was, and as of unknown age if either is: if one of them
    /// alone would be refused, the result is. That errs on the strict side: a cut-off that only the older one lies before refuses the
    /// newer one's keys as well.
    ///
    /// Returns the issue time that is lost by this, if one is: the later of two, or the only one. A credential to which others are
    /// merged is best made from the first of them, since [`new`](Self::new) makes one of unknown age.
    ///
    /// ```
    /// use tower_revocation::{Credential, Key, Timestamp};
    ///
    /// let issued = |key, at| Credential::from(key).with_issued_at(Timestamp::from_unix_secs(at));
    /// let mut both = issued(Key::token("t-1"), 20);
    /// assert_eq!(both.merge(&issued(Key::token("t-2"), 20)), None);
    /// assert_eq!(both.merge(&issued(Key::token("t-3"), 10)), Some(Timestamp::from_unix_secs(20)));
    /// assert_eq!(both.issued_at(), Some(Timestamp::from_unix_secs(10)));
    /// assert_eq!(both.merge(&Credential::from(Key::session("s"))), Some(Timestamp::from_unix_secs(10)));
    /// assert_eq!(both.issued_at(), None);
    /// ```
    pub fn merge(&mut self, other: &Self) -> Option<Timestamp> {
        self.is_merged |= other.is_merged || (self.len() > 0 && other.len() > 0);
        for key in other.keys() {
            self.push(*key);
        }
        self.merge_issued_at(other.issued_at)
    }

    /// Returns the time that is lost.
    fn merge_issued_at(&mut self, other: Option<Timestamp>) -> Option<Timestamp> {
        let (held, lost) = match (self.issued_at, other) {
            (Some(one), Some(two)) => (Some(one.min(two)), (one != two).then(|| one.max(two))),
            (one, two) => (None, one.or(two)),
        };
        self.issued_at = held;
        lost
    }

    /// The same for what a sender may choose: it takes each key once, and no more than [`MOST_KEYS`](Self::MOST_KEYS) in all.
    /// Returns whether all of them are there.
    fn unite(&mut self, other: &Self) -> bool {
        let place = |key: &Key| key.fingerprint().place();
        let before = self.len();
        // A sender has room for dozens of tokens with hundreds of keys each: to compare each with each takes too long.
        let mut index = (other.len() > FEW_KEYS).then(|| {
            let mut index = HashTable::with_capacity(Self::MOST_KEYS);
            for key in self.keys() {
                index.insert_unique(place(key), *key, place);
            }
            index
        });
        let mut more = other.keys().peekable();
        while let Some(key) = more.peek() {
            let is_known = match &index {
                Some(index) => index.find(place(key), |known| known == *key).is_some(),
                None => self.keys().any(|known| known == *key),
            };
            if !is_known {
                if self.len() >= Self::MOST_KEYS {
                    break;
                }
                self.push(**key);
                if let Some(index) = &mut index {
                    index.insert_unique(place(key), **key, place);
                }
            }
            more.next();
        }
        let is_whole = more.peek().is_none();
        drop(more);
        // The same credential in two places is still one.
        let is_same = self.len() == before && self.keys().all(|mine| other.keys().any(|theirs| theirs == mine));
        self.is_merged |= other.is_merged || !is_same;
        self.merge_issued_at(other.issued_at);
        is_whole
    }

    /// Returns the keys, in the order in which they were added.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        let [inline, more] = self.slices();
        inline.iter().chain(more)
    }

    /// The keys, in two pieces.
    #[inline]
    pub(crate) fn slices(&self) -> [&[Key]; 2] {
        [&self.inline[..self.inline_len as usize], &self.more]
    }

    /// How many keys there are.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.inline_len as usize + self.more.len()
    }

    /// Whether it is more than one credential.
    pub(crate) const fn is_merged(&self) -> bool {
        self.is_merged
    }

    pub(crate) const fn set_issued_at(&mut self, issued_at: Option<Timestamp>) {
        self.issued_at = issued_at;
    }

    /// Keeps so many of its keys, the first ones.
    pub(crate) fn truncate(&mut self, keys: usize) {
        self.inline_len = self.inline_len.min(u32::try_from(keys).unwrap_or(u32::MAX));
        self.more.truncate(keys - self.inline_len as usize);
    }

    /// Returns when the credential was issued, if known.
    #[must_use]
    pub const fn issued_at(&self) -> Option<Timestamp> {
        self.issued_at
    }
}

/// Says what a request was found to present.
#[derive(Clone, Debug, Default)]
pub enum Identity {
    /// No credential of this issuer.
    #[default]
    Anonymous,
    /// This credential, of which something can't be read, or beside which there is another that can't; and what is wrong. The
    /// readable keys are checked before it is dealt with as unreadable.
    Partial(Credential, &'static str),
    /// This credential.
    Presented(Credential),
    /// A credential whose keys can't be read, and what is wrong with it.
    Unreadable(&'static str),
}

impl Identity {
    /// Adds what else the same request presents. The strictest counts: the keys of both, the older of the two times (and an unknown
    /// one if either is unknown, as [`Credential::merge`] has it), and that either is unreadable, with what was wrong first, or that
    /// there are too many keys.
    ///
    /// A key that both present is there once. Beyond [`Credential::MOST_KEYS`] the result is [`Partial`](Self::Partial), with as many.
    ///
    /// ```
    /// use tower_revocation::{Credential, Identity, Key};
    ///
    /// let mut found = Identity::Anonymous;
    /// found.merge(Credential::from(Key::token("a")).into());
    /// found.merge(Identity::Unreadable("it is no UUID"));
    /// assert!(matches!(found, Identity::Partial(_, "it is no UUID")));
    /// ```
    #[inline]
    pub fn merge(&mut self, other: Self) {
        match self {
            Self::Anonymous => *self = other,
            _ => self.add(other),
        }
    }

    fn add(&mut self, other: Self) {
        let (theirs, problem) = match other {
            Self::Anonymous => return,
            Self::Partial(credential, problem) => (Some(credential), Some(problem)),
            Self::Presented(credential) => (Some(credential), None),
            Self::Unreadable(problem) => (None, Some(problem)),
        };
        match self {
            Self::Presented(mine) | Self::Partial(mine, _) => {
                let is_whole = theirs.is_none_or(|theirs| mine.unite(&theirs));
                let problem = if is_whole { problem } else { Some(TOO_MANY_KEYS) };
                match (&mut *self, problem) {
                    (Self::Presented(mine), Some(problem)) => *self = Self::Partial(mem::take(mine), problem),
                    // Whatever else is wrong, no layer lets this pass.
                    (Self::Partial(_, first), Some(TOO_MANY_KEYS)) => *first = TOO_MANY_KEYS,
                    _ => {}
                }
            }
            Self::Unreadable(first) => {
                if let Some(theirs) = theirs {
                    let worst = problem.filter(|problem| *problem == TOO_MANY_KEYS);
                    *self = Self::Partial(theirs, worst.unwrap_or(first));
                }
            }
            Self::Anonymous => {}
        }
    }

    /// The part of it that can be read.
    pub(crate) const fn credential(&self) -> Option<&Credential> {
        match self {
            Self::Presented(credential) | Self::Partial(credential, _) => Some(credential),
            Self::Anonymous | Self::Unreadable(_) => None,
        }
    }
}

impl From<Credential> for Identity {
    fn from(credential: Credential) -> Self {
        Self::Presented(credential)
    }
}

impl From<Option<Credential>> for Identity {
    fn from(credential: Option<Credential>) -> Self {
        credential.map_or(Self::Anonymous, Self::Presented)
    }
}

impl Default for Credential {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Key> for Credential {
    fn from(key: Key) -> Self {
        Self::new().with_key(key)
    }
}

impl<const N: usize> From<[Key; N]> for Credential {
    #[inline]
    fn from(keys: [Key; N]) -> Self {
        let mut credential = Self::new();
        credential.extend(keys);
        credential
    }
}

impl Extend<Key> for Credential {
    #[inline]
    fn extend<T: IntoIterator<Item = Key>>(&mut self, keys: T) {
        keys.into_iter().for_each(|key| self.push(key));
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("keys", &self.keys().collect::<Vec<_>>())
            .field("issued_at", &self.issued_at)
            .finish()
    }
}

/// Up to so many keys are compared to those that are known one by one, which takes no allocation.
const FEW_KEYS: usize = 8;

/// What is wrong with a request that presents more than [`Credential::MOST_KEYS`].
pub(crate) const TOO_MANY_KEYS: &str = "request presents more than 256 keys";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_key_in_order_past_the_inline_ones() {
        let keys: Vec<_> = (0..20).map(|i| Key::token(&i.to_string())).collect();
        let mut credential = Credential::new();
        credential.extend(keys.iter().copied());
        assert!(credential.keys().eq(&keys));
    }

    #[test]
    fn merging_takes_the_older_issue_time_and_unknown_if_either_is() {
        let secs = Timestamp::from_unix_secs;
        let at = |at| Credential::new().with_issued_at(secs(at));
        let mut merged = at(20);
        assert_eq!(merged.merge(&at(20)), None, "nothing is lost");
        assert_eq!(merged.merge(&at(10)), Some(secs(20)));
        assert_eq!(merged.merge(&at(30)), Some(secs(30)));
        assert_eq!(merged.issued_at(), Some(secs(10)));
        assert_eq!(merged.merge(&Credential::from(Key::token("no iat"))), Some(secs(10)));
        assert_eq!(merged.issued_at(), None);
        assert_eq!(merged.merge(&at(10)), Some(secs(10)));
        assert_eq!(merged.merge(&Credential::new()), None);
        assert_eq!(merged.issued_at(), None);
        assert_eq!(merged.keys().count(), 1);
    }

    #[test]
    fn keeps_the_first_keys_wherever_they_are() {
        let keys: Vec<_> = (0..20).map(|i| Key::token(&i.to_string())).collect();
        for kept in [0, 3, 6, 7, 20, 30] {
            let mut credential = Credential::new();
            credential.extend(keys.iter().copied());
            credential.truncate(kept);
            assert!(credential.keys().eq(keys.iter().take(kept)), "{kept}");
            assert_eq!(credential.len(), kept.min(20));
        }
    }

    #[test]
    fn the_strictest_of_two_identities_counts() {
        let key = |id: &str| Credential::from(Key::token(id)).with_issued_at(Timestamp::from_unix_secs(9));
        let all = || {
            [
                Identity::Anonymous,
                Identity::Presented(key("a")),
                Identity::Partial(key("b"), "b"),
                Identity::Unreadable("c"),
            ]
        };
        for (at, one) in all().into_iter().enumerate() {
            for (beside, other) in all().into_iter().enumerate() {
                let mut merged = one.clone();
                merged.merge(other.clone());
                let credentials = [&one, &other].map(Identity::credential);
                let expected = credentials.iter().flatten().flat_map(|credential| credential.keys());
                let mut expected: Vec<_> = expected.collect();
                expected.dedup();
                let found: Vec<_> = merged.credential().into_iter().flat_map(Credential::keys).collect();
                assert_eq!(found, expected);
                let is_unreadable = at.max(beside) >= 2;
                let shown = match merged {
                    Identity::Partial(..) => (true, true),
                    Identity::Unreadable(_) => (false, true),
                    Identity::Presented(_) => (true, false),
                    Identity::Anonymous => (false, false),
                };
                assert_eq!(shown, (!expected.is_empty(), is_unreadable), "{one:?} {other:?}");
            }
        }
    }

    /// Each key is looked up, and a request has room for thousands.
    #[test]
    fn a_request_that_presents_more_keys_than_anybody_needs_is_unreadable_and_keeps_what_was_read() {
        let keys = |from: usize, to: usize| {
            let mut credential = Credential::new();
            credential.extend((from..to).map(|id| Key::token(&id.to_string())));
            Identity::Presented(credential)
        };
        let mut found = keys(0, 200);
        found.merge(keys(100, 256));
        assert!(matches!(&found, Identity::Presented(credential) if credential.len() == 256));
        found.merge(keys(0, 256));
        assert!(
            matches!(&found, Identity::Presented(credential) if credential.len() == 256),
            "none is new"
        );
        found.merge(keys(0, 257));
        assert!(matches!(&found, Identity::Partial(credential, TOO_MANY_KEYS) if credential.len() == 256));
    }

    /// It was lost where something else was wrong before, and a layer that lets unreadable credentials pass let the rest of the keys pass.
    #[test]
    fn that_there_are_too_many_keys_is_said_whatever_else_is_wrong() {
        let keys = |from: usize, to: usize| {
            let mut credential = Credential::new();
            credential.extend((from..to).map(|id| Key::token(&id.to_string())));
            credential
        };
        let too_many = || {
            [
                vec![Identity::Presented(keys(0, 256)), Identity::Presented(keys(1, 257))],
                vec![Identity::Partial(keys(0, 256), TOO_MANY_KEYS)],
            ]
        };
        for other in [Identity::Unreadable("x"), Identity::Partial(keys(0, 1), "x")] {
            for identities in too_many() {
                for at in 0..=identities.len() {
                    let mut all = identities.clone();
                    all.insert(at, other.clone());
                    let mut found = Identity::Anonymous;
                    all.into_iter().for_each(|one| found.merge(one));
                    assert!(
                        matches!(&found, Identity::Partial(_, TOO_MANY_KEYS)),
                        "{other:?} at {at}: {found:?}"
                    );
                }
            }
        }
    }

    /// Few keys are compared one by one, and many by an index: in both ways each is there once, in the order in which they came.
    #[test]
    fn a_key_that_is_presented_again_is_there_once() {
        for keys in [2, FEW_KEYS, FEW_KEYS + 1, 100] {
            let key = |id: usize| Key::token(&id.to_string());
            let again = |from: usize| {
                let mut credential = Credential::new();
                credential.extend((from..from + keys).flat_map(|id| [key(id), key(id), key(from)]));
                Identity::Presented(credential)
            };
            let mut found = Identity::Presented(Credential::new());
            for from in [0, 0, keys / 2, keys] {
                found.merge(again(from));
            }
            let Identity::Presented(credential) = found else {
                panic!("there are not too many");
            };
            assert!(
                credential.keys().eq(&(0..2 * keys).map(key).collect::<Vec<_>>()),
                "{keys}"
            );
        }
    }
}
