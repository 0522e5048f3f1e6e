//! Errors as text.

use std::borrow::Cow;
use std::error::Error;

/// An error and its causes in one line, of bounded length: parts of it may come from outside.
pub(crate) fn error_text(error: &(dyn Error + 'static)) -> Cow<'static, str> {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    if let Some((end, _)) = words.char_indices().nth(LONGEST_WORDS) {
        words.truncate(end);
        words.push('…');
    }
    Cow::Owned(words)
}

/// The longest text, in characters.
const LONGEST_WORDS: usize = 500;
