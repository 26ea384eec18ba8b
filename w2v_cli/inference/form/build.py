"""From a trained model to its form for inference, part by part and in place."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn

from w2v_cli.inference.form.features import TiledFeatureEncoder
from w2v_cli.inference.form.layers import AdapterConvolution, PostNormLayer, PreNormLayer, Rows
from w2v_cli.inference.form.positions import positions_form
from w2v_cli.inference.form.products import (
    FloatProducts,
    PackedLinear,
    Products,
    multiplies_bfloat16,
)
from w2v_cli.model.base import Wav2Vec2PreTrainedModel
from w2v_cli.model.classification import Wav2Vec2ForAudioFrameClassification
from w2v_cli.model.encoder import Wav2Vec2EncoderLayerStableLayerNorm

Model = TypeVar("Model", bound=Wav2Vec2PreTrainedModel)

# The linear layers of heads that see every frame, by their names there. Those of an x-vector's
# TDNN and of pooled recordings stay: they are little work.
_HEADS = ("lm_head", "projector")


def has_onednn() -> bool:
    """Return whether this PyTorch has the products that the form is made of."""
    return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]  # torch's own


def has_form(device: torch.device, dtype: torch.dtype) -> bool:
    """Return whether a model that is to run there is put into its form for inference.

    In bfloat16 it is where the processor multiplies that: then products are of bfloat16, and the
    rest float32.
    """
    if device.type != "cpu" or not has_onednn():
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and multiplies_bfloat16())


def why_not(model: Wav2Vec2PreTrainedModel) -> str | None:
    """Return why a model stays as it was trained; None where it needn't."""
    if model.device.type != "cpu":
        return f"it runs on {model.device}"
    if model.dtype != torch.float32:
        return f"it calculates in {str(model.dtype).removeprefix('torch.')}"
    if model.training:
        return "it is being trained"
    if getattr(model, "is_loaded_in_8bit", False):
        return "its linear layers are in 8 bits"
    if not has_onednn():
        return "this PyTorch has no oneDNN"
    return None


def is_inference_form(model: Wav2Vec2PreTrainedModel) -> bool:
    """Return whether a model is what `inference_form` returned."""
    return any(isinstance(module, TiledFeatureEncoder) for module in model.modules())


def products_dtype(model: Wav2Vec2PreTrainedModel) -> torch.dtype:
    """Return what a model multiplies in where its products are of floats."""
    packed = (module.dtype for module in model.modules() if isinstance(module, PackedLinear))
    return next(packed, model.dtype)


@torch.no_grad()
def inference_form(model: Model, products: Products | None = None) -> Model:
    """Return a model in its form for inference: the same class, call and output.

    The model itself is changed, part after part, so that its weights are in memory once. It
    can't be trained or saved any more. A hidden layer's outputs, attention weights, masks,
    `padding_invariant` and `attention_window` are as before.

    Args:
        model: In evaluation mode, with all adapters that it is to have.
        products: Where matrix products come from; None for `FloatProducts`.

    Raises:
        ValueError: It can't be; `why_not` says why.
    """
    reason = why_not(model)
    if reason is not None:
        raise ValueError(f"no form for inference: {reason}")
    products = products or FloatProducts()
    base: Any = model.base_model
    base.feature_extractor = TiledFeatureEncoder(base.feature_extractor, products)
    projection = base.feature_projection
    projection.projection = Rows(projection.projection, products)
    encoder = base.encoder
    encoder.pos_conv_embed = positions_form(encoder.pos_conv_embed)
    for index, layer in enumerate(encoder.layers):
        stable = isinstance(layer, Wav2Vec2EncoderLayerStableLayerNorm)
        encoder.layers[index] = (PreNormLayer if stable else PostNormLayer)(layer, products)
    if base.adapter is not None:
        _replace_adapter(base.adapter, products)
    _replace_head(model, products)
    model.eval()  # the new parts, too
    return model.requires_grad_(False)


def _replace_adapter(adapter: Any, products: Products) -> None:
    if adapter.proj is not None:
        adapter.proj = Rows(adapter.proj, products)
    for index, layer in enumerate(adapter.layers):
        adapter.layers[index] = AdapterConvolution(layer, products)


def _replace_head(model: nn.Module, products: Products) -> None:
    sees_frames = isinstance(model, Wav2Vec2ForAudioFrameClassification)
    names = (*_HEADS, "classifier") if sees_frames else _HEADS
    for name in names:
        linear = getattr(model, name, None)
        if linear is not None:
            setattr(model, name, Rows(linear, products))
