"""The grid is searched whole, and the best of equals is in their middle."""

import json

import numpy as np
import pytest

from w2v_cli.decoding import Hypothesis
from w2v_cli.decoding.options import BeamOptions
from w2v_cli.errors import UsageError
from w2v_cli.language_model.tune import Point, best_point, read_manifest, search


class Decoder:
    """Hears everything right at alpha 1, and half of it elsewhere."""

    def submit(self, batch, options):
        self.texts = ["go left", "stop" if options.alpha == 1 else "top"]
        assert len(batch) == 2
        return self

    def result(self):
        return [(Hypothesis(text, (), 0.0),) for text in self.texts]


def test_every_pair_is_tried_and_scored():
    points = search(
        Decoder(),
        [np.zeros((1, 2))] * 2,
        ["Go, left!", "stop"],
        BeamOptions(),
        alphas=(0, 1),
        betas=(2, 3),
    )
    assert [(p.alpha, p.beta, p.errors, p.n_words) for p in points] == [
        (0, 2, 1, 3),
        (0, 3, 1, 3),
        (1, 2, 0, 3),
        (1, 3, 0, 3),
    ]
    assert points[0].wer == pytest.approx(1 / 3)


def test_of_equals_the_middle_is_best():
    grid = [Point(a, b, int(b == 9), 10) for a in (0, 1, 2) for b in (0, 1, 2, 9)]
    assert best_point(grid) == Point(1, 1, 0, 10)


def test_a_manifest_gives_its_recordings(tmp_path):
    manifest = tmp_path / "manifest.jsonl"
    entries = [
        {"audio_filepath": f"{i}.wav", "text": str(i), "split": "dev" if i % 2 else "train"}
        for i in range(10)
    ]
    text = "\n".join(map(json.dumps, entries)) + "\n\n"
    manifest.write_text(text, encoding="utf-8-sig")  # with the mark that Windows puts first
    assert len(read_manifest(manifest, split=None, limit=None)) == 10
    assert [c.text for c in read_manifest(manifest, split="dev", limit=2)] == ["1", "5"]
    assert read_manifest(manifest, split="dev", limit=1)[0].path == str(tmp_path / "1.wav")
    with pytest.raises(UsageError, match="no recordings of the split test"):
        read_manifest(manifest, split="test", limit=None)


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"text": "a"}', "3", '{"audio_filepath": "b", "text": null}']
)
def test_a_line_that_is_no_recording_is_named(tmp_path, line):
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(f'{{"audio_filepath": "a", "text": ""}}\n{line}\n')
    with pytest.raises(UsageError, match=r"manifest\.jsonl:2: needs a JSON object"):
        read_manifest(manifest, split=None, limit=None)
