from __future__ import annotations

import pytest
import torch

from w2v_cli import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2ForPreTraining


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_gradient_checkpointing_gives_the_same_gradients(pair, batch, norm, reentrant):
    _, model = pair("ForCTC", norm)
    model.config.apply_spec_augment = False
    model.train()
    gradients = []
    for enable in (False, True):
        if enable:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        assert model.is_gradient_checkpointing is enable
        model.zero_grad()
        model(batch[0], attention_mask=batch[1], labels=torch.tensor([[1, 2]] * 3)).loss.backward()
        gradients.append(
            {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        )
    assert not batch[0].requires_grad
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)
    model.gradient_checkpointing_disable()
    assert not model.is_gradient_checkpointing


def test_gradient_checkpointing_keeps_fewer_tensors(pair, batch):
    _, model = pair("ForCTC", "layer")
    model.train()

    def n_saved_bytes() -> int:
        saved: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            saved[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(batch[0])
        return sum(saved.values())

    plain = n_saved_bytes()
    model.gradient_checkpointing_enable()
    assert n_saved_bytes() < plain / 3


def test_frozen_parts_get_no_gradient(pair, batch):
    _, model = pair("ForSequenceClassification")
    model.freeze_feature_encoder()
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {n for n, _ in model.named_parameters() if "feature_extractor.conv" in n}
    model.freeze_base_model()
    model(batch[0], labels=torch.tensor([0, 1, 2])).loss.backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None}
    assert trained == {"projector.weight", "projector.bias", "classifier.weight", "classifier.bias"}


def test_overlapping_speakers_all_count_with_the_switch(pair, batch):
    reference, ours = pair("ForAudioFrameClassification")
    labels = torch.zeros(3, 37, 6)
    labels[:, :, 1] = 1
    one_speaker = ours(batch[0], labels=labels).loss
    labels[:, 10:, 4] = 1
    # As published: a frame's first active label alone counts; another speaker changes nothing.
    assert ours(batch[0], labels=labels).loss == one_speaker
    published = reference(batch[0], labels=labels).loss.item()
    assert published == pytest.approx(one_speaker.item(), rel=1e-5)
    ours.config.problem_type = "multi_label_classification"
    got = ours(*batch, labels=labels)
    real = ours._get_feature_vector_attention_mask(37, batch[1])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(got.logits[real], labels[real])
    torch.testing.assert_close(got.loss, expected)


def test_a_label_outside_the_vocabulary_is_refused(pair, batch):
    _, model = pair("ForCTC")
    with pytest.raises(ValueError, match="vocab_size: 11"):
        model(batch[0], labels=torch.tensor([[11]]))


def test_heads_that_have_no_convolutional_adapter_refuse_it(pair):
    for head in ("ForSequenceClassification", "ForAudioFrameClassification"):
        with pytest.raises(ValueError, match="does not support"):
            pair(head, add_adapter=True)


def test_a_language_needs_adapters():
    with pytest.raises(ValueError, match="target_lang"):
        Wav2Vec2ForCTC(Wav2Vec2Config(num_hidden_layers=1), target_lang="fra")


def test_adapters_are_drawn_anew(pair):
    _, model = pair("ForCTC", "layer", adapter_attn_dim=8)
    before = {name: p.clone() for name, p in model.named_parameters()}
    model.init_adapter_layers()
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed == set(model._get_adapters())


def test_distractors_need_their_mask(pair, batch):
    _, model = pair("ForPreTraining")
    with pytest.raises(ValueError, match="mask_time_indices"):
        model(batch[0], sampled_negative_indices=torch.zeros(3, 37, 5, dtype=torch.long))


@pytest.mark.parametrize("of_others", [False, True])
def test_the_contrastive_loss_is_that_of_every_distractor_by_itself(pair, of_others):
    _, model = pair("ForPreTraining")
    torch.manual_seed(0)
    context, quantized = torch.randn(2, 3, 7, 16)
    quantized[1, 2] = quantized[1, 4]  # two frames of one codebook entry
    drawn = torch.randint(7, (3, 7, 5)) + 7 * torch.arange(3)[:, None, None]
    drawn[1, 2] = 7 + 4
    if of_others:
        drawn = (drawn + 7) % 21
    masked = torch.rand(3, 7) < 0.7
    negatives = quantized.flatten(0, 1)[drawn].permute(2, 0, 1, 3)
    logits = model.compute_contrastive_logits(quantized[None], negatives, context, 0.1)
    logits[1:][(negatives == quantized).all(-1)] = -torch.inf
    expected = -logits.log_softmax(0)[0][masked].sum()
    got = model._contrastive_loss(context, quantized, drawn, masked)
    torch.testing.assert_close(got, expected)


def test_gumbel_temperature_and_codebook_size(pair):
    _, model = pair("ForPreTraining")
    model.set_gumbel_temperature(0.5)
    assert model.quantizer.temperature == 0.5
    with pytest.raises(ValueError, match="divisible"):
        Wav2Vec2ForPreTraining(Wav2Vec2Config(num_hidden_layers=1, codevector_dim=255))


def test_initial_weights_follow_the_published_distributions():
    torch.manual_seed(0)
    model = Wav2Vec2ForPreTraining(Wav2Vec2Config(num_hidden_layers=1, hidden_size=384))
    base = model.wav2vec2
    weight = base.encoder.layers[0].feed_forward.intermediate_dense.weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.02)
    positions = base.encoder.pos_conv_embed.conv
    assert positions.weight.std().item() == pytest.approx(2 * (1 / (128 * 384)) ** 0.5, rel=0.05)
    conv = base.feature_extractor.conv_layers[3].conv.weight
    assert conv.std().item() == pytest.approx((2 / (512 * 3)) ** 0.5, rel=0.02)
    assert model.quantizer.weight_proj.weight.std().item() == pytest.approx(1.0, rel=0.02)
    assert 0 <= model.quantizer.codevectors.min() <= 0.01
    assert base.masked_spec_embed.mean().item() == pytest.approx(0.5, abs=0.06)


def test_older_configurations_switch_checkpointing_on(pair):
    _, model = pair("ForCTC", gradient_checkpointing=True)
    assert model.is_gradient_checkpointing
    assert model.is_activation_checkpointing
    model.activation_checkpointing_disable()
    assert not model.is_gradient_checkpointing


# The frozen convolutions below are checkpointed too, and torch notices that they get none.
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_gradients_reach_reentrant_checkpoints_above_frozen_layers(pair, batch):
    _, model = pair("ForCTC", "layer", adapter_attn_dim=8)
    model.config.apply_spec_augment = False
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "adapter_layer" in name
    model.train()
    model.gradient_checkpointing_enable({"use_reentrant": True})
    model.enable_input_require_grads()
    model(*batch, labels=torch.tensor([[1, 2]] * 3)).loss.backward()
    adapters = [p for name, p in model.named_parameters() if "adapter_layer" in name]
    assert all(p.grad is not None for p in adapters)
    model.disable_input_require_grads()


def test_newer_names_of_gradient_checkpointing(pair):
    _, model = pair("ForCTC", "layer")
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    assert model.is_activation_checkpointing
    model.activation_checkpointing_disable()
    assert not model.is_gradient_checkpointing
    with pytest.raises(ValueError, match="every_n_layers"):
        model.activation_checkpointing_enable(every_n_layers=2)


@pytest.mark.parametrize("head", ["Model", "ForCTC"])
def test_parts_are_found_by_their_published_names(pair, head):
    for model in pair(head):
        network = model if head == "Model" else model.wav2vec2
        assert model.get_encoder() is network.encoder
        assert model.get_encoder(modality="audio") is model
        assert model.get_decoder() is network
        weight = network.encoder.layer_norm.weight
        name = next(name for name, p in model.named_parameters() if p is weight)
        assert model.get_parameter_or_buffer(name) is weight
        with pytest.raises(AttributeError):
            model.get_parameter_or_buffer("encoder.nothing")
        assert model.model_tags is None
        model.add_model_tags("speech")
        model.add_model_tags(["speech", "mine"])
        assert model.model_tags == ["speech", "mine"]
        model.set_attn_implementation({"": "eager"})
        assert model.config._attn_implementation == "eager"


def test_masks_may_be_floats(pair, batch):
    reference, model = pair("ForCTC")
    input_values, attention_mask = batch
    labels = torch.tensor([[1, 2], [3, 4], [5, 6]])
    wanted = reference(input_values, attention_mask=attention_mask.float(), labels=labels).loss
    found = model(input_values, attention_mask=attention_mask.float(), labels=labels).loss
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("buffers", [True, False])
def test_memory_is_counted_as_the_reference_does(pair, buffers):
    reference, model = pair("ForCTC")
    wanted = reference.get_memory_footprint(return_buffers=buffers)
    assert model.get_memory_footprint(return_buffers=buffers) == wanted
