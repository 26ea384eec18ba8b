"""The class of the network that a configuration is of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from w2v_cli import model as networks
from w2v_cli.checkpoint.configs import CONFIG_FILE
from w2v_cli.errors import CheckpointError, W2VError
from w2v_cli.model.base import Wav2Vec2PreTrainedModel, skip_init
from w2v_cli.model.config import Wav2Vec2Config

_FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def published_class(name: str, config: Wav2Vec2Config) -> Any:
    """Return the published class that a configuration names.

    Args:
        name: The checkpoint, for the message.
        config: Its configuration.

    Raises:
        CheckpointError: It names none that there is.
    """
    named = (config.architectures or ["nothing"])[0]
    found = getattr(networks, named) if named in networks.__all__ else None
    if not isinstance(found, type) or not issubclass(found, Wav2Vec2PreTrainedModel):
        raise CheckpointError(
            f"{name}: its {CONFIG_FILE} names {named} as architecture, and a class such as "
            f"Wav2Vec2ForCTC is needed; correct it there"
        )
    return found


@contextmanager
def explaining_networks(
    name: str | os.PathLike[str], config: Wav2Vec2Config, model_class: Any
) -> Iterator[None]:
    """Load a model; where that fails since its configuration makes no network, say so.

    Args:
        name: The checkpoint, for the message.
        config: Its configuration.
        model_class: The class that is loaded.

    Raises:
        CheckpointError: The configuration makes no network.
    """
    try:
        yield
    except W2VError:
        raise
    except _FAILURES:
        try:
            with skip_init(), torch.device("meta"):
                model_class(config)
        except _FAILURES as error:
            raise CheckpointError(
                f"{name}: its {CONFIG_FILE} makes no network ({error}); correct it there, or fetch "
                f"or save the model again"
            ) from error
        raise
