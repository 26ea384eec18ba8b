"""docs/classification.md is run from top to bottom, and shows the same."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "classification.md").read_text(encoding="utf-8")

LAYOUT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def commands():
    """Return each command of the page with what it prints."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        _, *parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
        yield from (part.partition("\n")[::2] for part in parts)


@pytest.fixture
def folder(tmp_path):
    """The recordings of tests/data, in a folder of their own."""
    folder = tmp_path / "recordings"
    shutil.copytree(ROOT / "tests" / "data", folder)
    return folder


@pytest.mark.slow
def test_the_page(tmp_path, folder):
    program = tmp_path / "w2v"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m w2v_cli "$@"\n')
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    fixed = {"PATH": path, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    checker = doctest.OutputChecker()
    for command, expected in commands():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=os.environ | fixed,
            capture_output=True,
            text=True,
            check=False,
        )
        shown = done.stdout + done.stderr
        assert done.returncode in (0, 3), f"$ {command}\n{shown}"
        assert checker.check_output(expected, shown, LAYOUT), f"$ {command}\n{shown}"
    assert (folder / "demo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_python(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (block,) = re.findall(r"^```pycon\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    test = doctest.DocTestParser().get_doctest(block, {}, "classification.md", None, 0)
    output = []
    runner = doctest.DocTestRunner(optionflags=LAYOUT)
    runner.run(test, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)


def test_every_option_that_is_told_of_is_there():
    done = subprocess.run(
        [sys.executable, "-m", "w2v_cli", "classify", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "200"},
    )
    told = set(re.findall(r"`(--[a-z0-9-]+)", PAGE))
    assert told
    assert {option for option in told if option not in done.stdout} == set()
