"""The calls that every client makes over HTTP, and what it prints of them: see ../README.md."""

import base64
import concurrent.futures
import json
import sys

PARALLEL = 8
LIMIT = 20  # seconds for a call
KIB = 1024


def bearer(token):
    def part(claims):
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()

    return f"Bearer {part({'alg': 'none'})}.{part({'jti': token})}.x"


def call(nth):
    """Method, path, and bytes to upload, of the call of this number."""
    return [
        ("POST", "/work", 100),
        ("POST", "/work", 64 * KIB * (1 + nth // 5 % 32)),
        ("GET", "/download", None),
        ("GET", "/download/sized", None),
        ("GET", "/events", None),
    ][nth % 5]


def outcome(status):
    """What the head of a response says."""
    return {200: "ok", 401: "refused", 403: "withheld"}.get(status, f"status-{status}")


def report(id, outcome, received=0, renewed=0):
    # In one piece, since threads print at once.
    sys.stdout.write(f"{id} {outcome} {received} {renewed}\n")


def run(one):
    """Calls `one(base, id, nth)` for each call, several at once, and reports what it returns."""
    base, prefix, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

    def reported(nth):
        id = f"{prefix}-{nth}"
        report(id, *one(base, id, nth))

    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        for done in [pool.submit(reported, nth) for nth in range(count)]:
            done.result()
