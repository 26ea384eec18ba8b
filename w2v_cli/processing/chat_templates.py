"""Messages written as one text by a template, as every published tokenizer can.

A recogniser's tokenizer comes without a template. One that is given to it, or saved beside it,
is kept, applied and saved like the reference does.
"""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from w2v_cli.processing.options import PaddingStrategy, TensorType
from w2v_cli.processing.text_encoding import TextEncoding

if TYPE_CHECKING:
    from jinja2 import Template

Message = Mapping[str, Any]

# Marks the end of the message that is to be continued. The blank at its end shows whether the
# template strips what it writes.
_OPEN_END = "W2V-OPEN-END "


class ChatTemplates(TextEncoding):
    """The part of the tokenizer that knows templates: one, or several by name."""

    chat_template: str | dict[str, str] | None = None

    def apply_chat_template(
        self,
        conversation: Sequence[Message] | Sequence[Sequence[Message]],
        tools: list[dict[str, Any]] | None = None,
        documents: list[dict[str, str]] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool | str = False,
        tokenize: bool = True,
        sanitize_control_tokens: bool = False,
        padding: bool | str | PaddingStrategy = False,
        truncation: bool = False,
        max_length: int | None = None,
        return_tensors: str | TensorType | None = None,
        return_dict: bool = True,
        return_assistant_tokens_mask: bool = False,
        tokenizer_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return a conversation, or several, as text or as ids.

        Args:
            conversation: Messages with ``role`` and ``content``; values of None are left out.
            tools: JSON schemas that the template may describe.
            documents: Dictionaries that the template may quote.
            chat_template: A Jinja template, or the name of one; None for the own one.
            add_generation_prompt: Passed on to the template.
            continue_final_message: Whether to leave the last message open, and its field.
            tokenize: Whether to return ids; else text.
            sanitize_control_tokens: Not supported.
            padding: As for `__call__`.
            truncation: As for `__call__`.
            max_length: As for `__call__`.
            return_tensors: As for `__call__`.
            return_dict: Whether to return what `__call__` does; else `input_ids` alone.
            return_assistant_tokens_mask: Only for tokenizers written in Rust.
            tokenizer_kwargs: More arguments of `__call__`.
            kwargs: Variables of the template.

        Raises:
            ValueError: There is no template or no message, or what is asked for contradicts
                itself.
        """
        if sanitize_control_tokens or return_assistant_tokens_mask:
            raise ValueError(
                "sanitize_control_tokens and return_assistant_tokens_mask are not available "
                "with tokenizers written in Python"
            )
        if add_generation_prompt and continue_final_message:
            raise ValueError(
                "add_generation_prompt starts a new message and continue_final_message goes on "
                "with the last; choose one"
            )
        source = self.get_chat_template(chat_template, tools)
        if len(conversation) == 0:
            raise ValueError("Cannot apply chat template to an empty conversation.")
        several = not isinstance(conversation[0], Mapping)
        conversations: Any = conversation if several else [conversation]
        variables = {
            **self.special_tokens_map,
            **kwargs,
            "tools": tools,
            "documents": documents,
            "add_generation_prompt": add_generation_prompt,
        }
        texts = [
            _render(source, messages, variables, continue_final_message)
            for messages in conversations
        ]
        text = texts if several else texts[0]
        if not tokenize:
            return text
        encoded = self(
            text,
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            add_special_tokens=False,
            return_tensors=return_tensors,
            **(tokenizer_kwargs or {}),
        )
        return encoded if return_dict else encoded["input_ids"]

    def get_chat_template(
        self, chat_template: str | None = None, tools: list[dict[str, Any]] | None = None
    ) -> str:
        """Return the template that `apply_chat_template` uses for the same arguments.

        Raises:
            ValueError: There is none, or there are several and no default.
        """
        own = self.chat_template
        if isinstance(own, dict):
            if chat_template is not None:
                return own.get(chat_template, chat_template)
            name = "tool_use" if tools is not None and "tool_use" in own else "default"
            if name not in own:
                raise ValueError(
                    f"there are several chat templates and no default; choose from {sorted(own)}"
                )
            return own[name]
        template = chat_template or own
        if template is None:
            raise ValueError(
                "Cannot use chat template functions because tokenizer.chat_template is not set "
                "and no template argument was passed"
            )
        return template


def templates_from_settings(saved: Any) -> Any:
    """Return templates as the tokenizer keeps them; saved, several are a list with names."""
    if isinstance(saved, (list, tuple)):
        return {entry["name"]: entry["template"] for entry in saved}
    return saved


def _render(
    source: str, messages: Sequence[Message], variables: Mapping[str, Any], go_on: bool | str
) -> str:
    written = [{k: v for k, v in message.items() if v is not None} for message in messages]
    plain = _plain({**variables, "messages": written})
    if not go_on:
        return _compiled(source).render(**plain)
    field = go_on if isinstance(go_on, str) else "content"
    last = plain["messages"][-1].get(field)
    if not isinstance(last, str) or field not in source:
        raise ValueError(f"the final message has no text in {field!r} that the template writes")
    plain["messages"][-1][field] = last + _OPEN_END
    text = _compiled(source).render(**plain)
    if _OPEN_END in text:
        return text[: text.rindex(_OPEN_END)]
    if _OPEN_END.strip() in text:  # the template strips messages, so this one is stripped as well
        return text[: text.rindex(_OPEN_END.strip())].rstrip()
    raise ValueError("the final message does not appear in what the template writes")


def _plain(value: Any) -> Any:
    """Return a copy made of JSON's types alone: a template must get hold of nothing else."""
    return json.loads(json.dumps(value, default=lambda item: f"<{type(item).__name__}>"))


@functools.lru_cache(maxsize=32)
def _compiled(source: str) -> Template:
    """Return the template, able to do nothing but to write text.

    Templates come with checkpoints, from anyone.
    """
    import jinja2
    import jinja2.ext
    import jinja2.sandbox

    class Generation(jinja2.ext.Extension):
        """Lets `{% generation %}` mark what an assistant writes, and changes nothing."""

        tags = {"generation"}  # noqa: RUF012  # as jinja2 declares it

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = functools.partial(json.dumps, ensure_ascii=False)
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    return environment.from_string(source)
