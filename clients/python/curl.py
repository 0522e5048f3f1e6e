"""Calls with curl, over HTTP/1.1 several by one process, so that connections are used again. It renews nothing."""

import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile

import calls

# Over HTTP/2 without TLS, curl 7.88.1 loses the second call of a connection ("Error in the HTTP2 framing layer"), whatever the server.
BATCH = {"1.0": 25, "1.1": 25, "2": 1}


def transfer(base, id, nth, version, directory):
    method, path, length = calls.call(nth)
    lines = [
        f'url = "{base}{path}"',
        f'request = "{method}"' if length is None else f'data-binary = "@{upload(directory, length)}"',
        f'header = "x-call-id: {id}"',
        f'header = "authorization: {calls.bearer(id)}"',
        'header = "content-type: application/octet-stream"',
        'output = "/dev/null"',
        f"max-time = {calls.LIMIT}",
        f'write-out = "{id} %{{http_code}} %{{exitcode}} %{{size_download}}\\n"',
        {"1.0": "http1.0", "1.1": "http1.1", "2": "http2-prior-knowledge"}[version],
    ]
    return "\n".join(lines) + "\n"


def upload(directory, length):
    file = directory / str(length)
    if not file.exists():
        file.write_bytes(b"u" * length)
    return file


def outcome(status, exit):
    if exit == 28:
        return "hang"
    # Nothing, or no more than "100 Continue".
    if status < 200:
        return "nothing"
    if status == 200:
        return "ok" if exit == 0 else "cut"
    return calls.outcome(status)


def main():
    base, prefix, count, version = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        for nth in range(count):
            length = calls.call(nth)[2]
            length is None or upload(directory, length)

        def batch(first):
            numbers = range(first, min(first + BATCH[version], count))
            config = "next\n".join(transfer(base, f"{prefix}-{nth}", nth, version, directory) for nth in numbers)
            curl = subprocess.run(["curl", "-s", "-K", "-"], input=config, stdout=subprocess.PIPE, text=True)
            for line in curl.stdout.splitlines():
                id, status, exit, received = line.split()
                calls.report(id, outcome(int(status), int(exit)), received)

        with concurrent.futures.ThreadPoolExecutor(calls.PARALLEL) as pool:
            list(pool.map(batch, range(0, count, BATCH[version])))


main()
