"""What a server says of an error, in whichever wrapping it says it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from llm_gc.backends.wire.redact import Redactor
from llm_gc.backends.wire.text import load_json, natural, quote

_TOO_LONG = (
    "exceeds the available context size",
    "the prompt is longer than the context length",
    "exceeds the model's maximum context length",
    "exceeds the context length",
    "exceed_context_size_error",
    "maximum context length is",
    "context_length_exceeded",
)
_SIZES = re.compile(r"\((\d{1,12}) tokens\)")
_WINDOW = re.compile(r"maximum context length is (\d{1,12}) tokens.*?(\d{1,12}) (?:input )?tokens", re.DOTALL)


class Said(NamedTuple):
    """An error in the server's words, with the figures that came along."""

    message: str = ""
    type: str = ""
    prompt_tokens: int | None = None
    num_ctx: int | None = None

    def __str__(self) -> str:
        """Give the words, as many as a message can bear."""
        return quote(self.message).rstrip(".")

    def without(self, redactor: Redactor) -> Said:
        """Return the error without secrets in it."""
        return self._replace(message=redactor.hide(self.message), type=redactor.hide(self.type))

    @property
    def too_long(self) -> bool:
        """Whether the prompt did not fit the context window."""
        return any(words in self.message or words == self.type for words in _TOO_LONG)


def read_body(body: bytes) -> Said:
    """Read the body of an answer whose status says that it is an error."""
    text = body.decode("utf-8", "replace").strip()
    value = _object(text)
    if value is None:
        return Said(text)
    return read_error(value.get("error", value if isinstance(value.get("message"), str) else text))


def read_error(error: Any) -> Said:
    """Read the value of an ``error`` key: a text, JSON inside a text (the engine's error), or an object."""
    inner = error
    for _ in range(2):  # {"error": "{\"error\": {…}}"}
        found = _object(inner) if isinstance(inner, str) else inner
        if not isinstance(found, dict):
            break
        inner = found.get("error", found)
    if isinstance(inner, str):
        return _sized(Said(inner))
    if not isinstance(inner, dict) or not isinstance(inner.get("message"), str):
        return Said("an error without a word that can be read")
    if _object(inner["message"]) is not None and "error" in inner["message"]:  # the engine's, in an object of OpenAI's
        return read_error(inner["message"])
    code, kind = inner.get("code"), inner.get("type")  # OpenAI's code, where it is a word, says more than its type
    said = Said(inner["message"], next((word for word in (code, kind) if isinstance(word, str) and word), ""))
    return _sized(said, natural(inner.get("n_prompt_tokens")), natural(inner.get("n_ctx")))


def _sized(said: Said, prompt: int | None = None, window: int | None = None) -> Said:
    """Take the figures from the words where they did not come by themselves."""
    sizes = [int(size) for size in _SIZES.findall(said.message)] if said.too_long else []
    if said.too_long and not sizes and (found := _WINDOW.search(said.message)):
        sizes = [int(found[2]), int(found[1])]
    if prompt is None and sizes:
        prompt = sizes[0]
    if window is None and len(sizes) > 1:
        window = sizes[1]
    return Said(said.message, said.type, prompt, window)


def _object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = load_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
