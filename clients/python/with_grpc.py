"""Calls with grpcio, with a policy of three attempts. Messages are bytes."""

import json
import sys

import grpc

import calls

POLICY = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.01s",
                "maxBackoff": "0.02s",
                "backoffMultiplier": 1,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
REQUEST = b"\x0a\x02m1"
channel = grpc.insecure_channel(
    sys.argv[1].removeprefix("http://"), [("grpc.service_config", json.dumps(POLICY)), ("grpc.enable_http_proxy", 0)]
)
unary = channel.unary_unary("/calls.Calls/Unary")
stream = channel.unary_stream("/calls.Calls/Stream")


def outcome(code, received):
    revoked = {grpc.StatusCode.UNAUTHENTICATED: "refused", grpc.StatusCode.PERMISSION_DENIED: "withheld"}
    if code in revoked:
        return "cut" if received else revoked[code]
    return "hang" if code == grpc.StatusCode.DEADLINE_EXCEEDED else f"code-{code.value[0]}"


def once(id, nth, renewed):
    token = id if renewed == 0 else f"{id}+{renewed}"
    metadata = [("x-call-id", id), ("authorization", calls.bearer(token))]
    received = 0
    try:
        if nth % 2 == 0:
            unary(REQUEST, timeout=calls.LIMIT, metadata=metadata)
            received = 1
        else:
            for _ in stream(REQUEST, timeout=calls.LIMIT, metadata=metadata):
                received += 1
        return "ok", received, renewed
    except grpc.RpcError as error:
        print(id, error.code(), error.details(), file=sys.stderr)
        return outcome(error.code(), received), received, renewed


def one(base, id, nth):
    first = once(id, nth, 0)
    return once(id, nth, 1) if first[0] == "refused" else first


calls.run(one)
