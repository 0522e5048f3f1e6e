//! What has been found in a token so far.

use crate::identify::token::claim::Claim;
use crate::identify::token::double::with_texts_of_double;
use crate::identify::token::lexer::{JsonValue, Lexeme, Lexer};
use crate::identify::token::number::{number, with_decimal};
use crate::model::credential::{Credential, Identity, TOO_MANY_KEYS};
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;

/// The keys, the date and the issuer of a token, and the first thing in it that cannot be read.
pub(crate) struct Findings {
    credential: Credential,
    issued_at: IssuedAt,
    has_claims: bool,
    is_ours: bool,
    is_others: bool,
    /// The claims in whose arrays something stands that is no id, by their places: elements that are disclosed apart.
    pub(crate) hidden: u64,
    problem: Option<&'static str>,
}

/// What a token says about when it was issued.
#[derive(Clone, Copy)]
enum IssuedAt {
    At(Timestamp),
    NotStated,
    /// One of its dates is none.
    Unknown,
}

impl Findings {
    pub(crate) const fn new() -> Self {
        Self {
            credential: Credential::new(),
            issued_at: IssuedAt::NotStated,
            has_claims: false,
            is_ours: false,
            is_others: false,
            hidden: 0,
            problem: None,
        }
    }

    /// Notes what cannot be read.
    pub(crate) fn note(&mut self, problem: &'static str) {
        self.problem.get_or_insert(problem);
    }

    /// Notes that the claims are at hand, though there may be none that stands for a key.
    pub(crate) const fn note_claims(&mut self) {
        self.has_claims = true;
    }

    /// Adds the ids in the value of a claim: a text, a number, or an array of these. `lexer` stands behind the beginning of the
    /// value.
    pub(crate) fn add_ids(&mut self, claim: &Claim, place: usize, value: JsonValue<'_>, mut lexer: Lexer<'_>) {
        match value {
            JsonValue::Text(text) => text.with_decoded(|id| match id {
                Some(id) => self.push(claim, id),
                None => self.note("token has a claim that is no text"),
            }),
            JsonValue::Word(word) => {
                self.add_word(claim, word);
                // Not those in arrays: of a long one they would be more keys than a request may present.
                if let Some(id) = number(word) {
                    with_texts_of_double(id, |id| self.push_once(claim, id));
                }
            }
            JsonValue::Object => {}
            JsonValue::Array => {
                let mut depth = 1_usize;
                while depth > 0 {
                    match lexer.next() {
                        Some(Lexeme::Open(b'{')) => {
                            self.hidden |= 1_u64 << place.min(63);
                            lexer.leave(JsonValue::Object);
                        }
                        Some(Lexeme::Open(_)) => depth += 1,
                        Some(Lexeme::Close(_)) => depth -= 1,
                        Some(Lexeme::Text(text)) => self.add_ids(claim, place, JsonValue::Text(text), lexer),
                        Some(Lexeme::Word(word)) => self.add_word(claim, word),
                        Some(Lexeme::Colon | Lexeme::Comma) => {}
                        None => return,
                    }
                }
            }
        }
    }

    fn add_word(&mut self, claim: &Claim, word: &[u8]) {
        if let Some(id) = number(word) {
            self.push(claim, id);
            with_decimal(id, |id| self.push(claim, id));
        } else if !matches!(word, b"null" | b"true" | b"false") {
            self.note(NOT_JSON);
        }
    }

    fn push_once(&mut self, claim: &Claim, id: &str) {
        let key = claim.key(id);
        if !self.credential.keys().any(|known| *known == key) {
            self.push_key(key);
        }
    }

    fn push(&mut self, claim: &Claim, id: &str) {
        self.push_key(claim.key(id));
    }

    fn push_key(&mut self, key: Key) {
        if self.credential.len() < Credential::MOST_KEYS {
            self.credential.push(key);
        } else {
            // Whatever else is wrong, no layer lets this pass.
            self.problem = Some(TOO_MANY_KEYS);
        }
    }

    /// Adds what the token says about when it was issued; `None` if that is no date. Of several dates the oldest counts.
    pub(crate) fn add_date(&mut self, date: Option<Timestamp>) {
        self.issued_at = match (self.issued_at, date) {
            (IssuedAt::NotStated, Some(date)) => IssuedAt::At(date),
            (IssuedAt::At(earlier), Some(date)) => IssuedAt::At(earlier.min(date)),
            (IssuedAt::Unknown, _) | (_, None) => IssuedAt::Unknown,
        };
    }

    /// Adds a date that the token's holder chose to show. It may make the token older, and gives no date to a token without one.
    pub(crate) fn add_disclosed_date(&mut self, date: Option<Timestamp>) {
        if !matches!(self.issued_at, IssuedAt::NotStated) {
            self.add_date(date);
        }
    }

    /// Adds who issued the token; `None` if that is no text.
    pub(crate) fn add_issuer(&mut self, value: JsonValue<'_>, issuers: &[String]) {
        match value {
            JsonValue::Word(b"null") => {}
            // It may be read as anything.
            JsonValue::Word(_) | JsonValue::Array | JsonValue::Object => self.is_ours = true,
            JsonValue::Text(text) => text.with_decoded(|issuer| match issuer {
                Some(issuer) if issuers.iter().all(|ours| ours != issuer) => self.is_others = true,
                _ => self.is_ours = true,
            }),
        }
    }

    /// What the token presents to a layer that is about some issuers' tokens, or about all.
    pub(crate) fn into_identity(self) -> Identity {
        let mut credential = self.credential;
        if let IssuedAt::At(date) = self.issued_at {
            credential = credential.with_issued_at(date);
        }
        match self.problem {
            None if self.is_others && !self.is_ours => Identity::Anonymous,
            None => Identity::Presented(credential),
            Some(problem) if self.has_claims || credential.len() > 0 => Identity::Partial(credential, problem),
            Some(problem) => Identity::Unreadable(problem),
        }
    }
}

pub(crate) const NOT_JSON: &str = "token is not JSON throughout";
