"""Feature extractor and tokenizer of a checkpoint as one object."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from typing import Any

from w2v_cli.processing.processor_options import Wav2Vec2ProcessorKwargs, sort_kwargs
from w2v_cli.uploads import NotUploaded

__all__ = ["Wav2Vec2Processor", "Wav2Vec2ProcessorKwargs"]

# What the halves must be able to do. They are told by this and not by their class, so that
# those of another library fit as well.
_NEEDED = {
    "feature_extractor": ("pad", "to_dict", "model_input_names"),
    "tokenizer": ("pad", "decode", "convert_tokens_to_ids"),
}


class Wav2Vec2Processor(NotUploaded):
    """The published processor: `feature_extractor` for waveforms, `tokenizer` for text."""

    feature_extractor: Any
    tokenizer: Any

    valid_processor_kwargs = Wav2Vec2ProcessorKwargs
    skip_tensor_conversion: tuple[str, ...] = ()
    chat_template: str | None = None  # the published attribute; speech has none

    def __init__(self, feature_extractor: Any, tokenizer: Any) -> None:
        """Join the two.

        Raises:
            TypeError: One of them is something else.
        """
        for name, part in (("feature_extractor", feature_extractor), ("tokenizer", tokenizer)):
            if not all(hasattr(part, needed) for needed in _NEEDED[name]):
                raise TypeError(
                    f"Received a {type(part).__name__} for argument {name}, but a {name} was "
                    f"expected"
                )
        self.feature_extractor = feature_extractor
        self.tokenizer = tokenizer

    def __call__(self, audio: Any = None, text: Any = None, **kwargs: Any) -> Any:
        """Return the network's inputs of waveforms, the ids of text, or inputs with ``labels``.

        Args:
            audio: What the feature extractor takes: (samples,) or several of these.
            text: What the tokenizer takes: a text or a list of texts.
            kwargs: Arguments of the two, by name (for both where both have it), or in
                ``audio_kwargs``, ``text_kwargs`` and ``common_kwargs``.

        Raises:
            ValueError: There is neither audio nor text, or an argument is given twice.
        """
        if audio is None and text is None:
            raise ValueError("You need to specify either an `audio` or `text` input to process.")
        sorted_kwargs = self._merge_kwargs(
            tokenizer_init_kwargs=getattr(self.tokenizer, "init_kwargs", {}), **kwargs
        )
        inputs = encodings = None
        if audio is not None:
            inputs = self.feature_extractor(audio, **sorted_kwargs["audio_kwargs"])
        if text is not None:
            encodings = self.tokenizer(text, **sorted_kwargs["text_kwargs"])
        return with_labels(inputs, encodings)

    def pad(self, *args: Any, **kwargs: Any) -> Any:
        """Return a batch of inputs, of labels, or of inputs with ``labels``, padded.

        Args:
            args: ``input_features``, if not given by name.
            kwargs: ``input_features`` for the feature extractor's `pad`, ``labels`` for the
                tokenizer's, and arguments of both.
        """
        features = kwargs.pop("input_features", None)
        labels = kwargs.pop("labels", None)
        if args:
            features, *args = args  # type: ignore[assignment]  # the rest goes on as a list
        if features is not None:
            features = self.feature_extractor.pad(features, *args, **kwargs)
        if labels is not None:
            labels = self.tokenizer.pad(labels, **kwargs)
        return with_labels(features, labels)

    def _merge_kwargs(
        self,
        ModelProcessorKwargs: Any = None,  # noqa: N803  # the published name
        tokenizer_init_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, dict[str, Any]]:
        made_with = {
            name: getattr(self.tokenizer, name, value)
            for name, value in (tokenizer_init_kwargs or {}).items()
        }
        halves = ("audio_kwargs", "text_kwargs")
        defaults = {half: getattr(self, half) for half in halves if hasattr(self, half)}
        return sort_kwargs(kwargs, defaults=defaults, tokenizer_settings=made_with)

    def decode(self, *args: Any, **kwargs: Any) -> Any:
        """Return the text of one recording: the tokenizer's `decode`."""
        return self.tokenizer.decode(*args, **kwargs)

    def batch_decode(self, *args: Any, **kwargs: Any) -> Any:
        """Return the texts of several recordings: the tokenizer's `batch_decode`."""
        return self.tokenizer.batch_decode(*args, **kwargs)

    @property
    def model_input_names(self) -> list[str]:
        """What this processor can return."""
        return [*self.feature_extractor.model_input_names, "labels"]

    @classmethod
    def get_attributes(cls) -> list[str]:
        """Return the names of the two halves."""
        return list(_NEEDED)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        cache_dir: str | os.PathLike[str] | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        revision: str = "main",
        **kwargs: Any,
    ) -> Any:
        """Return the processor of a checkpoint.

        Args:
            pretrained_model_name_or_path: A folder, a model id or an embedded model's name.
            cache_dir: Where downloads are kept.
            force_download: Whether to download again what the cache has.
            local_files_only: Whether to leave the network alone.
            token: For gated and private models.
            revision: Branch, tag or commit.
            kwargs: ``feature_extractor`` or ``tokenizer`` to use instead of the checkpoint's;
                settings that replace those of either; ``subfolder``.

        Raises:
            ModelNotFoundError: There is no such checkpoint, or it lacks a file.
        """
        from w2v_cli.processing.feature_extractor import Wav2Vec2FeatureExtractor
        from w2v_cli.processing.tokenizer import Wav2Vec2CTCTokenizer

        with_unused = kwargs.pop("return_unused_kwargs", False)
        parts = {name: kwargs.pop(name, None) for name in cls.get_attributes()}
        where: dict[str, Any] = {
            "cache_dir": cache_dir,
            "force_download": force_download,
            "local_files_only": local_files_only,
            "token": token,
            "revision": revision,
        }
        name = pretrained_model_name_or_path
        if parts["feature_extractor"] is None:
            parts["feature_extractor"] = Wav2Vec2FeatureExtractor.from_pretrained(
                name, **where, **kwargs
            )
        if parts["tokenizer"] is None:
            parts["tokenizer"] = Wav2Vec2CTCTokenizer.from_pretrained(name, **where, **kwargs)
        processor = cls(**parts)
        return (processor, kwargs) if with_unused else processor

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any
    ) -> list[str]:
        """Return the path of the processor_config.json that it wrote with the tokenizer's files.

        Args:
            save_directory: A folder; it is made if it is missing.
            push_to_hub: The published argument; nothing is uploaded from here.
            kwargs: Accepted for code that saves several classes alike.

        Raises:
            ValueError: `push_to_hub` is True.
        """
        from w2v_cli.checkpoint import processors

        return processors.save_processor(self, save_directory, push_to_hub=push_to_hub)

    def to_dict(self) -> dict[str, Any]:
        """Return the feature extractor's settings and the name of the class."""
        return {
            "feature_extractor": copy.deepcopy(self.feature_extractor.to_dict()),
            "processor_class": type(self).__name__,
        }

    def to_json_string(self) -> str:
        """Return `to_dict` as JSON, sorted by name and ending with a newline."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def to_json_file(self, json_file_path: str | os.PathLike[str]) -> None:
        """Write `to_json_string` to a file."""
        with open(json_file_path, "w", encoding="utf-8") as file:
            file.write(self.to_json_string())

    def __repr__(self) -> str:
        parts = "\n".join(f"- {name}: {getattr(self, name)!r}" for name in self.get_attributes())
        return f"{type(self).__name__}:\n{parts}\n\n{self.to_json_string()}"


def with_labels(inputs: Any, encodings: Any) -> Any:
    """Return whichever of the two there is; of both, the inputs with the ids as labels."""
    if inputs is None or encodings is None:
        return encodings if inputs is None else inputs
    inputs["labels"] = encodings["input_ids"]
    return inputs
