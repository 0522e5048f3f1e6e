"""What runs at the ends of the link: whoever revokes, beside the broker, and whoever asks, beside the gateway."""

import http.client
import json
import queue
import sys
import threading
import time


def say(**words):
    print(json.dumps(words), flush=True)


def ask(connection, method, path, headers=None):
    """A status and a body, over a connection that is kept."""
    for is_last in (False, True):
        try:
            connection.request(method, path, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read()
        except (http.client.HTTPException, OSError):
            # One that was kept may have ended, as that of a request may whose agent was revoked meanwhile.
            connection.close()
            if is_last:
                raise


def publish(registry, every, seconds):
    """Revokes an agent again and again, and says when the broker confirmed that it has the event."""
    connection = http.client.HTTPConnection(registry, timeout=30)
    end = time.monotonic() + float(seconds)
    while (begun := time.monotonic()) < end:
        status, body = ask(connection, "POST", "/v1/agents")
        assert status == 201, status
        agent = json.loads(body)
        name = agent["did"].rsplit(":", 1)[1]
        say(agent=name, ait=agent["ait"])
        # So that it was seen to be admitted.
        time.sleep(float(every) / 2)
        revoked = time.monotonic_ns()
        status, _ = ask(connection, "DELETE", f"/v1/agents/{name}")
        assert status == 204, status
        say(agent=name, revoked=revoked, confirmed=time.monotonic_ns())
        time.sleep(max(0.0, begun + float(every) - time.monotonic()))


def watch(gateway, admin):
    """Asks the gateway as each agent that it is told of until it is refused, and says when that was. Tells the feed's state, too."""
    told = queue.Queue()

    def hear():
        for line in sys.stdin:
            told.put(json.loads(line))
        told.put(None)

    threading.Thread(target=hear, daemon=True).start()
    connection = http.client.HTTPConnection(gateway, timeout=10)
    status_of = http.client.HTTPConnection(admin, timeout=10)
    waiting, is_over, looked, before = {}, False, 0.0, None
    while not is_over or waiting:
        while not told.empty():
            word = told.get()
            if word is None:
                is_over, ending = True, time.monotonic()
            else:
                waiting[word["agent"]] = word["ait"]
        for agent, ait in list(waiting.items()):
            status, _ = ask(connection, "GET", "/hello", {"authorization": f"Claw {ait}"})
            # 403: it was revoked while its request was handled.
            if status in (401, 403):
                say(agent=agent, refused=time.monotonic_ns())
                del waiting[agent]
            elif status != 200:
                say(agent=agent, other=status)
        if time.monotonic() - looked > 0.1:
            looked = time.monotonic()
            feed = json.loads(ask(status_of, "GET", "/status")[1])["feed"]
            now = {name: feed[name] for name in ("state", "opened", "gaps", "last_error")}
            if now != before:
                before = now
                say(feed=now, at=time.monotonic_ns())
        if is_over and time.monotonic() - ending > 60:
            break
        time.sleep(0.002)


if __name__ == "__main__":
    {"publish": publish, "watch": watch}[sys.argv[1]](*sys.argv[2:])
