"""Set-up: what is installed when, and what is said when it can't be."""

import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def dev(tmp_path):
    """dev.py as a module, working on a folder of its own."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT = tmp_path
    module.VENV = tmp_path / ".venv"
    module.BIN = module.VENV / ("Scripts" if os.name == "nt" else "bin")
    module.STAMP = module.VENV / "w2v-installed.json"
    module.CONSTRAINTS = tmp_path / "constraints.txt"
    module.CONSTRAINTS.write_text("torch==2.13.0\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'w2v'\n")
    return module


@pytest.fixture
def installations(dev, monkeypatch):
    """What pip was asked for, with a pip that only takes notes and a real environment."""
    asked = []
    monkeypatch.setattr(dev, "pip_install", asked.append)

    def make_venv():
        if not dev.VENV.exists():
            venv.create(dev.VENV, with_pip=False)

    monkeypatch.setattr(dev, "make_venv", make_venv)
    return asked


def test_installs_once(dev, installations):
    dev.install(extras=())
    dev.install(extras=())
    assert installations == [
        ["--editable", str(dev.ROOT), "--constraint", str(dev.CONSTRAINTS)],
    ]


def test_development_tools_come_on_top_and_stay(dev, installations):
    dev.install(extras=())
    dev.install(extras=("dev",))
    dev.install(extras=())
    assert [arguments[1] for arguments in installations] == [str(dev.ROOT), f"{dev.ROOT}[dev]"]
    assert json.loads(dev.STAMP.read_text())["extras"] == ["dev"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_installs_again_when_what_is_wanted_changed(dev, installations, name):
    dev.install(extras=())
    with (dev.ROOT / name).open("a") as file:
        file.write("# changed\n")
    dev.install(extras=())
    assert len(installations) == 2


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (
            "WARNING: Retrying ... NewConnectionError(...: Failed to establish a new connection: "
            "[Errno -3] Temporary failure in name resolution)\n"
            "ERROR: No matching distribution found for torch==2.13.0",
            "cannot reach its package index",
        ),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build of the tested"),
        ("error: command 'g++' failed: No such file or directory", "build-essential cmake"),
        ("CMake Error: CMAKE_CXX_COMPILER not set", "xcode-select --install"),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: something new", "what it wrote above"),
    ],
)
def test_what_to_do_when_pip_fails(dev, said, advice):
    assert advice in dev.explain_pip(said)


def test_a_failing_pip_leaves_no_stamp(dev):
    dev.BIN.mkdir(parents=True)
    dev.STAMP.write_text("{}")
    program = dev.BIN / dev.python_name()
    program.write_text("#!/bin/sh\necho 'Network is unreachable' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(dev.SetupError, match="cannot reach its package index"):
        dev.pip_install(["--editable", "."])
    assert not dev.STAMP.exists()


def test_says_which_package_brings_venv(dev, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        dev.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else found(name)
    )
    with pytest.raises(dev.SetupError, match=r"apt-get install python3\.\d+-venv"):
        dev.make_venv()


def test_an_old_python_is_named(dev, monkeypatch, capsys):
    monkeypatch.setattr(dev.sys, "version_info", (3, 8, 10, "final", 0))
    assert dev.main(["demo"]) == 1
    assert capsys.readouterr().err == (
        "dev.py: this is Python 3.8; w2v needs 3.10 or newer. Install it, and run: "
        "python3.10 dev.py ...\n"
    )


def test_old_pythons_can_read_it_to_the_end():
    """Python 3.6's grammar: no walrus, no match, no annotations from the future."""
    import ast

    source = (ROOT / "dev.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    assert "from __future__" not in source


def test_check_runs_everything_and_fails_if_one_does(dev, monkeypatch, capsys):
    commands = []
    monkeypatch.setattr(dev, "install", lambda extras: commands.append(extras))

    def run(command):
        commands.append(command)
        return 1 if command[0] == "mypy" else 0

    monkeypatch.setattr(dev, "run", run)
    assert dev.main(["check", "--", "-k", "emitter"]) == 1
    assert commands == [
        ("dev",),
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "--strict", "w2v_cli"],
        ["pytest", "-k", "emitter"],
    ]
    assert capsys.readouterr().err == "dev.py: failed: mypy --strict w2v_cli\n"


def test_a_command_is_shown_before_it_runs(dev, capfd):
    dev.BIN.mkdir(parents=True)
    program = dev.BIN / "greet"
    program.write_text('#!/bin/sh\necho "hello $1 from $(pwd)"\nexit 3\n')
    program.chmod(0o755)
    assert dev.run(["greet", "a b"]) == 3
    assert capfd.readouterr().out == f"$ greet 'a b'\nhello a b from {dev.ROOT}\n"


def test_ci_runs_the_second_command():
    script = (ROOT / ".ci" / "run").read_text()
    assert script.splitlines()[-1] == "exec python3 dev.py check"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_unknown_command_is_a_usage_error():
    done = subprocess.run(
        [sys.executable, str(ROOT / "dev.py"), "dance"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "invalid choice: 'dance'" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="programs are no texts there")
def test_an_environment_that_was_made_elsewhere_is_made_anew(dev):
    venv.create(dev.VENV, with_pip=True)
    assert dev.venv_works()
    program = dev.BIN / "pip"
    long = f"#!/bin/sh\n'''exec' \"{dev.BIN}/python\" \"$0\" \"$@\"\n' '''\n"
    for text, works in ((long, True), (f"#!/other{dev.BIN}/python\n", False)):
        program.write_text(text)
        assert dev.venv_works() is works
    program.unlink()
    assert not dev.venv_works()
    program.write_text(f"#!{dev.BIN}/python\n")
    elsewhere = dev.VENV.rename(dev.ROOT / "moved")
    dev.VENV, dev.BIN = elsewhere, elsewhere / "bin"
    assert not dev.venv_works()


def test_pip_installs_into_the_environment_whatever_it_was_told(dev, monkeypatch):
    for name in dev.PIP_ELSEWHERE:
        monkeypatch.setenv(name, "1")
    dev.BIN.mkdir(parents=True)
    program = dev.BIN / dev.python_name()
    program.write_text("#!/bin/sh\nenv > environment\n")
    program.chmod(0o755)
    dev.pip_install([])
    given = (dev.ROOT / "environment").read_text()
    assert not any(f"{name}=" in given for name in dev.PIP_ELSEWHERE)


def test_pins_are_for_every_python_that_they_are_asked_of():
    """Each that is installed here: what it needs, and since which Python it is pinned."""
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    wrong = []
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        pin = Requirement(line.partition("#")[0]) if line.partition("#")[0].strip() else None
        if pin is None:
            continue
        try:
            installed = distribution(pin.name)
        except PackageNotFoundError:
            continue
        needs = SpecifierSet(installed.metadata["Requires-Python"] or "")
        for python in ("3.10", "3.11", "3.12"):
            environment = {"python_version": python, "python_full_version": f"{python}.14"}
            asked = pin.marker is None or pin.marker.evaluate(environment)
            if asked and installed.version in pin.specifier and f"{python}.14" not in needs:
                wrong.append(f"{pin} needs Python {needs}")
    assert wrong == []
