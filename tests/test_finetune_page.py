"""docs/finetune.md is run from top to bottom, and shows the same."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "finetune.md").read_text(encoding="utf-8")

OPTIONS = re.compile(r"`(--[a-z0-9-]+)")
LAYOUT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def commands():
    """Return each command of the page with what it prints."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            first, *lines = part.splitlines(keepends=True)
            while lines and lines[0].startswith("> "):
                first += lines.pop(0).removeprefix("> ")
            yield first, "".join(lines)


@pytest.mark.slow
def test_the_tutorial(tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    for name in ("happy", "stop", "sheila", "seven"):
        shutil.copy(ROOT / "tests" / "data" / f"{name}.opus", folder)
    program = tmp_path / "w2v"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m w2v_cli "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    checker = doctest.OutputChecker()
    for command, expected in commands():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        assert checker.check_output(expected, done.stdout, LAYOUT), f"$ {command}\n{done.stdout}"


def test_every_option_that_is_told_of_is_there():
    help_texts = "".join(
        subprocess.run(
            [sys.executable, "-m", "w2v_cli", *command, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"COLUMNS": "200"},
        ).stdout
        for command in (
            ["finetune", "ctc"],
            ["finetune", "keywords"],
            ["finetune", "frames"],
            ["finetune", "speakers"],
            ["finetune", "adapter"],
            ["finetune", "pretrain"],
            ["evaluate"],
        )
    )
    missing = {option for option in OPTIONS.findall(PAGE) if option not in help_texts}
    assert not missing
