"""Options of a beam search: what they refuse, and how hotwords become words."""

import pickle
from dataclasses import FrozenInstanceError

import pytest

from w2v_cli.decoding.options import BeamOptions, Hotword


def test_the_defaults_are_pyctcdecodes():
    from pyctcdecode import constants

    options = BeamOptions()
    assert options.beam_width == constants.DEFAULT_BEAM_WIDTH
    assert options.beam_prune_logp == constants.DEFAULT_PRUNE_LOGP
    assert options.token_min_logp == constants.DEFAULT_MIN_TOKEN_LOGP
    assert options.alpha == constants.DEFAULT_ALPHA
    assert options.beta == constants.DEFAULT_BETA
    assert options.unk_score_offset == constants.DEFAULT_UNK_LOGP_OFFSET
    assert options.lm_score_boundary is constants.DEFAULT_SCORE_LM_BOUNDARY
    assert options.hotword_weight == constants.DEFAULT_HOTWORD_WEIGHT
    assert options.prune_history is constants.DEFAULT_PRUNE_BEAMS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("beam_width", 0),
        ("n_best", 0),
        ("beam_prune_logp", 1.0),
        ("token_min_logp", float("nan")),
        ("alpha", float("nan")),
        ("beta", float("inf")),
    ],
)
def test_what_makes_no_sense_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        BeamOptions(**{name: value})


def test_a_phrase_is_as_many_hotwords_as_it_has_words():
    options = BeamOptions(
        hotwords=(Hotword("new york", 3.0), Hotword("york"), Hotword("ode")), hotword_weight=7.0
    )
    assert options.word_weights == {"new": 3.0, "york": 7.0, "ode": 7.0}
    with pytest.raises(ValueError, match="empty"):
        Hotword("  ")
    with pytest.raises(ValueError, match="the weight of sea is nan"):
        Hotword("sea", float("nan"))


def test_they_cannot_be_changed_and_travel_between_processes():
    options = BeamOptions(hotwords=(Hotword("sea", 2.0),))
    with pytest.raises(FrozenInstanceError):
        options.alpha = 1.0
    assert pickle.loads(pickle.dumps(options)) == options
    assert hash(options) == hash(BeamOptions(hotwords=(Hotword("sea", 2.0),)))
