//! The members of a token's header and payload.

use crate::identify::token::claim::Claim;
use crate::identify::token::date::date;
use crate::identify::token::findings::{Findings, NOT_JSON};
use crate::identify::token::lexer::{JsonValue, Lexeme, Lexer};
use crate::identify::token::text::MemberName;

/// Reads claims: what is asked for counts, and everything else is passed over, whatever it holds.
#[derive(Clone, Copy)]
pub(crate) struct ClaimsReader<'r> {
    pub(crate) claims: &'r [Claim],
    /// None of them if the tokens of all are to be read.
    pub(crate) issuers: &'r [String],
    pub(crate) shown_by: ShownBy,
}

/// Whose choice it was that claims are there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShownBy {
    Holder,
    Issuer,
}

impl<'r> ClaimsReader<'r> {
    /// Reads a JSON object with all that is in it. `false` if it is none.
    pub(crate) fn read(self, json: &[u8], found: &mut Findings) -> bool {
        let mut lexer = Lexer::new(json);
        if !matches!(lexer.value(), Some(JsonValue::Object)) {
            return false;
        }
        found.note_claims();
        if !members(&mut lexer, |name, lexer, depth| self.member(name, lexer, depth, found)) {
            found.note(NOT_JSON);
        } else if !lexer.is_at_end() {
            found.note("token goes on behind its claims");
        }
        true
    }

    /// Reads one member, whose value the lexer stands at. At any depth but the first it is an actor's.
    pub(crate) fn member(
        self,
        name: MemberName<'_>,
        lexer: &mut Lexer<'_>,
        depth: usize,
        found: &mut Findings,
    ) -> Next {
        let Some(value) = lexer.value() else {
            found.note(NOT_JSON);
            return Next::Member;
        };
        for (place, claim) in self.claims.iter().enumerate() {
            Within { claim, place, depth: 0 }.member(name, value, *lexer, found);
        }
        // An actor's date is not the token's, and its issuer is another.
        if depth == 0 {
            if name.is("iat", true) {
                match self.shown_by {
                    ShownBy::Issuer => found.add_date(date(value)),
                    ShownBy::Holder => found.add_disclosed_date(date(value)),
                }
            }
            // What a holder shows makes no token another issuer's.
            if !self.issuers.is_empty() && self.shown_by == ShownBy::Issuer && name.is("iss", true) {
                found.add_issuer(value, self.issuers);
            }
        }
        if matches!(value, JsonValue::Object) && name.is("act", true) {
            // Its keys count all the same.
            if depth == MOST_ACTORS {
                found.note("token has more than 64 actors");
            }
            return Next::MembersOfValue;
        }
        lexer.leave(value);
        Next::Member
    }

    /// Reads a claim that is shown apart. Its digest alone says which object it belongs to, so that it counts wherever its name may
    /// stand: as the token's own, and in each object of a path.
    pub(crate) fn disclosed(self, name: MemberName<'_>, mut lexer: Lexer<'_>, found: &mut Findings) {
        let mut behind = lexer;
        if let Some(value) = behind.value() {
            for within in self.within() {
                within.member(name, value, behind, found);
            }
        }
        let is_actor = matches!(self.member(name, &mut lexer, 0, found), Next::MembersOfValue);
        if is_actor
            && !members(&mut lexer, |name, lexer, depth| {
                self.member(name, lexer, depth + 1, found)
            })
        {
            found.note(NOT_JSON);
        }
    }

    /// Reads the objects in an element of an array that is shown apart, as those of any path.
    pub(crate) fn disclosed_objects(self, mut lexer: Lexer<'_>, found: &mut Findings) {
        let Some(value) = lexer.value() else { return };
        for within in self.within() {
            within.read(value, lexer, found);
        }
    }

    /// Each object of each path, but for the token itself.
    fn within(self) -> impl Iterator<Item = Within<'r>> {
        let claims = self.claims.iter().enumerate();
        claims.flat_map(|(place, claim)| (1..=claim.depth()).map(move |depth| Within { claim, place, depth }))
    }

    /// Reads the ids in an element of an array that is shown apart, of whatever claim it may be.
    pub(crate) fn disclosed_ids(self, mut lexer: Lexer<'_>, found: &mut Findings) {
        let Some(value) = lexer.value() else { return };
        let hidden = found.hidden;
        for (place, claim) in self.claims.iter().enumerate() {
            if hidden & (1 << place.min(63)) != 0 {
                found.add_ids(claim, place, value, lexer);
            }
        }
    }
}

/// A claim within others, and how many of those around it were entered.
#[derive(Clone, Copy)]
struct Within<'c> {
    claim: &'c Claim,
    place: usize,
    depth: usize,
}

impl Within<'_> {
    /// Reads a member of the object that was entered last, if the path goes on with it. `lexer` stands behind the beginning of its value.
    #[inline]
    fn member(self, name: MemberName<'_>, value: JsonValue<'_>, lexer: Lexer<'_>, found: &mut Findings) {
        if self.claim.is_named(name, self.depth) {
            found.add_ids(self.claim, self.place, value, lexer);
        } else if self.claim.is_within(name, self.depth) {
            let depth = self.depth + 1;
            Self { depth, ..self }.read(value, lexer, found);
        }
    }

    /// Looks for it in an object, or in each object of an array, whose beginning was read. It goes no deeper than the path is long,
    /// which is the host's.
    fn read(self, value: JsonValue<'_>, mut lexer: Lexer<'_>, found: &mut Findings) {
        match value {
            JsonValue::Object => {
                let is_sound = members(&mut lexer, |name, lexer, _| {
                    let Some(value) = lexer.value() else {
                        found.note(NOT_JSON);
                        return Next::Member;
                    };
                    self.member(name, value, *lexer, found);
                    lexer.leave(value);
                    Next::Member
                });
                if !is_sound {
                    found.note(NOT_JSON);
                }
            }
            JsonValue::Array => {
                let mut depth = 1_usize;
                while depth > 0 {
                    match lexer.next() {
                        Some(Lexeme::Open(b'{')) => {
                            self.read(JsonValue::Object, lexer, found);
                            lexer.leave(JsonValue::Object);
                        }
                        Some(Lexeme::Open(_)) => depth += 1,
                        Some(Lexeme::Close(_)) => depth -= 1,
                        Some(_) => {}
                        None => return,
                    }
                }
            }
            JsonValue::Text(_) | JsonValue::Word(_) => {}
        }
    }
}

/// Where to go on behind a member's name.
pub(crate) enum Next {
    /// Behind the value, which was read.
    Member,
    /// In the value, an object whose beginning was read.
    MembersOfValue,
}

/// Goes through the members of an object whose brace was read. `visit` is given each name, with the lexer at its value, and how many
/// objects further in it is. Returns whether all of it was as it should be; what was not is passed over.
pub(crate) fn members<'j>(
    lexer: &mut Lexer<'j>,
    mut visit: impl FnMut(MemberName<'j>, &mut Lexer<'j>, usize) -> Next,
) -> bool {
    let (mut depth, mut is_sound) = (0_usize, true);
    let mut may_begin = true;
    loop {
        match lexer.next() {
            Some(Lexeme::Text(name)) => {
                let behind_name = *lexer;
                if matches!(lexer.next(), Some(Lexeme::Colon)) {
                    is_sound &= may_begin;
                    may_begin = false;
                    if matches!(visit(MemberName::new(name), lexer, depth), Next::MembersOfValue) {
                        depth += 1;
                        may_begin = true;
                    }
                } else {
                    *lexer = behind_name;
                    is_sound = false;
                }
            }
            Some(Lexeme::Comma) if !may_begin => may_begin = true,
            Some(Lexeme::Close(b'}')) if depth == 0 => return is_sound,
            Some(Lexeme::Close(b'}')) => {
                depth -= 1;
                may_begin = false;
            }
            Some(Lexeme::Open(bracket)) => {
                lexer.leave(if bracket == b'{' {
                    JsonValue::Object
                } else {
                    JsonValue::Array
                });
                is_sound = false;
            }
            Some(_) => is_sound = false,
            None => return false,
        }
    }
}

/// How many actors a token may name, each within the one before.
const MOST_ACTORS: usize = 64;
