"""Write what is generated from the command line's own declarations.

    docs/cli.md                            what `w2v COMMAND --help` prints
    completions/w2v.bash, _w2v, w2v.fish   shell completion, for packagers to install

`python3 dev.py docs` runs this; a test says when it has to be run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from w2v_cli.cli.app import app
from w2v_cli.cli.options import DEFAULT_MODEL

ROOT = Path(__file__).resolve().parent.parent
WIDTH_COLUMNS = 90

COMPLETIONS = {"bash": "w2v.bash", "zsh": "_w2v", "fish": "w2v.fish"}

# Typer's script for zsh is meant to be sourced. As a file on the fpath it is run as the function
# _w2v at the first completion, and has to complete then, too.
ZSH_REGISTRATION = "\ncompdef _w2v_completion w2v\n"
ZSH_AUTOLOAD = """
if [[ $funcstack[1] == _w2v ]]; then
  _w2v_completion "$@"
else
  compdef _w2v_completion w2v
fi
"""

# Each line that is printed is a candidate to fish, so that descriptions must not be broken.
FISH_ASKS = "(env _W2V_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args "
FISH_ASKS_WIDE = FISH_ASKS.replace("(env ", "(env COLUMNS=10000 ")

CLI_HEAD = """\
# The command line

Generated from `w2v --help` by `python3 dev.py docs`; do not edit it by hand.
"""


def cli_reference() -> str:
    """Return docs/cli.md."""
    return "\n".join([CLI_HEAD, *_sections(get_command(app), [])])


def _sections(command: Any, arguments: list[str]) -> Iterator[str]:
    """Yield the section of a command, and after it those of the commands it is a group of."""
    yield _section(" ".join(["w2v", *arguments]), arguments)
    for name, inner in getattr(command, "commands", {}).items():
        yield from _sections(inner, [*arguments, name])


def _section(title: str, arguments: list[str]) -> str:
    return f"## {title}\n\n```text\n{_output([*arguments, '--help'], {})}```\n"


def completion(shell: str) -> str:
    """Return the script that completes `w2v` in a shell: bash, zsh or fish."""
    script = _output([], {"_W2V_COMPLETE": f"source_{shell}"}).strip("\n") + "\n"
    return script.replace(ZSH_REGISTRATION, ZSH_AUTOLOAD).replace(FISH_ASKS, FISH_ASKS_WIDE)


def _output(arguments: list[str], environment: dict[str, str]) -> str:
    """Return what `w2v` prints, whatever the caller's terminal and environment are."""
    fixed = {"W2V_MODEL": DEFAULT_MODEL, "COLUMNS": str(WIDTH_COLUMNS), "NO_COLOR": "1"}
    result = CliRunner().invoke(
        app, arguments, prog_name="w2v", env=fixed | environment, terminal_width=WIDTH_COLUMNS
    )
    assert result.exit_code == 0, result.output
    return "\n".join(line.rstrip() for line in result.stdout.splitlines()) + "\n"


def generated() -> dict[Path, str]:
    """Return every generated file with its text."""
    files = {ROOT / "docs" / "cli.md": cli_reference()}
    for shell, name in COMPLETIONS.items():
        files[ROOT / "completions" / name] = completion(shell)
    return files


def main() -> None:
    """Write the files."""
    for path, text in generated().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
