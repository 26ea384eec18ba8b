"""The class of the network that a configuration is of."""

from __future__ import annotations

from typing import Any

from w2v_cli import model as networks
from w2v_cli.checkpoint.configs import CONFIG_FILE
from w2v_cli.errors import CheckpointError
from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.config import Wav2Vec2Config


def published_class(name: str, config: Wav2Vec2Config) -> Any:
    """Return the published class that a configuration names.

    Args:
        name: The checkpoint, for the message.
        config: Its configuration.

    Raises:
        CheckpointError: It names none that there is.
    """
    named = (config.architectures or ["nothing"])[0]
    if named not in networks.__all__ or not issubclass(
        found := getattr(networks, named), Wav2Vec2PreTrainedModel
    ):
        raise CheckpointError(
            f"{name}: its {CONFIG_FILE} names {named} as architecture, and a class such as "
            f"Wav2Vec2ForCTC is needed; correct it there"
        )
    return found
