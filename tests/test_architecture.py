"""The rules that docs/architecture.md draws: who may import whom, and who may do what."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import w2v_cli

PACKAGE = Path(w2v_cli.__file__).parent
# A room may import from rooms of a lower level, and from itself.
LEVELS = {
    "_lazy": 0,
    "counts": 0,
    "errors": 0,
    "named_output": 0,
    "recording_parts": 0,
    "results": 0,
    "stderr": 0,
    "uploads": 0,
    "audio": 1,
    "encodings": 1,
    "formats": 1,
    "model": 1,
    "decoding": 1,
    "diarization": 1,
    "processing": 2,
    "scoring": 2,
    "checkpoint": 3,
    "language_model": 4,
    "inference": 4,
    "plots": 4,
    "tasks": 5,
    "training": 6,
    "batch": 6,
    "cli": 7,
}
# The published doors, which lead up to `checkpoint`: classes load and save themselves.
DOORS = {
    "from_pretrained",
    "save_pretrained",
    "save_vocabulary",
    "get_config_dict",
    "load_adapter",
    "get_feature_extractor_dict",
    "get_processor_dict",
}
FILES = [f for f in sorted(PACKAGE.rglob("*.py")) if "models" not in f.relative_to(PACKAGE).parts]


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST, function: str = "") -> Iterator[tuple[str, str]]:
    """Yield every imported module, and the function that imports it ("" at the top)."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", function) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, function) for alias in node.names)
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from imports(node, node.name if is_function else function)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    here = room(path)
    if here in ("__init__", "__main__"):
        return
    assert here in LEVELS, f"{here} is no room of the design"
    for module, function in imports(ast.parse(path.read_text(encoding="utf-8"))):
        parts = module.split(".")
        if parts[0] != "w2v_cli" or len(parts) == 1 or parts[1] not in LEVELS:
            continue
        is_door = function in DOORS and parts[1] == "checkpoint"
        allowed = parts[1] == here or LEVELS[parts[1]] < LEVELS[here] or is_door
        assert allowed, f"{path.name} imports {module}"


@pytest.mark.parametrize(
    ("module", "rooms"),
    [
        ("transformers", set()),
        ("typer", {"cli"}),
        ("rich", {"cli"}),
        ("matplotlib", {"plots"}),
        ("huggingface_hub", {"checkpoint"}),
        ("torch", {"model", "checkpoint", "inference", "processing", "training"}),
    ],
)
def test_only_some_rooms_know_a_library(module, rooms):
    for path in FILES:
        if room(path) in rooms:
            continue
        for imported, _ in imports(ast.parse(path.read_text(encoding="utf-8"))):
            assert imported.split(".")[0] != module, f"{path} imports {module}"


def test_only_hub_py_touches_the_network():
    network = {"huggingface_hub", "requests", "httpx", "urllib", "socket", "http"}
    for path in FILES:
        names = {m.split(".")[0] for m, _ in imports(ast.parse(path.read_text(encoding="utf-8")))}
        if path.relative_to(PACKAGE).as_posix() != "checkpoint/hub.py":
            assert not names & network, f"{path}: {names & network}"


def test_only_the_command_line_prints():
    for path in FILES:
        if room(path) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "sys.stdout.write"), f"{path}:{node.lineno}"


def test_the_network_opens_no_file():
    for path in FILES:
        if room(path) != "model" or path.name == "config.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("open", "torch.load", "torch.save"), f"{path}:{node.lineno}"


def test_public_names_are_all_there_and_imported_when_used():
    program = (
        "import sys, w2v_cli\n"
        "assert not {'torch', 'numpy', 'librosa'} & set(sys.modules)\n"
        "for name in w2v_cli.__all__: getattr(w2v_cli, name)\n"
        "assert 'librosa' not in sys.modules and 'transformers' not in sys.modules\n"
        "try: w2v_cli.nothing\n"
        "except AttributeError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "module 'w2v_cli' has no attribute 'nothing'\n"


def test_files_and_functions_stay_small():
    """A file around 400 lines asks to be two; a function fits on a screen."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 450, f"{path.name} has {text.count(chr(10))} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                n_lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                assert n_lines <= 60, f"{path.name}: {node.name}() has {n_lines} lines"
