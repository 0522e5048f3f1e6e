//! The tokens in the value of a header, such as `Authorization`, as the most generous of verifiers would find them.

use std::iter;

use crate::identify::token_run::TokenRun;
use crate::model::credential::Identity;

/// Reads the values of a header: tokens, each behind a scheme or without one.
///
/// A sender chooses the form, and a verifier may be generous: Envoy 1.40 finds `Bearer` anywhere in a value, and takes
/// `foo,Bearer ,,T` for T; Rails takes `Token T`; hapi takes T alone; Spring Security 7 takes `DPoP T`. So a token is read wherever
/// it stands. And what follows a scheme that was asked for is meant to be one.
pub(crate) struct Authorization<'s, S> {
    /// With an empty one, a value is meant to be a token also without a scheme.
    pub(crate) schemes: &'s [S],
}

impl<S: AsRef<str>> Authorization<'_, S> {
    /// Reads one value, each token in it by `token`, and adds what they present. Linear in time, and allocates nothing.
    pub(crate) fn read(&self, value: &[u8], token: &impl Fn(&[u8]) -> Identity, found: &mut Identity) {
        let is_bare = is_one_of(self.schemes, b"");
        let mut behind = Behind::Nothing;
        for (word, is_before_comma) in words(value) {
            if !word.is_empty() {
                if is_one_of(self.schemes, word) {
                    behind = Behind::Scheme;
                } else if is_bare || behind != Behind::Nothing {
                    meant(word, token, found);
                    behind = Behind::Word;
                } else {
                    anywhere(word, token, found);
                }
            }
            // Another scheme may follow. But an empty item of a list separates nothing: RFC 9110 §5.6.1.2.
            if is_before_comma && behind == Behind::Word {
                behind = Behind::Nothing;
            }
        }
        if behind == Behind::Scheme {
            found.merge(Identity::Unreadable("there is no token behind the scheme"));
        }
    }
}

/// What of ours a word stands behind, in its part of the value.
#[derive(PartialEq, Eq)]
enum Behind {
    Nothing,
    Scheme,
    Word,
}

/// Whether a word is one of these schemes, in any case.
pub(crate) fn is_one_of<S: AsRef<str>>(schemes: &[S], word: &[u8]) -> bool {
    let mut schemes = schemes.iter();
    schemes.any(|scheme| word.eq_ignore_ascii_case(scheme.as_ref().as_bytes()))
}

/// Reads a word that is meant to be a token. If it is none as it stands, there may be tokens in it all the same, such as in quotes: they
/// count as well.
pub(crate) fn meant(word: &[u8], token: &impl Fn(&[u8]) -> Identity, found: &mut Identity) {
    let read = token(word);
    let is_whole = matches!(read, Identity::Anonymous | Identity::Presented(_));
    found.merge(read);
    if !is_whole {
        anywhere(word, token, found);
    }
}

/// Reads the tokens in a word that may be anything.
pub(crate) fn anywhere(word: &[u8], token: &impl Fn(&[u8]) -> Identity, found: &mut Identity) {
    for run in TokenRun::all(word) {
        found.merge(run.read(token));
    }
}

/// The words of a value, some of them empty, and whether there is a comma behind each.
pub(crate) fn words(value: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let mut rest = value;
    iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (word, more) = rest.split_at(word_length(rest));
        rest = more.get(1..).unwrap_or_default();
        Some((word, more.first() == Some(&b',')))
    })
}

/// How long the word is that a text begins with.
fn word_length(text: &[u8]) -> usize {
    // All of a token is above the comma, and what ends a word is not. So a token is passed over in strides, which take one
    // comparison each where the machine has vectors.
    let may_end = |byte: &u8| byte.cast_signed() <= b','.cast_signed();
    let strides = text.chunks_exact(STRIDE);
    let plain = strides.take_while(|stride| !stride.iter().fold(false, |any, byte| any | may_end(byte)));
    let passed = plain.count() * STRIDE;
    let rest = &text[passed..];
    passed + rest.iter().position(is_separator).unwrap_or(rest.len())
}

/// Whether a byte ends a word. Some parsers treat a non-breaking space in Latin-1 as a space, and a token has no use for bytes beyond
/// ASCII.
const fn is_separator(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b',') || !byte.is_ascii()
}

const STRIDE: usize = 16;
