#!/usr/bin/env python3
"""Set w2v up and check it. Needs nothing but Python 3.10 or newer.

    python3 dev.py demo     install w2v into .venv and transcribe a recording with it
    python3 dev.py check    install the development tools too and run every check
    python3 dev.py docs     write docs/cli.md and completions/ anew

Each can be repeated at any time; what is installed already is not installed again.
"""

# Old Pythons must get as far as `main` to be told that they are too old: nothing here may
# need a newer syntax than 3.6's.

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 10)

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "w2v-installed.json"
CONSTRAINTS = ROOT / "constraints.txt"
# With these pip would install elsewhere than into the environment.
PIP_ELSEWHERE = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")

# What stands before it in a program of an environment; in the second form where it is long.
NAMED_PYTHON = r"#!(?:/bin/sh\n'''exec' \"?)?"

DEMO_RECORDING = Path("tests", "data", "demo.opus")

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy", "--strict", "w2v_cli"),
    ("pytest",),
)

# What pip writes when it fails, and what to do then. The first that fits is told: a network
# that is down also ends in "No matching distribution found".
PIP_FAILURES = (
    (
        (
            "Temporary failure in name resolution",
            "Name or service not known",
            "nodename nor servname",
            "getaddrinfo failed",
            "Network is unreachable",
            "No route to host",
            "Connection refused",
            "Connection reset",
            "Connection aborted",
            "Failed to establish a new connection",
            "Cannot connect to proxy",
            "timed out",
            "No matching distribution found for hatchling",
        ),
        "pip cannot reach its package index. Check the network and the proxy, or name a mirror "
        "that you can reach: pip config set global.index-url URL",
    ),
    (
        ("No space left on device", "Disk quota exceeded"),
        "The disk is full. Make room for about 2 GB here, or set TMPDIR to a larger disk.",
    ),
    (
        (
            "CMAKE_CXX_COMPILER",
            "CMake must be installed",
            "No such file or directory: 'cmake'",
            "No CMAKE_C_COMPILER",
            "error: command 'gcc' failed",
            "error: command 'g++' failed",
            "error: command 'c++' failed",
            "error: command 'cc' failed",
            "command 'x86_64-linux-gnu-g++' failed",
            "command 'x86_64-linux-gnu-gcc' failed",
            "command 'clang++' failed",
            "Microsoft Visual C++ 14.0",
            "xcrun: error",
        ),
        "A package has to be compiled here and there is no C++ compiler. Install one and run this "
        "again: apt-get install build-essential cmake (Debian, Ubuntu); dnf install gcc-c++ cmake "
        "(Fedora); xcode-select --install (macOS).",
    ),
    (
        ("No matching distribution found for transformers",),
        "The checks compare w2v with a release of transformers that needs Python 3.11 or newer; "
        "this is {python}. Use another Python: python3.11 dev.py check (demo works with this one).",
    ),
    (
        ("No matching distribution found for torch",),
        "There is no build of the tested PyTorch for Python {python} on this machine. Use another "
        "Python, 3.10 to 3.13: pythonX.Y dev.py ...",
    ),
)


class SetupError(Exception):
    """Something on this machine that the user has to change; the message says what."""


def main(arguments: list) -> int:
    """Run one of the commands above and return the exit code."""
    if sys.version_info < OLDEST_PYTHON:
        print(
            "dev.py: this is Python {}.{}; w2v needs 3.10 or newer. Install it, and run: "
            "python3.10 dev.py ...".format(*sys.version_info[:2]),
            file=sys.stderr,
        )
        return 1
    parser = argparse.ArgumentParser(description="Set w2v up and check it.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="install w2v and transcribe the bundled recording")
    check_parser = commands.add_parser("check", help="run every check")
    check_parser.add_argument("pytest_arguments", nargs="*", help="passed on to pytest, after --")
    commands.add_parser("docs", help="write docs/cli.md and completions/ anew")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "demo":
            return demo()
        if chosen.command == "docs":
            return docs()
        return check(chosen.pytest_arguments)
    except SetupError as error:
        print(f"dev.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def demo() -> int:
    """Install w2v and transcribe the bundled recording with the embedded model."""
    install(extras=())
    command = ["w2v", "transcribe", "--model", "mini", str(DEMO_RECORDING)]
    return run(command)


def check(pytest_arguments: list) -> int:
    """Run every check and return 1 if one of them failed; pytest's summary comes last."""
    install(extras=("dev",))
    failed = []
    for name, *arguments in CHECKS:
        if name == "pytest":
            arguments += pytest_arguments
        if run([name, *arguments]) != 0:
            failed.append(" ".join([name, *arguments]))
    if failed:
        print(f"dev.py: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def docs() -> int:
    """Write what is generated from the command line's own declarations."""
    install(extras=())
    return run(["python", str(Path("docs", "generate.py"))])


def run(command: list) -> int:
    """Show a command of the environment, run it in the repository and return its exit code."""
    print(f"$ {shlex.join(command)}", flush=True)
    environment = dict(os.environ, PATH=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
    environment["VIRTUAL_ENV"] = str(VENV)
    environment.pop("PYTHONHOME", None)
    program = BIN / (command[0] + (".exe" if os.name == "nt" else ""))
    return subprocess.run(
        [str(program), *command[1:]], cwd=str(ROOT), env=environment, check=False
    ).returncode


def install(extras: tuple) -> None:
    """Make the environment and install w2v into it, unless that is done already."""
    wanted = {"inputs": fingerprint(), "extras": sorted(extras)}
    installed = read_stamp()
    if installed.get("inputs") == wanted["inputs"]:
        wanted["extras"] = sorted({*extras, *installed.get("extras", ())})
        if wanted["extras"] == installed["extras"] and (BIN / python_name()).exists():
            return
    make_venv()
    what = str(ROOT) if not wanted["extras"] else f"{ROOT}[{','.join(wanted['extras'])}]"
    print(f"Installing w2v into {VENV}; the first time this takes a few minutes.", flush=True)
    pip_install(["--editable", what, "--constraint", str(CONSTRAINTS)])
    STAMP.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")


def fingerprint() -> str:
    """Return a hash of all that decides what is installed."""
    digest = hashlib.sha256()
    for path in (ROOT / "pyproject.toml", CONSTRAINTS):
        digest.update(path.read_bytes())
    digest.update(f"{sys.version_info[:3]} {sys.base_prefix} {ROOT}".encode())
    return digest.hexdigest()


def read_stamp() -> dict:
    """Return what the last complete installation wrote; nothing if there was none."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def make_venv() -> None:
    """Make .venv with this Python; one of another Python, or a broken one, is made anew."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        version = "{}.{}".format(*sys.version_info[:2])
        raise SetupError(
            "this Python cannot make virtual environments. Install what it lacks and run this "
            f"again: apt-get install python{version}-venv (Debian, Ubuntu)"
        )
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if venv_works():
        return
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise SetupError(
            f"{shlex.join(command)} failed: {done.stdout.decode(errors='replace').strip()}"
        )


def venv_works() -> bool:
    """Return whether .venv was made here, starts, has pip, and is of this Python's version."""
    question = "import sys, pip; print(sys.version_info[:3], sys.base_prefix)"
    try:
        answer = subprocess.run(
            [str(BIN / python_name()), "-c", question],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        ).stdout.decode()
        # Its programs name the Python that they start: in a copied or moved folder, the old one.
        starts = "" if os.name == "nt" else (BIN / "pip").read_text(encoding="utf-8")
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False
    if os.name != "nt" and not re.match(NAMED_PYTHON + re.escape(f"{BIN}{os.sep}"), starts):
        return False
    return answer.split() == f"{sys.version_info[:3]} {sys.base_prefix}".split()


def python_name() -> str:
    """Return the name of the environment's Python."""
    return "python.exe" if os.name == "nt" else "python"


def pip_install(arguments: list) -> None:
    """Install with pip, which reports as it goes; what it says of a failure is explained."""
    if STAMP.exists():
        STAMP.unlink()
    command = [str(BIN / python_name()), "-m", "pip", "install", "--disable-pip-version-check"]
    said = []
    environment = {name: value for name, value in os.environ.items() if name not in PIP_ELSEWHERE}
    with subprocess.Popen(
        [*command, *arguments], stderr=subprocess.PIPE, cwd=str(ROOT), env=environment
    ) as pip:
        for line in pip.stderr:
            sys.stderr.write(line.decode(errors="replace"))
            said.append(line.decode(errors="replace"))
    if pip.returncode != 0:
        raise SetupError(explain_pip("".join(said)))


def explain_pip(said: str) -> str:
    """Return what to do about a failure of pip, from what it wrote on stderr."""
    python = "{}.{}".format(*sys.version_info[:2])
    for signs, advice in PIP_FAILURES:
        if any(sign in said for sign in signs):
            return advice.format(python=python)
    return "pip could not install w2v; what it wrote above says why."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
