"""model: a model as the stand-in knows it: its names, its window, how it turns messages into tokens."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from .names import Name, parse


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: str
    content: str
    images: int = 0


Template = Callable[[Sequence[Message], bool], str]
"""Messages, and whether the model may think, to the text of a prompt."""

_MARK = re.compile(r"(<\|\w+\|>|</?think>)")


class TemplateError(Exception):
    """A strict template does not want these messages."""


def chatml(messages: Sequence[Message], think: bool) -> str:
    """The template of most models: each message between two marks, then the assistant's turn is opened."""
    turns = [f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n" for message in messages]
    return "".join(turns) + "<|im_start|>assistant\n"


def four_characters(text: str) -> int:
    """About what real tokenisers do: a token for four characters, and one for each mark."""
    return sum(1 if index % 2 else -(-len(piece) // 4) for index, piece in enumerate(_MARK.split(text)))


def each_character(text: str) -> int:
    """A token for each character, and one for each mark."""
    return len(characters(text))


def characters(text: str) -> list[str]:
    """Text as the tokens of `each_character`."""
    pieces = enumerate(_MARK.split(text))
    return [token for index, piece in pieces for token in ([piece] if index % 2 else piece)]


@dataclass(frozen=True)
class Model:
    """A model of the stand-in; `name` is all it needs.

    `context` is the window it was trained for, `path` says who builds its prompts ("rendered":
    Ollama, "native": the engine), `parameters` are the options that the model brings along,
    `slots` is how many requests it answers at a time. `parser` is the server's own one for its replies;
    without `takes_levels` a level of thinking is refused, unless the family is gpt-oss.
    """

    name: str
    context: int = 4096
    path: Literal["rendered", "native"] = "rendered"
    capabilities: tuple[str, ...] = ("completion",)
    template: Template = chatml
    tokens: Callable[[str], int] = four_characters
    bos: bool = True
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    load_seconds: float = 0.0
    slots: int = 1
    family: str = "llama"
    parser: str = ""
    takes_levels: bool = True
    parameter_size: str = "1.5B"
    quantization: str = "Q4_K_M"
    size: int = 986_061_892
    modified_at: str = "2026-01-02T03:04:05.1+01:00"

    @cached_property
    def named(self) -> Name:
        """The name in its parts."""
        name = parse(self.name)
        assert name is not None, f"not a model's name: {self.name!r}"
        return name

    @cached_property
    def digest(self) -> str:
        """64 hex characters that change with whatever the model is made of."""
        template = getattr(self.template, "__name__", "")
        made_of = (self.named.full, template, self.system, sorted(self.parameters.items()))
        return hashlib.sha256(repr(made_of).encode()).hexdigest()

    def can(self, capability: str) -> bool:
        """Whether the model has a capability."""
        return capability in self.capabilities

    def window(self, options: Mapping[str, Any], automatic: int) -> int:
        """The `num_ctx` really in force: as asked for or automatic, within what the model can do."""
        wanted: int = options.get("num_ctx", automatic)
        return max(min(wanted, self.context), 2048 if self.can("vision") else 4)

    def count(self, text: str) -> int:
        """How many tokens a prompt has, the one at its beginning included."""
        return self.tokens(text) + self.bos
