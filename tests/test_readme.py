"""Everything that the README shows is run, and shows the same."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")

ELLIPSIS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(language):
    return [text for name, text in BLOCK.findall(README) if name == language]


def sessions():
    """Return the console blocks as pairs of a command and what it prints."""
    for block in blocks("console"):
        _, *parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
        yield [part.partition("\n")[::2] for part in parts]


def test_every_block_is_of_a_kind_that_is_checked():
    assert {name for name, _ in BLOCK.findall(README)} <= {"sh", "console", "pycon"}


def shell_environment(folder):
    """Put a `w2v` on the path that is the code under test, whatever is installed."""
    program = folder / "w2v"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m w2v_cli "$@"\n')
    program.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


@pytest.mark.parametrize("session", list(sessions()), ids=lambda session: session[-1][0])
def test_console(session, tmp_path):
    """Run a block's commands in one shell; stderr is shown with stdout, as on a terminal."""
    marker = "-- end of a command --"
    # The marker must not change $?, which a later command may show.
    script = "\n".join(
        f"{command}\ncode=$?; echo '{marker}'; (exit $code)" for command, _ in session
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env=shell_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    printed = done.stdout.split(f"{marker}\n")
    checker = doctest.OutputChecker()
    for (command, expected), actual in zip(session, printed, strict=False):
        assert checker.check_output(expected, actual, ELLIPSIS), f"$ {command}\n{actual}"


@pytest.mark.parametrize("block", blocks("pycon"), ids=["published classes", "transcripts"])
def test_python(block, monkeypatch):
    monkeypatch.chdir(ROOT)
    test = doctest.DocTestParser().get_doctest(block, {}, "README.md", "README.md", 0)
    output = []
    runner = doctest.DocTestRunner(optionflags=ELLIPSIS)
    runner.run(test, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)


def test_the_two_commands():
    """`check` is what runs this test; `demo` shows the first transcript."""
    (setup,) = blocks("sh")
    commands = [line.split("#")[0].strip() for line in setup.splitlines()]
    assert commands == ["python3 dev.py demo", "python3 dev.py check"]


@pytest.mark.slow
@pytest.mark.skipif(
    Path(sys.prefix) != ROOT / ".venv", reason="only where `dev.py check` made the environment"
)
def test_demo_prints_the_first_transcript():
    done = subprocess.run(
        [sys.executable, "dev.py", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    command, expected = next(iter(sessions()))[0]
    assert done.stdout == f"$ {command}\n{expected}"


@pytest.mark.parametrize("target", sorted(set(LINK.findall(README))))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()
