"""Templates write what they write with the reference, and can do nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2
import pytest

VOCAB = {token: index for index, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", *"|ABC"])}
TALK = [
    {"role": "user", "content": "ABBA", "name": None},
    {"role": "assistant", "content": "CAB "},
]
PLAIN = "{% for m in messages %}{{ m.role[0] ~ m.content ~ eos_token }}{% endfor %}"
STRIPPED = "{% for m in messages %}<{{ m['content'] | trim }}>\n{% endfor %}"
BREAKING = "{%- for m in messages %}{{ m.content }}{%- break %}{%- endfor %}{{ tools | tojson }}"
MARKED = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"

Pair = tuple[Any, Any]


@pytest.mark.parametrize("template", [PLAIN, STRIPPED, BREAKING, MARKED])
@pytest.mark.parametrize(
    "options",
    [
        {"tokenize": False},
        {"return_dict": False},
        {"padding": True, "return_tensors": "np"},
        {"tokenize": False, "tools": [{"name": "é<"}]},
    ],
)
def test_writes_what_the_reference_writes(
    template: str, options: dict[str, Any], make_pair: Callable[..., Pair]
) -> None:
    for talk in (TALK, [TALK, TALK[:1]]):
        theirs, ours = (
            tokenizer.apply_chat_template(talk, chat_template=template, **options)
            for tokenizer in make_pair(VOCAB)
        )
        if options.get("return_tensors"):
            assert ours["input_ids"].tolist() == theirs["input_ids"].tolist()
        else:
            assert (ours if isinstance(ours, (str, list)) else dict(ours)) == theirs


@pytest.mark.parametrize("template", [PLAIN, STRIPPED])
def test_leaves_the_last_message_open_like_the_reference(
    template: str, make_pair: Callable[..., Pair]
) -> None:
    texts = [
        tokenizer.apply_chat_template(
            TALK, chat_template=template, continue_final_message=True, tokenize=False
        )
        for tokenizer in make_pair(VOCAB)
    ]
    assert texts[0] == texts[1]


def test_templates_have_names(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair(VOCAB)
    with pytest.raises(ValueError, match=r"tokenizer\.chat_template is not set"):
        ours.get_chat_template()
    ours.chat_template = {"first": "1", "tool_use": "2"}
    assert ours.get_chat_template("first") == "1"
    assert ours.get_chat_template("{{ own }}") == "{{ own }}"
    assert ours.get_chat_template(tools=[]) == "2"
    with pytest.raises(ValueError, match=r"no default; choose from \['first', 'tool_use'\]"):
        ours.get_chat_template()


def test_contradictions_are_refused(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair(VOCAB, chat_template=PLAIN)
    for options, message in (
        ({"sanitize_control_tokens": True}, "not available"),
        ({"return_assistant_tokens_mask": True}, "not available"),
        ({"continue_final_message": True, "add_generation_prompt": True}, "choose one"),
        ({"continue_final_message": "thought"}, "no text in 'thought'"),
    ):
        with pytest.raises(ValueError, match=message):
            ours.apply_chat_template(TALK, **options)
    with pytest.raises(ValueError, match="empty conversation"):
        ours.apply_chat_template([])
    with pytest.raises(ValueError, match="does not appear"):
        ours.apply_chat_template(
            TALK, chat_template="{{ messages[0].content }}", continue_final_message=True
        )


def test_templates_reach_nothing(make_pair: Callable[..., Pair]) -> None:
    _, ours = make_pair(VOCAB)

    class Secret:
        def open(self) -> str:
            return "opened"

    written = ours.apply_chat_template(
        TALK, chat_template="{{ secret }}", tokenize=False, secret=Secret()
    )
    assert written == "<Secret>"
    for attack in ("{{ messages.__class__.__mro__ }}", "{{ messages.append(1) }}"):
        with pytest.raises(jinja2.sandbox.SecurityError):
            ours.apply_chat_template(TALK, chat_template=attack, tokenize=False)
    with pytest.raises(jinja2.TemplateError, match="refused"):
        ours.apply_chat_template(TALK, chat_template="{{ raise_exception('refused') }}")
