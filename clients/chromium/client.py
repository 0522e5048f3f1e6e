"""Has a page in Chromium make the calls: client.py BASE PREFIX COUNT fetch|text|binary PAGE_SCRIPT"""

import http.server
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync""".split()
base, prefix, count, what, script = sys.argv[1:]
end = threading.Event()


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = {
            "/page.html": ("text/html", b"<!doctype html><title>calls</title><script type=module src=page.js></script>"),
            "/page.js": ("text/javascript", pathlib.Path(script).read_bytes()),
        }.get(self.path.split("?")[0])
        self.answer(*((200, *page) if page else (404, "text/plain", b"")))

    def do_POST(self):
        said = self.rfile.read(int(self.headers["content-length"])).decode()
        self.answer(200, "text/plain", b"")
        if self.path == "/end":
            print(said, flush=True)
            end.set()
        else:
            print(said, file=sys.stderr)

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
threading.Thread(target=server.serve_forever, daemon=True).start()
query = urllib.parse.urlencode({"base": base, "prefix": prefix, "count": count, "what": what})
page = f"http://127.0.0.1:{server.server_port}/page.html?{query}"
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
    browser = subprocess.Popen(
        ["chromium", *FLAGS, f"--user-data-dir={directory}", page],
        env={**os.environ, "HOME": directory}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    try:
        ended = end.wait(600)
    finally:
        # It has children of its own.
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
sys.exit(0 if ended else "the page did not end")
