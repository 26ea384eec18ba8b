"""Labels are those of transformers' audio-classification pipeline, whatever the way there."""

import numpy as np
import pytest
import transformers

from w2v_cli.audio import Waveforms
from w2v_cli.audio.waveforms import HeldStream
from w2v_cli.errors import AudioError, UsageError
from w2v_cli.inference.labeller import Labeller
from w2v_cli.tasks.classify import Classifier, apply_function, default_function, label_chunking
from w2v_cli.tasks.windows import WindowCutter, Windowing

RATE = 16000
KINDS = {
    "group": {"norm": "group"},
    "layer": {"norm": "layer"},
    "group, layers summed": {"norm": "group", "use_weighted_layer_sum": True},
    "layer, layers summed": {"norm": "layer", "use_weighted_layer_sum": True},
}


def in_memory(*channels, start_seconds=0.0):
    return Waveforms(
        channels=channels,
        channel_numbers=tuple(range(1, len(channels) + 1)) if len(channels) > 1 else (None,),
        sample_rate=RATE,
        start_seconds=start_seconds,
        duration_seconds=len(channels[0]) / RATE,
    )


@pytest.fixture(scope="module", params=KINDS)
def folder(request, tmp_path_factory, save_label_model):
    """A small model of either norm, with and without a sum of its layers."""
    return save_label_model(tmp_path_factory.mktemp("labels"), **KINDS[request.param])


@pytest.fixture(scope="module")
def pipeline(folder):
    return transformers.pipeline("audio-classification", model=str(folder), device="cpu")


@pytest.fixture(scope="module")
def labeller(folder):
    return Labeller.load(folder)


def expected(pipeline, waveform, **options):
    return {row["label"]: row["score"] for row in pipeline(waveform, top_k=None, **options)}


def differences(result, stretch, reference):
    scores = dict(zip(result.names, result.scores[stretch].tolist(), strict=True))
    return [abs(scores[label] - reference[label]) for label in reference]


@pytest.mark.parametrize("function", ["softmax", "sigmoid", "none"])
def test_as_the_reference(pipeline, labeller, babble, function):
    waveform = babble(2 * RATE + 77)
    result = Classifier(labeller, function).classify(in_memory(waveform))
    reference = expected(pipeline, waveform, function_to_apply=function)
    assert max(differences(result, 0, reference)) < 1e-5
    assert [label.text for label in result.labels] == list(reference)  # best first
    assert (result.function, result.windowed, result.duration_seconds) == (
        function,
        False,
        len(waveform) / RATE,
    )


def test_a_padded_batch(pipeline, labeller, babble):
    """As the reference in its own padded batch, where that hears no padding; else as alone."""
    waveforms = [babble(n, seed=n) for n in (RATE, 2 * RATE + 1, 700, 3 * RATE)]
    classifier = Classifier(labeller)
    sessions = [classifier.session(HeldStream(in_memory(w)), None) for w in waveforms]
    chunks = [next(session.chunks()) for session in sessions]
    for session, chunk, output in zip(sessions, chunks, classifier.run(chunks), strict=True):
        session.take(chunk, output)
    results = [session.finish().result() for session in sessions]
    batched = labeller.group_norm_span is None
    references = pipeline(waveforms, top_k=None, batch_size=len(waveforms) if batched else 1)
    for result, rows in zip(results, references, strict=True):
        reference = {row["label"]: row["score"] for row in rows}
        assert max(differences(result, 0, reference)) < 1e-5


@pytest.mark.parametrize("piece_seconds", [0.5, 3.0])
def test_a_long_recording_is_as_the_whole(pipeline, folder, babble, piece_seconds):
    waveform = babble(45 * RATE + 5) * np.linspace(0.1, 1.0, 45 * RATE + 5, dtype=np.float32)
    waveform[20 * RATE : 26 * RATE] = 0.0  # silence is heard, as it is in the whole
    classifier = Classifier.load(folder, chunking=label_chunking(piece_seconds))
    result = classifier.classify(in_memory(waveform))
    assert max(differences(result, 0, expected(pipeline, waveform))) < 1e-5


def test_beyond_some_length_frames_are_pooled_over_chunks(pipeline, folder, babble):
    """What is cut hears less around itself, so that it is near and not the same."""
    waveform = babble(40 * RATE)
    found = {}
    for whole_seconds in (30.0, 45.0):
        chunking = label_chunking(10.0, whole_seconds)
        result = Classifier.load(folder, chunking=chunking).classify(in_memory(waveform))
        found[whole_seconds] = max(differences(result, 0, expected(pipeline, waveform)))
    assert 1e-5 < found[30.0] < 0.05
    assert found[45.0] < 1e-5


@pytest.mark.slow
def test_twelve_minutes_whole_as_the_reference(label_folder, babble):
    waveform = babble(12 * 60 * RATE) * np.linspace(0.1, 1.0, 12 * 60 * RATE, dtype=np.float32)
    classifier = Classifier.load(label_folder, chunking=label_chunking(whole_seconds=1000.0))
    result = classifier.classify(in_memory(waveform))
    pipeline = transformers.pipeline("audio-classification", model=str(label_folder), device="cpu")
    assert max(differences(result, 0, expected(pipeline, waveform))) < 1e-5


def test_no_more_is_heard_whole_than_memory_has_room_for(label_folder):
    labeller = Labeller.load(label_folder)
    room = labeller.longest_whole_seconds
    assert room > 600
    Classifier(labeller, chunking=label_chunking(whole_seconds=room))
    with pytest.raises(UsageError, match=f"has room for {room:.0f} s; choose no more"):
        Classifier(labeller, chunking=label_chunking(whole_seconds=room + 1))


def test_a_window_is_heard_as_if_it_were_cut_out(pipeline, labeller, babble):
    waveform = babble(7 * RATE // 2)
    classifier = Classifier(labeller, windowing=Windowing(1.0, 0.75))
    result = classifier.classify(in_memory(waveform, start_seconds=10.0))
    spans = [(s.start_seconds, s.end_seconds) for s in result.stretches]
    assert spans == [(10.0, 11.0), (10.75, 11.75), (11.5, 12.5), (12.25, 13.25), (12.5, 13.5)]
    for index, (start, _) in enumerate(spans):
        first = round((start - 10) * RATE)
        reference = expected(pipeline, waveform[first : first + RATE])
        assert max(differences(result, index, reference)) < 1e-5


@pytest.mark.parametrize("block_samples", [1000, 16000, 100000])
def test_windows_do_not_depend_on_how_a_recording_is_read(labeller, babble, block_samples):
    waveform = np.stack([babble(5 * RATE + 3), babble(5 * RATE + 3, seed=1)])
    cutter = WindowCutter(labeller, Windowing(2.0, 0.7))
    blocks = [waveform[:, at : at + block_samples] for at in range(0, 80003, block_samples)]
    windows = list(cutter.chunks(lambda: iter(blocks)))
    starts = [(w.start_sample, w.end_sample) for w in windows[::2]]
    assert starts == [(at, at + 32000) for at in (0, 11200, 22400, 33600, 44800, 48003)]
    assert [w.channel for w in windows] == [0, 1] * 6
    for window in windows:
        piece = waveform[window.channel, window.start_sample : window.end_sample]
        np.testing.assert_array_equal(window.input_values, labeller.normalised(piece))


def test_a_recording_shorter_than_a_window_is_one(labeller, babble):
    result = Classifier(labeller, windowing=Windowing(5.0, 1.0)).classify(in_memory(babble(RATE)))
    assert [(s.start_seconds, s.end_seconds) for s in result.stretches] == [(0.0, 1.0)]


def test_a_stream_is_labelled_as_a_recording(labeller, babble):
    waveform = babble(3 * RATE)
    classifier = Classifier(labeller, windowing=Windowing(1.0, 0.5))
    whole = classifier.classify(in_memory(waveform))
    found = list(classifier.windows(iter(np.split(waveform, [100, 20000, 20001]))))
    assert [r.stretches[0] for r in found] == list(whole.stretches)
    np.testing.assert_allclose(np.concatenate([r.scores for r in found]), whole.scores, atol=1e-6)


def test_channels_are_labelled_apart(labeller, babble):
    left, right = babble(RATE), babble(RATE, seed=5)
    classifier = Classifier(labeller)
    both = classifier.classify(in_memory(left, right))
    assert [stretch.channel for stretch in both.stretches] == [1, 2]
    for index, waveform in enumerate((left, right)):
        alone = classifier.classify(in_memory(waveform))
        np.testing.assert_allclose(both.scores[index], alone.scores[0], atol=1e-6)


@pytest.mark.parametrize(
    ("problem_type", "labels", "function"),
    [
        (None, 4, "softmax"),
        ("single_label_classification", 2, "softmax"),
        ("multi_label_classification", 3, "sigmoid"),
        ("regression", 1, "none"),
    ],
)
def test_functions_by_problem_type(
    tmp_path, save_label_model, babble, problem_type, labels, function
):
    save_label_model(tmp_path, labels=labels, problem_type=problem_type)
    assert default_function(problem_type) == function
    waveform = babble(RATE)
    result = Classifier.load(tmp_path).classify(in_memory(waveform))
    pipeline = transformers.pipeline("audio-classification", model=str(tmp_path), device="cpu")
    assert result.function == function
    assert max(differences(result, 0, expected(pipeline, waveform))) < 1e-5


def test_functions_of_large_numbers():
    large = np.array([[1000.0, -1000.0, 0.0]], np.float32)
    np.testing.assert_array_equal(apply_function("softmax", large), [[1, 0, 0]])
    np.testing.assert_array_equal(apply_function("sigmoid", large), [[1, 0, 0.5]])
    np.testing.assert_array_equal(apply_function("none", large), large)


def test_chosen_labels_keep_their_scores(label_folder, babble):
    labeller = Labeller.load(label_folder)
    waveforms = in_memory(babble(RATE))
    every = Classifier(labeller).classify(waveforms)
    some = Classifier(labeller, labels=("word4", "word1")).classify(waveforms)
    assert some.names == ("word1", "word4")
    np.testing.assert_array_equal(some.scores, every.scores[:, [1, 4]])
    with pytest.raises(UsageError, match=r"--labels left: .* has no such label; it has word0, "):
        Classifier(labeller, labels=("left",))


@pytest.mark.parametrize("windowing", [None, Windowing(1.0, 0.5)])
def test_scores_that_are_no_numbers_are_an_error(label_folder, babble, windowing):
    """As where an output is too large for half precision: a softmax would make nan of it."""
    classifier = Classifier.load(label_folder, windowing=windowing)
    classifier.labeller.model.classifier.bias.fill_(np.inf)
    with pytest.raises(AudioError, match=r"a\.wav: .* gave what is not a number"):
        classifier.classify(in_memory(babble(RATE)), source="a.wav")
    if windowing is not None:
        with pytest.raises(AudioError, match=r"standard input: .* gave what is not a number"):
            list(classifier.windows(iter([babble(RATE)])))


def test_no_samples_have_no_label(label_folder):
    classifier = Classifier.load(label_folder)
    with pytest.raises(AudioError, match=r"^x\.wav: no samples, so there is nothing to label$"):
        classifier.classify(in_memory(np.zeros(0, np.float32)), source="x.wav")


def test_the_envelope_is_kept_for_pictures_alone(label_folder, babble):
    waveform = babble(RATE)
    assert Classifier.load(label_folder).classify(in_memory(waveform)).envelope is None
    drawn = Classifier.load(label_folder, draws=True).classify(in_memory(waveform))
    assert drawn.envelope.seconds == 1.0
    assert drawn.envelope.bounds.max() == waveform.max()
