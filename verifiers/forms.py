"""The forms in which a token, and the request around it, may come. Each token is signed as it stands.

A form is a name and a function. What it is filled with is an `Identity`: healthy, or with one id that is revoked.
"""

import base64
import dataclasses
import datetime
import gzip
import hashlib
import json
import re
import zlib

# --- Who a token is of. ---


@dataclasses.dataclass(frozen=True)
class Identity:
    """Each id as a text and as the number that stands for it where a form has numbers; times in seconds."""

    name: str
    jti: str
    sub: str
    sid: str
    numbers: dict
    iat: int
    exp: int
    actor: str = "actor-1"

    def members(self):
        """The members of a payload, as (name in JSON, value in JSON)."""
        return [
            ('"iss"', '"https://issuer.test"'), ('"aud"', '"api"'), ('"jti"', json.dumps(self.jti)), ('"sub"', json.dumps(self.sub)),
            ('"sid"', json.dumps(self.sid)), ('"iat"', str(self.iat)), ('"exp"', str(self.exp)),
        ]

    def claims(self):
        return {json.loads(name): json.loads(value) for name, value in self.members()}


IDS = ["jti", "sub", "sid"]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def packed(members, separator=","):
    return "{" + separator.join(f"{name}:{value}" for name, value in members) + "}"


@dataclasses.dataclass(frozen=True)
class Draft:
    """A token before it is signed."""

    payload: bytes
    header: str = '{"alg":"RS256","typ":"JWT"}'
    # What becomes of the text of a part, and of the whole token.
    parts: tuple = ()
    whole: object = None

    def signed(self, sign):
        head, body = base64url(self.header.encode()), base64url(self.payload)
        for change in self.parts:
            head, body = change(head, body)
        signature = base64url(sign(f"{head}.{body}".encode("latin-1")))
        token = f"{head}.{body}.{signature}"
        return self.whole(token) if self.whole else token


# --- Changes of members: each takes them and the identity. ---


def renamed(claim, spelling):
    def change(members, _):
        return [(spelling if name == f'"{claim}"' else name, value) for name, value in members]

    return change


def revalued(claim, make):
    """`make` is given the identity and the value in JSON."""

    def change(members, who):
        return [(name, make(who, value) if name == f'"{claim}"' else value) for name, value in members]

    return change


def beside(claim, name, value, behind):
    """Another member in front of it or behind it."""

    def change(members, who):
        text = value(who) if callable(value) else value
        found = []
        for member in members:
            both = [member, (name, text)] if behind else [(name, text), member]
            found += both if member[0] == f'"{claim}"' else [member]
        return found

    return change


def added(name, value):
    def change(members, who):
        return [*members, (name, value(who) if callable(value) else value)]

    return change


def without(claim):
    return lambda members, _: [member for member in members if member[0] != f'"{claim}"']


def moved_last(claim):
    return lambda members, _: [m for m in members if m[0] != f'"{claim}"'] + [m for m in members if m[0] == f'"{claim}"']


def spellings(claim):
    yield "capital", claim.capitalize()
    yield "upper", claim.upper()
    yield "mixed", claim[0] + claim[1:].upper()
    if "s" in claim:
        yield "long-s", claim.replace("s", "\u017f")
        yield "long-s-escaped", claim.replace("s", "\\u017f")
    yield "escaped", claim[0] + f"\\u{ord(claim[1]):04x}" + claim[2:]
    yield "escaped-all", "".join(f"\\u{ord(letter):04X}" for letter in claim)
    yield "blank-behind", claim + " "
    yield "blank-before", " " + claim
    yield "tab-before", "\\t" + claim
    yield "newline-behind", claim + "\\n"
    yield "nbsp-behind", claim + "\u00a0"


def iso(seconds, offset=0, fraction=""):
    zone = datetime.timezone(datetime.timedelta(hours=offset))
    text = datetime.datetime.fromtimestamp(seconds, zone).isoformat()
    date, zoned = text[:19], text[19:]
    return f"{date}{fraction}{'Z' if offset == 0 else zoned}"


# Values of `iat`. Whatever states the time of the identity in another way.
DATES = {
    "fraction": lambda who, value: f"{value}.75",
    "fraction-of-nought": lambda who, value: f"{value}.0",
    "exponent": lambda who, value: f"{value[0]}.{value[1:]}e{len(value) - 1}",
    "capital-exponent": lambda who, value: f"{value}E0",
    "text": lambda who, value: f'"{value}"',
    "text-with-fraction": lambda who, value: f'"{value}.5"',
    "text-with-exponent": lambda who, value: f'"{value[0]}.{value[1:]}e{len(value) - 1}"',
    "calendar": lambda who, value: f'"{iso(who.iat)}"',
    "calendar-with-offset": lambda who, value: f'"{iso(who.iat, 1)}"',
    "calendar-with-fraction": lambda who, value: f'"{iso(who.iat, fraction=".500")}"',
    "milliseconds": lambda who, value: value + "000",
    "2-to-63": lambda who, value: "9223372036854775808",
    "2-to-64": lambda who, value: "18446744073709551616",
    "1e19": lambda who, value: "1e19",
    "1e300": lambda who, value: "1e300",
    "negative": lambda who, value: "-1",
    "nought": lambda who, value: "0",
    "null": lambda who, value: "null",
    "true": lambda who, value: "true",
    "words": lambda who, value: '"last Sunday"',
    "empty": lambda who, value: '""',
    "array": lambda who, value: f"[{value}]",
    "object": lambda who, value: f'{{"seconds":{value}}}',
}

# Values of an id. `{}` is the text in JSON, `#` the number.
VALUES = {
    "number": "#", "number-with-fraction": "#.0", "number-with-exponent": "#e0", "number-in-array": "[#]",
    "number-great": "#234567", "number-greater": "#0123456789012345", "number-great-with-exponent": "#.25e12", "number-small": "0.0000#",
    "number-negative": "-#", "number-of-noughts": "#000000000000000000000", "number-with-noughts": "#.2500",
    "null": "null", "true": "true", "false": "false", "empty": '""', "object": '{"id":{}}', "array": "[{}]", "array-of-two": '["other",{}]',
    "array-nested": "[[{}]]", "array-empty": "[]",
}

# Claims that nobody asked for.
OTHERS = {
    "number-too-great": "1e400", "half-surrogate": '"\\ud83d"', "deep": "[" * 200 + "]" * 200, "long": '"' + "x" * 3000 + '"',
    "deep-objects": '{"a":' * 100 + "1" + "}" * 100, "big-integer": "123456789012345678901234567890", "bell": '"\\u0007"', "nul": '"\\u0000"',
    "escaped-solidus": '"a\\/b"', "emoji": '"\U0001f600"', "claims-within": '{"sub":"somebody","jti":"another"}', "empty-name-within": '{"":1}',
    "minus-nought": "-0", "html": '"<script>\\u0026"', "line-separators": '"\u2028\u2029"',
}


def with_text(value, who, text):
    return value.replace("{}", text) if "{}" in value else value


def changes():
    """Every change of members, by name."""
    found = {"plain": lambda members, who: members}
    for claim in [*IDS, "iat"]:
        for how, spelling in spellings(claim):
            found[f"{claim}-{how}"] = renamed(claim, f'"{spelling}"')
    for claim in IDS:
        for how, value in VALUES.items():
            def make(who, text, claim=claim, value=value):
                return value.replace("#", str(who.numbers[claim])) if "#" in value else with_text(value, who, text)

            found[f"{claim}-{how}"] = revalued(claim, make)
        found[f"{claim}-missing"] = without(claim)
        found[f"{claim}-last"] = moved_last(claim)
        for how, spelling in [("same", claim), ("upper", claim.upper()), ("escaped", f"\\u{ord(claim[0]):04x}{claim[1:]}")]:
            for value_name, value in [("other", '"somebody-else"'), ("null", "null"), ("empty", '""'), ("number", "77")]:
                for behind in [True, False]:
                    place = "behind" if behind else "before"
                    found[f"{claim}-twice-{how}-{value_name}-{place}"] = beside(claim, f'"{spelling}"', value, behind)
        found[f"{claim}-value-escaped"] = revalued(claim, lambda who, text: '"' + "".join(f"\\u{ord(c):04x}" for c in text[1:-1]) + '"')
        found[f"{claim}-half-surrogate"] = beside(claim, f'"{claim}-note"', '"\\ud83d"', False)
    for how, make in DATES.items():
        found[f"iat-{how}"] = revalued("iat", make)
    found["iat-missing"] = without("iat")
    for how, spelling in [("same", "iat"), ("upper", "IAT")]:
        for value_name, value in [("old", "1000000000"), ("null", "null"), ("text", lambda who: f'"{who.iat}"')]:
            for behind in [True, False]:
                place = "behind" if behind else "before"
                found[f"iat-twice-{how}-{value_name}-{place}"] = beside("iat", f'"{spelling}"', value, behind)
    for how, value in OTHERS.items():
        found[f"other-{how}-first"] = lambda members, who, value=value: [('"other"', value), *members]
        found[f"other-{how}-last"] = added('"other"', value)
    found["name-half-surrogate"] = added('"o\\ud83d"', "1")
    found["name-empty"] = added('""', "1")
    found["name-long"] = added(f'"{"n" * 3000}"', "1")
    found["many-claims"] = lambda members, who: [(f'"c{nth}"', str(nth)) for nth in range(150)] + members
    found["actor"] = added('"act"', lambda who: f'{{"sub":"{who.actor}"}}')
    found["actor-of-actor"] = added('"act"', lambda who: f'{{"sub":"actor-2","act":{{"sub":"{who.actor}"}}}}')
    found["actor-number"] = added('"act"', '{"sub":9}')
    found["actor-text"] = added('"act"', '"somebody"')
    found["actor-null"] = added('"act"', "null")
    found["actor-array"] = added('"act"', lambda who: f'[{{"sub":"{who.actor}"}}]')
    found["actor-dated"] = added('"act"', lambda who: f'{{"sub":"{who.actor}","iat":1}}')
    found["azp-number"] = added('"azp"', "12345678901")
    found["azp-array"] = added('"azp"', '["a","b"]')
    found["client_id-null"] = added('"client_id"', "null")
    found["audiences"] = revalued("aud", lambda who, value: '["api","other"]')
    found["confirmation"] = added('"cnf"', '{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}')
    found["nbf"] = added('"nbf"', lambda who: str(who.iat))
    return found


CHANGES = changes()

# How a payload is written, given its members.
WRITINGS = {
    "compact": lambda members: packed(members).encode(),
    "spaced": lambda members: packed(members, " , ").replace(":", " : ", 1).encode(),
    "lines": lambda members: ("{\n" + ",\n\t".join(f"{name}:\r\n {value}" for name, value in members) + "\n}\n").encode(),
    "blanks-around": lambda members: (" \t\n" + packed(members) + " \r\n").encode(),
    "byte-order-mark": lambda members: "\ufeff".encode() + packed(members).encode(),
    "latin-1": lambda members: packed([*members, ('"city"', '"K\xf6ln"')]).encode("latin-1", "replace"),
    "no-utf-8-name": lambda members: packed([*members, ('"\xff"', "1")]).encode("latin-1", "replace"),
    "object-behind": lambda members: packed(members).encode() + b"{}",
    "nul-behind": lambda members: packed(members).encode() + b"\0",
    "trailing-comma": lambda members: packed(members)[:-1].encode() + b",}",
    "comment": lambda members: b"/**/" + packed(members).encode(),
    "single-quotes": lambda members: packed(members).replace('"', "'").encode(),
    "in-array": lambda members: b"[" + packed(members).encode() + b"]",
    "utf-16": lambda members: packed(members).encode("utf-16"),
    "gzip": lambda members: gzip.compress(packed(members).encode(), mtime=0),
    "zlib": lambda members: zlib.compress(packed(members).encode()),
}

HEADERS = {
    name: header if header.startswith("{") else '{"alg":"RS256",' + header + "}"
    for name, header in {
        "plain": '"typ":"JWT"', "no-typ": '{"alg":"RS256"}', "at+jwt": '"typ":"at+jwt"', "application": '"typ":"application/at+jwt"',
        "JOSE": '"typ":"JOSE"', "lower-typ": '"typ":"jwt"', "typ-null": '"typ":null', "cty": '"cty":"JWT"', "cty-json": '"cty":"json"',
        "kid": '"kid":"key-1"', "kid-number": '"kid":1', "kid-null": '"kid":null', "kid-empty": '"kid":""', "KID": '"KID":"key-1"',
        "kid-twice": '"kid":"key-1","kid":"key-2"', "kid-array": '"kid":["a"]', "x5t": '"x5t":"AAAAAAAAAAAAAAAAAAAAAAAAAAA"',
        "jku": '"jku":"https://issuer.test/keys"', "other": '"other":{"a":[1,2]}', "long": '"other":"' + "x" * 2000 + '"',
        "blanks": '{ "typ" : "JWT" ,\n "alg" : "RS256" }', "typ-first": '{"typ":"JWT","alg":"RS256"}', "escaped": '{"\\u0061lg":"RS256"}',
        "b64-true": '"b64":true', "zip-null": '"zip":null', "zip": '"zip":"DEF"', "claims": '"sub":"somebody","iat":1', "typ-array": '"typ":["JWT"]',
        "alg-twice": '"typ":"JWT","alg":"RS256"', "half-surrogate": '"other":"\\ud83d"', "mark": '\ufeff"x":1',
    }.items()
}


def padded(text):
    return text + "=" * (-len(text) % 4)


def other_bits(text):
    """With other bits in its last character, of those that mean nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if len(text) % 4 == 0:
        return text
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


def standard(text):
    return text.replace("-", "+").replace("_", "/")


# How parts are encoded. They are signed as they stand.
ENCODINGS = {
    "plain": (),
    "payload-padded": (lambda head, body: (head, padded(body)),),
    "header-padded": (lambda head, body: (padded(head), body),),
    "both-padded": (lambda head, body: (padded(head), padded(body)),),
    "payload-standard": (lambda head, body: (head, standard(body)),),
    "payload-standard-padded": (lambda head, body: (head, padded(standard(body))),),
    "header-standard": (lambda head, body: (standard(head), body),),
    "payload-other-bits": (lambda head, body: (head, other_bits(body)),),
    "header-other-bits": (lambda head, body: (other_bits(head), body),),
    "payload-over-padded": (lambda head, body: (head, body + "=="),),
}


def in_signature(change):
    def whole(token):
        front, _, signature = token.rpartition(".")
        return f"{front}.{change(signature)}"

    return whole


# What becomes of a token that was signed.
WHOLES = {
    "plain": None,
    "signature-padded": in_signature(padded),
    "signature-over-padded": in_signature(lambda text: text + "="),
    "signature-standard": in_signature(standard),
    "signature-other-bits": in_signature(other_bits),
    "dot-behind": lambda token: token + ".",
    "part-behind": lambda token: token + ".e30",
    "tilde-behind": lambda token: token + "~",
    "two-tildes-behind": lambda token: token + "~~",
    "dot-before": lambda token: "." + token,
}


def token_forms():
    """Each form by its name: what it makes of an identity is a draft, or a text that is a token already."""

    def of(change="plain", writing="compact", header="plain", encoding="plain", whole="plain"):
        def make(who):
            members = CHANGES[change](who.members(), who)
            # So that there are digits in which the two alphabets of base64 differ.
            members = [*members, ('"mixed"', '"???>>>~~~"')]
            return Draft(WRITINGS[writing](members), HEADERS[header], ENCODINGS[encoding], WHOLES[whole])

        return make

    found = {change: of(change) for change in CHANGES}
    found |= {f"written-{name}": of(writing=name) for name in WRITINGS if name != "compact"}
    found |= {f"header-{name}": of(header=name) for name in HEADERS if name != "plain"}
    found |= {f"encoded-{name}": of(encoding=name) for name in ENCODINGS if name != "plain"}
    found |= {f"token-{name}": of(whole=name) for name in WHOLES if name != "plain"}
    for levels in [1, 2]:
        for header in ["cty", "plain"]:
            found[f"nested-{levels}-{header}"] = lambda who, levels=levels, header=header: (levels, of()(who), HEADERS[header])
    return found


def sign_form(made, sign):
    """The text of a token, of what a form made."""
    if isinstance(made, str):
        return made
    if isinstance(made, Draft):
        return made.signed(sign)
    levels, inner, header = made
    token = inner.signed(sign)
    for _ in range(levels):
        token = Draft(token.encode(), header).signed(sign)
    return token


def random_token_form(random):
    """A combination of what there is."""
    chosen = [random.choice(list(CHANGES)) for _ in range(random.choice([1, 1, 2, 3]))]
    # Most of the time all but one thing is as usual, or no verifier would take it.
    rarely = lambda choices, usual: random.choice(list(choices)) if random.random() < 0.25 else usual
    writing, header = rarely(WRITINGS, "compact"), rarely(HEADERS, "plain")
    encoding, whole = rarely(ENCODINGS, "plain"), rarely(WHOLES, "plain")

    def make(who):
        members = who.members()
        for change in chosen:
            members = CHANGES[change](members, who)
        members = [*members, ('"mixed"', '"???>>>~~~"')]
        return Draft(WRITINGS[writing](members), HEADERS[header], ENCODINGS[encoding], WHOLES[whole])

    unusual = {"written": writing, "header": header, "encoded": encoding, "token": whole}
    usual = ("compact", "plain")
    return "+".join([*chosen, *(f"{kind}-{name}" for kind, name in unusual.items() if name not in usual)]), make


def with_proof(who, sign, jwk, target, now, id):
    """A token that is bound to a key, and the proof that its sender has it (RFC 9449)."""
    thumbprint = hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest()
    bound = [*who.members(), ('"cnf"', json.dumps({"jkt": base64url(thumbprint)}))]
    token = Draft(packed(bound).encode()).signed(sign)
    proof = {"htm": "GET", "htu": target, "jti": id, "iat": now, "ath": base64url(hashlib.sha256(token.encode()).digest())}
    header = {"typ": "dpop+jwt", "alg": "RS256", "jwk": jwk}
    return token, Draft(json.dumps(proof).encode(), json.dumps(header)).signed(sign)


# --- Where in a request it is. `$` stands for the token, `^` for the same with its dots escaped, `@` for another, healthy one. ---


def headers(*values):
    return "/header", tuple(("Authorization", value) for value in values)


AUTHORIZATIONS = [
    "Bearer $", "bearer $", "BEARER $", "bEaReR $", "Bearer  $", "Bearer\t$", "Bearer \t $", " Bearer $", "\tBearer $ ", "Bearer $ ", "Bearer $\t",
    "$", "Bearer$", "Bearer:$", "Bearer: $", "Bearer=$", "Bearer,$", "Bearer ,$", "Bearer $,", "Bearer ,$,", ",Bearer $", ", Bearer $", "Bearer $, ",
    "DPoP $", "dpop $", "Token $", "token $", "JWT $", "jwt $", "OAuth $", "Basic $", "Token token=$", 'Token token="$"', 'Bearer token="$"',
    "Basic dXNlcjpwYXNz, Bearer $", "Bearer $, Basic dXNlcjpwYXNz", "Basic dXNlcjpwYXNz,Bearer $", "Basic dXNlcjpwYXNz Bearer $",
    'Digest username="a", realm="a.b.c", Bearer $', "foo,Bearer ,,$", "foo, Bearer $", "x Bearer $", "Bearer Bearer $", "Bearer bearer $", "Bearer $ $",
    "Bearer $ x", "Bearer x $", "Bearer x, Bearer $", "Bearer $, Bearer x", "Bearer $, Bearer $", "Bearer $;", "Bearer $; charset=utf-8", "Bearer ($)",
    "Bearer <$>", "Bearer '$'", "Bearer\xa0$", "Bearer $\xa0", "\xa0Bearer $", "Bearer \xa0$", "x$", ".$", "Bearer .$", "Bearer $.", "Bearer $=", "Bearer $==", "Bearer $~",
    "Bearer @, Bearer $", "Bearer $, Bearer @", "Bearer @ $", "Bearer $ @", "$ Bearer @", "@ Bearer $", "Bearer @.Bearer $", "Bearer @,$", "Bearer $,@",
    "DPoP @, Bearer $", "Bearer $, DPoP @", "Bearer Token $", "Token Bearer $", "xBearer $", "Bearerx $", "Bearer-$", "Bearer/$", "Bearer\x0b$", "Bearer\x0c$",
]

PLACES = {
    **{repr(value): headers(value) for value in AUTHORIZATIONS},
    "two headers, it is the first": headers("Bearer $", "Bearer @"),
    "two headers, it is the second": headers("Bearer @", "Bearer $"),
    "two headers, the first is of another scheme": headers("Basic dXNlcjpwYXNz", "Bearer $"),
    "two headers, the second is of another scheme": headers("Bearer $", "Basic dXNlcjpwYXNz"),
    "two headers, the first is empty": headers("", "Bearer $"),
    "two headers, the second is empty": headers("Bearer $", ""),
    "two headers, scheme and token apart": headers("Bearer", "$"),
    "name in lower case": ("/header", (("authorization", "Bearer $"),)),
    "name in upper case": ("/header", (("AUTHORIZATION", "Bearer $"),)),
    **{
        f"other header {value!r}": ("/other", (("X-Token", value),))
        for value in ["$", " $ ", "Bearer $", "\t$", "$,", ",$", "$, $", "$ $", "@, $", "$, @", '"$"', "x$", "$\xa0"]
    },
    "two other headers, it is the first": ("/other", (("X-Token", "$"), ("X-Token", "@"))),
    "two other headers, it is the second": ("/other", (("X-Token", "@"), ("x-token", "$"))),
    **{
        f"cookie {value!r}": ("/cookie", (("Cookie", value),))
        for value in [
            "session=$", "a=b; session=$", "session=$; a=b", "a=b;session=$", "session = $", " session=$ ", 'session="$"', "session=$; session=@",
            "session=@; session=$", "session=^", 'session="^"', "session=; session=$", "session=$; session=", "session=Bearer $", "a; session=$", "session; session=$",
            "a=b;;session=$", ";session=$", "session=\t$", "session=$;", "Session=x; session=$",
            'a="b; session=$', "session=$=", "session=$ ", "a=b,c; session=$", "a= ; session=$", "a={\"b\":1}; session=$",
        ]
    },
    "two cookie headers, it is the first": ("/cookie", (("Cookie", "session=$"), ("Cookie", "session=@"))),
    "two cookie headers, it is the second": ("/cookie", (("Cookie", "session=@"), ("Cookie", "session=$"))),
    "two cookie headers, another is the first": ("/cookie", (("Cookie", "a=b"), ("Cookie", "session=$"))),
    **{
        f"query {query!r}": (f"/query?{query}", ())
        for query in [
            "access_token=$", "a=b&access_token=$", "access_token=$&a=b", "access%5Ftoken=$", "access%5ftoken=^", "access_token=^", "access_token=+$", "access_token=$+",
            "access_token=%20$", "access_token=$&access_token=@", "access_token=@&access_token=$", "&access_token=$", "&&access_token=$&", "access_token=&access_token=$",
            "access_token&access_token=$", "a;access_token=$", "a=b;access_token=$", "access_token=$;a=b", "access_token=$=", "access_token==$", "?access_token=$",
            "access_token=Bearer%20$", "access_token=Bearer+$", "access_token=$%0A", "access_token=$%09", "access_token=$#access_token=x", "a=%zz&access_token=$",
            "access_token[]=$", "access_token=$&access_token=x", "access_token=x&access_token=$", "%61ccess_token=$", "access_token=$%00", "+access_token=$", "access_token+=$",
        ]
    },
}

PIECES = [" ", "  ", "\t", ",", ", ", ",,", ";", "=", '"', "'", "Bearer", "bearer", "BEARER", "Bearer ", "DPoP ", "Token ", "JWT", "Basic dXNlcjpwYXNz", "x", "foo", "@", "\xa0", "~", ":", "realm=\"a.b.c\""]


def random_place(random):
    """A value of the header made of pieces around the token."""
    before = [random.choice(PIECES) for _ in range(random.randrange(4))]
    behind = [random.choice(PIECES) for _ in range(random.choice([0, 0, 0, 1, 2]))]
    scheme = random.choice(["Bearer ", "Bearer ", "bearer ", "Bearer\t", "Bearer, ", ""])
    value = "".join([*before, scheme, "$", *behind])
    return repr(value), headers(value)


def says_more(place):
    """Whether something that is no token, or nothing, stands where one is meant to be: behind `Bearer`, up to the next comma."""
    return any(name.lower() == "authorization" and words_behind_scheme(value) - {"$", "@"} for name, value in place[1])


def words_behind_scheme(value):
    found, is_behind, is_empty = set(), False, True
    for word in re.findall(r",|[^,\s]+", value):
        if word.lower() == "bearer":
            is_behind, is_empty = True, True
        elif word == ",":
            # An empty item of a list separates nothing.
            is_behind = is_behind and is_empty
        elif is_behind:
            found.add(word)
            is_empty = False
    return found | {""} if is_behind and is_empty else found


def request_bytes(place, token, other):
    """The very bytes of a request."""
    texts = {"$": token, "@": other, "^": token.replace(".", "%2E")}

    def fill(text):
        # What was filled in is not looked at again.
        return re.sub(r"[$@^]", lambda found: texts[found[0]], text)

    target, lines = place
    head = f"GET {fill(target)} HTTP/1.1\r\nHost: verifier.test\r\n"
    head += "".join(f"{name}: {fill(value)}\r\n" for name, value in lines)
    return (head + "\r\n").encode("latin-1")
