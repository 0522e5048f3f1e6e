"""A resource server of Flask, with PyJWT or Flask-JWT-Extended.

    verifier.py PUBLIC PRIVATE pyjwt|pyjwt-any-sub|flask-jwt-extended
"""

import functools
import pathlib
import sys

import flask
import flask_jwt_extended
import jwt
import werkzeug.serving

public, private = (pathlib.Path(file).read_text() for file in sys.argv[1:3])
library = sys.argv[3]

app = flask.Flask("verifier")
app.config |= {
    "JWT_ALGORITHM": "RS256",
    "JWT_PUBLIC_KEY": public,
    "JWT_PRIVATE_KEY": private,
    "JWT_TOKEN_LOCATION": ["headers", "cookies", "query_string"],
    "JWT_QUERY_STRING_NAME": "access_token",
    "JWT_ACCESS_COOKIE_NAME": "session",
    "JWT_COOKIE_CSRF_PROTECT": False,
}
flask_jwt_extended.JWTManager(app)


def of_request():
    """As FastAPI and Django REST frameworks find it: one scheme in any case, and what follows it."""
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token
    others = flask.request.headers.get("X-Token"), flask.request.cookies.get("session"), flask.request.args.get("access_token")
    return next(filter(None, others), "")


# Ids of users are often numbers, and `sub` has to be a text by default.
lenient = {"verify_sub": False, "verify_jti": False}


def with_pyjwt(options):
    return jwt.decode(of_request(), public, algorithms=["RS256"], options={"verify_aud": False, **options})


def with_flask_jwt_extended():
    flask_jwt_extended.verify_jwt_in_request()
    return flask_jwt_extended.get_jwt()


READERS = {
    "pyjwt": functools.partial(with_pyjwt, {}),
    "pyjwt-any-sub": functools.partial(with_pyjwt, lenient),
    "flask-jwt-extended": with_flask_jwt_extended,
}


def ids(value):
    """A text or number as a text, and all of those in an array. Nothing else is an id."""
    if isinstance(value, list):
        return [id for id in map(ids, value) if id is not None]
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None


@app.post("/make")
def make():
    wanted = flask.request.get_json()
    return jwt.encode(wanted["claims"], private, algorithm="RS256", headers=wanted.get("header"))


@app.get("/", defaults={"path": ""})
@app.get("/<path:path>")
def read(path):
    try:
        claims = READERS[library]()
    except Exception as error:  # Whatever it is, the token was not accepted.
        return repr(error), 401
    actor, at = claims.get("act"), claims.get("iat")
    return {
        **{name: ids(claims.get(name)) for name in ("jti", "sub", "sid")},
        "act": ids(actor.get("sub")) if isinstance(actor, dict) else None,
        "iat": at if isinstance(at, (int, float)) else None,
    }


class KeepAlive(werkzeug.serving.WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_):
        pass


server = werkzeug.serving.make_server("127.0.0.1", 0, app, request_handler=KeepAlive)
print(f"listening http://127.0.0.1:{server.port}", flush=True)
server.serve_forever()
