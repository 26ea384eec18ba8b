"""Names of inputs that can only be a mistake, and a package that one of them needs."""

import sys

import pytest

from w2v_cli.cli.inputs import check_inputs
from w2v_cli.errors import UsageError


def test_standard_input_is_read_once():
    check_inputs(["a.wav", "-"])
    with pytest.raises(UsageError, match="name it once"):
        check_inputs(["-", "a.wav", "-"])


def test_an_empty_name_is_a_mistake():
    with pytest.raises(UsageError, match="an input has an empty name"):
        check_inputs(["a.wav", ""])


def test_a_package_that_is_missing_is_named(w2v, tmp_path, monkeypatch, babble):
    av = pytest.importorskip("av")
    path = tmp_path / "talk.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(babble(1024)[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    assert w2v("transcribe", path).exit_code == 0
    monkeypatch.setitem(sys.modules, "av", None)
    result = w2v("transcribe", path)
    assert result.exit_code == 5
    assert len(result.stderr.splitlines()) == 1
    assert "pip install 'w2v[containers]'" in result.stderr
