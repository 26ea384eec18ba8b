"""The arguments of a processor's call reach the half that they are for."""

from __future__ import annotations

from typing import Any

import pytest

from w2v_cli.processing.processor_options import sort_kwargs


def sort(given: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    return sort_kwargs(given, **{"defaults": {}, "tokenizer_settings": {}, **more})


def test_what_both_understand_is_for_both() -> None:
    halves = sort({"padding": True, "sampling_rate": 16000, "padding_side": "left"})
    assert halves["audio_kwargs"] == {"padding": True, "sampling_rate": 16000}
    assert halves["text_kwargs"] == {"padding": True, "padding_side": "left"}


def test_what_is_said_later_wins() -> None:
    layers: dict[str, Any] = {"defaults": {"text_kwargs": {"max_length": 1, "padding": 1}}}
    assert sort({}, **layers)["text_kwargs"]["max_length"] == 1
    layers["tokenizer_settings"] = {"max_length": 2, "unk_token": "<unk>"}
    assert sort({}, **layers)["text_kwargs"] == {"max_length": 2, "padding": 1}
    assert sort({}, **layers)["audio_kwargs"] == {"max_length": 2}
    common = {"common_kwargs": {"max_length": 3}}
    assert sort(common, **layers)["text_kwargs"]["max_length"] == 3
    one_half = {**common, "text_kwargs": {"max_length": 4}}
    assert sort(one_half, **layers)["text_kwargs"]["max_length"] == 4
    assert sort(one_half, **layers)["audio_kwargs"]["max_length"] == 3
    assert sort({**common, "max_length": 5}, **layers)["audio_kwargs"]["max_length"] == 5


def test_what_is_given_is_not_changed() -> None:
    given = {"common_kwargs": {"padding": True}, "text_kwargs": {"stride": 1}}
    sort(given)["text_kwargs"]["stride"] = 2
    assert given == {"common_kwargs": {"padding": True}, "text_kwargs": {"stride": 1}}


def test_an_argument_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="padding was passed two times"):
        sort({"padding": True, "text_kwargs": {"padding": False}})


def test_what_is_no_argument_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    halves = sort({"loudness": 11, "images_kwargs": {}})
    assert halves == {name: {} for name in halves}
    assert [record.args for record in caplog.records] == [("loudness",)]
