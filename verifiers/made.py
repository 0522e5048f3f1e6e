"""Tokens that libraries make by themselves, as their users call them."""

import http.client
import json

FRAMES = {
    "nothing-hidden": ({}, {}),
    "all-shown": ({"_sd": ["jti", "sub", "sid"]}, {"jti": True, "sub": True, "sid": True}),
    "all-shown-and-others": ({"_sd": ["jti", "sub", "sid", "email", "act"]}, {"jti": True, "sub": True, "sid": True, "email": True, "act": True}),
    "jti-hidden": ({"_sd": ["jti"]}, {"jti": True}),
    "sub-hidden": ({"_sd": ["sub"]}, {"sub": True}),
    "sid-hidden": ({"_sd": ["sid"]}, {"sid": True}),
    "sub-shown-alone": ({"_sd": ["jti", "sub", "sid"]}, {"sub": True}),
    "nothing-shown": ({"_sd": ["jti", "sub", "sid", "email"]}, {}),
    "actor-hidden": ({"_sd": ["act"]}, {"act": True}),
    "in-actor-hidden": ({"act": {"_sd": ["sub"]}}, {"act": {"sub": True}}),
    "actor-and-in-it-hidden": ({"_sd": ["act"], "act": {"_sd": ["sub"]}}, {"act": {"sub": True}}),
    "others-nested": ({"_sd": ["address"], "address": {"_sd": ["city", "sub"]}}, {"address": {"city": True, "sub": True}}),
    "elements-hidden": ({"groups": {"_sd": [0, 2]}}, {"groups": {"0": True, "2": True}}),
    "decoys": ({"_sd": ["sub", "jti"], "_sd_decoy": 3}, {"sub": True, "jti": True}),
    "iat-hidden": ({"_sd": ["iat"]}, {"iat": True}),
}


def wishes(library, claims):
    """What a library is asked for: by name, the body of the request."""
    if library == "sd-jwt":
        more = {
            **claims, "email": "a@issuer.test", "act": {"sub": "actor-1"}, "groups": ["a", "b", "c"], "address": {"city": "K\u00f6ln", "sub": "street"},
        }
        return {name: {"claims": more, "frame": frame, "shown": shown} for name, (frame, shown) in FRAMES.items()}
    plain = {"plain": {"claims": claims}}
    if library == "golang-jwt-struct":
        # A struct without tags.
        return {"untagged": {name.capitalize(): value for name, value in claims.items()}}
    if library in ("jose", "npm-jsonwebtoken", "pyjwt"):
        plain |= {
            "kid": {"claims": claims, "header": {"kid": "key-1"}},
            "numbers": {"claims": {**claims, "sid": 1003}},
            "actor": {"claims": {**claims, "act": {"sub": "actor-1", "act": {"sub": "actor-2"}}}},
            "text": {"claims": {**claims, "sub": 'K\u00f6ln "\u2028" \U0001f600 \\ /'}},
        }
    return plain


MAKERS = ["golang-jwt-struct", "jose", "npm-jsonwebtoken", "sd-jwt", "pyjwt", "jsonwebtoken-struct", "spring-security"]


def tokens(name, host, port, claims):
    """By name, the tokens that a running verifier's library makes."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    found = {}
    for wish, body in wishes(name, claims).items():
        connection.request("POST", "/make", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise RuntimeError(f"{name} makes no token ({wish}): {text}")
        found[f"made-by-{name}-{wish}"] = text
    return found
