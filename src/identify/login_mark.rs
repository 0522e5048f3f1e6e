//! What a login leaves in the data of a session.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::model::credential::Credential;
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;

/// Names a login in the data of its session, by a random `sid`, and says since when it is.
///
/// For sessions by cookie, whose own id is a bad key: it changes at a renewal, comes back in other places, and is a secret that should not
/// lie on a broker. Put a mark into the session's data when somebody logs in, and take it from there with each request. It stays when the
/// cookie's id changes, and goes when the session is flushed. No framework is meant: it is any type that serde knows.
///
/// ```
/// use tower_revocation::identify::LoginMark;
/// use tower_revocation::{Key, Revocation};
///
/// // The login handler: `session.insert("login", &mark)`.
/// let mark = LoginMark::begin();
/// let stored = serde_json::to_string(&mark)?;
///
/// // A middleware between the session manager and the layer of this crate: `session.get("login")`.
/// let mark: Option<LoginMark> = serde_json::from_str(&stored)?;
/// let presented = LoginMark::credential(mark.as_ref(), Key::subject("alice"));
/// assert_eq!(presented.keys().count(), 2);
///
/// // The logout handler: it takes the mark before it flushes the session.
/// let logout = Revocation::block(Key::session(mark.unwrap().sid()));
/// # let _ = logout;
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct LoginMark {
    sid: Box<str>,
    /// In milliseconds since the epoch.
    since: u64,
}

impl LoginMark {
    /// Returns the mark of a login that begins now.
    #[must_use]
    pub fn begin() -> Self {
        let random = || RandomState::new().build_hasher().finish().to_be_bytes();
        Self {
            sid: URL_SAFE_NO_PAD.encode([random(), random()].concat()).into(),
            since: Timestamp::now().to_the_millisecond().as_unix_millis(),
        }
    }

    /// Returns the same login as one that begins now, so that a cut-off of before does not concern it: after a change of password, for
    /// example, in the session that stays.
    #[must_use]
    pub fn begin_again(&self) -> Self {
        Self {
            sid: self.sid.clone(),
            ..Self::begin()
        }
    }

    /// Returns the id of the login: `Key::session(mark.sid())`.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// Returns since when it is.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.since)
    }

    /// Returns what a request of this user presents: the session, the user, and since when. Without a mark it is the user alone, and of
    /// unknown age: a session of before there were marks, which any cut-off of the user refuses.
    ///
    /// # Security
    ///
    /// Who is logged in and has no mark must not pass as anonymous: nothing would reach that session.
    #[must_use]
    pub fn credential(mark: Option<&Self>, user: Key) -> Credential {
        match mark {
            Some(mark) => Credential::from([Key::session(&mark.sid), user]).with_issued_at(mark.since()),
            None => Credential::from(user),
        }
    }
}

impl fmt::Debug for LoginMark {
    /// Writes no id: ids do not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginMark")
            .field("since", &self.since())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn it_is_stored_as_two_members_and_no_two_are_the_same() {
        let marks: Vec<_> = (0..1_000).map(|_| LoginMark::begin()).collect();
        let sids: HashSet<_> = marks.iter().map(LoginMark::sid).collect();
        assert_eq!(sids.len(), marks.len());
        assert!(sids.iter().all(|sid| sid.len() == 22));
        assert!(
            marks.iter().all(|mark| mark.since % 1000 != 0),
            "it is known to the millisecond"
        );
        let stored = serde_json::to_value(&marks[0]).unwrap();
        assert_eq!(stored.as_object().unwrap().len(), 2);
        assert_eq!(stored["since"], marks[0].since);
        assert_eq!(serde_json::from_value::<LoginMark>(stored).unwrap(), marks[0]);
        assert!(!format!("{:?}", marks[0]).contains(marks[0].sid()));
    }

    #[test]
    fn whoever_has_no_mark_is_its_user_of_unknown_age() {
        let alice = Key::subject("alice");
        let unmarked = LoginMark::credential(None, alice);
        assert_eq!(
            (unmarked.keys().collect::<Vec<_>>(), unmarked.issued_at()),
            (vec![&alice], None)
        );
        let mark = LoginMark::begin();
        let marked = LoginMark::credential(Some(&mark), alice);
        let keys = [Key::session(mark.sid()), alice];
        assert!(marked.keys().eq(&keys) && marked.issued_at() == Some(mark.since()));
        let again = mark.begin_again();
        assert!(again.sid() == mark.sid() && again.since() >= mark.since());
    }
}
