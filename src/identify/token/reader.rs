//! A token in compact serialization, with all that may stand in it and beside it.

use crate::identify::token::claim::Claim;
use crate::identify::token::claims::{ClaimsReader, Next, ShownBy, members};
use crate::identify::token::disclosure::Disclosure;
use crate::identify::token::encoding::{AT_MOST, TOO_LONG, with_decoded};
use crate::identify::token::find::find;
use crate::identify::token::findings::{Findings, NOT_JSON};
use crate::identify::token::lexer::{JsonValue, Lexer};
use crate::model::credential::Identity;
use crate::model::key::{Key, KeyKind};

/// Reads what a token says of itself.
#[derive(Clone, Debug)]
pub(crate) struct TokenReader {
    claims: Vec<Claim>,
    /// Whose tokens are read. All of them, if there is none.
    issuers: Vec<String>,
    /// The claim that is read in a token's header.
    kid: [Claim; 1],
    /// Reads once more what names no session.
    sessionless: Option<Box<Self>>,
}

impl TokenReader {
    pub(crate) fn new() -> Self {
        Self {
            claims: vec![
                Claim::new("jti", Key::token),
                Claim::new("sub", Key::subject),
                Claim::new("sid", Key::session),
                Claim::new("client_id", Key::client),
                Claim::new("azp", Key::client),
            ],
            issuers: Vec::new(),
            kid: [Claim::new("kid", Key::signing_key)],
            sessionless: None,
        }
    }

    /// Has a token that names no session present its subject by another key as well.
    pub(crate) fn present_sessionless_subjects(&mut self) {
        let subject = |sub: &str| Key::named(SESSIONLESS_SUBJECT, sub);
        self.sessionless = Some(Box::new(Self {
            claims: vec![Claim::new("sub", subject)],
            issuers: self.issuers.clone(),
            ..Self::new()
        }));
    }

    pub(crate) fn add_claim(&mut self, claim: Claim) {
        self.claims.push(claim);
    }

    pub(crate) fn add_issuer(&mut self, issuer: String) {
        if let Some(sessionless) = &mut self.sessionless {
            sessionless.add_issuer(issuer.clone());
        }
        self.issuers.push(issuer);
    }

    /// Reads one token: [`Identity::Anonymous`] if it is another issuer's, [`Identity::Partial`] if some of it cannot be read.
    pub(crate) fn read(&self, token: &[u8]) -> Identity {
        let mut found = Findings::new();
        self.read_token(token, 0, &mut found);
        let mut identity = found.into_identity();
        if let Some(sessionless) = &self.sessionless
            && let Identity::Presented(credential) | Identity::Partial(credential, _) = &identity
            && credential.keys().all(|key| key.kind() != KeyKind::Session)
        {
            identity.merge(sessionless.read(token));
        }
        identity
    }

    /// Reads a token that stands in `level` others.
    fn read_token(&self, token: &[u8], level: usize, found: &mut Findings) {
        if token.first() == Some(&b'{') {
            return found.note("token is in the JSON serialization");
        }
        let (token, disclosures) = split_at(token, b'~');
        let (header, Some(rest)) = split_at(token, b'.') else {
            return found.note("token does not have three parts");
        };
        let (payload, Some(signature)) = split_at(rest, b'.') else {
            return found.note("token does not have three parts");
        };
        if signature.contains(&b'.') {
            // RFC 7516 §7.1.
            let is_encrypted = signature.iter().filter(|byte| **byte == b'.').count() == 2;
            return found.note(if is_encrypted {
                "token is encrypted"
            } else {
                "token does not have three parts"
            });
        }
        let header = with_decoded(header, |header| self.read_header(header, found));
        let form = header.unwrap_or_else(|problem| {
            found.note(problem);
            PayloadForm::Plain
        });
        if payload.is_empty() {
            return found.note("token is detached from its payload");
        }
        if matches!(form, PayloadForm::NotEncoded) {
            found.note("token has a payload that is not encoded");
        }
        let read = with_decoded(payload, |payload| self.read_payload(payload, form, level, found));
        if let Err(problem) = read {
            found.note(problem);
        }
        if let Some(disclosures) = disclosures {
            self.read_disclosures(disclosures, found);
        }
    }

    fn read_header(&self, header: &[u8], found: &mut Findings) -> PayloadForm {
        let mut form = PayloadForm::Plain;
        let mut lexer = Lexer::new(header);
        if !matches!(lexer.value(), Some(JsonValue::Object)) {
            found.note("token header is not a JSON object");
            return form;
        }
        let is_sound = members(&mut lexer, |name, lexer, _| {
            let Some(value) = lexer.value() else {
                found.note(NOT_JSON);
                return Next::Member;
            };
            let [kid] = &self.kid;
            if kid.is_named(name, 0) {
                found.add_ids(kid, 0, value, *lexer);
            } else if name.is("zip", true) {
                form = PayloadForm::Compressed;
            } else if name.is("b64", true) && matches!(value, JsonValue::Word(b"false")) {
                form = PayloadForm::NotEncoded;
            }
            lexer.leave(value);
            Next::Member
        });
        if !is_sound || !lexer.is_at_end() {
            found.note("token header is not a JSON object");
        }
        // Elements of its arrays are disclosed nowhere.
        found.hidden = 0;
        form
    }

    fn read_payload(&self, payload: &[u8], form: PayloadForm, level: usize, found: &mut Findings) {
        if self.claims_reader(ShownBy::Issuer).read(payload, found) {
            return;
        }
        let is_compressed = matches!(form, PayloadForm::Compressed) || payload.starts_with(&GZIP);
        if is_compressed || payload.first() == Some(&ZLIB) {
            found.note("token is compressed");
        } else if !payload.contains(&b'.') {
            found.note("token payload is not a JSON object");
        } else if level < MOST_LEVELS {
            // RFC 7519 §5.2, whether the header says so or not.
            self.read_token(payload.trim_ascii(), level + 1, found);
        } else {
            found.note("token is nested too deep");
        }
    }

    /// Reads what the holder of an SD-JWT shows ([RFC 9901 §4](https://www.rfc-editor.org/rfc/rfc9901#section-4)). Which object a
    /// claim belongs to is not looked up: a claim of any of them counts as one of the token's, and of any object of a path.
    fn read_disclosures(&self, disclosures: &[u8], found: &mut Findings) {
        if disclosures.len() > AT_MOST {
            return found.note(TOO_LONG);
        }
        let claims = self.claims_reader(ShownBy::Holder);
        // Behind the last one there may be a proof that the holder has a key: its claims are not the token's.
        let (disclosures, proof) = match disclosures.iter().rposition(|byte| *byte == b'~') {
            Some(last) => (&disclosures[..last], &disclosures[last + 1..]),
            None => (&[][..], disclosures),
        };
        let last = Some(proof).filter(|proof| !proof.contains(&b'.'));
        let each = || {
            disclosures
                .split(|byte| *byte == b'~')
                .chain(last)
                .filter(|it| !it.is_empty())
        };
        for disclosure in each() {
            let read = with_decoded(disclosure, |json| match Disclosure::read(json) {
                Some(Disclosure::Claim(name, lexer)) => claims.disclosed(name, lexer, found),
                Some(Disclosure::Element(lexer)) => claims.disclosed_objects(lexer, found),
                None => found.note(UNREADABLE_DISCLOSURE),
            });
            if read.is_err() {
                found.note(UNREADABLE_DISCLOSURE);
            }
        }
        if found.hidden == 0 {
            return;
        }
        for disclosure in each() {
            let _ = with_decoded(disclosure, |json| {
                if let Some(Disclosure::Element(lexer)) = Disclosure::read(json) {
                    claims.disclosed_ids(lexer, found);
                }
            });
        }
    }

    fn claims_reader(&self, shown_by: ShownBy) -> ClaimsReader<'_> {
        ClaimsReader {
            claims: &self.claims,
            issuers: &self.issuers,
            shown_by,
        }
    }
}

/// What a header says about the payload.
#[derive(Clone, Copy)]
enum PayloadForm {
    Compressed,
    /// `b64` is false ([RFC 7797 §3](https://www.rfc-editor.org/rfc/rfc7797#section-3)).
    NotEncoded,
    Plain,
}

fn split_at(token: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    match find(token, [byte]) {
        Some(at) => (&token[..at], Some(&token[at + 1..])),
        None => (token, None),
    }
}

/// The name of the keys ([`Key::named`]) that stand for the subject of a token that names no session: see
/// [`Jwt::with_sessionless_subjects`](crate::identify::Jwt::with_sessionless_subjects).
pub const SESSIONLESS_SUBJECT: &str = "sessionless-subject";

/// How many tokens a token may be wrapped in.
const MOST_LEVELS: usize = 2;

/// What compressed data begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZLIB: u8 = 0x78;

const UNREADABLE_DISCLOSURE: &str = "token has a disclosure that cannot be read";
