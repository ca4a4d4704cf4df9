"""The server-sent events of /chat/completions and /completions: what each of them says of the reply."""

from __future__ import annotations

from typing import Any

from llm_gc.backends.wire.events import Bad, End, ErrorLine, Event, Last, Piece, read_object, read_part, unreadable
from llm_gc.backends.wire.said import read_error
from llm_gc.backends.wire.text import natural
from llm_gc.protocol import Tokens

_NO_DATA = ("event", "id", "retry")
_DONE = "[DONE]"


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
        """Give the events of one line. A line that is no event may be the whole answer of a server without streams."""
        text = line.decode("utf-8", "replace").strip()
        field, colon, data = text.partition(":")
        if not field or (colon and field in _NO_DATA):  # a comment, by which a server shows that it is still there
            return []
        data = data.strip() if field == "data" else text
        if data == _DONE:
            return [self._end()]
        value = read_object(data)
        if isinstance(value, Bad):
            return [value]
        if value.get("error") is not None or value.get("object") == "error":
            return [ErrorLine(read_error(value.get("error") or value))]
        try:
            return self._read(value)
        except TypeError:
            return [unreadable(data)]

    def end(self) -> End | None:
        """Give the end where the model has given a reason for it."""
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
            events.append(self._end() if is_whole else Last())
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

    def _end(self) -> End:
        return End(self._reason, self._model, self._tokens, prompt=self._prompt, generation=self._generation)


def _piece(message: dict[str, Any], choice: dict[str, Any]) -> Piece:
    """Give what an event says; thinking goes by two names, and a completion's text stands beside."""
    text = read_part(message, "content", str) or read_part(choice, "text", str)
    thinking = read_part(message, "reasoning_content", str) or read_part(message, "reasoning", str)
    return Piece(text, thinking, tuple(read_part(message, "tool_calls", list)))


def _seconds(milliseconds: Any) -> float | None:
    is_number = isinstance(milliseconds, (int, float)) and not isinstance(milliseconds, bool)
    return milliseconds / 1000 if is_number and 0 <= milliseconds < 1e12 else None
