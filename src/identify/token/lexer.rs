//! JSON, one lexeme after the other.

use crate::identify::token::find::find;
use crate::identify::token::text::JsonText;

/// Takes a JSON text apart, on no stack and without an allocation. What it does not understand it hands on as it is, so that a
/// reader can go on behind it.
#[derive(Clone, Copy)]
pub(crate) struct Lexer<'j> {
    rest: &'j [u8],
}

/// A piece of a JSON text.
#[derive(Clone, Copy)]
pub(crate) enum Lexeme<'j> {
    Close(u8),
    Colon,
    Comma,
    Open(u8),
    Text(JsonText<'j>),
    /// A number, `null`, `true`, `false`, or what else stands without quotes.
    Word(&'j [u8]),
}

/// A value, or the beginning of one.
#[derive(Clone, Copy)]
pub(crate) enum JsonValue<'j> {
    /// Up to its bracket.
    Array,
    /// Up to its brace.
    Object,
    Text(JsonText<'j>),
    Word(&'j [u8]),
}

impl<'j> Lexer<'j> {
    pub(crate) fn new(json: &'j [u8]) -> Self {
        // Java's readers skip a byte order mark.
        let rest = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
        Self { rest }
    }

    /// The next value or the beginning of one. Nothing is read if there is none.
    pub(crate) fn value(&mut self) -> Option<JsonValue<'j>> {
        let before = *self;
        match self.next() {
            Some(Lexeme::Open(b'{')) => Some(JsonValue::Object),
            Some(Lexeme::Open(_)) => Some(JsonValue::Array),
            Some(Lexeme::Text(text)) => Some(JsonValue::Text(text)),
            Some(Lexeme::Word(word)) => Some(JsonValue::Word(word)),
            _ => {
                *self = before;
                None
            }
        }
    }

    /// Passes over the rest of a value whose beginning was read, however deep it goes.
    pub(crate) fn leave(&mut self, value: JsonValue<'_>) {
        let mut depth = usize::from(matches!(value, JsonValue::Array | JsonValue::Object));
        while depth > 0 {
            match self.next() {
                Some(Lexeme::Open(_)) => depth += 1,
                Some(Lexeme::Close(_)) => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    pub(crate) fn is_at_end(self) -> bool {
        self.rest.trim_ascii_start().is_empty()
    }

    fn text(&mut self) -> Option<Lexeme<'j>> {
        let (mut at, mut has_escapes) = (0, false);
        loop {
            at += find(self.rest.get(at..)?, *b"\"\\")?;
            if self.rest[at] == b'"' {
                let raw = &self.rest[..at];
                self.rest = &self.rest[at + 1..];
                return Some(Lexeme::Text(JsonText::new(raw, has_escapes)));
            }
            has_escapes = true;
            at += 2;
        }
    }
}

impl<'j> Iterator for Lexer<'j> {
    type Item = Lexeme<'j>;

    /// `None` at the end, and where a string does not end.
    fn next(&mut self) -> Option<Lexeme<'j>> {
        let rest = self.rest.trim_ascii_start();
        let (first, behind) = rest.split_first()?;
        self.rest = behind;
        Some(match first {
            b'"' => {
                let text = self.text();
                if text.is_none() {
                    self.rest = &[];
                }
                return text;
            }
            b'{' | b'[' => Lexeme::Open(*first),
            b'}' | b']' => Lexeme::Close(*first),
            b':' => Lexeme::Colon,
            b',' => Lexeme::Comma,
            _ => {
                let end = rest.iter().position(is_delimiter).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                self.rest = behind;
                Lexeme::Word(word)
            }
        })
    }
}

const fn is_delimiter(byte: &u8) -> bool {
    matches!(byte, b',' | b':' | b'[' | b']' | b'{' | b'}' | b'"') || byte.is_ascii_whitespace()
}
