"""Which hypothesis belongs to which reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v_cli.errors import UsageError
from w2v_cli.scoring import NamedText, Pair, Pairing, pair_texts


def texts(*names):
    return [NamedText(name, f"text of {name}") for name in names]


def paired(references, hypotheses):
    """Return the names of pairs, then of what is alone."""
    result = pair_texts(texts(*references), texts(*hypotheses))
    pairs = [(pair.reference[8:], pair.hypothesis[8:]) for pair in result.pairs]
    return pairs, result.without_hypothesis, result.without_reference


def test_two_single_texts_belong_together():
    assert pair_texts(texts("said.txt"), texts("heard.json")) == Pairing(
        (Pair("said.txt", "text of said.txt", "text of heard.json"),)
    )


def test_by_name_without_suffix_and_order():
    assert paired(["a.txt", "b.txt"], ["/x/b.wav", "/x/a.wav"]) == (
        [("a.txt", "/x/a.wav"), ("b.txt", "/x/b.wav")],
        (),
        (),
    )


def test_with_as_many_folders_as_it_takes():
    references = ["audio/bed/1.opus", "audio/cat/1.opus"]
    hypotheses = ["/data/audio/cat/1.wav", "/data/audio/bed/1.wav"]
    assert paired(references, hypotheses)[0] == [
        (references[0], hypotheses[1]),
        (references[1], hypotheses[0]),
    ]


def test_dots_in_names():
    assert paired(["take.1", "take.2"], ["take.2.wav", "take.1.wav"])[0] == [
        ("take.1", "take.1.wav"),
        ("take.2", "take.2.wav"),
    ]


def test_parts_of_recordings():
    """Of rows by their times, exactly; of files by the names that the batch gives them."""
    close = [NamedText("a.wav#t=1.001,2", "go"), NamedText("a.wav#t=1.004,2", "left")]
    assert [pair.hypothesis for pair in pair_texts(close, close[::-1]).pairs] == ["go", "left"]
    rows = [NamedText("a.wav#t=0,2.5", "go"), NamedText("b/c#channel=2", "left")]
    files = [NamedText("out/c.channel2.txt", "left"), NamedText("out/a.0.00-2.50.txt", "go")]
    assert [pair.hypothesis for pair in pair_texts(rows, files).pairs] == ["go", "left"]


def test_what_is_alone_is_named():
    assert paired(["a", "b"], ["b", "c", "d"]) == ([("b", "b")], ("a",), ("c", "d"))
    assert paired(["a", "b"], []) == ([], ("a", "b"), ())


def test_a_failed_recording_is_no_hypothesis():
    for references in (texts("a"), texts("a", "b")):
        pairing = pair_texts(references, [NamedText("a", None)])
        assert (pairing.pairs, pairing.without_reference) == ((), ())
        assert pairing.without_hypothesis == tuple(r.name for r in references)


def test_a_name_used_twice():
    with pytest.raises(UsageError, match=r"x/a: 2 texts have this name on the side of the hyp"):
        paired(["x/a", "x/b"], ["x/a.wav", "x/a.mp3", "x/b.wav"])


def test_names_that_only_suffixes_tell_apart():
    """Two recordings of one stem, on both sides; others keep being called without suffix."""
    heard = ["stop.opus", "stop.ogg", "go.wav"]
    pairs, without, _ = paired(heard, ["stop.ogg", "go.txt", "stop.opus"])
    assert not without
    assert sorted(pairs) == [("go.wav", "go.txt"), *((name, name) for name in sorted(heard[:2]))]
    pairs, *alone = paired(heard, ["out/go.txt", "out/stop.ogg", "out/stop.opus"])
    assert len(pairs) == 3
    assert not any(alone)
    with pytest.raises(UsageError, match="stop: 2 texts have this name on the side of the ref"):
        paired(heard, ["stop.ogg", "go.txt", "stop.ogg"])


names = st.lists(st.text("ab/.", min_size=1, max_size=5), max_size=5)


@given(names, names)
def test_nothing_gets_lost(references, hypotheses):
    try:
        pairs, without_hypothesis, without_reference = paired(references, hypotheses)
    except UsageError:
        return
    assert sorted([*(r for r, _ in pairs), *without_hypothesis]) == sorted(references)
    assert sorted([*(h for _, h in pairs), *without_reference]) == sorted(hypotheses)
