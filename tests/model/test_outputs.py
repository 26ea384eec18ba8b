from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
import torch

from w2v_cli.model import CausalLMOutput, Wav2Vec2BaseModelOutput


def test_fields_keys_and_positions_name_the_same_tensors():
    logits = torch.ones(2)
    output = CausalLMOutput(logits=logits, hidden_states=(logits,))
    assert output[0] is output["logits"] is output.logits is logits
    assert output[1:] == ((logits,),)
    assert list(output) == ["logits", "hidden_states"]
    assert output.loss is None
    assert "loss" not in output
    assert len(output.to_tuple()) == 2


def test_setting_a_field_sets_its_key():
    output = CausalLMOutput(logits=torch.ones(1))
    output.logits = torch.zeros(1)
    assert output["logits"] is output.logits
    output["logits"] = torch.ones(1)
    assert output["logits"] is output.logits


CHANGES: dict[str, Callable[[CausalLMOutput], object]] = {
    "delete": lambda output: output.__delitem__("logits"),
    "pop": lambda output: output.pop("logits"),
    "update": lambda output: output.update(a=1),
    "setdefault": lambda output: output.setdefault("a", 1),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_fields_stay(change):
    with pytest.raises(TypeError, match="fields"):
        CHANGES[change](CausalLMOutput(logits=torch.ones(1)))


def test_outputs_are_pickled_and_mapped_over():
    output = Wav2Vec2BaseModelOutput(last_hidden_state=torch.arange(3.0), attentions=())
    again = pickle.loads(pickle.dumps(output))
    assert torch.equal(again.last_hidden_state, output.last_hidden_state)
    assert again.attentions == ()
    doubled = torch.utils._pytree.tree_map(lambda x: 2 * x, output)
    assert isinstance(doubled, Wav2Vec2BaseModelOutput)
    assert torch.equal(doubled["last_hidden_state"], 2 * output.last_hidden_state)


def test_a_field_that_was_empty_gets_a_key_and_a_place():
    output = CausalLMOutput(logits=torch.ones(1))
    output.loss = torch.tensor(2.0)
    assert output["loss"] is output.loss
    assert sorted(output) == ["logits", "loss"]
    assert len(output.to_tuple()) == 2
    output.note = "no field"
    assert "note" not in output


@pytest.mark.parametrize("given", [dict, lambda fields: list(fields.items())])
def test_a_mapping_or_pairs_name_the_fields(given):
    fields = {"logits": torch.ones(1), "hidden_states": (torch.zeros(1),)}
    output = CausalLMOutput(given(fields))
    assert list(output) == list(fields)
    assert output.logits is fields["logits"]
    assert output.loss is None
