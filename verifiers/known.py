"""What is known to differ, and why. Each of these has to be seen, if it is not a matter of chance, and nothing else may be.

A difference is a form, a verifier and what is wrong, each a pattern of a shell.
"""

import dataclasses
import fnmatch


@dataclasses.dataclass(frozen=True)
class Known:
    form: str
    verifier: str
    what: str
    why: str
    # Whether every run shows it.
    always: bool = True

    def covers(self, form, verifier, what):
        pairs = (self.form, form), (self.verifier, verifier), (self.what, what)
        return all(fnmatch.fnmatchcase(text, pattern) for pattern, text in pairs)


MEANT = "SECURITY.md: what follows a scheme is meant to be a token, and this has a part that is none"
PARTS = "SECURITY.md: two or four parts are unreadable"
SEVERAL_DATES = "SECURITY.md: of several dates the oldest counts, and none if one of them is none"
MADE_UP = "the verifier makes a date of its own where there is none by that name: a second before `exp`"
VALUES = "SECURITY.md: any other text under that name is unreadable"
ALPHABET = "SECURITY.md: characters of neither alphabet are unreadable"
NO_OBJECT = "RFC 7519 section 7.2: the payload is no JSON object in UTF-8. It is unreadable, and never anonymous"

KNOWN = [
    # In its header.
    Known("*", "*", "healthy refused beside more", MEANT),
    Known("*token-dot-b*", "envoy", "healthy refused", PARTS),
    Known("*'Bearer\\x0[bc]$'*", "flask-jwt-extended", "healthy refused", "no character of a header (RFC 9110 section 5.5): hyper refuses it"),
    # Beside it in the query.
    Known("*query 'access_token=$&access_token=x'*", "*", "healthy refused*", VALUES),
    Known("*query 'access_token=x&access_token=$'*", "jsonwebtoken-*", "healthy refused*", VALUES),
    Known("*", "*", "healthy refused beside another", "SECURITY.md: the strictest of all tokens counts, and the one beside it cannot be read"),
    Known("*query 'access_token=$%00'*", "spring-security", "healthy refused", ALPHABET, False),
    # Dates.
    *(Known(f"iat-twice-{how}", "*", "healthy cut off", SEVERAL_DATES) for how in ["*-null-*", "*-old-*"]),
    Known("iat-milliseconds", "*", "healthy cut off", "a cut-off reaches what is dated beyond the clock's leeway"),
    Known("iat-*", "spring-security", "healthy cut off", MADE_UP),
    Known("made-by-sd-jwt-iat-hidden", "sd-jwt", "healthy cut off", "SECURITY.md: a disclosed date gives none to a token without one"),
    # Payloads that are no JSON objects.
    Known("*written-in-array*", "*", "healthy refused", NO_OBJECT),
    Known("*written-utf-16*", "*", "healthy refused", NO_OBJECT),
    Known("*written-single-quotes*", "*", "healthy refused", NO_OBJECT),
    # Without a `typ` it parses no payload, and hands out a text.
    Known("*written-*", "npm-jsonwebtoken", "healthy refused", NO_OBJECT, False),
]
