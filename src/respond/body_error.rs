//! How a response body fails: by itself, or because it was cut.

use std::error::Error;
use std::fmt;

use crate::model::verdict::Revoked;

/// Reports that a response body ended before its time. Its [`source`](Error::source) is the inner body's error, or
/// [`StreamCut`].
///
/// Frameworks put it into errors of their own: see [`StreamCut::find`].
#[derive(Debug)]
pub struct BodyError(BodyFailure);

#[derive(Debug)]
enum BodyFailure {
    Cut(StreamCut),
    Inner(BoxError),
}

/// Any error, as bodies have them.
type BoxError = Box<dyn Error + Send + Sync>;

impl BodyError {
    pub(crate) fn inner(error: impl Into<BoxError>) -> Self {
        Self(BodyFailure::Inner(error.into()))
    }

    /// Returns how this layer cut the body; `None` if the inner body failed by itself.
    #[must_use]
    pub const fn cut(&self) -> Option<&StreamCut> {
        match &self.0 {
            BodyFailure::Cut(cut) => Some(cut),
            BodyFailure::Inner(_) => None,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            BodyFailure::Cut(_) => "response body was ended",
            BodyFailure::Inner(_) => "response body failed",
        })
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match &self.0 {
            BodyFailure::Cut(cut) => cut,
            BodyFailure::Inner(error) => &**error,
        })
    }
}

impl From<StreamCut> for BodyError {
    fn from(cut: StreamCut) -> Self {
        Self(BodyFailure::Cut(cut))
    }
}

/// Reports that a response body ended because its credential was revoked ([`Cut::Abort`](crate::Cut::Abort)).
///
/// A server turns it into what its protocol has for a response that breaks off: HTTP/1 closes the connection without
/// the last chunk ([RFC 9112 §8](https://www.rfc-editor.org/rfc/rfc9112#section-8)), HTTP/2 resets the stream ([RFC
/// 9113 §8.1](https://www.rfc-editor.org/rfc/rfc9113#section-8.1)); hyper does so with `INTERNAL_ERROR`.
///
/// For HTTP/3 that is up to the adapter: see [`Cut::Abort`](crate::Cut::Abort). The code has to be `H3_INTERNAL_ERROR`: upon
/// `H3_REQUEST_REJECTED` clients send the request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamCut {
    /// Why.
    pub why: Revoked,
}

impl StreamCut {
    pub(crate) const fn new(why: Revoked) -> Self {
        Self { why }
    }

    /// Finds the cut in an error and its sources, into which frameworks put it: axum's body has an error of its own, whose
    /// source is [`BodyError`], whose source is this.
    ///
    /// ```
    /// use tower_revocation::StreamCut;
    ///
    /// fn was_cut(error: &axum::Error) -> bool {
    ///     StreamCut::find(error).is_some()
    /// }
    /// # assert!(!was_cut(&axum::Error::new("another")));
    /// ```
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        // Not the method of a reference to an error, whose source lives no longer than the reference.
        let mut chain = std::iter::successors(Some(error), |error| (*error).source());
        chain.find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for StreamCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Revoked { kind, effect, .. } = self.why;
        write!(
            f,
            "response cut: credential revoked meanwhile by a {} of its {kind}",
            effect.as_str()
        )
    }
}

impl Error for StreamCut {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Effect, Reason};
    use crate::model::key::KeyKind;
    use crate::model::verdict::RevokedBy;

    const CUT: StreamCut = StreamCut::new(Revoked {
        kind: KeyKind::Token,
        effect: Effect::Block,
        source: RevokedBy::Event,
        reason: Reason::Unspecified,
    });

    #[test]
    fn tells_a_cut_from_what_failed_by_itself() {
        let cut = BodyError::from(CUT);
        assert_eq!(
            (cut.cut(), cut.to_string().as_str()),
            (Some(&CUT), "response body was ended")
        );
        let failed = BodyError::inner("disk");
        assert_eq!(
            (failed.cut(), failed.to_string().as_str()),
            (None, "response body failed")
        );
        assert_eq!(failed.source().unwrap().to_string(), "disk");
        assert_eq!(StreamCut::find(&failed), None);
    }

    #[test]
    fn a_cut_is_found_however_it_was_wrapped() {
        for error in [
            axum::Error::new(CUT),
            axum::Error::new(BodyError::from(CUT)),
            axum::Error::new(std::io::Error::other(BodyError::from(CUT))),
            axum::Error::new(BodyError::inner(BodyError::from(CUT))),
        ] {
            assert_eq!(StreamCut::find(&error), Some(&CUT), "{error:?}");
        }
    }
}
