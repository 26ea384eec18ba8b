"""Where stderr takes nothing, the work goes on; libraries are kept quiet and it comes back."""

import os
import sys

from w2v_cli.stderr import leave_stderr, silent_stderr


def test_what_is_left_takes_any_name(monkeypatch):
    monkeypatch.setattr(sys, "stderr", sys.stderr)  # put back after the test
    leave_stderr()
    sys.stderr.write("al\udcff.wav \N{SNOWMAN}\n")
    sys.stderr.flush()
    sys.stderr.close()


def test_libraries_are_kept_quiet_and_then_heard_again(capfd):
    with silent_stderr():
        os.write(2, b"from a library\n")
    os.write(2, b"after it\n")
    assert capfd.readouterr().err == "after it\n"
