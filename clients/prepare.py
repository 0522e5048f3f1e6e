"""What programs in other languages need before they run: their pinned packages, and what is built of them.

`clients/run` and `verifiers/run` share it. Sources stay as they are: whatever is fetched or built goes to the folder that is named.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

NODE = "Node.js 20 or later, by nodejs.org or `apt-get install nodejs` from Debian 13 on"


def fail(message):
    sys.exit(f"{pathlib.Path(sys.argv[0]).resolve().parent.name}/run: {message}")


def need(program, package):
    found = shutil.which(program)
    if not found:
        fail(f"`{program}` is missing: install {package}")
    return found


def do(*command, cwd=None, env=None):
    """Runs what prepares a program; its output is shown if it fails."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env and {**os.environ, **env},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))}:\n{done.stdout}")
    return done.stdout


def pip_install(home, wanted, *what):
    """Has pinned packages in a folder, unless it has just these."""
    need("python3", "it with `apt-get install python3`")
    mark = home / "mark"
    if mark.exists() and mark.read_text() == wanted:
        return
    if subprocess.run(["python3", "-m", "pip", "--version"], capture_output=True).returncode != 0:
        fail("`pip` is missing: install it with `apt-get install python3-pip`")
    shutil.rmtree(home, ignore_errors=True)
    do("python3", "-m", "pip", "install", "--quiet", "--no-deps", "--target", home, *what)
    mark.write_text(wanted)


def python(source, home):
    """How Python begins that finds the pinned packages of a source."""
    requirements = source / "requirements.txt"
    pip_install(home, requirements.read_text(), "-r", requirements)
    return ["env", f"PYTHONPATH={home}", "python3"]


def node(source, home):
    """Copies a source, and has its pinned packages beside it."""
    version = do(need("node", NODE), "--version").strip()
    if int(version.removeprefix("v").split(".")[0]) < 20:
        fail(f"`node` is {version}: install {NODE}")
    need("npm", "it with `apt-get install npm`")
    home.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        shutil.copy(file, home)
    lock = (home / "package-lock.json").read_text()
    mark = home / "mark"
    if not mark.exists() or mark.read_text() != lock:
        do("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=home)
        mark.write_text(lock)


def go(source, program):
    need("go", "it with `apt-get install golang`")
    do("nice", "go", "build", "-p", "2", "-o", program, ".", cwd=source)


def java(source, home):
    """Returns the class path of a source with its pinned packages."""
    need("javac", "it with `apt-get install default-jdk-headless`")
    need("mvn", "it with `apt-get install maven`")
    home.mkdir(parents=True, exist_ok=True)
    wanted = (source / "pom.xml").read_text()
    mark = home / "pom.xml"
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(home / "lib", ignore_errors=True)
        do(
            "nice", "mvn", "--batch-mode", "--quiet", "-f", source / "pom.xml",
            "dependency:copy-dependencies", f"-DoutputDirectory={home / 'lib'}",
        )
        mark.write_text(wanted)
    classes = home / "classes"
    do("javac", "-parameters", "-cp", f"{home / 'lib'}/*", "-d", classes, *source.glob("*.java"))
    return f"{classes}:{home / 'lib'}/*"


def rust_example(root, name):
    """Builds an example of the crate, and returns its program."""
    need("cargo", "Rust by rustup")
    do("cargo", "build", "--example", name, cwd=root)
    metadata = do("cargo", "metadata", "--no-deps", "--format-version", "1", cwd=root)
    return pathlib.Path(json.loads(metadata)["target_directory"]) / "debug" / "examples" / name
