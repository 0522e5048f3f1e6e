//! What a host says last on a stream that is cut.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Says what a response of one content type ends with if its credential is revoked: see [`Cut::With`](crate::Cut::With).
///
/// ```
/// use tower_revocation::{Cut, LastWords};
///
/// const LAST_WORDS: &[LastWords] = &[
///     // The client can tell this end from others, and does not come back before ten seconds have passed.
///     LastWords::new("text/event-stream", "retry: 10000\nevent: revoked\ndata: log in again\n\n"),
///     LastWords::NDJSON,
/// ];
/// let cut = Cut::With(LAST_WORDS);
/// # let _ = cut;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LastWords {
    content_type: &'static str,
    text: &'static str,
}

impl LastWords {
    /// Asks clients of [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html) to come back
    /// after ten seconds, in place of at once or after three, so that a mass revocation does not bring all of them back together.
    /// It is no event: a page does not notice it.
    pub const EVENT_STREAM: Self = Self::new(EVENT_STREAM, "retry: 10000\n\n");

    /// Ends a stream of [JSON in lines](https://github.com/ndjson/ndjson-spec) (`application/x-ndjson`) with the line
    /// `{"error":"the credential was revoked"}`.
    pub const NDJSON: Self = Self::new("application/x-ndjson", "{\"error\":\"the credential was revoked\"}\n");

    /// Returns what responses of `content_type` (without parameters, in any case) end with.
    ///
    /// The text is sent as it is. Its format has to be one of lines, because the text is sent only where a line may begin; in
    /// `text/event-stream`, only where an event may begin.
    ///
    /// # Panics
    ///
    /// Panics if the text does not end with a line feed, or, in `text/event-stream`, with two: a client would wait for the rest.
    /// In a `const`, as above, that is an error of the compiler.
    #[must_use]
    pub const fn new(content_type: &'static str, text: &'static str) -> Self {
        let words = Self { content_type, text };
        match words.is_event_stream() {
            true => assert!(
                matches!(text.as_bytes(), [.., b'\n', b'\n']),
                "an event ends with two line feeds"
            ),
            false => assert!(matches!(text.as_bytes(), [.., b'\n']), "a line ends with a line feed"),
        }
        words
    }

    /// Returns the text.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Whether they are for a response with these headers.
    pub(crate) fn fit(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(self.content_type.as_bytes())
    }

    /// Whether they can be read behind what was sent.
    pub(crate) const fn may_follow(&self, sent: LineState) -> bool {
        match sent {
            LineState::Blank => true,
            LineState::Ended => !self.is_event_stream(),
            // To all others a CR is a part of the line, or half of its end.
            LineState::BlankAndReturn => self.is_event_stream(),
            LineState::EndedByReturn => false,
            LineState::Within => false,
        }
    }

    const fn is_event_stream(&self) -> bool {
        self.content_type.eq_ignore_ascii_case(EVENT_STREAM)
    }
}

const EVENT_STREAM: &str = "text/event-stream";

/// How a text that came in pieces ends so far. Lines end as those of event streams do: with CR, LF, or both
/// ([§9.2.5](https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LineState {
    /// With an empty line, or nothing was said yet: an event may begin here.
    #[default]
    Blank,
    /// With an empty line whose end may go on with LF.
    BlankAndReturn,
    /// With a line that is not empty.
    Ended,
    /// With one whose end may go on with LF.
    EndedByReturn,
    /// In the midst of a line.
    Within,
}

impl LineState {
    /// Goes on behind `piece`, of which only the last bytes count.
    pub(crate) fn read(&mut self, piece: &[u8]) {
        // Four are enough from any state: one that ends no line says all, and four of those that do leave an empty line.
        let last = &piece[piece.len().saturating_sub(4)..];
        *self = last.iter().fold(*self, |state, byte| state.next(*byte));
    }

    const fn next(self, byte: u8) -> Self {
        match (byte, self) {
            (b'\n', Self::EndedByReturn | Self::Within) => Self::Ended,
            (b'\n', _) => Self::Blank,
            (b'\r', Self::Within) => Self::EndedByReturn,
            (b'\r', _) => Self::BlankAndReturn,
            _ => Self::Within,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn after(pieces: &[&str]) -> LineState {
        let mut state = LineState::default();
        pieces.iter().for_each(|piece| state.read(piece.as_bytes()));
        state
    }

    /// Of lines that end with LF alone, CR is a part, or half of the end.
    fn ends_by_return(pieces: &[&str]) -> bool {
        pieces.concat().ends_with('\r')
    }

    #[test]
    fn events_may_begin_behind_an_empty_line_however_it_came() {
        let lines = LastWords::NDJSON;
        let events = LastWords::EVENT_STREAM;
        for pieces in [
            &[][..],
            &[""],
            &["\n"],
            &["data: 1\n\n"],
            &["data: 1\r\n\r\n"],
            &["data: 1\r\r"],
            &["data: 1\n\r"],
            &["data: 1\n", "\n"],
            &["data: 1", "\r", "\n", "\r", "\n"],
            &["data: 1\r", "\n\r"],
            &["data: 1\n\n", ""],
            &[": hello\n\n\n"],
        ] {
            assert!(
                events.may_follow(after(pieces)) && lines.may_follow(after(pieces)) != ends_by_return(pieces),
                "{pieces:?}"
            );
        }
        for pieces in [
            &["data: 1\n"][..],
            &["data: 1\r\n"],
            &["data: 1\r"],
            &["data: 1\r", "\n"],
            &["data: 1\n\ndata: 2\n"],
        ] {
            assert!(
                !events.may_follow(after(pieces)) && lines.may_follow(after(pieces)) != ends_by_return(pieces),
                "{pieces:?}"
            );
        }
        for pieces in [&["data: 1"][..], &["data: 1\n\n", "d"], &["\n\nid"], &["\u{feff}"]] {
            assert!(
                !events.may_follow(after(pieces)) && !lines.may_follow(after(pieces)),
                "{pieces:?}"
            );
        }
    }

    /// Only the last bytes of a piece are looked at.
    #[test]
    fn a_text_ends_alike_in_any_pieces() {
        let alphabet = [b'\r', b'\n', b'x'];
        for number in 0..3_usize.pow(7) {
            let text: Vec<_> = (0..7).map(|at| alphabet[number / 3_usize.pow(at) % 3]).collect();
            let whole = text.iter().fold(LineState::Within, |state, byte| state.next(*byte));
            for at in 0..=text.len() {
                let mut state = LineState::Within;
                state.read(&text[..at]);
                state.read(&text[at..]);
                let same = |state| {
                    (
                        LastWords::EVENT_STREAM.may_follow(state),
                        LastWords::NDJSON.may_follow(state),
                    )
                };
                assert_eq!(same(state), same(whole), "{text:?} at {at}");
            }
        }
    }

    #[test]
    fn they_are_for_one_content_type() {
        let headers = |value| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
        for value in [
            "text/event-stream",
            "Text/Event-Stream; charset=utf-8",
            "text/event-stream ;x",
        ] {
            assert!(LastWords::EVENT_STREAM.fit(&headers(value)), "{value}");
        }
        for value in ["text/plain", "text/event-streams", "application/x-ndjson", ""] {
            assert!(!LastWords::EVENT_STREAM.fit(&headers(value)), "{value}");
        }
        assert!(!LastWords::EVENT_STREAM.fit(&HeaderMap::new()));
    }

    #[test]
    #[should_panic(expected = "an event ends with two line feeds")]
    fn words_that_nobody_would_hear_are_none() {
        let _ = LastWords::new("Text/event-stream", "retry: 1\n");
    }
}
