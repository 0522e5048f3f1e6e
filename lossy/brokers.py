"""The brokers, each of which listens at one end of the link."""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def fail(words):
    print(f"lossy/run: {words}", file=sys.stderr)
    sys.exit(1)


def installed(program, package):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    return found or fail(f"`{program}` is missing: apt-get install {package}")


def nats(address, directory):
    server = installed(os.environ.get("NATS_SERVER", "nats-server"), "nats-server")
    command = [server, "-a", address, "-p", "4222", "-js", "-sd", str(directory)]
    return command, 4222, f"nats://{address}:4222/REVOCATIONS.agents"


def redis(address, directory):
    server = installed(os.environ.get("REDIS_SERVER", "redis-server"), "redis-server")
    command = [server, "--bind", address, "--port", "6379", "--protected-mode", "no", "--daemonize", "no"]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--dir", str(directory)]
    return command, 6379, f"redis://{address}:6379/revocations"


def kafka(address, directory):
    jars = pathlib.Path(os.environ.get("KAFKA_JARS", ROOT / "target" / "kafka"))
    if not jars.is_dir():
        fail(f"Kafka is missing in {jars}: CONTRIBUTING.md says how to get it")
    settings = directory / "server.properties"
    settings.write_text(
        f"node.id=1\nprocess.roles=broker,controller\nlog.dirs={directory / 'data'}\n"
        f"listeners=PLAINTEXT://{address}:9092,CONTROLLER://{address}:9093\n"
        f"controller.quorum.voters=1@{address}:9093\ncontroller.listener.names=CONTROLLER\n"
        "offsets.topic.num.partitions=1\noffsets.topic.replication.factor=1\n"
        "transaction.state.log.num.partitions=1\ntransaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
    )
    java = [installed("java", "openjdk-17-jre-headless"), "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{jars}/*"]
    tool = [*java, "kafka.tools.StorageTool", "format", "-t", "aaaaaaaaTaaaaaaaaaaaaQ", "-c", str(settings)]
    subprocess.run(tool, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [*java, "kafka.Kafka", str(settings)], 9092, f"kafka://{address}:9092/revocations"


BROKERS = {"nats": nats, "redis": redis, "kafka": kafka}
