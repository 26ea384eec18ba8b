"""Feature extractors and processors are found in a checkpoint and saved like the reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

from w2v_cli.errors import CheckpointError, ModelNotFoundError, WriteError
from w2v_cli.processing import Wav2Vec2FeatureExtractor, Wav2Vec2Processor

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", *"|ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
VOCAB = {token: index for index, token in enumerate(LETTERS)}


def write(folder: Path, files: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_loads_a_checkpoint_laid_out_like_wav2vec2_base_960h(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "base",
        {
            "vocab.json": VOCAB,
            "special_tokens_map.json": {
                "bos_token": "<s>",
                "eos_token": "</s>",
                "pad_token": "<pad>",
            },
            "tokenizer_config.json": {
                "unk_token": "<unk>",
                "bos_token": "<s>",
                "eos_token": "</s>",
                "pad_token": "<pad>",
                "do_lower_case": False,
                "return_attention_mask": False,
                "do_normalize": True,
            },
            "preprocessor_config.json": {
                "do_normalize": True,
                "feature_size": 1,
                "padding_side": "right",
                "padding_value": 0.0,
                "return_attention_mask": False,
                "sampling_rate": 16000,
            },
        },
    )
    processor = Wav2Vec2Processor.from_pretrained(str(folder))
    assert processor.tokenizer.decode([11, 5, 15, 0, 15, 8, 98]) == "HELLO<unk>"
    assert processor.feature_extractor.return_attention_mask is False
    assert (
        repr(processor.feature_extractor)
        == repr(Wav2Vec2FeatureExtractor())
        == repr(transformers.Wav2Vec2FeatureExtractor.from_pretrained(str(folder)))
    )


def test_the_feature_extractor_saves_the_bytes_of_the_reference(tmp_path: Path) -> None:
    settings = {"return_attention_mask": True, "padding_side": "left", "note": "kept"}
    ours = Wav2Vec2FeatureExtractor(**settings)
    theirs = transformers.Wav2Vec2FeatureExtractor(**settings)
    assert ours.save_pretrained(tmp_path / "ours") == [
        str(tmp_path / "ours" / "preprocessor_config.json")
    ]
    theirs.save_pretrained(str(tmp_path / "theirs"))
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")
    loaded = Wav2Vec2FeatureExtractor.from_pretrained(tmp_path / "theirs", do_normalize=False)
    assert (loaded.padding_side, loaded.do_normalize, loaded.note) == ("left", False, "kept")
    file = tmp_path / "ours" / "preprocessor_config.json"
    assert Wav2Vec2FeatureExtractor.from_pretrained(file).to_dict() == ours.to_dict()


def test_the_settings_of_a_processor_come_first(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m",
        {
            "preprocessor_config.json": {"sampling_rate": 8000},
            "processor_config.json": {"feature_extractor": {"sampling_rate": 16000}},
        },
    )
    assert Wav2Vec2FeatureExtractor.from_pretrained(folder).sampling_rate == 16000


def test_a_feature_extractor_by_its_other_name(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m", {"processor_config.json": {"audio_processor": {"sampling_rate": 8000}}}
    )
    for cls in (Wav2Vec2FeatureExtractor, transformers.Wav2Vec2FeatureExtractor):
        assert cls.from_pretrained(folder).sampling_rate == 8000


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty", {})
    for cls in (Wav2Vec2FeatureExtractor, Wav2Vec2Processor):
        with pytest.raises(ModelNotFoundError, match=r"empty: no preprocessor_config\.json there"):
            cls.from_pretrained(empty)
    broken = write(tmp_path / "broken", {"preprocessor_config.json": []})
    with pytest.raises(
        CheckpointError, match=r"preprocessor_config\.json: a JSON object is needed"
    ):
        Wav2Vec2FeatureExtractor.from_pretrained(broken)


def test_saves_into_folders_only(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    extractor = Wav2Vec2FeatureExtractor()
    with pytest.raises(WriteError, match="a folder is needed here, and this is a file"):
        extractor.save_pretrained(file)
    with pytest.raises(ValueError, match="nothing is uploaded from here"):
        extractor.save_pretrained(tmp_path, push_to_hub=True)
