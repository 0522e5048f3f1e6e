//! Claims that are shown beside a token ([RFC 9901 §4.2](https://www.rfc-editor.org/rfc/rfc9901#section-4.2)).

use crate::identify::token::lexer::{JsonValue, Lexeme, Lexer};
use crate::identify::token::text::MemberName;

/// A claim, or an element of an array, that a token's holder chose to show. The lexer stands at its value.
pub(crate) enum Disclosure<'j> {
    Claim(MemberName<'j>, Lexer<'j>),
    Element(Lexer<'j>),
}

impl<'j> Disclosure<'j> {
    /// Reads an array of salt, name and value, or of salt and value.
    pub(crate) fn read(json: &'j [u8]) -> Option<Self> {
        let mut lexer = Lexer::new(json);
        let Some(JsonValue::Array) = lexer.value() else {
            return None;
        };
        let salt = lexer.value()?;
        lexer.leave(salt);
        let Some(Lexeme::Comma) = lexer.next() else { return None };
        let at_second = lexer;
        let second = lexer.value()?;
        lexer.leave(second);
        let found = match lexer.next()? {
            Lexeme::Close(b']') => Self::Element(at_second),
            Lexeme::Comma => {
                let at_third = lexer;
                let third = lexer.value()?;
                lexer.leave(third);
                let Some(Lexeme::Close(b']')) = lexer.next() else {
                    return None;
                };
                let JsonValue::Text(name) = second else { return None };
                Self::Claim(MemberName::new(name), at_third)
            }
            _ => return None,
        };
        lexer.is_at_end().then_some(found)
    }
}
