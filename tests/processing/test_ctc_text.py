"""Runs of tokens become characters and words, each with its frames."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import Wav2Vec2CTCTokenizer as Reference
from transformers.models.wav2vec2.tokenization_wav2vec2 import (
    Wav2Vec2CTCTokenizerOutput as ReferenceOutput,
)

from w2v_cli.processing.ctc_text import (
    CTCRules,
    Wav2Vec2CTCTokenizerOutput,
    character_offsets,
    clean_up_spaces,
    word_offsets,
)

FRAMES = st.lists(st.sampled_from(["A", "B", "CH", "_", "|", " "]), max_size=30)
RULES = CTCRules(blank="_", word_delimiter="|", written_delimiter=" ")


@given(frames=FRAMES)
def test_every_frame_is_a_blank_or_in_one_character(frames: list[str]) -> None:
    covered = [
        frame
        for offset in character_offsets(frames, RULES)
        for frame in range(offset["start_offset"], offset["end_offset"])
    ]
    assert covered == [frame for frame, token in enumerate(frames) if token != "_"]


@given(frames=FRAMES)
def test_words_equal_the_reference(frames: list[str]) -> None:
    characters = character_offsets(frames, RULES)
    assert word_offsets(characters) == Reference._get_word_offsets(characters)


@given(frames=FRAMES)
def test_without_grouping_every_frame_is_a_character(frames: list[str]) -> None:
    rules = CTCRules("_", "|", " ", group_tokens=False)
    offsets = character_offsets(frames, rules)
    assert len(offsets) == len(frames) - frames.count("_")
    assert all(offset["end_offset"] - offset["start_offset"] == 1 for offset in offsets)


def test_a_blank_keeps_a_double_letter_apart() -> None:
    text = [offset["char"] for offset in character_offsets("HHE_L_LLO||A", RULES)]
    assert "".join(text) == "HELLO A"


@given(text=st.text(alphabet="an' .?!,smtve", max_size=40))
def test_blanks_are_cleaned_up_like_the_reference(text: str) -> None:
    assert clean_up_spaces(text) == Reference.clean_up_tokenization(None, text)


@pytest.mark.parametrize("make", [Wav2Vec2CTCTokenizerOutput, ReferenceOutput])
def test_the_output_is_read_in_three_ways(make: Any) -> None:
    output = make(text="HI", word_offsets=[{"word": "HI"}])
    assert output.text == output["text"] == output[0] == "HI"
    assert output.char_offsets is None
    assert list(output.keys()) == ["text", "word_offsets"]
    assert output.to_tuple() == ("HI", [{"word": "HI"}])
    assert "char_offsets" not in output
    output.char_offsets = [1]
    assert output["char_offsets"] == [1]
    output["text"] = "HO"
    assert output.text == "HO"
    from_mapping = make({"text": ["HI"], "char_offsets": [[]]})
    assert (from_mapping.text, from_mapping["char_offsets"]) == (["HI"], [[]])
    assert from_mapping.word_offsets is None
    for copied in (copy.deepcopy(output), pickle.loads(pickle.dumps(output))):
        assert copied == output
        assert dict(copied) == dict(output)
