"""Files generated from the command line's declarations are those that are checked in."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GENERATED = runpy.run_path(str(ROOT / "docs" / "generate.py"))["generated"]()


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_is_current(path):
    assert path.read_text(encoding="utf-8") == GENERATED[path], "run: python3 dev.py docs"


def test_the_reference_lists_every_command_and_option():
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for command in (
        "transcribe",
        "align",
        "score",
        "lm build",
        "finetune ctc",
        "evaluate",
        "models",
    ):
        assert f"## w2v {command}\n" in reference
    for option in ("--model", "--channel", "--format", "--output", "--device", "--quiet"):
        assert f"{option} " in reference


BASH_SESSION = """
source "{script}"
COMP_WORDS=({words}); COMP_CWORD={position}
_w2v_completion w2v
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["w2v", "tr"], ["transcribe"]),
        (["w2v", "transcribe", "--fo"], ["--format"]),
        (["w2v", "transcribe", "--format", "js"], ["json", "jsonl"]),
        (
            ["w2v", "transcribe", "--decoder", "''"],
            ["auto", "greedy", "beam", "native", "pyctcdecode"],
        ),
        (["w2v", "transcribe", "--device", "c"], ["cpu", "cuda"]),
    ],
)
def test_bash_completes(tmp_path, words, expected):
    program = tmp_path / "w2v"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m w2v_cli "$@"\n')
    program.chmod(0o755)
    session = BASH_SESSION.format(
        script=ROOT / "completions" / "w2v.bash", words=" ".join(words), position=len(words) - 1
    )
    done = subprocess.run(
        ["bash", "-c", session],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert done.stdout.split() == expected


def test_fish_is_given_a_line_for_each_candidate():
    """By the command of its own script, which cannot be run without fish."""
    script = (ROOT / "completions" / "w2v.fish").read_text()
    asks = re.search(r"--arguments \"\(env (.*?) _TYPER_COMPLETE_ARGS=", script).group(1)
    environment = dict(setting.split("=") for setting in asks.split())
    done = subprocess.run(
        [sys.executable, "-m", "w2v_cli"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment, "_TYPER_COMPLETE_ARGS": "w2v embed --"},
    )
    lines = done.stdout.splitlines()
    assert len(lines) > 20
    assert all(line.startswith("--") and "\t" in line for line in lines)
