"""Calls with requests, over connections that are kept. Whoever is refused gets a new token and calls again."""

import sys
import threading

import requests

import calls

local = threading.local()


def session():
    if not hasattr(local, "session"):
        local.session = requests.Session()
    return local.session


def one(base, id, nth):
    method, path, length = calls.call(nth)
    renewed = 0
    while True:
        token = id if renewed == 0 else f"{id}+{renewed}"
        headers = {"x-call-id": id, "authorization": calls.bearer(token)}
        body = None if length is None else b"u" * length
        try:
            response = session().request(method, base + path, headers=headers, data=body, stream=True, timeout=calls.LIMIT)
        except requests.Timeout:
            return "hang", 0, renewed
        except requests.RequestException as error:
            print(id, repr(error), file=sys.stderr)
            return "nothing", 0, renewed
        received = 0
        try:
            for piece in response.iter_content(None):
                received += len(piece)
        except requests.Timeout:
            return "hang", received, renewed
        except requests.RequestException:
            return "cut", received, renewed
        if response.status_code == 401 and renewed == 0:
            renewed = 1
            continue
        return calls.outcome(response.status_code), received, renewed


calls.run(one)
