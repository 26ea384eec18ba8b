"""Help and usage errors must not wait for what they don't need."""

import statistics
import subprocess
import sys
import time

import pytest

HEAVY = ("torch", "numpy", "librosa", "soundfile", "soxr", "huggingface_hub", "safetensors", "rich")

QUICK_COMMANDS = {
    "version": ["--version"],
    "help": ["--help"],
    "transcribe help": ["transcribe", "--help"],
    "unknown command": ["transcrive"],
    "no input": ["transcribe"],
    "unknown option": ["transcribe", "talk.wav", "--bogus"],
    "bad value": ["transcribe", "talk.wav", "--start", "soon"],
    "contradiction": ["transcribe", "talk.wav", "--start", "5", "--end", "4"],
    "stdin twice": ["transcribe", "-", "-"],
    "finetune help": ["finetune", "ctc", "--help"],
    "nothing to begin with": ["finetune", "keywords", "list.jsonl", "-o", "run"],
    "evaluate help": ["evaluate", "--help"],
    "embed help": ["embed", "--help"],
    "two jobs at once": ["embed", "--compare", "--matrix", "a.wav", "b.wav"],
    "classify help": ["classify", "--help"],
    "a hop without windows": ["classify", "talk.wav", "--hop", "1"],
}

# Runs the command as `w2v` does, then reports which of the heavy packages were loaded.
LOADED = """
import sys
from w2v_cli.cli import main
sys.argv[0] = "w2v"
try:
    main()
except SystemExit:
    pass
print("loaded:", *(name for name in {heavy!r} if name in sys.modules))
"""


@pytest.mark.parametrize("arguments", QUICK_COMMANDS.values(), ids=QUICK_COMMANDS)
def test_nothing_heavy_is_loaded(arguments):
    script = LOADED.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_the_list_of_commands_imports_none_of_them():
    script = LOADED.format(heavy=["w2v_cli.cli.models", "w2v_cli.cli.transcribe"])
    done = subprocess.run(
        [sys.executable, "-c", script, "--help"], capture_output=True, text=True, check=True
    )
    assert "transcribe      Write down" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_a_command_does_not_wait_for_the_others():
    script = LOADED.format(heavy=["w2v_cli.cli.finetune", "w2v_cli.cli.transcribe"])
    done = subprocess.run(
        [sys.executable, "-c", script, "transcribe", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "loaded: w2v_cli.cli.transcribe"


def test_a_misspelt_command_is_guessed():
    done = subprocess.run(
        [sys.executable, "-m", "w2v_cli", "trancribe"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Did you mean 'transcribe'?" in done.stderr


def seconds(arguments):
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    return time.perf_counter() - began


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["transcribe", "--help"], ["transcribe", "talk.wav", "--bogus"]],
    ids=["help", "transcribe help", "usage error"],
)
def test_takes_less_than_a_fifth_of_importing_torch(arguments):
    ratios = []
    for _ in range(5):  # side by side, so that what else runs here slows both
        w2v = seconds(["-m", "w2v_cli", *arguments])
        ratios.append(w2v / seconds(["-c", "import torch"]))
    assert statistics.median(ratios) < 0.2
