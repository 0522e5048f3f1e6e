"""Calls with httpx, over HTTP/1.1 or HTTP/2. Whoever is refused gets a new token and calls again, by httpx's own means (`httpx.Auth`)."""

import sys
import threading

import httpx

import calls

VERSION = sys.argv[4]


class Renewing(httpx.Auth):
    def __init__(self, id):
        self.id = id
        self.renewed = 0

    def auth_flow(self, request):
        request.headers["authorization"] = calls.bearer(self.id)
        response = yield request
        if response.status_code == 401:
            self.renewed = 1
            request.headers["authorization"] = calls.bearer(f"{self.id}+1")
            yield request


local = threading.local()


def client():
    # One for each thread: over HTTP/2 those of httpx 0.28.1 share the tables of HPACK without a lock.
    if not hasattr(local, "client"):
        local.client = httpx.Client(http1=VERSION == "1.1", http2=VERSION == "2", timeout=calls.LIMIT, trust_env=False)
    return local.client


def one(base, id, nth):
    method, path, length = calls.call(nth)
    auth = Renewing(id)
    body = None if length is None else b"u" * length
    received, status = 0, None
    try:
        with client().stream(method, base + path, headers={"x-call-id": id}, content=body, auth=auth) as response:
            status = response.status_code
            for piece in response.iter_raw():
                received += len(piece)
    except httpx.TimeoutException:
        return "hang", received, auth.renewed
    except httpx.HTTPError as error:
        if status is None:
            print(id, repr(error), file=sys.stderr)
            return "nothing", 0, auth.renewed
        return "cut", received, auth.renewed
    return calls.outcome(status), received, auth.renewed


calls.run(one)
