"""The messages of an OpenAI-compatible server: request bodies, and the events of a streamed reply."""

from __future__ import annotations

from typing import Any

from llm_gc.backends.http.raw_prompt import going_on
from llm_gc.backends.http.stream import (
    BadLine,
    ErrorLine,
    Event,
    StreamEnd,
    StreamLast,
    StreamPiece,
    natural,
    read_error,
    read_object,
    read_part,
    unreadable,
)
from llm_gc.protocol import Ask, ModelConfig, Tokens

CHAT, COMPLETION = "/chat/completions", "/completions"

SENT = {
    "num_predict": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
"""The options that such a server has, by our names; whatever else a role says is not sent, and the run says so."""


def reply_request(ask: Ask) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of the request for a reply."""
    body: dict[str, Any] = {"model": ask.model, "stream": True, "stream_options": {"include_usage": True}}
    body |= {theirs: ask.options[ours] for ours, theirs in SENT.items() if ask.options.get(ours) is not None}
    if ask.casting.api == "generate":
        return COMPLETION, {**body, "prompt": going_on(ask)}
    if ask.format is not None:
        schema = {"name": "reply", "strict": True, "schema": ask.format}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return CHAT, {**body, "messages": ask.request.messages}


def unsent(casting: ModelConfig) -> list[str]:
    """Name what a role says and no such server is told."""
    names = [name for name in casting.options if name not in SENT]
    return [*names, "think"] if casting.think is not None else names


_NO_DATA = ("event", "id", "retry")
_DONE = "[DONE]"
_NOTHING = ("", "null")
"""The data of events by which some servers show only that they are still there."""


class Events:
    """Read the events of one reply.

    It is whole with ``[DONE]``, or with a reason why the model stopped once the stream ends: not every server says
    ``[DONE]``, and the figures follow after the reason.
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._reason: str | None = None
        self._model: str | None = None
        self._tokens = Tokens()
        self._prompt: float | None = None
        self._generation: float | None = None

    def line(self, line: bytes) -> list[Event]:
        """Return the events of one line, which may be the whole answer of a server without streaming."""
        text = line.decode("utf-8", "replace").strip()
        field, colon, data = text.partition(":")
        if not field or (colon and field in _NO_DATA):  # a comment, by which a server shows that it is still there
            return []
        data = data.strip() if field == "data" else text
        if data == _DONE:
            return [self._end()]
        if field == "data" and data in _NOTHING:
            return []
        value = read_object(data)
        if isinstance(value, BadLine):
            return [value]
        if value.get("error") is not None or value.get("object") == "error" or _is_bare_error(value):
            return [ErrorLine(read_error(value))]
        try:
            return self._read(value)
        except TypeError:
            return [unreadable(data)]

    def end(self) -> StreamEnd | None:
        """Return the end where the model has given a reason for it."""
        return self._end() if self._reason is not None else None

    def _read(self, value: dict[str, Any]) -> list[Event]:
        self._count(value)
        choices = read_part(value, "choices", list)
        choice = choices[0] if choices else {}
        if not isinstance(choice, dict):
            raise TypeError("a choice is no object")
        is_whole = isinstance(choice.get("message"), dict)
        piece = _piece(read_part(choice, "message" if is_whole else "delta", dict), choice)
        events: list[Event] = [piece] if piece.text or piece.thinking or piece.tool_calls else []
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._reason = reason
            events.append(self._end() if is_whole else StreamLast())
        return events

    def _count(self, value: dict[str, Any]) -> None:
        """Take the figures that any event may carry; the last ones count."""
        usage, timings, model = value.get("usage"), value.get("timings"), value.get("model")
        if isinstance(usage, dict):
            self._tokens = Tokens(natural(usage.get("prompt_tokens")), natural(usage.get("completion_tokens")))
        if isinstance(timings, dict):  # those of llama.cpp's server, in milliseconds
            self._prompt, self._generation = _seconds(timings.get("prompt_ms")), _seconds(timings.get("predicted_ms"))
        if isinstance(model, str) and model:
            self._model = model

    def _end(self) -> StreamEnd:
        return StreamEnd(self._reason, self._model, self._tokens, prompt=self._prompt, generation=self._generation)


def _piece(message: dict[str, Any], choice: dict[str, Any]) -> StreamPiece:
    """Return what an event says; thinking goes by two names, and a completion's text is beside."""
    text = _content(message) or read_part(choice, "text", str)
    thinking = read_part(message, "reasoning_content", str) or read_part(message, "reasoning", str)
    return StreamPiece(text, thinking, tuple(read_part(message, "tool_calls", list)))


def _content(message: dict[str, Any]) -> str:
    """Return the text of a message, which some servers send in parts, as it may be sent to them."""
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        return "".join(read_part(part, "text", str) for part in content)
    text: str = read_part(message, "content", str)
    return text


def _is_bare_error(value: dict[str, Any]) -> bool:
    """Check whether an object is an error that is by itself, in the words of FastAPI."""
    return "choices" not in value and isinstance(value.get("detail"), (str, list))


def _seconds(milliseconds: Any) -> float | None:
    is_number = isinstance(milliseconds, (int, float)) and not isinstance(milliseconds, bool)
    return milliseconds / 1000 if is_number and 0 <= milliseconds < 1e12 else None
